//! Storing a parsed batch in every sink, and saying of each line what became of it.

use std::sync::Arc;
use std::time::Instant;

use super::gate::StoreGate;
use super::parser::{Fate, Parsed, SetAside};
use crate::batch::Batch;
use crate::dead_letter::{DeadLetters, Letter, Reason};
use crate::details::Seldom;
use crate::document::{DocumentId, date};
use crate::error::{Error, Result};
use crate::lines::Line;
use crate::receipt::Tally;
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
    gate: Option<Arc<StoreGate>>,
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
        Storer { sinks, dead_letters, gate: None }
    }

    /// The same behind a gate: when it is closed, no other batch is stored.
    pub fn behind(self, gate: Option<Arc<StoreGate>>) -> Self {
        Storer { gate, ..self }
    }

    /// The sinks.
    pub fn sinks(&self) -> &[Arc<dyn Sink>] {
        &self.sinks
    }

    /// Stores the documents of `parsed`, sets aside what no sink will take, and adds up.
    ///
    /// # Errors
    /// When a sink failed, for all or for one document: then nothing may be acknowledged, though some of it may be
    /// stored. It will be met as duplicates.
    pub fn store(&self, batch: &Batch, parsed: &mut Parsed, outcomes: &mut Vec<Outcome>) -> Result<Stored> {
        let _storing = match &self.gate {
            Some(gate) => Some(gate.enter().ok_or_else(|| Error::wire("nothing more may be stored"))?),
            None => None,
        };
        let started = Instant::now();
        let mut letters = Vec::new();
        let mut verdicts = vec![Verdict::Duplicate; parsed.documents()];
        for sink in &self.sinks {
            let documents = parsed.encoded(sink.encoding());
            outcomes.clear();
            sink.store(documents, outcomes)?;
            if outcomes.len() != documents.len() {
                let (said, asked) = (outcomes.len(), documents.len());
                return Err(Error::internal(format!("{}: {said} answers for {asked} documents", sink.name())));
            }
            for (index, outcome) in outcomes.drain(..).enumerate() {
                let verdict = match outcome {
                    Outcome::Stored => Verdict::Stored,
                    Outcome::Duplicate => Verdict::Duplicate,
                    Outcome::Rejected(words) => {
                        let detail = format!("{}: {words}", sink.name());
                        letters.push(SetAside::new(documents.get(index).line, Reason::Rejected, detail));
                        Verdict::Rejected
                    }
                    Outcome::Failed(words) => {
                        return Err(Error::sink(format!("{}: not stored: {words}", sink.name())));
                    }
                };
                verdicts[index] = verdicts[index].max(verdict);
            }
        }
        letters.append(&mut parsed.letters);
        self.set_aside(batch, letters)?;
        STORED.tell(u64::from(batch.lines), |batches, lines| {
            let (ms, name, offset) = (started.elapsed().as_millis(), &batch.origin.name, batch.offset);
            format!(
                "{batches} batches with {lines} lines were stored, that of {name} from byte {offset} within {ms} ms"
            )
        });
        Ok(Stored { tally: add_up(parsed.fates(), &verdicts) })
    }

    /// Writes dead letters; durable when this returns.
    fn set_aside(&self, batch: &Batch, letters: Vec<SetAside>) -> Result<()> {
        if letters.is_empty() {
            return Ok(());
        }
        let lines: Vec<Line<'_>> = crate::lines::lines(&batch.data).collect();
        let time_ms = date::now_ms();
        let letters: Vec<Letter<'_>> = letters
            .iter()
            .map(|SetAside { line, reason, detail, pattern, reached }| {
                let Line { start, bytes: raw } = lines[*line as usize];
                let (origin, offset) = batch.place(*line as usize, start);
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
                }
            })
            .collect();
        self.dead_letters.write(&letters)
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
