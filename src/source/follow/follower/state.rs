//! What is known of all files that are followed.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::source::follow::copies::View;
use crate::source::follow::file_table::{FileId, FileTable, Found};
use crate::source::follow::tail::{OpenFile, Reader, Tail};

/// Opens what was found, if it is still there; `None` for what is not to be read.
pub type Open<'o, S> = &'o mut dyn FnMut(&Found) -> io::Result<Option<S>>;

/// See the [module](self).
pub struct Follower<'a, S> {
    pub(super) reader: Reader<'a>,
    /// For files that were there from the start.
    pub(super) uncompared: &'a View,
    /// For those that have come since, and may be copies.
    pub(super) compared: &'a View,
    pub(super) files: FileTable,
    pub(super) tails: HashMap<FileId, Followed<'a, S>>,
    pub(super) compressed: HashMap<FileId, Compressed<S>>,
    /// Files that are known and were not opened yet, in the order in which they came.
    pub(super) waiting: VecDeque<Waiting>,
    /// The most files that may be open, how many there are descriptors for as far as is known, and how many are open.
    pub(super) allowed: usize,
    pub(super) most_open: usize,
    pub(super) open: usize,
    /// Events were lost since the last look.
    pub(super) in_doubt: bool,
    /// Files that are closed and could not be opened again under the names that are known: they are looked for.
    pub(super) missed: HashSet<FileId>,
    /// Files that are closed and for which there was no descriptor: they are tried again after a moment.
    pub(super) postponed: HashSet<FileId>,
    /// Files that were closed and do not exist any more.
    pub(super) ended: HashSet<FileId>,
    /// When reading was tried last.
    pub(super) read_at: Duration,
    /// How many were closed for want of descriptors.
    pub(super) closed: usize,
    /// Names of files that are gone with what was not read of them.
    pub(super) lost: Vec<PathBuf>,
    /// Files in which there may be something to read, each once, and in their order.
    pub(super) dirty: VecDeque<FileId>,
    pub(super) is_dirty: HashSet<FileId>,
    /// Files that were truncated amid a line, and whether names were looked at since: a copy was made before that.
    pub(super) truncated: HashMap<FileId, bool>,
    /// Whether the last read gave something.
    pub(super) came: bool,
}

pub(super) struct Followed<'a, S> {
    pub(super) tail: Tail<'a, S>,
    pub(super) modified: i64,
    /// Its bytes, when it was looked at last.
    pub(super) size: u64,
    /// It may be a copy.
    pub(super) compared: bool,
    /// It is closed, and was written to since.
    pub(super) changed: bool,
}

/// A compressed file, which is read once and as a whole.
pub(super) struct Compressed<S> {
    pub(super) path: PathBuf,
    pub(super) stamp: (u64, i64),
    /// Since when it is as it is.
    pub(super) since: Duration,
    pub(super) given: bool,
    /// Open, so that it can be read whatever becomes of its name; `None` for want of descriptors, and when it was given.
    pub(super) source: Option<S>,
}

/// A file that was found and not opened yet.
pub(super) struct Waiting {
    pub(super) found: Found,
    /// Whether it has come since the first look.
    pub(super) later: bool,
    /// Opening it failed. It is tried again at the next look.
    pub(super) failed: bool,
}

impl<'a, S: OpenFile> Follower<'a, S> {
    /// Nothing was looked at yet. No more than `most_open` files are kept open, which is at least one.
    pub fn new(reader: Reader<'a>, uncompared: &'a View, compared: &'a View, most_open: usize) -> Self {
        Follower {
            reader,
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
            came: false,
        }
    }

    /// The names, and the files that are followed.
    pub fn files(&self) -> &FileTable {
        &self.files
    }

    /// There may be something to read in a file.
    pub fn mark(&mut self, id: FileId) {
        // A file that is closed is opened again only if there is something to read.
        let is_open = |followed: &Followed<S>| followed.changed || followed.tail.source().is_some();
        if self.tails.get(&id).is_some_and(is_open) && self.is_dirty.insert(id) {
            self.dirty.push_back(id);
        }
    }

    /// Something was written to a file.
    pub fn written(&mut self, id: FileId) {
        if let Some(followed) = self.tails.get_mut(&id) {
            followed.changed |= followed.tail.source().is_none();
            self.mark(id);
        }
    }

    fn mark_truncated(&mut self) {
        let truncated: Vec<FileId> = self.truncated.keys().copied().collect();
        truncated.into_iter().for_each(|id| self.mark(id));
    }

    /// There may be something to read in any file, because events were lost. Of files that are closed the next look tells.
    pub fn mark_all(&mut self) {
        self.in_doubt = true;
        let all: Vec<FileId> = self.tails.keys().copied().collect();
        all.into_iter().for_each(|id| self.mark(id));
    }

    /// Whether there is something to read, or a file to be opened.
    pub fn is_behind(&self) -> bool {
        !self.dirty.is_empty() || self.may_open_more()
    }

    /// Whether the last reading gave something.
    pub fn has_come(&self) -> bool {
        self.came
    }

    /// Whether it can be gone on with some file only after a look at the names.
    pub fn needs_look(&self) -> bool {
        self.truncated.values().any(|looked| !looked) || !self.missed.is_empty()
    }

    /// Names of files that are gone with what was not read of them; each is told once.
    pub fn take_lost(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.lost)
    }
}
