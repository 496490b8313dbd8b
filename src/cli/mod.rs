//! The command line: typed arguments, and how they become the options of [`app`](crate::app). Nothing else knows
//! clap.

mod args;
pub mod config;
mod files;
mod keys;
mod parse;
mod pull;
mod push;
mod reload;
mod report;
mod size;
mod source;
mod wait;

use std::ffi::OsString;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::process::ExitCode;

use clap::builder::StyledStr;
use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches};

pub use self::args::{
    BenchArgs, Commands, GROK_PATTERN, GrokArgs, LogatorArgs, QueueArgs, ReplayArgs, RunArgs, WorkerArgs, WorkerJob,
};
pub use self::keys::KeygenArgs;
pub use self::pull::PullArgs;
pub use self::push::PushArgs;
pub use self::reload::reload_on_hangup;
use crate::core::error::{Error, Result};
use crate::core::{printable, secrets};
use crate::observe::console::{Console, LogFormat};
use crate::observe::receipt::Receipt;
use crate::process::signals;

/// Reads the arguments of `logator`: one of its commands.
pub fn logator() -> LogatorArgs {
    receive_signals("logator");
    secrets::learn_process();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let program = match arguments.iter().skip(1).find(|argument| !argument.to_string_lossy().starts_with('-')) {
        Some(command) if command == "bench" => "bench",
        Some(command) if command == "grok" => "grok",
        Some(command) if command == "keygen" => "keygen",
        Some(command) if command == "replay" => "replay",
        _ => "run",
    };
    match logator_with_file(program, &arguments) {
        Ok(command) => parse(command, arguments),
        Err(error) => fail("logator", &error),
    }
}

/// `logator`, with what environment and file give to its command `program`.
fn logator_with_file(program: &str, arguments: &[OsString]) -> Result<clap::Command> {
    let command = logator_command().mut_subcommands(config::with_environment);
    // A key is made once, by hand: no file has flags for that.
    match config::file_of(arguments).filter(|_| program != "keygen") {
        Some(path) => {
            let subcommand = command.find_subcommand(program).cloned().unwrap_or_default();
            let configured = config::with_file(subcommand, &path, program, &others(program))?;
            Ok(command.mut_subcommand(program, |_| configured))
        }
        None => Ok(command),
    }
}

/// The commands of `logator`. A letter that matches nothing again stays a letter unless told otherwise.
fn logator_command() -> clap::Command {
    let stays = |replay: clap::Command| replay.mut_arg("unmatched", |unmatched| unmatched.default_value("dead-letter"));
    LogatorArgs::command().mut_subcommand("replay", stays)
}

/// Reads the arguments of `logator-queue`.
pub fn queue() -> QueueArgs {
    program(QueueArgs::command(), "queue", "logator-queue")
}

/// Reads the arguments of `logator-worker`.
pub fn worker() -> WorkerArgs {
    program(WorkerArgs::command(), "worker", "logator-worker")
}

/// Reads the arguments of `logator-push`.
pub fn push() -> PushArgs {
    program(PushArgs::command(), "push", "logator-push")
}

/// Reads the arguments of `logator-pull`.
pub fn pull() -> PullArgs {
    program(PullArgs::command(), "pull", "logator-pull")
}

fn program<T: FromArgMatches>(command: clap::Command, program: &str, name: &'static str) -> T {
    receive_signals(name);
    secrets::learn_process();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    match with_file(command, program, &arguments) {
        Ok(command) => parse(command, arguments),
        Err(error) => fail(name, &error),
    }
}

/// The command of `program`, with what environment and file give to it.
fn with_file(command: clap::Command, program: &str, arguments: &[OsString]) -> Result<clap::Command> {
    let command = config::with_environment(command);
    match config::file_of(arguments) {
        Some(path) => config::with_file(command, &path, program, &others(program)),
        None => Ok(command),
    }
}

/// The programs, with their environment variables: what man pages and completions are made of.
pub fn programs() -> Vec<clap::Command> {
    let logator = logator_command().mut_subcommands(config::with_environment);
    let others = [QueueArgs::command(), WorkerArgs::command(), PushArgs::command(), PullArgs::command()];
    std::iter::once(logator).chain(others.map(config::with_environment)).collect()
}

/// The commands of the other programs, whose keys a shared file may hold.
fn others(program: &str) -> Vec<clap::Command> {
    let logator = LogatorArgs::command();
    let own = ["run", "bench", "grok", "replay"]
        .map(|name| (name, logator.find_subcommand(name).cloned().unwrap_or_default()));
    let others = [
        ("queue", QueueArgs::command()),
        ("worker", WorkerArgs::command()),
        ("push", PushArgs::command()),
        ("pull", PullArgs::command()),
    ];
    own.into_iter().chain(others).filter(|(name, _)| *name != program).map(|(_, command)| command).collect()
}

fn parse<T: FromArgMatches>(command: clap::Command, arguments: Vec<OsString>) -> T {
    let matches = command.try_get_matches_from(arguments).unwrap_or_else(|error| exit(error));
    T::from_arg_matches(&matches).unwrap_or_else(|error| exit(error))
}

/// Shows what clap has to say, and ends the process: help and version as they are, an error without what must not be
/// shown.
fn exit(error: clap::Error) -> ! {
    let error = without_secrets(error);
    if !error.use_stderr() {
        error.exit();
    }
    let text = rendered(&error);
    crate::observe::console::write_stderr(printable::block(&secrets::hide(text.trim_end())).as_ref());
    std::process::exit(error.exit_code())
}

