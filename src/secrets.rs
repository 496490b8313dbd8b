//! Secrets are not repeated: what of this process's arguments, environment and files is one, and how it is kept out of all
//! that is said.
//!
//! Two things see to that. An address is shown by [`masked`], which lets only those parts of it pass that cannot be a
//! secret. And what is known to be one is [hidden](hide) in every sentence, whoever made it: an address may stand in a
//! place where none belongs, a driver may repeat what it was given, and an error may quote a part of it.

use std::borrow::Cow;
use std::sync::{PoisonError, RwLock};

/// What is written in the place of a secret.
const HIDDEN: &str = "***";

/// No shorter secret is looked for: it would be found in words that have nothing to do with it, and so be told.
const SHORTEST: usize = 4;

/// The same for parts of a secret.
const SHORTEST_PART: usize = 5;

/// All secrets of this process and their parts, the longest first.
static KNOWN: RwLock<Vec<String>> = RwLock::new(Vec::new());

/// Learns the secrets in the arguments of this process and in `LOGATOR_*` of its environment, and keeps them out of what
/// is said of a panic.
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
    std::panic::set_hook(Box::new(|panic| {
        use std::io::Write;
        let thread = std::thread::current();
        let text = format!("thread {} panicked: {panic}", thread.name().unwrap_or("without a name"));
        let _ = writeln!(std::io::stderr(), "{}", crate::shown::line(&hide(&text)));
    }));
}

/// Learns the secrets of `value`, which a user gave for `name`: a flag, a key of the configuration.
pub fn learn_value(name: &str, value: &str) {
    if name == "to" || is_address(value) {
        learn_address(value);
    }
}

/// Learns the secrets in a configuration file that cannot be understood, as far as they can be found.
pub fn learn_configuration(text: &str) {
    for line in text.lines() {
        let (name, value) = line.split_once('=').unwrap_or(("", line));
        let value = value.trim_matches([' ', '\t', '[', ']', '"', '\'', ',']);
        // Several may stand in one line.
        for part in value.split(['"', '\'']).chain([value]) {
            learn_value(name.trim(), part);
        }
    }
}

/// Learns that `value`, which is what a reference to a secret stands for, is one: the whole, or what is secret in it when
/// it is an address.
pub fn learn_secret(value: &str) {
    if is_address(value) { learn_address(value) } else { learn(value) }
}

/// Whether `text` begins as an address of a server does.
fn is_address(text: &str) -> bool {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_known = ["mongodb", "kafka", "elasticsearch"].iter().any(|known| scheme.starts_with(known));
    !scheme.is_empty() && is_scheme && (rest.starts_with("//") || is_known)
}

fn learn_address(text: &str) {
    let rest = match text.split_once("://") {
        Some((_, rest)) => rest,
        // What follows is the name of a file.
        None if ["ndjson:", "sqlite:", "null:"].iter().any(|scheme| text.starts_with(scheme)) => return,
        None if is_address(text) || text.contains('@') => text,
        None => return,
    };
    let place = |text: &str| is_place(text.split(['?', '#']).next().unwrap_or_default());
    let login = match rest.rsplit_once('@') {
        Some((login, after)) if place(after) => login,
        None if place(rest) => "",
        // The host was forgotten, or something else is wrong: a password may go to the very end.
        _ => rest,
    };
    if let Some((_, password)) = login.split_once(':') {
        learn(password);
    }
    // A password may hold a `?` itself, so all that may be the options are looked at.
    for query in rest.match_indices('?').map(|(at, _)| &rest[at + 1..]) {
        for option in query.split('#').next().unwrap_or_default().split('&') {
            if let Some((name, value)) = option.split_once('=')
                && !is_harmless(name)
            {
                learn(value);
            }
        }
    }
    if let Some((_, fragment)) = rest.rsplit_once('#') {
        learn(fragment);
    }
}

