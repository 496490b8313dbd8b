//! [`Storer`]: stores a parsed batch in every sink and determines the outcome of each line.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::delivery::Delivery;
use super::in_flight::InFlight;
use super::parser::{Fate, LetterDraft, Parsed};
use super::sink_counts::Destination;
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::core::lines::Line;
use crate::core::record::RecordId;
use crate::core::turns::Turn;
use crate::dead_letter::{DeadLetters, Letter, Reason};
use crate::event::Layout;
use crate::observe::counters::{Row, Tally};
use crate::observe::details::Seldom;
use crate::sink::{AnySink, Outcome};

static STORED: Seldom = Seldom::new();

/// The result of storing a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stored {
    /// The number of lines by outcome. The sum is the number of lines of the batch.
    pub tally: Tally,
}

/// The sinks and the dead letters of a process.
pub struct Storer {
    sinks: Vec<Destination>,
    dead_letters: Arc<DeadLetters>,
    /// Counts the batches being stored. It is closed when no further batch may be stored.
    in_flight: Option<Arc<InFlight>>,
    settled: SettledOutcomes,
}

/// The combined outcome of all sinks for one document. A later variant has precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Duplicate,
    Stored,
    Rejected,
}

impl Storer {
    /// Returns a storer for all of `sinks`.
    pub fn new(sinks: Vec<AnySink>, dead_letters: Arc<DeadLetters>) -> Self {
        let sinks = sinks.into_iter().map(Destination::new).collect();
        Storer { sinks, dead_letters, in_flight: None, settled: SettledOutcomes::default() }
    }

    /// Counts each batch that is being stored in `in_flight`. Once that is closed, no further batch is stored.
    pub fn counted_in(self, in_flight: Option<Arc<InFlight>>) -> Self {
        Storer { in_flight, ..self }
    }

    /// Returns the layouts of documents that the sinks expect.
    pub fn layouts(&self) -> Vec<Layout> {
        self.sinks.iter().filter_map(|destination| destination.sink.layout()).collect()
    }

    /// Returns for each sink whether it keeps the order in which batches were read.
    pub(super) fn orders(&self) -> impl Iterator<Item = bool> {
        self.sinks.iter().map(|destination| destination.sink.keeps_order())
    }

    /// Returns the account of each sink.
    pub fn accounts(&self) -> Vec<Row> {
        self.sinks.iter().map(Destination::account).collect()
    }

    /// Closes the sinks, and returns the errors of those that cannot end their work. Nothing is stored afterwards.
    pub fn close(&self) -> Vec<Error> {
        self.sinks.iter().filter_map(|destination| destination.sink.close().err()).collect()
    }

    /// Stores the documents of `parsed`, writes dead letters for those that a sink refuses, and adds up the outcomes.
    ///
    /// If one sink fails, the outcomes of the other sinks are remembered until the batch comes back to this process.
    /// The documents then go only to the sinks that have no outcome for them.
    ///
    /// # Errors
    /// A sink failed, for all documents or for one document. Nothing may be acknowledged then, although some documents
    /// may be stored.
    pub fn store(&self, batch: &Batch, parsed: &Parsed, outcomes: &mut Vec<Outcome>) -> Result<Stored> {
        self.store_in_turn(batch, parsed, Vec::new(), outcomes)
    }

