//! Stands between a reader and its outlet, and drops the lines that earlier runs settled.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::outlet::Outlet;
use super::receiver::LongLine;
use super::replay_filter::{Decision, ReplayFilter};
use crate::core::batch::{Batch, Origin};
use crate::core::context::Context;
use crate::core::error::{Error, Result};
use crate::state::extents::Extent;
use crate::state::{Memory, Stamp};

/// Passes the lines of one content on to another outlet, without the settled lines.
pub struct Resuming<'a> {
    outlet: &'a dyn Outlet,
    memory: &'a dyn Memory,
    /// The stamp of the file when it was opened.
    stamp: Option<Stamp>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The origin of the content. It is set at the first line.
    origin: Option<Arc<Origin>>,
    /// The filter. It is removed when no extent is left to compare with.
    filter: Option<ReplayFilter>,
    /// Whether a line was delivered. The content keeps its lineage from then on.
    delivered: bool,
    /// Whether an earlier run settled the whole file, so that no line of it is wanted.
    whole: bool,
    /// The end of the lines that were taken.
    end: u64,
    decisions: Vec<Decision>,
    /// The error of a line that was held back and could not be set aside.
    failure: Option<Error>,
}

impl<'a> Resuming<'a> {
    /// Passes a content on to `outlet`. `stamp` is the stamp of its file.
    pub fn new(outlet: &'a dyn Outlet, memory: &'a dyn Memory, stamp: Option<Stamp>) -> Self {
        Resuming { outlet, memory, stamp, state: Mutex::default() }
    }

    /// Whether lines are held back because it is unknown whether they are settled.
    pub fn holds(&self) -> bool {
        self.held_from().is_some()
    }

    /// The offset of the first line that is held back.
    pub fn held_from(&self) -> Option<u64> {
        self.lock().filter.as_ref().and_then(ReplayFilter::held_from)
    }

    /// Delivers the lines that are held back. They count as not settled. An error is kept for
    /// [`failure`](Self::failure).
    pub fn deliver_held(&self) {
        let mut state = self.lock();
        let mut decisions = std::mem::take(&mut state.decisions);
        if let Some(filter) = &mut state.filter {
            filter.emit_all(&mut decisions);
        }
        if let Err(error) = self.pass_on(&mut state, decisions) {
            state.failure.get_or_insert(error);
        }
    }

    /// Takes the first bytes of a line whose end was not read yet. They may decide about the lines that are held back.
    /// An error is kept for [`failure`](Self::failure).
    pub fn look_ahead(&self, unfinished: &[u8]) {
        let mut state = self.lock();
        let mut decisions = std::mem::take(&mut state.decisions);
        if let Some(filter) = &mut state.filter {
            filter.look_ahead(unfinished, &mut decisions);
        }
        if let Err(error) = self.pass_on(&mut state, decisions) {
            state.failure.get_or_insert(error);
        }
    }

    /// The error of a line that was held back and could not be set aside. The error is returned once.
    pub fn failure(&self) -> Option<Error> {
        self.lock().failure.take()
    }

    /// Whether there is an error for [`failure`](Self::failure).
    pub fn has_failed(&self) -> bool {
        self.lock().failure.is_some()
    }

    /// Whether an earlier run settled the whole file, so that no line of it is wanted.
    pub fn is_settled_whole(&self) -> bool {
        self.lock().whole
    }

