//! The configuration file and the environment, which also set options.
//!
//! A command-line option overrides `LOGATOR_NAME` in the environment, and the environment overrides the file. Inputs are set by
//! `LOGATOR_INPUT` and the key `input`. The file is TOML. A key is the long name of an option. At the top of the file it is for every program that has the option. In a
//! table `[run]`, `[queue]`, `[worker]`, `[bench]`, `[grok]`, `[replay]`, `[push]`, `[pull]` or `[probe]` it is for one program. An option
//! that may be repeated takes an array. An option without a value takes `true` or `false`.

use std::path::{Path, PathBuf};

use clap::{Arg, ArgAction, Command};

use crate::core::error::{Error, Result};
use crate::core::{secrets, small_file};

/// The tables that a file may have, one for each program.
const PROGRAMS: [&str; 9] = ["run", "queue", "worker", "bench", "grok", "replay", "push", "pull", "probe"];

/// The id of the pattern of `logator grok`. It differs from the id of `--pattern`, so that a file with patterns for `run`
/// does not set it.
pub(super) const GROK_PATTERN: &str = "grok-pattern";

/// Arguments that a file cannot set.
const NEVER_KEYS: [&str; 4] = ["help", "version", "config", GROK_PATTERN];

/// The id of the arguments that name inputs. They have a variable like an option.
const INPUT: &str = "input";

/// Lets a variable `LOGATOR_NAME` set each option of `command` that is not hidden, and `LOGATOR_INPUT` an input. The help names
/// the variables once, and not at each option.
pub fn with_environment(command: Command) -> Command {
    command.mut_args(|arg| {
        let input = (arg.is_positional() && arg.get_id() == INPUT).then_some(INPUT);
        match arg.get_long().or(input).filter(|_| !arg.is_hide_set()).map(variable) {
            Some(name) => arg.env(name).hide_env(true),
            None => arg,
        }
    })
}

/// Returns the environment variable of an option.
fn variable(long: &str) -> String {
    format!("LOGATOR_{}", long.replace('-', "_").to_uppercase())
}

