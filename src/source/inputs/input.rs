//! One input: a thing to read.

use std::fs::File;
use std::hash::{Hash, Hasher};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use crate::core::error::{Error, Result};
use crate::process::job_files::JobFiles;
use crate::source::syslog;

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

/// What is followed.
#[derive(Debug, Clone)]
pub struct Followed {
    /// As the user names it: files, directories, globs.
    pub names: Vec<String>,
    /// The job's own files, which are no logs though they may lie beside some.
    pub own: Arc<JobFiles>,
}

impl PartialEq for Followed {
    fn eq(&self, other: &Followed) -> bool {
        self.names == other.names
    }
}

impl Eq for Followed {}

impl Hash for Followed {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.names.hash(state);
    }
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
