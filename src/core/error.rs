//! The error type of the whole library. An error says what failed, where, and what to do.
//!
//! An [`Error`] is made where the context is known (file, line, byte, endpoint). It holds a complete sentence for the
//! user. Callers look only at [`Error::kind`] and [`Error::is_retryable`]. A line that matches no pattern and a
//! document that a sink refuses are *not* errors. They are results of the work, and are counted.

use std::fmt;

use crate::core::secrets;

/// The result of a function that can fail.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An error with a sentence that tells the user what to do.
pub struct Error {
    kind: Kind,
    message: String,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// The kinds of failure that a caller can tell apart. The kind decides the exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kind {
    /// The command line, the configuration or a pattern is wrong. Nothing was started. Exit code 2.
    Usage,
    /// An input is missing, unreadable or damaged. All lines that could be read were delivered. Exit code 3.
    Input,
    /// A sink cannot be opened or cannot store. A later run can resume the lines that are not acknowledged. Exit code
    /// 3.
    Sink,
    /// The queue, a worker or the wire between them failed. Exit code 3.
    Wire,
    /// A resource of this machine failed (disk, memory, thread, signal). Exit code 3.
    System,
    /// The program broke one of its own promises, which is a bug. Exit code 3.
    Internal,
}

impl Error {
    /// Creates an error of `kind` with a complete sentence.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Error { kind, message: message.into(), source: None }
    }

    /// Creates an error of [`Kind::Usage`].
    pub fn usage(message: impl Into<String>) -> Self {
        Error::new(Kind::Usage, message)
    }

    /// Creates an error of [`Kind::Input`].
    pub fn input(message: impl Into<String>) -> Self {
        Error::new(Kind::Input, message)
    }

    /// Creates an error of [`Kind::Sink`].
    pub fn sink(message: impl Into<String>) -> Self {
        Error::new(Kind::Sink, message)
    }

    /// Creates an error of [`Kind::Wire`].
    pub fn wire(message: impl Into<String>) -> Self {
        Error::new(Kind::Wire, message)
    }

    /// Creates an error of [`Kind::System`].
    pub fn system(message: impl Into<String>) -> Self {
        Error::new(Kind::System, message)
    }

    /// Creates an error of [`Kind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Error::new(Kind::Internal, message)
    }

    /// Attaches the underlying error. Its text is shown after the sentence.
    pub fn because(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.source = Some(source.into());
        self
    }

    /// Returns the kind of the failure.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// Returns whether a later attempt can succeed although nobody changes anything.
    pub fn is_retryable(&self) -> bool {
        matches!(self.kind, Kind::Sink | Kind::Wire)
    }

    /// Returns whether the reader of standard output has gone. The program then ends without a message.
    pub fn is_broken_pipe(&self) -> bool {
        let source = self.source.as_deref().and_then(|e| e.downcast_ref::<std::io::Error>());
        source.is_some_and(|e| e.kind() == std::io::ErrorKind::BrokenPipe)
    }

    /// Returns the exit code of the process, as documented.
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
