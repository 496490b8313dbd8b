//! Followed files are written to, renamed, copied, truncated and removed while they are read.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use logator::source::origin::fingerprint;

use super::job::{BOUND, Going, Job, Trouble, has_begun, is_ready, pass};
use super::oracle::{Account, Content, Cuts, Dues, Fate, NOTHING_READ, add, lines_of, parts_of};
use super::plan::{Fault, Kill, Manner, Mode, Step};
use super::world::World;
use crate::kit::logs::gzip;
use nix::sys::signal::Signal;

/// `--follow-timeout`, in seconds.
const TIMEOUT: &str = "0.3";

/// The bytes that a file has held since it was made or truncated.
#[derive(Default)]
struct Life {
    bytes: Vec<u8>,
    /// The names under which the file could be found.
    names: Vec<String>,
    /// The places where lines were cut.
    cuts: Vec<usize>,
}

struct Files<'a> {
    world: &'a World,
    lives: Vec<Life>,
    /// For each file of the plan, the life that its name has now.
    now: BTreeMap<usize, usize>,
    /// The number of documents that must be in the first sink.
    due: u64,
    names: usize,
    /// Whether a file was removed that may not have been read to its end.
    removed: bool,
}

impl Files<'_> {
    fn path(&self, name: &str) -> PathBuf {
        self.world.place.path("in").join(name)
    }

    /// Appends to the file of a name, and makes the file if it is missing.
    fn append(&mut self, file: usize, bytes: &[u8]) {
        let name = format!("f{file}.log");
        let life = *self.now.entry(file).or_insert_with(|| {
            self.lives.push(Life { names: vec![name.clone()], ..Life::default() });
            self.lives.len() - 1
        });
        let mut open = fs::File::options().append(true).create(true).open(self.path(&name)).unwrap();
        open.write_all(bytes).unwrap();
        self.lives[life].bytes.extend_from_slice(bytes);
    }

    /// Counts the documents that whole lines must become.
    fn count(&mut self, bytes: &[u8]) {
        let plan = &self.world.plan;
        let refused = plan.refuses() && plan.database() == Some(0);
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\n").unwrap_or(line);
            self.due += match plan.fate(line) {
                Fate::Stored => 1,
                Fate::Refused => u64::from(!refused),
                _ => 0,
            };
        }
    }

    fn new_name(&mut self, of: usize, sort: &str) -> String {
        self.names += 1;
        format!("f{of}.log.{sort}{}", self.names)
    }

    fn gets_name(&mut self, file: usize, name: &str) {
        if let Some(life) = self.now.remove(&file) {
            self.lives[life].names.push(name.to_owned());
        }
    }
}

fn start(job: &mut Job) -> Going {
    let world = job.world;
    let how = if world.plan.mode == (Mode::Follow { poll: true }) { "--follow=poll" } else { "--follow" };
    let own = ["run", "in/*.log*", how, "--follow-timeout", TIMEOUT].map(String::from).to_vec();
    let mut going = job.start("logator", &[own, world.source_arguments(), world.work_arguments()].concat(), None, &[]);
    going.attempt.failing = job.may_fail();
    going
}

/// Waits until everything that was written is in the sink.
fn settle(job: &mut Job, going: &mut Going, due: u64) {
    if !job.until_there_are(going, due, BOUND / 2) && !going.main.has_ended() {
        let there = job.world.documents();
        job.faults.push(format!("{there} documents have come of {due} that were due, and no more come"));
    }
}

