//! [`Storing`]: the thread that stores the documents of one sink.
//!
//! It tries again until it is done or the program ends. So a sink that is away, or does not answer, costs memory and no
//! request is late because of it.

use std::sync::Arc;
use std::time::Duration;

use super::outbox::{Outbox, Parcel};
use crate::core::backoff::Backoff;
use crate::core::error::{Error, Kind, Result};
use crate::core::record::Key;
use crate::dead_letter::{DeadLetters, Letter, Reason};
use crate::observe::console::Console;
use crate::sink::{AnySink, Outcome, Record};
use crate::worker::Destination;

/// The shortest and the longest pause after a failure.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(30)];

/// What the thread of one sink works with.
pub(super) struct Storing {
    pub destination: Arc<Destination>,
    pub outbox: Arc<Outbox>,
    pub dead_letters: Arc<DeadLetters>,
    pub console: Console,
}

/// What became of the documents of one sink.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// The documents that were not stored.
    pub unstored: u64,
    /// The documents that the sink refused.
    pub dead_lettered: u64,
    /// The reason why documents were not stored, or why the thread ended early.
    pub error: Option<Error>,
    /// Whether the thread ended early.
    pub is_early: bool,
}

impl Storing {
    /// Stores documents until no more come.
    pub fn run(&self) -> Ended {
        let mut ended = Ended::default();
        while let Some(parcel) = self.outbox.take() {
            let stored = self.store(&parcel, &mut ended);
            self.outbox.release(parcel);
            if let Err(error) = stored {
                ended.unstored += self.outbox.give_up();
                return Ended { error: Some(error), is_early: true, ..ended };
            }
        }
        if let Err(error) = self.destination.sink.close() {
            ended.error.get_or_insert(error);
        }
        ended
    }

    /// Stores a parcel. It tries again after a failure until no more documents come.
    ///
    /// # Errors
    /// No further attempt can succeed.
    fn store(&self, parcel: &Parcel, ended: &mut Ended) -> Result<()> {
        let mut open: Vec<usize> = (0..parcel.len()).collect();
        let refused: Vec<(usize, Outcome)> = parcel
            .documents
            .refused()
            .map(|(index, refusal)| {
                let words = refusal.words.clone();
                (index, if refusal.too_large { Outcome::Oversize(words) } else { Outcome::Rejected(words) })
            })
            .collect();
        open.retain(|index| refused.iter().all(|(refused, _)| refused != index));
        self.destination.count(refused.iter().map(|(_, outcome)| outcome));
        self.write_letters(parcel, &refused, ended)?;
        let mut backoff = Backoff::new(PAUSES[0], PAUSES[1]);
        let mut outcomes = Vec::new();
        while !open.is_empty() {
            let trouble = match self.attempt(parcel, &open, &mut outcomes) {
                Ok(()) => {
                    self.destination.count(&outcomes);
                    let settled: Vec<(usize, Outcome)> = open.drain(..).zip(outcomes.drain(..)).collect();
                    self.write_letters(parcel, &settled, ended)?;
                    let mut words = None;
                    for (index, outcome) in settled {
                        if let Outcome::Failed(why) = outcome {
                            open.push(index);
                            words.get_or_insert(why);
                        }
                    }
                    words.map(|words| Error::sink(format!("{}: {words}", self.destination.sink.name())))
                }
                Err(error) if error.is_broken_pipe() || !may_pass(error.kind()) => {
                    ended.unstored += open.len() as u64;
                    return Err(error);
                }
                Err(error) => Some(error),
            };
            let Some(error) = trouble else { break };
            if self.outbox.is_ending() {
                ended.unstored += open.len() as u64;
                ended.error.get_or_insert(error);
                return Ok(());
            }
            self.console.error(format!("{error}; the documents wait for the next attempt"));
            self.outbox.pause(backoff.next_delay());
        }
        Ok(())
    }

    /// Gives the documents at the indexes `open` to the sink. `outcomes` gets one entry for each of them.
    fn attempt(&self, parcel: &Parcel, open: &[usize], outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        match &self.destination.sink {
            AnySink::Documents(sink) if open.len() == parcel.len() => sink.store(&parcel.documents, outcomes),
            AnySink::Documents(sink) => sink.store(&parcel.documents.only(open), outcomes),
            AnySink::Records(sink) => {
                let record = |index: &usize| Record {
                    bytes: parcel.text(*index),
                    id: parcel.ids[*index],
                    context: &parcel.contexts[*index],
                };
                sink.store(&open.iter().map(record).collect::<Vec<_>>(), outcomes)
            }
        }?;
        match outcomes.len() == open.len() {
            true => Ok(()),
            false => {
                let (said, asked) = (outcomes.len(), open.len());
                Err(Error::internal(format!("{}: {said} answers for {asked} documents", self.destination.sink.name())))
            }
        }
    }

    /// Writes a dead letter for each document that the sink has refused.
    fn write_letters(&self, parcel: &Parcel, settled: &[(usize, Outcome)], ended: &mut Ended) -> Result<()> {
        let name = self.destination.sink.name();
        let refused: Vec<(usize, Reason, String)> = settled
            .iter()
            .filter_map(|(index, outcome)| match outcome {
                Outcome::Rejected(words) => Some((*index, Reason::Rejected, format!("{name}: {words}"))),
                Outcome::Oversize(words) => Some((*index, Reason::Oversize, format!("{name}: {words}"))),
                Outcome::Stored | Outcome::Duplicate | Outcome::Failed(_) => None,
            })
            .collect();
        if refused.is_empty() {
            return Ok(());
        }
        let letters: Vec<Letter<'_>> = refused
            .iter()
            .map(|(index, reason, detail)| Letter {
                id: parcel.ids[*index],
                context: &parcel.contexts[*index],
                offset: 0,
                line: None,
                key: Key::Given(parcel.ids[*index]),
                reason: *reason,
                detail,
                pattern: None,
                explain: None,
                raw: parcel.text(*index),
                length: parcel.text(*index).len() as u64,
                partial: false,
                multiline_cut: false,
            })
            .collect();
        ended.dead_lettered += letters.len() as u64;
        self.dead_letters.write(&letters)
    }
}

/// Returns whether a failure of this kind may pass.
fn may_pass(kind: Kind) -> bool {
    matches!(kind, Kind::Sink | Kind::Wire | Kind::System)
}
