//! All files that are followed: which are read, when, and until when. Files and time are arguments.

mod ending;
mod opening;

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use self::opening::Waiting;
use super::copies::View;
use super::file_table::{FileId, FileTable, Found, Step, patience};
use super::tail::{Came, Reader, Source, Tail};
use crate::core::error::{Error, Result};
use crate::source::decompress::{Compression, MAGIC_BYTES};

/// How long a compressed file must not have changed before it is read: until then somebody may be writing it.
pub const SETTLED: Duration = Duration::from_secs(5);

/// How long is waited for a descriptor to open a file with.
const POSTPONED: Duration = Duration::from_millis(250);

/// Opens what was found, if it is still there; `None` for what is not to be read.
pub type Open<'o, S> = &'o mut dyn FnMut(&Found) -> io::Result<Option<S>>;

/// See the [module](self).
pub struct Follower<'a, S> {
    reader: Reader<'a>,
    /// For files that were there from the start.
    plain: &'a View,
    /// For those that have come since, and may be copies.
    wary: &'a View,
    files: FileTable,
    tails: HashMap<FileId, Followed<'a, S>>,
    packed: HashMap<FileId, Packed<S>>,
    /// Files that are known and were not opened yet, in the order in which they came.
    waiting: VecDeque<Waiting>,
    /// The most files that may be open, how many there are descriptors for as far as is known, and how many are open.
    allowed: usize,
    most_open: usize,
    open: usize,
    /// Events were lost since the last look.
    in_doubt: bool,
    /// Files that are closed and could not be opened again under the names that are known: they are looked for.
    missed: HashSet<FileId>,
    /// Files that are closed and for which there was no descriptor: they are tried again after a moment.
    postponed: HashSet<FileId>,
    /// Files that were closed and do not exist any more.
    ended: HashSet<FileId>,
    /// When reading was tried last.
    read_at: Duration,
    /// How many were closed for want of descriptors.
    closed: usize,
    /// Names of files that are gone with what was not read of them.
    lost: Vec<PathBuf>,
    /// Files in which there may be something to read, each once, and in their order.
    dirty: VecDeque<FileId>,
    is_dirty: HashSet<FileId>,
    /// Files that were truncated amid a line, and whether names were looked at since: a copy was made before that.
    truncated: HashMap<FileId, bool>,
    /// Whether the last read gave something.
    came: bool,
}

struct Followed<'a, S> {
    tail: Tail<'a, S>,
    modified: i64,
    /// Its bytes, when it was looked at last.
    size: u64,
    /// It may be a copy.
    wary: bool,
    /// It is closed, and was written to since.
    changed: bool,
}

/// A compressed file, which is read once and as a whole.
struct Packed<S> {
    path: PathBuf,
    stamp: (u64, i64),
    /// Since when it is as it is.
    since: Duration,
    given: bool,
    /// Open, so that it can be read whatever becomes of its name; `None` for want of descriptors, and when it was given.
    source: Option<S>,
}

