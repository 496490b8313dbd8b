//! Collects files. Each file is taken once, the job's own files are left out, and links come last.

use std::collections::{BTreeSet, HashSet};
use std::fs::Metadata;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use glob::MatchOptions;

use crate::core::error::{Error, Result};
use crate::observe::receipt::LeftOutFile;
use crate::process::job_files::{Identity, Look, identity};
use crate::source::file::exclude::{Exclude, is_hidden};
use crate::source::kind;
use crate::source::symlinks::LinkChain;

/// The files that were found, and the paths that could not be read.
#[derive(Debug, Default)]
pub struct Files {
    /// The files in the order given, each with the index of its name. The files of a directory or glob are in the order of
    /// their names.
    pub files: Vec<(usize, PathBuf)>,
    /// Errors of directories that could not be read. The other files are read all the same, and the exit code says that
    /// the run is incomplete.
    pub errors: Vec<Error>,
    /// The directories in which new files may appear. Only [`find_so_far`](super::find_so_far) and
    /// [`find_again`](super::find_again) set them.
    pub directories: BTreeSet<PathBuf>,
    /// The paths that links lead to. Their directories are watched as well.
    pub targets: BTreeSet<PathBuf>,
    /// Sentences about paths that were left out although the user may expect them to be read.
    pub notes: Vec<String>,
    /// Sentences about links that another user may have put there.
    pub warnings: Vec<String>,
    /// Files and directories that are left out because of what they are.
    pub left_out_files: Vec<LeftOutFile>,
    /// The paths among `files` that the user named.
    named: HashSet<PathBuf>,
    /// The files that the user excludes.
    exclude: Exclude,
    /// The index of the name whose files are added.
    pub(super) index: usize,
    /// The paths so far. A path that is named twice is read once.
    seen: HashSet<PathBuf>,
    /// The files so far. A file with several names is read once. `None` if the caller detects such files itself.
    identities: Option<HashSet<Identity>>,
    /// Links that were found and that the user did not name. They are added after all other names.
    links: Vec<PathBuf>,
    left_out: LeftOut,
}

/// The paths that were found and are not read.
#[derive(Debug, Default)]
struct LeftOut {
    /// The job's own files, each as a sentence.
    own: Vec<String>,
    /// Links that lead to nothing.
    dangling: Vec<PathBuf>,
    /// Links that lead to directories.
    directories: Vec<PathBuf>,
    /// Hidden files and directories.
    hidden: Vec<PathBuf>,
    /// Files and directories that the user excludes.
    excluded: Vec<PathBuf>,
}

impl Files {
    /// Creates an empty list of files. A file with several names will be added once. Those in `exclude` are not added.
    pub(super) fn each_once(exclude: &Exclude) -> Files {
        Files { identities: Some(HashSet::new()), ..Files::all(exclude) }
    }

    /// Creates an empty list of files. Those in `exclude` are not added.
    pub(super) fn all(exclude: &Exclude) -> Files {
        Files { exclude: exclude.clone(), ..Files::default() }
    }

    /// Whether the user named the file at `path`.
    pub fn is_named(&self, path: &Path) -> bool {
        self.named.contains(path)
    }

    /// Whether the user excludes `path`, which is then noted.
    pub(super) fn excludes(&mut self, path: &Path) -> bool {
        let excluded = self.exclude.has(path);
        if excluded {
            self.left_out.excluded.push(path.to_owned());
        }
        excluded
    }

    /// Moves the errors and sentences to `found`.
    pub(in crate::source) fn take_messages(&mut self, found: &mut kind::Found) {
        found.errors.append(&mut self.errors);
        found.notes.append(&mut self.notes);
        found.warnings.append(&mut self.warnings);
        found.left_out.append(&mut self.left_out_files);
    }

    fn push(&mut self, path: &Path) {
        if self.seen.insert(path.to_owned()) {
            self.files.push((self.index, path.to_owned()));
        }
    }

