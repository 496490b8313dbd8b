//! What a user names as INPUT, made into a list of things to open.

use std::collections::{BTreeSet, HashSet};
use std::fs::File;
use std::os::fd::AsFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::decompress::{Compression, MAGIC_BYTES};
use super::syslog;
use crate::error::{Error, Result};
use crate::secrets::masked;

/// One thing to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// Standard input, `-`.
    Stdin,
    /// A file.
    File(PathBuf),
    /// Syslog from the network, `syslog+udp://HOST:PORT`.
    Syslog(syslog::Address),
    /// Files that are followed, however many.
    Followed(Arc<Followed>),
}

/// What is followed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Followed {
    /// As the user names it: files, directories, globs.
    pub names: Vec<String>,
    /// What the job itself writes, which is no log though it may lie beside one: files, and directories with all in them.
    pub own: Vec<PathBuf>,
}

impl Input {
    /// As a user knows it.
    pub fn name(&self) -> String {
        match self {
            Input::Stdin => "-".to_owned(),
            Input::File(path) => path.display().to_string(),
            Input::Followed(followed) => followed.names.join(", "),
            Input::Syslog(address) => address.to_string(),
        }
    }
}

impl Input {
    /// Whether it has an end of its own; the reader of one that has none leaves when it is told to.
    pub fn has_end(&self) -> bool {
        match self {
            Input::Stdin | Input::File(_) => true,
            Input::Followed(_) | Input::Syslog(_) => false,
        }
    }

    /// Whether reading it never waits for somebody who writes.
    pub fn is_regular_file(&self) -> bool {
        match self {
            Input::Stdin => open_stdin().is_ok_and(|file| file.metadata().is_ok_and(|data| data.is_file())),
            Input::File(path) => path.is_file(),
            Input::Followed(_) | Input::Syslog(_) => false,
        }
    }
}

/// What was found, and what could not be looked at.
#[derive(Debug, Default)]
pub struct Inputs {
    /// What to read, in the order given; the files of a directory or glob in the order of their names.
    pub inputs: Vec<Input>,
    /// Directories that could not be read. The rest is read all the same, and the run is not finished.
    pub errors: Vec<Error>,
    /// The directories in which further files may appear. Told by [`find_so_far`] alone.
    pub directories: BTreeSet<PathBuf>,
    /// A file named twice, or named and met in a directory, is read once.
    seen: HashSet<Input>,
}

/// Standard input as a file of its own. The buffer that the process shares is bypassed, so that what `poll` says about the
/// descriptor is true.
///
/// # Errors
/// When the process has none.
pub(crate) fn open_stdin() -> Result<File> {
    let descriptor = std::io::stdin().as_fd().try_clone_to_owned();
    descriptor.map(File::from).map_err(|error| Error::input("-: standard input cannot be read").because(error))
}

/// Finds what `names` mean: files, directories (with all below them), globs, addresses of syslog, `-`. No name means `-`.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) for a name that is not there and a glob that matches nothing: nothing
/// should be read when the command line is not what its author meant.
pub fn find(names: &[String]) -> Result<Inputs> {
    let mut found = Inputs::default();
    if names.is_empty() {
        found.push(Input::Stdin);
    }
    for name in names {
        let path = Path::new(name);
        if name == "-" {
            found.push(Input::Stdin);
        } else if let Some(address) = syslog::Address::parse(name) {
            found.push(Input::Syslog(address?));
        } else if path.symlink_metadata().is_ok() {
            found.add(path);
        } else if name.contains(['*', '?', '[']) {
            if !found.add_glob(name)? {
                return Err(Error::usage(format!("{name}: no file matches")));
            }
        } else if let Some(reserved) = reserved(name) {
            return Err(Error::usage(format!("{name}: {reserved}")));
        } else {
            // Perhaps a sink's address that lacks its --to, with a password in it.
            let shown = if name.contains("://") { masked(name) } else { name.clone() };
            return Err(Error::usage(format!("{shown}: no such file or directory")));
        }
    }
    Ok(found)
}

/// Finds what `names` mean by now, when they are followed: files, directories and globs. What is not there may come.
///
/// # Errors
/// [`Kind::Usage`](crate::error::Kind::Usage) for a name that cannot be followed, or of which not even the directory is
/// there.
pub fn find_so_far(names: &[String]) -> Result<Inputs> {
    let mut found = Inputs::default();
    names.iter().try_for_each(|name| found.add_so_far(name))?;
    Ok(found)
}

/// Finds what `names` mean by now, when they have been followed for a while. A directory that has gone may come back.
pub fn find_again(names: &[String]) -> Inputs {
    let mut found = Inputs::default();
    for name in names {
        // What a user should know was said at the start.
        let _ = found.add_so_far(name);
    }
    found
}

/// What is to be read when `names` are followed: the files among them, now and later, together; and for itself what is
/// there and neither a file nor a directory, as a pipe is. `own` is what the job writes itself.
///
/// # Errors
/// As [`find_so_far`]; also when there is nothing to follow.
pub fn find_followed(names: &[String], own: Vec<PathBuf>) -> Result<(Inputs, usize)> {
    if names.is_empty() {
        return Err(Error::usage("--follow: name files, directories or globs; standard input is read as it comes"));
    }
    let mut inputs = Inputs::default();
    let mut rest = Vec::new();
    for name in names {
        match syslog::Address::parse(name) {
            Some(address) => inputs.push(Input::Syslog(address?)),
            None => rest.push(name.clone()),
        }
    }
    let (names, received) = (rest, inputs.inputs.len());
    let found = find_so_far(&names)?;
    let pipe = |name: &&String| Path::new(name).metadata().is_ok_and(|data| !data.is_file() && !data.is_dir());
    let (pipes, names): (Vec<&String>, Vec<&String>) = names.iter().partition(pipe);
    let complete = |name: &&String| Path::new(name).is_file() && is_compressed(Path::new(name));
    if let Some(name) = names.first().filter(|_| names.iter().all(complete)) {
        let others = if names.len() > 1 { "compressed files are" } else { "a compressed file is" };
        return Err(Error::usage(format!("--follow {name}: {others} complete and read once; leave --follow out")));
    }
    let files = found.inputs.len() + received;
    if !names.is_empty() {
        let names = names.into_iter().cloned().collect();
        inputs.push(Input::Followed(Arc::new(Followed { names, own })));
    }
    pipes.into_iter().for_each(|pipe| inputs.push(Input::File(PathBuf::from(pipe))));
    Ok((inputs, files))
}

