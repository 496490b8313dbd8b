//! Files that are written, renamed, copied, truncated and deleted in memory, and looked at now and then: every line is
//! delivered once.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;

use super::super::copies::Copies;
use super::*;
use crate::batch::Batch;
use crate::lines;
use crate::source::origin::OriginRule;
use crate::source::reader::{BatchSize, Intake, LongLine};

#[derive(Default)]
struct Disk {
    files: Vec<(Vec<u8>, bool)>,
    names: BTreeMap<String, usize>,
    /// How often a file was changed, as its time.
    changes: Vec<i64>,
}

impl Disk {
    fn make(&mut self, name: &str, content: Vec<u8>) -> usize {
        self.remove(name);
        self.files.push((content, false));
        self.changes.push(0);
        self.names.insert(name.to_owned(), self.files.len() - 1);
        self.files.len() - 1
    }

    fn remove(&mut self, name: &str) {
        if let Some(file) = self.names.remove(name) {
            self.files[file].1 = true;
        }
    }

    fn found(&self) -> Vec<Found> {
        let found = |(name, &file): (&String, &usize)| Found {
            path: name.into(),
            id: FileId { device: 1, inode: file as u64 },
            size: self.files[file].0.len() as u64,
            modified: self.changes[file],
        };
        self.names.iter().map(found).collect()
    }
}

struct Handle(Rc<RefCell<Disk>>, usize);

impl Source for Handle {
    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize> {
        let disk = self.0.borrow();
        let rest = disk.files[self.1].0.get(at as usize..).unwrap_or_default();
        // As few as a system may give.
        let length = rest.len().min(room.len()).min(7);
        room[..length].copy_from_slice(&rest[..length]);
        Ok(length)
    }

    fn look(&self) -> io::Result<(u64, bool)> {
        let disk = self.0.borrow();
        Ok((disk.files[self.1].0.len() as u64, disk.files[self.1].1))
    }
}

#[derive(Default)]
struct Kept(Mutex<Vec<(u64, Batch)>>);

impl Intake for Kept {
    fn batch(&self, batch: Batch) -> bool {
        self.0.lock().unwrap().push((batch.origin.id, batch));
        true
    }

    fn long_line(&self, _: LongLine) -> Result<()> {
        panic!("no line is too long here")
    }
}

#[derive(Debug, Clone)]
enum Act {
    /// A line to a log, in two parts with something between them or not.
    Write(usize),
    Half(usize),
    /// A line to a file whose name was taken away.
    Late(usize),
    Rename(usize),
    Delete(usize),
    CopyTruncate(usize),
    Truncate(usize),
    Look,
    /// Only what is known is read.
    Read,
    Wait(u64),
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let log = 0usize..3;
    let act = prop_oneof![
        8 => log.clone().prop_map(Act::Write),
        3 => log.clone().prop_map(Act::Half),
        2 => any::<usize>().prop_map(Act::Late),
        2 => log.clone().prop_map(Act::Rename),
        1 => log.clone().prop_map(Act::Delete),
        2 => log.clone().prop_map(Act::CopyTruncate),
        1 => log.prop_map(Act::Truncate),
        4 => Just(Act::Look),
        2 => Just(Act::Read),
        2 => (1u64..4000).prop_map(Act::Wait),
    ];
    prop::collection::vec(act, 1..60)
}

struct World<'a> {
    disk: Rc<RefCell<Disk>>,
    follower: Follower<'a, Handle>,
    now: Duration,
    next: usize,
    /// Files to whose last line something can be added, and the beginning of that line.
    open: BTreeMap<usize, String>,
    /// Files that were renamed or deleted while they were followed.
    late: Vec<usize>,
    written: Vec<String>,
}

