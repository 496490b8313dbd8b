//! [`Destination`]: an open sink with its account.

use crate::observe::counters::{Counters, Row, Words, counters};
use crate::sink::{AnySink, Outcome};

counters! {
    /// The counters of each sink, whatever its kind. A document counts again if its batch came back.
    pub SINK of Sink;
    STORED = 128, "stored", "documents", "Documents that are new in the sink.", words(Words::Always("{} stored"));
    DUPLICATE = 129, "duplicate", "documents", "Documents that were in the sink already.", words(Words::Always("{} duplicate"));
    REFUSED = 130, "rejected", "documents", "Documents that the sink or its encoder refused. They became dead letters.", words(Words::NotZero("{} refused"));
    FAILED = 131, "failed", "documents", "Documents that were not stored within the deadline. Their lines were given back.", words(Words::NotZero("{} not stored in time"));
}

/// An open sink, and the number of its documents by outcome.
pub struct Destination {
    /// The sink.
    pub sink: AnySink,
    counts: Counters,
}

impl Destination {
    /// Creates the account of `sink`, at 0.
    pub fn new(sink: AnySink) -> Destination {
        Destination { sink, counts: Counters::new(SINK) }
    }

    /// Counts the outcomes of one call.
    pub fn count<'a>(&self, outcomes: impl IntoIterator<Item = &'a Outcome>) {
        let mut sums = [0; SINK.len()];
        for outcome in outcomes {
            sums[match outcome {
                Outcome::Stored => 0,
                Outcome::Duplicate => 1,
                Outcome::Rejected(_) | Outcome::Oversize(_) => 2,
                Outcome::Failed(_) => 3,
            }] += 1;
        }
        [STORED, DUPLICATE, REFUSED, FAILED].iter().zip(sums).for_each(|(spec, sum)| self.counts.add(spec, sum));
    }

    /// Returns the account of the sink, with the counters of its kind.
    pub fn account(&self) -> Row {
        let mut row = self.counts.row(self.sink.name());
        row.counts.extend(self.sink.counters().into_iter().flat_map(|own| own.row("").counts));
        row
    }
}
