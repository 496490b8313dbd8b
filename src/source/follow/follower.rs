//! All files that are followed: which are read, when, and until when. Files and time are arguments.

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::book::{Book, FileId, Found, Step, patience};
use super::copies::View;
use super::tail::{Came, Reader, Source, Tail};
use crate::error::{Error, Result};
use crate::source::decompress::{Compression, MAGIC_BYTES};

/// How long a compressed file must not have changed before it is read: until then somebody may be writing it.
pub const SETTLED: Duration = Duration::from_secs(5);

/// Opens what was found, if it is still there; `None` for what is not to be read.
pub type Open<'o, S> = &'o mut dyn FnMut(&Found) -> io::Result<Option<S>>;

/// See the [module](self).
pub struct Follower<'a, S> {
    reader: Reader<'a>,
    /// For files that were there from the start.
    plain: &'a View,
    /// For those that have come since, and may be copies.
    wary: &'a View,
    book: Book,
    tails: HashMap<FileId, Followed<'a, S>>,
    packed: HashMap<FileId, Packed>,
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
    /// It may be a copy.
    wary: bool,
}

/// A compressed file, which is read once and as a whole.
struct Packed {
    path: PathBuf,
    stamp: (u64, i64),
    /// Since when it is as it is.
    since: Duration,
    given: bool,
}

impl<'a, S: Source> Follower<'a, S> {
    /// Nothing was looked at yet.
    pub fn new(reader: Reader<'a>, plain: &'a View, wary: &'a View) -> Self {
        Follower {
            reader,
            plain,
            wary,
            book: Book::default(),
            tails: HashMap::new(),
            packed: HashMap::new(),
            dirty: VecDeque::new(),
            is_dirty: HashSet::new(),
            truncated: HashMap::new(),
            came: false,
        }
    }

    /// The names, and the files that are followed.
    pub fn book(&self) -> &Book {
        &self.book
    }

    /// Takes in what names lead to. Gives what could not be opened; it is tried again at the next look.
    pub fn look(&mut self, found: &[Found], now: Duration, open: Open<S>) -> Vec<(PathBuf, io::Error)> {
        for found in found {
            if let Some(followed) = self.tails.get_mut(&found.id) {
                let changed = std::mem::replace(&mut followed.modified, found.modified) != found.modified;
                if changed || followed.tail.bytes_read() != found.size {
                    self.mark(found.id);
                }
            } else if let Some(packed) = self.packed.get_mut(&found.id)
                && packed.stamp != (found.size, found.modified)
            {
                *packed =
                    Packed { path: found.path.clone(), stamp: (found.size, found.modified), since: now, given: false };
            }
        }
        let mut failures = Vec::new();
        for step in self.book.look(found, now) {
            match step {
                Step::Begin { found, later } => match open(&found) {
                    Ok(Some(source)) => {
                        let memory = if later { self.wary } else { self.plain };
                        let tail = Tail::new(source, found.path, &self.reader, memory, now);
                        self.tails.insert(found.id, Followed { tail, modified: found.modified, wary: later });
                        self.mark(found.id);
                    }
                    Ok(None) => {}
                    Err(error) => {
                        self.book.forget(found.id);
                        if error.kind() != io::ErrorKind::NotFound {
                            failures.push((found.path, error));
                        }
                    }
                },
                Step::Renamed(id, path) => {
                    if let Some(followed) = self.tails.get_mut(&id) {
                        followed.tail.rename(path);
                    } else if let Some(packed) = self.packed.get_mut(&id) {
                        packed.path = path;
                    }
                }
            }
        }
        self.truncated.values_mut().for_each(|looked| *looked = true);
        let truncated: Vec<FileId> = self.truncated.keys().copied().collect();
        truncated.into_iter().for_each(|id| self.mark(id));
        let nameless: Vec<FileId> = self.book.nameless().map(|file| file.id).collect();
        for id in nameless {
            if self.tails.contains_key(&id) {
                self.mark(id);
            } else {
                self.packed.remove(&id);
                self.book.forget(id);
            }
        }
        failures
    }

    /// There may be something to read in a file.
    pub fn mark(&mut self, id: FileId) {
        if self.tails.contains_key(&id) && self.is_dirty.insert(id) {
            self.dirty.push_back(id);
        }
    }

    /// The same of all files.
    pub fn mark_all(&mut self) {
        let all: Vec<FileId> = self.tails.keys().copied().collect();
        all.into_iter().for_each(|id| self.mark(id));
    }

    /// Whether there is something to read.
    pub fn is_behind(&self) -> bool {
        !self.dirty.is_empty()
    }

    /// Whether the last reading gave something.
    pub fn has_come(&self) -> bool {
        self.came
    }

    /// Whether it can be gone on with some file only after a look at the names.
    pub fn needs_look(&self) -> bool {
        self.truncated.values().any(|looked| !looked)
    }

