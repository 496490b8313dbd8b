//! `logator-push`: the lines of standard input become messages.
//!
//! | file | content |
//! |---|---|
//! | `options` | what the user chose |
//! | `input` | standard input, and the messages that its lines become |
//! | `queued` | sends lines from a queue |
//! | `delivered` | sends one line at a time and waits until a connection has taken it |
//! | `replies` | the answers on standard output |
//! | `sent` | the account |

mod delivered;
mod input;
mod options;
mod queued;
mod replies;
mod sent;

use std::time::Instant;

use self::input::{Encoding, Input};
pub use self::options::{Confirm, PushOptions};
use self::queued::QueuedPush;
pub use self::sent::{PUSH, Sent};
use super::signal_handlers::{reload_keys_on_hangup, stop_on_signals};
use crate::core::error::Result;
use crate::core::numbers::grouped;
use crate::core::stop::Stop;
use crate::net::push::envelope::Wrapping;
use crate::observe::console::Console;
use crate::observe::service_manager::Manager;

/// The status that the service manager gets when the sockets are open.
const READY: &str = "lines of standard input are sent";

/// Sends the lines of standard input until it ends or a signal comes.
///
/// # Errors
/// An endpoint that cannot be used, or input that cannot be read.
pub fn push(options: &PushOptions, console: Console) -> Result<Sent> {
    let started = Instant::now();
    let stop = Stop::new()?;
    let manager = Manager::of_environment();
    stop_on_signals(&stop, &manager, &console, "what was read is sent")?;
    reload_keys_on_hangup(options.socket.security.as_ref(), &console)?;
    let input = Input::open()?;
    let pid = std::process::id();
    let encoding = Encoding(options.kind.as_deref().map(|kind| Wrapping::new(kind, pid)));
    let mut sent = match options.confirm {
        Confirm::Delivered => {
            let ready = || manager.ready(READY, &[]);
            delivered::push(options, encoding, input, &stop, &console, ready)?
        }
        _ => {
            let pushing = QueuedPush::new(options, encoding, input, &stop, &console)?;
            manager.ready(READY, &pushing.addresses());
            pushing.run()?
        }
    };
    sent.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    say(&sent, options, &console, pid);
    Ok(sent)
}

/// Prints what became of the lines.
fn say(sent: &Sent, options: &PushOptions, console: &Console, pid: u32) {
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
    let (lines, ms) = (sent.sent, sent.milliseconds);
    let tag = options.kind.as_ref().map(|_| format!(" Tagged with @pid:{pid}")).unwrap_or_default();
    console.last_word(&format!("Processed {lines} messages in {ms} ms.{tag}"));
}
