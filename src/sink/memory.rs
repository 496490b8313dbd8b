//! A sink in memory, which tests compare other sinks with. It can be told to refuse documents.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::api::{Outcome, Record, RecordSink, Sink};
use crate::core::error::Result;
use crate::core::record::RecordId;
use crate::document::Documents;
use crate::event::Layout;

/// Documents in memory, by their id.
#[derive(Debug)]
pub struct MemorySink {
    form: Layout,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    documents: HashMap<RecordId, Vec<u8>>,
    rejected: HashMap<RecordId, String>,
    failing: HashMap<RecordId, (u32, String)>,
}

impl MemorySink {
    /// Returns an empty sink that asks for documents of `form`.
    pub fn new(form: impl Into<Layout>) -> MemorySink {
        MemorySink { form: form.into(), state: Mutex::default() }
    }

    /// Rejects the document `id` with `words` from now on.
    pub fn reject(&self, id: RecordId, words: &str) {
        self.state().rejected.insert(id, words.into());
    }

    /// Lets the next `times` attempts at the document `id` fail with `words`.
    pub fn fail(&self, id: RecordId, times: u32, words: &str) {
        self.state().failing.insert(id, (times, words.into()));
    }

    /// Returns the number of documents.
    pub fn len(&self) -> usize {
        self.state().documents.len()
    }

    /// Returns whether there are no documents.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns the encoded bytes of the document `id`.
    pub fn get(&self, id: &RecordId) -> Option<Vec<u8>> {
        self.state().documents.get(id).cloned()
    }

    /// Returns all documents, in the order of their ids.
    pub fn all(&self) -> Vec<(RecordId, Vec<u8>)> {
        let mut all: Vec<_> = self.state().documents.iter().map(|(id, bytes)| (*id, bytes.clone())).collect();
        all.sort_unstable_by_key(|(id, _)| *id);
        all
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for MemorySink {
    fn name(&self) -> &str {
        "memory:"
    }

    fn layout(&self) -> Layout {
        self.form.clone()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        let mut state = self.state();
        outcomes.clear();
        outcomes.extend(documents.iter().map(|document| state.store(document.id, document.bytes)));
        Ok(())
    }
}

impl RecordSink for MemorySink {
    fn name(&self) -> &str {
        "memory:"
    }

    fn store(&self, records: &[Record<'_>], outcomes: &mut Vec<Outcome>) -> Result<()> {
        let mut state = self.state();
        outcomes.clear();
        outcomes.extend(records.iter().map(|record| state.store(record.id, record.bytes)));
        Ok(())
    }
}

impl State {
    fn store(&mut self, id: RecordId, bytes: &[u8]) -> Outcome {
        if let Some(words) = self.rejected.get(&id) {
            return Outcome::Rejected(words.clone());
        }
        if let Some((times, words)) = self.failing.get_mut(&id)
            && *times > 0
        {
            *times -= 1;
            return Outcome::Failed(words.clone());
        }
        if self.documents.contains_key(&id) {
            return Outcome::Duplicate;
        }
        self.documents.insert(id, bytes.to_vec());
        Outcome::Stored
    }
}