pub fn play(world: &World) -> (Account, Vec<String>) {
    let plan = &world.plan;
    let mut job = Job::new(world);
    let mut files = Files { world, lives: Vec::new(), now: BTreeMap::new(), due: 0, names: 0, removed: false };
    let mut going = start(&mut job);
    let mut trouble: Trouble = None;
    let mut harmless = plan.harmless;
    for (number, step) in plan.steps.iter().enumerate() {
        let troubled = plan.trouble.is_some() && number == plan.steps.len() / 2;
        if troubled {
            // From here on, the program watches the files. At its start it waits for its sinks, and does not count
            // files that appear and disappear meanwhile.
            pass(BOUND, || files.lives.is_empty() || follows(&going) || going.main.has_ended());
            trouble = world.breaks();
        }
        let waits = matches!(
            step,
            Step::Settle
                | Step::Halves(..)
                | Step::FirstLineInHalves(..)
                | Step::Restart
                | Step::Kill
                | Step::Remove(_)
        );
        if waits {
            calm(world, &mut trouble);
        }
        if going.main.has_ended() {
            break;
        }
        going = play_step(&mut job, &mut files, going, step);
        let is_time = |(_, after): &(Signal, u64)| is_ready(going.main.id()) && world.documents() >= *after;
        if let Some((signal, _)) = harmless.filter(is_time) {
            job.signal_in_vain(&mut going, signal);
            harmless = None;
        }
    }
    if trouble.is_some() {
        let hold = plan.trouble.map_or(Duration::ZERO, |trouble| trouble.hold);
        pass(hold, || going.main.has_ended());
    }
    let to_the_end = plan.trouble.is_some_and(|trouble| trouble.to_the_end);
    if !to_the_end {
        calm(world, &mut trouble);
    }
    let kill = plan.signal.unwrap_or(Kill {
        signal: Signal::SIGTERM,
        manner: Manner::Once,
        after: u64::MAX,
        in_trouble: false,
    });
    if kill.after == u64::MAX && !to_the_end {
        settle(&mut job, &mut going, files.due);
    } else {
        job.until_there_are(&mut going, kill.after.min(files.due), BOUND / 4);
    }
    pass(BOUND, || has_begun(going.main.id()) || going.main.has_ended());
    job.signal(&mut going, kill);
    job.finish(going);
    drop(trouble);
    // If there is a state, another run reads what the stopped run did not read.
    if plan.state && !job.last().hung && plan.fault() != Some(Fault::Slow) {
        world.calm();
        let mut going = start(&mut job);
        pass(BOUND, || has_begun(going.main.id()) || going.main.has_ended());
        settle(&mut job, &mut going, files.due);
        job.signal(&mut going, Kill { manner: Manner::Once, ..kill });
        job.finish(going);
    }
    account(job, files)
}

fn calm(world: &World, trouble: &mut Trouble) {
    if trouble.take().is_some() {
        world.calm();
    }
}

