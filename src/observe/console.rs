//! What people are told: sentences, the progress bar and the receipt, all on standard error. No secret is in it, and
//! nothing that acts on a terminal.

use std::io::IsTerminal;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::core::error::{Error, Result};
use crate::core::{calendar, printable, secrets};
use crate::observe::receipt::{Receipt, grouped};

/// How sentences are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// `program: sentence`.
    #[default]
    Text,
    /// One JSON object a line: `time`, `level`, `program`, `message`.
    Json,
}

/// What is worth saying; each level includes those before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// What went wrong.
    Error,
    /// What may be about to: a server that is away, a worker that is refused.
    Warn,
    /// What a user may want to know, and the receipt.
    Info,
    /// What helps to find a fault ([`details`](crate::observe::details)).
    Debug,
}

impl Level {
    /// Its name on the command line and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// Standard error of one program. Cloning shares the progress bar, the level and the silence.
#[derive(Clone)]
pub struct Console {
    program: &'static str,
    format: LogFormat,
    level: Arc<AtomicU8>,
    hushed: Arc<AtomicBool>,
    bar: ProgressBar,
}

/// How often the bar is drawn: the less the longer nothing changes.
const REDRAW: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(2)];

impl Console {
    /// The console of `program`. A quiet one passes errors on and nothing else.
    pub fn new(program: &'static str, format: LogFormat, quiet: bool) -> Self {
        let level = if quiet { Level::Error } else { Level::Info };
        let level = Arc::new(AtomicU8::new(level as u8));
        Console { program, format, level, hushed: Arc::default(), bar: ProgressBar::hidden() }
    }

    /// Says [details](crate::observe::details) as well, here and for the whole process, when the level is
    /// [`Level::Debug`]. The first console that does keeps doing it.
    pub fn with_details(self) -> Self {
        if log::set_boxed_logger(Box::new(Details(self.clone()))).is_ok() {
            self.set_level(self.level());
        }
        self
    }

    /// What is said now.
    pub fn level(&self) -> Level {
        let number = self.level.load(Ordering::Relaxed);
        let levels = [Level::Error, Level::Warn, Level::Info, Level::Debug];
        levels.into_iter().find(|level| *level as u8 == number).unwrap_or(Level::Info)
    }

