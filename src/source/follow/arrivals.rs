//! Names that came and went before their files could be opened, as events tell of them. Pure.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

/// What happened to a name in a directory that is watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// A file was made under it.
    Made,
    /// Its file was removed.
    Removed,
    /// Its file was given another name, which may be anywhere. The number is that of the move.
    MovedFrom(u32),
    /// A file that had another name got it. The number is that of the move.
    MovedTo(u32),
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct Arrivals {
    /// Names whose files were not opened yet, as far as is known, and whether something was in the files when they got them.
    new: HashMap<PathBuf, bool>,
    /// Names that were known at the last look and have lost their files since.
    ended: HashSet<PathBuf>,
    /// Moves of which the new name was not told yet.
    moves: HashMap<u32, Move>,
    /// Names under which something was written since the last look, and since the one before it.
    written: HashSet<PathBuf>,
    written_before: HashSet<PathBuf>,
    /// Under which names something was written since the last look is not known.
    in_doubt: bool,
    /// Those that were removed before their files could be opened.
    lost: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy)]
struct Move {
    was_open: bool,
    /// Whether something was in the file, as far as is known.
    is_filled: bool,
}

impl Arrivals {
    /// Takes in under which names something was written; `None` when that is not known. It is told before what happened to
    /// the names.
    pub fn written(&mut self, names: Option<Vec<PathBuf>>) {
        self.in_doubt |= names.is_none();
        self.written.extend(names.into_iter().flatten());
    }

    /// Takes in what happened to `path`. `is_known` tells whether its file was open, or on the list of those to be
    /// opened, at the last look; `is_followed` whether what is under that name is to be read.
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
                // What had the name before is gone without a word of its own.
                self.remove(path);
                self.ended.insert(path.to_owned());
                let moved = self.moves.remove(&number).unwrap_or(Move { was_open: false, is_filled: true });
                if is_followed && !moved.was_open {
                    self.new.insert(path.to_owned(), moved.is_filled);
                }
            }
        }
    }

    /// A name is gone; that is a loss if its file was new and something was in it.
    fn remove(&mut self, path: &Path) {
        if self.new.remove(path).is_some_and(|filled| filled || self.is_written(path)) {
            self.lost.push(path.to_owned());
        }
    }

    fn is_written(&self, path: &Path) -> bool {
        self.in_doubt || self.written.contains(path) || self.written_before.contains(path)
    }

    /// A look has opened what it found. `is_there` tells of a name whether anything is under it now.
    pub fn looked(&mut self, is_there: impl Fn(&Path) -> bool) {
        self.new.retain(|path, _| !is_there(path));
        self.ended.clear();
        self.moves.clear();
        // That a file was made may be told after what was written to it.
        let new = &self.new;
        self.written_before.retain(|path| new.contains_key(path));
        self.written_before.extend(self.written.drain());
        self.in_doubt = false;
    }

    /// The names that were removed before their files could be opened; each is told once.
    pub fn take_lost(&mut self) -> Vec<PathBuf> {
        std::mem::take(&mut self.lost)
    }
}

#[cfg(test)]
mod tests {
    use super::Change::{Made, MovedFrom, MovedTo, Removed};
    use super::*;

    /// What is lost after these changes, of which `known` names are open from the start. Something is written to all files.
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
        assert_eq!(lost(&[], &[("a.log", Made)]).len(), 0, "it is there, and the next look opens it");
    }

    #[test]
    fn a_file_that_moves_is_followed_under_its_new_name() {
        // Rotated and removed at once, while it was open.
        assert_eq!(lost(&["a.log"], &[("a.log", MovedFrom(1)), ("b.log", MovedTo(1)), ("b.log", Removed)]).len(), 0);
        // The same with one that was not.
        let moved = [("a.log", Made), ("a.log", MovedFrom(1)), ("b.log", MovedTo(1)), ("b.log", Removed)];
        assert_eq!(lost(&[], &moved), [PathBuf::from("b.log")]);
        // As `sed -i` does it: written under another name, and moved over the one that is followed.
        assert_eq!(lost(&["a.log"], &[("sedX", Made), ("sedX", MovedFrom(2)), ("a.log", MovedTo(2))]).len(), 0);
        // From elsewhere, and away again.
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
        arrivals.looked(|_| false);
        arrivals.take(Path::new("a.log"), Made, false, true);
        arrivals.looked(|_| false);
        arrivals.take(Path::new("a.log"), Removed, false, true);
        assert_eq!(arrivals.take_lost(), [PathBuf::from("a.log")]);
        arrivals.looked(|_| false);
        assert!(arrivals.written_before.is_empty(), "not remembered for ever");
    }

    #[test]
    fn a_look_opens_what_is_there() {
        let mut arrivals = Arrivals::default();
        arrivals.written(Some(vec!["a.log".into(), "b.log".into()]));
        arrivals.take(Path::new("a.log"), Made, false, true);
        arrivals.take(Path::new("b.log"), Made, false, true);
        arrivals.looked(|path| path == Path::new("a.log"));
        arrivals.take(Path::new("a.log"), Removed, true, true);
        arrivals.take(Path::new("b.log"), Removed, false, true);
        assert_eq!(arrivals.take_lost(), [PathBuf::from("b.log")]);
    }
}
