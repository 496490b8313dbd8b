//! Files that are followed (`--follow`): what is written to them is read as it comes, whatever becomes of their names.
//! `doc/follow.md` says what is promised.
//!
//! One thread follows all files. `file_table` says what looks at names mean, `tail` is one file, `follower` all of them, `copies`
//! knows what was delivered; all of that is pure but for the files it is given. `watch` waits, and this module puts
//! them together.

mod arrivals;
pub mod copies;
pub mod file_table;
pub mod follower;
mod losses;
mod outbox;
pub mod tail;
mod unpack;
mod watch;

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::Ordering;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Scope;
use std::time::{Duration, Instant, SystemTime};

use self::arrivals::Arrivals;
use self::copies::{Copies, View};
use self::file_table::{FileId, Found};
use self::follower::Follower;
use self::losses::Lost;
use self::outbox::{Ending, Outbox};
use self::tail::Reader;
use self::unpack::{Unpacker, Until};
use self::watch::{Event, Watcher};
use super::cutter::BlockPool;
use super::inputs::{self, Followed, Input};
use super::live::{Live, Say};
use super::reader::BatchReceiver;
use super::{Position, ReadOptions, ReadOutcome};
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::observe::receipt::grouped;

/// How files are followed.
#[derive(Debug, Clone)]
pub struct FollowOptions {
    /// Look at the files once a second, without inotify.
    pub poll: bool,
    /// How long a last line without its end is waited for.
    pub timeout: Duration,
    /// Says what a user should know.
    pub say: Say,
    /// Gets a message when the names have been looked at and all that was found is watched.
    pub watching: Option<SyncSender<()>>,
}

impl FollowOptions {
    /// Tells whoever waits for it that the files are watched.
    pub(super) fn tell_that_it_watches(&self) {
        if let Some(watching) = &self.watching {
            // A full channel has the message already, and a closed one has no reader.
            let _ = watching.try_send(());
        }
    }
}

/// What comes within this time is read together: a writer that writes line by line does not make a batch of each.
const GATHER: Duration = Duration::from_millis(20);

/// How often names and sizes are looked at where no events tell: at once after something came, later when nothing does.
const POLL: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(1)];

/// How often they are looked at although events should tell.
const DOUBT: Duration = Duration::from_secs(10);

/// A look may take no more than this part of the time.
const PART: u32 = 200;

/// Follows files until `live` is told to stop, or no more is wanted.
pub(super) fn follow(
    followed: &Followed,
    options: &ReadOptions,
    pool: &Arc<BlockPool>,
    receiver: &dyn BatchReceiver,
    position: &Position,
) -> ReadOutcome {
    let (Some(live), Some(follow)) = (&options.live, &options.follow) else {
        return Error::internal("nobody can end what is followed").into();
    };
    let _entered = live.enter();
    let outbox = match Outbox::new(receiver) {
        Ok(outbox) => outbox,
        Err(error) => return error.into(),
    };
    let copies = Arc::new(Copies::new(options.memory.clone()));
    let (plain, wary) = (View::new(&copies, false), View::new(&copies, true));
    let reader =
        Reader { size: &options.size, origin: &options.origin, pool, receiver: &outbox, timeout: follow.timeout };
    let errors = Mutex::new(Vec::new());
    let until = Until { receiver, stop: &live.stop };
    let options_of_copies = ReadOptions { memory: Some(Arc::new(wary.clone())), ..options.clone() };
    let most_open = descriptors();
    let for_copies = most_open.div_ceil(4);
    let unpacker = Unpacker::new(options_of_copies, pool, &until, position, &errors, &follow.say, for_copies);
    let mut following = Following {
        followed,
        live,
        say: &follow.say,
        starting: Some(follow),
        outbox: &outbox,
        follower: Follower::new(reader, &plain, &wary, most_open - for_copies),
        watcher: Watcher::new(follow.poll, &follow.say),
        arrivals: Arrivals::default(),
        lost: Lost::default(),
        started: Instant::now(),
        own: HashSet::new(),
        targets: BTreeSet::new(),
        patterns: followed.names.iter().filter_map(|name| glob::Pattern::new(name).ok()).collect(),
        said: HashSet::new(),
        next_look: Duration::ZERO,
    };
    let ended = std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().name("hand-on".into());
        if let Err(error) = builder.spawn_scoped(scope, || outbox.hand_on()) {
            return Err(Error::system("no thread to follow files with").because(error));
        }
        let _ending = Ending(&outbox);
        let ended = following.run(scope, &unpacker, position).and_then(|()| following.read_remainder(position));
        // The state finds an unfinished line whole when it has come to its end; nobody else remembers it.
        ended.and_then(|()| following.follower.end(options.memory.is_none()))
    });
    let mut unread = following.follower.unread();
    unread.extend(unpacker.unread());
    let lost = std::mem::take(&mut following.lost);
    drop((following, unpacker));
    let mut errors = errors.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (failure, left) = outbox.into_rest();
    errors.extend(ended.err());
    errors.extend(failure);
    errors.extend(lost.sentence().map(Error::input));
    ReadOutcome { errors, unread: losses::with_left(unread, left), ..ReadOutcome::default() }
}

