//! Where a path leads, also that of a file that is not there yet.

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt;
use std::path::{Component, Path, PathBuf};

/// Device and inode.
pub type Identity = (u64, u64);

/// More links than this on the way to a file lead in a circle, for the kernel as well.
const MOST_LINKS: usize = 40;

/// What names a file of the job.
#[derive(Debug)]
pub(super) enum FileRef {
    Path(PathBuf),
    /// What a descriptor that the process was given leads to.
    Open(Identity),
}

/// Where a path leads.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Target {
    /// The file that is there, and whether it is a regular one.
    pub(super) found: Option<(Identity, bool)>,
    /// Its path without links, also of what is not there yet.
    pub(super) path: Option<PathBuf>,
}

/// Device and inode of what `data` is about.
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

    /// Whether both are one regular file, or will be.
    pub(super) fn is_one_with(&self, other: &Target) -> bool {
        match (&self.found, &other.found) {
            (Some((one, regular)), Some((another, _))) => *regular && one == another,
            (None, None) => self.path.is_some() && self.path == other.path,
            _ => false,
        }
    }
}

/// The path without links, also of what does not exist yet: the last links on the way may lead to nothing.
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

/// The same of a folder of which not even the folders above need to exist.
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

/// The folder that holds `path`.
pub(super) fn folder_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    }
}
