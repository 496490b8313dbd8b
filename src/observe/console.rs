//! The messages for people on standard error: sentences, the progress bar and the receipt. They contain no secret, and
//! no character that controls a terminal.

mod screen;

use std::io::IsTerminal;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use self::screen::Screen;
use crate::core::background::Background;
use crate::core::error::{Error, Result};
use crate::core::numbers::grouped;
use crate::core::stderr::{self, Keep};
use crate::core::{calendar, printable, secrets};
use crate::observe::counters::Snapshot;
use crate::observe::receipt::Receipt;

/// The format of messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogFormat {
    /// `program: sentence`.
    #[default]
    Text,
    /// One JSON object a line: `time`, `level`, `program`, `message`.
    Json,
}

/// The importance of a message. Each level includes the levels before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Something went wrong.
    Error,
    /// Something may go wrong soon: a server is away, or a worker is refused.
    Warn,
    /// Facts that a user may want to know, and the receipt.
    Info,
    /// Facts that help to find a fault ([`details`](crate::observe::details)).
    Debug,
}

impl Level {
    /// Returns the level's name on the command line and in messages.
    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
        }
    }
}

/// Standard error of one program. Clones share the progress bar, the level, and the switch that turns messages off.
#[derive(Clone)]
pub struct Console {
    program: &'static str,
    format: LogFormat,
    level: Arc<AtomicU8>,
    hushed: Arc<AtomicBool>,
    bar: ProgressBar,
}

/// The shortest and the longest time between two drawings of the bar. The time grows while nothing changes.
const REDRAW: [Duration; 2] = [Duration::from_millis(200), Duration::from_secs(2)];

impl Console {
    /// Creates the console of `program`. A quiet console shows errors only.
    pub fn new(program: &'static str, format: LogFormat, quiet: bool) -> Self {
        let level = if quiet { Level::Error } else { Level::Info };
        let level = Arc::new(AtomicU8::new(level as u8));
        stderr::tell_losses(move |count| {
            let lost = format!("{} messages are lost: standard error was not read in time", grouped(count));
            line(format, program, Level::Warn, &lost)
        });
        Console { program, format, level, hushed: Arc::default(), bar: ProgressBar::hidden() }
    }

    /// Shows [debug messages](crate::observe::details) of the whole process too, while the level is [`Level::Debug`].
    /// Only the first console for which this is called shows them.
    pub fn with_details(self) -> Self {
        if log::set_boxed_logger(Box::new(Details(self.clone()))).is_ok() {
            self.set_level(self.level());
        }
        self
    }

    /// Returns the level.
    pub fn level(&self) -> Level {
        let number = self.level.load(Ordering::Relaxed);
        let levels = [Level::Error, Level::Warn, Level::Info, Level::Debug];
        levels.into_iter().find(|level| *level as u8 == number).unwrap_or(Level::Info)
    }

    /// Sets the level of this console and all its clones.
    pub fn set_level(&self, level: Level) {
        self.level.store(level as u8, Ordering::Relaxed);
        log::set_max_level(if level == Level::Debug { log::LevelFilter::Debug } else { log::LevelFilter::Off });
    }

    fn shows(&self, level: Level) -> bool {
        level as u8 <= self.level.load(Ordering::Relaxed)
    }

    /// Shows no more messages, not even errors, on this console and all its clones.
    pub fn hush(&self) {
        self.hushed.store(true, Ordering::Relaxed);
    }

    /// Shows a fact that a user may want to know.
    pub fn say(&self, sentence: impl AsRef<str>) {
        if self.shows(Level::Info) {
            self.write(Level::Info, sentence.as_ref(), Keep::IfRoom);
        }
    }

    /// Warns that something may go wrong soon.
    pub fn warn(&self, sentence: impl AsRef<str>) {
        if self.shows(Level::Warn) {
            self.write(Level::Warn, sentence.as_ref(), Keep::IfRoom);
        }
    }

    /// Shows the answer to a signal, at any level.
    pub fn answer(&self, sentence: impl AsRef<str>) {
        self.write(Level::Info, sentence.as_ref(), Keep::Always);
    }

    /// Shows an error.
    pub fn error(&self, sentence: impl AsRef<str>) {
        self.write(Level::Error, sentence.as_ref(), Keep::Always);
    }

    /// Shows the last message of a program. As text it stands alone on its line, without the program's name, because
    /// other programs expect it so.
    pub fn last_word(&self, sentence: &str) {
        match self.format {
            LogFormat::Text if !self.shows(Level::Info) || self.hushed.load(Ordering::Relaxed) => {}
            LogFormat::Text => stderr::write_line(&printable::line(&secrets::hide(sentence)), Keep::Always),
            LogFormat::Json => self.say(sentence),
        }
    }