impl<'a, S: Source> Follower<'a, S> {
    /// Nothing was looked at yet. No more than `most_open` files are kept open, which is at least one.
    pub fn new(reader: Reader<'a>, plain: &'a View, wary: &'a View, most_open: usize) -> Self {
        Follower {
            reader,
            plain,
            wary,
            files: FileTable::default(),
            tails: HashMap::new(),
            packed: HashMap::new(),
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

    /// Takes in what names lead to. Gives what could not be opened; it is tried again at the next look.
    pub fn look(&mut self, found: &[Found], now: Duration, open: Open<S>) -> Vec<(PathBuf, io::Error)> {
        for found in found {
            if let Some(followed) = self.tails.get_mut(&found.id) {
                let changed = std::mem::replace(&mut followed.modified, found.modified) != found.modified;
                followed.size = found.size;
                if changed || followed.tail.bytes_read() != found.size {
                    followed.changed |= followed.tail.source().is_none();
                    self.mark(found.id);
                }
            } else if let Some(packed) = self.packed.get_mut(&found.id)
                && packed.stamp != (found.size, found.modified)
            {
                (packed.stamp, packed.since) = ((found.size, found.modified), now);
                if packed.given {
                    // It was read, and is another one by now.
                    (packed.given, packed.source) = (false, None);
                }
            }
        }
        self.look_for_waiting(found);
        // Others may have closed files since there were too few descriptors.
        self.most_open = self.most_open.saturating_mul(2).min(self.allowed);
        let doubted = std::mem::take(&mut self.in_doubt).then(|| self.closed_with_names());
        for step in self.files.look(found, now) {
            match step {
                Step::Begin { found, later } => self.waiting.push_back(Waiting { found, later, failed: false }),
                Step::Renamed(id, path) => {
                    if let Some(followed) = self.tails.get_mut(&id) {
                        followed.tail.rename(path);
                    } else if let Some(packed) = self.packed.get_mut(&id) {
                        packed.path = path;
                    }
                }
            }
        }
        let failures = self.open_waiting(now, open);
        self.truncated.values_mut().for_each(|looked| *looked = true);
        self.mark_truncated();
        let nameless: Vec<FileId> = self.files.nameless().map(|file| file.id).collect();
        for id in std::mem::take(&mut self.missed) {
            match nameless.contains(&id) {
                true => self.lose(id),
                false => self.mark(id),
            }
        }
        for id in nameless {
            if doubted.as_ref().is_some_and(|doubted| doubted.contains(&id)) {
                // It may have been written to, and no event told of that.
                self.lose(id);
            }
            if self.tails.contains_key(&id) {
                self.mark(id);
                continue;
            }
            match self.packed.get(&id) {
                // It is open, and read when it has settled.
                Some(packed) if !packed.given && packed.source.is_some() => continue,
                Some(packed) if !packed.given => self.lost.push(packed.path.clone()),
                _ => {}
            }
            self.packed.remove(&id);
            self.files.forget(id);
        }
        failures
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

    /// Gives each file in which there may be something its turn, unless the receiver has no room. `false` when no more is
    /// wanted. `open` opens files again that were closed.
    ///
    /// # Errors
    /// Those of the receiver. What is wrong with a file goes to `failed`, and it is not read any further.
    pub fn read(
        &mut self,
        now: Duration,
        open: Open<S>,
        failed: &mut dyn FnMut(Error),
        counted: &mut dyn FnMut(u64),
    ) -> Result<bool> {
        self.came = false;
        self.read_at = now;
        if !self.reader.receiver.has_room() {
            return Ok(true);
        }
        std::mem::take(&mut self.postponed).into_iter().for_each(|id| self.mark(id));
        // What may be a copy is not begun before all else was read: only then is it known what it is a copy of.
        let may_be_copy =
            |id: &FileId| self.tails.get(id).is_some_and(|followed| followed.wary && followed.tail.bytes_read() == 0);
        let (copies, others): (Vec<FileId>, Vec<FileId>) =
            std::mem::take(&mut self.dirty).into_iter().partition(may_be_copy);
        let first_copy = others.len();
        for (index, id) in others.into_iter().chain(copies).enumerate() {
            if index >= first_copy && self.is_behind() {
                self.dirty.push_back(id);
                continue;
            }
            if !self.reader.receiver.has_room() {
                self.dirty.push_back(id);
                continue;
            }
            self.is_dirty.remove(&id);
            let truncated = self.truncated.get(&id).copied();
            if truncated == Some(false) {
                continue;
            }
            if !self.ensure_open(id, open, failed) {
                continue;
            }
            let copied = truncated.is_some() && self.is_copied(id, open);
            self.truncated.remove(&id);
            let Some(followed) = self.tails.get_mut(&id) else { continue };
            if truncated.is_some() && followed.tail.begin_anew(&self.reader, copied)? == Came::Unwanted {
                return Ok(false);
            }
            let before = followed.tail.bytes_read();
            if before == 0 {
                let begins = followed.tail.source().map(beginning);
                match begins.unwrap_or(Ok(Begins::Plain)) {
                    Ok(Begins::Plain) => {}
                    Ok(Begins::Unknown) if now < followed.tail.grown().saturating_add(self.reader.timeout) => continue,
                    Ok(Begins::Unknown) => {}
                    Ok(Begins::Packed(size)) => {
                        let stamp = (size, followed.modified);
                        let path = followed.tail.path().to_owned();
                        let source = self.tails.remove(&id).and_then(|mut followed| followed.tail.close());
                        self.packed.insert(id, Packed { path, stamp, since: now, given: false, source });
                        continue;
                    }
                    // Reading meets it again, and says what it was at.
                    Err(_) => {}
                }
            }
            let read = followed.tail.read(&self.reader, now)?;
            let after = followed.tail.bytes_read();
            self.came |= after != before;
            counted(after.saturating_sub(before));
            match read {
                Ok(Came::All) => followed.changed = false,
                Ok(Came::More | Came::NotNow) => self.mark(id),
                Ok(Came::Truncated) => {
                    self.truncated.insert(id, false);
                }
                Ok(Came::Unwanted) => return Ok(false),
                Err(error) => {
                    let name = followed.tail.path().display();
                    failed(Error::input(format!("{name}: cannot be read further at byte {after}")).because(error));
                    followed.tail.end(&self.reader, true)?;
                    // It stays in the file table, so that it is not begun again.
                    self.remove(id);
                }
            }
        }
        Ok(true)
    }

    /// Does what is due, and closes files that are finished. `false` when no more is wanted.
    ///
    /// # Errors
    /// Those of the receiver.
    pub fn wake(&mut self, now: Duration, closed: &mut dyn FnMut(FileId)) -> Result<bool> {
        for followed in self.tails.values_mut() {
            if followed.tail.deadline(&self.reader).is_some_and(|at| at <= now)
                && followed.tail.wake(&self.reader, now)? == Came::Unwanted
            {
                return Ok(false);
            }
        }
        for id in std::mem::take(&mut self.ended) {
            if let Some(followed) = self.tails.get_mut(&id) {
                followed.tail.end(&self.reader, true)?;
                closed(id);
                self.remove(id);
                self.files.forget(id);
            }
        }
        for (id, at) in self.closing() {
            let Some(followed) = self.tails.get_mut(&id).filter(|_| at <= now) else { continue };
            let read = followed.tail.bytes_read();
            let is_read = |source: &S| source.look().is_ok_and(|(size, _)| size == read);
            if followed.tail.source().is_none_or(is_read) {
                followed.tail.end(&self.reader, true)?;
                closed(id);
                self.remove(id);
                self.files.forget(id);
            } else {
                self.mark(id);
            }
        }
        Ok(true)
    }

    /// Whether another file holds what was read of this one. Those that are closed are opened for a moment.
    fn is_copied(&self, id: FileId, open: Open<S>) -> bool {
        let Some(Followed { tail: truncated, .. }) = self.tails.get(&id) else { return false };
        let others = || self.tails.iter().filter(|(other, _)| **other != id);
        if others().filter_map(|(_, other)| other.tail.source()).any(|source| truncated.is_copied_to(source)) {
            return true;
        }
        let closed = others().filter(|(_, other)| other.tail.source().is_none() && other.tail.begins_like(truncated));
        let closed = closed.map(|(id, other)| {
            let (size, modified) = (other.size, other.modified);
            Found { path: other.tail.path().to_owned(), id: *id, size, modified }
        });
        let waiting = self.waiting.iter().map(|waiting| waiting.found.clone());
        let mut long_enough = closed.chain(waiting).filter(|found| found.size >= truncated.bytes_read());
        long_enough.any(|found| matches!(open(&found), Ok(Some(source)) if truncated.is_copied_to(&source)))
    }

    /// The files without a name, and when they are taken to be finished.
    fn closing(&self) -> Vec<(FileId, Duration)> {
        let at = |file: super::file_table::Nameless| {
            let tail = &self.tails.get(&file.id).filter(|_| !self.is_dirty.contains(&file.id))?.tail;
            let deleted = tail.source().is_some_and(|source| source.look().is_ok_and(|(_, deleted)| deleted));
            Some((file.id, file.since.max(tail.grown()) + patience(deleted, file.succeeded)))
        };
        self.files.nameless().filter_map(at).collect()
    }

    /// When something is to be done although nothing happens.
    pub fn deadline(&self) -> Option<Duration> {
        let tails = self.tails.values().filter_map(|followed| followed.tail.deadline(&self.reader));
        let closing = self.closing().into_iter().map(|(_, at)| at);
        let packed = self.packed.values().filter(|packed| !packed.given).map(|packed| packed.since + SETTLED);
        let postponed = (!self.postponed.is_empty()).then(|| self.read_at + POSTPONED);
        tails.chain(closing).chain(packed).chain(postponed).min()
    }

    /// The compressed files that are to be read now, each once, and open if there were descriptors for it. `age` tells how
    /// long ago a time was, in nanoseconds since 1970.
    pub fn unpack(&mut self, now: Duration, age: impl Fn(i64) -> Duration) -> Vec<(PathBuf, Option<S>)> {
        let is_ready = |packed: &&mut Packed<S>| {
            !packed.given && (packed.since + SETTLED <= now || age(packed.stamp.1) >= SETTLED)
        };
        let ready = self.packed.values_mut().filter(is_ready).map(|packed| {
            packed.given = true;
            (packed.path.clone(), packed.source.take())
        });
        let mut ready: Vec<_> = ready.collect();
        self.open -= ready.iter().filter(|(_, source)| source.is_some()).count();
        ready.sort_by(|(one, _), (other, _)| one.cmp(other));
        ready
    }

    /// Names of files that are gone with what was not read of them; each is told once.
    pub fn take_lost(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.lost)
    }
}

/// How a file begins.
enum Begins {
    Plain,
    /// Compressed; so many bytes by now.
    Packed(u64),
    /// Too little of it is there to tell.
    Unknown,
}

fn beginning(source: &impl Source) -> io::Result<Begins> {
    let mut magic = [0; MAGIC_BYTES];
    let length = source.read_at(&mut magic, 0)?;
    Ok(match Compression::of(&magic[..length]) {
        Compression::None if length > 0 && Compression::may_begin(&magic[..length]) => Begins::Unknown,
        Compression::None => Begins::Plain,
        _ => Begins::Packed(source.look()?.0),
    })
}

#[cfg(test)]
mod tests;
