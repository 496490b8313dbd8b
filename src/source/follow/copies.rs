//! Remembers which extents of followed files were delivered, so that a copy of a file is recognised by its bytes.
//! `copytruncate` makes a copy under another name, and a compressed file is a copy in another form. The rule is the
//! same as that of the state directory (`doc/state.md`), but within one process.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use crate::state::extents::{Entry, Extent, Extents};
use crate::state::{Amount, Begun, Known, Memory, Stamp};

/// The maximum number of extents that are remembered. Each has up to 4 MiB. The oldest are forgotten first.
const MAX_EXTENTS: usize = 16 << 10;

/// The first of the lineages of this process. The lineages of the state directory start at 1.
const OWN_LINEAGES: u32 = 1 << 31;

/// The extents that this process has delivered, and the state directory, if there is one.
#[derive(Debug)]
pub struct Copies {
    state: Option<Arc<dyn Memory>>,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    extents: Extents,
    /// The origin of each content that is being read.
    origins: std::collections::HashMap<u32, u64>,
    /// The contents that are compared with the extents of this process.
    compared: HashSet<u32>,
    next: u32,
}

/// The memory for the readers of one kind of contents.
#[derive(Debug, Clone)]
pub struct View {
    copies: Arc<Copies>,
    /// Whether the contents may be copies, and are compared with the delivered extents.
    compare: bool,
}

impl Copies {
    /// Creates a memory without extents.
    pub fn new(state: Option<Arc<dyn Memory>>) -> Copies {
        Copies { state, inner: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl View {
    /// The memory for contents that are compared with the delivered extents if `compare` is set.
    pub fn new(copies: &Arc<Copies>, compare: bool) -> View {
        View { copies: Arc::clone(copies), compare }
    }

    fn note(&self, content: u32, extent: Extent) {
        let mut inner = self.copies.lock();
        let Some(&origin) = inner.origins.get(&content) else { return };
        inner.extents.insert(Entry { origin, lineage: content, extent });
        if inner.extents.len() > MAX_EXTENTS {
            inner.extents.forget(MAX_EXTENTS - MAX_EXTENTS / 4);
        }
    }
}

impl Memory for View {
    fn begin(&self, origin: u64) -> Begun {
        let begun = self.copies.state.as_ref().map(|state| state.begin(origin));
        let mut inner = self.copies.lock();
        let begun = begun.unwrap_or_else(|| {
            inner.next = inner.next.wrapping_add(1).max(1);
            Begun { content: inner.next, known: Arc::default() }
        });
        inner.origins.insert(begun.content, origin);
        if !self.compare {
            return begun;
        }
        let ours =
            inner.extents.of(origin).map(|entry| Known { extent: entry.extent, lineage: entry.lineage | OWN_LINEAGES });
        let mut known: Vec<Known> = ours.collect();
        if known.is_empty() {
            return begun;
        }
        known.extend_from_slice(&begun.known);
        known.sort_by_key(|known| known.extent);
        known.dedup_by_key(|known| known.extent);
        inner.compared.insert(begun.content);
        Begun { known: known.into(), ..begun }
    }

    fn skip_whole(&self, origin: u64, stamp: &Stamp) -> Option<Amount> {
        self.copies.state.as_ref()?.skip_whole(origin, stamp)
    }

    fn continue_lineage(&self, content: u32, lineage: u32) {
        if let Some(state) = self.copies.state.as_ref().filter(|_| lineage < OWN_LINEAGES) {
            state.continue_lineage(content, lineage);
        }
    }

    fn deliver(&self, content: u32, extent: Extent) {
        self.note(content, extent);
        if let Some(state) = &self.copies.state {
            state.deliver(content, extent);
        }
    }

    fn set_aside(&self, content: u32, extent: Extent) {
        self.note(content, extent);
    }

    fn skip(&self, content: u32, start: u64, amount: Amount) -> bool {
        // The lines that this process has delivered may not be settled yet.
        let state = self.copies.state.as_ref().filter(|_| !self.copies.lock().compared.contains(&content));
        state.is_some_and(|state| state.skip(content, start, amount))
    }

    fn leave_out(&self, content: u32, start: u64, bytes: u64) {
        if let Some(state) = &self.copies.state {
            state.leave_out(content, start, bytes);
        }
    }

    fn end(&self, content: u32, length: u64, stamp: Option<Stamp>) {
        let compared = {
            let mut inner = self.copies.lock();
            inner.origins.remove(&content);
            inner.compared.remove(&content)
        };
        if let Some(state) = &self.copies.state {
            state.end(content, length, stamp.filter(|_| !compared));
        }
    }

    fn cursor(&self, source: u64, stream: &[u8]) -> Option<Bytes> {
        self.copies.state.as_ref()?.cursor(source, stream)
    }

    fn keep_cursor(&self, source: u64, stream: &Bytes, place: &Bytes) {
        if let Some(state) = &self.copies.state {
            state.keep_cursor(source, stream, place);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_delivered_is_known_to_those_who_compare_and_forgotten_in_its_order() {
        let copies = Arc::new(Copies::new(None));
        let (uncompared, compared) = (View::new(&copies, false), View::new(&copies, true));
        let first = uncompared.begin(7);
        uncompared.deliver(first.content, Extent::of(0, b"one\n"));
        uncompared.deliver(first.content, Extent::of(4, b"two\n"));
        assert!(uncompared.begin(7).known.is_empty() && compared.begin(8).known.is_empty());
        let known = compared.begin(7).known;
        assert_eq!(known.iter().map(|known| known.extent).collect::<Vec<_>>(), [Extent::of(0, b"one\ntwo\n")]);
        // Each extent belongs to a content of its own, so that no extents are joined.
        for origin in 100..100 + MAX_EXTENTS as u64 {
            let content = uncompared.begin(origin).content;
            uncompared.deliver(content, Extent::of(0, b"x\n"));
        }
        assert!(compared.begin(7).known.is_empty() && !compared.begin(99 + MAX_EXTENTS as u64).known.is_empty());
        assert!(copies.lock().extents.len() <= MAX_EXTENTS);
    }
}
