//! Waits for changes of files, with inotify. Where inotify does not work, the loop checks the files once a second.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::inotify::{AddWatchFlags, InitFlags, Inotify, WatchDescriptor};
use nix::sys::statfs::{FsType, fstatfs};

use super::arrivals::Change;
use super::file_table::FileId;
use crate::source::batching_delay::timeout;
use crate::source::say::Say;

/// An event.
#[derive(Debug)]
pub enum Event {
    /// A file was written to or truncated.
    Wrote(FileId),
    /// The names of a file changed.
    Touched(FileId),
    /// A file does not exist any more.
    Gone(FileId),
    /// A watched file or directory was moved or removed.
    Moved,
    /// Something happened to a name.
    Name(PathBuf, Option<Change>),
    /// Events were lost, so anything may have happened.
    Lost,
}

/// See the [module](self).
pub struct Watcher {
    inotify: Option<Inotify>,
    /// Reports the names of files in the directories that were written to. It is read only when another event has come.
    writing: Option<Inotify>,
    written_in: HashMap<WatchDescriptor, PathBuf>,
    files: HashMap<WatchDescriptor, FileId>,
    of_files: HashMap<FileId, WatchDescriptor>,
    directories: HashMap<WatchDescriptor, PathBuf>,
    of_directories: HashMap<PathBuf, WatchDescriptor>,
    /// For each device number: whether the device is a network file system.
    devices: HashMap<u64, bool>,
    /// The reasons for polling that the user was told.
    reasons: HashSet<String>,
    polls: bool,
}

/// File systems that can change without this machine's kernel.
const ELSEWHERE: [i64; 12] = [
    0x6969,      // NFS
    0x517b,      // SMB
    0xff53_4d42, // CIFS
    0xfe53_4d42, // SMB 2
    0x6573_5546, // FUSE: sshfs and its like
    0x0102_1997, // 9P
    0x5346_414f, // AFS
    0x7375_7245, // Coda
    0x00c3_6400, // Ceph
    0x0bd0_0bd0, // Lustre
    0x0116_1970, // GFS2
    0x786f_4256, // VirtualBox
];

