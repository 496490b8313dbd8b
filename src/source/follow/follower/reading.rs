//! Reads the files in turns.

use std::time::Duration;

use super::beginning::{Beginning, beginning};
use super::state::{Compressed, FollowedFile, Follower, Open};
use crate::core::error::{Error, Result};
use crate::source::follow::file_table::{FileId, Found};
use crate::source::follow::tail::{OpenFile, TurnResult};

impl<'a, S: OpenFile> Follower<'a, S> {
    /// Gives a turn to each file that may hold unread bytes, unless the receiver has no room. `open` opens files again
    /// that were closed. Returns `false` if the receiver wants no more.
    ///
    /// # Errors
    /// The errors of the receiver. An error of a file goes to `failed`, and the file is not read any further.
    pub fn read(
        &mut self,
        now: Duration,
        open: Open<S>,
        failed: &mut dyn FnMut(Error),
        counted: &mut dyn FnMut(u64),
    ) -> Result<bool> {
        self.has_read_bytes = false;
        self.read_at = now;
        if !self.context.receiver.has_room() {
            return Ok(true);
        }
        std::mem::take(&mut self.postponed).into_iter().for_each(|id| self.mark(id));
        // A file that may be a copy is read after all other files. Only then is it known whether it is a copy.
        let may_be_copy = |id: &FileId| {
            self.tails.get(id).is_some_and(|followed| followed.compared && followed.tail.bytes_read() == 0)
        };
        let (copies, others): (Vec<FileId>, Vec<FileId>) =
            std::mem::take(&mut self.dirty).into_iter().partition(may_be_copy);
        let first_copy = others.len();
        for (index, id) in others.into_iter().chain(copies).enumerate() {
            if index >= first_copy && self.is_behind() {
                self.dirty.push_back(id);
                continue;
            }
            if !self.context.receiver.has_room() {
                self.dirty.push_back(id);
                continue;
            }
            self.is_dirty.remove(&id);
            if self.waits_for_older(id) {
                continue;
            }
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
            if truncated.is_some() && followed.tail.begin_new_content(&self.context, copied)? == TurnResult::Unwanted {
                return Ok(false);
            }
            let before = followed.tail.bytes_read();
            if before == 0 {
                let begins = followed.tail.source().map(beginning);
                match begins.unwrap_or(Ok(Beginning::Plain)) {
                    Ok(Beginning::Plain) => {}
                    Ok(Beginning::Unknown)
                        if now < followed.tail.last_growth().saturating_add(self.context.timeout) =>
                    {
                        continue;
                    }
                    Ok(Beginning::Unknown) => {}
                    Ok(Beginning::Compressed(size)) => {
                        let stamp = (size, followed.modified);
                        let path = followed.tail.path().to_owned();
                        let source = self.tails.remove(&id).and_then(|mut followed| followed.tail.close());
                        self.compressed.insert(id, Compressed { path, stamp, since: now, given: false, source });
                        self.wake_newer(id);
                        continue;
                    }
                    // The next read reports the error and its offset.
                    Err(_) => {}
                }
            }
            let read = followed.tail.read(&self.context, now)?;
            let after = followed.tail.bytes_read();
            self.has_read_bytes |= after != before;
            counted(after.saturating_sub(before));
            match read {
                Ok(TurnResult::All) => {
                    followed.changed = false;
                    if !self.pass_to_newer(id, open, failed)? {
                        return Ok(false);
                    }
                }
                Ok(TurnResult::More | TurnResult::Paused) => self.mark(id),
                Ok(TurnResult::Truncated) => {
                    self.truncated.insert(id, false);
                }
                Ok(TurnResult::Unwanted) => return Ok(false),
                Err(error) => {
                    let name = followed.tail.path().display();
                    failed(Error::input(format!("{name}: cannot be read further at byte {after}")).because(error));
                    followed.tail.end(&self.context, true)?;
                    self.wake_newer(id);
                    // The file stays in the file table, so that it is not read again from its beginning.
                    self.remove(id);
                }
            }
        }
        Ok(true)
    }

    /// Whether another file holds the bytes that were read of the file `id`. Closed files are opened for the
    /// comparison.
    pub(super) fn is_copied(&self, id: FileId, open: Open<S>) -> bool {
        let Some(FollowedFile { tail: truncated, .. }) = self.tails.get(&id) else { return false };
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
}
