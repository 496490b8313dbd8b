//! [`Identifier`]: makes the ids of records outside of the parser. Only the rule of times has to open the envelope.

use std::borrow::Cow;

use super::Opener;
use super::roles::{Role, Roles};
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

/// A record of a batch, and its id.
#[derive(Debug)]
pub struct Identified<'a> {
    /// The index in the batch; of pieces, that of the last one.
    pub index: usize,
    /// What is in force at the record.
    pub context: &'a Context,
    /// The offset in the content.
    pub offset: u64,
    /// The record without its last line end.
    pub record: Cow<'a, [u8]>,
    /// Its id.
    pub id: RecordId,
    /// What the id was made from.
    pub key: Key,
}

impl Identifier {
    /// Returns an identifier.
    ///
    /// # Errors
    /// One of our own date formats is invalid. That would be a bug.
    pub fn new() -> Result<Identifier> {
        Ok(Identifier { opener: Opener::new(false)? })
    }

    /// Returns the records of `batch` with their ids. Roles of a long line are one record.
    pub fn records<'a>(&mut self, batch: &'a Batch) -> Vec<Identified<'a>> {
        let mut ordinals = Ordinals::default();
        let roles = Roles::of(batch);
        let identify = |(index, line): (usize, lines::Line<'a>)| {
            let mut place = batch.place(index, line.start);
            let record = match roles.role(index) {
                Role::Whole => Cow::Borrowed(line.bytes),
                Role::Piece => return None,
                Role::Last(number) => {
                    let joined = &roles.joined[number as usize];
                    place.offset = joined.offset;
                    Cow::Owned(joined.raw.clone())
                }
            };
            let (id, key) = match (place.id, place.key) {
                (Some(id), key) => (id, key),
                (None, Key::Time { .. }) => {
                    let key = |stream: &[u8], ns| (ns, ordinals.next(stream, ns));
                    self.timed(place.context, place.offset, &record, key)
                }
                (None, key) => (key.id(place.context.origin.id, record::hash(&record)), key),
            };
            Some(Identified { index, context: place.context, offset: place.offset, record, id, key })
        };
        batch.records().enumerate().filter_map(identify).collect()
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
        let opened = self.opener.open(context.origin.envelope, text, context.time_ms);
        if !opened.has_key() {
            let key = Key::Offset(offset);
            return (key.id(context.origin.id, record::hash(record)), key);
        }
        let (ns, ordinal) = key(opened.stream, opened.time_ns);
        let key = Key::Time { ns, ordinal };
        (key.id(context.origin.id, time_hash(opened.stream, ordinal, opened.message)), key)
    }
}