/// Whether a file begins as a compressed one does.
fn is_compressed(path: &Path) -> bool {
    use std::io::Read;
    let mut magic = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAGIC_BYTES as u64).read_to_end(&mut magic));
    read.is_ok() && Compression::of(&magic) != Compression::None
}

/// The directory that holds `path`.
fn directory_of(path: &Path) -> PathBuf {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent.to_owned(),
        _ => PathBuf::from("."),
    }
}

/// The directories in which what `pattern` matches may appear: those that the parts of it before the last match.
fn glob_directories(pattern: &str) -> Result<Vec<PathBuf>> {
    let mut directories = Vec::new();
    let mut prefix = PathBuf::new();
    let mut wild = false;
    let parts: Vec<_> = Path::new(pattern).components().collect();
    let Some((_, before)) = parts.split_last() else { return Ok(directories) };
    let wild_part = |part: &std::path::Component| part.as_os_str().to_string_lossy().contains(['*', '?', '[']);
    for (index, part) in before.iter().enumerate() {
        prefix.push(part);
        wild |= wild_part(part);
        if wild {
            let paths = glob::glob(&prefix.to_string_lossy());
            directories.extend(paths.into_iter().flatten().flatten().filter(|path| path.is_dir()));
        } else if index + 1 == before.len() || wild_part(&before[index + 1]) {
            directories.push(prefix.clone());
        }
    }
    if before.is_empty() || wild_part(&before[0]) {
        directories.push(PathBuf::from("."));
    }
    match directories.iter().any(|directory| directory.is_dir()) {
        true => Ok(directories),
        false => Err(Error::usage(format!("{pattern}: no file matches, and no directory in which one could appear"))),
    }
}

/// Inputs of the documented command line that this version does not read.
fn reserved(name: &str) -> Option<&'static str> {
    let not_yet = "this version does not read it; files, directories, globs and - (standard input) are read";
    name.starts_with("docker:").then_some(not_yet)
}

impl Inputs {
    fn add_so_far(&mut self, name: &str) -> Result<()> {
        let path = Path::new(name);
        if name == "-" {
            return Err(Error::usage(
                "-: standard input cannot be followed, it is read as it comes; leave --follow out",
            ));
        } else if path.symlink_metadata().is_ok() {
            if !path.is_dir() {
                self.directories.insert(directory_of(path));
            }
            self.add(path);
        } else if name.contains(['*', '?', '[']) {
            self.directories.extend(glob_directories(name)?);
            self.add_glob(name)?;
        } else if let Some(reserved) = reserved(name) {
            return Err(Error::usage(format!("{name}: {reserved}")));
        } else if directory_of(path).is_dir() {
            self.directories.insert(directory_of(path));
        } else {
            let shown = if name.contains("://") { masked(name) } else { name.to_owned() };
            return Err(Error::usage(format!("{shown}: no such file, and no directory in which it could appear")));
        }
        Ok(())
    }

    /// Refuses inputs without an end, which `job` has no use for.
    ///
    /// # Errors
    /// A usage error that names the first.
    pub fn refuse_live(&self, job: &str) -> Result<()> {
        match self.inputs.iter().find(|input| matches!(input, Input::Syslog(_))) {
            Some(input) => Err(Error::usage(format!("{}: {job} reads what has an end", input.name()))),
            None => Ok(()),
        }
    }

    fn push(&mut self, input: Input) {
        if self.seen.insert(input.clone()) {
            self.inputs.push(input);
        }
    }

    fn add(&mut self, path: &Path) {
        if !path.is_dir() {
            return self.push(Input::File(path.to_owned()));
        }
        self.directories.insert(path.to_owned());
        match list(path) {
            // The links of a directory are not followed: they lead in circles or to files that stand elsewhere.
            Ok(entries) => entries.iter().filter(|entry| !entry.is_symlink()).for_each(|entry| self.add(entry)),
            Err(error) => {
                let message = format!("{}: the directory cannot be read", path.display());
                self.errors.push(Error::input(message).because(error));
            }
        }
    }

    /// Adds what matches; `false` when nothing does.
    fn add_glob(&mut self, pattern: &str) -> Result<bool> {
        let paths = glob::glob(pattern).map_err(|error| {
            Error::usage(format!("{pattern}: not a glob: {} at character {}", error.msg, error.pos + 1))
        })?;
        let mut matched = false;
        for path in paths {
            matched = true;
            match path {
                Ok(path) => self.add(&path),
                Err(error) => {
                    let message = format!("{}: cannot be read", error.path().display());
                    self.errors.push(Error::input(message).because(std::io::Error::from(error)));
                }
            }
        }
        Ok(matched)
    }
}

/// The regular files and directories in `directory`, sorted by name.
fn list(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() || kind.is_dir() {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}
