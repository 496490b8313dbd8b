//! What a user names as INPUT, made into a list of things to open.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use super::syslog;
use crate::error::{Error, Result};
use crate::sink::spec::masked;

/// One thing to read.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// Standard input, `-`.
    Stdin,
    /// A file.
    File(PathBuf),
    /// Syslog from the network, `syslog+udp://HOST:PORT`.
    Syslog(syslog::Address),
}

impl Input {
    /// As a user knows it.
    pub fn name(&self) -> String {
        match self {
            Input::Stdin => "-".to_owned(),
            Input::File(path) => path.display().to_string(),
            Input::Syslog(address) => address.to_string(),
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
    /// A file named twice, or named and met in a directory, is read once.
    seen: HashSet<Input>,
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
            found.add_glob(name)?;
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

/// Inputs of the documented command line that this version does not read.
fn reserved(name: &str) -> Option<&'static str> {
    let not_yet = "this version does not read it; files, directories, globs and - (standard input) are read";
    name.starts_with("docker:").then_some(not_yet)
}

impl Inputs {
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
        match list(path) {
            // The links of a directory are not followed: they lead in circles or to files that stand elsewhere.
            Ok(entries) => entries.iter().filter(|entry| !entry.is_symlink()).for_each(|entry| self.add(entry)),
            Err(error) => {
                let message = format!("{}: the directory cannot be read", path.display());
                self.errors.push(Error::input(message).because(error));
            }
        }
    }

    fn add_glob(&mut self, pattern: &str) -> Result<()> {
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
        if matched { Ok(()) } else { Err(Error::usage(format!("{pattern}: no file matches"))) }
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
