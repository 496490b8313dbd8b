//! Detects files that appeared and vanished before they could be opened, from the events about their names. Pure.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// An event about a name in a watched directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A file was created under the name.
    Made,
    /// The file was removed.
    Removed,
    /// The file was moved to another name, which may be anywhere. The number identifies the move.
    MovedFrom(u32),
    /// A file with another name was moved to this name. The number identifies the move.
    MovedTo(u32),
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Names whose files were not opened yet, as far as is known. The value says whether the file held data when it got
    /// the name.
    new: HashMap<PathBuf, bool>,
    /// Names that were known at the last scan, and whose files were removed or moved since then.
    ended: HashSet<PathBuf>,
    /// Moves whose new name was not reported yet.
    moves: HashMap<u32, Move>,
    /// Names of files that were written to since the last scan, and names of files that were written to between the
    /// last two scans.
    written: HashSet<PathBuf>,
    written_before: HashSet<PathBuf>,
    /// Whether it is unknown which files were written to since the last scan.
    in_doubt: bool,
    /// Names of files that were removed before they could be opened.
    lost: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
struct Move {
    was_open: bool,
    /// Whether the file holds data, as far as is known.
    is_filled: bool,
}

impl Arrivals {
    /// Takes the names of files that were written to; `None` if they are unknown. It must be called before
    /// [`take`](Self::take) gets the events about the same names.
    pub fn written(&mut self, names: Option<Vec<PathBuf>>) {
        self.in_doubt |= names.is_none();
        self.written.extend(names.into_iter().flatten());
    }

    /// Takes an event about `path`. `is_known` says whether the file was open, or was waiting to be opened, at the last
    /// scan. `is_followed` says whether a file with this name must be read.
    pub fn take(&mut self, path: &Path, change: Change, is_known: bool, is_followed: bool) {
        let was_open = is_known && !self.ended.contains(path);
        match change {
            Change::Made => {
                if is_followed && !was_open {
                    self.new.insert(path.to_owned(), false);
                }
            }
            Change::Removed => {
                self.remove(path);
                self.ended.insert(path.to_owned());
            }
            Change::MovedFrom(number) => {
                let is_filled = self.new.remove(path).is_none_or(|filled| filled || self.is_written(path));
                self.moves.insert(number, Move { was_open, is_filled });
                self.ended.insert(path.to_owned());
            }
            Change::MovedTo(number) => {
                // The move replaces the file that had the name before, and there is no event about that file.
                self.remove(path);
                self.ended.insert(path.to_owned());
                let moved = self.moves.remove(&number).unwrap_or(Move { was_open: false, is_filled: true });
                if is_followed && !moved.was_open {
                    self.new.insert(path.to_owned(), moved.is_filled);
                }
            }
        }
    }

    /// Handles the removal of a name. Data is lost if the file was new and held data.
    fn remove(&mut self, path: &Path) {
        if self.new.remove(path).is_some_and(|filled| filled || self.is_written(path)) {
            self.lost.push(path.to_owned());
        }
    }

    fn is_written(&self, path: &Path) -> bool {
        self.in_doubt || self.written.contains(path) || self.written_before.contains(path)
    }

    /// Records that a scan has opened the files that it found. `was_found` says whether the scan has found a file with
    /// this name. The file may have been removed since then: it is open, or the scan itself says that it is lost.
    pub fn scanned(&mut self, was_found: impl Fn(&Path) -> bool) {
        self.new.retain(|path, _| !was_found(path));
        self.ended.clear();
        self.moves.clear();
        // The event about a new file may come after the event about the data in it.
        let new = &self.new;
        self.written_before.retain(|path| new.contains_key(path));
        self.written_before.extend(self.written.drain());
        self.in_doubt = false;
    }

