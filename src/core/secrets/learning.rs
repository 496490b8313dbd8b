//! The registry of known secrets: it learns them from arguments, environment variables and files.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::sync::{LazyLock, PoisonError, RwLock};

use super::address::{is_hosts_and_path, masked};
use super::known::KnownSecrets;
use super::reference::without_references;
use super::schemes::{has_no_secret, is_address, is_file, is_public_option};
use crate::core::stderr::{self, Keep};
use crate::core::{caught, percent, printable};

/// The names of our programs. They are never secret.
const PROGRAMS: &str = "logator logator-queue logator-worker logator-push logator-pull";

/// The known secrets of this process.
static KNOWN: LazyLock<RwLock<KnownSecrets>> = LazyLock::new(RwLock::default);

/// Learns the secrets in the arguments of this process and in its `LOGATOR_*` environment variables. It also installs a
/// panic hook that hides them.
pub fn learn_process() {
    let mut previous = String::new();
    for argument in std::env::args_os().skip(1) {
        let argument = argument.to_string_lossy();
        match argument.strip_prefix("--").and_then(|flag| flag.split_once('=')) {
            Some((flag, value)) => learn_value(flag, value),
            None => learn_value(previous.trim_start_matches('-'), &argument),
        }
        previous = argument.into_owned();
    }
    for (name, value) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if let Some(flag) = name.strip_prefix("LOGATOR_") {
            learn_value(&flag.to_lowercase(), &value.to_string_lossy());
        }
    }
    let folders = [std::env::current_dir().ok(), std::env::home_dir(), std::env::current_exe().ok()];
    let folders = folders.iter().flatten().map(|folder| folder.as_os_str());
    for word in folders.chain([OsStr::new(PROGRAMS)]) {
        learn_plain(&word.to_string_lossy());
    }
    std::panic::set_hook(Box::new(|panic| {
        if caught::is_caught() {
            return;
        }
        let thread = std::thread::current();
        let text = format!("thread {} panicked: {panic}", thread.name().unwrap_or("without a name"));
        stderr::write_line(&printable::line(&hide(&text)), Keep::Always);
    }));
}

/// Learns the secrets in `value`, and the words of `value` that are not secret. `name` is the flag or the configuration
/// key for which the user gave the value.
pub fn learn_value(name: &str, value: &str) {
    if is_file(value) {
        learn_plain(value);
    } else if name == "to" || is_address(value) {
        learn_address(value);
        learn_plain(&masked(value));
    } else if !value.contains('@') {
        learn_plain(value);
    }
    without_references(value).1.iter().for_each(|name| learn_plain(name));
}

/// Learns the secrets in a configuration file that cannot be parsed, as far as it can find them. It learns no plain
/// words from such a file.
pub fn learn_configuration(text: &str) {
    for line in text.lines() {
        let (name, value) = line.split_once('=').unwrap_or(("", line));
        let value = value.trim_matches([' ', '\t', '[', ']', '"', '\'', ',']);
        // One line may hold several values.
        for part in value.split(['"', '\'']).chain([value]) {
            if name.trim() == "to" || is_address(part) {
                learn_address(part);
            }
        }
    }
}

/// Learns the secret that a reference stands for. If `value` is an address, only its secret parts are learnt; otherwise
/// the whole value.
pub fn learn_secret(value: &str) {
    if is_address(value) { learn_address(value) } else { learn_whole(value) }
}

pub(super) fn learn_address(text: &str) {
    let scheme = text.split(':').next().unwrap_or_default();
    let rest = match text.split_once("://") {
        Some((_, rest)) => rest,
        None if is_file(text) => return,
        None if is_address(text) || text.contains('@') => text,
        None => return,
    };
    let place = |text: &str| {
        // A reference may stand for any part of an address.
        let text = without_references(text).0.join("x");
        is_hosts_and_path(text.split(['?', '#']).next().unwrap_or_default())
    };
    let login = match rest.rsplit_once('@') {
        Some((login, after)) if place(after) => login,
        // Such an address holds no password, and a wrong port is not secret.
        None if place(rest) || has_no_secret(text) => "",
        // The host is missing, or another part is wrong: the password may reach to the end of the text.
        _ => rest,
    };
    if let Some((_, password)) = login.split_once(':') {
        learn(password);
    }
    // A password may itself hold a `?`, so every part that may be the options is searched.
    for query in rest.match_indices('?').map(|(at, _)| &rest[at + 1..]) {
        for option in query.split('#').next().unwrap_or_default().split('&') {
            if let Some((name, value)) = option.split_once('=') {
                learn_option(scheme, name, value);
            }
        }
    }
    if let Some((_, fragment)) = rest.rsplit_once('#') {
        learn(fragment);
    }
}

/// Learns what is secret in an option of an address.
fn learn_option(scheme: &str, name: &str, value: &str) {
    if !is_public_option(scheme, name) {
        learn(value);
        return;
    }
    let decoded = percent::decode(value);
    if decoded.contains('@') {
        learn_address(&decoded);
    }
}

/// Learns that `text`, a part of an address, is secret, except for the references in it.
fn learn(text: &str) {
    without_references(text).0.iter().for_each(|secret| learn_whole(secret));
}

/// Adds `secret` to the known secrets.
fn learn_whole(secret: &str) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).add(secret);
}

/// Learns that the words of `text` are not secret.
fn learn_plain(text: &str) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).add_plain(text);
}

/// Returns `text` with every known secret of this process replaced by `***`.
pub fn hide(text: &str) -> Cow<'_, str> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).hide(text)
}
