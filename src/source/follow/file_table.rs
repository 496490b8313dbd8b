//! Interprets a sequence of scans of names and files: which files are new, renamed or without a name. This module is
//! pure: time, names and files are arguments.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The identity of a file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// The number of the device.
    pub device: u64,
    /// The number of the inode on the device.
    pub inode: u64,
}

/// A file that was found under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name.
    pub path: PathBuf,
    /// The file.
    pub id: FileId,
    /// Its size in bytes.
    pub size: u64,
    /// The time of its last change, in nanoseconds since 1970.
    pub modified: i64,
}

/// The reaction to a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A file is new and is read from its beginning.
    Begin {
        /// The file.
        found: Found,
        /// Whether the file appeared after the first scan. Then it may be a copy of a file that was read before. This
        /// is also possible if its name is known, because the older file of that name may have been renamed.
        later: bool,
    },
    /// A file has another name.
    Renamed(FileId, PathBuf),
}

/// The files that are known, and their names.
#[derive(Debug, Default)]
pub struct FileTable {
    files: HashMap<FileId, Entry>,
    /// The file of each name at the last scan.
    names: HashMap<PathBuf, FileId>,
    scanned: bool,
}

#[derive(Debug)]
struct Entry {
    path: PathBuf,
    /// The time since which the file has no name.
    nameless: Option<Duration>,
}

/// A file that has no name any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nameless {
    /// The file.
    pub id: FileId,
    /// The time since which it has no name.
    pub since: Duration,
    /// Whether another file has its former name now.
    pub replaced: bool,
}

impl FileTable {
    /// Takes the files that a scan has found. The first scan finds the files that were there at the start.
    pub fn apply_scan(&mut self, found: &[Found], now: Duration) -> Vec<Step> {
        let mut steps = Vec::new();
        let mut seen: HashSet<FileId> = HashSet::with_capacity(found.len());
        let names: HashMap<PathBuf, FileId> = found.iter().map(|found| (found.path.clone(), found.id)).collect();
        for found in found {
            if !seen.insert(found.id) {
                continue;
            }
            match self.files.get_mut(&found.id) {
                Some(entry) => {
                    entry.nameless = None;
                    // If a file has several names, the first one is used as long as it exists.
                    if entry.path != found.path && names.get(&entry.path) != Some(&found.id) {
                        entry.path.clone_from(&found.path);
                        steps.push(Step::Renamed(found.id, found.path.clone()));
                    }
                }
                None => {
                    self.files.insert(found.id, Entry { path: found.path.clone(), nameless: None });
                    steps.push(Step::Begin { found: found.clone(), later: self.scanned });
                }
            }
        }
        for (id, entry) in &mut self.files {
            if !seen.contains(id) {
                entry.nameless.get_or_insert(now);
            }
        }
        self.names = names;
        self.scanned = true;
        steps
    }

    /// The files that have no name.
    pub fn nameless(&self) -> impl Iterator<Item = Nameless> + '_ {
        self.files.iter().filter_map(|(&id, entry)| {
            let replaced = self.names.get(&entry.path).is_some_and(|other| *other != id);
            entry.nameless.map(|since| Nameless { id, since, replaced })
        })
    }

    /// Whether a file has no name any more.
    pub fn is_nameless(&self, id: FileId) -> bool {
        self.files.get(&id).is_some_and(|entry| entry.nameless.is_some())
    }

    /// Forgets a file. If it is found again, it counts as a new file.
    pub fn forget(&mut self, id: FileId) {
        self.files.remove(&id);
    }

    /// Whether there was no scan yet.
    pub fn is_unopened(&self) -> bool {
        !self.scanned
    }

    /// Returns the name of a known file.
    pub fn path(&self, id: FileId) -> Option<&Path> {
        self.files.get(&id).map(|entry| &*entry.path)
    }

    /// Whether a file is known.
    pub fn knows(&self, id: FileId) -> bool {
        self.files.contains_key(&id)
    }

    /// Whether `path` is the name of a known file.
    pub fn is_name(&self, path: &Path) -> bool {
        self.names.contains_key(path)
    }
}

/// How long a file without a name must not change before it counts as finished. Its writer may have it open and may not
/// know yet that it was renamed. A deleted file occupies disk space until it is closed.
pub fn closing_delay(deleted: bool, replaced: bool) -> Duration {
    match (deleted, replaced) {
        (true, _) => Duration::from_secs(10),
        (false, true) => Duration::from_secs(30),
        (false, false) => Duration::from_secs(300),
    }
}

/// The result of a check of a file that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentCheck {
    /// The content is the same, and may be longer.
    Same,
    /// The file was truncated, and holds another content or nothing.
    Replaced,
}