impl World<'_> {
    fn look(&mut self) {
        let found = self.disk.borrow().found();
        let disk = &self.disk;
        let failures = self
            .follower
            .look(&found, self.now, &mut |found| Ok(Some(Handle(Rc::clone(disk), found.id.inode as usize))));
        assert!(failures.is_empty());
        self.read();
    }

    fn read(&mut self) {
        self.follower.mark_all();
        while self.follower.is_behind() {
            let failed = &mut |error| panic!("{error}");
            assert!(self.follower.read(self.now, failed, &mut |_| ()).unwrap());
        }
        if self.follower.needs_look() {
            return self.look();
        }
        assert!(self.follower.wake(self.now, &mut |_, _| ()).unwrap());
    }

    /// Adds to a file: the rest of a line if it has a half, or a line, or a half.
    fn write(&mut self, file: usize, whole: bool) {
        let mut disk = self.disk.borrow_mut();
        disk.changes[file] += 1;
        let content = &mut disk.files[file].0;
        if let Some(half) = self.open.remove(&file) {
            content.extend_from_slice(b"rest\n");
            self.written.push(half + "rest");
            return;
        }
        self.next += 1;
        if whole {
            content.extend_from_slice(format!("line {}\n", self.next).as_bytes());
            self.written.push(format!("line {}", self.next));
        } else {
            let half = format!("half {} ", self.next);
            content.extend_from_slice(half.as_bytes());
            self.open.insert(file, half);
        }
    }

    /// A half line to which nothing can be added any more is a line.
    fn close(&mut self, file: usize) {
        self.written.extend(self.open.remove(&file));
    }

    fn act(&mut self, act: &Act) {
        let log = |log: &usize| ["a", "b", "c"][*log].to_owned();
        let file = |name: &String| self.disk.borrow().names.get(name).copied();
        match act {
            Act::Write(at) | Act::Half(at) => {
                let name = log(at);
                let file = file(&name).unwrap_or_else(|| self.disk.borrow_mut().make(&name, Vec::new()));
                self.write(file, matches!(act, Act::Write(_)));
            }
            Act::Late(nth) if !self.late.is_empty() => self.write(self.late[nth % self.late.len()], true),
            Act::Rename(at) => {
                let Some(file) = file(&log(at)) else { return };
                let mut disk = self.disk.borrow_mut();
                disk.names.remove(&log(at));
                disk.names.insert(format!("r{}", self.next), file);
                self.next += 1;
                drop(disk);
                self.late.push(file);
            }
            Act::Delete(at) => {
                let Some(file) = file(&log(at)) else { return };
                // What nobody has seen is lost with it.
                self.look();
                self.disk.borrow_mut().remove(&log(at));
                self.close(file);
            }
            Act::CopyTruncate(at) => {
                let Some(file) = file(&log(at)) else { return };
                let mut disk = self.disk.borrow_mut();
                let content = std::mem::take(&mut disk.files[file].0);
                disk.changes[file] += 1;
                disk.make(&format!("copy{}", self.next), content);
                self.next += 1;
                drop(disk);
                self.close(file);
            }
            Act::Truncate(at) => {
                let Some(file) = file(&log(at)) else { return };
                self.look();
                let mut disk = self.disk.borrow_mut();
                disk.files[file].0.clear();
                disk.changes[file] += 1;
                drop(disk);
                self.close(file);
            }
            Act::Look => self.look(),
            Act::Read => self.read(),
            Act::Wait(time) => {
                self.now += Duration::from_millis(*time);
                self.read();
            }
            Act::Late(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn every_line_is_delivered_once_whatever_becomes_of_its_file(
        acts in acts(), lines in 1usize..5, bytes in 1usize..80,
    ) {
        let kept = Kept::default();
        let copies = Arc::new(Copies::new(None));
        let (plain, wary) = (View::new(&copies, false), View::new(&copies, true));
        let size = BatchSize { lines, bytes, max_line: 1000 };
        let (pool, origin, timeout) = (Arc::default(), OriginRule::default(), Duration::from_secs(1_000_000));
        let reader = Reader { size: &size, origin: &origin, pool: &pool, intake: &kept, timeout };
        let mut world = World {
            disk: Rc::default(),
            follower: Follower::new(reader, &plain, &wary),
            now: Duration::ZERO,
            next: 0,
            open: BTreeMap::new(),
            late: Vec::new(),
            written: Vec::new(),
        };
        world.look();
        acts.iter().for_each(|act| world.act(act));
        world.look();
        world.follower.end(true).unwrap();
        let halves: Vec<String> = world.open.values().cloned().collect();
        let mut written = std::mem::take(&mut world.written);
        written.extend(halves);
        written.sort();
        let batches = kept.0.into_inner().unwrap();
        let mut delivered: Vec<String> = batches.iter().flat_map(|(_, batch)| {
            lines::lines(&batch.data).map(|line| String::from_utf8(line.bytes.to_vec()).unwrap()).collect::<Vec<_>>()
        }).collect();
        delivered.sort();
        prop_assert_eq!(delivered, written);
    }
}
