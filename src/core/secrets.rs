//! Secrets are not repeated: what of this process's arguments, environment and files is one, and how it is kept out of all
//! that is said.
//!
//! Two things see to that. An address is shown by [`masked`], which lets only those parts of it pass that cannot be a
//! secret. And what is known to be one is [hidden](hide) in every sentence, whoever made it: an address may stand in a
//! place where none belongs, a driver may repeat what it was given, and an error may quote a part of it.
//!
//! Hiding too much is a fault as well: sentences cannot be understood, and a word that is missing in a path tells the
//! secret. So this is the rule, for each secret as it was given, percent-encoded, decoded, and as Rust quotes it; capital
//! letters do not count:
//!
//! 1. Between `:` and `@` a password is always hidden.
//! 2. A secret of 8 characters or more is hidden wherever it stands, also inside other words.
//! 3. A shorter secret, from 4 characters on, is hidden where it stands as a word of its own: no letter or digit is beside
//!    it, and it is not joined to something by `/`, `-`, `_` or `.`, unless the secret joins it so on one side. The
//!    password `root` leaves `/root/x` alone.
//! 4. The same goes for each part of a secret that has 4 letters or digits in a row, because parsers cut addresses at
//!    the other characters; but a `.` joins nothing to it, because drivers write DATABASE.COLLECTION of what they have cut.
//! 5. A word that was also given in a place that is no secret is not hidden by 2 to 4: the name of a user, host,
//!    database, file or folder, of the working directory, or of one of our programs. That it is missing would tell that
//!    it is the same.
//!
//! The name of a secret, such as `${file:/run/secrets/db}`, is none. The name of the program that begins a message is
//! written after this.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ffi::OsStr;
use std::ops::Range;
use std::sync::{LazyLock, PoisonError, RwLock};

/// What is written in the place of a secret.
const HIDDEN: &str = "***";

/// The fewest characters of a secret that is looked for in all words, and not only as a word of its own.
const LONG: usize = 8;

/// The fewest characters of a short secret, or of a part of one, that is looked for.
const SHORTEST: usize = 4;

/// The names of our programs.
const PROGRAMS: &str = "logator logator-queue logator-worker logator-push logator-pull";

/// The secrets of this process.
static KNOWN: LazyLock<RwLock<Known>> = LazyLock::new(RwLock::default);

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
    let folders = [std::env::current_dir().ok(), std::env::home_dir(), std::env::current_exe().ok()];
    let folders = folders.iter().flatten().map(|folder| folder.as_os_str());
    for word in folders.chain([OsStr::new(PROGRAMS)]) {
        learn_plain(&word.to_string_lossy());
    }
    std::panic::set_hook(Box::new(|panic| {
        use std::io::Write;
        let thread = std::thread::current();
        let text = format!("thread {} panicked: {panic}", thread.name().unwrap_or("without a name"));
        let _ = writeln!(std::io::stderr(), "{}", crate::core::printable::line(&hide(&text)));
    }));
}

/// Learns the secrets of `value`, which a user gave for `name`: a flag, a key of the configuration; and which words of it
/// are none.
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

/// Learns the secrets in a configuration file that cannot be understood, as far as they can be found. What is none is not
/// known in it.
pub fn learn_configuration(text: &str) {
    for line in text.lines() {
        let (name, value) = line.split_once('=').unwrap_or(("", line));
        let value = value.trim_matches([' ', '\t', '[', ']', '"', '\'', ',']);
        // Several may stand in one line.
        for part in value.split(['"', '\'']).chain([value]) {
            if name.trim() == "to" || is_address(part) {
                learn_address(part);
            }
        }
    }
}

/// Learns that `value`, which is what a reference to a secret stands for, is one: the whole, or what is secret in it when
/// it is an address.
pub fn learn_secret(value: &str) {
    if is_address(value) { learn_address(value) } else { learn_whole(value) }
}

