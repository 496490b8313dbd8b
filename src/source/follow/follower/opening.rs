//! Opens and closes files. Near the limit of file descriptors, quiet files are closed. They are opened again when they
//! change.

use std::collections::{HashMap, HashSet};
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use nix::errno::Errno;

use super::state::{FollowedFile, Follower, NextStep, Open, is_read};
use crate::core::error::Error;
use crate::source::follow::file_table::{FileId, Found};
use crate::source::follow::tail::{OpenFile, Tail};

/// Whether the error says that there are no file descriptors left.
fn wants_descriptors(error: &io::Error) -> bool {
    [Errno::EMFILE, Errno::ENFILE].iter().any(|errno| error.raw_os_error() == Some(*errno as i32))
}

impl<S: OpenFile> Follower<'_, S> {
    /// Takes the result of a scan for the files that wait to be opened.
    pub(super) fn scan_waiting(&mut self, found: &[Found]) {
        if self.waiting.is_empty() {
            return;
        }
        let found: HashMap<FileId, &Found> = found.iter().map(|found| (found.id, found)).collect();
        for mut waiting in std::mem::take(&mut self.waiting) {
            match found.get(&waiting.found.id) {
                Some(&found) => {
                    waiting.found.clone_from(found);
                    waiting.next = NextStep::Open;
                    self.waiting.push_back(waiting);
                }
                None => {
                    self.files.forget(waiting.found.id);
                    self.sequences.remove(waiting.found.id);
                    if waiting.found.size > 0 {
                        self.lost.push(waiting.found.path);
                    }
                }
            }
        }
    }

    /// Whether there are files that wait to be opened and may be opened now.
    pub(super) fn is_opening(&self) -> bool {
        self.waiting.iter().any(|waiting| waiting.next == NextStep::Open)
    }

    /// Whether a waiting file can be opened now.
    pub fn may_open_more(&self) -> bool {
        self.is_opening() && (self.open < self.most_open || self.tails.iter().any(|(id, it)| self.may_close(*id, it)))
    }

    /// Opens waiting files, as many as there are file descriptors for. Returns the errors.
    pub fn open_waiting(&mut self, now: Duration, open: Open<S>) -> Vec<(PathBuf, io::Error)> {
        let mut failures = Vec::new();
        if !self.is_opening() {
            return failures;
        }
        let mut all = std::mem::take(&mut self.waiting);
        while let Some(mut waiting) = all.pop_front() {
            if waiting.next != NextStep::Open {
                self.waiting.push_back(waiting);
                continue;
            }
            if !self.make_room() {
                self.waiting.push_back(waiting);
                self.waiting.append(&mut all);
                break;
            }
            let found = waiting.found.clone();
            match open(&found) {
                Ok(Some(source)) => {
                    self.open += 1;
                    let memory = if waiting.later { self.compared } else { self.uncompared };
                    let tail = Tail::new(source, found.path.clone(), &self.context, memory, now);
                    let (modified, size, compared) = (found.modified, found.size, waiting.later);
                    let id = found.id;
                    self.tails.insert(id, FollowedFile { tail, modified, size, compared, changed: false });
                    self.mark(id);
                }
                Ok(None) => {}
                Err(error) => {
                    match error.kind() {
                        // The file is gone or has another name now. The next scan decides. Under the same name it is not looked for
                        // twice.
                        io::ErrorKind::NotFound => {
                            let is_again = waiting.missed_at.as_ref() == Some(&found.path);
                            waiting.next = if is_again { NextStep::Skip } else { NextStep::Scan };
                            waiting.missed_at = Some(found.path.clone());
                            self.missed.insert(found.id);
                        }
                        // If some of our own files are open, one of them can be closed, and the file is tried again at once.
                        _ if wants_descriptors(&error) => {
                            waiting.next = if self.open == 0 { NextStep::Scan } else { NextStep::Open };
                            self.are_too_many();
                        }
                        _ => {
                            waiting.next = NextStep::Skip;
                            failures.push((found.path.clone(), error));
                        }
                    }
                    self.waiting.push_back(waiting);
                }
            }
        }
        failures
    }

    /// Opens the file `id` again if it is closed. Returns whether it is open now. If it is not, it is tried again
    /// later.
    pub(super) fn ensure_open(&mut self, id: FileId, open: Open<S>, failed: &mut dyn FnMut(Error)) -> bool {
        let Some(followed) = self.tails.get(&id) else { return false };
        if followed.tail.source().is_some() {
            return true;
        }
        let (path, size, modified) = (followed.tail.path().to_owned(), followed.size, followed.modified);
        if !self.make_room() {
            self.postponed.insert(id);
            return false;
        }
        match open(&Found { path: path.clone(), id, size, modified }) {
            Ok(source) => {
                let Some(followed) = self.tails.get_mut(&id) else { return false };
                if let Some(source) = source {
                    followed.tail.reopen(source);
                    self.open += 1;
                    return true;
                }
                false
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.missed.insert(id);
                false
            }
            Err(error) if wants_descriptors(&error) => {
                self.are_too_many();
                self.postponed.insert(id);
                false
            }
            Err(error) => {
                let name = path.display();
                failed(Error::input(format!("{name}: cannot be opened again to read the new data")).because(error));
                self.remove(id);
                false
            }
        }
    }

    /// Lowers the limit of open files, because there are fewer file descriptors than expected.
    fn are_too_many(&mut self) {
        self.most_open = self.open.saturating_sub(1).max(1);
        self.make_room();
    }

    /// Closes quiet files if the limit is reached, and files that wait for an older one. Returns whether one more file may be opened.
    fn make_room(&mut self) -> bool {
        if self.open < self.most_open {
            return true;
        }
        let quiet = self.tails.iter().filter(|(id, followed)| self.may_close(**id, followed));
        let mut quiet: Vec<(Duration, FileId)> =
            quiet.map(|(id, followed)| (followed.tail.last_growth(), *id)).collect();
        quiet.sort_unstable();
        // Several files are closed at once, so that the list is not sorted for each of them.
        let surplus = self.open - self.most_open + self.most_open.div_ceil(4);
        for (_, id) in quiet.into_iter().take(surplus) {
            let Some(followed) = self.tails.get_mut(&id) else { continue };
            if let Some(source) = followed.tail.close() {
                followed.changed = !is_read(&source, &followed.tail);
                self.open -= 1;
                self.closed += 1;
            }
        }
        if self.open >= self.most_open {
            // Compressed files can be opened again by their names.
            let compressed =
                self.compressed.values_mut().filter_map(|compressed| compressed.source.take()).take(surplus).count();
            self.open -= compressed;
        }
        self.open < self.most_open
    }

    /// The files that are closed and have a name, as far as is known.
    pub(super) fn closed_with_names(&self) -> HashSet<FileId> {
        let closed = self.tails.iter().filter(|(_, followed)| followed.tail.source().is_none());
        closed.map(|(id, _)| *id).filter(|id| !self.files.is_nameless(*id)).collect()
    }

    /// Whether a file is open and can be opened again by its name, and there is nothing to read of it now: it was read to its end,
    /// or an older file of its log has to be read first.
    fn may_close(&self, id: FileId, followed: &FollowedFile<S>) -> bool {
        let Some(source) = followed.tail.source() else { return false };
        let is_quiet = || !self.is_dirty.contains(&id) && is_read(source, &followed.tail);
        !self.truncated.contains_key(&id)
            && !self.files.is_nameless(id)
            && (is_quiet() || self.older_unread(id).is_some())
    }

    /// Ends the reading of a file.
    pub(super) fn remove(&mut self, id: FileId) {
        if self.tails.remove(&id).and_then(|mut followed| followed.tail.close()).is_some() {
            self.open -= 1;
        }
        self.sequences.remove(id);
    }

    /// Records that a file was lost: it was closed, was written to after that, and has no name any more.
    pub(super) fn lose(&mut self, id: FileId) {
        if let Some(followed) = self.tails.get_mut(&id) {
            self.lost.push(followed.tail.path().to_owned());
            followed.changed = false;
            self.ended.insert(id);
        }
    }

    /// Records that the file `id` does not exist any more.
    pub fn gone(&mut self, id: FileId) {
        let is_closed = |followed: &FollowedFile<S>| followed.tail.source().is_none();
        if let Some(followed) = self.tails.get_mut(&id).filter(|followed| is_closed(followed)) {
            if std::mem::take(&mut followed.changed) {
                self.lost.push(followed.tail.path().to_owned());
            }
            self.ended.insert(id);
        }
    }

    /// The number of times that a file was closed because file descriptors were missing.
    pub fn closed(&self) -> usize {
        self.closed
    }
}
