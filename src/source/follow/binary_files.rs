//! The followed files that are not read because they are binary.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use crate::core::error::Error;
use crate::observe::receipt::LeftOutFile;
use crate::source::outcome::{ReadOutcome, refusal};
use crate::source::say::Say;

/// Tells the user about each binary file at once, because the job may run for a long time.
pub(super) struct BinaryFiles<'a> {
    say: &'a Say,
    /// The names that the user wrote. A binary file among them is an error, and any other one is left out.
    names: &'a [String],
    found: Mutex<(Vec<LeftOutFile>, Vec<Error>)>,
}

impl<'a> BinaryFiles<'a> {
    /// Creates an empty list.
    pub(super) fn new(say: &'a Say, names: &'a [String]) -> Self {
        BinaryFiles { say, names, found: Mutex::default() }
    }

    /// Adds the file at `path`. `why` says what it is.
    pub(super) fn leave_out(&self, path: &Path, why: String) {
        let name = path.display().to_string();
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        if self.names.iter().any(|named| Path::new(named) == path) {
            let sentence = refusal(&name, &why);
            self.say.warn(sentence.clone());
            found.1.push(Error::input(sentence));
            return;
        }
        let left_out = LeftOutFile { name, why };
        self.say.say(left_out.sentence());
        found.0.push(left_out);
    }

    /// Adds the files that were left out, and the errors.
    pub(super) fn into_outcome(self, outcome: ReadOutcome) -> ReadOutcome {
        let (left_out, refused) = self.found.into_inner().unwrap_or_else(PoisonError::into_inner);
        let mut outcome = ReadOutcome { left_out, ..outcome };
        outcome.errors.extend(refused);
        outcome
    }
}
