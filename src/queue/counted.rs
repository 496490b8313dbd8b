//! What a batch counts as when it is read.

use crate::core::batch::Batch;
use crate::core::lines;
use crate::core::records::{Framing, HEADER};
use crate::observe::counters::{BYTES, CounterSpec, FILTERED_HEADER, LINES, READ};

/// The counters to which a batch adds, with the numbers.
pub type Counted = [(&'static CounterSpec, u64); 4];

/// Returns what `batch` counts as.
pub fn counted(batch: &Batch) -> Counted {
    let records = u64::from(batch.records);
    let (lines, headers) = match &batch.framing {
        Framing::Lines => (records, 0),
        framing => (lines::count(&batch.data) as u64, framing.count(HEADER)),
    };
    [(&READ, records), (&LINES, lines), (&FILTERED_HEADER, headers), (&BYTES, batch.data.len() as u64)]
}
