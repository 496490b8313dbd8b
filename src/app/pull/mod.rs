//! `logator-pull`: writes the messages of peers to standard output as lines, or stores them as documents.

mod farewell;
pub(super) mod source;

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use self::farewell::Farewell;
use self::source::PullSource;
use super::account::{queue_with, say_errors};
use super::local::work_through;
use super::messages::{say_on, waits};
use super::options::{SourceOptions, WorkOptions};
use super::reading::{OpenSources, Reading};
use super::signal_handlers::{reload_keys_on_hangup, stop_on_signals};
use super::sources::SOURCES;
use crate::core::append::AppendFile;
use crate::core::error::{Error, Result};
use crate::core::lines;
use crate::core::numbers::grouped;
use crate::core::stop::Stop;
use crate::core::wait::{Deadline, Words};
use crate::envelope::Envelope;
use crate::net::pull::Puller;
use crate::net::socket::SocketOptions;
use crate::observe::console::Console;
use crate::observe::counters::counter_struct;
use crate::observe::receipt::Receipt;
use crate::observe::service_manager::Manager;
use crate::queue::Limits;
use crate::queue::shared::SharedQueue;
use crate::source::ReadOptions;
use crate::source::describing::Describing;
use crate::source::kind::{FindContext, Found, Place};
use crate::source::live::Live;
use crate::source::receiver::BatchSize;

/// The number of bytes that are written at a time. They are lost if the process is killed before it writes them.
const BLOCK: usize = 256 << 10;

/// How lines are pulled.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// The endpoints and keys.
    pub socket: SocketOptions,
    /// The wrapping of the lines, for parsing.
    pub envelope: Envelope,
    /// The longest line in bytes, for parsing.
    pub max_line: usize,
    /// The maximum number of bytes of lines that are received and not yet stored.
    pub max_memory: usize,
}

counter_struct! {
    /// The receipt of lines that are only written to standard output.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
    pub struct Received;
    /// The counters of `logator-pull` without a sink.
    PULL of Pull;
    received = 208, "messages", Always, "Messages that were received and written, one line each.";
    + /// The time from the start to the end.
    pub milliseconds: u64;
}

/// Writes each message as a line to standard output, until a signal comes or the reader of standard output ends.
///
/// # Errors
/// An endpoint that cannot be used, or standard output that cannot be written within `deadline`.
pub fn print(options: &PullOptions, deadline: Deadline, console: Console) -> Result<Received> {
    let started = Instant::now();
    let stop = Stop::new()?;
    let manager = Manager::of_environment();
    stop_on_signals(&stop, &manager, &console, "what was received is written")?;
    let waits = waits(deadline, &stop, &console);
    let stdout = AppendFile::stdout(&Arc::new(waits.patience("standard output", Words::WRITTEN).with_reader()))?;
    reload_keys_on_hangup(options.socket.security.as_ref(), &console)?;
    let mut puller = source::open(&options.socket, &stop, &say_on(&console))?;
    let opened = source::describe(&puller);
    manager.ready(&opened.status(), &opened.addresses);
    let mut out = Vec::with_capacity(BLOCK + BLOCK / 4);
    let mut received = Received::default();
    let mut farewell = Farewell::default();
    loop {
        let count = fill(&mut puller, &mut out)?;
        let bytes = out.len();
        if count > 0 {
            stdout.append_unsynced(&out).inspect_err(|error| {
                if !error.is_broken_pipe() {
                    console.warn(format!("up to {count} lines that were received are lost: nobody sends them again"));
                }
            })?;
            out.clear();
            received.received += count;
        }
        if stop.is_requested() {
            if !farewell.go_on(bytes, &mut puller)? {
                break;
            }
        } else if count == 0 {
            puller.wait(None)?;
        }
    }
    received.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    console.say(format!("{} lines received in {} ms", grouped(received.received), received.milliseconds));
    Ok(received)
}

/// Appends the messages that are there to `out` as lines, up to about one block. Returns their number.
fn fill(puller: &mut Puller, out: &mut Vec<u8>) -> Result<u64> {
    let mut count = 0;
    while out.len() < BLOCK {
        let Some(message) = puller.receive()? else { break };
        out.extend_from_slice(&lines::of_message(message));
        out.push(b'\n');
        count += 1;
    }
    Ok(count)
}

/// Parses and stores the messages of peers, until a signal comes.
///
/// # Errors
/// The job cannot start: a wrong pattern, an endpoint that cannot be used, or a sink that cannot be opened.
pub fn store(options: &PullOptions, work: &WorkOptions, console: Console) -> Result<Receipt> {
    let mut found = Found::default();
    found.add(0, PullSource::new(&options.socket, options.envelope));
    reload_keys_on_hangup(options.socket.security.as_ref(), &console)?;
    store_all(found, (options.max_line, options.max_memory), Describing::default(), work, console)
}

