//! Logs that are sequences of files: the files of a log are read from the oldest to the newest, and a line that a rotation cut is
//! joined.

use std::collections::HashMap;
use std::path::Path;

use super::state::{Follower, NextStep, Open};
use crate::core::error::{Error, Result};
use crate::source::follow::file_table::{FileId, Found};
use crate::source::follow::tail::{OpenFile, TurnResult};

/// The most bytes that are read of a newer file to find the end of a line.
const MAX_HEAD: usize = 8 << 20;

impl<S: OpenFile> Follower<'_, S> {
    /// Takes an event about a new file of a log. Returns whether `path` belongs to a log.
    pub fn take_made(&mut self, path: &Path, is_made: bool) -> bool {
        let Some(place) = self.context.changing.and_then(|changing| changing.place(path)) else { return false };
        if is_made && place.age == 0 {
            self.sequences.take_made(place.sequence, path);
        }
        true
    }

    /// Records that the files of these logs were looked for.
    pub fn have_looked(&mut self, logs: Vec<u64>) {
        self.sequences.have_looked(logs);
    }

    /// Reads the file that comes after the file `id` in its log, which is not read any more.
    pub(super) fn wake_newer(&mut self, id: FileId) {
        if let Some(newer) = self.sequences.newer(id)
            && let Some(followed) = self.tails.get_mut(&newer)
        {
            followed.changed = true;
            self.mark(newer);
        }
    }

    /// Records files of logs that were made and removed between two looks. A look comes before this.
    pub(super) fn note_unfound(&mut self) {
        let unfound = self.sequences.take_unfound();
        self.lost.extend(unfound);
    }

    /// Forgets compressed files of logs whose inode now belongs to a file that is not compressed. They are not kept open, so the
    /// system gives their inodes to new files soon.
    pub(super) fn forget_reused(&mut self, found: &[Found]) {
        if self.context.changing.is_none() {
            return;
        }
        let is_compressed = |path: &Path| path.extension().is_some_and(|extension| extension == "gz");
        for Found { id, .. } in found.iter().filter(|found| !is_compressed(&found.path)) {
            if self.files.path(*id).is_some_and(is_compressed) && !self.tails.contains_key(id) {
                let unread = self.compressed.remove(id).filter(|compressed| !compressed.given);
                self.lost.extend(unread.map(|compressed| compressed.path));
                self.sequences.remove(*id);
                self.files.forget(*id);
            }
        }
    }

    /// Orders the files of each log that has another file: files without a name are older than all others.
    pub(super) fn order_sequences(&mut self, found: &[Found]) {
        let Some(changing) = self.context.changing else { return };
        if !self.sequences.is_changed() {
            return;
        }
        let place = |found: &Found| Some((found.id, changing.place(&found.path)?.age));
        let ages: HashMap<FileId, u32> = found.iter().rev().filter_map(place).collect();
        self.sequences.order(&ages);
    }

    /// Returns the oldest file of the same log that has to be read before the file `id`.
    pub(super) fn older_unread(&self, id: FileId) -> Option<FileId> {
        let older = self.sequences.of(id).iter().take_while(|other| **other != id);
        older.copied().find(|other| !self.is_done(*other))
    }

    /// Whether an older file of the same log has to be read before the file `id`. That file is then read next.
    pub(super) fn waits_for_older(&mut self, id: FileId) -> bool {
        let older = self.older_unread(id);
        if let Some(older) = older
            && let Some(followed) = self.tails.get_mut(&older)
        {
            // It may be closed, and may wait for the rest of a line alone.
            followed.changed = true;
            self.mark(older);
        }
        older.is_some() || self.sequences.is_finished(id)
    }

    /// Whether a file was found that is not open yet, and that can be opened as far as is known.
    pub(super) fn waits_to_open(&self, id: FileId) -> bool {
        self.waiting.iter().any(|waiting| waiting.found.id == id && waiting.next != NextStep::Skip)
    }

    /// Whether nothing of a file is to be read before the next file of its log.
    fn is_done(&self, id: FileId) -> bool {
        self.sequences.is_finished(id) || !(self.tails.contains_key(&id) || self.waits_to_open(id))
    }

    /// Ends a file that was read to its end if its log has a newer one. If the end is in the middle of a line, the rest is taken
    /// from the newer file. Returns `false` if the receiver wants no more.
    pub(super) fn pass_to_newer(
        &mut self,
        id: FileId,
        open_file: Open<S>,
        failed: &mut dyn FnMut(Error),
    ) -> Result<bool> {
        let newer = self.sequences.newer(id).filter(|_| !self.sequences.is_finished(id));
        let Some(newer) = newer else { return Ok(true) };
        let Some(followed) = self.tails.get(&id).filter(|_| !self.waits_to_open(newer)) else { return Ok(true) };
        let open = followed.tail.cut_lines();
        if open.is_open() {
            // Without a free file descriptor, the newer file is tried again later. This file is then read again before it.
            if self.tails.contains_key(&newer) && !self.ensure_open(newer, open_file, failed) {
                return Ok(true);
            }
            let Some(followed) = self.tails.get(&id) else { return Ok(true) };
            let is_late = followed.tail.last_growth().saturating_add(self.context.timeout) <= self.read_at;
            let head = self.tails.get(&newer).and_then(|newer| newer.tail.head(MAX_HEAD)).unwrap_or_default();
            match open.rest(&head) {
                Some(rest) => {
                    let head = &head[..rest];
                    if let Some(followed) = self.tails.get_mut(&id)
                        && followed.tail.append(&self.context, head)? == TurnResult::Unwanted
                    {
                        return Ok(false);
                    }
                    if let Some(newer) = self.tails.get_mut(&newer) {
                        newer.tail.skip_head(head);
                    }
                }
                None if is_late || head.len() >= MAX_HEAD || !self.tails.contains_key(&newer) => {}
                // The newer file is read again when it grows.
                None => return Ok(true),
            }
        }
        if let Some(followed) = self.tails.get_mut(&id) {
            followed.tail.end(&self.context, true)?;
        }
        self.sequences.finish(id);
        self.wake_newer(id);
        Ok(true)
    }
}