/// clap repeats what was written. A sink's address may hold a password, and any value what acts on a terminal.
fn without_secrets(mut error: clap::Error) -> clap::Error {
    let safe = |text: &str| match text.contains("://") {
        true => printable::line(&secrets::masked(text)).into_owned(),
        false => printable::line(&secrets::hide(text)).into_owned(),
    };
    let texts: Vec<(ContextKind, String)> = error
        .context()
        .filter_map(|(kind, value)| match value {
            ContextValue::String(text) => Some((kind, text.clone())),
            _ => None,
        })
        .collect();
    // Its tips are sentences already, in which the texts stand.
    if let Some(ContextValue::StyledStrs(tips)) = error.get(ContextKind::Suggested) {
        let tip = |tip: &StyledStr| {
            let raw = tip.ansi().to_string();
            let tip = StyledStr::from(texts.iter().fold(raw, |tip, (_, text)| match text.as_str() {
                "" => tip,
                text => tip.replace(text, &safe(text)),
            }));
            let plain = tip.to_string();
            if printable::line(&plain) == plain { tip } else { StyledStr::from(printable::line(&plain).into_owned()) }
        };
        let tips = tips.iter().map(tip).collect();
        error.insert(ContextKind::Suggested, ContextValue::StyledStrs(tips));
    }
    for (kind, text) in texts {
        error.insert(kind, ContextValue::String(safe(&text)));
    }
    error
}

/// The text of `error`. What a parser of ours says in it may quote a value.
fn rendered(error: &clap::Error) -> String {
    let text = error.render().ansi().to_string();
    let said = std::error::Error::source(error).map(ToString::to_string).filter(|said| !said.is_empty());
    let text = said.map_or_else(|| text.clone(), |said| text.replace(&said, &printable::sentence(&said)));
    StyledStr::from(text).to_string()
}

/// Heeds signals from the program's first line on, when it does not know yet how it is to speak.
fn receive_signals(program: &'static str) {
    let say = move |signal| Console::new(program, LogFormat::Text, false).error(nothing_was_read(signal));
    signals::before_job(say).unwrap_or_else(|error| fail(program, &error));
}

/// The console of a command that has no account to give. Signals do to it what they do to any program.
pub fn plain_console(program: &'static str) -> Console {
    signals::leave_to_the_system().unwrap_or_else(|error| fail(program, &error));
    Console::new(program, LogFormat::Text, false)
}

/// What is said when a signal comes before a job has begun.
fn nothing_was_read(signal: &str) -> String {
    format!("{signal}: stopped before the work began; nothing was read")
}

fn fail(program: &'static str, error: &Error) -> ! {
    Console::new(program, LogFormat::Text, false).error(error.to_string());
    std::process::exit(i32::from(error.exit_code()))
}

/// Says how a job ended, writes its receipt, and gives the exit code.
pub fn conclude(console: &Console, receipt_file: Option<&Path>, result: Result<Receipt>) -> ExitCode {
    match result {
        Ok(receipt) => {
            console.receipt(&receipt);
            match write_receipt(receipt_file, &receipt) {
                Ok(()) => ExitCode::from(receipt.exit_code()),
                Err(error) => {
                    console.error(error.to_string());
                    ExitCode::from(error.exit_code())
                }
            }
        }
        Err(error) => {
            console.error(error.to_string());
            ExitCode::from(error.exit_code())
        }
    }
}

/// Writes a receipt as JSON, if a file is asked for. From here on the process ends as it says, whatever comes.
pub fn write_receipt(file: Option<&Path>, receipt: &Receipt) -> Result<()> {
    write_json(file, receipt)?;
    signals::accounted(receipt.exit_code());
    Ok(())
}

/// The same for an account of another kind.
pub fn write_json(file: Option<&Path>, receipt: &impl serde::Serialize) -> Result<()> {
    let Some(path) = file else { return Ok(()) };
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::system(format!("{}: the receipt cannot be written", path.display())).because(error)
    };
    let mut json = serde_json::to_vec_pretty(receipt).map_err(|error| failed(error.into()))?;
    json.push(b'\n');
    write_whole(path, &json).map_err(|error| failed(error.into()))
}

/// Writes a file that its owner alone may read, and in such a way that nobody ever reads half of it: beside its place, and
/// then there. One that is there keeps its mode. What is no regular file, and what cannot be replaced without a change of
/// its owner or its other names, is written as it is.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let replaced = match std::fs::symlink_metadata(path) {
        Ok(old) if old.is_file() && old.nlink() == 1 && old.uid() == nix::unistd::geteuid().as_raw() => {
            Some(old.permissions().mode() & 0o7777)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(0o600),
        _ => None,
    };
    if let (Some(mode), Some(name)) = (replaced, path.file_name()) {
        let beside = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
            file.write_all(bytes)?;
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
            std::fs::rename(&beside, path)
        };
        match write() {
            Ok(()) => return Ok(()),
            // A folder may be one in which nothing can be made, though the file can be written.
            Err(_) => drop(std::fs::remove_file(&beside)),
        }
    }
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(bytes)
}

/// Whether nothing was named to read while a person sits at the terminal: they want help rather than silence.
pub fn waits_for_typing(inputs: &[String]) -> bool {
    inputs.is_empty() && std::io::stdin().is_terminal()
}
