//! The sink `null:`, which counts documents and drops them. It shows the cost of a pipeline without its store.

use std::sync::atomic::{AtomicU64, Ordering};

use super::api::{Outcome, Sink};
use crate::core::error::Result;
use crate::document::{Documents, Encoding};

/// A sink that keeps no document.
#[derive(Debug, Default)]
pub struct NullSink {
    documents: AtomicU64,
    bytes: AtomicU64,
}

impl NullSink {
    /// Returns a sink whose counts are zero.
    pub fn new() -> NullSink {
        NullSink::default()
    }

    /// Returns the number of documents that the sink was given.
    pub fn documents(&self) -> u64 {
        self.documents.load(Ordering::Relaxed)
    }

    /// Returns the number of bytes of JSON that the sink was given, including newlines.
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl Sink for NullSink {
    fn name(&self) -> &str {
        "null:"
    }

    fn encoding(&self) -> Encoding {
        Encoding::Json
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        self.documents.fetch_add(documents.len() as u64, Ordering::Relaxed);
        self.bytes.fetch_add(documents.bytes().len() as u64, Ordering::Relaxed);
        outcomes.clear();
        outcomes.resize(documents.len(), Outcome::Stored);
        Ok(())
    }
}
