//! Detects a full disk, and makes the end of an error sentence about it.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

/// Fewer free bytes than this count as a full disk.
const MIN_FREE_BYTES: u64 = 64 << 10;

/// The advice for `error`, which occurred while the file at `path` was written. It is the end of a sentence, or empty.
pub(crate) fn advice(error: &io::Error, path: Option<&Path>) -> String {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => full(path),
        io::ErrorKind::FileTooLarge => "; the file may not be larger here (ulimit -f, or the file system): \
                                        write to another one, nothing acknowledged is lost"
            .to_owned(),
        _ => String::new(),
    }
}

/// The end of a sentence about a full disk: it names the disk and says how to go on.
pub(crate) fn full(path: Option<&Path>) -> String {
    let disk = path.and_then(mounted_at).map_or_else(String::new, |at| format!(" on the disk of {}", at.display()));
    format!("; make room{disk} and run it again, nothing acknowledged is lost")
}

/// Whether the disk that holds `path` is full.
pub(crate) fn is_full(path: &Path) -> bool {
    let Ok(disk) = statvfs(&folder(path)) else { return false };
    disk.blocks() > 0 && disk.blocks_available().saturating_mul(disk.fragment_size()) < MIN_FREE_BYTES
}

fn folder(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// Returns the directory at which the file system that holds `path` is mounted.
fn mounted_at(path: &Path) -> Option<PathBuf> {
    let folder = folder(path).canonicalize().ok()?;
    let device = folder.metadata().ok()?.dev();
    let same = |folder: &&Path| folder.metadata().is_ok_and(|data| data.dev() == device);
    folder.ancestors().take_while(same).last().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_disk_is_named_by_where_it_is_mounted() {
        let proc = full(Some(Path::new("/proc/self/x")));
        assert!(proc.contains("on the disk of /proc and"), "{proc}");
        assert!(!is_full(Path::new("/proc/self/x")), "what has no blocks is not full");
    }
}
