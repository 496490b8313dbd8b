//! The state of all followed files.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::sequences::Sequences;
use crate::source::follow::copies::View;
use crate::source::follow::file_table::{FileId, FileTable, Found};
use crate::source::follow::tail::{OpenFile, ReadContext, Tail};

/// Opens a file that was found. The result is `None` for a file that must not be read.
pub type Open<'o, S> = &'o mut dyn FnMut(&Found) -> io::Result<Option<S>>;

/// All followed files. See [`follower`](super).
pub struct Follower<'a, S> {
    pub(super) context: ReadContext<'a>,
    /// The memory for files that were there at the start.
    pub(super) uncompared: &'a View,
    /// The memory for files that appeared later and may be copies.
    pub(super) compared: &'a View,
    pub(super) files: FileTable,
    pub(super) tails: HashMap<FileId, FollowedFile<'a, S>>,
    pub(super) compressed: HashMap<FileId, Compressed<S>>,
    /// Files that are known and were not opened yet, in the order in which they were found.
    pub(super) waiting: VecDeque<Waiting>,
    /// The limit of open files that was given, the current limit (lower if file descriptors are missing), and the
    /// number of open files.
    pub(super) allowed: usize,
    pub(super) most_open: usize,
    pub(super) open: usize,
    /// Whether events were lost since the last scan.
    pub(super) in_doubt: bool,
    /// Closed files that could not be opened again under their known names. The next scan searches for them.
    pub(super) missed: HashSet<FileId>,
    /// Closed files for which there was no file descriptor. They are tried again after a moment.
    pub(super) postponed: HashSet<FileId>,
    /// Closed files that do not exist any more.
    pub(super) ended: HashSet<FileId>,
    /// The time of the last call of [`read`](Self::read).
    pub(super) read_at: Duration,
    /// The number of times that a file was closed because file descriptors were missing.
    pub(super) closed: usize,
    /// Names of files that are gone, and of which some bytes were not read.
    pub(super) lost: Vec<PathBuf>,
    /// Files that may hold unread bytes, each once, in the order in which they are read.
    pub(super) dirty: VecDeque<FileId>,
    pub(super) is_dirty: HashSet<FileId>,
    /// Files that were truncated in the middle of a line. The value says whether there was a scan since then. If a copy
    /// of the file was made, the scan has found it.
    pub(super) truncated: HashMap<FileId, bool>,
    /// Whether the last read returned bytes.
    pub(super) has_read_bytes: bool,
    /// The files of logs that are sequences of files.
    pub(super) sequences: Sequences,
}

pub(super) struct FollowedFile<'a, S> {
    pub(super) tail: Tail<'a, S>,
    pub(super) modified: i64,
    /// The size in bytes at the last scan.
    pub(super) size: u64,
    /// Whether the file may be a copy, and is compared with the delivered extents.
    pub(super) compared: bool,
    /// Whether the file was written to while it was closed.
    pub(super) changed: bool,
}

/// A compressed file. It is read once, as a whole.
pub(super) struct Compressed<S> {
    pub(super) path: PathBuf,
    pub(super) stamp: (u64, i64),
    /// The time of its last change.
    pub(super) since: Duration,
    pub(super) given: bool,
    /// The open file, so that it can be read even if it loses its name. `None` if file descriptors are missing, or if
    /// the file was passed on.
    pub(super) source: Option<S>,
}

/// A file that was found and not opened yet.
pub(super) struct Waiting {
    pub(super) found: Found,
    /// Whether it appeared after the first scan.
    pub(super) later: bool,
    pub(super) next: NextStep,
    /// The name at which it was not found any more, if it was looked for.
    pub(super) missed_at: Option<PathBuf>,
}

impl Waiting {
    /// Creates the state of a file that was just found.
    pub(super) fn new(found: Found, later: bool) -> Waiting {
        Waiting { found, later, next: NextStep::Open, missed_at: None }
    }
}

/// What happens next with a file that waits to be opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// It is opened.
    Open,
    /// It has another name now, or there is no file descriptor. It is opened after the next scan. Newer files of its log wait for
    /// it.
    Scan,
    /// It cannot be opened. It is tried again after the next scan, and nothing waits for it.
    Skip,
}

impl<'a, S: OpenFile> Follower<'a, S> {
    /// Creates a follower without files. At most `most_open` files are open at the same time; if `most_open` is 0, one
    /// file may be open.
    pub fn new(context: ReadContext<'a>, uncompared: &'a View, compared: &'a View, most_open: usize) -> Self {
        Follower {
            context,
            uncompared,
            compared,
            files: FileTable::default(),
            tails: HashMap::new(),
            compressed: HashMap::new(),
            waiting: VecDeque::new(),
            allowed: most_open.max(1),
            most_open: most_open.max(1),
            open: 0,
            in_doubt: false,
            missed: HashSet::new(),
            postponed: HashSet::new(),
            ended: HashSet::new(),
            read_at: Duration::ZERO,
            closed: 0,
            lost: Vec::new(),
            dirty: VecDeque::new(),
            is_dirty: HashSet::new(),
            truncated: HashMap::new(),
            has_read_bytes: false,
            sequences: Sequences::default(),
        }
    }

    /// The known files and their names.
    pub fn files(&self) -> &FileTable {
        &self.files
    }

    /// Records that a file may hold unread bytes.
    pub fn mark(&mut self, id: FileId) {
        // A closed file is opened again only if it changed.
        let is_open = |followed: &FollowedFile<S>| followed.changed || followed.tail.source().is_some();
        if self.tails.get(&id).is_some_and(is_open) && self.is_dirty.insert(id) {
            self.dirty.push_back(id);
        }
    }

    /// Records that a file was written to.
    pub fn written(&mut self, id: FileId) {
        if let Some(followed) = self.tails.get_mut(&id) {
            followed.changed |= followed.tail.source().is_none();
            self.mark(id);
        }
    }

    pub(super) fn mark_truncated(&mut self) {
        let truncated: Vec<FileId> = self.truncated.keys().copied().collect();
        truncated.into_iter().for_each(|id| self.mark(id));
    }

    /// Records that events were lost, so that any file may hold unread bytes. For closed files, the next scan decides.
    pub fn mark_all(&mut self) {
        self.in_doubt = true;
        let all: Vec<FileId> = self.tails.keys().copied().collect();
        all.into_iter().for_each(|id| self.mark(id));
    }

    /// Whether there is a file to read or to open.
    pub fn is_behind(&self) -> bool {
        !self.dirty.is_empty() || self.may_open_more()
    }

    /// Whether all files are read as far as they go now.
    pub fn is_read(&self) -> bool {
        let is_settled = self.compressed.values().all(|compressed| compressed.given);
        !self.is_behind() && is_settled && self.truncated.is_empty() && self.postponed.is_empty()
    }

    /// Whether the last read returned bytes.
    pub fn has_read_bytes(&self) -> bool {
        self.has_read_bytes
    }

    /// Whether some file can only be read after another scan of the names.
    pub fn needs_scan(&self) -> bool {
        self.truncated.values().any(|scanned| !scanned) || !self.missed.is_empty()
    }

    /// The names of files that are gone, and of which some bytes were not read. Each name is returned once.
    pub fn take_lost(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.lost)
    }
}

/// Whether all bytes of `source`, the open file of `tail`, were read.
pub(super) fn is_read<S: OpenFile>(source: &S, tail: &Tail<'_, S>) -> bool {
    source.status().is_ok_and(|status| status.size == tail.bytes_read())
}
