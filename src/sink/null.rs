//! The sink `null:`, which counts documents and drops them. It shows the cost of a pipeline without its store.

use std::fmt;
use std::sync::Arc;

use super::api::{AnySink, Outcome, Sink};
use super::kind::{self, AddressText, InFlight, OpenSink, Opening, SinkAddress, SinkKind};
use crate::core::error::Result;
use crate::document::{Documents, Encoding};
use crate::event::Layout;
use crate::observe::counters::{Counters, counters};

counters! {
    /// The counters of null sinks.
    COUNTERS of Sink;
    DROPPED_BYTES = 1024, "dropped_bytes", "bytes", "Bytes of JSON that were dropped, line ends included.";
}

/// The kind `null:`.
pub static KIND: SinkKind = SinkKind {
    name: "null",
    schemes: &["null"],
    words: &[],
    syntax: &["null:"],
    help: "nothing is stored: the speed of reading and parsing alone",
    options: &[],
    has_login: false,
    public_options: &[],
    counters: COUNTERS,
    in_flight: InFlight::Workers,
    knows_duplicates: false,
    parse: |address: &AddressText<'_>| match address.rest {
        "" => Ok(Box::new(NullAddress)),
        _ => Err(kind::wrong(&KIND, "nothing follows the colon")),
    },
};

pub(super) struct NullAddress;

impl fmt::Display for NullAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("null:")
    }
}

impl SinkAddress for NullAddress {}

impl OpenSink for NullAddress {
    fn open(&self, _with: &Opening<'_>) -> Result<AnySink> {
        Ok(Arc::new(NullSink(Counters::new(COUNTERS))).into())
    }
}

/// A sink that keeps no document.
#[derive(Debug)]
pub struct NullSink(Counters);

impl Sink for NullSink {
    fn name(&self) -> &str {
        "null:"
    }

    fn layout(&self) -> Layout {
        Encoding::Json.into()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        self.0.add(&DROPPED_BYTES, documents.bytes().len() as u64);
        outcomes.clear();
        outcomes.resize(documents.len(), Outcome::Stored);
        Ok(())
    }

    fn counters(&self) -> Option<&Counters> {
        Some(&self.0)
    }
}
