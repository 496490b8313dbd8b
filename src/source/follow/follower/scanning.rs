//! Compares the names with the known files: which files are new, renamed or gone.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::state::{Follower, Open, Waiting};
use crate::source::follow::file_table::{FileId, Found, Step};
use crate::source::follow::tail::OpenFile;

impl<S: OpenFile> Follower<'_, S> {
    /// Takes the files that a scan has found. Returns the errors of files that could not be opened. They are tried
    /// again at the next scan.
    pub fn apply_scan(&mut self, found: &[Found], now: Duration, open: Open<S>) -> Vec<(PathBuf, io::Error)> {
        for found in found {
            if let Some(followed) = self.tails.get_mut(&found.id) {
                let changed = std::mem::replace(&mut followed.modified, found.modified) != found.modified;
                followed.size = found.size;
                if changed || followed.tail.bytes_read() != found.size {
                    followed.changed |= followed.tail.source().is_none();
                    self.mark(found.id);
                }
            } else if let Some(compressed) = self.compressed.get_mut(&found.id)
                && compressed.stamp != (found.size, found.modified)
            {
                (compressed.stamp, compressed.since) = ((found.size, found.modified), now);
                if compressed.given {
                    // The file was read before, and holds another content now.
                    (compressed.given, compressed.source) = (false, None);
                }
            }
        }
        self.scan_waiting(found);
        // The process may have closed other files since the limit was reached.
        self.most_open = self.most_open.saturating_mul(2).min(self.allowed);
        self.forget_reused(found);
        let doubted = std::mem::take(&mut self.in_doubt).then(|| self.closed_with_names());
        for step in self.files.apply_scan(found, now) {
            match step {
                Step::Begin { found, later } => {
                    let later = match self.context.changing.and_then(|changing| changing.place(&found.path)) {
                        Some(place) => self.sequences.add(&found, place.sequence),
                        None => Some(later),
                    };
                    if let Some(later) = later {
                        self.waiting.push_back(Waiting::new(found, later));
                    }
                }
                Step::Renamed(id, path) => {
                    if let Some(followed) = self.tails.get_mut(&id) {
                        followed.tail.rename(path);
                    } else if let Some(compressed) = self.compressed.get_mut(&id) {
                        compressed.path = path;
                    }
                }
            }
        }
        self.order_sequences(found);
        self.note_unfound();
        let failures = self.open_waiting(now, open);
        self.truncated.values_mut().for_each(|scanned| *scanned = true);
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
                // The file may have been written to without an event.
                self.lose(id);
            }
            if self.tails.contains_key(&id) {
                self.mark(id);
                continue;
            }
            match self.compressed.get(&id) {
                // The file is open, and is read when it does not change any more.
                Some(compressed) if !compressed.given && compressed.source.is_some() => continue,
                Some(compressed) if !compressed.given => self.lost.push(compressed.path.clone()),
                _ => {}
            }
            self.compressed.remove(&id);
            self.sequences.remove(id);
            self.files.forget(id);
        }
        failures
    }
}
