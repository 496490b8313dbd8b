//! [`Identifier`]: makes the ids of records outside of the parser. Only the rule of times has to open the envelope.

use super::{Envelope, Opener};
use crate::core::batch::Batch;
use crate::core::context::Context;
use crate::core::error::Result;
use crate::core::lines;
use crate::core::record::{self, Key, Ordinals, RecordId, time_hash};

/// Makes ids. It is for few records; the parser makes the ids of all others while it opens them.
#[derive(Debug)]
pub struct Identifier {
    opener: Opener,
}

impl Identifier {
    /// Returns an identifier.
    ///
    /// # Errors
    /// One of our own date formats is invalid. That would be a bug.
    pub fn new() -> Result<Identifier> {
        Ok(Identifier { opener: Opener::new(false)? })
    }

    /// Returns the id and the key of each record of `batch`.
    pub fn ids(&mut self, batch: &Batch) -> Vec<(RecordId, Key)> {
        let mut ordinals = Ordinals::default();
        let id = |(index, line): (usize, lines::Line<'_>)| {
            let place = batch.place(index, line.start);
            match (place.id, place.key) {
                (Some(id), key) => (id, key),
                (None, Key::Time { .. }) => {
                    self.timed(place.context, place.offset, line.bytes, |stream, ns| (ns, ordinals.next(stream, ns)))
                }
                (None, key) => (key.id(place.context.origin.id, record::hash(line.bytes)), key),
            }
        };
        batch.records().enumerate().map(id).collect()
    }

    /// Returns the id that a record must have. If `key` holds the id itself, this id is returned without a check.
    pub fn check(&mut self, context: &Context, offset: u64, key: Key, record: &[u8]) -> RecordId {
        match key {
            Key::Time { ordinal, .. } => self.timed(context, offset, record, |_, ns| (ns, ordinal)).0,
            key => key.id(context.origin.id, record::hash(record)),
        }
    }

    fn timed(
        &mut self,
        context: &Context,
        offset: u64,
        record: &[u8],
        key: impl FnOnce(&[u8], u64) -> (u64, u32),
    ) -> (RecordId, Key) {
        let text = lines::without_mark(record, offset);
        let envelope: Envelope = context.origin.envelope;
        let opened = self.opener.open(envelope, text, context.time_ms);
        let (ns, ordinal) = key(opened.stream, opened.time_ns);
        let key = Key::Time { ns, ordinal };
        (key.id(context.origin.id, time_hash(opened.stream, ordinal, opened.message)), key)
    }
}
