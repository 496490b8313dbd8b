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
    /// Names whose files were not opened yet, as far as is known.
    new: HashSet<PathBuf>,
    /// Names that were known at the last look and have lost their files since.
    ended: HashSet<PathBuf>,
    /// Moves of which the new name was not told yet, and whether the file was opened.
    moves: HashMap<u32, bool>,
    /// Those that were removed before their files could be opened.
    lost: Vec<PathBuf>,
}

impl Arrivals {
    /// Takes in what happened to `path`. `is_known` tells whether its file was open, or on the list of those to be
    /// opened, at the last look; `is_followed` whether what is under that name is to be read.
    pub fn take(&mut self, path: &Path, change: Change, is_known: bool, is_followed: bool) {
        let was_open = is_known && !self.ended.contains(path);
        match change {
            Change::Made => {
                if is_followed && !was_open {
                    self.new.insert(path.to_owned());
                }
            }
            Change::Removed => {
                if self.new.remove(path) {
                    self.lost.push(path.to_owned());
                }
                self.ended.insert(path.to_owned());
            }
            Change::MovedFrom(number) => {
                self.new.remove(path);
                self.moves.insert(number, was_open);
                self.ended.insert(path.to_owned());
            }
            Change::MovedTo(number) => {
                // What had the name before is gone without a word of its own.
                if self.new.remove(path) {
                    self.lost.push(path.to_owned());
                }
                self.ended.insert(path.to_owned());
                if is_followed && !self.moves.remove(&number).unwrap_or(false) {
                    self.new.insert(path.to_owned());
                }
            }
        }
    }

    /// A look has opened what it found. `is_there` tells of a name whether anything is under it now.
    pub fn looked(&mut self, is_there: impl Fn(&Path) -> bool) {
        self.new.retain(|path| !is_there(path));
        self.ended.clear();
        self.moves.clear();
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

    /// What is lost after these changes, of which `known` names are open from the start.
    fn lost(known: &[&str], changes: &[(&str, Change)]) -> Vec<PathBuf> {
        let mut arrivals = Arrivals::default();
        for (path, change) in changes {
            arrivals.take(Path::new(path), *change, known.contains(path), path.ends_with(".log"));
        }
        arrivals.take_lost()
    }

    #[test]
    fn what_is_removed_before_a_look_is_lost_and_what_was_open_is_not() {
        assert_eq!(lost(&[], &[("a.log", Made), ("a.log", Removed)]), [PathBuf::from("a.log")]);
        assert_eq!(lost(&["a.log"], &[("a.log", Removed)]), [PathBuf::new(); 0]);
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
    fn a_look_opens_what_is_there() {
        let mut arrivals = Arrivals::default();
        arrivals.take(Path::new("a.log"), Made, false, true);
        arrivals.take(Path::new("b.log"), Made, false, true);
        arrivals.looked(|path| path == Path::new("a.log"));
        arrivals.take(Path::new("a.log"), Removed, true, true);
        arrivals.take(Path::new("b.log"), Removed, false, true);
        assert_eq!(arrivals.take_lost(), [PathBuf::from("b.log")]);
    }
}
