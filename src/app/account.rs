//! The account of a job: from the counts of a queue and the errors of its parts to a receipt.

use std::sync::Arc;

use crate::core::batch::Batch;
use crate::core::error::Error;
use crate::core::wait::Waits;
use crate::observe::console::Console;
use crate::observe::counters::{LEFT, LINES, RESUMED_BYTES, RESUMED_LINES, Row};
use crate::observe::receipt::Receipt;
use crate::queue::shared::SharedQueue;
use crate::source::settlement::Settlement;
use crate::state::Memory;
use crate::state::store::Store;

/// Lets `queue` tell `state` and the sources which batches are settled.
pub(super) fn queue_with(state: Option<&Arc<Store>>, queue: SharedQueue) -> (Arc<SharedQueue>, Arc<Settlement>) {
    let settlement = Arc::new(Settlement::new(state.map(|state| Arc::clone(state) as Arc<dyn Memory>)));
    let (state, sources) = (state.cloned(), Arc::clone(&settlement));
    let settle = move |batches: &[Batch]| {
        state.iter().for_each(|state| state.settle(batches));
        sources.settle(batches);
    };
    let all = settlement.has_memory();
    (Arc::new(queue.settling(all, Box::new(settle))), settlement)
}

/// Prints the errors, and returns them as the sentences of a receipt.
///
/// If the reader of standard output has ended (`logator run … | head`), no error and no receipt is printed. The exit code and
/// the receipt's file still say that the work is not finished.
pub(super) fn say_errors(errors: &[Error], console: &Console) -> Vec<String> {
    if errors.iter().any(Error::is_broken_pipe) {
        console.hush();
    }
    let sentences: Vec<String> = errors.iter().map(ToString::to_string).collect();
    sentences.iter().for_each(|sentence| console.error(sentence));
    sentences
}

/// Makes the state durable, prints the errors, and closes the account of a queue. `rows` are the counts of patterns, sinks and
/// sources.
pub(super) fn close_account(
    queue: &SharedQueue,
    state: Option<&Store>,
    waits: &Waits,
    mut errors: Vec<Error>,
    rows: impl IntoIterator<Item = Row>,
    console: &Console,
) -> Receipt {
    errors.extend(state.and_then(|state| state.sync(waits).err()));
    let errors = say_errors(&errors, console);
    let skipped = state.map(Store::skipped).unwrap_or_default();
    let mut counts = queue
        .counts()
        .with(&LEFT, queue.outstanding_lines())
        .with(&RESUMED_LINES, skipped.lines)
        .with(&RESUMED_BYTES, skipped.bytes)
        .with_rows(rows);
    counts.subtract(&LINES, queue.outstanding_text_lines());
    Receipt::new(&counts, queue.working_time(), errors)
}
