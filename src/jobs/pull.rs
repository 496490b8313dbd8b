//! `logator-pull`: messages that others push, as lines on standard output, or as documents in sinks.

use std::io::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::run::{limits, work_through};
use super::{Reading, WorkOptions};
use crate::console::Console;
use crate::envelope::Envelope;
use crate::error::{Error, Result};
use crate::lines;
use crate::link::LinkOptions;
use crate::pull::Puller;
use crate::queue::shared::SharedQueue;
use crate::receipt::{Receipt, grouped};
use crate::source::live::{self, Live, Messages};
use crate::source::reader::BatchSize;
use crate::stop::Stop;

/// Written at a time.
const BLOCK: usize = 256 << 10;

/// How long messages are still taken after a signal, while more and more come.
const FAREWELL: Duration = Duration::from_secs(1);

/// Messages taken between two looks at the clock.
const A_ROUND: usize = 1000;

/// Where lines come from.
#[derive(Debug, Clone)]
pub struct PullOptions {
    /// From whom.
    pub link: LinkOptions,
    /// How they are wrapped, for those who parse them.
    pub envelope: Envelope,
    /// The longest line, for those who parse them.
    pub max_line: usize,
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
fn open(link: &LinkOptions, stop: &Stop, console: &Console) -> Result<Puller> {
    super::reload_keys_on_hangup(link.security.as_ref(), console)?;
    let say = console.clone();
    let puller = Puller::open(link, Box::new(move |sentence| say.say(sentence)))?.until(stop.clone());
    for endpoint in puller.endpoints() {
        console.say(format!("lines are pulled at {endpoint}"));
    }
    Ok(puller)
}

/// Writes each message as a line to standard output, until a signal comes or nobody reads on.
///
/// # Errors
/// An endpoint that cannot be used, standard output that cannot be written.
pub fn print(options: &PullOptions, console: Console) -> Result<Received> {
    let started = Instant::now();
    let stop = Stop::new()?;
    stop.on_signals({
        let console = console.clone();
        move |signal| console.say(format!("{signal}: what was received is written; a second signal ends at once"))
    })?;
    let mut puller = open(&options.link, &stop, &console)?;
    let mut out = Vec::with_capacity(BLOCK + BLOCK / 4);
    let mut received = Received::default();
    let mut until = None;
    loop {
        let count = fill(&mut puller, &mut out)?;
        if count > 0 {
            let mut stdout = std::io::stdout().lock();
            stdout
                .write_all(&out)
                .and_then(|()| stdout.flush())
                .map_err(|error| Error::system("standard output cannot be written").because(error))?;
            out.clear();
            received.received += count;
        }
        let ends = stop.is_requested();
        if ends && (count == 0 || *until.get_or_insert_with(|| Instant::now() + FAREWELL) < Instant::now()) {
            break;
        }
        if count == 0 {
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
    let puller = open(&options.link, &live.stop, &console)?;
    let queue = Arc::new(SharedQueue::new(limits(), None));
    let size = BatchSize { max_line: options.max_line, ..BatchSize::default() };
    let envelope = options.envelope;
    let reader = live.clone();
    work_through(work, formats, console, queue, None, &live, move |queue, dead_letters| {
        let entered = reader.enter();
        Reading::live(queue, dead_letters, size.max_line, move |intake| {
            let _entered = entered;
            let name = name_of(&puller);
            let mut messages = Messages::new(intake, &size, live::origin(&name).wrapped(envelope));
            receive(puller, &mut messages, &reader.stop).err().map(Into::into).unwrap_or_default()
        })
    })
}

/// What people know it by.
fn name_of(puller: &Puller) -> String {
    let names: Vec<String> = puller.everywhere().map(|endpoint| format!("pull+{endpoint}")).collect();
    names.join(" ")
}

/// Takes messages until the stop. They are handed on when no more come for a moment, or do not stop coming.
fn receive(mut puller: Puller, messages: &mut Messages, stop: &Stop) -> Result<()> {
    let mut until = None;
    loop {
        let mut count = 0;
        while count < A_ROUND
            && let Some(message) = puller.receive()?
        {
            if !messages.add(message)? {
                return Ok(());
            }
            count += 1;
        }
        let ends = stop.is_requested();
        if ends && (count == 0 || *until.get_or_insert_with(|| Instant::now() + FAREWELL) < Instant::now()) {
            messages.flush();
            return Ok(());
        }
        if !messages.hand_out(count == 0) {
            return Ok(());
        }
        if count < A_ROUND {
            puller.wait(messages.patience())?;
        }
    }
}