    /// Gives each file in which there may be something its turn. `false` when no more is wanted.
    ///
    /// # Errors
    /// Those of the intake. What is wrong with a file goes to `failed`, and it is not read any further.
    pub fn read(&mut self, now: Duration, failed: &mut dyn FnMut(Error), counted: &mut dyn FnMut(u64)) -> Result<bool> {
        self.came = false;
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
            self.is_dirty.remove(&id);
            let truncated = self.truncated.get(&id).copied();
            if truncated == Some(false) {
                continue;
            }
            let copied = truncated.is_some() && self.is_copied(id);
            self.truncated.remove(&id);
            let Some(followed) = self.tails.get_mut(&id) else { continue };
            if truncated.is_some() && followed.tail.begin_anew(&self.reader, copied)? == Came::Unwanted {
                return Ok(false);
            }
            let before = followed.tail.bytes_read();
            if before == 0 {
                match beginning(followed.tail.source()) {
                    Ok(Begins::Plain) => {}
                    Ok(Begins::Unknown) if now < followed.tail.grown().saturating_add(self.reader.timeout) => continue,
                    Ok(Begins::Unknown) => {}
                    Ok(Begins::Packed(size)) => {
                        let stamp = (size, followed.modified);
                        let path = followed.tail.path().to_owned();
                        self.packed.insert(id, Packed { path, stamp, since: now, given: false });
                        self.tails.remove(&id);
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
                Ok(Came::All) => {}
                Ok(Came::More) => self.mark(id),
                Ok(Came::Truncated) => {
                    self.truncated.insert(id, false);
                }
                Ok(Came::Unwanted) => return Ok(false),
                Err(error) => {
                    let name = followed.tail.path().display();
                    failed(Error::input(format!("{name}: cannot be read further at byte {after}")).because(error));
                    followed.tail.end(&self.reader, true)?;
                    // It stays in the book, so that it is not begun again.
                    self.tails.remove(&id);
                }
            }
        }
        Ok(true)
    }

    /// Does what is due, and closes files that are finished. `false` when no more is wanted.
    ///
    /// # Errors
    /// Those of the intake.
    pub fn wake(&mut self, now: Duration, closed: &mut dyn FnMut(FileId, &S)) -> Result<bool> {
        for followed in self.tails.values_mut() {
            if followed.tail.deadline(&self.reader).is_some_and(|at| at <= now)
                && followed.tail.wake(&self.reader, now)? == Came::Unwanted
            {
                return Ok(false);
            }
        }
        for (id, at) in self.closing() {
            let Some(followed) = self.tails.get_mut(&id).filter(|_| at <= now) else { continue };
            let read = followed.tail.bytes_read();
            if followed.tail.source().look().is_ok_and(|(size, _)| size == read) {
                followed.tail.end(&self.reader, true)?;
                closed(id, followed.tail.source());
                self.tails.remove(&id);
                self.book.forget(id);
            } else {
                self.mark(id);
            }
        }
        Ok(true)
    }

    /// Whether another file holds what was read of this one.
    fn is_copied(&self, id: FileId) -> bool {
        let Some(truncated) = self.tails.get(&id) else { return false };
        let others = self.tails.iter().filter(|(other, _)| **other != id);
        others.into_iter().any(|(_, other)| truncated.tail.is_copied_to(other.tail.source()))
    }

    /// The files without a name, and when they are taken to be finished.
    fn closing(&self) -> Vec<(FileId, Duration)> {
        let at = |file: super::book::Nameless| {
            let tail = &self.tails.get(&file.id)?.tail;
            let deleted = tail.source().look().is_ok_and(|(_, deleted)| deleted);
            Some((file.id, file.since.max(tail.grown()) + patience(deleted, file.succeeded)))
        };
        self.book.nameless().filter_map(at).collect()
    }

    /// When something is to be done although nothing happens.
    pub fn deadline(&self) -> Option<Duration> {
        let tails = self.tails.values().filter_map(|followed| followed.tail.deadline(&self.reader));
        let closing = self.closing().into_iter().map(|(_, at)| at);
        let packed = self.packed.values().filter(|packed| !packed.given).map(|packed| packed.since + SETTLED);
        tails.chain(closing).chain(packed).min()
    }

    /// The compressed files that are to be read now, each once. `age` tells how long ago a time was, in nanoseconds since
    /// 1970.
    pub fn unpack(&mut self, now: Duration, age: impl Fn(i64) -> Duration) -> Vec<PathBuf> {
        let is_ready =
            |packed: &&mut Packed| !packed.given && (packed.since + SETTLED <= now || age(packed.stamp.1) >= SETTLED);
        let ready = self.packed.values_mut().filter(is_ready).map(|packed| {
            packed.given = true;
            packed.path.clone()
        });
        let mut ready: Vec<PathBuf> = ready.collect();
        ready.sort();
        ready
    }

    /// Ends all: hands out what is held back, if `all` the last lines without their ends too.
    ///
    /// # Errors
    /// Those of the intake.
    pub fn end(&mut self, all: bool) -> Result<()> {
        self.tails.values_mut().try_for_each(|followed| followed.tail.end(&self.reader, all))
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