fn play_step(job: &mut Job, files: &mut Files, mut going: Going, step: &Step) -> Going {
    let world = job.world;
    match step {
        Step::Append(file, bytes) => {
            files.append(*file, bytes);
            files.count(bytes);
        }
        Step::Halves(file, first, second) => {
            files.append(*file, first);
            let cut = files.now.get(file).map(|life| &mut files.lives[*life]);
            cut.into_iter().for_each(|life| life.cuts.push(life.bytes.len()));
            files.due += 1;
            settle(job, &mut going, files.due);
            files.append(*file, second);
            // A newline alone adds no line.
            if second != b"\n" {
                files.count(second);
            }
        }
        Step::FirstLineInHalves(file, first, second) => {
            files.append(*file, first);
            pass(Duration::from_millis(900), || going.main.has_ended());
            files.append(*file, second);
            files.count(&[&first[..], second].concat());
        }
        Step::Rename(file) => {
            let name = files.new_name(*file, "");
            fs::rename(files.path(&format!("f{file}.log")), files.path(&name)).unwrap();
            files.gets_name(*file, &name);
        }
        Step::Compress(file) => {
            let name = files.new_name(*file, "");
            let (path, compressed) = (files.path(&name), format!("{name}.gz"));
            fs::rename(files.path(&format!("f{file}.log")), &path).unwrap();
            let bytes = fs::read(&path).unwrap();
            fs::write(files.path("compressing"), gzip(&bytes)).unwrap();
            fs::rename(files.path("compressing"), files.path(&compressed)).unwrap();
            // If a file is removed before the program could open it, the program may not notice its content.
            pass(BOUND, || has_open(&going, &path) || going.main.has_ended());
            fs::remove_file(path).unwrap();
            if let Some(life) = files.now.remove(file) {
                files.lives[life].names.extend([name, compressed]);
            }
        }
        Step::Unended(file, line) => {
            files.append(*file, line);
            let life = files.now[file];
            let place = files.lives[life].bytes.len();
            files.lives[life].cuts.push(place);
        }
        Step::CopyTruncate(file) => {
            let name = files.new_name(*file, "copy");
            let path = files.path(&format!("f{file}.log"));
            fs::copy(&path, files.path(&name)).unwrap();
            fs::File::options().write(true).open(path).unwrap().set_len(0).unwrap();
            files.gets_name(*file, &name);
        }
        Step::Remove(file) => {
            let path = files.path(&format!("f{file}.log"));
            pass(BOUND, || has_open(&going, &path) || going.main.has_ended());
            fs::remove_file(path).unwrap();
            files.removed = true;
            files.now.remove(file);
        }
        Step::Vanish(bytes) => {
            let name = files.new_name(0, "passing");
            let path = files.path(&name);
            pass(BOUND, || follows(&going) || going.main.has_ended());
            fs::write(&path, bytes).unwrap();
            pass(BOUND / 3, || has_open(&going, &path) || going.main.has_ended());
            fs::remove_file(&path).unwrap();
            files.removed = true;
            files.lives.push(Life { bytes: bytes.clone(), names: vec![name], cuts: Vec::new() });
            files.count(bytes);
        }
        Step::Settle => settle(job, &mut going, files.due),
        Step::Restart => {
            pass(BOUND, || has_begun(going.main.id()) || going.main.has_ended());
            let kill = Kill { signal: Signal::SIGTERM, manner: Manner::Once, after: 0, in_trouble: false };
            job.signal(&mut going, kill);
            job.finish(going);
            return start(job);
        }
        Step::Kill => {
            // When the process ends, the content of a removed file is gone.
            if files.removed {
                settle(job, &mut going, files.due);
            }
            world.tell("# kill -9".to_owned());
            job.may_double = true;
            going.attempt.killed = !going.main.has_ended();
            going.main.kill();
            job.finish(going);
            return start(job);
        }
    }
    world.tell(format!("# {}", shown(step)));
    going
}

fn shown(step: &Step) -> String {
    match step {
        Step::Append(file, bytes) => format!("append {} bytes to f{file}.log", bytes.len()),
        Step::Halves(file, first, second) => {
            format!("{} and {} bytes of a line to f{file}.log", first.len(), second.len())
        }
        Step::FirstLineInHalves(file, first, second) => {
            format!("{} and {} bytes of a first line to f{file}.log", first.len(), second.len())
        }
        Step::Unended(file, line) => format!("{} bytes of a line to f{file}.log that does not end", line.len()),
        Step::Vanish(bytes) => format!("a file of {} bytes comes and goes", bytes.len()),
        other => format!("{other:?}"),
    }
}

/// Returns whether the program has this file open.
fn has_open(going: &Going, path: &Path) -> bool {
    opened(going).any(|target| target == path)
}

/// Returns whether the program has any followed file open.
fn follows(going: &Going) -> bool {
    opened(going).any(|target| target.to_string_lossy().contains("/in/f"))
}

fn opened(going: &Going) -> impl Iterator<Item = PathBuf> {
    let open = fs::read_dir(format!("/proc/{}/fd", going.main.id()));
    open.into_iter().flatten().flatten().filter_map(|entry| fs::read_link(entry.path()).ok())
}