/// Whether `text` is a sink that is a file.
fn is_file(text: &str) -> bool {
    ["ndjson:", "sqlite:", "null:"].iter().any(|scheme| text.starts_with(scheme)) && !text.contains("://")
}

/// Whether `text` begins as an address of a server does.
fn is_address(text: &str) -> bool {
    let (scheme, rest) = text.split_once(':').unwrap_or_default();
    let is_scheme = scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    let is_known = ["mongodb", "kafka", "elasticsearch"].iter().any(|known| scheme.starts_with(known));
    !scheme.is_empty() && is_scheme && (rest.starts_with("//") || is_known)
}

/// Whether `text` is an address of a kind that has no password.
fn has_no_secret(text: &str) -> bool {
    let scheme = text.split_once("://").map_or("", |(scheme, _)| scheme);
    ["syslog+udp", "syslog+tcp", "syslog+tls", "ipc", "tcp", "pull+ipc", "pull+tcp"].contains(&scheme)
}

fn learn_address(text: &str) {
    let rest = match text.split_once("://") {
        Some((_, rest)) => rest,
        None if is_file(text) => return,
        None if is_address(text) || text.contains('@') => text,
        None => return,
    };
    let place = |text: &str| {
        // A reference may stand for any part of it.
        let text = without_references(text).0.join("x");
        is_place(text.split(['?', '#']).next().unwrap_or_default())
    };
    let login = match rest.rsplit_once('@') {
        Some((login, after)) if place(after) => login,
        // These hold no password, and a wrong port is none.
        None if place(rest) || has_no_secret(text) => "",
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

/// Learns that `text` of an address is a secret, apart from the references in it.
fn learn(text: &str) {
    without_references(text).0.iter().for_each(|secret| learn_whole(secret));
}

/// Learns that `secret` is one.
fn learn_whole(secret: &str) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).add(secret);
}

/// Learns that the words of `text` are no secrets.
fn learn_plain(text: &str) {
    KNOWN.write().unwrap_or_else(PoisonError::into_inner).add_plain(text);
}

/// `text` without any secret of this process.
pub fn hide(text: &str) -> Cow<'_, str> {
    KNOWN.read().unwrap_or_else(PoisonError::into_inner).hide(text)
}

/// What stands in `text` around its references, and their names.
fn without_references(text: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut others, mut names, mut rest) = (Vec::new(), Vec::new(), text);
    while let Some((before, after)) = rest.split_once("${")
        && let Some((name, after)) = after.split_once('}')
        && is_reference_name(name)
    {
        others.push(before);
        names.push(name);
        rest = after;
    }
    others.push(rest);
    (others, names)
}

/// Secrets and what is none, all in small letters.
#[derive(Default)]
struct Known {
    /// The secrets, in every form.
    secrets: Vec<String>,
    /// The parts of them that are looked for.
    parts: Vec<String>,
    /// Words that stand in places that are no secret.
    plain: HashSet<String>,
}

impl Known {
    fn add(&mut self, secret: &str) {
        let decoded = percent_decoded(secret);
        for text in [secret, &decoded] {
            for form in [text.to_owned(), percent_encoded(text), format!("{text:?}").trim_matches('"').to_owned()] {
                let form = form.to_ascii_lowercase();
                if form.is_empty() || self.secrets.contains(&form) {
                    continue;
                }
                for part in form.split(|c: char| !c.is_alphanumeric()) {
                    // What is a whole secret is no part of itself.
                    let is_part = part.chars().count() >= SHORTEST && part != form;
                    if is_part && !self.parts.iter().any(|known| known == part) {
                        self.parts.push(part.to_owned());
                    }
                }
                self.secrets.push(form);
            }
        }
    }

