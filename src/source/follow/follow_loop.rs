//! The loop that follows files, in one thread.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant, SystemTime};

use super::arrivals::{Arrivals, Change};
use super::ascending;
use super::binary_files::BinaryFiles;
use super::copies::{Copies, View};
use super::file_table::{FileId, Found};
use super::followed::Followed;
use super::follower::Follower;
use super::losses::{self, Lost};
use super::open_limit::descriptors;
use super::outbox::Outbox;
use super::unpack::Unpacker;
use super::watch::{Event, Watcher, bare};
use crate::core::error::{Error, Result};
use crate::core::numbers::grouped;
use crate::core::stop::Stop;
use crate::source::api::RunContext;
use crate::source::binary::Binary;
use crate::source::file::find_again;
use crate::source::live::Live;
use crate::source::options::ReadOptions;
use crate::source::outcome::ReadOutcome;
use crate::source::outlet::{Outlet, Waiting};
use crate::source::progress::Progress;
use crate::source::say::Say;

/// Data that arrives within this time is read together, so that a writer of single lines does not make a batch of each
/// line.
const GATHER_TIME: Duration = Duration::from_millis(20);

/// If a look finds more bytes than this, the next look comes at once: the writer is fast, and may soon rotate its file.
const MUCH: u64 = 64 << 10;

/// How often names and sizes are checked where there are no events: the first interval applies after new data came, the
/// second interval otherwise.
const POLL_INTERVALS: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// How often names and sizes are checked although there are events.
const RECHECK: Duration = Duration::from_secs(10);

/// After a scan, the loop waits this many times the duration of the scan. Scans take only a small part of the time.
const SCAN_SHARE: u32 = 200;

/// Follows files until a stop is requested, or until the receiver wants no more.
pub(super) fn follow(followed: &Followed, context: &RunContext) -> ReadOutcome {
    let &RunContext { options, receiver, progress, .. } = context;
    let Some(live) = &options.live else {
        return Error::internal("following files needs a way to stop").into();
    };
    let (say, outbox) = (&options.say, Outbox::new(receiver));
    let copies = Arc::new(Copies::new(options.memory.clone()));
    let (uncompared, compared) = (View::new(&copies, false), View::new(&copies, true));
    let binary = BinaryFiles::new(say, &followed.names);
    let note_binary = |path: &Path, what: Binary| binary.leave_out(path, what.words(&path.display().to_string()));
    let reading = followed.read_context(context, &outbox, &note_binary);
    let (errors, until) = (Mutex::new(Vec::new()), Waiting::new(receiver).until(&live.stop));
    let options_of_copies = ReadOptions { memory: Some(Arc::new(compared.clone())), ..options.clone() };
    let most_open = descriptors();
    let for_copies = most_open.div_ceil(4);
    let copied = RunContext { options: &options_of_copies, ..*context };
    let unpacker = Unpacker::new(copied, &until, followed.changing.as_deref(), &errors, for_copies, &binary);
    let mut follow_loop = FollowLoop {
        followed,
        live,
        say,
        starting: true,
        outbox: &outbox,
        follower: Follower::new(reading, &uncompared, &compared, most_open - for_copies),
        watcher: Watcher::new(followed.poll, say),
        arrivals: Arrivals::default(),
        lost: Lost::default(),
        started: Instant::now(),
        own: HashSet::new(),
        targets: BTreeSet::new(),
        names: Vec::new(),
        patterns: Vec::new(),
        logs: Vec::new(),
        said: HashSet::new(),
        next_scan: Duration::ZERO,
    };
    let ended = std::thread::scope(|scope| {
        let ended = follow_loop.run(scope, &unpacker, progress);
        // A stop may come before all files are watched. The rest needs room in the queue, so the job must not wait for
        // the watch before it starts its workers.
        followed.set_ready();
        let ended = ended.and_then(|()| follow_loop.read_remainder(progress));
        // With a state directory, the next run reads an unfinished line when it is whole. Without one, no later run
        // knows about the line, so it is delivered now.
        ended.and_then(|()| follow_loop.follower.end(options.memory.is_none() || followed.to_the_end))
    });
    outbox.finish();
    let mut unread = follow_loop.follower.unread();
    unread.extend(unpacker.unread());
    let lost = std::mem::take(&mut follow_loop.lost);
    drop((follow_loop, unpacker));
    let mut errors = errors.into_inner().unwrap_or_else(PoisonError::into_inner);
    errors.extend(ended.err());
    errors.extend(lost.sentence().map(Error::input));
    let unread = losses::with_left(unread, outbox.into_not_taken());
    binary.into_outcome(ReadOutcome { errors, unread, ..ReadOutcome::default() })
}

