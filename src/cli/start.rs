//! The start of each program: its arguments, from the command line, the environment and the configuration file.

use std::ffi::OsString;

use clap::FromArgMatches;

use super::logator::LogatorArgs;
use super::outcome::{fail, nothing_was_read};
#[cfg(feature = "probe")]
use super::probe::{ProbeArgs, probe_name};
use super::pull::PullArgs;
use super::push::PushArgs;
use super::queue::QueueArgs;
use super::worker::WorkerArgs;
use super::{clap_errors, commands, help};
use crate::app::SOURCES;
use crate::core::secrets::{self, Scheme, Secrecy};
use crate::observe::console::{Console, LogFormat};
use crate::process::signals;
use crate::sink::registry;

/// Reads the arguments of `logator`: one of its commands.
pub fn logator() -> LogatorArgs {
    let command = |arguments: &[OsString]| {
        let word = arguments.iter().skip(1).find(|argument| !argument.to_string_lossy().starts_with('-'));
        match word {
            Some(command) if command == "bench" => "bench",
            Some(command) if command == "grok" => "grok",
            Some(command) if command == "keygen" => "keygen",
            Some(command) if command == "replay" => "replay",
            _ => "run",
        }
    };
    program("logator", command)
}

/// Reads the arguments of `logator-queue`.
pub fn queue() -> QueueArgs {
    program("logator-queue", |_| "queue")
}

/// Reads the arguments of `logator-worker`.
pub fn worker() -> WorkerArgs {
    program("logator-worker", |_| "worker")
}

/// Reads the arguments of `logator-push`.
pub fn push() -> PushArgs {
    program("logator-push", |_| "push")
}

/// Reads the arguments of `logator-pull`.
pub fn pull() -> PullArgs {
    program("logator-pull", |_| "pull")
}

/// Reads the arguments of `logator-probe`.
#[cfg(feature = "probe")]
pub fn probe() -> ProbeArgs {
    program(probe_name(), |_| "probe")
}

/// Reads the arguments of the program `name`. `table` returns the name of its table in the configuration file. Ends the
/// process if the arguments are wrong.
fn program<T: FromArgMatches>(name: &'static str, table: impl Fn(&[OsString]) -> &'static str) -> T {
    receive_signals(name);
    declare_schemes();
    secrets::learn_process();
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let command = commands::configured(table(&arguments), &arguments).unwrap_or_else(|error| fail(name, &error));
    let command = if name.starts_with("logator") { command } else { help::under_name(command, name) };
    let matches = command.try_get_matches_from(arguments).unwrap_or_else(|error| clap_errors::exit(error));
    T::from_arg_matches(&matches).unwrap_or_else(|error| clap_errors::exit(error))
}

/// Declares the schemes of sinks, sources and endpoints, so that the secrets in addresses are found.
pub(super) fn declare_schemes() {
    registry::declare_schemes();
    let open = |name| Scheme { name, secrecy: Secrecy::Open, public_options: &[] };
    let sources = SOURCES.0.iter().flat_map(|kind| kind.schemes).copied();
    secrets::declare(sources.chain(["ipc", "tcp"]).map(open));
}

/// Handles signals from the first line of the program on, before the options of the console are known.
fn receive_signals(program: &'static str) {
    let say = move |signal| Console::new(program, LogFormat::Text, false).error(nothing_was_read(signal));
    signals::before_job(say).unwrap_or_else(|error| fail(program, &error));
}
