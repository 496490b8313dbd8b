//! `logator-pull`: writes the messages of peers to standard output as lines, or stores them as documents.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::account::say_errors;
use super::local::work_through;
use super::messages::waits;
use super::options::WorkOptions;
use super::reading::Reading;
use super::signal_handlers::{reload_keys_on_hangup, stop_on_signals};
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
use crate::source::live::Live;
use crate::source::messages::{self, Messages};
use crate::source::receiver::BatchSize;

/// The number of bytes that are written at a time. They are lost if the process is killed before it writes them.
const BLOCK: usize = 256 << 10;

/// The time for which messages are received after a signal, while more messages come. The time in which a slow sink or reader
/// delays them does not count, up to [`ON_THE_WAY`] bytes.
const FAREWELL: Duration = Duration::from_secs(1);

/// The number of bytes that are received after a signal for each connection, however slow the sink or reader is. About
/// this many bytes can be in transit.
const ON_THE_WAY: usize = 1 << 20;

/// After a signal, the receiving ends when no message has come for this time. The thread of libzmq may need a moment to
/// read more.
const QUIET: Duration = Duration::from_millis(250);

/// The number of messages that are received between two looks at the clock.
const ROUND: usize = 1000;

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

/// Opens the socket, and prints where it listens.
fn open(socket: &SocketOptions, stop: &Stop, console: &Console) -> Result<Puller> {
    reload_keys_on_hangup(socket.security.as_ref(), console)?;
    let say = console.clone();
    let puller = Puller::open(socket, Box::new(move |sentence| say.say(sentence)))?.until(stop.clone());
    for endpoint in puller.endpoints() {
        console.say(format!("lines are pulled at {endpoint}"));
    }
    Ok(puller)
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
    let mut puller = open(&options.socket, &stop, &console)?;
    let (addresses, status) = place_of(&puller);
    manager.ready(&status, &addresses);
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
    let formats = work.formats(&console)?;
    let live = Live::new(Stop::new()?);
    let puller = open(&options.socket, &live.stop, &console)?;
    let (name, said) = (name_of(&puller), console.clone());
    let place = place_of(&puller);
    let (size, limits) = bounds(options.max_memory, options.max_line, work.workers.most);
    let queue = Arc::new(SharedQueue::new(limits, None)?);
    let envelope = options.envelope;
    let (reader, source) = (live.clone(), name.clone());
    let mut receipt = work_through(work, formats, console, queue, None, &live, move |queue, dead_letters| {
        let entered = reader.enter();
        Reading::live(queue, dead_letters, size.max_line, place, move |receiver| {
            let _entered = entered;
            let mut messages = Messages::new(receiver, &size, messages::origin(&source).wrapped(envelope));
            let result = receive(puller, &mut messages, &reader.stop).and_then(|()| match messages.unwanted() {
                0 => Ok(()),
                lines => Err(Error::input(format!(
                    "{source}: {lines} lines that were received are lost: the workers had ended, and nobody sends them again"
                ))),
            });
            result.err().map(Into::into).unwrap_or_default()
        })
    })?;
    if receipt.left > 0 {
        // The inputs of other jobs can be read again. Pulled lines cannot.
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

/// Decides when to stop receiving after a signal. Messages in transit at that time could not be sent again.
#[derive(Debug, Default)]
struct Farewell {
    /// The time of the signal.
    began: Option<Instant>,
    /// The time since which no message has come.
    quiet: Option<Instant>,
    /// Bytes received since the signal.
    bytes: usize,
    /// The time spent since the signal on waiting for messages.
    waited: Duration,
}

impl Farewell {
    /// Waits for more messages after a round that received `bytes`. Returns `false` if it is time to end.
    fn go_on(&mut self, bytes: usize, puller: &mut Puller) -> Result<bool> {
        let now = Instant::now();
        let Some(left) = self.left(bytes, puller.peers(), now) else { return Ok(false) };
        puller.wait_for_more(left)?;
        self.waited += now.elapsed();
        Ok(true)
    }

    /// Returns how long to wait for more messages; `None` if it is time to end.
    fn left(&mut self, bytes: usize, peers: usize, now: Instant) -> Option<Duration> {
        let began = *self.began.get_or_insert(now);
        self.bytes += bytes;
        if bytes > 0 {
            self.quiet = None;
        }
        let late = now.saturating_duration_since(began) >= FAREWELL;
        if self.waited >= FAREWELL || (late && self.bytes > ON_THE_WAY * peers.max(1)) {
            return None;
        }
        let quiet = *self.quiet.get_or_insert(now);
        let left = QUIET.saturating_sub(now.saturating_duration_since(quiet));
        (!left.is_zero()).then_some(left)
    }
}

/// Returns the name of the source in messages.
fn name_of(puller: &Puller) -> String {
    let names: Vec<String> = puller.all_endpoints().map(|endpoint| format!("pull+{endpoint}")).collect();
    names.join(" ")
}

/// Returns the addresses at which `puller` listens and a sentence on what it does, for a service manager.
fn place_of(puller: &Puller) -> (Vec<String>, String) {
    let addresses: Vec<String> = puller.endpoints().iter().map(ToString::to_string).collect();
    let everywhere: Vec<String> = puller.all_endpoints().map(ToString::to_string).collect();
    (addresses, format!("lines are pulled at {}", everywhere.join(" and ")))
}

/// Receives messages until `stop` is requested. It hands them on when no more messages come for a moment, and also when they
/// keep coming. While the queue has no room, it receives nothing.
fn receive(mut puller: Puller, messages: &mut Messages, stop: &Stop) -> Result<()> {
    let mut farewell = Farewell::default();
    loop {
        let (mut count, mut bytes) = (0, 0);
        while count < ROUND
            && let Some(message) = puller.receive()?
        {
            bytes += message.len() + 1;
            if !messages.add(message)? {
                return Ok(());
            }
            count += 1;
        }
        let ends = stop.is_requested();
        if !messages.hand_out(count == 0) {
            return Ok(());
        }
        if ends {
            if !farewell.go_on(bytes, &mut puller)? {
                messages.flush();
                return Ok(());
            }
        } else if count < ROUND {
            puller.wait(messages.patience())?;
        }
    }
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

    #[test]
    fn after_a_signal_messages_are_taken_until_none_comes_or_for_a_second() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut farewell = Farewell::default();
        assert_eq!(farewell.left(10, 1, at(0)), Some(QUIET));
        assert_eq!(farewell.left(0, 1, at(50)), Some(QUIET - Duration::from_millis(50)));
        assert_eq!(farewell.left(10, 1, at(60)), Some(QUIET));
        assert_eq!(farewell.left(0, 1, at(70)), Some(QUIET - Duration::from_millis(10)));
        assert_eq!(farewell.left(0, 1, at(310)), None);

        // A few messages in each round, again and again.
        let mut farewell = Farewell::default();
        for ms in (0..1000).step_by(100) {
            assert_eq!(farewell.left(10, 1, at(ms)), Some(QUIET));
            farewell.waited += Duration::from_millis(100);
        }
        assert_eq!(farewell.left(10, 1, at(1000)), None);

        // A slow sink: more time has passed, but fewer bytes were received than can be in transit.
        let mut farewell = Farewell::default();
        assert_eq!(farewell.left(ON_THE_WAY, 2, at(0)), Some(QUIET));
        assert_eq!(farewell.left(10, 2, at(5000)), Some(QUIET));
        assert_eq!(farewell.left(ON_THE_WAY, 2, at(5001)), None);
    }
}