    /// Records the end of the content. The content was read to its end, and no line is held back. `stamp` is the
    /// current stamp of the file, if every change of the file would change it. Without a stamp, a later run reads the
    /// file again.
    pub fn end(&self, stamp: Option<Stamp>) {
        let state = self.lock();
        if let Some(origin) = &state.origin {
            self.memory.end(origin.content, state.end, stamp.filter(|stamp| self.stamp == Some(*stamp)));
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Uses the origin of the first line to look up the settled extents. Returns `false` if the whole file is settled.
    fn begin(&self, state: &mut State, origin: &Origin) -> bool {
        if state.origin.is_some() || state.whole {
            return !state.whole;
        }
        let key = origin.fingerprint.unwrap_or(origin.id);
        if self.stamp.is_some_and(|stamp| self.memory.skip_whole(key, &stamp).is_some()) {
            state.whole = true;
            return false;
        }
        let begun = self.memory.begin(key);
        state.origin = Some(Arc::new(Origin { content: begun.content, ..origin.clone() }));
        state.filter = (!begun.known.is_empty()).then(|| ReplayFilter::new(begun.known));
        true
    }

    /// Records that the bytes between the lines that were taken and those at `offset` belong to no line: a reader leaves out
    /// NULs between records.
    fn take_gap(&self, state: &State, offset: u64) {
        if let (Some(origin), Some(bytes @ 1..)) = (&state.origin, offset.checked_sub(state.end)) {
            self.memory.leave_out(origin.content, state.end, bytes);
        }
    }

    fn pass_on(&self, state: &mut State, mut decisions: Vec<Decision>) -> Result<bool> {
        let Some(origin) = state.origin.clone() else { return Ok(true) };
        if decisions.iter().any(|decision| !matches!(decision, Decision::Settled { .. })) && !state.delivered {
            state.delivered = true;
            if let Some(lineage) = state.filter.as_ref().and_then(ReplayFilter::lineage) {
                self.memory.continue_lineage(origin.content, lineage);
            }
        }
        if state.filter.as_ref().is_some_and(ReplayFilter::is_exhausted) {
            state.filter = None;
        }
        let mut wanted = true;
        for decision in decisions.drain(..) {
            match decision {
                Decision::Settled { start, amount, ticket } => {
                    let settled = self.memory.skip(origin.content, start, amount);
                    if let Some((ticket, records)) = ticket.filter(|_| settled) {
                        self.outlet.settle(ticket, u64::from(records));
                    }
                }
                Decision::Deliver(batch) if wanted => {
                    self.memory.deliver(origin.content, Extent::of_batch(&batch));
                    let context = Context { origin: Arc::clone(&origin), ..batch.context };
                    wanted = self.outlet.batch(Batch { context, ..batch });
                }
                Decision::SetAside(line) if wanted => {
                    let extent = line.extent();
                    let context = Context { origin: Arc::clone(&origin), ..line.context };
                    self.outlet.long_line(LongLine { context, ..line })?;
                    self.memory.set_aside(origin.content, extent);
                }
                Decision::Deliver(_) | Decision::SetAside(_) => {}
            }
        }
        state.decisions = decisions;
        Ok(wanted)
    }
}

impl Outlet for Resuming<'_> {
    fn batch(&self, batch: Batch) -> bool {
        let mut state = self.lock();
        if state.failure.is_some() || !self.begin(&mut state, &batch.context.origin) {
            return false;
        }
        self.take_gap(&state, batch.offset);
        state.end = batch.offset + batch.data.len() as u64;
        let mut decisions = std::mem::take(&mut state.decisions);
        match &mut state.filter {
            Some(filter) => filter.batch(batch, &mut decisions),
            None => decisions.push(Decision::Deliver(batch)),
        }
        match self.pass_on(&mut state, decisions) {
            Ok(wanted) => wanted,
            Err(error) => {
                state.failure.get_or_insert(error);
                false
            }
        }
    }

    fn is_open(&self) -> bool {
        self.outlet.is_open()
    }

    fn leave_out_nuls(&self, bytes: u64) {
        self.outlet.leave_out_nuls(bytes);
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        let mut state = self.lock();
        if !self.begin(&mut state, &line.context.origin) {
            return Ok(());
        }
        self.take_gap(&state, line.offset);
        state.end = line.offset + line.length_with_end;
        let mut decisions = std::mem::take(&mut state.decisions);
        match &mut state.filter {
            Some(filter) => filter.long_line(line, &mut decisions),
            None => decisions.push(Decision::SetAside(line)),
        }
        self.pass_on(&mut state, decisions).map(drop)
    }
}
