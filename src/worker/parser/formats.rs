//! [`Formats`]: what all parsers of a process share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::detection::Detection;
use crate::core::batch::{Batch, Origin};
use crate::grok::{Format, Library, Parts, Pattern};
use crate::observe::receipt::PatternCount;
use crate::worker::pattern_counts::PatternCounters;

/// What to do with a line that matches no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unmatched {
    /// Store it as `message`, tagged.
    #[default]
    Keep,
    /// Set it aside.
    DeadLetter,
    /// Drop it, and count it as filtered.
    Drop,
}

/// What all parsers of a process share: which formats, and what was found out about inputs.
pub struct Formats {
    choice: Choice,
    pub(super) library: Arc<Library>,
    /// Patterns taken apart, to tell how far lines got that are set aside.
    parts: Mutex<HashMap<String, Arc<Parts>>>,
    pub(super) unmatched: Unmatched,
    pub(super) sums: PatternCounters,
    say: Box<dyn Fn(String) + Send + Sync>,
}

enum Choice {
    /// Tried in order.
    Given(Vec<Format>),
    /// Told from the first batch of each origin, and remembered.
    Auto(Detection),
}

impl Formats {
    /// These formats, in order; with none, each input's format is told from its lines. `say` gets a sentence for the
    /// user when that happens.
    pub fn new(
        given: Vec<Format>,
        library: Library,
        unmatched: Unmatched,
        say: impl Fn(String) + Send + Sync + 'static,
    ) -> Self {
        let sums = PatternCounters::of(given.iter().map(|format| format.name.as_str()));
        let choice = match given.is_empty() {
            true => Choice::Auto(Detection::default()),
            false => Choice::Given(given),
        };
        let (library, parts) = (Arc::new(library), Mutex::default());
        Formats { choice, library, parts, unmatched, sums, say: Box::new(say) }
    }

    /// What each pattern has cost and given so far, in all parsers.
    pub fn counts(&self) -> Vec<PatternCount> {
        self.sums.get()
    }

    /// `pattern` taken apart, which is done once.
    pub(super) fn parts(&self, pattern: &Pattern) -> Arc<Parts> {
        let mut known = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Parts::new(Arc::clone(&self.library), pattern));
        Arc::clone(known.entry(pattern.name().to_owned()).or_insert_with(new))
    }

    /// The formats that were given; none when each input's is detected.
    pub(super) fn given(&self) -> &[Format] {
        match &self.choice {
            Choice::Given(formats) => formats,
            Choice::Auto(_) => &[],
        }
    }

    /// Whether each input's format is told from its lines.
    pub(super) fn is_auto(&self) -> bool {
        matches!(self.choice, Choice::Auto(_))
    }

    /// The format of the lines of `origin`, told from those in `batch` at the first call.
    pub(super) fn detect(&self, batch: &Batch, origin: &Origin) -> Option<Format> {
        match &self.choice {
            Choice::Given(_) => None,
            Choice::Auto(detection) => detection.detect(&self.library, batch, origin, &self.say),
        }
    }
}
