//! Looks at the files of logs from the newest to the oldest. A rotation during the look gives each file the place of the next older
//! one. A look in any other order could miss a file that is not read yet, and its neighbours would be joined.

use std::collections::{BTreeMap, HashSet};
use std::path::{Path, PathBuf};

use super::changing::{Changing, Place};
use super::file_table::{FileId, Found};

/// Returns the files at `paths`, each once. `look` returns the file at a path. If the paths belong to logs, the files of each log come
/// from the newest to the oldest, and older ones than those of `paths` are looked for as well: a rotation may have made them.
pub(super) fn look(
    changing: Option<&dyn Changing>,
    paths: impl Iterator<Item = PathBuf>,
    mut look: impl FnMut(PathBuf) -> Option<Found>,
) -> Vec<Found> {
    let Some(changing) = changing else { return paths.filter_map(look).collect() };
    let mut logs: BTreeMap<u64, BTreeMap<u32, Vec<PathBuf>>> = BTreeMap::new();
    for path in paths {
        if let Some(Place { sequence, age }) = changing.place(&path) {
            logs.entry(sequence).or_default().entry(age).or_default().push(path);
        }
    }
    let mut seen: HashSet<FileId> = HashSet::new();
    let mut all = Vec::new();
    for mut ages in logs.into_values() {
        let newest = ages.first_key_value().and_then(|(age, paths)| without_age(paths.first()?, *age));
        while let Some((age, mut paths)) = ages.pop_first() {
            // The name may be there only since the names were listed.
            let plain = newest.as_ref().filter(|_| age > 0).map(|newest| PathBuf::from(format!("{newest}.{age}")));
            paths.extend(plain.filter(|plain| !paths.contains(plain)));
            let found: Vec<Found> = paths.into_iter().filter_map(&mut look).collect();
            if let (false, Some(next)) = (found.is_empty(), age.checked_add(1)) {
                ages.entry(next).or_default();
            }
            all.extend(found.into_iter().filter(|found| seen.insert(found.id)));
        }
    }
    all
}

/// Returns the name of the newest file of a log. `path` is a file of the same log, and `age` is the number of newer files.
fn without_age(path: &Path, age: u32) -> Option<String> {
    let name = path.to_str()?;
    match age {
        0 => Some(name.to_owned()),
        _ => name.strip_suffix(".gz").unwrap_or(name).strip_suffix(&format!(".{age}")).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::follow::changing::tests::Log;

    /// The files are named by the order in which they were made. Each bit of `rotations` says whether the files are rotated before
    /// that look.
    fn found(files: u64, rotations: u32) -> Vec<u64> {
        let mut names: Vec<u64> = (0..files).rev().collect();
        // The listing has the names in the order of their letters.
        let mut listed: Vec<PathBuf> =
            (0..files).map(|age| if age == 0 { "log".into() } else { format!("log.{age}").into() }).collect();
        listed.sort();
        let mut looks = 0;
        let log = Log::new();
        let found = look(Some(&log), listed.into_iter(), |path| {
            if rotations & (1 << looks) != 0 {
                names.insert(0, names[0] + 1);
            }
            looks += 1;
            let age = log.place(&path)?.age as usize;
            let inode = *names.get(age)?;
            Some(Found { path, id: FileId { device: 1, inode }, size: 1, modified: 0 })
        });
        found.iter().map(|found| found.id.inode).collect()
    }

    #[test]
    fn no_file_is_missed_or_out_of_order_whenever_the_log_is_rotated() {
        for files in [1, 2, 3, 12] {
            for rotations in 0..1 << 10 {
                let found = found(files, rotations);
                assert!(found.is_sorted_by(|newer, older| *newer == older + 1), "{files} {rotations:b}: {found:?}");
                assert!(found.ends_with(&[0]) && found[0] + 1 >= files, "{files} {rotations:b}: {found:?}");
            }
        }
    }

    #[test]
    fn the_newest_file_may_be_missing_for_a_moment_and_names_without_a_log_are_as_they_are() {
        let log = Log::new();
        let file = |path: PathBuf| {
            let inode = path.to_str()?.strip_prefix("log.")?.trim_end_matches(".gz").parse().ok()?;
            (inode < 4).then_some(Found { path, id: FileId { device: 1, inode }, size: 1, modified: 0 })
        };
        let names = |changing: Option<&dyn Changing>, paths: &[&str]| {
            let found = look(changing, paths.iter().map(PathBuf::from), file);
            found.iter().map(|found| found.path.display().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(names(Some(&log), &["log.2.gz", "log.1"]), ["log.1", "log.2.gz", "log.3"]);
        assert_eq!(names(Some(&log), &["log.4294967295"]), [""; 0]);
        assert_eq!(names(None, &["log.2", "log.1"]), ["log.2", "log.1"]);
    }
}