/// Parses and stores the records of the sources that `from` names, until they end or a signal comes. At most `max_memory` bytes
/// are received and not yet stored.
///
/// # Errors
/// The job cannot start: a wrong pattern, a source that cannot be used, or a sink that cannot be opened.
pub fn receive(from: &SourceOptions, max_memory: usize, work: &WorkOptions, console: Console) -> Result<Receipt> {
    let context = FindContext { values: &from.values, own: &from.files, place: Place::From };
    let found = SOURCES.find(&from.inputs, &context)?;
    store_all(found, (from.read.size.max_line, max_memory), from.read.describing.clone(), work, console)
}

/// Parses and stores the records of the sources `found`.
fn store_all(
    found: Found,
    (max_line, max_memory): (usize, usize),
    describing: Describing,
    work: &WorkOptions,
    console: Console,
) -> Result<Receipt> {
    let formats = work.formats(&console)?;
    let live = Live::new(Stop::new()?);
    let (size, limits) = bounds(max_memory, max_line, work.workers.most);
    let (queue, settlement) = queue_with(None, SharedQueue::new(limits, None)?);
    let read = ReadOptions {
        size,
        describing,
        settlement,
        live: Some(live.clone()),
        say: say_on(&console),
        ..ReadOptions::default()
    };
    let sources = OpenSources::open(found, &read)?;
    let (name, said) = (sources.names_of_passing().join(" "), console.clone());
    let mut receipt =
        work_through(work, formats, console, queue, None, &live, move |queue, dead_letters, in_order| {
            Reading::start(sources, ReadOptions { in_order, ..read }, queue, dead_letters, None)
        })?;
    if receipt.left > 0 && !name.is_empty() {
        // Other inputs can be read again. Pulled lines cannot.
        let error = Error::input(format!(
            "{name}: {} lines that were received are lost: they were not stored when the work ended, and nobody sends them again",
            receipt.left
        ));
        receipt.errors.extend(say_errors(&[error], &said));
    }
    Ok(receipt)
}

/// Returns the size of batches and the limits of the queue, so that at most `memory` bytes are received and not stored. This
/// memory holds one batch that is being filled, two leased batches for each worker, and ready batches in the rest. If lines
/// are longer than a batch, up to three such lines come on top: one being filled, one leased, one ready.
fn bounds(memory: usize, max_line: usize, workers: usize) -> (BatchSize, Limits) {
    let usual = BatchSize::default();
    let leased = 2 * workers.max(1);
    // There is room for one ready batch for each worker and one more, because the last batch may exceed the limit.
    let bytes = (memory / (leased + workers.max(1) + 2)).clamp(1, usual.bytes);
    let limits = Limits {
        // The leases of threads have no deadline, because a thread cannot be lost without the process.
        lease: None,
        ready_bytes: memory.saturating_sub((leased + 2) * bytes).max(1),
        leased_bytes: (leased - 1) * bytes + 1,
        leases_per_peer: usize::MAX,
        block_bytes: bytes,
    };
    (BatchSize { bytes, max_line, ..usual }, limits)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::batch::{Batch, Origin};
    use crate::queue::Reserved;

    #[test]
    fn what_is_received_and_not_stored_stays_within_the_bound() {
        for (memory, workers) in
            [(64 << 10, 1), (64 << 10, 16), (1 << 20, 1), (1 << 20, 2), (1 << 20, 64), (8 << 20, 2)]
        {
            let (size, limits) = bounds(memory, 1 << 20, workers);
            assert!(size.bytes <= BatchSize::default().bytes, "{memory} {workers}");
            let queue = SharedQueue::new(limits.clone(), None).unwrap();
            let origin = Arc::new(Origin::new(1, "test"));
            let (mut offered, mut leases) = (0, 0);
            // Puts in full batches while there is room, and takes leases until the queue gives no more.
            loop {
                let (ready, leased) = queue.held_bytes();
                assert!(ready + leased + size.bytes <= memory, "{ready} and {leased} of {memory}, {workers} workers");
                if ready < limits.ready_bytes {
                    queue.offer(Batch::new(Arc::clone(&origin), offered, 1, vec![b'x'; size.bytes].into()));
                    offered += size.bytes as u64;
                } else if let Reserved::Batch(..) = queue.reserve(1) {
                    leases += 1;
                } else {
                    break;
                }
            }
            assert!(leases >= 2 * workers && queue.has_ready(), "{memory} {workers}: {leases} leases");
        }
    }
}
