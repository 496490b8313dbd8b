//! SIGHUP: the configuration file is read again, for the log level.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};

use super::report::LogLevelArg;
use super::{PullArgs, PushArgs, QueueArgs, WorkerArgs, logator_with_file, rendered, with_file, without_secrets};
use crate::cli::config;
use crate::core::error::{Error, Result};
use crate::observe::console::{Console, Level};
use crate::process::signals;

/// At each SIGHUP from here on, takes the log level of `program` (a table's name) from the configuration file, which is
/// read again. The process does not end of the signal. Flags and environment are stronger, as always.
///
/// # Errors
/// When the signal cannot be handled.
pub fn reload_on_hangup(console: &Console, program: &'static str) -> Result<()> {
    let console = console.clone();
    signals::on_hangup(move || reload(&console, program))
}

fn reload(console: &Console, program: &str) {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let stays = console.level().name();
    let Some(path) = config::file_of(&arguments) else {
        console.answer(format!("SIGHUP: there is no --config file to read again; the log level stays {stays}"));
        return;
    };
    let path = path.display();
    match matches(program, arguments).map(|matches| Found::of(&matches)) {
        Err(error) => console.error(format!("SIGHUP: the log level stays {stays}: {error}")),
        Ok(Found { said_by: Some(stronger), .. }) => {
            console.answer(format!("SIGHUP: {path} is read again; the log level stays {stays}, as {stronger} says"));
        }
        Ok(Found { level, said_by: None }) => {
            console.set_level(level);
            console.answer(format!("SIGHUP: {path} is read again; the log level is {}", level.name()));
        }
    }
}

/// The arguments of this process with the file as it is now.
fn matches(program: &str, arguments: Vec<OsString>) -> Result<ArgMatches> {
    let command = match program {
        "queue" => with_file(QueueArgs::command(), program, &arguments),
        "worker" => with_file(WorkerArgs::command(), program, &arguments),
        "push" => with_file(PushArgs::command(), program, &arguments),
        "pull" => with_file(PullArgs::command(), program, &arguments),
        _ => logator_with_file(program, &arguments),
    }?;
    let mut matches = command.try_get_matches_from(arguments).map_err(|error| {
        let text = rendered(&without_secrets(error));
        let sentence = text.lines().next().unwrap_or_default();
        Error::usage(sentence.trim_start_matches("error: ").to_owned())
    })?;
    Ok(matches.remove_subcommand().map(|(_, command)| command).unwrap_or(matches))
}

/// What the arguments make of the log level.
struct Found {
    level: Level,
    /// What is stronger than the file.
    said_by: Option<&'static str>,
}

impl Found {
    fn of(matches: &ArgMatches) -> Found {
        let said_by = |id: &str, flag: &'static str, variable: &'static str| match matches.value_source(id) {
            Some(ValueSource::CommandLine) => Some(flag),
            Some(ValueSource::EnvVariable) => Some(variable),
            _ => None,
        };
        if matches.get_flag("quiet") {
            return Found { level: Level::Error, said_by: said_by("quiet", "--quiet", "LOGATOR_QUIET") };
        }
        let level = matches.get_one::<LogLevelArg>("log_level").map_or(Level::Info, |level| level.level());
        Found { level, said_by: said_by("log_level", "--log-level", "LOGATOR_LOG_LEVEL") }
    }
}
