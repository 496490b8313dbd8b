//! The signals of a process. Two threads serve them from the start. One receives signals and never waits for anything
//! else. The other calls the functions that the program has registered.
//!
//! | signal | effect |
//! |---|---|
//! | SIGTERM, SIGINT | before a job begins: ends the process with exit code 3; then: asks the job to stop |
//! | a second SIGTERM or SIGINT | within half a second: none, because some programs send the signal twice (`timeout` of coreutils); later: ends the process at once with exit code 3, or with that of the [receipt](accounted) |
//! | SIGHUP | calls the [registered](on_hangup) functions, or functions that are registered later; never ends the process |
//! | SIGUSR1, SIGUSR2, SIGALRM | none; the first signal of each kind is reported to the user |
//!
//! In a program that calls neither [`receive`] nor a function that registers something, signals have the system's
//! effects.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::core::error::{Error, Result};
use crate::core::stderr;
use crate::core::stop::Stop;

/// Further signals within this time count as the same request to end.
pub const ONE_SIGNAL: Duration = Duration::from_millis(500);

/// The exit code of a process that a signal ends before its receipt.
const EXIT_CODE: u8 = 3;

/// The exit code of a process that a second signal ends.
static AT_ONCE: AtomicU8 = AtomicU8::new(EXIT_CODE);

/// A function to call at a signal, with the signal's name.
pub type Reaction = Box<dyn Fn(&'static str) + Send>;

/// The functions that the program has registered.
#[derive(Default)]
struct Reactions {
    /// Called at a signal before a job has begun. Then the process ends.
    before_job: Option<Reaction>,
    /// Asks the job to stop. It is set when a job begins.
    stop: Option<Reaction>,
    hangup: Vec<Box<dyn Fn() + Send>>,
    /// Whether SIGHUP came before a function was registered for it.
    hung_up: bool,
    /// Called at the first signal of each kind that has no effect.
    ignored: Option<Reaction>,
}

static REACTIONS: Mutex<Option<Reactions>> = Mutex::new(None);

/// Whether the threads run, or the reason why they do not.
static RECEIVING: OnceLock<std::result::Result<(), String>> = OnceLock::new();

fn reactions() -> MutexGuard<'static, Option<Reactions>> {
    REACTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers a function, and then starts to receive signals. Therefore the first signal finds the function.
fn register(change: impl FnOnce(&mut Reactions)) -> Result<()> {
    change(reactions().get_or_insert_default());
    receive()
}

/// Starts to receive signals. A second call has no effect.
///
/// # Errors
/// The system does not allow it.
pub fn receive() -> Result<()> {
    let received = RECEIVING.get_or_init(|| begin().map_err(|error| error.to_string()));
    received.clone().map_err(|error| Error::system("signals cannot be handled").because(error))
}

/// Registers `react` for SIGTERM and SIGINT before a job has begun. When it returns, the process ends with exit code 3.
///
/// # Errors
/// Signals cannot be received.
pub fn before_job(react: impl Fn(&'static str) + Send + 'static) -> Result<()> {
    register(|reactions| reactions.before_job = Some(Box::new(react)))
}

/// Begins a job: from here on SIGTERM and SIGINT request `stop`, and then call `react` with the signal's name.
///
/// # Errors
/// Signals cannot be received.
pub fn request_stop(stop: &Stop, react: impl Fn(&'static str) + Send + 'static) -> Result<()> {
    let stop = stop.clone();
    let stop_job = move |signal| {
        stop.request();
        react(signal);
    };
    register(|reactions| reactions.stop = Some(Box::new(stop_job)))
}

/// Calls `react` at each SIGHUP from here on. If a SIGHUP came before any function was registered for it, calls `react`
/// now.
///
/// # Errors
/// Signals cannot be received.
pub fn on_hangup(react: impl Fn() + Send + 'static) -> Result<()> {
    register(|reactions| {
        if std::mem::take(&mut reactions.hung_up) {
            react();
        }
        reactions.hangup.push(Box::new(react));
    })
}

/// Calls `react` at the first signal of each kind that has no effect in this program.
///
/// # Errors
/// Signals cannot be received.
pub fn on_ignored(react: impl Fn(&'static str) + Send + 'static) -> Result<()> {
    register(|reactions| reactions.ignored = Some(Box::new(react)))
}

/// Notes that the receipt is written and says `exit_code`. A second signal now ends the process with this code. Waits for the
/// function that a signal has called, so that the user and the service manager are told of it before the process ends.
pub fn accounted(exit_code: u8) {
    AT_ONCE.store(exit_code, Ordering::Relaxed);
    drop(reactions());
}

/// Gives signals the system's effects from here on. It is for commands that have no receipt.
///
/// # Errors
/// Signals cannot be received.
pub fn leave_to_the_system() -> Result<()> {
    before_job(|name| {
        let signal = if name == "SIGINT" { SIGINT } else { SIGTERM };
        stderr::flush();
        // If this fails, the process ends with exit code 3.
        let _ = low_level::emulate_default_handler(signal);
    })
}

fn begin() -> std::io::Result<()> {
    let signals = Signals::new([SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2, SIGALRM])?;
    let (send, received) = channel();
    let named = |name: &str| std::thread::Builder::new().name(name.into());
    named("react").spawn(move || react(&received))?;
    named("signals").spawn(move || watch(signals, &send))?;
    Ok(())
}

/// Receives signals. Nothing in this function may wait. Therefore a second signal ends the process even if nobody reads
/// its standard error.
fn watch(mut signals: Signals, reactions: &Sender<i32>) {
    let mut first: Option<Instant> = None;
    for signal in signals.forever() {
        if matches!(signal, SIGTERM | SIGINT) {
            match first {
                None => first = Some(Instant::now()),
                Some(at) if at.elapsed() < ONE_SIGNAL => continue,
                Some(_) => low_level::exit(AT_ONCE.load(Ordering::Relaxed).into()),
            }
        }
        // The other thread lives as long as the process.
        let _ = reactions.send(signal);
    }
}

/// Calls the registered functions.
fn react(received: &Receiver<i32>) {
    let mut ignored = Vec::new();
    for signal in received {
        let mut reactions = reactions();
        let registered = reactions.get_or_insert_default();
        match signal {
            SIGTERM | SIGINT => {
                let name = if signal == SIGINT { "SIGINT" } else { "SIGTERM" };
                match &registered.stop {
                    Some(stop) => stop(name),
                    // The lock is held, so no job can begin meanwhile.
                    None => {
                        if let Some(before_job) = &registered.before_job {
                            before_job(name);
                        }
                        stderr::flush();
                        low_level::exit(EXIT_CODE.into());
                    }
                }
            }
            SIGHUP if registered.hangup.is_empty() => registered.hung_up = true,
            SIGHUP => registered.hangup.iter().for_each(|react| react()),
            other => {
                if let Some(say) = registered.ignored.as_ref().filter(|_| !ignored.contains(&other)) {
                    ignored.push(other);
                    say(low_level::signal_name(other).unwrap_or("a signal"));
                }
            }
        }
    }
}
