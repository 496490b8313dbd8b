//! Inputs as they are found: each once, without the job's own files, links last.

use std::collections::{BTreeSet, HashSet};
use std::fs::Metadata;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::input::{Input, open_stdin};
use crate::core::error::{Error, Result};
use crate::process::job_files::{Identity, Look, Own, identity};
use crate::process::streams;
use crate::source::symlinks::LinkChain;

/// What was found, and what could not be looked at.
#[derive(Debug, Default)]
pub struct Inputs {
    /// What to read, in the order given; the files of a directory or glob in the order of their names.
    pub inputs: Vec<Input>,
    /// Directories that could not be read. The rest is read all the same, and the run is not finished.
    pub errors: Vec<Error>,
    /// The directories in which further files may appear. Told by [`find_so_far`] alone.
    pub directories: BTreeSet<PathBuf>,
    /// What links lead to, so that it is known which changes elsewhere matter.
    pub targets: BTreeSet<PathBuf>,
    /// What was left out and is perhaps missed, as sentences.
    pub notes: Vec<String>,
    /// Links that may have been planted, as sentences.
    pub warnings: Vec<String>,
    /// An input named twice is read once.
    seen: HashSet<Input>,
    /// A file with several names is read once. `None` where a file is told by others.
    files: Option<HashSet<Identity>>,
    /// Links that were met and not named. They come after all names that are none.
    links: Vec<PathBuf>,
    left_out: LeftOut,
}

/// What was met and is not read.
#[derive(Debug, Default)]
struct LeftOut {
    /// The job's own files, with what they are.
    own: Vec<String>,
    /// Links that lead to nothing.
    dangling: Vec<PathBuf>,
    /// Links that lead to directories.
    directories: Vec<PathBuf>,
}

