//! Files in memory are written, renamed, copied, truncated and deleted, and looked at from time to time. Every line
//! must be delivered once.

mod disk;
mod joined;
mod rotated;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use proptest::prelude::*;

use self::disk::{Disk, Handle};
use super::*;
use crate::core::batch::Batch;
use crate::core::error::Result;
use crate::core::{lines, records};
use crate::source::block_pool::BlockPool;
use crate::source::encodings::KNOWN_UTF_8;
use crate::source::follow::changing::Changing;
use crate::source::follow::copies::{Copies, View};
use crate::source::follow::file_table::{FileId, Found};
use crate::source::follow::naming::NamingRules;
use crate::source::follow::tail::ReadContext;
use crate::source::joiner::{JoinRule, Joiner};
use crate::source::origin::OriginRule;
use crate::source::outlet::Outlet;
use crate::source::receiver::{BatchSize, LongLine};
use crate::source::record_rules::RecordRules;
use crate::source::wrapping::Wrapping;
use crate::state::extents::{Entry, Extent, Extents};
use crate::state::{Amount, Begun, Known, Memory, Stamp};

#[derive(Default)]
struct Kept(Mutex<Vec<(u64, Batch)>>, AtomicBool);

impl Outlet for Kept {
    fn batch(&self, batch: Batch) -> bool {
        self.0.lock().unwrap().push((batch.context.origin.id, batch));
        true
    }

    fn long_line(&self, _: LongLine) -> Result<()> {
        panic!("no line is too long here")
    }

    fn has_room(&self) -> bool {
        !self.1.load(Ordering::Relaxed)
    }
}

/// A state directory in memory. The lines that a run delivers are settled, and later runs know them.
#[derive(Debug, Default)]
struct Settled {
    extents: Mutex<Extents>,
    /// The extents that earlier runs settled.
    known: Mutex<Extents>,
    origins: Mutex<BTreeMap<u32, u64>>,
    next: AtomicU32,
}

impl Settled {
    fn restart(&self) {
        *self.known.lock().unwrap() = self.extents.lock().unwrap().clone();
    }
}

impl Memory for Settled {
    fn begin(&self, origin: u64) -> Begun {
        let content = self.next.fetch_add(1, Ordering::Relaxed) + 1;
        self.origins.lock().unwrap().insert(content, origin);
        let known = self.known.lock().unwrap();
        let mut known: Vec<Known> =
            known.of(origin).map(|entry| Known { extent: entry.extent, lineage: entry.lineage }).collect();
        known.sort_by_key(|known| known.extent);
        Begun { content, known: known.into() }
    }

    fn skip_whole(&self, _: u64, _: &Stamp) -> Option<Amount> {
        None
    }

    fn continue_lineage(&self, _: u32, _: u32) {}

    fn deliver(&self, content: u32, extent: Extent) {
        let origin = self.origins.lock().unwrap()[&content];
        self.extents.lock().unwrap().insert(Entry { origin, lineage: content, extent });
    }

    fn skip(&self, _: u32, _: u64, _: Amount) -> bool {
        true
    }

    fn end(&self, _: u32, _: u64, _: Option<Stamp>) {}
}

#[derive(Debug, Clone)]
enum Act {
    /// Writes a line to a log, in one part or in two parts with other actions between them.
    Write(usize),
    Half(usize),
    /// Writes a line to a file that has lost its name.
    Late(usize),
    Rename(usize),
    Delete(usize),
    CopyTruncate(usize),
    Truncate(usize),
    Scan,
    /// Reads without a scan of the names.
    Read,
    Wait(u64),
    /// The receiver takes no lines until the next action of this kind.
    Stall,
    GoOn,
    /// The run ends, and another one begins.
    Restart,
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
        4 => Just(Act::Scan),
        2 => Just(Act::Read),
        2 => (1u64..4000).prop_map(Act::Wait),
        1 => Just(Act::Stall),
        2 => Just(Act::GoOn),
        1 => Just(Act::Restart),
    ];
    prop::collection::vec(act, 1..60)
}

/// The values that all runs share.
struct Fixed {
    kept: Kept,
    size: BatchSize,
    pool: Arc<BlockPool>,
    origin: OriginRule,
    timeout: Duration,
    rules: RecordRules,
    most_open: usize,
    state: Option<Arc<Settled>>,
    changing: Option<&'static dyn Changing>,
}