/// Returns the file that `arguments` or the environment name, if any. The search comes before clap parses the arguments,
/// because the file decides which arguments may be missing.
pub fn file_of(arguments: &[std::ffi::OsString]) -> Option<PathBuf> {
    let mut arguments = arguments.iter().take_while(|argument| *argument != "--");
    while let Some(argument) = arguments.next() {
        if argument == "--config" {
            return arguments.next().map(PathBuf::from);
        }
        if let Some(path) = argument.to_str().and_then(|text| text.strip_prefix("--config=")) {
            return Some(PathBuf::from(path));
        }
    }
    std::env::var_os("LOGATOR_CONFIG").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// Sets the values in the file at `path` as the defaults of `command`. `program` is the table of this command. `others` are
/// the commands of the other programs: a key at the top of the file may be an option of theirs.
///
/// # Errors
/// A usage error that names file, line and key.
pub fn with_file(mut command: Command, path: &Path, program: &str, others: &[Command]) -> Result<Command> {
    let shown = path.display();
    let text = small_file::text(path, small_file::CONFIGURATION)
        .map_err(|error| Error::usage(format!("{shown}: the configuration cannot be read")).because(error))?;
    let table: toml::Table = text.parse().map_err(|error| not_toml(path, &text, &error))?;
    table.iter().for_each(|(key, value)| learn(key, value));
    let key_line = |key: &str| {
        let is_key = |line: &str| {
            let name = line.split(['=', '.']).next().unwrap_or_default();
            name.trim().trim_matches(['"', '\'', '[', ']']).trim() == key
        };
        text.lines().position(is_key).map_or(1, |line| line + 1)
    };
    // The program's own table overrides the top of the file, so it is applied last.
    let (tables, top): (Vec<_>, Vec<_>) =
        table.iter().partition(|(key, value)| value.is_table() && PROGRAMS.contains(&key.as_str()));
    let own = tables.iter().filter(|(key, _)| key.as_str() == program);
    let own = own.filter_map(|(_, value)| value.as_table()).flatten();
    for (key, value, only_here) in top.into_iter().map(|(k, v)| (k, v, false)).chain(own.map(|(k, v)| (k, v, true))) {
        let place = format!("{shown}:{}", key_line(key));
        if let Some(id) = id_of(&command, key) {
            let (values, list) = texts(value)
                .ok_or_else(|| Error::usage(format!("{place}: {key}: a text, number, boolean or array is expected")))?;
            let arg = command.get_arguments().find(|arg| arg.get_id() == id.as_str());
            if list && !arg.is_some_and(repeats) {
                return Err(Error::usage(format!("{place}: {key}: one value is expected, not an array")));
            }
            if values.is_empty() {
                return Err(Error::usage(format!("{place}: {key}: an empty array; leave the key out instead")));
            }
            // mut_arg would put the argument behind all others, and INPUT would change places with the arguments after `--`.
            command = command.mut_args(|arg| match arg.get_id() == id.as_str() {
                // --help does not show the value, because the value may hold a password.
                true => {
                    let hidden = arg.get_action().takes_values();
                    arg.default_values(values.clone()).hide_default_value(hidden).required(false)
                }
                false => arg,
            });
        } else if only_here || !others.iter().any(|other| id_of(other, key).is_some()) {
            let all: Vec<&Command> =
                std::iter::once(&command).chain(if only_here { &[][..] } else { others }).collect();
            let word = key.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            let name = if word { key } else { "in quotes" };
            return Err(Error::usage(format!("{place}: unknown key {name}{}", suggestion(key, &all))));
        }
    }
    Ok(command)
}

/// Returns the error for a `text` that is not TOML, with its line and column. The message of the TOML library is not used,
/// because it shows the whole line, which may hold a password.
fn not_toml(path: &Path, text: &str, error: &toml::de::Error) -> Error {
    secrets::learn_configuration(text);
    let at = error.span().map_or(text.len(), |span| span.start).min(text.len());
    let before = &text.as_bytes()[..at];
    let start = before.iter().rposition(|&byte| byte == b'\n').map_or(0, |newline| newline + 1);
    let line = before.iter().filter(|&&byte| byte == b'\n').count() + 1;
    let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
    Error::usage(format!("{}:{line}:{column}: not TOML: {}", path.display(), error.message()))
}

/// Learns the secrets in a value, whichever program the value is for.
fn learn(key: &str, value: &toml::Value) {
    match value {
        toml::Value::String(text) => secrets::learn_value(key, text),
        toml::Value::Array(values) => values.iter().for_each(|value| learn(key, value)),
        toml::Value::Table(table) => table.iter().for_each(|(key, value)| learn(key, value)),
        _ => {}
    }
}

/// Whether an option may be repeated.
fn repeats(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// Returns the keys that a file may have for `command`, each with the id of its argument.
fn names(command: &Command) -> impl Iterator<Item = (&str, String)> {
    command.get_arguments().filter(|arg| !arg.is_hide_set() && !NEVER_KEYS.contains(&arg.get_id().as_str())).filter_map(
        |arg| {
            let positional = arg.is_positional().then(|| arg.get_id().as_str());
            Some((arg.get_long().or(positional)?, arg.get_id().to_string()))
        },
    )
}

/// Returns the id of the argument that `key` sets.
fn id_of(command: &Command, key: &str) -> Option<String> {
    names(command).find(|(name, _)| *name == key).map(|(_, id)| id)
}

/// Returns the end of the message on an unknown key: the nearest known key, or a hint.
fn suggestion(key: &str, commands: &[&Command]) -> String {
    let known = commands.iter().flat_map(|command| names(command)).map(|(name, _)| name);
    let nearest = known.map(|name| (strsim::damerau_levenshtein(key, name), name)).min();
    match nearest {
        Some((distance, name)) if distance <= 3 => format!("; did you mean {name}?"),
        _ => "; the keys are the long names of the flags (see --help)".to_owned(),
    }
}

/// Returns the texts of a value as the command line would have them, and whether the value is an array.
fn texts(value: &toml::Value) -> Option<(Vec<String>, bool)> {
    let text = |value: &toml::Value| match value {
        toml::Value::String(text) => Some(text.clone()),
        toml::Value::Integer(number) => Some(number.to_string()),
        toml::Value::Float(number) => Some(number.to_string()),
        toml::Value::Boolean(truth) => Some(truth.to_string()),
        _ => None,
    };
    match value {
        toml::Value::Array(values) => values.iter().map(text).collect::<Option<_>>().map(|texts| (texts, true)),
        value => text(value).map(|text| (vec![text], false)),
    }
}

#[cfg(test)]
mod tests;