/// Learns that `secret` is one, however it is encoded, and its parts.
fn learn(secret: &str) {
    let plain = percent_decoded(secret);
    let mut known = KNOWN.write().unwrap_or_else(PoisonError::into_inner);
    let mut add = |text: String, shortest: usize| {
        if text.chars().count() >= shortest && !known.contains(&text) {
            known.push(text);
        }
    };
    for text in [secret, &plain] {
        add(text.to_owned(), SHORTEST);
        add(percent_encoded(text), SHORTEST);
        add(format!("{text:?}").trim_matches('"').to_owned(), SHORTEST);
        let parts = text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '-' | '_' | '.' | '!' | '$'));
        for part in parts.filter(|part| part.chars().count() >= SHORTEST_PART) {
            add(part.to_owned(), SHORTEST_PART);
            add(percent_encoded(part), SHORTEST_PART);
        }
    }
    known.sort_by_key(|text| std::cmp::Reverse(text.len()));
}

/// `text` without any secret of this process.
pub fn hide(text: &str) -> Cow<'_, str> {
    let known = KNOWN.read().unwrap_or_else(PoisonError::into_inner);
    let mut hidden = Cow::Borrowed(text);
    for secret in known.iter().filter(|secret| text.contains(secret.as_str())) {
        hidden = Cow::Owned(hidden.replace(secret.as_str(), HIDDEN));
    }
    hidden
}

fn percent_encoded(text: &str) -> String {
    let mut encoded = String::new();
    crate::sink::encode(text, &mut encoded);
    encoded
}

fn percent_decoded(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, others @ ..] = rest {
        let digit = |at: usize| others.get(at).and_then(|&byte| char::from(byte).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &others[2..];
            }
            _ => {
                bytes.push(*first);
                rest = others;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// `address` with all that may be a secret shown as `***`: of an address only the user, the hosts, the path and options
/// that are known to hold no secret are shown, and those only where each looks as it should. A text that is no address,
/// such as the name of a file, is shown as it is.
pub fn masked(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return match address.split_once(':') {
            Some((scheme, _)) if is_word(scheme, "+-.") => format!("{scheme}:{HIDDEN}"),
            None if !address.contains(['@', '?', '#', '%']) => address.to_owned(),
            _ => HIDDEN.to_owned(),
        };
    };
    if !is_word(scheme, "+-.") {
        return HIDDEN.to_owned();
    }
    // A password may hold any character when its owner forgot to escape it: better too much is hidden than too little.
    let (login, rest) = match rest.rsplit_once('@') {
        Some((login, rest)) => {
            let (user, password) = login.split_once(':').map_or((login, ""), |(user, _)| (user, ":***"));
            let user = if is_reference(user) || is_word(user, "-_.+%$") { user } else { HIDDEN };
            (format!("{user}{password}@"), rest)
        }
        None => (String::new(), rest),
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    if !is_place(place) {
        return format!("{scheme}://{login}{HIDDEN}");
    }
    let Some(query) = query else { return format!("{scheme}://{login}{place}") };
    let options = query.split('&').map(|option| match option.split_once('=') {
        Some((name, value)) if is_harmless(name) && (is_reference(value) || is_word(value, "-_.+:,/%$")) => {
            option.to_owned()
        }
        Some((name, _)) if is_word(name, "-_.") => format!("{name}={HIDDEN}"),
        None if option.is_empty() => String::new(),
        _ => HIDDEN.to_owned(),
    });
    format!("{scheme}://{login}{place}?{}", options.collect::<Vec<_>>().join("&"))
}

fn is_word(text: &str, others: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || others.contains(c))
}

/// `${NAME}` or `${file:PATH}`, a secret by name, and nothing else.
fn is_reference(text: &str) -> bool {
    text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).is_some_and(|name| !name.contains(['{', '}', '$']))
}

