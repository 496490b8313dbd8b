//! The result of reading: errors, and inputs that were not read to their end.

use crate::core::error::{Error, Result};
use crate::core::numbers::grouped;
use crate::observe::receipt::{LeftOutFile, ReadContainer, StoppedInput, UnreadFile};

/// The result of reading all inputs.
#[derive(Debug, Default)]
pub struct ReadOutcome {
    /// Errors of inputs that could not be read.
    pub errors: Vec<Error>,
    /// Inputs that have an end and were not read to their end, because the receiver wanted no more.
    pub stopped: Vec<StoppedInput>,
    /// Followed files that held more bytes than were read when the job ended.
    pub unread: Vec<UnreadFile>,
    /// Containers whose logs were read.
    pub containers: Vec<ReadContainer>,
    /// Files and directories that were left out because of what they are.
    pub left_out: Vec<LeftOutFile>,
}

impl ReadOutcome {
    /// Adds the result of another input.
    pub fn add(&mut self, other: ReadOutcome) {
        self.errors.extend(other.errors);
        self.stopped.extend(other.stopped);
        self.unread.extend(other.unread);
        self.containers.extend(other.containers);
        self.left_out.extend(other.left_out);
    }

    /// A sentence about the inputs that were not read to their end. `None` if there are none.
    pub fn stopped_sentence(&self) -> Option<Error> {
        let first = self.stopped.first()?;
        let place = first.offset.map(|offset| format!(" at byte {} of its content", grouped(offset)));
        let name = format!("{}: stopped{}", first.name, place.unwrap_or_default());
        Some(Error::input(match self.stopped.len() {
            1 => format!("{name}; the rest of the input was not read"),
            more => format!("{name}; {} inputs were not read to their end", grouped(more as u64)),
        }))
    }

    /// Whether every input that has an end was read to its end.
    pub fn is_complete(&self) -> bool {
        self.errors.is_empty() && self.stopped.is_empty()
    }
}

impl From<Error> for ReadOutcome {
    fn from(error: Error) -> ReadOutcome {
        ReadOutcome { errors: vec![error], ..ReadOutcome::default() }
    }
}

/// The outcome of reading the source `name`, which has an end.
pub(super) fn of(name: &str, end: Result<InputEnd>) -> ReadOutcome {
    match end {
        Ok(InputEnd::Complete) => ReadOutcome::default(),
        Ok(InputEnd::Stopped(offset)) => {
            let stopped = vec![StoppedInput { name: name.to_owned(), offset: Some(offset) }];
            ReadOutcome { stopped, ..ReadOutcome::default() }
        }
        Ok(InputEnd::Binary(why)) => Error::input(refusal(name, &why)).into(),
        Err(error) => error.into(),
    }
}

/// How the reading of one input ended.
pub(super) enum InputEnd {
    /// At its end, or at a place after which all lines are settled.
    Complete,
    /// Before its end, at this offset in its content.
    Stopped(u64),
    /// At its beginning, because it is binary. The text says what it is, and which command helps.
    Binary(String),
}

/// The sentence about an input that is refused.
pub(super) fn refusal(name: &str, why: &str) -> String {
    format!("{name}: not read, {why}")
}