    fn write(&self, level: Level, message: &str, keep: Keep) {
        if self.hushed.load(Ordering::Relaxed) {
            return;
        }
        let line = line(self.format, self.program, level, message);
        self.bar.suspend(|| stderr::write_line(&line, keep));
    }

    /// Shows the receipt.
    pub fn receipt(&self, receipt: &Receipt) {
        self.bar.finish_and_clear();
        if !self.shows(Level::Info) || self.hushed.load(Ordering::Relaxed) {
            return;
        }
        match self.format {
            LogFormat::Text => stderr::write_line(&receipt.to_string(), Keep::Always),
            LogFormat::Json => {
                let receipt = serde_json::json!({"level": "info", "program": self.program, "receipt": receipt});
                stderr::write_line(&printable::json(receipt.to_string()), Keep::Always);
            }
        }
    }

    /// Shows the account of a program that has no [`Receipt`]: `text`, or `account` as JSON.
    pub fn account(&self, text: &str, account: &impl serde::Serialize) {
        if !self.shows(Level::Info) || self.hushed.load(Ordering::Relaxed) {
            return;
        }
        match self.format {
            LogFormat::Text => stderr::write_line(&printable::block(&secrets::hide(text)), Keep::Always),
            LogFormat::Json => {
                let account = serde_json::json!({"level": "info", "program": self.program, "receipt": account});
                stderr::write_line(&printable::json(account.to_string()), Keep::Always);
            }
        }
    }

    /// Draws a progress bar until the returned thread is dropped, if standard error is a terminal. `look` returns the
    /// bytes of files that are read, the bytes of all files if known, and the counts of the job.
    pub fn progress(&mut self, look: impl Fn() -> (u64, Option<u64>, Snapshot) + Send + 'static) -> Option<Background> {
        // At the debug level there are so many messages that a bar could not be seen.
        if self.level() != Level::Info || self.format == LogFormat::Json || !std::io::stderr().is_terminal() {
            return None;
        }
        self.bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::term_like(Box::new(Screen)));
        let bar = self.bar.clone();
        Some(Background::start("progress", move |ending| {
            let total = look().1;
            bar.set_style(style(total.is_some()));
            if let Some(total) = total {
                bar.set_length(total);
            }
            let (mut shown, mut pause) = (None, REDRAW[0]);
            loop {
                let (read, _, counts) = look();
                let lines = counts.tally().total();
                let same = shown.replace((read, lines)) == Some((read, lines));
                pause = if same { (pause * 2).min(REDRAW[1]) } else { REDRAW[0] };
                bar.set_position(read);
                let seconds = bar.elapsed().as_secs_f64().max(1e-3);
                bar.set_message(format!("{} lines, {}/s", grouped(lines), grouped((lines as f64 / seconds) as u64)));
                if ending.wait(pause) {
                    bar.finish_and_clear();
                    return;
                }
            }
        }))
    }
}

/// Returns a message as a line, without its end. Secrets in it are hidden.
fn line(format: LogFormat, program: &str, level: Level, message: &str) -> String {
    let message = &*secrets::hide(message);
    match format {
        LogFormat::Text => format!("{program}: {}", printable::sentence(message)),
        LogFormat::Json => {
            let time = calendar::write_iso(calendar::now_ms());
            let time = String::from_utf8_lossy(&time);
            let message =
                serde_json::json!({"time": time, "level": level.name(), "program": program, "message": message});
            printable::json(message.to_string())
        }
    }
}

/// Shows the messages that this crate writes with `log`.
struct Details(Console);

impl log::Log for Details {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        self.0.shows(Level::Debug) && metadata.target().starts_with("logator")
    }

    fn log(&self, record: &log::Record<'_>) {
        if self.enabled(record.metadata()) {
            self.0.write(Level::Debug, &record.args().to_string(), Keep::IfRoom);
        }
    }

    fn flush(&self) {}
}

/// Returns the style of the bar. With a known total it shows a bar and the time left, which come from the position in
/// the files on disk. Otherwise it shows a count.
fn style(total_known: bool) -> ProgressStyle {
    let template = match total_known {
        true => "{wide_bar} {bytes}/{total_bytes} {msg}, {eta} left",
        false => "{spinner} {bytes} {msg}",
    };
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// Prints rows on standard output, with right-aligned columns. If standard output is closed, the function returns
/// without an error.
///
/// # Errors
/// Standard output fails for another reason.
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
