//! `null:` counts documents and drops them: what a pipeline costs without its store.

use std::sync::atomic::{AtomicU64, Ordering};

use super::api::{Outcome, Sink};
use crate::core::error::Result;
use crate::document::{Documents, Encoding};

/// A sink that keeps nothing.
#[derive(Debug, Default)]
pub struct NullSink {
    documents: AtomicU64,
    bytes: AtomicU64,
}

impl NullSink {
    /// A sink that has counted nothing yet.
    pub fn new() -> NullSink {
        NullSink::default()
    }

    /// How many documents it was given.
    pub fn documents(&self) -> u64 {
        self.documents.load(Ordering::Relaxed)
    }

    /// How many bytes of JSON it was given, newlines included.
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