/// Compares a file of `size` bytes with the content of which `read` bytes were read. `agrees` says whether the bytes
/// that were kept of that content are still at their places. It is called only if the file is long enough.
pub fn check_content(read: u64, size: u64, agrees: impl FnOnce() -> bool) -> ContentCheck {
    if size >= read && agrees() { ContentCheck::Same } else { ContentCheck::Replaced }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(names: &[(&str, u64)]) -> Vec<Found> {
        let id = |inode| FileId { device: 1, inode };
        names.iter().map(|&(name, inode)| Found { path: name.into(), id: id(inode), size: 0, modified: 0 }).collect()
    }

    /// The result of a scan of these names, in words.
    fn scan(files: &mut FileTable, second: u64, names: &[(&str, u64)]) -> Vec<String> {
        let steps = files.apply_scan(&found(names), Duration::from_secs(second)).into_iter().map(|step| match step {
            Step::Begin { found, later } => {
                format!("begin {} {}{}", found.path.display(), found.id.inode, if later { " later" } else { "" })
            }
            Step::Renamed(id, path) => format!("renamed {} {}", id.inode, path.display()),
        });
        let steps: Vec<String> = steps.collect();
        let nameless = files.nameless().map(|file| {
            format!(
                "nameless {} since {}{}",
                file.id.inode,
                file.since.as_secs(),
                if file.replaced { " succeeded" } else { "" }
            )
        });
        let mut nameless: Vec<String> = nameless.collect();
        nameless.sort();
        [steps, nameless].concat()
    }

    #[test]
    fn a_rotation_by_rename_is_a_nameless_file_and_its_successor() {
        let mut files = FileTable::default();
        assert_eq!(scan(&mut files, 0, &[("app.log", 1)]), ["begin app.log 1"]);
        assert_eq!(scan(&mut files, 1, &[("app.log", 1)]), [""; 0]);
        assert_eq!(scan(&mut files, 2, &[]), ["nameless 1 since 2"]);
        assert_eq!(scan(&mut files, 3, &[("app.log", 2)]), ["begin app.log 2 later", "nameless 1 since 2 succeeded"]);
        files.forget(FileId { device: 1, inode: 1 });
        assert_eq!(scan(&mut files, 4, &[("app.log", 2)]), [""; 0]);
    }

    #[test]
    fn under_a_glob_that_covers_it_a_rotated_file_has_another_name_and_is_not_begun_again() {
        let mut files = FileTable::default();
        assert_eq!(scan(&mut files, 0, &[("a", 1), ("a.1", 2)]), ["begin a 1", "begin a.1 2"]);
        // The renames are a.1 → a.2 and a → a.1. Then a new file a appears.
        let steps = scan(&mut files, 1, &[("a", 3), ("a.1", 1), ("a.2", 2)]);
        assert_eq!(steps, ["begin a 3 later", "renamed 1 a.1", "renamed 2 a.2"]);
    }

    #[test]
    fn a_file_that_comes_back_under_a_name_is_the_same_file() {
        let mut files = FileTable::default();
        scan(&mut files, 0, &[("a", 1)]);
        assert_eq!(scan(&mut files, 1, &[]), ["nameless 1 since 1"]);
        assert_eq!(scan(&mut files, 2, &[("b", 1)]), ["renamed 1 b"]);
        assert_eq!(scan(&mut files, 3, &[]), ["nameless 1 since 3"]);
    }

    #[test]
    fn of_several_names_for_one_file_the_first_counts_as_long_as_it_is_there() {
        let mut files = FileTable::default();
        assert_eq!(scan(&mut files, 0, &[("a", 1), ("b", 1)]), ["begin a 1"]);
        assert_eq!(scan(&mut files, 1, &[("0", 1), ("a", 1)]), [""; 0]);
        assert_eq!(scan(&mut files, 2, &[("0", 1)]), ["renamed 1 0"]);
    }

    #[test]
    fn a_content_begins_anew_when_it_is_shorter_or_something_else() {
        assert_eq!(check_content(10, 10, || true), ContentCheck::Same);
        assert_eq!(check_content(10, 99, || true), ContentCheck::Same);
        assert_eq!(check_content(10, 9, || true), ContentCheck::Replaced);
        assert_eq!(check_content(10, 0, || true), ContentCheck::Replaced);
        assert_eq!(
            check_content(10, 12, || false),
            ContentCheck::Replaced,
            "truncated, and more was written than before"
        );
        assert_eq!(check_content(0, 0, || true), ContentCheck::Same);
    }
}
