//! Describes the bytes of followed files that were not read: lost files, and files that hold unread bytes.

use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::core::numbers::grouped;
use crate::observe::receipt::UnreadFile;

/// The maximum number of files that a sentence names.
const NAMED: usize = 3;

/// Files that are gone, and of which some bytes were not read: the first names, and the number of files.
#[derive(Debug, Default)]
pub(super) struct Lost {
    names: Vec<PathBuf>,
    count: u64,
}

impl Lost {
    /// Adds a file.
    pub(super) fn add(&mut self, path: PathBuf) {
        self.join(Lost { names: vec![path], count: 1 });
    }

    /// Adds the files of `other`.
    pub(super) fn join(&mut self, other: Lost) {
        self.names.extend(other.names);
        self.names.truncate(NAMED);
        self.count += other.count;
    }

    /// A sentence about the files; `None` if there are none.
    pub(super) fn sentence(&self) -> Option<String> {
        let names: Vec<String> = self.names.iter().map(|path| path.display().to_string()).collect();
        let names = names.join(", ");
        match (self.count, self.count - self.names.len() as u64) {
            (0, _) => None,
            (1, _) => Some(format!("{names}: gone before it was read to its end")),
            (_, 0) => Some(format!("{names}: gone before they were read to their ends")),
            (_, more) => {
                Some(format!("{names} and {} more files: gone before they were read to their ends", grouped(more)))
            }
        }
    }
}

/// Adds the bytes that the receiver did not take to the bytes that were not read.
pub(super) fn with_left(mut unread: Vec<UnreadFile>, left: BTreeMap<String, u64>) -> Vec<UnreadFile> {
    for (name, bytes) in left {
        match unread.iter_mut().find(|file| file.name == name) {
            Some(file) => file.bytes += bytes,
            None => unread.push(UnreadFile { name, bytes }),
        }
    }
    unread
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_many_files_three_are_named() {
        let sentence = |count: usize| {
            let mut lost = Lost::default();
            (0..count).for_each(|number| lost.add(format!("{number}.log").into()));
            lost.sentence()
        };
        assert_eq!(sentence(0), None);
        assert_eq!(sentence(1).as_deref(), Some("0.log: gone before it was read to its end"));
        assert!(sentence(3).is_some_and(|text| text.starts_with("0.log, 1.log, 2.log: gone")));
        assert!(sentence(2003).is_some_and(|text| text.starts_with("0.log, 1.log, 2.log and 2,000 more files: gone")));
    }

    #[test]
    fn what_was_left_in_memory_is_added_to_what_its_file_holds() {
        let file = |name: &str, bytes| UnreadFile { name: name.to_owned(), bytes };
        let left = BTreeMap::from([("a".to_owned(), 2), ("b".to_owned(), 3)]);
        assert_eq!(with_left(vec![file("a", 1)], left), [file("a", 3), file("b", 3)]);
    }
}
