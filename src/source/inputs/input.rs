//! One input of a job.

use std::fs::File;
use std::hash::{Hash, Hasher};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::Arc;

use crate::core::error::{Error, Result};
use crate::process::job_files::JobFiles;
use crate::source::syslog;

/// One input.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Input {
    /// Standard input, `-`.
    Stdin,
    /// A file.
    File(PathBuf),
    /// Syslog from the network, `syslog+udp://HOST:PORT`.
    Syslog(syslog::Address),
    /// All files that are followed. They are one input.
    Followed(Arc<Followed>),
}

impl Input {
    /// The name of the input in messages.
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
    /// Whether the input has an end. The reader of an input without an end stops when it is told to.
    pub fn has_end(&self) -> bool {
        match self {
            Input::Stdin | Input::File(_) => true,
            Input::Followed(_) | Input::Syslog(_) => false,
        }
    }

    /// Whether the input is a regular file. Reading it never waits for a writer.
    pub fn is_regular_file(&self) -> bool {
        match self {
            Input::Stdin => open_stdin().is_ok_and(|file| file.metadata().is_ok_and(|data| data.is_file())),
            Input::File(path) => path.is_file(),
            Input::Followed(_) | Input::Syslog(_) => false,
        }
    }
}

/// The files that are followed.
#[derive(Debug, Clone)]
pub struct Followed {
    /// The names that the user gave: files, directories, globs.
    pub names: Vec<String>,
    /// The job's own files. They may be in the same directories, but they are not logs.
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

/// Opens standard input without the buffer that the process shares. With that buffer, `poll` could report no data
/// although the buffer holds some.
///
/// # Errors
/// Fails when the process has no standard input.
pub(crate) fn open_stdin() -> Result<File> {
    let descriptor = std::io::stdin().as_fd().try_clone_to_owned();
    descriptor.map(File::from).map_err(|error| Error::input("-: standard input cannot be read").because(error))
}