    fn add_plain(&mut self, text: &str) {
        let text = text.to_ascii_lowercase();
        for joining in ["", "-_", "-_."] {
            let words = text.split(|c: char| !c.is_alphanumeric() && !joining.contains(c));
            self.plain.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }

    fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.secrets.is_empty() {
            return Cow::Borrowed(text);
        }
        let lower = text.to_ascii_lowercase();
        let places =
            |words: &str| lower.match_indices(words).map(|(at, found)| at..at + found.len()).collect::<Vec<_>>();
        let mut hidden = Vec::new();
        for secret in &self.secrets {
            hidden.extend(places(&format!(":{secret}@")).into_iter().map(|place| place.start + 1..place.end - 1));
            let length = secret.chars().count();
            if length >= SHORTEST && !self.plain.contains(secret) {
                hidden.extend(
                    places(secret).into_iter().filter(|at| length >= LONG || self.stands_alone(&lower, at, "/-_.")),
                );
            }
        }
        for part in self.parts.iter().filter(|part| !self.plain.contains(*part)) {
            hidden.extend(places(part).into_iter().filter(|at| self.stands_alone(&lower, at, "/-_")));
        }
        if hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        hidden.sort_by_key(|place| place.start);
        let (mut shown, mut end) = (String::new(), 0);
        for place in hidden {
            if place.start >= end {
                shown.push_str(&text[end..place.start]);
                shown.push_str(HIDDEN);
            }
            end = end.max(place.end);
        }
        shown.push_str(&text[end..]);
        Cow::Owned(shown)
    }

    /// Whether what is at `place` of `text` is a word of its own, or joined to a neighbour by one of `joining` as in a
    /// secret.
    fn stands_alone(&self, text: &str, place: &Range<usize>, joining: &str) -> bool {
        let (before, word, after) = (&text[..place.start], &text[place.clone()], &text[place.end..]);
        let (last, next) = (before.chars().next_back(), after.chars().next());
        let is_inside = last.is_some_and(char::is_alphanumeric) && !ends_with_escape(before);
        if is_inside || next.is_some_and(char::is_alphanumeric) {
            return false;
        }
        // Two slashes go before the first name of an address, and a full stop ends a sentence.
        let last = last.filter(|&c| joining.contains(c) && !before.ends_with("//"));
        let ends = after.strip_prefix('.').is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
        let next = next.filter(|&c| joining.contains(c) && !ends);
        let is_in_secret = |joined: String| self.secrets.iter().any(|secret| secret.contains(&joined));
        (last.is_none() && next.is_none())
            || last.is_some_and(|c| is_in_secret(format!("{c}{word}")))
            || next.is_some_and(|c| is_in_secret(format!("{word}{c}")))
    }
}

/// Whether `text` ends with a character in percent encoding.
fn ends_with_escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes, [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
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
    text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).is_some_and(is_reference_name)
}

