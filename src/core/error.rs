//! One error type for the whole library: what failed, where, and what to do about it.
//!
//! An [`Error`] is made where the context is known (file, line, byte, endpoint) and carries a finished sentence for a
//! person. Callers decide by [`Error::kind`] and [`Error::is_retryable`] only. A line that does not match a pattern and
//! a document that a sink refuses are *not* errors: they are outcomes of the work.

use std::fmt;

use crate::core::secrets;

/// The result of everything in this crate that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What went wrong, in one sentence a user can act on.
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The classes of failure a caller can tell apart. They decide the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The command line, the configuration or a pattern is wrong: nothing was started. Exit code 2.
    Usage,
    /// An input is missing, unreadable or damaged. What could be read was delivered. Exit code 3.
    Input,
    /// A sink cannot be opened or cannot store. What was not acked can be resumed. Exit code 3.
    Sink,
    /// The queue, a worker or the wire between them failed. Exit code 3.
    Wire,
    /// A resource of this machine failed (disk, memory, thread, signal). Exit code 3.
    System,
    /// A promise of the program itself was broken. Exit code 3, and a bug.
    Internal,
}

impl Error {
    /// An error of `kind` with a finished sentence.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), source: None }
    }

    /// [`Kind::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Error::new(Kind::Usage, message)
    }

    /// [`Kind::Input`].
    pub fn input(message: impl Into<String>) -> Self {
        Error::new(Kind::Input, message)
    }

    /// [`Kind::Sink`].
    pub fn sink(message: impl Into<String>) -> Self {
        Error::new(Kind::Sink, message)
    }

    /// [`Kind::Wire`].
    pub fn wire(message: impl Into<String>) -> Self {
        Error::new(Kind::Wire, message)
    }

    /// [`Kind::System`].
    pub fn system(message: impl Into<String>) -> Self {
        Error::new(Kind::System, message)
    }

    /// [`Kind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(Kind::Internal, message)
    }

    /// Keeps the underlying error; its text is shown after the sentence.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// The class of the failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Whether doing the same again later can succeed without anybody changing anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, Kind::Sink | Kind::Wire)
    }

    /// Whether the reader of standard output went away: the program ends quietly.
    pub fn is_broken_pipe(&self) -> bool {
        let source = self.source.as_deref().and_then(|e| e.downcast_ref::<std::io::Error>());
        source.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// The process exit code of the documented contract.
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Usage => 2,
            _ => 3,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&secrets::hide(&self.message))?;
        if let Some(source) = &self.source {
            write!(f, ": {}", secrets::hide(&source.to_string()))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}: {self}", self.kind)
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.source.as_deref().map(|e| e as _)
    }
}
