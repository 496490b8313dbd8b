//! `logator-pull`: messages that others push, as lines on standard output, or as documents in sinks.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::run::work_through;
use super::{Reading, WorkOptions};
use crate::core::append::AppendFile;
use crate::core::error::{Error, Result};
use crate::core::lines;
use crate::core::stop::Stop;
use crate::core::wait::{Deadline, Words};
use crate::envelope::Envelope;
use crate::net::pull::Puller;
use crate::net::socket::SocketOptions;
use crate::observe::console::Console;
use crate::observe::receipt::{Receipt, grouped};
use crate::observe::service_manager::Manager;
use crate::queue::Limits;
use crate::queue::shared::SharedQueue;
use crate::source::live::Live;
use crate::source::messages::{self, Messages};
use crate::source::receiver::BatchSize;

/// Written at a time, and lost when this process is killed before.
const BLOCK: usize = 256 << 10;

/// How long messages are still taken after a signal while more come; the time in which a slow sink or reader holds them up is no
/// part of it, up to [`ON_THE_WAY`].
const FAREWELL: Duration = Duration::from_secs(1);

/// How much is taken after a signal for each connection, however long a slow sink or reader takes for it: about what can be on its way.
const ON_THE_WAY: usize = 1 << 20;

/// How long no message may have come after a signal until the end. libzmq's thread may need a moment to read on.
const QUIET: Duration = Duration::from_millis(250);

/// Messages taken between two looks at the clock.
const A_ROUND: usize = 1000;

/// Where lines come from.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// From whom.
    pub socket: SocketOptions,
    /// How they are wrapped, for those who parse them.
    pub envelope: Envelope,
    /// The longest line, for those who parse them.
    pub max_line: usize,
    /// Bytes of lines that are received and not stored, at most, for those who store them.
    pub max_memory: usize,
}

/// What was received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Received {
    /// Messages, each written as a line.
    pub received: u64,
    /// From the start to the end.
    pub milliseconds: u64,
}

/// Opens the socket and says where it listens.
fn open(socket: &SocketOptions, stop: &Stop, console: &Console) -> Result<Puller> {
    super::reload_keys_on_hangup(socket.security.as_ref(), console)?;
    let say = console.clone();
    let puller = Puller::open(socket, Box::new(move |sentence| say.say(sentence)))?.until(stop.clone());
    for endpoint in puller.endpoints() {
        console.say(format!("lines are pulled at {endpoint}"));
    }
    Ok(puller)
}

/// Writes each message as a line to standard output, until a signal comes or nobody reads on.
///
/// # Errors
/// An endpoint that cannot be used, standard output that cannot be written, or that nobody takes anything from within
/// `deadline`.
pub fn print(options: &PullOptions, deadline: Deadline, console: Console) -> Result<Received> {
    let started = Instant::now();
    let stop = Stop::new()?;
    let manager = Manager::of_environment();
    super::stop_on_signals(&stop, &manager, &console, "what was received is written")?;
    let waits = super::waits(deadline, &stop, &console);
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

/// Takes what is there, up to about a block, as lines. Answers how many.
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

/// Parses and stores what others push, until a signal comes.
///
/// # Errors
/// Only what keeps it from starting: a wrong pattern, an endpoint that cannot be used, a sink that cannot be opened.
pub fn store(options: &PullOptions, work: &WorkOptions, console: Console) -> Result<Receipt> {
    let formats = work.formats(&console)?;
    let live = Live::new(Stop::new()?);
    let puller = open(&options.socket, &live.stop, &console)?;
    let (name, said) = (name_of(&puller), console.clone());
    let place = place_of(&puller);
    let (size, limits) = bounds(options.max_memory, options.max_line, work.workers.most);
    let queue = Arc::new(SharedQueue::new(limits, None));
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
        // What other jobs leave is read again; nobody can read this again.
        let error = Error::input(format!(
            "{name}: {} lines that were received are lost: they were not stored when the work ended, and nobody sends them again",
            receipt.left
        ));
        receipt.errors.extend(super::say_errors(&[error], &said));
    }
    Ok(receipt)
}

/// How lines are cut and held so that no more than `memory` bytes are received and not stored: a batch that is being filled, two for
/// each of the workers that are leased, and the rest ready. Where a line is longer than a batch, there may be three such lines
/// on top, one at each of those places.
fn bounds(memory: usize, max_line: usize, workers: usize) -> (BatchSize, Limits) {
    let usual = BatchSize::default();
    let leased = 2 * workers.max(1);
    // As many ready as there are workers, and one more: a bound is passed by the last batch that is let in.
    let bytes = (memory / (leased + workers.max(1) + 2)).clamp(1, usual.bytes);
    let limits = Limits {
        // Leases of threads do not run out: a thread cannot be lost alone.
        lease: None,
        ready_bytes: memory.saturating_sub((leased + 2) * bytes).max(1),
        leased_bytes: (leased - 1) * bytes + 1,
        leases_per_peer: usize::MAX,
        block_bytes: bytes,
    };
    (BatchSize { bytes, max_line, ..usual }, limits)
}

/// Tells when to leave after a signal. What is on its way then could not be sent again.
#[derive(Debug, Default)]
struct Farewell {
    began: Option<Instant>,
    quiet: Option<Instant>,
    /// Taken since.
    bytes: usize,
    /// How long messages were waited for since.
    waited: Duration,
}

impl Farewell {
    /// After a round in which `bytes` came: waits for more, or answers `false` for the end.
    fn go_on(&mut self, bytes: usize, puller: &mut Puller) -> Result<bool> {
        let now = Instant::now();
        let Some(left) = self.left(bytes, puller.peers(), now) else { return Ok(false) };
        puller.wait_for_more(left)?;
        self.waited += now.elapsed();
        Ok(true)
    }

    /// How long to wait for more at most; `None` for the end.
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

/// What people know it by.
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

/// Takes messages until the stop. They are handed on when no more come for a moment, or do not stop coming. While there is no room
/// for them, no more are taken.
fn receive(mut puller: Puller, messages: &mut Messages, stop: &Stop) -> Result<()> {
    let mut farewell = Farewell::default();
    loop {
        let (mut count, mut bytes) = (0, 0);
        while count < A_ROUND
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
        } else if count < A_ROUND {
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
            let queue = SharedQueue::new(limits.clone(), None);
            let origin = Arc::new(Origin::new(1, "test"));
            let (mut offered, mut leases) = (0, 0);
            // Batches that are filled as far as they may be, while there is room, and as many leases as are given.
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

        // Few messages, without an end.
        let mut farewell = Farewell::default();
        for ms in (0..1000).step_by(100) {
            assert_eq!(farewell.left(10, 1, at(ms)), Some(QUIET));
            farewell.waited += Duration::from_millis(100);
        }
        assert_eq!(farewell.left(10, 1, at(1000)), None);

        // A slow sink: more time has passed, but not as much was taken as can be on its way.
        let mut farewell = Farewell::default();
        assert_eq!(farewell.left(ON_THE_WAY, 2, at(0)), Some(QUIET));
        assert_eq!(farewell.left(10, 2, at(5000)), Some(QUIET));
        assert_eq!(farewell.left(ON_THE_WAY, 2, at(5001)), None);
    }
}
