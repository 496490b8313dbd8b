//! What a sequence of looks at names and files means. Pure: time, names and files are arguments.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FileId {
    /// The device that holds it.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
}

/// A file that was found under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The name.
    pub path: PathBuf,
    /// The file.
    pub id: FileId,
    /// Its bytes.
    pub size: u64,
    /// When it was changed, in nanoseconds since 1970.
    pub modified: i64,
}

/// What is to be done after a look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A file that was not there before: it is read from its beginning.
    Begin {
        /// What was found.
        found: Found,
        /// Whether it has come since the first look. Then it may be a copy of what was read, also under a name that is not
        /// new: what had it before was given another one.
        later: bool,
    },
    /// A file has another name.
    Renamed(FileId, PathBuf),
}

/// The files that are known, and their names.
#[derive(Debug, Default)]
pub struct FileTable {
    files: HashMap<FileId, Entry>,
    /// Where the names led at the last look.
    names: HashMap<PathBuf, FileId>,
    looked: bool,
}

#[derive(Debug)]
struct Entry {
    path: PathBuf,
    /// Since when no name leads to it.
    nameless: Option<Duration>,
}

/// A file to which no name leads any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nameless {
    /// The file.
    pub id: FileId,
    /// Since when.
    pub since: Duration,
    /// Whether another file has its name by now.
    pub replaced: bool,
}

impl FileTable {
    /// Takes in what a look has found. The first look is at what was there from the start.
    pub fn look(&mut self, found: &[Found], now: Duration) -> Vec<Step> {
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
                    // One of several names is as good as another, as long as it is there.
                    if entry.path != found.path && names.get(&entry.path) != Some(&found.id) {
                        entry.path.clone_from(&found.path);
                        steps.push(Step::Renamed(found.id, found.path.clone()));
                    }
                }
                None => {
                    self.files.insert(found.id, Entry { path: found.path.clone(), nameless: None });
                    steps.push(Step::Begin { found: found.clone(), later: self.looked });
                }
            }
        }
        for (id, entry) in &mut self.files {
            if !seen.contains(id) {
                entry.nameless.get_or_insert(now);
            }
        }
        self.names = names;
        self.looked = true;
        steps
    }

    /// The files to which no name leads.
    pub fn nameless(&self) -> impl Iterator<Item = Nameless> + '_ {
        self.files.iter().filter_map(|(&id, entry)| {
            let replaced = self.names.get(&entry.path).is_some_and(|other| *other != id);
            entry.nameless.map(|since| Nameless { id, since, replaced })
        })
    }

    /// Whether no name leads to a file any more.
    pub fn is_nameless(&self, id: FileId) -> bool {
        self.files.get(&id).is_some_and(|entry| entry.nameless.is_some())
    }

    /// Forgets a file: found again, it is another one.
    pub fn forget(&mut self, id: FileId) {
        self.files.remove(&id);
    }

    /// Whether nothing was looked at yet.
    pub fn is_unopened(&self) -> bool {
        !self.looked
    }

    /// Whether a file is known.
    pub fn knows(&self, id: FileId) -> bool {
        self.files.contains_key(&id)
    }

    /// Whether `path` is a name of a file that is known.
    pub fn is_name(&self, path: &Path) -> bool {
        self.names.contains_key(path)
    }
}

/// How long a file without a name must have been quiet before it is taken to be finished. Whoever writes it may hold it
/// open and not know yet that it was renamed; one that was deleted takes room on the disk until it is closed.
pub fn closing_delay(deleted: bool, replaced: bool) -> Duration {
    match (deleted, replaced) {
        (true, _) => Duration::from_secs(10),
        (false, true) => Duration::from_secs(30),
        (false, false) => Duration::from_secs(300),
    }
}

/// What a look at a file that is being read means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ContentCheck {
    /// It is the content that it was, perhaps longer.
    Same,
    /// It was truncated, and what it holds, if anything, is another content.
    Replaced,
}

/// What it means that a file of which `read` bytes were read has `size` bytes, and that those which were kept of what was
/// read still stand where they stood (`agrees`, asked only if they can).
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

    /// What a look at these names means, in words.
    fn look(files: &mut FileTable, second: u64, names: &[(&str, u64)]) -> Vec<String> {
        let steps = files.look(&found(names), Duration::from_secs(second)).into_iter().map(|step| match step {
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
        assert_eq!(look(&mut files, 0, &[("app.log", 1)]), ["begin app.log 1"]);
        assert_eq!(look(&mut files, 1, &[("app.log", 1)]), [""; 0]);
        assert_eq!(look(&mut files, 2, &[]), ["nameless 1 since 2"]);
        assert_eq!(look(&mut files, 3, &[("app.log", 2)]), ["begin app.log 2 later", "nameless 1 since 2 succeeded"]);
        files.forget(FileId { device: 1, inode: 1 });
        assert_eq!(look(&mut files, 4, &[("app.log", 2)]), [""; 0]);
    }

    #[test]
    fn under_a_glob_that_covers_it_a_rotated_file_has_another_name_and_is_not_begun_again() {
        let mut files = FileTable::default();
        assert_eq!(look(&mut files, 0, &[("a", 1), ("a.1", 2)]), ["begin a 1", "begin a.1 2"]);
        // a.1 → a.2, a → a.1, a new a.
        let steps = look(&mut files, 1, &[("a", 3), ("a.1", 1), ("a.2", 2)]);
        assert_eq!(steps, ["begin a 3 later", "renamed 1 a.1", "renamed 2 a.2"]);
    }

    #[test]
    fn a_file_that_comes_back_under_a_name_is_the_same_file() {
        let mut files = FileTable::default();
        look(&mut files, 0, &[("a", 1)]);
        assert_eq!(look(&mut files, 1, &[]), ["nameless 1 since 1"]);
        assert_eq!(look(&mut files, 2, &[("b", 1)]), ["renamed 1 b"]);
        assert_eq!(look(&mut files, 3, &[]), ["nameless 1 since 3"]);
    }

    #[test]
    fn of_several_names_for_one_file_the_first_counts_as_long_as_it_is_there() {
        let mut files = FileTable::default();
        assert_eq!(look(&mut files, 0, &[("a", 1), ("b", 1)]), ["begin a 1"]);
        assert_eq!(look(&mut files, 1, &[("0", 1), ("a", 1)]), [""; 0]);
        assert_eq!(look(&mut files, 2, &[("0", 1)]), ["renamed 1 0"]);
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
