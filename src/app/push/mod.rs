//! `logator-push`: the lines of its inputs become messages.
//!
//! | file | content |
//! |---|---|
//! | `options` | what the user chose |
//! | `input` | the inputs, and the messages that their lines become |
//! | `inbox` | the lines between the threads that read and the thread that sends |
//! | `sending` | what both ways of sending have in common; standard input is read in the thread that sends |
//! | `queued` | sends lines from a queue |
//! | `delivered` | sends one line at a time and waits until a connection has taken it |
//! | `replies` | the answers on standard output |
//! | `sent` | the account |
//! | `topic` | pushes records to a topic of Kafka |
//! | `answering` | the answers to lines that go to a topic |

mod answering;
mod delivered;
mod inbox;
mod input;
mod options;
mod queued;
mod replies;
mod sending;
mod sent;
mod topic;

use std::time::{Duration, Instant};

use self::delivered::DeliveredPush;
use self::inbox::Inbox;
use self::input::Encoding;
pub use self::options::{Confirm, PushOptions};
use self::queued::QueuedPush;
use self::sending::{SameThread, Sending};
pub use self::sent::{PUSH, Sent};
pub use self::topic::{TopicOptions, push_to_topic};
use super::account::say_errors;
use super::reading::{OpenSources, Reading};
use super::signal_handlers::{reload_keys_on_hangup, stop_on_signals};
use crate::core::error::{Error, Result};
use crate::core::numbers::grouped;
use crate::core::stop::Stop;
use crate::net::push::envelope::Wrapping;
use crate::observe::console::Console;
use crate::observe::service_manager::Manager;
use crate::source::ReadOutcome;

/// The number of lines that may wait with `--confirm=delivered`.
const AT_ONCE: usize = 1000;

/// Sends the lines of the inputs until they end or a signal comes.
///
/// # Errors
/// An endpoint or an input that cannot be used.
pub fn push(options: &PushOptions, console: Console) -> Result<Sent> {
    let started = Instant::now();
    let stop = Stop::new()?;
    let manager = Manager::of_environment();
    stop_on_signals(&stop, &manager, &console, "what was read is sent")?;
    reload_keys_on_hangup(options.socket.security.as_ref(), &console)?;
    let inbox = Inbox::new(match options.confirm {
        Confirm::Delivered => options.queue.min(AT_ONCE),
        _ if options.drops => usize::MAX,
        _ => options.queue,
    })?;
    let pid = std::process::id();
    let encoding = Encoding(options.kind.as_deref().map(|kind| Wrapping::new(kind, pid)));
    let job = Job { options, inbox: &inbox, stop: &stop, manager: &manager, console: &console };
    let (mut sent, read) = match options.confirm {
        Confirm::Delivered => job.push(DeliveredPush::new(options, encoding, &inbox, &stop, &console)?)?,
        _ => job.push(QueuedPush::new(options, encoding, &inbox, &stop, &console)?)?,
    };
    let unread =
        read.unread.iter().map(|file| Error::input(format!("{}: {} bytes were not read", file.name, file.bytes)));
    let errors: Vec<Error> = read.stopped_sentence().into_iter().chain(unread).chain(read.errors).collect();
    sent.errors = say_errors(&errors, &console);
    let elapsed = started.elapsed();
    sent.milliseconds = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    say(&sent, options, &console);
    console.last_word(&summary(sent.sent, elapsed, options.kind.as_ref().map(|_| pid)));
    Ok(sent)
}

/// What reading and sending have in common.
struct Job<'a> {
    options: &'a PushOptions,
    inbox: &'a Inbox,
    stop: &'a Stop,
    manager: &'a Manager,
    console: &'a Console,
}

impl Job<'_> {
    /// Reads the inputs and sends their lines. Standard input alone is read in this thread.
    fn push<S: Sending>(&self, mut sending: S) -> Result<(Sent, ReadOutcome)> {
        let Job { options, inbox, stop, console, .. } = *self;
        let found = input::find(options, console)?;
        let read = input::reading(options, stop, console);
        let sources = OpenSources::open(found, &read)?;
        if options.inputs.is_empty() {
            self.manager.ready("lines of standard input are sent", &sending.addresses());
            let receiver = SameThread::new(inbox, &mut sending);
            let outcome = sources.read(&read, &receiver);
            receiver.end()?;
            return Ok((sending.run()?, outcome));
        }
        let end = inbox.clone();
        let reading = Reading::into(sources, read, inbox.clone(), move || end.end())?;
        reading.wait_until_ready();
        self.manager.ready("lines are sent", &[sending.addresses(), reading.addresses.clone()].concat());
        let sent = sending.run()?;
        drop(inbox.close());
        Ok((sent, reading.outcome()))
    }
}

/// Prints what became of the lines.
fn say(sent: &Sent, options: &PushOptions, console: &Console) {
    if sent.too_long > 0 {
        let (lines, most) = (grouped(sent.too_long), options.max_line);
        console.error(format!("{lines} lines longer than {most} bytes were not sent (--max-line)"));
    }
    if sent.dropped > 0 {
        let (lines, queue) = (grouped(sent.dropped), grouped(options.queue as u64));
        console.error(format!("{lines} lines were dropped: {queue} waited already (--queue), and nobody took any"));
    }
    if sent.refused > 0 {
        console.say(format!("{} lines were not taken, and answered so", grouped(sent.refused)));
    }
    if sent.unsent > 0 {
        let (lines, ms) = (grouped(sent.unsent), options.linger.as_millis());
        console.error(format!("{lines} lines were not sent: nobody took them within {ms} ms (--linger)"));
    }
    if sent.unsure > 0 {
        let lines = grouped(sent.unsure);
        console.error(format!("of the last {lines} lines sent, some may not have left: the peers did not read on"));
    }
}

/// Returns the last sentence, in the words of zmqpush. `pid` is the `@pid` of the envelopes, if the lines had any.
fn summary(messages: u64, elapsed: Duration, pid: Option<u32>) -> String {
    let tag = pid.map(|pid| format!(" Tagged with @pid:{pid}")).unwrap_or_default();
    format!("Processed {messages} messages in {:.4}ms.{tag}", elapsed.as_secs_f64() * 1000.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_summary_is_that_of_zmqpush_with_four_digits_after_the_point() {
        for (messages, nanos, pid, expected) in [
            (1, 2_200_300, Some(19867), "Processed 1 messages in 2.2003ms. Tagged with @pid:19867"),
            (300, 2_460_196_600, Some(17301), "Processed 300 messages in 2460.1966ms. Tagged with @pid:17301"),
            (0, 0, Some(1), "Processed 0 messages in 0.0000ms. Tagged with @pid:1"),
            (7, 52_000_000, None, "Processed 7 messages in 52.0000ms."),
        ] {
            assert_eq!(summary(messages, Duration::from_nanos(nanos), pid), expected);
        }
    }
}