    /// The names of files that were removed before they could be opened. Each name is returned once.
    pub fn take_lost(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::Change::{Made, MovedFrom, MovedTo, Removed};
    use super::*;

    /// The names that are lost after these changes. The files with the names in `known` are open at the start. All
    /// files hold data.
    fn lost(known: &[&str], changes: &[(&str, Change)]) -> Vec<PathBuf> {
        let mut arrivals = Arrivals::default();
        arrivals.written(Some(changes.iter().map(|(path, _)| path.into()).collect()));
        for (path, change) in changes {
            arrivals.take(Path::new(path), *change, known.contains(path), path.ends_with(".log"));
        }
        arrivals.take_lost()
    }

    #[test]
    fn what_is_removed_before_a_look_is_lost_and_what_was_open_is_not() {
        assert_eq!(lost(&[], &[("a.log", Made), ("a.log", Removed)]), [PathBuf::from("a.log")]);
        assert_eq!(lost(&["a.log"], &[("a.log", Removed)]).len(), 0);
        assert_eq!(lost(&["a.log"], &[("a.log", Removed), ("a.log", Made), ("a.log", Removed)]).len(), 1);
        assert_eq!(lost(&[], &[("other", Made), ("other", Removed)]).len(), 0);
        assert_eq!(lost(&[], &[("a.log", Made)]).len(), 0, "it is there, and the next scan opens it");
    }

    #[test]
    fn a_file_that_moves_is_followed_under_its_new_name() {
        // The file is rotated and removed at once, while it is open.
        assert_eq!(lost(&["a.log"], &[("a.log", MovedFrom(1)), ("b.log", MovedTo(1)), ("b.log", Removed)]).len(), 0);
        // The same happens to a file that is not open.
        let moved = [("a.log", Made), ("a.log", MovedFrom(1)), ("b.log", MovedTo(1)), ("b.log", Removed)];
        assert_eq!(lost(&[], &moved), [PathBuf::from("b.log")]);
        // `sed -i` writes the file under another name, and moves it over the file that is followed.
        assert_eq!(lost(&["a.log"], &[("sedX", Made), ("sedX", MovedFrom(2)), ("a.log", MovedTo(2))]).len(), 0);
        // The file comes from another directory and is moved away again.
        assert_eq!(lost(&[], &[("a.log", MovedTo(3)), ("a.log", MovedFrom(4))]).len(), 0);
        assert_eq!(lost(&[], &[("a.log", MovedTo(3)), ("a.log", Removed)]).len(), 1);
        assert_eq!(lost(&[], &[("a.log", Made), ("a.log", MovedTo(3))]).len(), 1, "the first one was replaced");
    }

    #[test]
    fn a_file_in_which_nothing_was_written_is_no_loss() {
        let gone = |written: Option<&str>, changes: &[(&str, Change)]| {
            let mut arrivals = Arrivals::default();
            arrivals.written(written.map(|name| vec![name.into()]));
            changes.iter().for_each(|(path, change)| arrivals.take(Path::new(path), *change, false, true));
            arrivals.take_lost().len()
        };
        let removed = [("4913", Made), ("4913", Removed)];
        assert_eq!(gone(Some("other"), &removed), 0);
        assert_eq!(gone(Some("4913"), &removed), 1);
        assert_eq!(gone(None, &removed), 1, "it may have held something");
        let moved = [("a", Made), ("a", MovedFrom(1)), ("b", MovedTo(1)), ("b", Removed)];
        assert_eq!(gone(Some("other"), &moved), 0);
        assert_eq!(gone(Some("a"), &moved), 1);
        assert_eq!(gone(Some("b"), &moved), 1);
        assert_eq!(gone(Some("other"), &[("b", MovedTo(1)), ("b", Removed)]), 1, "it came from elsewhere");
    }

    #[test]
    fn what_was_written_is_known_although_the_name_is_told_later() {
        let mut arrivals = Arrivals::default();
        arrivals.written(Some(vec!["a.log".into(), "b.log".into()]));
        arrivals.scanned(|_| false);
        arrivals.take(Path::new("a.log"), Made, false, true);
        arrivals.scanned(|_| false);
        arrivals.take(Path::new("a.log"), Removed, false, true);
        assert_eq!(arrivals.take_lost(), [PathBuf::from("a.log")]);
        arrivals.scanned(|_| false);
        assert!(arrivals.written_before.is_empty(), "not remembered for ever");
    }

    #[test]
    fn a_look_opens_what_is_there() {
        let mut arrivals = Arrivals::default();
        arrivals.written(Some(vec!["a.log".into(), "b.log".into()]));
        arrivals.take(Path::new("a.log"), Made, false, true);
        arrivals.take(Path::new("b.log"), Made, false, true);
        arrivals.scanned(|path| path == Path::new("a.log"));
        arrivals.take(Path::new("a.log"), Removed, true, true);
        arrivals.take(Path::new("b.log"), Removed, false, true);
        assert_eq!(arrivals.take_lost(), [PathBuf::from("b.log")]);
    }
}