    /// Adds a path that the user named: a file, or a directory with everything below it. The path may lead over links.
    /// A file is read once, however many links to it are named. If the user names two hard links of a file, the file is
    /// read twice.
    pub(super) fn add_named(&mut self, path: &Path, own: &Look) {
        if self.excludes(path) {
            return;
        }
        self.named.insert(path.to_owned());
        let file = path.metadata().ok().filter(Metadata::is_file).map(|data| identity(&data));
        match (file, &mut self.identities) {
            (Some(file), Some(known)) if own.of(path, Some(file)).is_none() => {
                if known.insert(file) || !self.has(path) {
                    self.push(path);
                }
            }
            _ => self.add(path, own),
        }
    }

    /// Whether the list already has the file at `path` under the same name, after links are followed.
    fn has(&self, path: &Path) -> bool {
        let Ok(real) = path.canonicalize() else { return false };
        self.files.iter().any(|(_, other)| other.canonicalize().is_ok_and(|other| other == real))
    }

    /// Adds the file at `path` if it was not added before, or the directory at `path` with everything below it. The
    /// path may lead over links.
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
        if self.identities.as_mut().is_none_or(is_new) {
            self.push(path);
        }
    }

    fn add_directory(&mut self, path: &Path, own: &Look) {
        self.directories.insert(path.to_owned());
        match list(path) {
            Ok(entries) => entries.iter().for_each(|entry| match is_hidden(entry) {
                true => self.left_out.hidden.push(entry.to_owned()),
                false => self.add_met(entry, own),
            }),
            Err(error) => {
                let message = format!("{}: the directory cannot be read", path.display());
                self.errors.push(Error::input(message).because(error));
            }
        }
    }

    /// Adds a path that was found in a directory. Links are added later.
    fn add_met(&mut self, path: &Path, own: &Look) {
        if self.excludes(path) {
            return;
        }
        match path.is_symlink() {
            true => self.links.push(path.to_owned()),
            false => self.add(path, own),
        }
    }

    /// Adds the targets of the links that were found, and makes the sentences about the paths that were left out.
    pub(super) fn finish(&mut self, own: &Look) {
        self.index = usize::MAX;
        for link in std::mem::take(&mut self.links) {
            self.add_link(&link, own);
        }
        let LeftOut { own, dangling, directories, hidden, excluded } = std::mem::take(&mut self.left_out);
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
        if let Some(first) = hidden.first() {
            let more = more(hidden.len(), "such names");
            self.notes.push(format!("{}: left out, it is hidden; name it to have it read{more}", first.display()));
        }
        if let Some(first) = excluded.first() {
            let more = more(excluded.len(), "such names");
            self.notes.push(format!("{}: left out by --exclude{more}", first.display()));
        }
        let why = |path: PathBuf| LeftOutFile { name: path.display().to_string(), why: "it is hidden".to_owned() };
        self.left_out_files.extend(hidden.into_iter().map(why));
        if let Some(first) = directories.first() {
            let more = more(directories.len(), "such links");
            let first = first.display();
            self.notes.push(format!(
                "{first}: left out, links to directories are not entered; name the link to have the directory read{more}"
            ));
        }
    }

    /// Adds the target of a link.
    fn add_link(&mut self, path: &Path, own: &Look) {
        let unreadable = |error: std::io::Error| {
            Error::input(format!("{}: the target of the link cannot be determined", path.display())).because(error)
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
                "{}: left out, because the link {} belongs to user {user}, who owns neither its target nor this \
                 process; name the link to have its target read",
                path.display(),
                link.display()
            )),
            None => self.add(path, own),
        }
    }

    /// Adds the paths that match. Returns `false` if none matches.
    pub(super) fn add_glob(&mut self, pattern: &str, own: &Look) -> Result<bool> {
        // As in a shell, `*` does not match the dot of a hidden name.
        let matching = MatchOptions { require_literal_leading_dot: true, ..MatchOptions::new() };
        let paths = glob::glob_with(pattern, matching).map_err(|error| {
            Error::usage(format!("{pattern}: not a glob: {} at character {}", error.msg, error.pos + 1))
        })?;
        let mut matched = false;
        for path in paths {
            matched = true;
            match path {
                // A matching link to a directory is entered. A shell that expands the glob has the same effect.
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
