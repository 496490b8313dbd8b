//! The private folder of a queue that starts workers. It holds the socket at which only these workers ask, and a note from each
//! worker that ended with an error.
//!
//! The folder is locked while its queue runs. A killed queue leaves its folder behind, and the next queue removes it.

use std::fs::{DirBuilder, File, TryLockError};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::app::spawned::NOTE;
use crate::core::error::{Error, Result};
use crate::net::endpoint::Endpoint;

/// The beginning of the name of each such folder. Sixteen hexadecimal digits follow.
const PREFIX: &str = "logator-queue-";

/// The name of the socket in the folder.
const SOCKET: &str = "q";

/// The longest path of a socket that Linux allows, in bytes.
const LONGEST_PATH: usize = 107;

/// The number of random names that are tried.
const TRIES: usize = 16;

/// A folder that only this user may enter, removed when it is dropped.
#[derive(Debug)]
pub(crate) struct QueueFolder {
    path: PathBuf,
    /// The open folder. Closing it releases the lock.
    _lock: File,
}

impl QueueFolder {
    /// Makes a folder in the runtime directory of a systemd service or in `XDG_RUNTIME_DIR`, if this directory exists and belongs
    /// to this user. Otherwise it makes the folder in the directory for temporary files.
    ///
    /// # Errors
    /// None of these directories can be used.
    pub(crate) fn make() -> Result<QueueFolder> {
        let user = nix::unistd::geteuid().as_raw();
        // systemd lists all runtime directories of the service, separated by colons.
        let of_service = std::env::var_os("RUNTIME_DIRECTORY").unwrap_or_default();
        let of_user = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
        let runtime = std::env::split_paths(&of_service).chain(of_user);
        let runtime = runtime.filter(|path| path.metadata().is_ok_and(|data| data.is_dir() && data.uid() == user));
        QueueFolder::make_in(runtime.chain([std::env::temp_dir(), PathBuf::from("/tmp")]))
    }

    fn make_in(bases: impl IntoIterator<Item = PathBuf>) -> Result<QueueFolder> {
        let mut reasons = Vec::new();
        for base in bases.into_iter().filter(|base| base.is_absolute()) {
            remove_left_overs(&base);
            let longest = base.join(PREFIX).as_os_str().as_bytes().len() + 16 + 1 + SOCKET.len();
            if longest > LONGEST_PATH {
                reasons.push(format!("{}: the path of a socket there would be too long", base.display()));
                continue;
            }
            match QueueFolder::make_at(&base) {
                Ok(folder) => return Ok(folder),
                Err(error) => reasons.push(format!("{}: {error}", base.display())),
            }
        }
        reasons.dedup();
        Err(Error::system(format!(
            "no folder can hold the socket of the started workers ({}); set TMPDIR to a folder that this user may \
             write to",
            reasons.join("; ")
        )))
    }

    fn make_at(base: &Path) -> std::io::Result<QueueFolder> {
        let mut result = Err(std::io::ErrorKind::AlreadyExists.into());
        for _ in 0..TRIES {
            let path = base.join(format!("{PREFIX}{:016x}", fastrand::u64(..)));
            match DirBuilder::new().mode(0o700).create(&path) {
                Ok(()) => {}
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => continue,
                Err(error) => return Err(error),
            }
            match lock(&path) {
                Ok(Some(lock)) => return Ok(QueueFolder { path, _lock: lock }),
                // Another queue has just removed the folder, because it was not locked yet.
                Ok(None) => {}
                Err(error) => {
                    let _ = std::fs::remove_dir(&path);
                    result = Err(error);
                }
            }
        }
        result
    }

    /// Returns the path of the folder.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Returns the endpoint at which the workers ask.
    pub(crate) fn endpoint(&self) -> Endpoint {
        Endpoint::Ipc(self.path.join(SOCKET))
    }
}

impl Drop for QueueFolder {
    fn drop(&mut self) {
        remove(&self.path);
    }
}

