//! Storing a parsed batch in every sink, and saying of each line what became of it.

use std::sync::Arc;

use super::parser::{Fate, Parsed, SetAside};
use crate::batch::Batch;
use crate::dead_letter::{DeadLetters, Letter, Reason};
use crate::document::{DocumentId, date};
use crate::error::{Error, Result};
use crate::lines::Line;
use crate::receipt::Tally;
use crate::sink::{Outcome, Sink};

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
        Storer { sinks, dead_letters }
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
                        letters.push((documents.get(index).line, Reason::Rejected, detail, None));
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
            .map(|(line, reason, detail, pattern)| {
                let Line { start, bytes: raw } = lines[*line as usize];
                let offset = batch.offset + start as u64;
                Letter {
                    id: DocumentId::new(&batch.origin, offset, raw),
                    origin: &batch.origin,
                    offset,
                    time_ms,
                    reason: *reason,
                    detail,
                    pattern: pattern.as_deref(),
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
                // A document without a verdict would be a bug; the receipt then does not agree, and says so.
                (Some(Verdict::Rejected), _) => tally.dead_lettered += 1,
                (None, _) => {}
            },
        }
    }
    tally
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::batch::Origin;
    use crate::grok::Library;
    use crate::sink::Encoding;
    use crate::sink::memory::MemorySink;
    use crate::worker::parser::{Formats, Unmatched};

    fn batch() -> Batch {
        let origin = Arc::new(Origin { id: 1, name: "x".into() });
        Batch { origin, offset: 0, lines: 4, data: bytes::Bytes::from_static(b"a\nb\nc\nd\n") }
    }

    fn id(number: u64) -> DocumentId {
        DocumentId::new(&batch().origin, number * 2, &[b'a' + number as u8])
    }

    /// Stores the batch in `sinks`; every line is one that matches nothing and is kept.
    fn store(sinks: &[Arc<MemorySink>], dead_letters: &std::path::Path) -> Result<Tally> {
        let formats = Arc::new(Formats::new(Vec::new(), Library::stock(), Unmatched::Keep, |_| {}));
        let mut parser = formats.parser(&[Encoding::Json])?;
        let mut parsed = parser.buffer();
        parser.parse(&batch(), &mut parsed)?;
        let sinks = sinks.iter().map(|sink| Arc::clone(sink) as Arc<dyn Sink>).collect();
        let storer = Storer::new(sinks, Arc::new(DeadLetters::new(dead_letters)));
        storer.store(&batch(), &mut parsed, &mut Vec::new()).map(|stored| stored.tally)
    }

    fn sink() -> Arc<MemorySink> {
        Arc::new(MemorySink::new(Encoding::Json))
    }

    #[test]
    fn each_line_is_counted_once_and_a_second_delivery_as_duplicates() {
        let folder = tempfile::tempdir().unwrap();
        let (sinks, letters) = ([sink()], folder.path().join("letters"));
        sinks[0].reject(id(1), "no");
        let first = store(&sinks, &letters).unwrap();
        assert_eq!(first, Tally { unmatched: 3, dead_lettered: 1, ..Tally::default() });
        let again = store(&sinks, &letters).unwrap();
        assert_eq!(again, Tally { duplicate: 3, dead_lettered: 1, ..Tally::default() });
        assert_eq!(sinks[0].len(), 3);
    }

    #[test]
    fn a_document_that_failed_leaves_the_batch_unacknowledged_until_it_is_stored() {
        let folder = tempfile::tempdir().unwrap();
        let (sinks, letters) = ([sink()], folder.path().join("letters"));
        sinks[0].reject(id(0), "no");
        sinks[0].fail(id(2), 1, "later");
        assert!(store(&sinks, &letters).is_err());
        assert!(!letters.exists(), "nothing is set aside before all else is durable");
        let tally = store(&sinks, &letters).unwrap();
        assert_eq!(tally, Tally { unmatched: 1, duplicate: 2, dead_lettered: 1, ..Tally::default() });
    }

    #[test]
    fn two_sinks_that_answer_differently_count_a_line_once() {
        let folder = tempfile::tempdir().unwrap();
        let (sinks, letters) = ([sink(), sink()], folder.path().join("letters"));
        store(&sinks[..1], &letters).unwrap();
        sinks[1].reject(id(3), "no");
        let tally = store(&sinks, &letters).unwrap();
        assert_eq!(tally, Tally { unmatched: 3, dead_lettered: 1, ..Tally::default() });
        assert_eq!((sinks[0].len(), sinks[1].len()), (4, 3));
    }
}
