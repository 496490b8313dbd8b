//! The files of a job: what it writes, and what it reads besides its inputs.
//!
//! None of them is ever among the inputs, and no two of those that are written may be one file. A file is told by device
//! and inode, whatever name, link or descriptor leads to it; where it does not exist yet, by the path at which it would be
//! made.
//!
//! Pattern files are not among them: they are text that the job only reads, and whoever wants them as an input may have
//! them. Nothing here reads, writes or makes a file.

mod target;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fs::{File, Metadata, OpenOptions};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use nix::fcntl::OFlag;

use self::target::{FileRef, Target, folder_of, real_path};
pub use self::target::{Identity, identity};
use crate::core::error::{Error, Result};
use crate::process::streams;

/// What SQLite keeps beside a database.
const BESIDE_A_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// Files that are held at most.
const MOST_HELD: usize = 200;

/// What a job does with a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// It writes it, and nothing else of the job may be the same file.
    Writes,
    /// Several processes of the job may append to it, under a lock.
    Appends,
    /// It reads it: keys, the configuration.
    Reads,
    /// It was given it and may write to it, as to standard error; that other files are the same one is no fault.
    Says,
    /// All that is in this directory is its own.
    Directory,
}

#[derive(Debug)]
struct JobFile {
    role: &'static str,
    /// As the user gave it.
    given: String,
    file: FileRef,
    used: Use,
    /// The SQLite database that it belongs to, and the table.
    table: Option<(PathBuf, String)>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub struct JobFiles {
    files: Vec<JobFile>,
    held: Mutex<Vec<Held>>,
}

/// A file of the job that is held open, so that its inode is given to no other file while it is known as the job's.
#[derive(Debug)]
struct Held {
    file: File,
    identity: Identity,
    index: usize,
}

/// `path` with `ending` behind its name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

impl JobFiles {
    fn add(&mut self, used: Use, role: &'static str, given: String, path: PathBuf) {
        self.files.push(JobFile { role, given, file: FileRef::Path(path), used, table: None });
    }

    /// A file that the job writes. `given` is what the user wrote to name it.
    pub fn writes(&mut self, role: &'static str, given: impl Into<String>, path: &Path) {
        self.add(Use::Writes, role, given.into(), path.to_owned());
    }

    /// A file to which several processes of the job may append, because each locks it.
    pub fn appends(&mut self, role: &'static str, given: impl Into<String>, path: &Path) {
        self.add(Use::Appends, role, given.into(), path.to_owned());
    }

    /// A SQLite database, with what SQLite keeps beside it. Others may use other tables of it.
    pub fn database(&mut self, role: &'static str, given: impl Into<String>, path: &Path, table: &str) {
        let given = given.into();
        // SQLite follows links before it decides how the files beside a database are called.
        let path = real_path(path).unwrap_or_else(|| path.to_owned());
        let table = Some((path.clone(), table.to_ascii_lowercase()));
        for ending in [""].into_iter().chain(BESIDE_A_DATABASE) {
            let given = if ending.is_empty() { given.clone() } else { format!("{given} (its file {ending})") };
            let file = FileRef::Path(beside(&path, ending));
            self.files.push(JobFile { role, given, file, used: Use::Writes, table: table.clone() });
        }
    }

    /// A file that the job reads and that is no log.
    pub fn reads(&mut self, role: &'static str, given: impl Into<String>, path: &Path) {
        self.add(Use::Reads, role, given.into(), path.to_owned());
    }

    /// A directory that is the job's with all that is in it.
    pub fn directory(&mut self, role: &'static str, given: impl Into<String>, path: &Path) {
        self.add(Use::Directory, role, given.into(), path.to_owned());
    }

    /// Standard output and standard error, where they are regular files. `documents` says whether the job writes documents
    /// or lines to the first.
    ///
    /// # Errors
    /// Documents would go to standard output, and that is closed.
    pub fn standard_streams(&mut self, documents: bool) -> Result<()> {
        use std::os::fd::AsFd;
        let (out, error) = (std::io::stdout(), std::io::stderr());
        let used = if documents { Use::Writes } else { Use::Says };
        let streams = [(out.as_fd(), "standard output", used), (error.as_fd(), "standard error", Use::Says)];
        for (descriptor, role, used) in streams {
            let file = descriptor.try_clone_to_owned().map(File::from);
            if used == Use::Writes && streams::stdout_was_closed() {
                return Err(Error::sink(
                    "standard output is closed, and documents would go there; nothing was read. Open it, or name another \
                     sink (--to null: and > /dev/null throw documents away)",
                ));
            }
            if let Some(data) = file.and_then(|file| file.metadata()).ok().filter(Metadata::is_file) {
                let file = FileRef::Open(identity(&data));
                self.files.push(JobFile { role, given: role.to_owned(), file, used, table: None });
            }
        }
        Ok(())
    }

