//! How reading ended.

use crate::core::error::Error;
use crate::observe::receipt::{StoppedInput, UnreadFile, grouped};

/// How reading ended.
#[derive(Debug, Default)]
pub struct ReadOutcome {
    /// What could not be read.
    pub errors: Vec<Error>,
    /// Inputs that have an end and were left before it, because no more was wanted.
    pub stopped: Vec<StoppedInput>,
    /// Followed files that held more than was read of them when they were left.
    pub unread: Vec<UnreadFile>,
}

impl ReadOutcome {
    /// Adds what became of another input.
    pub fn add(&mut self, other: ReadOutcome) {
        self.errors.extend(other.errors);
        self.stopped.extend(other.stopped);
        self.unread.extend(other.unread);
    }

    /// What there is to say of the inputs that were left before their end; `None` where there are none.
    pub fn stopped_sentence(&self) -> Option<Error> {
        let first = self.stopped.first()?;
        let place = first.offset.map(|offset| format!(" at byte {} of its content", grouped(offset)));
        let name = format!("{}: stopped{}", first.name, place.unwrap_or_default());
        Some(Error::input(match self.stopped.len() {
            1 => format!("{name}; the rest of the input was not read"),
            more => format!("{name}; {} inputs were not read to their end", grouped(more as u64)),
        }))
    }

    /// Whether every input was read to its end, as far as it has one.
    pub fn is_complete(&self) -> bool {
        self.errors.is_empty() && self.stopped.is_empty()
    }
}

impl From<Error> for ReadOutcome {
    fn from(error: Error) -> ReadOutcome {
        ReadOutcome { errors: vec![error], ..ReadOutcome::default() }
    }
}

/// How reading one input ended.
pub(super) enum InputEnd {
    /// At its end, or where everything that follows is settled.
    Complete,
    /// Before its end, behind so many bytes of its content.
    Stopped(u64),
}