    /// Says what `level` allows from here on, here and in all clones.
    pub fn set_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
        log::set_max_level(if level == Level::Debug { log::LevelFilter::Debug } else { log::LevelFilter::Off });
    }

    fn shows(&self, level: Level) -> bool {
        level as u8 <= self.level.load(Ordering::Relaxed)
    }

    /// Says nothing more, not even errors, here and in all clones.
    pub fn hush(&self) {
        self.hushed.store(true, Ordering::Relaxed);
    }

    /// Says what a user may want to know.
    pub fn say(&self, sentence: impl AsRef<str>) {
        if self.shows(Level::Info) {
            self.write(Level::Info, sentence.as_ref());
        }
    }

    /// Says what may be about to go wrong.
    pub fn warn(&self, sentence: impl AsRef<str>) {
        if self.shows(Level::Warn) {
            self.write(Level::Warn, sentence.as_ref());
        }
    }

    /// Says what was asked for by a signal, whatever the level is.
    pub fn answer(&self, sentence: impl AsRef<str>) {
        self.write(Level::Info, sentence.as_ref());
    }

    /// Says what went wrong.
    pub fn error(&self, sentence: impl AsRef<str>) {
        self.write(Level::Error, sentence.as_ref());
    }

    /// Says the last word of a program: alone on its line, as others expect it there.
    pub fn last_word(&self, sentence: &str) {
        match self.format {
            LogFormat::Text if !self.shows(Level::Info) || self.hushed.load(Ordering::Relaxed) => {}
            LogFormat::Text => write_stderr(&printable::line(&secrets::hide(sentence))),
            LogFormat::Json => self.say(sentence),
        }
    }

    fn write(&self, level: Level, message: &str) {
        if self.hushed.load(Ordering::Relaxed) {
            return;
        }
        let message = &*secrets::hide(message);
        let line = match self.format {
            LogFormat::Text => format!("{}: {}", self.program, printable::sentence(message)),
            LogFormat::Json => {
                let time = calendar::write_iso(calendar::now_ms());
                let time = String::from_utf8_lossy(&time);
                let program = self.program;
                printable::json(
                    serde_json::json!({"time": time, "level": level.name(), "program": program, "message": message})
                        .to_string(),
                )
            }
        };
        self.bar.suspend(|| write_stderr(&line));
    }

    /// Shows the receipt.
    pub fn receipt(&self, receipt: &Receipt) {
        self.bar.finish_and_clear();
        if !self.shows(Level::Info) || self.hushed.load(Ordering::Relaxed) {
            return;
        }
        match self.format {
            LogFormat::Text => write_stderr(&receipt.to_string()),
            LogFormat::Json => {
                let receipt = serde_json::json!({"level": "info", "program": self.program, "receipt": receipt});
                write_stderr(&printable::json(receipt.to_string()));
            }
        }
    }

    /// Draws a bar until the returned guard is dropped, if standard error is a terminal. `look` tells bytes of files
    /// read, bytes of all files if known, and lines done.
    pub fn progress(&mut self, look: impl Fn() -> (u64, Option<u64>, u64) + Send + 'static) -> Option<Progress> {
        // Between details, a bar would be drawn more often than seen.
        if self.level() != Level::Info || self.format == LogFormat::Json || !std::io::stderr().is_terminal() {
            return None;
        }
        self.bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let (bar, stopped) = (self.bar.clone(), Arc::clone(&stop));
        let draw = move || {
            let total = look().1;
            bar.set_style(style(total.is_some()));
            if let Some(total) = total {
                bar.set_length(total);
            }
            let (mut shown, mut pause) = (None, REDRAW[0]);
            loop {
                let (read, _, lines) = look();
                let same = shown.replace((read, lines)) == Some((read, lines));
                pause = if same { (pause * 2).min(REDRAW[1]) } else { REDRAW[0] };
                bar.set_position(read);
                let seconds = bar.elapsed().as_secs_f64().max(1e-3);
                bar.set_message(format!("{} lines, {}/s", grouped(lines), grouped((lines as f64 / seconds) as u64)));
                let (lock, changed) = &*stopped;
                let stop = lock.lock().unwrap_or_else(PoisonError::into_inner);
                let waited = changed.wait_timeout(stop, pause).unwrap_or_else(PoisonError::into_inner);
                if *waited.0 {
                    bar.finish_and_clear();
                    return;
                }
            }
        };
        let thread = std::thread::Builder::new().name("progress".into()).spawn(draw).ok();
        Some(Progress { stop, thread })
    }
}

/// Passes on what this crate says through `log`.
struct Details(Console);

impl log::Log for Details {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        self.0.shows(Level::Debug) && metadata.target().starts_with("logator")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.write(Level::Debug, &record.args().to_string());
        }
    }

    fn flush(&self) {}
}

/// With a known total a bar and the time left, from the position in the files as they stand on the disk; without, a
/// count.
fn style(total_known: bool) -> ProgressStyle {
    let template = match total_known {
        true => "{wide_bar} {bytes}/{total_bytes} {msg}, {eta} left",
        false => "{spinner} {bytes} {msg}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Ends the progress bar when dropped.
pub struct Progress {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Drop for Progress {
    fn drop(&mut self) {
        *self.stop.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Nobody reads a closed standard error; that is no reason to panic, as `eprintln!` would.
pub(crate) fn write_stderr(line: &str) {
    use std::io::Write;
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Prints rows on standard output, columns right-aligned. A closed standard output ends quietly.
///
/// # Errors
/// When standard output fails otherwise.
pub fn print_table<const N: usize>(rows: &[[String; N]]) -> Result<()> {
    use std::io::Write;
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: [usize; N] = std::array::from_fn(width);
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        text += &format!("{}\n", cells.join("  "));
    }
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
            Err(Error::system("standard output cannot be written").because(error))
        }
        _ => Ok(()),
    }
}
