//! `logator run`: reads, parses and stores in one process, in memory and without sockets.

use super::account::queue_with;
use super::local::{limits, work_through};
use super::options::{SourceOptions, WorkOptions};
use super::reading::{OpenSources, Reading};
use crate::core::error::Result;
use crate::core::stop::Stop;
use crate::observe::console::Console;
use crate::observe::receipt::Receipt;
use crate::queue::shared::SharedQueue;
use crate::source::ReadOptions;
use crate::source::live::Live;

/// Reads, parses and stores all lines. Errors during the work are part of the receipt.
///
/// # Errors
/// The job cannot start: a wrong pattern, a missing input, or a sink that cannot be opened.
pub fn run(source: &SourceOptions, work: &WorkOptions, console: Console) -> Result<Receipt> {
    let formats = work.formats(&console)?;
    let found = source.find(&console)?;
    let state = source.open_state(&console)?;
    let (queue, settlement) = queue_with(state.as_ref(), SharedQueue::new(source.limits(limits()), None)?);
    let reader_state = state.clone();
    let live = Live::new(Stop::new()?);
    let work = &WorkOptions { max_memory: source.max_memory, ..work.clone() };
    let options = ReadOptions { settlement, ..source.read_options(&live, &console) };
    work_through(work, formats, console, queue, state.as_deref(), &live, |queue, dead_letters, in_order| {
        let options = ReadOptions { in_order, ..options };
        let sources = OpenSources::open(found, &options)?;
        Reading::start(sources, options, queue, dead_letters, reader_state)
    })
}