impl Watcher {
    /// Creates a watcher without watches. If `poll` is set, it never adds any watches.
    pub fn new(poll: bool, say: &Say) -> Watcher {
        let mut watcher = Watcher {
            inotify: None,
            writing: None,
            written_in: HashMap::new(),
            files: HashMap::new(),
            of_files: HashMap::new(),
            directories: HashMap::new(),
            of_directories: HashMap::new(),
            devices: HashMap::new(),
            reasons: HashSet::new(),
            polls: poll,
        };
        if !poll {
            match Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC) {
                Ok(inotify) => {
                    watcher.inotify = Some(inotify);
                    // Without this second inotify, any file may have been written to.
                    watcher.writing = Inotify::init(InitFlags::IN_NONBLOCK | InitFlags::IN_CLOEXEC).ok();
                }
                Err(error) => watcher.fall_back(format!("inotify is not available ({})", error.desc()), say),
            }
        }
        watcher
    }

    /// Whether there are files without events.
    pub fn polls(&self) -> bool {
        self.polls
    }

    fn fall_back(&mut self, reason: String, say: &Say) {
        self.polls = true;
        if self.reasons.insert(reason.clone()) {
            say.warn(format!("{reason}: the followed files are checked once a second instead"));
        }
    }

    /// Watches an open file.
    pub fn watch_file(&mut self, id: FileId, file: &File, path: &Path, say: &Say) {
        let Some(inotify) = &self.inotify else { return };
        // The watch uses the file descriptor, because the name may lead to another file now.
        let name = format!("/proc/self/fd/{}", file.as_raw_fd());
        let mask = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_ATTRIB | AddWatchFlags::IN_MOVE_SELF;
        match inotify.add_watch(name.as_str(), mask) {
            Ok(watch) => {
                self.files.insert(watch, id);
                self.of_files.insert(id, watch);
            }
            Err(error) => self.fall_back(reason(error, path), say),
        }
        let elsewhere = *self.devices.entry(id.device).or_insert_with(|| is_elsewhere(file));
        if elsewhere {
            self.fall_back(format!("{}: on a network file system, which reports no changes", path.display()), say);
        }
    }

    /// Removes the watch of a file.
    pub fn leave_file(&mut self, id: FileId) {
        if let Some(watch) = self.of_files.remove(&id) {
            self.files.remove(&watch);
            if let Some(inotify) = &self.inotify {
                // The kernel may have removed the watch together with the file.
                let _ = inotify.rm_watch(watch);
            }
        }
    }

    /// Watches the names in these directories and in no others. Returns whether one of them is new. In a new directory,
    /// files may have changed before the watch began.
    pub fn watch_directories(&mut self, directories: impl IntoIterator<Item = PathBuf>, say: &Say) -> bool {
        let mask = AddWatchFlags::IN_CREATE
            | AddWatchFlags::IN_MOVE
            | AddWatchFlags::IN_DELETE
            | AddWatchFlags::IN_DELETE_SELF
            | AddWatchFlags::IN_MOVE_SELF
            | AddWatchFlags::IN_ONLYDIR;
        let mut new = false;
        let mut kept = HashMap::new();
        for directory in directories {
            let Some(inotify) = &self.inotify else { break };
            // This includes directories that are watched already, because a name may lead to another directory now. An
            // existing watch does not change.
            match inotify.add_watch(&directory, mask) {
                Ok(watch) => {
                    new |= self.directories.insert(watch, directory.clone()).is_none();
                    let mask = AddWatchFlags::IN_MODIFY | AddWatchFlags::IN_ONLYDIR;
                    match self.writing.as_ref().map(|writing| writing.add_watch(&directory, mask)) {
                        Some(Ok(watch)) => drop(self.written_in.insert(watch, directory.clone())),
                        Some(Err(_)) => self.writing = None,
                        None => {}
                    }
                    kept.insert(directory, watch);
                }
                Err(Errno::ENOENT | Errno::ENOTDIR) => {}
                Err(error) => self.fall_back(reason(error, &directory), say),
            }
        }
        let before = std::mem::replace(&mut self.of_directories, kept);
        let still: HashSet<WatchDescriptor> = self.of_directories.values().copied().collect();
        for watch in before.into_values().filter(|watch| !still.contains(watch)) {
            self.directories.remove(&watch);
            if let Some(inotify) = &self.inotify {
                let _ = inotify.rm_watch(watch);
            }
        }
        let kept = &self.of_directories;
        self.written_in.retain(|watch, directory| {
            let is_kept = kept.contains_key(directory);
            if let (false, Some(writing)) = (is_kept, &self.writing) {
                let _ = writing.rm_watch(*watch);
            }
            is_kept
        });
        new
    }

    /// Waits for an event, until one of `others` is readable, or until `most` has passed.
    pub fn wait(&self, others: [Option<BorrowedFd>; 3], most: Option<Duration>) {
        let inotify = self.inotify.as_ref().map(AsFd::as_fd);
        let all = others.into_iter().chain([inotify]).flatten();
        let mut all: Vec<PollFd> = all.map(|descriptor| PollFd::new(descriptor, PollFlags::POLLIN)).collect();
        let _ = poll(&mut all, timeout(most));
    }

    /// Waits for `time`, or until `stop` is readable.
    pub fn pause(stop: BorrowedFd, time: Duration) {
        let _ = poll(&mut [PollFd::new(stop, PollFlags::POLLIN)], timeout(Some(time)));
    }

    /// The names of files in the directories that were written to since the last call; `None` if they are unknown.
    pub fn written(&mut self) -> Option<Vec<PathBuf>> {
        let mut names = Some(Vec::new());
        while let Ok(read) = self.writing.as_ref()?.read_events() {
            for event in read {
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    names = None;
                } else if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                    self.written_in.remove(&event.wd);
                } else if let (Some(names), Some(directory), Some(name)) =
                    (&mut names, self.written_in.get(&event.wd), &event.name)
                {
                    names.push(directory.join(name));
                }
            }
        }
        names
    }

    /// The events since the last call.
    pub fn events(&mut self) -> Vec<Event> {
        let Some(inotify) = &self.inotify else { return Vec::new() };
        let mut events = Vec::new();
        while let Ok(read) = inotify.read_events() {
            for event in read {
                let gone = AddWatchFlags::IN_MOVE_SELF | AddWatchFlags::IN_DELETE_SELF | AddWatchFlags::IN_ATTRIB;
                if event.mask.contains(AddWatchFlags::IN_Q_OVERFLOW) {
                    events.push(Event::Lost);
                } else if let Some(&id) = self.files.get(&event.wd) {
                    if event.mask.contains(AddWatchFlags::IN_IGNORED) {
                        self.files.remove(&event.wd);
                        if self.of_files.get(&id) == Some(&event.wd) {
                            self.of_files.remove(&id);
                            events.push(Event::Gone(id));
                        }
                        continue;
                    }
                    let wrote = event.mask.contains(AddWatchFlags::IN_MODIFY);
                    events.push(if wrote { Event::Wrote(id) } else { Event::Touched(id) });
                    if event.mask.intersects(gone) {
                        events.push(Event::Moved);
                    }
                } else if let Some(directory) = self.directories.get(&event.wd) {
                    match &event.name {
                        Some(name) => {
                            let change = change(event.mask, event.cookie);
                            events.push(Event::Name(directory.join(name), change));
                        }
                        None if event.mask.contains(AddWatchFlags::IN_IGNORED) => {
                            self.directories.remove(&event.wd);
                            events.push(Event::Moved);
                        }
                        None => events.push(Event::Moved),
                    }
                }
            }
        }
        events
    }
}

/// The path as a scan gives it. For files in the current directory, events report `./NAME`.
pub(super) fn bare(path: &Path) -> &Path {
    path.strip_prefix(".").unwrap_or(path)
}

/// The change of a file's name; `None` for names of directories.
fn change(mask: AddWatchFlags, cookie: u32) -> Option<Change> {
    let is = |flag| mask.contains(flag);
    match () {
        () if is(AddWatchFlags::IN_ISDIR) => None,
        () if is(AddWatchFlags::IN_CREATE) => Some(Change::Made),
        () if is(AddWatchFlags::IN_DELETE) => Some(Change::Removed),
        () if is(AddWatchFlags::IN_MOVED_FROM) => Some(Change::MovedFrom(cookie)),
        () if is(AddWatchFlags::IN_MOVED_TO) => Some(Change::MovedTo(cookie)),
        () => None,
    }
}

fn reason(error: Errno, path: &Path) -> String {
    match error {
        Errno::ENOSPC => "the system's limit of inotify watches is reached (fs.inotify.max_user_watches)".to_owned(),
        error => format!("{}: it cannot be watched ({})", path.display(), error.desc()),
    }
}

// The type differs between systems.
#[allow(clippy::useless_conversion)]
fn is_elsewhere(file: &File) -> bool {
    let FsType(kind) = match fstatfs(file) {
        Ok(system) => system.filesystem_type(),
        Err(_) => return false,
    };
    // The numbers have 32 bits, whatever their type is.
    ELSEWHERE.contains(&(i64::from(kind) & 0xffff_ffff))
}
