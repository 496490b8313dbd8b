//! The signals of a process, from its first line on. Two threads serve them: one receives, and never waits for anything;
//! the other calls what the program has registered.
//!
//! | signal | what it does |
//! |---|---|
//! | SIGTERM, SIGINT | ends the process with exit code 3 as long as no job has begun; then asks the job to stop |
//! | the same again | nothing within half a second, because some programs send it twice (`timeout` of coreutils); after that, it ends the process at once with exit code 3, or that of the [receipt](accounted) |
//! | SIGHUP | calls what was [registered](on_hangup), or what will be; it never ends the process |
//! | SIGUSR1, SIGUSR2, SIGALRM | nothing; the first one of each is said |
//!
//! A program that never calls [`receive`] or one of the functions that do keeps the system's reactions.

use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGALRM, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::core::error::{Error, Result};
use crate::core::stop::Stop;

/// Signals that ask the process to end and come within this time count as one.
pub const ONE_SIGNAL: Duration = Duration::from_millis(500);

/// The exit code of a process that a signal ended before its account was given.
const EXIT_CODE: u8 = 3;

/// The exit code of a process that a second signal ends.
static AT_ONCE: AtomicU8 = AtomicU8::new(EXIT_CODE);

/// What is done about a signal, which is named to it.
pub type Reaction = Box<dyn Fn(&'static str) + Send>;

/// What the program has registered.
#[derive(Default)]
struct Reactions {
    /// What the process does before it ends, as long as no job has begun.
    before_job: Option<Reaction>,
    /// Asks the job to stop. Once it is there, a job has begun.
    stop: Option<Reaction>,
    hangup: Vec<Box<dyn Fn() + Send>>,
    /// Whether SIGHUP came before there was a reaction to it.
    hung_up: bool,
    /// Says that a signal is ignored.
    ignored: Option<Reaction>,
}

static REACTIONS: Mutex<Option<Reactions>> = Mutex::new(None);

/// Whether the threads run, or why they do not.
static RECEIVING: OnceLock<std::result::Result<(), String>> = OnceLock::new();

fn reactions() -> MutexGuard<'static, Option<Reactions>> {
    REACTIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Registers something, and receives signals only then: the first one finds its reaction.
fn register(change: impl FnOnce(&mut Reactions)) -> Result<()> {
    change(reactions().get_or_insert_default());
    receive()
}

/// Receives signals from here on. Doing it twice is harmless.
///
/// # Errors
/// When the system does not allow it.
pub fn receive() -> Result<()> {
    let received = RECEIVING.get_or_init(|| begin().map_err(|error| error.to_string()));
    received.clone().map_err(|error| Error::system("signals cannot be handled").because(error))
}

/// Calls `react` when SIGTERM or SIGINT comes before a job has begun; the process ends with exit code 3 when it returns.
///
/// # Errors
/// When signals cannot be received.
pub fn before_job(react: impl Fn(&'static str) + Send + 'static) -> Result<()> {
    register(|reactions| reactions.before_job = Some(Box::new(react)))
}

/// A job begins: calls `react` when SIGTERM or SIGINT comes from here on.
///
/// # Errors
/// When signals cannot be received.
pub fn on_stop(react: impl Fn(&'static str) + Send + 'static) -> Result<()> {
    register(|reactions| reactions.stop = Some(Box::new(react)))
}

/// Begins a job: requests `stop` when SIGTERM or SIGINT comes from here on, then calls `react` with the signal's name.
///
/// # Errors
/// When signals cannot be received.
pub fn request_stop(stop: &Stop, react: impl Fn(&'static str) + Send + 'static) -> Result<()> {
    let stop = stop.clone();
    on_stop(move |signal| {
        stop.request();
        react(signal);
    })
}

/// Calls `react` at each SIGHUP from here on; at once if one came before anything was registered for it.
///
/// # Errors
/// When signals cannot be received.
pub fn on_hangup(react: impl Fn() + Send + 'static) -> Result<()> {
    register(|reactions| {
        if std::mem::take(&mut reactions.hung_up) {
            react();
        }
        reactions.hangup.push(Box::new(react));
    })
}

/// Calls `react` at the first signal of each kind that means nothing to this program.
///
/// # Errors
/// When signals cannot be received.
pub fn on_ignored(react: impl Fn(&'static str) + Send + 'static) -> Result<()> {
    register(|reactions| reactions.ignored = Some(Box::new(react)))
}

/// The receipt is written, and says `exit_code`: a second signal ends the process with that one from here on.
pub fn accounted(exit_code: u8) {
    AT_ONCE.store(exit_code, Ordering::Relaxed);
}

/// Lets signals do from here on what they do to any program: for commands that have no account to give.
///
/// # Errors
/// When signals cannot be received.
pub fn leave_to_the_system() -> Result<()> {
    before_job(|name| {
        let signal = if name == "SIGINT" { SIGINT } else { SIGTERM };
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

/// Receives signals. Nothing here may wait, so that a second signal ends a process whose standard error nobody reads.
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

/// Calls what was registered.
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
                    // With the lock held: no job begins meanwhile.
                    None => {
                        if let Some(before_job) = &registered.before_job {
                            before_job(name);
                        }
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