    /// Does the same as [`store`](Storer::store). `turns` has the turn of the batch in each sink that keeps the order.
    ///
    /// # Errors
    /// The errors of [`store`](Storer::store). The turns that are not over have then failed.
    pub(super) fn store_in_turn(
        &self,
        batch: &Batch,
        parsed: &Parsed,
        turns: Vec<Option<Turn<'_>>>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<Stored> {
        let _storing = match &self.in_flight {
            Some(in_flight) => Some(in_flight.enter().ok_or_else(|| Error::wire("no further batch may be stored"))?),
            None => None,
        };
        let started = Instant::now();
        let deliveries = self.sinks.iter().map(|to| Delivery::new(&to.sink, batch, parsed));
        // The outcomes of all sinks are taken first, because all must be put back when a sink fails.
        let mut work: Vec<Work<'_>> = deliveries
            .enumerate()
            .map(|(sink, delivery)| {
                let mut known = self.settled.take(sink, &delivery);
                // A document that a stage keeps from this sink has no outcome of its own here.
                for (index, _) in parsed.limited.iter().filter(|(_, sinks)| !sinks.contains(sink)) {
                    known[*index as usize].get_or_insert(Outcome::Duplicate);
                }
                Work { known, delivery }
            })
            .collect();
        let stored = self.store_in_all_sinks(&mut work, turns, outcomes).and_then(|()| {
            let (verdicts, refused) = self.combine(parsed, &work);
            self.write_dead_letters(batch, parsed, &refused).map(|()| verdicts)
        });
        let verdicts = match stored {
            Ok(verdicts) => verdicts,
            Err(error) => {
                self.settled.put(work);
                return Err(error);
            }
        };
        STORED.tell(u64::from(batch.records), |batches, lines| {
            let (ms, name, offset) = (started.elapsed().as_millis(), &batch.context.origin.name, batch.offset);
            format!(
                "{batches} batches with {lines} lines were stored; the last one, of {name} from byte {offset}, took {ms} ms"
            )
        });
        Ok(Stored { tally: add_up(parsed.fates(), &verdicts) })
    }

