//! The thread that starts and ends worker processes, so that their number follows the load (`--spawn=MIN..MAX`).

use std::io::Write;
use std::sync::mpsc::Sender;
use std::sync::{Arc, PoisonError};
use std::time::Instant;

use super::super::spawned::LEAVE;
use super::{Shared, SpawnOptions};
use crate::core::error::{Error, Result};
use crate::worker::scaling::{Change, INTERVAL, Sample, Scaler};

/// Starts the thread. `waiting` returns how many workers have waited for lines since its last call. The new workers are watched
/// with `watching`.
pub(super) fn start(
    shared: &Arc<Shared>,
    options: &SpawnOptions,
    watching: Sender<()>,
    waiting: impl Fn() -> f64 + Send + 'static,
) -> Result<()> {
    let shared = Arc::clone(shared);
    let mut scaler = Scaler::new(options.workers, options.scaling);
    let least = options.workers.least;
    let scale = move || {
        let started = Instant::now();
        let mut wanted = least;
        while goes_on(&shared) {
            let (workers, lines) = (shared.staying(), shared.queue.counts().tally().total());
            let sample = Sample {
                at: started.elapsed(),
                backlog: shared.queue.held_bytes().0 as u64,
                lines,
                // Workers of other machines may wait at the same queue.
                waiting: waiting().min(workers as f64),
                workers,
            };
            if let Some(Change { workers: number, reason }) = scaler.decide(&sample) {
                if number > workers && shared.state().full {
                    continue;
                }
                shared.console.say(format!("worker processes: {number} now, {workers} before; {reason}"));
                wanted = number;
            }
            reconcile(&shared, wanted, &watching);
        }
    };
    let thread = std::thread::Builder::new().name("scale".into()).spawn(scale);
    thread
        .map(drop)
        .map_err(|error| Error::system("the thread that starts and ends workers cannot be started").because(error))
}

/// Waits for the next sample. Returns whether the queue still needs workers.
fn goes_on(shared: &Shared) -> bool {
    let state = shared.state();
    let waited = shared.ending.wait_timeout_while(state, INTERVAL, |state| !shared.is_ending(state));
    let is_ending = shared.is_ending(&waited.unwrap_or_else(PoisonError::into_inner).0);
    !is_ending && !shared.queue.is_finished()
}

/// Starts workers or asks some to leave, until there are `wanted` ones.
fn reconcile(shared: &Arc<Shared>, wanted: usize, watching: &Sender<()>) {
    let grows = !shared.state().full;
    for _ in shared.staying()..if grows { wanted } else { 0 } {
        if let Err(error) = shared.begin(watching.clone()) {
            // The workers that there are go on.
            log::debug!("{error}");
            return;
        }
    }
    for _ in wanted..shared.staying() {
        let asked = shared.requests().as_mut().is_some_and(|pipe| pipe.write_all(&[LEAVE]).is_ok());
        shared.state().leaving += usize::from(asked);
        if !asked {
            return;
        }
    }
}

impl Shared {
    /// Returns the number of workers that were not asked to leave.
    fn staying(&self) -> usize {
        let state = self.state();
        state.watched.saturating_sub(state.leaving)
    }
}