/// How many files may be followed with a descriptor each. The others of the process are for sinks, sockets and journals.
fn descriptors() -> usize {
    use nix::sys::resource::{Resource, getrlimit};
    let most = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(most, _)| usize::try_from(most).unwrap_or(usize::MAX));
    let open = std::fs::read_dir("/proc/self/fd").map_or(16, Iterator::count);
    most.saturating_sub(open).saturating_sub((most / 4).clamp(16, 256)).max(4)
}

struct Following<'a> {
    followed: &'a Followed,
    live: &'a Live,
    say: &'a Say,
    /// Set until all that was found is watched.
    starting: Option<&'a FollowOptions>,
    outbox: &'a Outbox<'a>,
    follower: Follower<'a, File>,
    watcher: Watcher,
    /// What events tell of names that come and go.
    arrivals: Arrivals,
    /// Files that are gone with what was not read of them.
    lost: Lost,
    started: Instant,
    /// The job's own files among those that were found, which are not read.
    own: HashSet<FileId>,
    /// What links led to at the last look.
    targets: BTreeSet<PathBuf>,
    patterns: Vec<glob::Pattern>,
    /// What was said, so that it is said once.
    said: HashSet<String>,
    next_look: Duration,
}

impl<'a> Following<'a> {
    fn run<'scope, 'env: 'scope>(
        &mut self,
        scope: &'scope Scope<'scope, 'env>,
        unpacker: &'env Unpacker<'env>,
        position: &Position,
    ) -> Result<()> {
        let stop = self.live.stop.clone();
        loop {
            let now = self.started.elapsed();
            if self.next_look <= now {
                self.look();
            }
            // A look that has found new directories to watch asks for another look at once.
            if self.next_look > self.started.elapsed()
                && let Some(follow) = self.starting.take()
            {
                follow.tell_that_it_watches();
            }
            let mut failed = |error: Error| unpacker.fail(error);
            let mut counted = |bytes: u64| {
                position.read.fetch_add(bytes, Ordering::Relaxed);
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
            if self.follower.needs_look() {
                self.next_look = now;
            }
            let watcher = &mut self.watcher;
            if !self.follower.wake(now, &mut |id| watcher.leave_file(id))? || stop.is_requested() {
                return Ok(());
            }
            unpacker.take(scope, self.follower.unpack(now, age));
            self.wait(&stop);
            self.take_events();
        }
    }

    /// Reads what files hold to which no name leads any more, because no later run finds them.
    fn read_remainder(&mut self, position: &Position) -> Result<()> {
        self.take_events();
        self.look();
        let mut counted = |bytes: u64| {
            position.read.fetch_add(bytes, Ordering::Relaxed);
        };
        let mut remainder = self.follower.remainder();
        while !self.outbox.is_unwanted() && self.follower.read_remainder(&mut remainder, &mut counted)? {
            if remainder.is_empty() {
                break;
            }
            if !self.outbox.has_room() {
                Watcher::pause(self.outbox.room(), DOUBT);
            }
        }
        self.follower.give_up(remainder);
        self.note_lost();
        Ok(())
    }

    fn wait(&mut self, stop: &Stop) {
        // While nobody takes lines, reading waits, and watching goes on.
        let has_room = self.outbox.has_room();
        let is_behind = self.follower.is_behind();
        if self.follower.may_open_more() || (is_behind && has_room) {
            return;
        }
        if self.follower.has_come() && !is_behind {
            Watcher::pause(stop.as_fd(), GATHER);
            if self.watcher.polls() {
                self.next_look = self.next_look.min(self.started.elapsed() + POLL[0]);
            }
        }
        let next = self.follower.deadline().map_or(self.next_look, |at| at.min(self.next_look));
        self.watcher.wait(stop.as_fd(), self.outbox.room(), Some(next.saturating_sub(self.started.elapsed())));
    }

    fn take_events(&mut self) {
        let events = self.watcher.events();
        // Asked after the events, so that what was written before a name was removed is among it.
        self.arrivals.written(self.watcher.written());
        for event in events {
            let look = match event {
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
                    if let Some(change) = change {
                        // Of what lies in the current directory events say `./NAME`.
                        let bare = path.strip_prefix(".").unwrap_or(&path);
                        let files = self.follower.files();
                        let is_known = files.is_name(&path) || files.is_name(bare);
                        self.arrivals.take(&path, change, is_known, concerns);
                    }
                    concerns
                }
                Event::Lost => {
                    self.warn_once(
                        "more happened to the files than inotify could tell: all of them are looked at".to_owned(),
                    );
                    self.follower.mark_all();
                    true
                }
            };
            if look {
                self.next_look = Duration::ZERO;
            }
        }
    }

    /// Whether what happens to `path` can matter.
    fn concerns(&self, path: &Path) -> bool {
        if self.follower.files().is_name(path) {
            return true;
        }
        let named = |name: &String| {
            let name = Path::new(name);
            path.starts_with(name) || name == path || Path::new(".").join(name) == path
        };
        let bare = path.strip_prefix(".").unwrap_or(path);
        let meant = self.followed.names.iter().any(named)
            || self.patterns.iter().any(|pattern| pattern.matches_path(path) || pattern.matches_path(bare))
            // A directory of a glob's.
            || path.is_dir();
        self.targets.contains(path) || meant && self.followed.own.look_again().of_path(path).is_none()
    }

    /// Looks at all names.
    fn look(&mut self) {
        let began = self.started.elapsed();
        let inputs = inputs::find_again(&self.followed.names);
        let warnings = inputs.errors.iter().map(Error::to_string).chain(inputs.warnings);
        warnings.for_each(|sentence| self.warn_once(sentence));
        if self.next_look.is_zero() && self.follower.files().is_unopened() {
            self.say_what_lacks();
        }
        // A link may come to lead to something else without a change of itself.
        let led_to = inputs.targets.iter().filter_map(|target| target.parent().map(Path::to_owned));
        let directories: BTreeSet<PathBuf> = inputs.directories.into_iter().chain(led_to).collect();
        let new = self.watcher.watch_directories(directories, self.say);
        self.targets = inputs.targets;
        let found: Vec<Found> = inputs.inputs.iter().filter_map(found).collect();
        let own = self.own_of(&found);
        // Files that wait for a descriptor are opened after later looks.
        self.own.retain(|id| self.follower.files().knows(*id));
        self.own.extend(own);
        let failures = {
            let (own, watcher, say) = (&self.own, &mut self.watcher, self.say);
            let mut open = |found: &Found| open_file(found, own, watcher, say);
            self.follower.look(&found, began, &mut open)
        };
        self.say_failures(failures);
        self.arrivals.looked(|path| path.symlink_metadata().is_ok());
        let now = self.started.elapsed();
        let pause = if self.watcher.polls() { POLL[1] } else { DOUBT };
        // In a directory that was not watched, something may have happened before it was.
        self.next_look = if new { now } else { now + pause.max((now - began) * PART) };
    }

    /// Says which files could not be opened, in one sentence.
    fn say_failures(&mut self, failures: Vec<(PathBuf, io::Error)>) {
        let Some((path, error)) = failures.first() else { return };
        let more = match failures.len() - 1 {
            0 => "it is tried again".to_owned(),
            more => format!("and {} more files; they are tried again", grouped(more as u64)),
        };
        self.warn_once(format!("{}: cannot be opened: {error}; {more}", path.display()));
    }

    /// Says, once, that there are more files than descriptors.
    fn say_closed(&mut self) {
        if self.follower.closed() > 0 {
            self.warn_once(
                "there are more files to follow than this process may open (ulimit -n, or LimitNOFILE= of systemd): quiet \
                 ones are closed, and opened again when they change"
                    .to_owned(),
            );
        }
    }

    /// Notes which files are gone with what was not read of them, and says so at once, because the end may be far.
    fn note_lost(&mut self) {
        let mut lost = Lost::default();
        self.follower.take_lost().into_iter().chain(self.arrivals.take_lost()).for_each(|path| lost.add(path));
        if let Some(sentence) = lost.sentence() {
            self.say.warn(sentence);
        }
        self.lost.join(lost);
    }

    /// Which of the files that are not known yet are the job's own.
    fn own_of(&self, found: &[Found]) -> HashSet<FileId> {
        let own = self.followed.own.look_again();
        let is_new = |found: &&Found| !self.follower.files().knows(found.id);
        let is_own = |found: &&Found| own.of(&found.path, Some((found.id.device, found.id.inode))).is_some();
        found.iter().filter(is_new).filter(is_own).map(|found| found.id).collect()
    }

    /// Names that lead to nothing are no fault here, but perhaps not what was meant.
    fn say_what_lacks(&mut self) {
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

    /// Warns of something, once.
    fn warn_once(&mut self, sentence: String) {
        if self.said.len() < 1000 && self.said.insert(sentence.clone()) {
            self.say.warn(sentence);
        }
    }
}

