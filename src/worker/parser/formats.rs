//! [`Formats`]: the formats of a job and the state that all parsers of a process share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use super::detection::Detection;
use crate::core::batch::{Batch, Origin};
use crate::document::date::DateOptions;
use crate::event::stage::StageSpec;
use crate::event::{MessageRule, TagCounts};
use crate::grok::{Format, Library, Parts, Pattern};
use crate::observe::counters::{PATTERN, Row, STAGE, TAGGED};
use crate::worker::date_counts::DateCounters;
use crate::worker::pattern_counts::PatternCounters;

/// The treatment of a line that matches no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unmatched {
    /// Store the line as `message`, with a tag.
    #[default]
    Keep,
    /// Write the line to the dead letters.
    DeadLetter,
    /// Drop the line and count it as filtered.
    Drop,
}

/// The state that all parsers of a process share: the formats, and the results of detection.
pub struct Formats {
    choice: Choice,
    pub(super) library: Arc<Library>,
    /// Patterns split into their parts, for the explanations in dead letters.
    parts: Mutex<HashMap<String, Arc<Parts>>>,
    pub(super) unmatched: Unmatched,
    /// Whether sequences that control a terminal stay in texts.
    pub(super) keeps_ansi: bool,
    pub(super) sums: PatternCounters,
    pub(super) stages: Vec<Arc<dyn StageSpec>>,
    pub(super) stage_sums: PatternCounters,
    /// When documents have the text of their records.
    pub(super) message: MessageRule,
    tags: Mutex<TagCounts>,
    pub(super) dates: DateOptions,
    pub(super) date_sums: DateCounters,
    say: Box<dyn Fn(String) + Send + Sync>,
}

enum Choice {
    /// Formats that the user named. They are tried in order.
    Given(Vec<Format>),
    /// A format per origin, detected from its first batch and then remembered.
    Auto(Detection),
    /// No format: records go to their sinks as they were read.
    None,
}

impl Formats {
    /// Returns the shared state for the formats `given`, which are tried in order. If `given` is empty, the format of
    /// each input is detected from its lines, and `say` gets a sentence for the user.
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
        let (stages, stage_sums) = (Vec::new(), PatternCounters::default());
        let keeps_ansi = false;
        let (dates, date_sums) = (DateOptions::default(), DateCounters::default());
        let (message, tags, say) = (MessageRule::Auto, Mutex::default(), Box::new(say));
        Formats {
            choice,
            library,
            parts,
            unmatched,
            keeps_ansi,
            sums,
            stages,
            stage_sums,
            dates,
            date_sums,
            message,
            tags,
            say,
        }
    }

    /// Returns the shared state for sinks that take records as they were read. Nothing is parsed: a record only gets its id.
    pub fn of_records() -> Self {
        let formats = Formats::new(Vec::new(), Library::builtin(), Unmatched::Keep, drop);
        Formats { choice: Choice::None, ..formats }
    }

    /// Keeps the sequences that control a terminal, such as colours, if `keeps_ansi` is set.
    pub fn keeping_ansi(self, keeps_ansi: bool) -> Self {
        Formats { keeps_ansi, ..self }
    }

    /// Adds the stages that every event passes, in this order.
    pub fn with_stages(self, stages: Vec<Arc<dyn StageSpec>>) -> Self {
        let stage_sums = PatternCounters::of(stages.iter().map(|stage| stage.name()));
        Formats { stages, stage_sums, ..self }
    }

    /// Sets what the user says about dates.
    pub fn with_dates(self, dates: DateOptions) -> Self {
        Formats { dates, ..self }
    }

    /// Sets when documents have the text of their records. [`MessageRule::Auto`] is the usual rule.
    pub fn with_message(self, message: MessageRule) -> Self {
        Formats { message, ..self }
    }

    /// Returns the counts of each pattern, of each stage, of each tag and of the dates, over all parsers.
    pub fn counts(&self) -> Vec<Row> {
        let dates = self.date_sums.row(self.dates.rules.zone_name());
        let tags = self.tags.lock().unwrap_or_else(PoisonError::into_inner);
        let tags =
            tags.iter().map(|(tag, documents)| Row { label: tag.to_owned(), counts: vec![(&TAGGED, Some(documents))] });
        self.sums.get(PATTERN).into_iter().chain(self.stage_sums.get(STAGE)).chain(tags).chain(dates).collect()
    }

    /// Moves the counts of a parser to the shared ones.
    pub(super) fn add_tags(&self, tags: &mut TagCounts) {
        self.tags.lock().unwrap_or_else(PoisonError::into_inner).take(tags);
    }

    /// Returns `pattern` split into its parts. Each pattern is split once.
    pub(super) fn parts(&self, pattern: &Pattern) -> Arc<Parts> {
        let mut known = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Parts::new(Arc::clone(&self.library), pattern));
        Arc::clone(known.entry(pattern.name().to_owned()).or_insert_with(new))
    }

    /// Returns the formats that the user named; none when the format of each input is detected.
    pub fn given(&self) -> &[Format] {
        match &self.choice {
            Choice::Given(formats) => formats,
            Choice::Auto(_) | Choice::None => &[],
        }
    }

    /// Returns whether the format of each input is detected.
    pub(super) fn is_auto(&self) -> bool {
        matches!(self.choice, Choice::Auto(_))
    }

    /// Returns whether records are not parsed.
    pub(super) fn is_none(&self) -> bool {
        matches!(self.choice, Choice::None)
    }

    /// Returns the detected format of the lines of `origin`; the first call detects it from `batch`.
    pub(super) fn detect(&self, batch: &Batch, origin: &Origin) -> Option<Format> {
        match &self.choice {
            Choice::Given(_) | Choice::None => None,
            Choice::Auto(detection) => detection.detect(&self.library, batch, origin, self.keeps_ansi, &self.say),
        }
    }
}