    /// Refuses a job of whose files two are one, and one whose receipts or dead letters have no folder.
    ///
    /// # Errors
    /// A usage error that names both, or the folder and what to do.
    pub fn check(&self) -> Result<()> {
        let targets: Vec<Target> = self.files.iter().map(|file| Target::of(&file.file)).collect();
        for (index, file) in self.files.iter().enumerate() {
            for (other, before) in targets.iter().zip(&self.files).take(index) {
                if file.excludes(before) && targets[index].is_one_with(other) {
                    return Err(before.is_same_as(file));
                }
            }
        }
        for (file, target) in self.files.iter().zip(&targets) {
            let directories = self.files.iter().filter(|other| other.used == Use::Directory);
            for (directory, path) in directories.filter_map(|directory| Some((directory, directory.path()?))) {
                // What else lies in a state directory is in nobody's way.
                let own = STATE_FILES.map(|name| Target::of_path(&path.join(name)));
                if file.is_written() && own.iter().any(|own| target.is_one_with(own)) {
                    return Err(directory.is_same_as(file));
                }
            }
        }
        Ok(())
    }

    /// Refuses files of this role that cannot be made or written, before anything is read.
    ///
    /// # Errors
    /// A usage error that says what is missing.
    pub fn check_folder(&self, role: &str) -> Result<()> {
        // The job makes its own directories, with all that are above them.
        let made = self.files.iter().filter(|file| file.used == Use::Directory).filter_map(JobFile::path);
        let made: Vec<PathBuf> = made.filter_map(real_path).collect();
        let is_made = |path: &Path| {
            made.iter().any(|made| real_path(path).is_some_and(|path| made.starts_with(folder_of(&path))))
        };
        let files = self.files.iter().filter(|file| file.role == role);
        let mut files = files.filter_map(|file| Some((file, file.path()?))).filter(|(_, path)| !is_made(path));
        files.try_for_each(|(file, path)| file.check_folder(path))
    }

    /// The files as they are now.
    pub fn look(&self) -> Look<'_> {
        let mut look = Look { files: &self.files, known: HashMap::new(), paths: Vec::new(), directories: Vec::new() };
        for (index, file) in self.files.iter().enumerate() {
            let target = Target::of(&file.file);
            if file.used == Use::Directory {
                let listed = file.path().and_then(|path| std::fs::read_dir(path).ok());
                let inside = listed.into_iter().flatten().filter_map(|entry| entry.ok()?.metadata().ok());
                look.known.extend(inside.filter(Metadata::is_file).map(|data| (identity(&data), index)));
                look.directories.extend(target.path.map(|path| (path, index)));
                continue;
            }
            if let Some((identity, true)) = target.found {
                look.known.entry(identity).or_insert(index);
            }
            look.paths.extend(target.path.map(|path| (path, index)));
        }
        look
    }

    /// The same for those who look again and again: a file that was the job's at a look before stays so under whatever
    /// name, as long as it has one.
    pub fn look_again(&self) -> Look<'_> {
        let mut look = self.look();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|held| held.file.metadata().is_ok_and(|data| data.nlink() > 0));
        for (identity, &index) in &look.known {
            let Some(path) = self.files[index].path().filter(|_| self.files[index].is_written()) else { continue };
            if held.len() >= MOST_HELD || held.iter().any(|held| held.identity == *identity) {
                continue;
            }
            // Held as a place only: that counts as no use of the file, and closing it lets go of nobody's locks.
            let file = OpenOptions::new().read(true).custom_flags(OFlag::O_PATH.bits()).open(path);
            if let Ok(file) = file
                && file.metadata().is_ok_and(|data| self::identity(&data) == *identity)
            {
                held.push(Held { file, identity: *identity, index });
            }
        }
        look.known.extend(held.iter().map(|held| (held.identity, held.index)));
        look
    }
}

/// What the program itself keeps in a state directory.
const STATE_FILES: [&str; 3] = ["journal", "journal.new", "lock"];