/// Locks a folder. Returns `None` if another process holds the lock or has removed the folder.
fn lock(path: &Path) -> std::io::Result<Option<File>> {
    let file = File::open(path)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Ok(None),
        Err(TryLockError::Error(error)) => return Err(error),
    }
    let (locked, there) = (file.metadata()?, path.symlink_metadata());
    let same = there.is_ok_and(|there| (there.dev(), there.ino()) == (locked.dev(), locked.ino()));
    Ok(same.then_some(file))
}

/// Removes the folders in `base` that killed queues of this user left behind.
fn remove_left_overs(base: &Path) {
    let user = nix::unistd::geteuid().as_raw();
    let Ok(entries) = base.read_dir() else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let Some(digits) = name.as_bytes().strip_prefix(PREFIX.as_bytes()) else { continue };
        let named = digits.len() == 16 && digits.iter().all(u8::is_ascii_hexdigit);
        let ours = || entry.metadata().is_ok_and(|data| data.is_dir() && data.uid() == user);
        // No process holds the lock, so the queue of this folder has ended.
        if named
            && ours()
            && let Ok(Some(_lock)) = lock(&entry.path())
        {
            remove(&entry.path());
        }
    }
}

/// Removes the files that a queue and its workers put into a folder, and then the folder. If other files are there, they stay,
/// and so does the folder.
fn remove(path: &Path) {
    for entry in path.read_dir().into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name == SOCKET || name.as_bytes().ends_with(NOTE.as_bytes()) {
            let _ = std::fs::remove_file(entry.path());
        }
    }
    let _ = std::fs::remove_dir(path);
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn names(base: &Path) -> Vec<PathBuf> {
        let mut names: Vec<PathBuf> = base.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    }

    #[test]
    fn a_folder_is_private_and_goes_with_its_queue() {
        let base = tempfile::tempdir().unwrap();
        let folder = QueueFolder::make_in([base.path().to_owned()]).unwrap();
        let mode = folder.path().metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        std::fs::write(folder.path().join("17.note"), "started\nx").unwrap();
        std::fs::write(folder.path().join(SOCKET), "").unwrap();
        drop(folder);
        assert!(names(base.path()).is_empty());
    }

    #[test]
    fn the_next_queue_removes_what_a_killed_one_left_and_nothing_else() {
        let base = tempfile::tempdir().unwrap();
        let alive = QueueFolder::make_in([base.path().to_owned()]).unwrap();
        let left = base.path().join(format!("{PREFIX}00000000000000ff"));
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join(SOCKET), "").unwrap();
        std::fs::write(left.join("3.note"), "").unwrap();
        // A name of another kind, a file, a link, and a folder with something else in it.
        let mine = [format!("{PREFIX}mine"), format!("{PREFIX}00000000000000aa"), format!("{PREFIX}00000000000000bb")];
        let mine = mine.map(|name| base.path().join(name));
        std::fs::create_dir(&mine[0]).unwrap();
        std::fs::write(&mine[1], "a file").unwrap();
        std::os::unix::fs::symlink(&mine[0], &mine[2]).unwrap();
        let kept = base.path().join(format!("{PREFIX}00000000000000cc"));
        std::fs::create_dir(&kept).unwrap();
        std::fs::write(kept.join("precious"), "").unwrap();

        let next = QueueFolder::make_in([base.path().to_owned()]).unwrap();
        let mut expected = vec![alive.path().to_owned(), next.path().to_owned(), kept.clone()];
        expected.extend(mine);
        expected.sort();
        assert_eq!(names(base.path()), expected);
        assert!(kept.join("precious").exists());
    }

    #[test]
    fn a_place_whose_paths_are_too_long_is_passed_over() {
        let base = tempfile::tempdir().unwrap();
        let long = base.path().join("x".repeat(100));
        std::fs::create_dir(&long).unwrap();
        let folder = QueueFolder::make_in([long.clone(), base.path().to_owned()]).unwrap();
        assert_eq!(folder.path().parent(), Some(base.path()));
        let error = QueueFolder::make_in([long, PathBuf::from("/nonexistent")]).unwrap_err().to_string();
        assert!(error.contains("too long") && error.contains("/nonexistent"), "{error}");
    }
}