fn is_reference_name(name: &str) -> bool {
    !name.contains(['{', '}', '$'])
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

    /// What is known of `values`, each with its flag. Tests run at the same time, so each has secrets of its own.
    fn said(values: &[(&str, &str)], text: &str) -> String {
        values.iter().for_each(|(name, value)| learn_value(name, value));
        hide(text).into_owned()
    }

    #[test]
    fn a_secret_is_found_in_every_form_and_in_parts() {
        learn_address("mongodb://joe:Zw0lf+e@Boxk%C3%A4m Pferde/jagen?Vikt0r=#quer@h/d.c");
        for text in [
            "invalid host Boxk%C3%A4m Pferde",
            "at Boxkäm",
            "at boxkäm.",
            "Zw0lf%2Be%40Boxk%C3%A4m%20Pferde%2Fjagen%3FVikt0r%3D%23quer",
            "xZw0lf%2be%40Boxk%c3%a4m%20Pferde%2fjagen%3fVikt0r%3d%23querx",
            "\"Zw0lf+e@Boxkäm Pferde/jagen?Vikt0r=#quer\"",
            "invalid port 'Boxkäm Pferde/jagen'",
            "no database Pferde/jagen?",
            "it is %40Boxk%C3%A4m%20Pferde%2Fja",
            "unknown option Vikt0r",
            "jagen",
            "mongodb://h:1/jagen.logs: no such host",
            "the collection Pferde.logs",
        ] {
            let hidden = hide(text).to_lowercase();
            let parts = ["zw0lf", "boxk", "pferde", "jagen", "vikt0r"];
            assert!(hidden.contains("***") && !parts.iter().any(|part| hidden.contains(part)), "{hidden}");
        }
        assert_eq!(hide("joe at h/d.c"), "joe at h/d.c");
    }

    #[test]
    fn a_long_secret_is_never_shown_not_even_inside_another_word() {
        for secret in ["correcthorse", "Tr0ub4dor&3x", "pa55%2Fword1", "8chars-x"] {
            let address = format!("mongodb://joe:{secret}@h/d.c");
            let decoded = percent_decoded(secret);
            for form in [secret, &decoded, &secret.to_uppercase(), &percent_encoded(&decoded)] {
                for text in [form.to_owned(), format!("/srv/x{form}x/y"), format!("joe:{form}@"), format!("a-{form}.")]
                {
                    let shown = said(&[("to", &address)], &text);
                    assert!(shown.contains(HIDDEN) && !shown.to_lowercase().contains(&form.to_lowercase()), "{shown}");
                }
            }
        }
    }

    #[test]
    fn a_short_secret_leaves_other_words_and_paths_alone() {
        let address = ("to", "mongodb://joe:wurz@h/d.c");
        for text in ["/wurz/x", "/srv/wurz", "wurz.log", "wurz-2.gz", "a_wurz", "wurzel", "7wurz", "a.wurz", "--wurz"] {
            assert_eq!(said(&[address], text), text);
        }
        for (text, shown) in [
            ("the password wurz is wrong", "the password *** is wrong"),
            ("wurz.", "***."),
            ("'wurz'", "'***'"),
            ("WURZ", "***"),
            ("x:wurz@h", "x:***@h"),
            ("mongodb://wurz@h", "mongodb://***@h"),
        ] {
            assert_eq!(said(&[address], text), shown);
        }
    }

    #[test]
    fn usual_addresses_of_developers_give_sentences_that_can_be_read() {
        for (address, input) in [
            ("mongodb://apollo:apollo@localhost/apollo.logs", "apollo.log"),
            ("mongodb://analytics:analytics@localhost:27017/analytics.events", "/srv/analytics/access.log"),
            ("mongodb://admin:toor@localhost/test.logs?authSource=admin", "/toor/access.log"),
        ] {
            let given = [("to", address), ("state", input)];
            let shown = masked(address);
            for text in [
                format!("sink {shown}: the server does not answer"),
                format!("{input}: 12 lines of {input} were read"),
                format!("{input}.gz cannot be read"),
            ] {
                assert_eq!(said(&given, &text), text);
            }
            // The driver's own words.
            assert!(said(&given, &format!("cannot connect to {address}")).contains(":***@"));
        }
        for word in ["toor", "analytics", "apollo"] {
            assert_eq!(hide(&format!("joe:{word}@h")), "joe:***@h");
        }
    }

    #[test]
    fn the_name_of_a_secret_is_none() {
        let address = "mongodb://joe:${file:riesig}@${HOST_OF_IT}/d.c?x=${file:/run/geheim/db}y7Zq3";
        for text in ["${file:riesig} in a sink: it is riesig, and not read", "HOST_OF_IT", "/run/geheim/db", "geheim"] {
            assert_eq!(said(&[("to", address)], text), text);
        }
        assert_eq!(said(&[("to", address)], "option y7Zq3"), "option ***");
        learn_secret("${q9W!e8R}");
        assert_eq!(hide("it is ${q9W!e8R}"), "it is ***");
    }

    #[test]
    fn a_text_that_is_no_address_teaches_nothing() {
        for text in ["%{IP:client77}@%{WORD:host77}", "a.log", "(?<url77>http://user77:x77@h)", "-", "ndjson:a77@b77"] {
            learn_value("pattern", text);
            assert_eq!(hide(text), text);
        }
    }
}
