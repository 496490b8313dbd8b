//! Records of several lines in followed files.

use super::*;

fn fixed(quiet: u64, state: Option<Arc<Settled>>) -> &'static Fixed {
    Box::leak(Box::new(Fixed {
        kept: Kept::default(),
        size: BatchSize::default(),
        pool: Arc::default(),
        origin: OriginRule::default(),
        timeout: Duration::from_secs(60),
        rules: RecordRules { join: Some(joined(quiet)), ..RecordRules::default() },
        most_open: usize::MAX,
        state,
        changing: None,
    }))
}

impl World {
    fn append(&mut self, file: usize, text: &str) {
        self.disk.borrow_mut().files[file].0.extend_from_slice(text.as_bytes());
        self.changed.push(file);
        self.read();
    }

    fn pass(&mut self, seconds: u64) {
        self.now += Duration::from_secs(seconds);
        self.read();
    }

    /// The records that were delivered since the last call.
    fn records(&self) -> Vec<String> {
        let batches = std::mem::take(&mut *self.fixed.kept.0.lock().unwrap());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        batches
            .iter()
            .flat_map(|(_, batch)| batch.records().map(|record| text(record.bytes)).collect::<Vec<_>>())
            .collect()
    }
}

#[test]
fn an_open_record_waits_for_the_quiet_time_after_the_last_byte() {
    let mut world = World::new(fixed(5, None));
    let file = world.disk.borrow_mut().make("a", b"a0\nb1\nc7\nd2\n".to_vec());
    world.scan();
    assert_eq!(world.records(), ["a0\nb1"]);
    world.pass(4);
    world.append(file, "e3\nf");
    world.pass(4);
    assert_eq!(world.records(), [""; 0]);
    // The line without its end stays, because its end may come.
    world.pass(1);
    assert_eq!(world.records(), ["c7\nd2\ne3"]);
    world.append(file, "4\ng5\nh0\n");
    assert_eq!(world.records(), ["f4\ng5"], "lines that continue a record that has ended are a record");
    // At the end, the open record is delivered with the line that has no end.
    world.append(file, "i1");
    world.follower.end(true).unwrap();
    assert_eq!(world.records(), ["h0\ni1"]);
}

#[test]
fn an_open_record_of_a_run_that_ends_is_whole_in_the_next() {
    let mut world = World::new(fixed(5, Some(Arc::default())));
    let file = world.disk.borrow_mut().make("a", b"a0\nb1\nc7\nd2\n".to_vec());
    world.scan();
    world.restart();
    world.append(file, "e3\nf0\n");
    assert_eq!(world.records(), ["a0\nb1", "c7\nd2\ne3"]);
    // A record that ended by time is settled. Lines that continue it are a record also in the next run.
    world.pass(5);
    assert_eq!(world.records(), ["f0"]);
    world.restart();
    world.append(file, "g1\nh2\ni0\n");
    assert_eq!(world.records(), ["g1\nh2"]);
}

#[test]
fn nothing_ends_by_time_while_its_file_may_hold_bytes_that_were_not_read() {
    let mut world = World::new(fixed(5, None));
    let file = world.disk.borrow_mut().make("a", b"a0\nb".to_vec());
    world.scan();
    // The queue is full for longer than any limit of time.
    world.act(&Act::Stall);
    world.append(file, "1\nc2\nd");
    world.pass(100);
    world.go_on();
    world.append(file, "0\n");
    assert_eq!(world.records(), ["a0\nb1\nc2"]);
    // No event has told that the file has grown.
    world.disk.borrow_mut().files[file].0.extend_from_slice(b"e1\nf");
    world.pass(100);
    world.append(file, "0\n");
    assert_eq!(world.records(), ["d0\ne1"]);
    world.pass(5);
    assert_eq!(world.records(), ["f0"]);
}
