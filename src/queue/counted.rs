//! What a batch counts as when it is read.

use crate::core::batch::Batch;
use crate::core::records::{Framing, HEADER};
use crate::observe::counters::{BYTES, CounterSpec, FILTERED_HEADER, LINES, READ};

/// The counters to which a batch adds, with the numbers.
pub type Counted = [(&'static CounterSpec, u64); 4];

/// Returns what `batch` counts as.
pub fn counted(batch: &Batch) -> Counted {
    let records = u64::from(batch.records);
    let (lines, headers) = match &batch.framing {
        Framing::Lines => (records, 0),
        framing => {
            // A last line without a newline is a line.
            let is_open = !batch.data.is_empty() && !batch.line_end().ends(&batch.data);
            (batch.newlines() + u64::from(is_open), framing.count(HEADER))
        }
    };
    [(&READ, records), (&LINES, lines), (&FILTERED_HEADER, headers), (&BYTES, batch.data.len() as u64)]
}
