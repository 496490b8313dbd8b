//! The files of a container's log are rotated while they are read. Each long line is delivered whole, wherever a rotation cuts it.

use super::*;
use crate::envelope::roles::{Role, Roles};
use crate::source::follow::changing::tests::Log;

#[derive(Debug, Clone)]
enum Turn {
    /// Writes a line of so many pieces. Before the piece with this number, the file is rotated.
    Line(usize, usize),
    Rotate,
    Scan,
    /// The files are rotated between a look at the names and the opening of what it has found.
    ScanAndRotate,
    Read,
    /// Time passes, in which nothing is written. Events have told of the rotations before it.
    Wait(u64),
    Stall,
    GoOn,
}

fn turns() -> impl Strategy<Value = Vec<Turn>> {
    let turn = prop_oneof![
        6 => (1usize..5, 0usize..8).prop_map(|(pieces, cut)| Turn::Line(pieces, cut)),
        1 => Just(Turn::Rotate),
        3 => Just(Turn::Scan),
        2 => Just(Turn::ScanAndRotate),
        3 => Just(Turn::Read),
        2 => (1u64..4000).prop_map(Turn::Wait),
        1 => Just(Turn::Stall),
        2 => Just(Turn::GoOn),
    ];
    prop::collection::vec(turn, 1..40)
}

impl World {
    fn rotate(&mut self) {
        let mut disk = self.disk.borrow_mut();
        let count = disk.names.len();
        for age in (0..count).rev() {
            let name = if age == 0 { "log".to_owned() } else { format!("log.{age}") };
            let file = disk.names.remove(&name).unwrap();
            disk.names.insert(format!("log.{}", age + 1), file);
        }
        disk.make("log", Vec::new());
    }

    fn write_piece(&mut self, text: &str) {
        let mut disk = self.disk.borrow_mut();
        let file = disk.names["log"];
        disk.files[file].0.extend_from_slice(text.as_bytes());
        disk.changes[file] += 1;
        self.changed.push(file);
    }

    fn turn(&mut self, turn: &Turn) {
        match turn {
            Turn::Line(pieces, cut) => {
                self.next += 1;
                for piece in 0..*pieces {
                    if piece == *cut {
                        self.rotate();
                    }
                    let end = if piece + 1 == *pieces { "\\n" } else { "" };
                    let (number, second, ns) = (self.next, self.next / 1000, self.next % 1000);
                    self.write_piece(&format!(
                        "{{\"log\":\"{number}.{piece} {end}\",\"stream\":\"stdout\",\"time\":\"2026-11-30T11:00:{second:02}.{ns:09}Z\"}}\n"
                    ));
                }
                self.written.push((0..*pieces).map(|piece| format!("{}.{piece} ", self.next)).collect());
            }
            Turn::Rotate => self.rotate(),
            Turn::Scan => self.scan(),
            Turn::ScanAndRotate => {
                let found = self.disk.borrow().found();
                self.rotate();
                let failures = self.follower.apply_scan(&found, self.now, &mut opener(&self.disk));
                assert!(failures.is_empty());
                self.read();
            }
            Turn::Read => self.read(),
            Turn::Wait(time) => {
                self.now += Duration::from_millis(*time);
                self.scan();
            }
            Turn::Stall => self.act(&Act::Stall),
            Turn::GoOn => self.go_on(),
        }
    }

    /// The lines that were delivered, each joined from its pieces.
    fn joined(&self) -> Vec<String> {
        let texts = |raw: &[u8]| -> String {
            let raw = String::from_utf8_lossy(raw).into_owned();
            raw.lines().map(|line| line.split('"').nth(3).unwrap().replace("\\n", "")).collect()
        };
        let mut joined = Vec::new();
        for (_, batch) in self.fixed.kept.0.lock().unwrap().iter() {
            let roles = Roles::of(batch);
            for (index, record) in batch.records().enumerate() {
                match roles.role(index) {
                    Role::Whole => joined.push(texts(record.bytes)),
                    Role::Piece => {}
                    Role::Last(number) => joined.push(texts(&roles.joined[number as usize].raw)),
                }
            }
        }
        joined
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(2), ..ProptestConfig::default() })]

    /// Each line is delivered once and whole, however its file is rotated and however long the queue is full.
    #[test]
    fn each_line_of_a_log_is_whole_wherever_a_rotation_cuts_it(
        turns in turns(), lines in 1usize..5, bytes in 100usize..800, most_open in prop_oneof![2usize..5, Just(usize::MAX)],
    ) {
        let fixed: &'static Fixed = Box::leak(Box::new(Fixed {
            kept: Kept::default(),
            size: BatchSize { lines, bytes, max_line: 1000 },
            pool: Arc::default(),
            origin: OriginRule::default(),
            timeout: Duration::from_secs(5),
            rules: RecordRules::default(),
            most_open,
            state: None,
            changing: Some(Box::leak(Box::new(Log::new()))),
        }));
        let mut world = World::new(fixed);
        world.disk.borrow_mut().make("log", Vec::new());
        world.scan();
        turns.iter().for_each(|turn| world.turn(turn));
        world.settle();
        world.follower.end(true).unwrap();
        prop_assert!(world.follower.take_lost().is_empty());
        let mut joined = world.joined();
        joined.sort();
        world.written.sort();
        prop_assert_eq!(joined, world.written);
    }
}