impl Inputs {
    /// Nothing yet. A file with several names will be there once.
    pub(super) fn each_file_once() -> Inputs {
        Inputs { files: Some(HashSet::new()), ..Inputs::default() }
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

    pub(super) fn push(&mut self, input: Input) {
        if self.seen.insert(input.clone()) {
            self.inputs.push(input);
        }
    }

    pub(super) fn add_stdin(&mut self, own: &Look) -> Result<()> {
        let file = open_stdin().ok();
        if let Some(own) = file.as_ref().and_then(|file| own.of_open(file)) {
            return Err(is_own("- (standard input)", own));
        }
        match file.is_none() || streams::stdin_was_closed() {
            true => self.errors.push(Error::input("-: standard input is closed; nothing is read from it")),
            false => self.push(Input::Stdin),
        }
        Ok(())
    }

    /// Adds what a user has named, over links or not: a file, or a directory with all below it. A file is read once however
    /// many links to it are named; whoever names it by two names of its own (hard links) gets it twice.
    pub(super) fn add_named(&mut self, path: &Path, own: &Look) {
        let file = path.metadata().ok().filter(Metadata::is_file).map(|data| identity(&data));
        match (file, &mut self.files) {
            (Some(file), Some(files)) if own.of(path, Some(file)).is_none() => {
                if files.insert(file) || !self.has(path) {
                    self.push(Input::File(path.to_owned()));
                }
            }
            _ => self.add(path, own),
        }
    }

    /// Whether the file that `path` leads to is among the inputs under the same name, links followed.
    fn has(&self, path: &Path) -> bool {
        let Ok(real) = path.canonicalize() else { return false };
        let is_it = |input: &Input| matches!(input, Input::File(other) if other.canonicalize().is_ok_and(|other| other == real));
        self.inputs.iter().any(is_it)
    }

    /// Adds what is at `path`, over links or not: a file, if it was not met before, or a directory with all below it.
    pub(super) fn add(&mut self, path: &Path, own: &Look) {
        let data = path.metadata().ok();
        if data.as_ref().is_some_and(Metadata::is_dir) {
            return self.add_directory(path, own);
        }
        let file = data.filter(Metadata::is_file).map(|data| identity(&data));
        if let Some(own) = own.of(path, file) {
            let place = if own.inside { "in " } else { "" };
            let shown = format!("{}: left out, it is {place}this job's {}", path.display(), own.role);
            return self.left_out.own.push(shown);
        }
        let is_new = |files: &mut HashSet<Identity>| file.is_none_or(|file| files.insert(file));
        if self.files.as_mut().is_none_or(is_new) {
            self.push(Input::File(path.to_owned()));
        }
    }

    fn add_directory(&mut self, path: &Path, own: &Look) {
        self.directories.insert(path.to_owned());
        match list(path) {
            Ok(entries) => entries.iter().for_each(|entry| self.add_met(entry, own)),
            Err(error) => {
                let message = format!("{}: the directory cannot be read", path.display());
                self.errors.push(Error::input(message).because(error));
            }
        }
    }

    /// Adds what was met in a directory; links later.
    fn add_met(&mut self, path: &Path, own: &Look) {
        match path.is_symlink() {
            true => self.links.push(path.to_owned()),
            false => self.add(path, own),
        }
    }

    /// Adds the files that the links lead to that were met, and says what was left out.
    pub(super) fn finish(&mut self, own: &Look) {
        for link in std::mem::take(&mut self.links) {
            self.add_link(&link, own);
        }
        let LeftOut { own, dangling, directories } = std::mem::take(&mut self.left_out);
        let more = |count: usize, what: &str| match count {
            1 => String::new(),
            count => format!(" (and {} more {what})", count - 1),
        };
        if let Some(first) = own.first() {
            self.notes.push(format!("{first}{}", more(own.len(), "of its own files")));
        }
        if let Some(first) = dangling.first() {
            let more = more(dangling.len(), "such links");
            self.notes.push(format!("{}: left out, the link leads to nothing{more}", first.display()));
        }
        if let Some(first) = directories.first() {
            let more = more(directories.len(), "such links");
            let first = first.display();
            self.notes.push(format!(
                "{first}: left out, links to directories are not entered; name it to have it read{more}"
            ));
        }
    }

    /// Adds the file that a link leads to.
    fn add_link(&mut self, path: &Path, own: &Look) {
        let unreadable = |error: std::io::Error| {
            Error::input(format!("{}: it cannot be told where the link leads", path.display())).because(error)
        };
        let chain = match LinkChain::of(path) {
            Ok(chain) => chain,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return self.errors.push(unreadable(error)),
            Err(_) => return self.left_out.dangling.push(path.to_owned()),
        };
        let places = chain.links.iter().skip(1).map(|(link, _)| link.clone()).chain([chain.target.clone()]);
        self.targets.extend(places);
        let data = match chain.target.metadata() {
            Ok(data) => data,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return self.errors.push(unreadable(error)),
            Err(_) => return self.left_out.dangling.push(path.to_owned()),
        };
        if data.is_dir() {
            return self.left_out.directories.push(path.to_owned());
        }
        if !data.is_file() {
            return;
        }
        let us = nix::unistd::geteuid().as_raw();
        match chain.planted_link(us, data.uid()) {
            Some((link, user)) => self.warnings.push(format!(
                "{}: left out, because the link {} belongs to user {user}, who owns neither what it leads to nor this \
                 process; name it to have it read",
                path.display(),
                link.display()
            )),
            None => self.add(path, own),
        }
    }

    /// Adds what matches; `false` when nothing does.
    pub(super) fn add_glob(&mut self, pattern: &str, own: &Look) -> Result<bool> {
        let paths = glob::glob(pattern).map_err(|error| {
            Error::usage(format!("{pattern}: not a glob: {} at character {}", error.msg, error.pos + 1))
        })?;
        let mut matched = false;
        for path in paths {
            matched = true;
            match path {
                // A link to a directory that matches is entered, as it is when the shell has put in its name.
                Ok(path) if path.is_symlink() && path.is_dir() => self.add_directory(&path, own),
                Ok(path) => self.add_met(&path, own),
                Err(error) => {
                    let message = format!("{}: cannot be read", error.path().display());
                    self.errors.push(Error::input(message).because(std::io::Error::from(error)));
                }
            }
        }
        Ok(matched)
    }
}

pub(super) fn is_own(name: &str, own: Own) -> Error {
    let Own { role, given, .. } = own;
    let advice = match (own.inside, own.written) {
        (true, _) => format!("it lies in the {role} of this job ({given}), in which there are no logs"),
        (_, true) => format!("it is to be read and is the {role} of this job as well ({given}); name another file"),
        (_, false) => format!("it is the {role} of this job ({given}) and no log"),
    };
    Error::usage(format!("{name}: {advice}; nothing was read"))
}

/// The regular files, directories and links in `directory`, sorted by name.
fn list(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut entries = Vec::new();
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() || kind.is_dir() || kind.is_symlink() {
            entries.push(entry.path());
        }
    }
    entries.sort();
    Ok(entries)
}
