//! Storing a parsed batch in every sink, and saying of each line what became of it.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::in_flight::InFlight;
use super::parser::{Fate, LetterDraft, Parsed};
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::core::lines::Line;
use crate::dead_letter::{DeadLetters, Letter, Reason};
use crate::document::{DocumentId, Documents, date};
use crate::observe::details::Seldom;
use crate::observe::receipt::Tally;
use crate::sink::{Outcome, Sink};

static STORED: Seldom = Seldom::new();

/// What became of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The lines by what became of them; adds up to the batch.
    pub tally: Tally,
}

/// The sinks of a process and its dead letters.
pub struct Storer {
    sinks: Vec<Arc<dyn Sink>>,
    dead_letters: Arc<DeadLetters>,
    /// Closed when nothing more may be stored.
    in_flight: Option<Arc<InFlight>>,
    settled: SettledOutcomes,
}

/// What the sinks together say of one document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Duplicate,
    Stored,
    Rejected,
}

impl Storer {
    /// Stores in all of `sinks`.
    pub fn new(sinks: Vec<Arc<dyn Sink>>, dead_letters: Arc<DeadLetters>) -> Self {
        Storer { sinks, dead_letters, in_flight: None, settled: SettledOutcomes::default() }
    }

    /// Counts each batch that is being stored in `in_flight`; once that is closed, no further batch is stored.
    pub fn counted_in(self, in_flight: Option<Arc<InFlight>>) -> Self {
        Storer { in_flight, ..self }
    }

    /// The sinks.
    pub fn sinks(&self) -> &[Arc<dyn Sink>] {
        &self.sinks
    }

    /// Stores the documents of `parsed`, sets aside what no sink will take, and adds up.
    ///
    /// What a sink has settled of a batch that failed all the same is remembered until the batch comes back to this
    /// process; the documents then go only to those sinks that have not settled them.
    ///
    /// # Errors
    /// When a sink failed, for all or for one document: then nothing may be acknowledged, though some of it may be
    /// stored.
    pub fn store(&self, batch: &Batch, parsed: &mut Parsed, outcomes: &mut Vec<Outcome>) -> Result<Stored> {
        let _storing = match &self.in_flight {
            Some(in_flight) => Some(in_flight.enter().ok_or_else(|| Error::wire("nothing more may be stored"))?),
            None => None,
        };
        let started = Instant::now();
        // By sink, what is known of each document.
        let mut known: Vec<Vec<Option<Outcome>>> = vec![Vec::new(); self.sinks.len()];
        let stored = self.store_in_all_sinks(parsed, outcomes, &mut known);
        let mut letters = Vec::new();
        let verdicts = match stored {
            Ok(()) => self.combine(parsed, &known, &mut letters),
            Err(error) => {
                self.remember(parsed, known);
                return Err(error);
            }
        };
        letters.append(&mut parsed.letters);
        if let Err(error) = self.write_dead_letters(batch, letters) {
            self.remember(parsed, known);
            return Err(error);
        }
        STORED.tell(u64::from(batch.lines), |batches, lines| {
            let (ms, name, offset) = (started.elapsed().as_millis(), &batch.origin.name, batch.offset);
            format!(
                "{batches} batches with {lines} lines were stored, that of {name} from byte {offset} within {ms} ms"
            )
        });
        Ok(Stored { tally: add_up(parsed.fates(), &verdicts) })
    }

    /// Gives the documents to each sink that has not settled them. What became of them is in `known`, also when it fails.
    fn store_in_all_sinks(
        &self,
        parsed: &Parsed,
        outcomes: &mut Vec<Outcome>,
        known: &mut [Vec<Option<Outcome>>],
    ) -> Result<()> {
        // All of them first: what is taken out has to be put back when a sink fails.
        for (index, (sink, known)) in self.sinks.iter().zip(known.iter_mut()).enumerate() {
            *known = self.settled.take(index, parsed.encoded(sink.encoding()));
        }
        for (sink, known) in self.sinks.iter().zip(known) {
            let all = parsed.encoded(sink.encoding());
            let open: Vec<usize> = (0..all.len()).filter(|&index| known[index].is_none()).collect();
            if open.is_empty() && !all.is_empty() {
                continue;
            }
            let rest;
            let documents = match open.len() == all.len() {
                true => all,
                false => {
                    rest = all.only(&open);
                    &rest
                }
            };
            outcomes.clear();
            sink.store(documents, outcomes)?;
            if outcomes.len() != documents.len() {
                let (said, asked) = (outcomes.len(), documents.len());
                return Err(Error::internal(format!("{}: {said} answers for {asked} documents", sink.name())));
            }
            let mut failed = None;
            for (index, outcome) in open.into_iter().zip(outcomes.drain(..)) {
                match outcome {
                    Outcome::Failed(words) => failed = failed.or(Some(words)),
                    settled => known[index] = Some(settled),
                }
            }
            if let Some(words) = failed {
                return Err(Error::sink(format!("{}: {words}", sink.name())));
            }
        }
        Ok(())
    }