fn account(mut job: Job, files: Files) -> (Account, Vec<String>) {
    let (world, plan) = (job.world, job.plan());
    let (stores, letters) = (world.stores(), world.letters());
    let unread = job.last().receipt.as_ref().map_or(Vec::new(), |receipt| receipt.unread.clone());
    let (mut dues, mut beside, mut dropped_in_parts) = (Dues::new(), Vec::new(), 0);
    let seen = |id: &str| letters.contains_key(id) || stores.iter().any(|store| store.found.contains_key(id));
    let parts = world.parts();
    let ended_at_once = job.attempts.iter().any(|attempt| attempt.killed || attempt.at_once);
    for (number, life) in files.lives.iter().enumerate() {
        // The name may belong to another life by now.
        let others: Vec<String> =
            files.now.iter().filter(|(_, now)| **now != number).map(|(file, _)| format!("f{file}.log")).collect();
        let names = life.names.iter().filter(|name| !others.contains(name));
        let names: Vec<String> = names.map(|name| format!("in/{name}")).collect();
        let held: Vec<_> =
            unread.iter().filter(|file| names.iter().any(|name| file.name.ends_with(name.as_str()))).collect();
        // The bytes of a compressed file cannot be assigned to lines.
        let compressed = held.iter().any(|file| file.name.ends_with(".gz"));
        let held: u64 = held.iter().map(|file| file.bytes).sum();
        let required = if compressed { 0 } else { life.bytes.len().saturating_sub(held as usize) };
        let content = Content {
            origin: fingerprint(&life.bytes),
            required,
            bytes: life.bytes.clone(),
            cuts: Cuts::At(life.cuts.clone()),
            times: 1,
        };
        if ended_at_once {
            beside.extend(parts_of(&content));
        }
        let is_dropped = |&&place: &&usize| {
            let start = memchr::memrchr(b'\n', &life.bytes[..place]).map_or(0, |newline| newline + 1);
            plan.fate(&life.bytes[start..place]) == Fate::Filtered
        };
        dropped_in_parts += life.cuts.iter().filter(is_dropped).count() as u64;
        if held > 0 && !compressed && !job.may_double {
            let before = lines_in(&content, required);
            let beyond = lines_in(&content, content.bytes.len());
            let beyond = beyond.difference(&before).filter(|id| seen(id)).count();
            if beyond > 0 {
                job.faults
                    .push(format!("{:?}: {held} bytes are left, and {beyond} lines of them are there", life.names));
            }
        }
        let mut own = Dues::new();
        lines_of(&content, seen, |line| plan.fate(line), &mut own);
        let whole = lines_in(&content, content.bytes.len());
        let ended = memchr::memrchr(b'\n', &content.bytes).map_or(0, |newline| newline + 1);
        let ended = lines_in(&content, ended);
        for key in own.keys().filter(|key| seen(key)) {
            if ended.contains(key) && parts.contains(key) {
                job.faults.push(format!("{key}: tagged as a part of a line, which it is not"));
            } else if !whole.contains(key) && !parts.contains(key) {
                job.faults.push(format!("{key}: a part of a line, and not tagged"));
            }
        }
        for (key, due) in own {
            add(&mut dues, key, due.fate, due.times);
        }
    }
    for attempt in &job.attempts {
        let expected = attempt.failing || attempt.at_once || attempt.said.contains(NOTHING_READ);
        if attempt.code == Some(3) && !expected {
            job.faults.push(format!("exit code 3, and nothing was lost: {}", attempt.said));
        }
    }
    let account = Account {
        dues,
        beside,
        stores,
        letters,
        again: false,
        may_double: job.may_double,
        attempts: job.attempts,
        partly: false,
        dropped_in_parts,
    };
    (account, job.faults)
}

/// Returns the ids of the whole lines in the first bytes of a content.
fn lines_in(content: &Content, end: usize) -> BTreeSet<String> {
    let content = Content { cuts: Cuts::default(), bytes: content.bytes[..end].to_vec(), ..content.clone() };
    let mut dues = Dues::new();
    lines_of(&content, |_| true, |_| Fate::Stored, &mut dues);
    dues.into_keys().collect()
}
