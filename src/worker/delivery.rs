//! [`Delivery`]: what one sink gets of a batch: its documents in one layout, or its records.

use super::parser::Parsed;
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::core::record::RecordId;
use crate::core::turns::Turn;
use crate::document::Documents;
use crate::sink::{AnySink, Outcome, Record};

/// What one sink gets of a batch. All deliveries of a batch have the same length and order: one item for each record that
/// became a document.
pub(super) enum Delivery<'a> {
    Documents(&'a Documents),
    Records(Vec<Record<'a>>),
}

impl<'a> Delivery<'a> {
    /// Returns what `sink` gets of `batch`.
    pub fn new(sink: &AnySink, batch: &'a Batch, parsed: &'a Parsed) -> Delivery<'a> {
        match sink.layout() {
            Some(layout) => Delivery::Documents(parsed.encoded(&layout)),
            None => Delivery::Records(records(batch, parsed)),
        }
    }

    /// Returns the number of items.
    pub fn len(&self) -> usize {
        match self {
            Delivery::Documents(documents) => documents.len(),
            Delivery::Records(records) => records.len(),
        }
    }

    /// Returns the id of the item at `index`.
    pub fn id(&self, index: usize) -> RecordId {
        match self {
            Delivery::Documents(documents) => documents.get(index).id,
            Delivery::Records(records) => records[index].id,
        }
    }

    /// Returns what the encoder has refused already: the outcomes of these items.
    pub fn refused(&self) -> impl Iterator<Item = (usize, Outcome)> {
        let documents = match self {
            Delivery::Documents(documents) => Some(*documents),
            Delivery::Records(_) => None,
        };
        documents.into_iter().flat_map(Documents::refused).map(|(index, refusal)| {
            let words = refusal.words.clone();
            (index, if refusal.too_large { Outcome::Oversize(words) } else { Outcome::Rejected(words) })
        })
    }

    /// Gives the items at the indexes `open` to `sink`, in their turn if they have one. `outcomes` gets one entry for each of
    /// them.
    pub fn store(
        &self,
        sink: &AnySink,
        open: &[usize],
        turn: Option<Turn<'_>>,
        outcomes: &mut Vec<Outcome>,
    ) -> Result<()> {
        outcomes.clear();
        let is_whole = open.len() == self.len();
        match (sink, self) {
            (AnySink::Documents(sink), Delivery::Documents(all)) => {
                let some = (!is_whole).then(|| all.only(open));
                let documents = some.as_ref().unwrap_or(all);
                match turn {
                    Some(turn) => sink.store_in_turn(documents, turn, outcomes),
                    None => sink.store(documents, outcomes),
                }
            }
            (AnySink::Records(sink), Delivery::Records(all)) if is_whole => sink.store(all, outcomes),
            (AnySink::Records(sink), Delivery::Records(all)) => {
                let some: Vec<Record<'_>> = open.iter().map(|&index| all[index]).collect();
                sink.store(&some, outcomes)
            }
            _ => Err(Error::internal(format!("{}: a delivery of the wrong kind", sink.name()))),
        }?;
        match outcomes.len() == open.len() {
            true => Ok(()),
            false => {
                let (said, asked) = (outcomes.len(), open.len());
                Err(Error::internal(format!("{}: {said} answers for {asked} documents", sink.name())))
            }
        }
    }
}

/// Returns the records of `batch` that became documents.
fn records<'a>(batch: &'a Batch, parsed: &'a Parsed) -> Vec<Record<'a>> {
    let mut kept = parsed.kept().enumerate().peekable();
    let records = batch.records().enumerate().filter_map(|(index, line)| {
        let (item, _) = kept.next_if(|(_, kept)| *kept as usize == index)?;
        let bytes = parsed.joined(index).map_or(line.bytes, |joined| &joined.raw);
        Some(Record { bytes, id: parsed.id(item, index), context: batch.place(index, line.start).context })
    });
    records.collect()
}
