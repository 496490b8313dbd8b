//! The commands that clap parses: each program's arguments, with help texts, environment variables and the configuration
//! file.

use std::ffi::OsString;

use clap::CommandFactory;

use super::logator::LogatorArgs;
#[cfg(feature = "probe")]
use super::probe::ProbeArgs;
use super::pull::PullArgs;
use super::push::PushArgs;
use super::queue::QueueArgs;
use super::worker::WorkerArgs;
use super::{config, help};
use crate::core::error::Result;

/// The other names under which programs are installed, and their programs.
const OTHER_NAMES: [(&str, &str); 1] = [("latency-logger", "logator-probe")];

/// The table of each program in the configuration file, and its command. The commands of `logator` are not among them.
fn single_programs() -> Vec<(&'static str, clap::Command)> {
    vec![
        ("queue", QueueArgs::command()),
        ("worker", WorkerArgs::command()),
        ("push", PushArgs::command()),
        ("pull", PullArgs::command()),
        #[cfg(feature = "probe")]
        ("probe", ProbeArgs::command()),
    ]
}

/// Returns all programs with their help texts and environment variables, for man pages and completions.
pub fn programs() -> Vec<clap::Command> {
    let others = single_programs().into_iter().map(|(_, command)| complete(command));
    std::iter::once(logator_command()).chain(others).collect()
}

/// Returns the other names under which programs are installed, each with its program.
pub fn other_names() -> Vec<(String, clap::Command)> {
    let named = |program: &str| programs().into_iter().find(|command| command.get_name() == program);
    OTHER_NAMES.into_iter().filter_map(|(name, program)| Some((name.to_owned(), named(program)?))).collect()
}

/// Adds help texts and environment variables to `command`.
fn complete(command: clap::Command) -> clap::Command {
    help::arrange(config::with_environment(command))
}

/// Returns the command `logator` with its subcommands.
fn logator_command() -> clap::Command {
    // A letter that matches nothing again stays a letter by default.
    let stays = |replay: clap::Command| replay.mut_arg("unmatched", |unmatched| unmatched.default_value("dead-letter"));
    help::arrange(LogatorArgs::command().mut_subcommand("replay", stays).mut_subcommands(complete))
}

/// Returns the command of the program whose table in the configuration file is `program`, with the values of the file that
/// `arguments` name. Other names than those of the single programs mean a command of `logator`.
///
/// # Errors
/// A usage error if the file cannot be read or is wrong.
pub(super) fn configured(program: &str, arguments: &[OsString]) -> Result<clap::Command> {
    let file = config::file_of(arguments);
    if let Some((_, command)) = single_programs().into_iter().find(|(name, _)| *name == program) {
        let command = complete(command);
        return match file {
            Some(path) => config::with_file(command, &path, program, &others(program)),
            None => Ok(command),
        };
    }
    let command = logator_command();
    // Keys are made once and by hand, so a file has no options for keygen.
    match file.filter(|_| program != "keygen") {
        Some(path) => {
            let subcommand = command.find_subcommand(program).cloned().unwrap_or_default();
            let configured = config::with_file(subcommand, &path, program, &others(program))?;
            Ok(command.mut_subcommand(program, |_| configured))
        }
        None => Ok(command),
    }
}

/// Returns the commands of the other programs. A file for several programs may hold their keys.
fn others(program: &str) -> Vec<clap::Command> {
    let logator = LogatorArgs::command();
    let own = ["run", "bench", "grok", "replay"]
        .map(|name| (name, logator.find_subcommand(name).cloned().unwrap_or_default()));
    own.into_iter().chain(single_programs()).filter(|(name, _)| *name != program).map(|(_, command)| command).collect()
}
