//! A record whose value cannot be read now, because the schema registry does not answer.

use std::time::Instant;

use crate::core::record::RecordId;

/// See the [module](self).
#[derive(Debug)]
pub struct Stuck {
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Its time in milliseconds since 1970; 0 if it has none.
    pub time_ms: i64,
    /// The id that came with it.
    pub id: Option<RecordId>,
    /// Its value.
    pub value: Vec<u8>,
    /// The header that names the schema of the value.
    pub schema: Option<Vec<u8>>,
    /// When it is tried again.
    pub again: Instant,
}