impl JobFile {
    fn path(&self) -> Option<&Path> {
        match &self.file {
            FileRef::Path(path) => Some(path),
            FileRef::Open(_) => None,
        }
    }

    fn is_written(&self) -> bool {
        matches!(self.used, Use::Writes | Use::Appends)
    }

    /// Whether this and `other` may not be one file.
    fn excludes(&self, other: &JobFile) -> bool {
        use Use::{Appends, Directory, Reads, Says, Writes};
        match (self.used, other.used) {
            (Reads | Says | Directory, Reads | Says | Directory) => false,
            (Says, _) | (_, Says) | (Appends, Appends) => false,
            (Writes, Writes) => match (&self.table, &other.table) {
                (Some((database, table)), Some((others, theirs))) => {
                    let one = Target::of_path(database).is_one_with(&Target::of_path(others));
                    !one || table == theirs
                }
                _ => true,
            },
            _ => true,
        }
    }

    fn is_same_as(&self, other: &JobFile) -> Error {
        let (one, another) = (&self.given, &other.given);
        if self.table.is_some() && self.table == other.table {
            return Error::usage(format!("{one} and {another}: the same table is named twice; leave one of them out"));
        }
        Error::usage(format!(
            "{one} ({}) and {another} ({}) are the same file, and each would damage the other; name two files, nothing \
             was read or written",
            self.role, other.role
        ))
    }

    fn check_folder(&self, path: &Path) -> Result<()> {
        let wrong = |why: String| {
            Err(Error::usage(format!("{}: {why}; nothing was read, name another file or put that right", self.given)))
        };
        match path.metadata() {
            Ok(data) if data.is_dir() => wrong("that is a directory".into()),
            Ok(_) => Ok(()),
            Err(_) => {
                let Some(path) = real_path(path) else { return wrong("its links lead in a circle".into()) };
                let folder = folder_of(&path);
                match folder.metadata() {
                    Ok(data) if !data.is_dir() => wrong(format!("{} is not a directory", folder.display())),
                    Ok(_) => Ok(()),
                    Err(error) => {
                        wrong(format!("the directory {} cannot be used ({error}); make it first", folder.display()))
                    }
                }
            }
        }
    }
}

/// The files of a job as they are at one moment.
#[derive(Debug)]
pub struct Look<'a> {
    files: &'a [JobFile],
    known: HashMap<Identity, usize>,
    paths: Vec<(PathBuf, usize)>,
    directories: Vec<(PathBuf, usize)>,
}

/// What a file is to its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own<'a> {
    /// What it is for.
    pub role: &'a str,
    /// As the user named it.
    pub given: &'a str,
    /// Whether the job writes it.
    pub written: bool,
    /// Whether it is one because of the directory that it lies in.
    pub inside: bool,
}

impl<'a> Look<'a> {
    /// What the file at `path` is to the job; `None` when it is none of the job's. It need not exist yet.
    pub fn of_path(&self, path: &Path) -> Option<Own<'a>> {
        if self.files.is_empty() {
            return None;
        }
        self.of(path, path.metadata().ok().map(|data| identity(&data)))
    }

    /// The same of what `path` leads to, if it is known which file that is.
    pub fn of(&self, path: &Path, identity: Option<Identity>) -> Option<Own<'a>> {
        if let Some(&index) = identity.and_then(|identity| self.known.get(&identity)) {
            return Some(self.own(index, self.files[index].used == Use::Directory));
        }
        if self.paths.is_empty() && self.directories.is_empty() {
            return None;
        }
        let path = real_path(path)?;
        if let Some((_, index)) = self.paths.iter().find(|(own, _)| *own == path) {
            return Some(self.own(*index, false));
        }
        let (own, index) = self.directories.iter().find(|(own, _)| path.starts_with(own))?;
        Some(self.own(*index, *own != path))
    }

    /// The same of a file that is open.
    pub fn of_open(&self, file: &File) -> Option<Own<'a>> {
        let data = file.metadata().ok().filter(Metadata::is_file)?;
        self.known.get(&identity(&data)).map(|&index| self.own(index, false))
    }

    fn own(&self, index: usize, inside: bool) -> Own<'a> {
        let file = &self.files[index];
        let written = file.is_written() || file.used == Use::Says || file.used == Use::Directory;
        Own { role: file.role, given: &file.given, written, inside }
    }
}