    /// What the sinks together say of each document, with the letters of those that one of them refuses.
    fn combine(&self, parsed: &Parsed, known: &[Vec<Option<Outcome>>], letters: &mut Vec<LetterDraft>) -> Vec<Verdict> {
        let mut verdicts = vec![Verdict::Duplicate; parsed.documents()];
        for (sink, known) in self.sinks.iter().zip(known) {
            let documents = parsed.encoded(sink.encoding());
            for (index, outcome) in known.iter().enumerate() {
                let mut refused = |reason, words: &str| {
                    let detail = format!("{}: {words}", sink.name());
                    letters.push(LetterDraft::new(documents.get(index).line, reason, detail));
                    Verdict::Rejected
                };
                let verdict = match outcome {
                    Some(Outcome::Stored) => Verdict::Stored,
                    Some(Outcome::Rejected(words)) => refused(Reason::Rejected, words),
                    Some(Outcome::Oversize(words)) => refused(Reason::Oversize, words),
                    Some(Outcome::Duplicate | Outcome::Failed(_)) | None => Verdict::Duplicate,
                };
                verdicts[index] = verdicts[index].max(verdict);
            }
        }
        verdicts
    }

    fn remember(&self, parsed: &Parsed, known: Vec<Vec<Option<Outcome>>>) {
        for (index, (sink, known)) in self.sinks.iter().zip(known).enumerate() {
            self.settled.put(index, parsed.encoded(sink.encoding()), known);
        }
    }

    /// Writes dead letters; durable when this returns.
    fn write_dead_letters(&self, batch: &Batch, letters: Vec<LetterDraft>) -> Result<()> {
        if letters.is_empty() {
            return Ok(());
        }
        let lines: Vec<Line<'_>> = crate::core::lines::lines(&batch.data).collect();
        let time_ms = date::now_ms();
        let letters: Vec<Letter<'_>> = letters
            .iter()
            .map(|LetterDraft { line, reason, detail, pattern, reached }| {
                let Line { start, bytes: raw } = lines[*line as usize];
                let (origin, offset) = batch.position(*line as usize, start);
                Letter {
                    id: DocumentId::new(origin, offset, raw),
                    origin,
                    offset,
                    time_ms,
                    reason: *reason,
                    detail,
                    pattern: pattern.as_deref(),
                    explain: reached.as_ref(),
                    raw,
                    length: raw.len() as u64,
                    partial: batch.is_partial(*line as usize),
                }
            })
            .collect();
        self.dead_letters.write(&letters)
    }
}

/// What sinks have settled of batches that failed in another sink.
#[derive(Default)]
struct SettledOutcomes {
    /// Whether there is anything, for the usual case.
    some: AtomicBool,
    /// By sink and document.
    outcomes: Mutex<HashMap<(usize, DocumentId), Outcome>>,
}

/// The most outcomes that are kept. A batch that failed ends the process sooner or later, so there are few.
const MAX_REMEMBERED: usize = 1 << 20;

impl SettledOutcomes {
    /// Takes out what is known of `documents` in the sink with the number `sink`.
    fn take(&self, sink: usize, documents: &Documents) -> Vec<Option<Outcome>> {
        if !self.some.load(Ordering::Acquire) {
            return vec![None; documents.len()];
        }
        let mut outcomes = self.outcomes();
        let known = documents.iter().map(|document| outcomes.remove(&(sink, document.id))).collect();
        self.some.store(!outcomes.is_empty(), Ordering::Release);
        known
    }

    /// Keeps what is known.
    fn put(&self, sink: usize, documents: &Documents, known: Vec<Option<Outcome>>) {
        let mut outcomes = self.outcomes();
        if outcomes.len() + known.len() > MAX_REMEMBERED {
            outcomes.clear();
        }
        for (document, outcome) in documents.iter().zip(known) {
            outcomes.extend(outcome.map(|outcome| ((sink, document.id), outcome)));
        }
        self.some.store(!outcomes.is_empty(), Ordering::Release);
    }

    fn outcomes(&self) -> MutexGuard<'_, HashMap<(usize, DocumentId), Outcome>> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts each line in one place. `verdicts` are those of the lines that became documents, in order.
fn add_up(fates: &[Fate], verdicts: &[Verdict]) -> Tally {
    let mut tally = Tally::default();
    let mut verdicts = verdicts.iter();
    for fate in fates {
        match fate {
            Fate::Filtered => tally.filtered += 1,
            Fate::DeadLettered => tally.dead_lettered += 1,
            Fate::Matched | Fate::Unmatched => match (verdicts.next(), fate) {
                (Some(Verdict::Stored), Fate::Matched) => tally.stored += 1,
                (Some(Verdict::Stored), _) => tally.unmatched += 1,
                (Some(Verdict::Duplicate), _) => tally.duplicate += 1,
                (Some(Verdict::Rejected), _) => tally.dead_lettered += 1,
                // A document without a verdict would be a bug; the receipt then does not agree, and says so.
                (None, _) => {}
            },
        }
    }
    tally
}