    /// Gives the documents to each sink that has no outcome for them yet. The known outcomes are completed, even if a sink
    /// fails.
    fn store_in_all_sinks(
        &self,
        work: &mut [Work<'_>],
        turns: Vec<Option<Turn<'_>>>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<()> {
        let mut turns = turns.into_iter();
        for (destination, Work { delivery, known }) in self.sinks.iter().zip(work) {
            let turn = turns.next().flatten();
            for (index, refused) in delivery.refused() {
                if known[index].is_none() {
                    destination.count([&refused]);
                    known[index] = Some(refused);
                }
            }
            let open: Vec<usize> = (0..delivery.len()).filter(|&index| known[index].is_none()).collect();
            if open.is_empty() && delivery.len() > 0 {
                turn.into_iter().for_each(Turn::pass);
                continue;
            }
            delivery.store(&destination.sink, &open, turn, outcomes)?;
            destination.count(&*outcomes);
            let mut failed = None;
            for (index, outcome) in open.into_iter().zip(outcomes.drain(..)) {
                match outcome {
                    Outcome::Failed(words) => failed = failed.or(Some(words)),
                    settled => known[index] = Some(settled),
                }
            }
            if let Some(words) = failed {
                return Err(Error::sink(format!("{}: {words}", destination.sink.name())));
            }
        }
        Ok(())
    }

    /// Returns the combined outcome of each document, and a letter for each document that a sink refuses.
    fn combine(&self, parsed: &Parsed, work: &[Work<'_>]) -> (Vec<Verdict>, Vec<LetterDraft>) {
        let lines: Vec<u32> = parsed.kept().collect();
        let mut verdicts = vec![Verdict::Duplicate; lines.len()];
        let mut letters = Vec::new();
        for (destination, Work { delivery, known }) in self.sinks.iter().zip(work) {
            for (index, outcome) in known.iter().enumerate() {
                let mut refused = |reason, words: &str| {
                    let detail = format!("{}: {words}", destination.sink.name());
                    letters.push(LetterDraft::new(lines[index], delivery.id(index), reason, detail));
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
        (verdicts, letters)
    }

    /// Writes the dead letters. They are durable when this returns.
    fn write_dead_letters(&self, batch: &Batch, parsed: &Parsed, refused: &[LetterDraft]) -> Result<()> {
        if refused.is_empty() && parsed.letters.is_empty() {
            return Ok(());
        }
        let lines: Vec<Line<'_>> = batch.records().collect();
        let letters: Vec<Letter<'_>> = refused
            .iter()
            .chain(&parsed.letters)
            .map(|LetterDraft { line, id, reason, detail, pattern, reached }| {
                let Line { start, bytes } = lines[*line as usize];
                let place = batch.place(*line as usize, start);
                let (raw, offset) = match parsed.joined(*line as usize) {
                    Some(joined) => (&joined.raw[..], joined.offset),
                    None => (bytes, place.offset),
                };
                Letter {
                    id: *id,
                    context: place.context,
                    offset,
                    line: batch.line_of(*line as usize, offset),
                    key: parsed.time(*line as usize).unwrap_or(place.key),
                    reason: *reason,
                    detail,
                    pattern: pattern.as_deref(),
                    explain: reached.as_ref(),
                    raw,
                    length: raw.len() as u64,
                    partial: batch.is_partial(*line as usize),
                    multiline_cut: batch.is_closed(*line as usize),
                }
            })
            .collect();
        self.dead_letters.write(&letters)
    }
}

/// The work for one sink: what it gets of a batch, and the outcomes that are known already.
struct Work<'a> {
    delivery: Delivery<'a>,
    known: Vec<Option<Outcome>>,
}

/// The outcomes of sinks for batches that failed in another sink.
#[derive(Default)]
struct SettledOutcomes {
    /// Whether there are any outcomes. Usually there are none.
    some: AtomicBool,
    /// The outcomes by sink and document.
    outcomes: Mutex<HashMap<(usize, RecordId), Outcome>>,
}

/// The maximum number of outcomes that are kept. A failed batch ends the process sooner or later, so there are few.
const MAX_REMEMBERED: usize = 1 << 20;

impl SettledOutcomes {
    /// Removes and returns the known outcomes of `delivery` for sink number `sink`.
    fn take(&self, sink: usize, delivery: &Delivery<'_>) -> Vec<Option<Outcome>> {
        if !self.some.load(Ordering::Acquire) {
            return vec![None; delivery.len()];
        }
        let mut outcomes = self.outcomes();
        let known = (0..delivery.len()).map(|index| outcomes.remove(&(sink, delivery.id(index)))).collect();
        self.some.store(!outcomes.is_empty(), Ordering::Release);
        known
    }

    /// Keeps the known outcomes of a batch.
    fn put(&self, work: Vec<Work<'_>>) {
        let mut outcomes = self.outcomes();
        for (sink, Work { delivery, known }) in work.into_iter().enumerate() {
            if outcomes.len() + known.len() > MAX_REMEMBERED {
                outcomes.clear();
            }
            for (index, outcome) in known.into_iter().enumerate() {
                outcomes.extend(outcome.map(|outcome| ((sink, delivery.id(index)), outcome)));
            }
        }
        self.some.store(!outcomes.is_empty(), Ordering::Release);
    }

    fn outcomes(&self) -> MutexGuard<'_, HashMap<(usize, RecordId), Outcome>> {
        self.outcomes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts each line exactly once. `verdicts` belong to the lines that became documents, in order.
fn add_up(fates: &[Fate], verdicts: &[Verdict]) -> Tally {
    let mut tally = Tally::default();
    let mut verdicts = verdicts.iter();
    for fate in fates {
        match fate {
            Fate::Filtered => tally.filtered += 1,
            Fate::Joined => tally.joined += 1,
            Fate::DeadLettered => tally.dead_lettered += 1,
            Fate::Matched | Fate::Unmatched => match (verdicts.next(), fate) {
                (Some(Verdict::Stored), Fate::Matched) => tally.stored += 1,
                (Some(Verdict::Stored), _) => tally.unmatched += 1,
                (Some(Verdict::Duplicate), _) => tally.duplicate += 1,
                (Some(Verdict::Rejected), _) => tally.dead_lettered += 1,
                // A document without a verdict would be a bug. The receipt would then not balance and say so.
                (None, _) => {}
            },
        }
    }
    tally
}
