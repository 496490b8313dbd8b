//! Does the work that depends on time: lines without a line end, finished files, compressed files.

use std::path::PathBuf;
use std::time::Duration;

use super::state::{Compressed, FollowedFile, Follower, is_read};
use crate::core::error::Result;
use crate::source::follow::file_table::{FileId, Nameless, closing_delay};
use crate::source::follow::tail::{OpenFile, Tail, TurnResult};

/// How long a compressed file must not change before it is read. Until then its writer may not have finished.
pub const SETTLED: Duration = Duration::from_secs(5);

/// How long to wait before a file without a file descriptor is tried again.
const POSTPONED: Duration = Duration::from_millis(250);

impl<S: OpenFile> Follower<'_, S> {
    /// Does the work whose time has come, and closes finished files. Returns `false` if the receiver wants no more.
    ///
    /// # Errors
    /// The errors of the receiver.
    pub fn wake(&mut self, now: Duration, closed: &mut dyn FnMut(FileId)) -> Result<bool> {
        let due: Vec<FileId> = self.deadlines().filter(|(_, at)| *at <= now).map(|(id, _)| id).collect();
        for id in due {
            let Some(followed) = self.tails.get_mut(&id) else { continue };
            if !is_read_or_closed(&followed.tail) {
                self.mark(id);
            } else if followed.tail.wake(&self.context, now)? == TurnResult::Unwanted {
                return Ok(false);
            }
        }
        for id in std::mem::take(&mut self.ended) {
            if let Some(followed) = self.tails.get_mut(&id) {
                followed.tail.end(&self.context, true)?;
                closed(id);
                self.remove(id);
                self.files.forget(id);
            }
        }
        for (id, at) in self.closing() {
            let Some(followed) = self.tails.get_mut(&id).filter(|_| at <= now) else { continue };
            if is_read_or_closed(&followed.tail) {
                followed.tail.end(&self.context, true)?;
                closed(id);
                self.remove(id);
                self.files.forget(id);
            } else {
                self.mark(id);
            }
        }
        Ok(true)
    }

    /// Whether bytes may be there that were not read yet, of the file `id` or of another file of its log: the queue is full, or
    /// other files have their turn first. Then a time without a byte says nothing about the file.
    fn may_be_unread(&self, id: FileId) -> bool {
        let is_unread = |id: &FileId| self.is_dirty.contains(id) || self.waits_to_open(*id);
        is_unread(&id) || self.sequences.of(id).iter().any(is_unread)
    }

    /// Returns each file that has work to do at a certain time, even if no byte comes, together with this time.
    fn deadlines(&self) -> impl Iterator<Item = (FileId, Duration)> {
        let at = |(id, followed): (&FileId, &FollowedFile<S>)| Some((*id, followed.tail.deadline(&self.context)?));
        self.tails.iter().filter_map(at).filter(|(id, _)| !self.may_be_unread(*id))
    }

    /// The files without a name, and the time at which each counts as finished.
    fn closing(&self) -> Vec<(FileId, Duration)> {
        let at = |file: Nameless| {
            let tail = &self.tails.get(&file.id).filter(|_| !self.may_be_unread(file.id))?.tail;
            let deleted = tail.source().is_some_and(|source| source.status().is_ok_and(|status| status.deleted));
            Some((file.id, file.since.max(tail.last_growth()) + closing_delay(deleted, file.replaced)))
        };
        self.files.nameless().filter_map(at).collect()
    }

    /// The time at which there is work even if no event comes.
    pub fn deadline(&self) -> Option<Duration> {
        let tails = self.deadlines().map(|(_, at)| at);
        let closing = self.closing().into_iter().map(|(_, at)| at);
        let compressed = self
            .compressed
            .values()
            .filter(|compressed| !compressed.given)
            .map(|compressed| compressed.since + SETTLED);
        let postponed = (!self.postponed.is_empty()).then(|| self.read_at + POSTPONED);
        tails.chain(closing).chain(compressed).chain(postponed).min()
    }

    /// The compressed files that must be read now. Each is returned once, and is open if there was a file descriptor
    /// for it. `age` returns how long ago a time was, in nanoseconds since 1970.
    pub fn unpack(&mut self, now: Duration, age: impl Fn(i64) -> Duration) -> Vec<(PathBuf, Option<S>)> {
        let is_ready = |compressed: &&mut Compressed<S>| {
            !compressed.given && (compressed.since + SETTLED <= now || age(compressed.stamp.1) >= SETTLED)
        };
        let ready = self.compressed.values_mut().filter(is_ready).map(|compressed| {
            compressed.given = true;
            (compressed.path.clone(), compressed.source.take())
        });
        let mut ready: Vec<_> = ready.collect();
        self.open -= ready.iter().filter(|(_, source)| source.is_some()).count();
        ready.sort_by(|(one, _), (other, _)| one.cmp(other));
        ready
    }
}

/// Whether there is nothing to read of a file. A closed file counts as read, because it is opened again when it changes.
fn is_read_or_closed<S: OpenFile>(tail: &Tail<'_, S>) -> bool {
    tail.source().is_none_or(|source| is_read(source, tail))
}