struct FollowLoop<'a> {
    followed: &'a Followed,
    live: &'a Live,
    say: &'a Say,
    /// Whether not all files that were found are watched.
    starting: bool,
    outbox: &'a Outbox<'a>,
    follower: Follower<'a, File>,
    watcher: Watcher,
    /// Detects files that appeared and vanished between two scans.
    arrivals: Arrivals,
    /// Files that are gone, and of which some bytes were not read.
    lost: Lost,
    started: Instant,
    /// The job's own files among the files that were found. They are not read.
    own: HashSet<FileId>,
    /// The paths to which links led at the last scan.
    targets: BTreeSet<PathBuf>,
    /// The names that are followed, and the patterns among them.
    names: Vec<String>,
    patterns: Vec<glob::Pattern>,
    /// The logs that the names belong to.
    logs: Vec<u64>,
    /// The sentences that were said. Each is said once.
    said: HashSet<String>,
    next_scan: Duration,
}

impl<'a> FollowLoop<'a> {
    fn run<'scope, 'env: 'scope>(
        &mut self,
        scope: &'scope Scope<'scope, 'env>,
        unpacker: &'env Unpacker<'env>,
        progress: &Progress,
    ) -> Result<()> {
        let stop = self.live.stop.clone();
        loop {
            let now = self.started.elapsed();
            if self.next_scan <= now || self.followed.changing.as_ref().is_some_and(|it| it.waker().is_awake()) {
                self.scan();
            }
            // A scan that has found new directories to watch asks for another scan at once.
            if self.starting && self.next_scan > self.started.elapsed() {
                self.starting = false;
                self.followed.set_ready();
            }
            let mut failed = |error: Error| unpacker.fail(error);
            let mut read_bytes = 0;
            let mut counted = |bytes: u64| {
                read_bytes += bytes;
                progress.read.fetch_add(bytes, Ordering::Relaxed);
            };
            let (own, watcher, say) = (&self.own, &mut self.watcher, self.say);
            let mut open = |found: &Found| open_file(found, own, watcher, say);
            let failures = self.follower.open_waiting(now, &mut open);
            let wanted = self.follower.read(now, &mut open, &mut failed, &mut counted)?;
            self.say_failures(failures);
            self.say_closed();
            self.note_lost();
            if !wanted || self.outbox.is_unwanted() {
                return Ok(());
            }
            if self.follower.needs_scan() {
                self.next_scan = now;
            }
            let watcher = &mut self.watcher;
            if !self.follower.wake(now, &mut |id| watcher.leave_file(id))? || stop.is_requested() {
                return Ok(());
            }
            unpacker.take(scope, self.follower.unpack(now, age));
            if self.followed.to_the_end && !self.starting && self.is_read() {
                return Ok(());
            }
            self.wait(&stop, read_bytes < MUCH);
            self.take_events();
        }
    }

    /// Whether everything is read and delivered that is there.
    fn is_read(&self) -> bool {
        self.follower.is_read() && self.outbox.has_room()
    }

    /// Reads the rest of the files that have no name any more, because no later run can find them.
    fn read_remainder(&mut self, progress: &Progress) -> Result<()> {
        self.take_events();
        self.scan();
        let mut counted = |bytes: u64| {
            progress.read.fetch_add(bytes, Ordering::Relaxed);
        };
        let mut remainder = self.follower.remainder();
        while !self.outbox.is_unwanted() && self.follower.read_remainder(&mut remainder, &mut counted)? {
            if remainder.is_empty() {
                break;
            }
            if let Some(room) = self.outbox.room() {
                Watcher::pause(room, RECHECK);
            }
        }
        self.follower.give_up(remainder);
        self.note_lost();
        Ok(())
    }

    fn wait(&mut self, stop: &Stop, gathers: bool) {
        // While the queue is full, reading pauses and watching goes on.
        let room = self.outbox.room();
        let is_behind = self.follower.is_behind();
        if self.follower.may_open_more() || (is_behind && room.is_none()) {
            return;
        }
        if self.follower.has_read_bytes() && !is_behind && gathers {
            Watcher::pause(stop.as_fd(), GATHER_TIME);
            if self.watcher.polls() {
                self.next_scan = self.next_scan.min(self.started.elapsed() + POLL_INTERVALS[0]);
            }
        }
        let next = self.follower.deadline().map_or(self.next_scan, |at| at.min(self.next_scan));
        let changed = self.followed.changing.as_ref().map(|changing| changing.waker().as_fd());
        let most = next.saturating_sub(self.started.elapsed());
        self.watcher.wait([Some(stop.as_fd()), room, changed], Some(most));
    }

    fn take_events(&mut self) {
        let events = self.watcher.events();
        // The names of written files are read after the events. They then include each file that was written to before
        // an event of its removal.
        self.arrivals.written(self.watcher.written());
        for event in events {
            let scan = match event {
                Event::Wrote(id) => {
                    self.follower.written(id);
                    false
                }
                Event::Touched(id) => {
                    self.follower.mark(id);
                    false
                }
                Event::Gone(id) => {
                    self.follower.gone(id);
                    true
                }
                Event::Moved => true,
                Event::Name(path, change) => {
                    let concerns = self.concerns(&path);
                    let is_of_log = self.follower.take_made(&path, change == Some(Change::Made));
                    if let Some(change) = change.filter(|_| !is_of_log) {
                        let files = self.follower.files();
                        let is_known = files.is_name(&path) || files.is_name(bare(&path));
                        self.arrivals.take(&path, change, is_known, concerns);
                    }
                    concerns
                }
                Event::Lost => {
                    self.warn_once("inotify lost events: all followed files are checked".to_owned());
                    self.follower.mark_all();
                    true
                }
            };
            if scan {
                self.next_scan = Duration::ZERO;
            }
        }
    }

    /// Whether an event about `path` can matter.
    fn concerns(&self, path: &Path) -> bool {
        if self.follower.files().is_name(path) {
            return true;
        }
        let named = |name: &String| {
            let name = Path::new(name);
            path.starts_with(name) || name == path || Path::new(".").join(name) == path
        };
        let meant = self.names.iter().any(named)
            || self.patterns.iter().any(|pattern| pattern.matches_path(path) || pattern.matches_path(bare(path)))
            // The path may be a directory that the glob matches.
            || path.is_dir();
        self.targets.contains(path) || meant && self.followed.own.look_again().of_path(path).is_none()
    }

    /// Scans all names.
    fn scan(&mut self) {
        let began = self.started.elapsed();
        self.take_names();
        let files = find_again(&self.names, &self.followed.exclude);
        let warnings = files.errors.iter().map(Error::to_string).chain(files.warnings);
        warnings.for_each(|sentence| self.warn_once(sentence));
        if self.next_scan.is_zero() && self.follower.files().is_unopened() {
            self.say_missing_names();
        }
        // A link may lead to another file without a change of the link itself.
        let led_to = files.targets.iter().filter_map(|target| target.parent().map(Path::to_owned));
        let directories: BTreeSet<PathBuf> = files.directories.into_iter().chain(led_to).collect();
        let new = self.watcher.watch_directories(directories, self.say);
        self.targets = files.targets;
        let found =
            ascending::look(self.followed.changing.as_deref(), files.files.into_iter().map(|(_, path)| path), found);
        let own = self.new_own_files(&found);
        // A file that waits for a file descriptor is opened after a later scan, so its entry is kept.
        self.own.retain(|id| self.follower.files().knows(*id));
        self.own.extend(own);
        let failures = {
            let (own, watcher, say) = (&self.own, &mut self.watcher, self.say);
            let mut open = |found: &Found| open_file(found, own, watcher, say);
            self.follower.apply_scan(&found, began, &mut open)
        };
        self.follower.have_looked(std::mem::take(&mut self.logs));
        self.say_failures(failures);
        let files = self.follower.files();
        self.arrivals
            .scanned(|path| files.is_name(path) || files.is_name(bare(path)) || path.symlink_metadata().is_ok());
        let now = self.started.elapsed();
        let pause = if self.watcher.polls() { POLL_INTERVALS[1] } else { RECHECK };
        // In a new directory, files may have changed before the watch began, so it is looked at once more.
        self.next_scan = if new { now } else { now + pause.max((now - began) * SCAN_SHARE) };
    }

    /// Takes the names that are followed now.
    fn take_names(&mut self) {
        let names = match &self.followed.changing {
            Some(changing) => {
                let (names, logs) = changing.names();
                self.logs = logs;
                names
            }
            None if self.names.is_empty() => self.followed.names.clone(),
            None => return,
        };
        if names != self.names {
            self.patterns = names.iter().filter_map(|name| glob::Pattern::new(name).ok()).collect();
            self.names = names;
        }
    }

    /// Tells the user in one sentence which files could not be opened.
    fn say_failures(&mut self, failures: Vec<(PathBuf, io::Error)>) {
        let Some((path, error)) = failures.first() else { return };
        let more = match failures.len() - 1 {
            0 => "it is tried again".to_owned(),
            more => format!("and {} more files; they are tried again", grouped(more as u64)),
        };
        self.warn_once(format!("{}: cannot be opened: {error}; {more}", path.display()));
    }

    /// Tells the user once that there are more files than file descriptors.
    fn say_closed(&mut self) {
        if self.follower.closed() > 0 {
            self.warn_once(
                "there are more files to follow than this process may open (ulimit -n, or LimitNOFILE= of systemd): quiet files \
                 are closed, and opened again when they change"
                    .to_owned(),
            );
        }
    }

    /// Records the files that are gone and were not read to their end. The user is told at once, because the job may
    /// run for a long time.
    fn note_lost(&mut self) {
        let mut lost = Lost::default();
        for path in self.follower.take_lost().into_iter().chain(self.arrivals.take_lost()) {
            self.followed.changing.iter().for_each(|changing| changing.lost(&path));
            lost.add(path);
        }
        if let Some(sentence) = lost.sentence() {
            self.say.warn(sentence);
        }
        self.lost.join(lost);
    }

    /// The job's own files among the files that are not known yet.
    fn new_own_files(&self, found: &[Found]) -> HashSet<FileId> {
        let own = self.followed.own.look_again();
        let is_new = |found: &&Found| !self.follower.files().knows(found.id);
        let is_own = |found: &&Found| own.of(&found.path, Some((found.id.device, found.id.inode))).is_some();
        found.iter().filter(is_new).filter(is_own).map(|found| found.id).collect()
    }

    /// Names the paths that do not exist yet. This is not an error, but the user may have made a mistake.
    fn say_missing_names(&mut self) {
        for name in &self.followed.names {
            let glob = name.contains(['*', '?', '[']) && !Path::new(name).exists();
            let there = match glob {
                true => glob::glob(name).is_ok_and(|mut paths| paths.next().is_some()),
                false => Path::new(name).exists(),
            };
            if !there {
                let what = if glob { "no file matches yet" } else { "not there yet" };
                self.say.say(format!("{name}: {what}; it is read when it appears"));
            }
        }
    }

    /// Warns the user, once for each sentence.
    fn warn_once(&mut self, sentence: String) {
        if self.said.len() < 1000 && self.said.insert(sentence.clone()) {
            self.say.warn(sentence);
        }
    }
}

/// Opens a file and watches it. Returns `None` if it is one of the job's own files.
fn open_file(found: &Found, own: &HashSet<FileId>, watcher: &mut Watcher, say: &Say) -> io::Result<Option<File>> {
    if own.contains(&found.id) {
        return Ok(None);
    }
    let file = File::open(&found.path)?;
    let data = file.metadata()?;
    if (FileId { device: data.dev(), inode: data.ino() }) != found.id {
        // The name now leads to another file, which the next scan finds.
        return Err(io::ErrorKind::NotFound.into());
    }
    watcher.watch_file(found.id, &file, &found.path, say);
    Ok(Some(file))
}

/// The file at `path`, if it is a regular file.
fn found(path: PathBuf) -> Option<Found> {
    let data = path.metadata().ok().filter(|data| data.is_file())?;
    let id = FileId { device: data.dev(), inode: data.ino() };
    let modified = data.mtime().saturating_mul(1_000_000_000).saturating_add(data.mtime_nsec());
    Some(Found { path, id, size: data.len(), modified })
}

/// How long ago `time` was. `time` is in nanoseconds since 1970.
fn age(time: i64) -> Duration {
    let time = Duration::from_nanos(u64::try_from(time).unwrap_or_default());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(time)
}
