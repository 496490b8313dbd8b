//! The files of a job: the files it writes, and the files it reads besides its inputs.
//!
//! No such file is ever an input, and no two written files may be the same file. A file is recognised by device and
//! inode, whatever name, link or descriptor leads to it. A file that does not exist yet is recognised by the path at
//! which it would be created.
//!
//! Pattern files are not in this list. The job only reads them, and a user may also want them as an input. This module
//! itself reads, writes and creates no file.

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

/// The endings of the files that SQLite keeps beside a database.
const BESIDE_A_DATABASE: [&str; 3] = ["-wal", "-shm", "-journal"];

/// The largest number of files that are held open.
const MOST_HELD: usize = 200;

/// The job's use of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Use {
    /// The job writes the file. No other file of the job may be the same.
    Writes,
    /// Several processes of the job may append to the file, each under a lock.
    Appends,
    /// The job reads the file: keys or the configuration.
    Reads,
    /// The job was started with the file open, and may write messages to it, such as standard error. Other files of the
    /// job may be the same.
    Says,
    /// The job owns everything in this directory.
    Directory,
}

#[derive(Debug)]
struct JobFile {
    role: &'static str,
    /// The text with which the user named the file.
    given: String,
    file: FileRef,
    used: Use,
    /// The SQLite database that the file belongs to, and the table.
    table: Option<(PathBuf, String)>,
}

/// The list of a job's files. See the [module](self).
#[derive(Debug, Default)]
pub struct JobFiles {
    files: Vec<JobFile>,
    held: Mutex<Vec<Held>>,
}

/// A file of the job that is held open. While it is open, the system cannot give its inode to another file.
#[derive(Debug)]
struct Held {
    file: File,
    identity: Identity,
    index: usize,
}

/// Returns `path` with `ending` appended to the file name.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    PathBuf::from(name)
}

impl JobFiles {
    fn add(&mut self, used: Use, role: &'static str, given: String, path: PathBuf) {
        self.files.push(JobFile { role, given, file: FileRef::Path(path), used, table: None });
    }

    /// Adds a file that the job writes. `given` is the text with which the user named it.
    pub fn writes(&mut self, role: &'static str, given: impl Into<String>, path: &Path) {
        self.add(Use::Writes, role, given.into(), path.to_owned());
    }

    /// Adds a file to which several processes of the job may append, each under a lock.
    pub fn appends(&mut self, role: &'static str, given: impl Into<String>, path: &Path) {
        self.add(Use::Appends, role, given.into(), path.to_owned());
    }

    /// Adds a SQLite database, with the files that SQLite keeps beside it. Other sinks may use other tables of it.
    pub fn database(&mut self, role: &'static str, given: impl Into<String>, path: &Path, table: &str) {
        let given = given.into();
        // SQLite follows links before it names the files beside a database.
        let path = real_path(path).unwrap_or_else(|| path.to_owned());
        let table = Some((path.clone(), table.to_ascii_lowercase()));
        for ending in [""].into_iter().chain(BESIDE_A_DATABASE) {
            let given = if ending.is_empty() { given.clone() } else { format!("{given} (its file {ending})") };
            let file = FileRef::Path(beside(&path, ending));
            self.files.push(JobFile { role, given, file, used: Use::Writes, table: table.clone() });
        }
    }

    /// Adds a file that the job reads and that is no log.
    pub fn reads(&mut self, role: &'static str, given: impl Into<String>, path: &Path) {
        self.add(Use::Reads, role, given.into(), path.to_owned());
    }

    /// Adds a directory. Everything in it belongs to the job.
    pub fn directory(&mut self, role: &'static str, given: impl Into<String>, path: &Path) {
        self.add(Use::Directory, role, given.into(), path.to_owned());
    }