/// Opens a file, and watches it; `None` if it is one of the job's own.
fn open_file(found: &Found, own: &HashSet<FileId>, watcher: &mut Watcher, say: &Say) -> io::Result<Option<File>> {
    if own.contains(&found.id) {
        return Ok(None);
    }
    let file = File::open(&found.path)?;
    let data = file.metadata()?;
    if (FileId { device: data.dev(), inode: data.ino() }) != found.id {
        // The name leads to another file by now, which the next look finds.
        return Err(io::ErrorKind::NotFound.into());
    }
    watcher.watch_file(found.id, &file, &found.path, say);
    Ok(Some(file))
}

/// A file that was found, if it is one.
fn found(input: &Input) -> Option<Found> {
    let Input::File(path) = input else { return None };
    let data = path.metadata().ok().filter(|data| data.is_file())?;
    let id = FileId { device: data.dev(), inode: data.ino() };
    let modified = data.mtime().saturating_mul(1_000_000_000).saturating_add(data.mtime_nsec());
    Some(Found { path: path.clone(), id, size: data.len(), modified })
}

/// How long ago a time was, in nanoseconds since 1970.
fn age(time: i64) -> Duration {
    let time = Duration::from_nanos(u64::try_from(time).unwrap_or_default());
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    now.saturating_sub(time)
}
