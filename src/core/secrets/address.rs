//! Decides which parts of an address may be secret, and shows an address without them.

use super::reference::is_reference;
use super::schemes::is_public_option;
use crate::core::percent;

/// The text that replaces a secret.
pub(super) const HIDDEN: &str = "***";

/// Returns `address` with `***` in the place of everything that may be secret. It shows only the user, the hosts, the
/// path, and options that are known to hold no secret; and each of them only if it looks as it should. A text that is
/// not an address, such as a file name, is returned unchanged.
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
    // A password may hold any character if its owner forgot to escape it. It is better to hide too much than too
    // little.
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
    if !is_hosts_and_path(place) {
        return format!("{scheme}://{login}{HIDDEN}");
    }
    let Some(query) = query else { return format!("{scheme}://{login}{place}") };
    let options = query.split('&').map(|option| match option.split_once('=') {
        Some((name, value)) if is_public_option(scheme, name) && (is_reference(value) || is_public(value)) => {
            option.to_owned()
        }
        Some((name, _)) if is_word(name, "-_.") => format!("{name}={HIDDEN}"),
        None if option.is_empty() => String::new(),
        _ => HIDDEN.to_owned(),
    });
    format!("{scheme}://{login}{place}?{}", options.collect::<Vec<_>>().join("&"))
}

/// Returns whether the value of a public option is shown. An address in it may hold a password.
fn is_public(value: &str) -> bool {
    is_word(value, "-_.+:,/%$") && !percent::decode(value).contains('@')
}

fn is_word(text: &str, others: &str) -> bool {
    text.chars().all(|c| c.is_alphanumeric() || others.contains(c))
}

/// Returns whether `text` is a list of hosts with their ports, and optionally a path.
pub(super) fn is_hosts_and_path(text: &str) -> bool {
    let (hosts, path) = text.split_once('/').unwrap_or((text, ""));
    let is_port =
        |port: &str| port == "*" || ((1..=5).contains(&port.len()) && port.bytes().all(|byte| byte.is_ascii_digit()));
    let is_host = |host: &str| match host.strip_prefix('[') {
        // An IPv6 address stands in brackets.
        Some(host) => host.split_once(']').is_some_and(|(address, port)| {
            is_word(address, ":.%") && (port.is_empty() || port.strip_prefix(':').is_some_and(is_port))
        }),
        None => {
            let (name, port) = host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)));
            is_word(name, "-_.%*$;") && port.is_none_or(is_port)
        }
    };
    hosts.split(',').all(is_host) && is_word(path, "-_./$%{+}'")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::secrets::tests::declare_for_tests;

    #[test]
    fn an_address_shows_what_cannot_be_a_secret_and_nothing_else() {
        declare_for_tests();
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
            ("mongodb://joe:hush@h:1/l-%{+yyyy.MM.dd'x'}", "mongodb://joe:***@h:1/l-%{+yyyy.MM.dd'x'}"),
            ("mongodb://joe:hu{+}/sh", "mongodb://***"),
            ("mongodb://h/d.c?password=hush&w=majority&hush", "mongodb://h/d.c?password=***&w=majority&***"),
            ("mongodb://h/d.c?w=1#hush", "mongodb://h/d.c?w=***"),
            ("mongodb://h/d.c?w=http://r:1/a", "mongodb://h/d.c?w=http://r:1/a"),
            ("mongodb://h/d.c?w=http://joe:hush%40r", "mongodb://h/d.c?w=***"),
            ("other://h/d.c?w=hush", "other://h/d.c?w=***"),
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
}