/// Whether `text` is hosts and their ports, and what may follow them before the options.
fn is_place(text: &str) -> bool {
    let (hosts, path) = text.split_once('/').unwrap_or((text, ""));
    let is_port =
        |port: &str| port == "*" || ((1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_host = |host: &str| match host.strip_prefix('[') {
        // An address of IPv6 stands in brackets.
        Some(host) => host.split_once(']').is_some_and(|(address, port)| {
            is_word(address, ":.%") && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        }),
        None => {
            let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
            is_word(name, "-_.%*$;") && port.is_none_or(is_port)
        }
    };
    hosts.split(',').all(is_host) && is_word(path, "-_./$%")
}

/// Whether the option `name` of an address holds no secret.
fn is_harmless(name: &str) -> bool {
    const HARMLESS: [&str; 34] = [
        "w",
        "j",
        "journal",
        "wtimeoutms",
        "table",
        "ssl",
        "tls",
        "tlsinsecure",
        "tlsallowinvalidcertificates",
        "tlsallowinvalidhostnames",
        "tlscafile",
        "tlscertificatekeyfile",
        "replicaset",
        "authsource",
        "authmechanism",
        "appname",
        "retrywrites",
        "retryreads",
        "readpreference",
        "readconcernlevel",
        "maxpoolsize",
        "minpoolsize",
        "maxidletimems",
        "connecttimeoutms",
        "sockettimeoutms",
        "serverselectiontimeoutms",
        "heartbeatfrequencyms",
        "localthresholdms",
        "directconnection",
        "loadbalanced",
        "compressors",
        "zlibcompressionlevel",
        "srvservicename",
        "group",
    ];
    HARMLESS.contains(&name.to_ascii_lowercase().as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_what_cannot_be_a_secret_and_nothing_else() {
        for (address, shown) in [
            ("mongodb://joe:hush@h:1,i:2/d.c", "mongodb://joe:***@h:1,i:2/d.c"),
            ("mongodb://joe@h/d.c", "mongodb://joe@h/d.c"),
            ("mongodb://joe:${file:/a/b}@h/d.c?w=1", "mongodb://joe:***@h/d.c?w=1"),
            ("mongodb://${NAME}:x@[::1]:27017/d.c", "mongodb://${NAME}:***@[::1]:27017/d.c"),
            ("mongodb://joe:hu@sh/x?y#%z a@h/d.c", "mongodb://joe:***@h/d.c"),
            ("mongodb://joe:hush", "mongodb://***"),
            ("mongodb://joe:hush@", "mongodb://joe:***@"),
            ("mongodb://joe:hush@/d.c", "mongodb://joe:***@/d.c"),
            ("mongodb://joe:hush/d.c", "mongodb://***"),
            ("mongodb://h/d.c#hush", "mongodb://***"),
            ("mongodb://h/d.c?password=hush&w=majority&hush", "mongodb://h/d.c?password=***&w=majority&***"),
            ("mongodb://h/d.c?w=1#hush", "mongodb://h/d.c?w=***"),
            ("mongodb:joe:hush@h", "mongodb:***"),
            ("joe:hush@h", "joe:***"),
            ("hush@h", "***"),
            ("x?password=hush", "***"),
            ("out.json", "out.json"),
            ("tcp://*:7700", "tcp://*:7700"),
            ("ipc:///tmp/logator", "ipc:///tmp/logator"),
        ] {
            assert_eq!(masked(address), shown, "{address}");
        }
    }

    #[test]
    fn a_secret_is_found_in_every_form_and_in_parts() {
        learn_address("mongodb://joe:Zw0lf+e@Boxk%C3%A4m Pferde/jagen?Vikt0r=#quer@h/d.c");
        for text in [
            "invalid host Boxk%C3%A4m Pferde",
            "at Boxkäm",
            "Zw0lf%2Be%40Boxk%C3%A4m%20Pferde%2Fjagen%3FVikt0r%3D%23quer",
            "\"Zw0lf+e@Boxkäm Pferde/jagen?Vikt0r=#quer\"",
            "unknown option Vikt0r",
            "jagen",
        ] {
            let hidden = hide(text);
            let parts = ["Zw0lf", "Boxk", "Pferde", "jagen", "Vikt0r"];
            assert!(hidden.contains("***") && !parts.iter().any(|part| hidden.contains(part)), "{hidden}");
        }
        assert_eq!(hide("joe at h/d.c"), "joe at h/d.c");
    }

    #[test]
    fn a_text_that_is_no_address_teaches_nothing() {
        for text in ["%{IP:client77}@%{WORD:host77}", "a.log", "(?<url77>http://user77:x77@h)", "-", "ndjson:a77@b77"] {
            learn_value("pattern", text);
            assert_eq!(hide(text), text);
        }
    }
}