/// Lines that end with a digit from 1 to 6 continue the record before them.
struct Digits;

impl Joiner for Digits {
    fn begins_record(&mut self, beginning: &[u8]) -> bool {
        !matches!(beginning.last(), Some(b'1'..=b'6'))
    }
}

fn joined(quiet: u64) -> JoinRule {
    JoinRule { quiet: Duration::from_secs(quiet), ..JoinRule::new(|| Box::new(Digits)) }
}

impl Fixed {
    fn follower(&'static self) -> Follower<'static, Handle> {
        let state = self.state.clone().map(|state| -> Arc<dyn Memory> { state });
        let copies = Arc::new(Copies::new(state));
        let views: &'static (View, View) = Box::leak(Box::new((View::new(&copies, false), View::new(&copies, true))));
        let Fixed { size, pool, origin, timeout, rules, changing, .. } = self;
        let context = ReadContext {
            size,
            naming: NamingRules { origin, wrapping: Wrapping::Ignored, describing: Box::leak(Box::default()) },
            pool,
            receiver: &self.kept,
            timeout: *timeout,
            rules,
            changing: *changing,
            encoding: KNOWN_UTF_8,
            binary: &|_, _| (),
        };
        Follower::new(context, &views.0, &views.1, self.most_open)
    }
}

struct World {
    disk: Rc<RefCell<Disk>>,
    fixed: &'static Fixed,
    follower: Follower<'static, Handle>,
    now: Duration,
    next: usize,
    /// Files whose last line is unfinished, and the beginning of that line.
    open: BTreeMap<usize, String>,
    /// Files that were renamed or deleted while they were followed.
    late: Vec<usize>,
    written: Vec<String>,
    /// Files that were changed, and for which no event has come yet.
    changed: Vec<usize>,
}

/// Opens the file with the name, if it is the expected file.
fn opener(disk: &Rc<RefCell<Disk>>) -> impl FnMut(&Found) -> io::Result<Option<Handle>> + use<> {
    let disk = Rc::clone(disk);
    move |found: &Found| {
        let there = disk.borrow().names.get(&found.path.display().to_string()).copied();
        match there.filter(|&file| file as u64 == found.id.inode) {
            Some(file) => Ok(Some(Handle(Rc::clone(&disk), file))),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

impl World {
    fn new(fixed: &'static Fixed) -> World {
        World {
            disk: Rc::default(),
            fixed,
            follower: fixed.follower(),
            now: Duration::ZERO,
            next: 0,
            open: BTreeMap::new(),
            late: Vec::new(),
            written: Vec::new(),
            changed: Vec::new(),
        }
    }

    fn scan(&mut self) {
        let found = self.disk.borrow().found();
        let failures = self.follower.apply_scan(&found, self.now, &mut opener(&self.disk));
        assert!(failures.is_empty());
        self.read();
    }

    fn restart(&mut self) {
        let Some(state) = &self.fixed.state else { return };
        self.settle();
        self.follower.end(false).unwrap();
        state.restart();
        self.follower = self.fixed.follower();
        self.scan();
    }

    /// Reads everything. Deleted files are closed after a time, and make room for others.
    fn settle(&mut self) {
        self.go_on();
        self.scan();
        let mut rounds = 0;
        while self.is_full() {
            rounds += 1;
            assert!(rounds < 1_000, "files wait for ever to be opened");
            self.now += Duration::from_secs(400);
            self.scan();
        }
    }

    fn is_full(&self) -> bool {
        self.follower.is_opening() || !self.follower.postponed.is_empty()
    }

    fn go_on(&mut self) {
        self.fixed.kept.1.store(false, Ordering::Relaxed);
        self.read();
    }

    fn read(&mut self) {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().for_each(|file| self.follower.written(FileId { device: 1, inode: file as u64 }));
        let mut open = opener(&self.disk);
        let mut rounds = 0;
        loop {
            let failed = &mut |error| panic!("{error}");
            assert!(self.follower.open_waiting(self.now, &mut open).is_empty());
            assert!(self.follower.read(self.now, &mut open, failed, &mut |_| ()).unwrap());
            assert!(self.follower.open <= self.fixed.most_open);
            rounds += 1;
            assert!(rounds < 10_000, "reading goes on for ever");
            if !(self.follower.may_open_more() || self.follower.is_behind() && self.fixed.kept.has_room()) {
                break;
            }
        }
        if self.follower.needs_scan() {
            return self.scan();
        }
        assert!(self.follower.wake(self.now, &mut |_| ()).unwrap());
    }

    /// Writes to a file: the rest of a line if it has half a line, or a whole line, or half a line.
    fn write(&mut self, file: usize, whole: bool) {
        self.changed.push(file);
        let mut disk = self.disk.borrow_mut();
        disk.changes[file] += 1;
        let content = &mut disk.files[file].0;
        if let Some(half) = self.open.remove(&file) {
            let rest = half.replace("half", "rest").trim_end().to_owned();
            content.extend_from_slice(format!("{rest}\n").as_bytes());
            self.written.push(half + &rest);
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

    /// Half a line that can get no rest counts as a line.
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
                // Bytes that were not read before the deletion are lost.
                self.settle();
                self.disk.borrow_mut().remove(&log(at));
                self.follower.gone(FileId { device: 1, inode: file as u64 });
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
                self.changed.push(file);
                self.close(file);
            }
            Act::Truncate(at) => {
                let Some(file) = file(&log(at)) else { return };
                self.settle();
                let mut disk = self.disk.borrow_mut();
                disk.files[file].0.clear();
                disk.changes[file] += 1;
                drop(disk);
                self.changed.push(file);
                self.close(file);
            }
            Act::Scan => self.scan(),
            Act::Read => self.read(),
            Act::Wait(time) => {
                self.now += Duration::from_millis(*time);
                self.read();
            }
            Act::Stall => self.fixed.kept.1.store(true, Ordering::Relaxed),
            Act::GoOn => self.go_on(),
            Act::Restart => self.restart(),
            Act::Late(_) => {}
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    /// Every byte of every line is delivered once. A line is whole, or it is delivered in two parts that are marked as
    /// parts.
    #[test]
    fn every_line_is_delivered_once_whatever_becomes_of_its_file(
        acts in acts(), lines in 1usize..5, bytes in 1usize..80, timeout in prop_oneof![1u64..4, Just(1_000_000)],
        most_open in prop_oneof![2usize..5, Just(usize::MAX)], with_state in any::<bool>(),
        quiet in prop_oneof![2 => Just(None), 1 => (1u64..4).prop_map(Some), 1 => Just(Some(1_000_000))],
    ) {
        let fixed: &'static Fixed = Box::leak(Box::new(Fixed {
            kept: Kept::default(),
            size: BatchSize { lines, bytes, max_line: 1000 },
            pool: Arc::default(),
            origin: OriginRule::default(),
            timeout: Duration::from_secs(timeout),
            rules: RecordRules { join: quiet.map(joined), ..RecordRules::default() },
            most_open,
            state: with_state.then(Arc::default),
            changing: None,
        }));
        let mut world = World::new(fixed);
        world.scan();
        acts.iter().for_each(|act| world.act(act));
        world.settle();
        world.follower.end(true).unwrap();
        prop_assert!(world.follower.take_lost().is_empty());
        prop_assert_eq!(world.follower.unread().len(), 0);
        let mut delivered: Vec<(String, bool)> = Vec::new();
        for (_, batch) in fixed.kept.0.lock().unwrap().drain(..) {
            prop_assert_eq!(records::count(&batch.data, &batch.framing), Ok(batch.records as usize));
            let last = lines::count(&batch.data) - 1;
            delivered.extend(lines::lines(&batch.data).enumerate().map(|(index, line)| {
                (String::from_utf8(line.bytes.to_vec()).unwrap(), batch.partial && index == last)
            }));
        }
        let mut take = |line: &str, partial: bool| {
            let at = delivered.iter().position(|(text, is)| text == line && *is == partial);
            at.map(|at| delivered.swap_remove(at)).is_some()
        };
        for line in &world.written {
            let whole = take(line, !line.contains("line") && !line.contains("rest"));
            let rest = line.find("rest").map(|at| line.split_at(at));
            let parts = !whole && rest.is_some_and(|(half, rest)| take(half, true) && take(rest, true));
            prop_assert!(whole || parts, "{:?} was not delivered; there is {:?}", line, delivered);
        }
        for half in world.open.values() {
            prop_assert!(take(half, true), "{:?} was not delivered", half);
        }
        prop_assert!(delivered.is_empty(), "nobody wrote {:?}", delivered);
    }
}
