//! The file that a path leads to, even if it does not exist yet.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// A file's identity: device and inode.
pub type Identity = (u64, u64);

/// The kernel follows at most this many links. More links form a circle.
const MOST_LINKS: usize = 40;

/// A reference to a file of the job.
#[derive(Debug)]
pub(super) enum FileRef {
    Path(PathBuf),
    /// The file behind a descriptor that the process was started with.
    Open(Identity),
}

/// The file that a path leads to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// The existing file, and whether it is a regular file.
    pub(super) found: Option<(Identity, bool)>,
    /// The path without symbolic links. It is known even if the file does not exist.
    pub(super) path: Option<PathBuf>,
}

/// Returns device and inode of a file.
pub fn identity(data: &Metadata) -> Identity {
    (data.dev(), data.ino())
}

impl Target {
    pub(super) fn of(file: &FileRef) -> Target {
        match file {
            FileRef::Path(path) => Target::of_path(path),
            FileRef::Open(identity) => Target { found: Some((*identity, true)), path: None },
        }
    }

    pub(super) fn of_path(path: &Path) -> Target {
        let found = path.metadata().ok().map(|data| (identity(&data), data.is_file()));
        Target { found, path: real_path(path) }
    }

    /// Returns whether both are the same regular file, or will be when it is created.
    pub(super) fn is_one_with(&self, other: &Target) -> bool {
        match (&self.found, &other.found) {
            (Some((one, regular)), Some((another, _))) => *regular && one == another,
            (None, None) => self.path.is_some() && self.path == other.path,
            _ => false,
        }
    }
}

/// Returns the path without symbolic links, even if the file does not exist. The last links may lead to a missing file.
/// Returns `None` for a circle of links.
pub(super) fn real_path(path: &Path) -> Option<PathBuf> {
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        if let Ok(real) = path.canonicalize() {
            return Some(real);
        }
        match path.read_link() {
            Ok(target) => path = folder_of(&path).join(target),
            Err(_) => return Some(real_folder(&folder_of(&path)).join(path.file_name()?)),
        }
    }
    None
}

/// Does the same for a folder. The folders above it need not exist either.
fn real_folder(folder: &Path) -> PathBuf {
    let mut real = if folder.is_absolute() { PathBuf::from("/") } else { PathBuf::from(".") };
    real = real.canonicalize().unwrap_or(real);
    for part in folder.components() {
        match part {
            Component::ParentDir => drop(real.pop()),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
            Component::Normal(part) => real.push(part),
        }
        real = real.canonicalize().unwrap_or(real);
    }
    real
}

/// Returns the folder that contains `path`.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
