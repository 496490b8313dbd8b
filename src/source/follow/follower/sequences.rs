//! The files of logs that are sequences of files, and how many of them were never found. Pure.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use crate::source::follow::file_table::{FileId, Found};

/// Counts the files of one log, so that a file that was made and removed between two looks is noticed. Events tell each file that
/// is made, but not which of them a look has found.
#[derive(Debug, Default)]
struct Made {
    /// The path of the newest file.
    path: PathBuf,
    /// The number of files that events told.
    told: u64,
    /// The number of files that were found, except those that were there before the first look.
    found: u64,
    /// Whether the first file was found before an event told it. Then it is unknown whether an event belongs to it.
    is_first_unsure: bool,
    /// The number of files that are known to be lost.
    lost: u64,
}

impl Made {
    fn find(&mut self, later: bool) {
        match later {
            true if self.found == 0 && self.told == 0 => self.is_first_unsure = true,
            true => self.found += 1,
            false => {}
        }
    }

    /// Returns the number of files that were made, were not found, and were not counted as lost before. All files are looked for
    /// after the events were taken, so a file that is there was found.
    fn newly_lost(&mut self) -> u64 {
        let lost = self.told.saturating_sub(self.found + u64::from(self.is_first_unsure));
        let newly = lost.saturating_sub(self.lost);
        self.lost = self.lost.max(lost);
        newly
    }
}

/// The files of each log, from the oldest to the newest.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    files: HashMap<u64, Vec<FileId>>,
    of_files: HashMap<FileId, u64>,
    /// The logs that have another file since the last scan.
    changed: Vec<u64>,
    /// The files that are read to their ends, and have a newer one.
    finished: HashSet<FileId>,
    made: HashMap<u64, Made>,
    /// The logs whose files were looked for.
    looked: HashSet<u64>,
}

impl Sequences {
    /// Adds a file to the log with the number `sequence`. Returns whether it appeared after the first look; `None` if it need not
    /// be read.
    pub fn add(&mut self, found: &Found, sequence: u64) -> Option<bool> {
        let (id, later) = (found.id, self.looked.contains(&sequence));
        if later && found.path.extension().is_some_and(|extension| extension == "gz") {
            // It is a copy of a file that was there before.
            return None;
        }
        self.made.entry(sequence).or_default().find(later);
        if self.of_files.insert(id, sequence).is_none() {
            self.files.entry(sequence).or_default().push(id);
            self.changed.push(sequence);
        }
        Some(later)
    }

    /// Forgets a file.
    pub fn remove(&mut self, id: FileId) {
        let Some(sequence) = self.of_files.remove(&id) else { return };
        self.finished.remove(&id);
        if let Some(files) = self.files.get_mut(&sequence) {
            files.retain(|other| *other != id);
            if files.is_empty() {
                self.files.remove(&sequence);
            }
        }
    }

    /// Returns the files of the log that a file belongs to, from the oldest to the newest.
    pub fn of(&self, id: FileId) -> &[FileId] {
        self.of_files.get(&id).and_then(|sequence| self.files.get(sequence)).map_or(&[], Vec::as_slice)
    }

    /// Returns the file after the file `id` in its log.
    pub fn newer(&self, id: FileId) -> Option<FileId> {
        self.of(id).iter().skip_while(|other| **other != id).nth(1).copied()
    }

    /// Takes an event about a new file of a log. `path` is that of the newest file.
    pub fn take_made(&mut self, sequence: u64, path: &Path) {
        let made = self.made.entry(sequence).or_default();
        path.clone_into(&mut made.path);
        made.told += 1;
    }

    /// Records that the files of these logs were looked for.
    pub fn have_looked(&mut self, logs: Vec<u64>) {
        self.looked.extend(logs);
    }

    /// Returns the names of the files that were made and removed between two looks, each once.
    pub fn take_unfound(&mut self) -> Vec<PathBuf> {
        let unfound = |made: &mut Made| {
            let lost = usize::try_from(made.newly_lost()).unwrap_or(usize::MAX);
            std::iter::repeat_n(made.path.clone(), lost)
        };
        self.made.values_mut().flat_map(unfound).collect()
    }

    /// Orders the files of each log that has another file, by the number of newer ones. Files without a name are older than all
    /// others.
    pub fn order(&mut self, ages: &HashMap<FileId, u32>) {
        for sequence in std::mem::take(&mut self.changed) {
            if let Some(files) = self.files.get_mut(&sequence) {
                files.sort_by_key(|id| std::cmp::Reverse(ages.get(id).copied().unwrap_or(u32::MAX)));
            }
        }
    }

    /// Whether a log has another file since the files were ordered.
    pub fn is_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Records that a file is read to its end, and has a newer one.
    pub fn finish(&mut self, id: FileId) {
        self.finished.insert(id);
    }

    /// Whether a file is read to its end, and has a newer one.
    pub fn is_finished(&self, id: FileId) -> bool {
        self.finished.contains(&id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The files that are lost after each look. `+` is an event, `f` a file that a look finds, `i` one of the first look, and `.`
    /// the end of a look.
    fn lost(steps: &str) -> Vec<u64> {
        let (mut made, mut lost) = (Made::default(), Vec::new());
        for step in steps.chars() {
            match step {
                '+' => made.told += 1,
                'f' => made.find(true),
                'i' => made.find(false),
                _ => lost.push(made.newly_lost()),
            }
        }
        lost
    }

    #[test]
    fn a_file_that_no_look_found_is_lost_and_counts_once() {
        for (steps, expected) in [
            ("i.+f.+f.", &[0, 0, 0][..]),
            ("i.++f.+f.", &[0, 1, 0]),
            ("+f.++ff.", &[0, 0]),
            ("+f.+++f..", &[0, 2, 0]),
            // A look may find a file before its event is read.
            ("i.+ff.+.", &[0, 0, 0]),
            ("i.+ff.++f.", &[0, 0, 0]),
            ("i.+ff.+++f.", &[0, 0, 1]),
            // The first file was found without an event, which may come later.
            ("f.+.+f.", &[0, 0, 0]),
            ("f.+f.++.", &[0, 0, 1]),
        ] {
            assert_eq!(lost(steps), expected, "{steps}");
        }
    }
}
