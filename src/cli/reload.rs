//! SIGHUP: the program reads the log level again from the configuration file.

use std::ffi::OsString;

use clap::ArgMatches;
use clap::parser::ValueSource;

use super::report::LogLevelArg;
use super::{clap_errors, commands, config};
use crate::core::error::{Error, Result};
use crate::observe::console::{Console, Level};
use crate::process::signals;

/// Lets each SIGHUP read the configuration file again and set the log level from it. `program` is the name of the program's
/// table. The signal does not end the process. An option or a variable overrides the file, as it does at the start.
///
/// # Errors
/// The signal cannot be handled.
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
    match matches(program, arguments).map(|matches| LevelSetting::of(&matches)) {
        Err(error) => console.error(format!("SIGHUP: the log level stays {stays}: {error}")),
        Ok(LevelSetting { overridden_by: Some(stronger), .. }) => {
            console.answer(format!("SIGHUP: {path} is read again; the log level stays {stays}, as {stronger} says"));
        }
        Ok(LevelSetting { level, overridden_by: None }) => {
            console.set_level(level);
            console.answer(format!("SIGHUP: {path} is read again; the log level is {}", level.name()));
        }
    }
}

/// Parses the arguments of this process again, with the current content of the file.
fn matches(program: &str, arguments: Vec<OsString>) -> Result<ArgMatches> {
    let command = commands::configured(program, &arguments)?;
    let mut matches = command.try_get_matches_from(arguments).map_err(|error| {
        let text = clap_errors::rendered(&clap_errors::without_secrets(error));
        let sentence = text.lines().next().unwrap_or_default();
        Error::usage(sentence.trim_start_matches("error: ").to_owned())
    })?;
    Ok(matches.remove_subcommand().map(|(_, command)| command).unwrap_or(matches))
}

/// The log level that the arguments and the file set.
struct LevelSetting {
    level: Level,
    /// The option or variable that overrides the file.
    overridden_by: Option<&'static str>,
}

impl LevelSetting {
    fn of(matches: &ArgMatches) -> LevelSetting {
        let overridden_by = |id: &str, flag: &'static str, variable: &'static str| match matches.value_source(id) {
            Some(ValueSource::CommandLine) => Some(flag),
            Some(ValueSource::EnvVariable) => Some(variable),
            _ => None,
        };
        if matches.get_flag("quiet") {
            return LevelSetting {
                level: Level::Error,
                overridden_by: overridden_by("quiet", "--quiet", "LOGATOR_QUIET"),
            };
        }
        let level = matches.get_one::<LogLevelArg>("log_level").map_or(Level::Info, |level| level.level());
        LevelSetting { level, overridden_by: overridden_by("log_level", "--log-level", "LOGATOR_LOG_LEVEL") }
    }
}