    /// Adds standard output and standard error if they are regular files. `documents` says whether the job writes
    /// documents or lines to standard output.
    ///
    /// # Errors
    /// The job writes documents to standard output, and standard output is closed.
    pub fn standard_streams(&mut self, documents: bool) -> Result<()> {
        use std::os::fd::AsFd;
        let (out, error) = (std::io::stdout(), std::io::stderr());
        let used = if documents { Use::Writes } else { Use::Says };
        let streams = [(out.as_fd(), "standard output", used), (error.as_fd(), "standard error", Use::Says)];
        for (descriptor, role, used) in streams {
            let file = descriptor.try_clone_to_owned().map(File::from);
            if used == Use::Writes && streams::stdout_was_closed() {
                return Err(Error::sink(
                    "standard output is closed, and the documents would go there; nothing was read. Open it, or name another \
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

    /// Refuses a job with two files that are the same file.
    ///
    /// # Errors
    /// A usage error that names both files.
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
                // Other files in a state directory disturb nobody.
                let own = STATE_FILES.map(|name| Target::of_path(&path.join(name)));
                if file.is_written() && own.iter().any(|own| target.is_one_with(own)) {
                    return Err(directory.is_same_as(file));
                }
            }
        }
        Ok(())
    }

    /// Refuses files of this role that cannot be created or written, before the job reads anything.
    ///
    /// # Errors
    /// A usage error that says what is missing.
    pub fn check_folder(&self, role: &str) -> Result<()> {
        // The job creates its own directories, with all directories above them.
        let made = self.files.iter().filter(|file| file.used == Use::Directory).filter_map(JobFile::path);
        let made: Vec<PathBuf> = made.filter_map(real_path).collect();
        let is_made = |path: &Path| {
            made.iter().any(|made| real_path(path).is_some_and(|path| made.starts_with(folder_of(&path))))
        };
        let files = self.files.iter().filter(|file| file.role == role);
        let mut files = files.filter_map(|file| Some((file, file.path()?))).filter(|(_, path)| !is_made(path));
        files.try_for_each(|(file, path)| file.check_folder(path))
    }

    /// Returns the files as they are now.
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

    /// Does the same as [`look`](JobFiles::look) for a caller that calls it repeatedly. A file that belonged to the
    /// job at an earlier call still belongs to it under any name, as long as it has one.
    pub fn look_again(&self) -> Look<'_> {
        let mut look = self.look();
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|held| held.file.metadata().is_ok_and(|data| data.nlink() > 0));
        for (identity, &index) in &look.known {
            let Some(path) = self.files[index].path().filter(|_| self.files[index].is_written()) else { continue };
            if held.len() >= MOST_HELD || held.iter().any(|held| held.identity == *identity) {
                continue;
            }
            // A descriptor opened with O_PATH does not count as a use of the file, and closing it releases no lock.
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

/// The files that the program keeps in a state directory.
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

    /// Returns whether this file and `other` must be two different files.
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
            Err(Error::usage(format!("{}: {why}; nothing was read, name another file or correct that", self.given)))
        };
        match path.metadata() {
            Ok(data) if data.is_dir() => wrong("it is a directory".into()),
            Ok(_) => Ok(()),
            Err(_) => {
                let Some(path) = real_path(path) else { return wrong("its links form a circle".into()) };
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

/// The files of a job at one moment.
#[derive(Debug)]
pub struct Look<'a> {
    files: &'a [JobFile],
    known: HashMap<Identity, usize>,
    paths: Vec<(PathBuf, usize)>,
    directories: Vec<(PathBuf, usize)>,
}

/// The use of a file in its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own<'a> {
    /// The purpose of the file.
    pub role: &'a str,
    /// The text with which the user named the file.
    pub given: &'a str,
    /// Whether the job writes the file.
    pub written: bool,
    /// Whether the file belongs to the job because of the directory that it is in.
    pub inside: bool,
}

impl Own<'_> {
    /// Returns the error for a user who names the file, as `name`, among the inputs.
    pub fn refusal(&self, name: &str) -> Error {
        let Own { role, given, .. } = self;
        let advice = match (self.inside, self.written) {
            (true, _) => format!("it is in the {role} of this job ({given}), which holds no logs"),
            (_, true) => format!("it is also the {role} of this job ({given}); name another file"),
            (_, false) => format!("it is the {role} of this job ({given}), not a log"),
        };
        Error::usage(format!("{name}: {advice}; nothing was read"))
    }
}

impl<'a> Look<'a> {
    /// Returns the job's use of the file at `path`; `None` if it does not belong to the job. The file need not exist
    /// yet.
    pub fn of_path(&self, path: &Path) -> Option<Own<'a>> {
        if self.files.is_empty() {
            return None;
        }
        self.of(path, path.metadata().ok().map(|data| identity(&data)))
    }

    /// Does the same for a caller that knows the file's `identity`.
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

    /// Does the same for an open file.
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
