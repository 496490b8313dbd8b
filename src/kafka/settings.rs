//! The settings of librdkafka that follow from an address. All functions are pure.

use super::address::Address;
use super::allowed::{NO_KERBEROS, find};
pub use super::allowed::{Nature, Role, SETTINGS};

/// The ways to log in that are compiled in.
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// Returns the settings that follow from an address, those that the user gave included. The source or the sink adds its own.
///
/// # Errors
/// The end of a sentence for the user. The parts do not fit together, or a certificate would never be used.
pub fn settings(address: &Address, role: Role) -> Result<Vec<(String, String)>, String> {
    let given = |name| address.option(name);
    let has_login = address.login.is_some() || given("sasl.username").is_some();
    if address.login.is_some() && (given("sasl.username").is_some() || given("sasl.password").is_some()) {
        return Err("it has two logins; use USER:PASSWORD@ or sasl.username and sasl.password".to_owned());
    }
    if given("sasl.username").is_some() != given("sasl.password").is_some() {
        return Err("sasl.username and sasl.password belong together".to_owned());
    }
    let protocol = given("security.protocol").unwrap_or(if has_login { "sasl_ssl" } else { "plaintext" });
    let protocol = protocol.to_ascii_lowercase();
    let (has_sasl, has_tls) = match protocol.as_str() {
        "plaintext" => (false, false),
        "ssl" => (false, true),
        "sasl_plaintext" => (true, false),
        "sasl_ssl" => (true, true),
        _ => return Err("security.protocol is plaintext, ssl, sasl_plaintext or sasl_ssl".to_owned()),
    };
    if has_sasl != has_login {
        return Err(match has_login {
            true => format!("it has a login that security.protocol={protocol} does not send; write sasl_ssl"),
            false => format!("security.protocol={protocol} needs a login, USER:PASSWORD@"),
        });
    }
    let mechanism = given("sasl.mechanism");
    if mechanism.is_some() && !has_sasl {
        return Err("it has sasl.mechanism but no login, USER:PASSWORD@".to_owned());
    }
    let mechanism = mechanism.unwrap_or(MECHANISMS[0]).to_ascii_uppercase();
    if !MECHANISMS.contains(&mechanism.as_str()) {
        return Err(format!("sasl.mechanism is not known: {NO_KERBEROS}"));
    }
    if !has_tls && address.given_settings().any(|(name, _)| name.starts_with("ssl.")) {
        return Err(format!("it has settings of TLS, but security.protocol={protocol} has no TLS"));
    }

    let mut settings = vec![
        ("bootstrap.servers".to_owned(), address.brokers.join(",")),
        ("security.protocol".to_owned(), protocol),
        ("allow.auto.create.topics".to_owned(), "false".to_owned()),
        ("client.id".to_owned(), "logator".to_owned()),
        // A broker that comes back is found within two seconds, and not within ten.
        ("reconnect.backoff.max.ms".to_owned(), "2000".to_owned()),
        ("socket.keepalive.enable".to_owned(), "true".to_owned()),
    ];
    if has_sasl {
        settings.push(("sasl.mechanism".to_owned(), mechanism));
        if let Some((user, password)) = &address.login {
            settings.push(("sasl.username".to_owned(), user.clone()));
            settings.push(("sasl.password".to_owned(), password.clone()));
        }
    }
    let is_set_here = |name: &str| matches!(name, "security.protocol" | "sasl.mechanism");
    for (name, value) in address.given_settings().filter(|(name, _)| !is_set_here(name)) {
        find(name, role)?;
        settings.retain(|(known, _)| known != name);
        settings.push((name.to_owned(), value.to_owned()));
    }
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, role: Role) -> Result<Vec<(String, String)>, String> {
        Address::parse(text, role, &["group"]).and_then(|address| settings(&address, role))
    }

    fn value<'a>(settings: &'a [(String, String)], name: &str) -> Option<&'a str> {
        let mut found = settings.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is set twice");
        value
    }

    #[test]
    fn an_address_becomes_settings_and_a_login_is_never_sent_in_plain_by_default() {
        let plain = of("kafka://a,b:1/t", Role::Producer).unwrap();
        assert_eq!(value(&plain, "bootstrap.servers"), Some("a:9092,b:1"));
        assert_eq!((value(&plain, "security.protocol"), value(&plain, "sasl.mechanism")), (Some("plaintext"), None));
        assert_eq!(value(&plain, "allow.auto.create.topics"), Some("false"));
        let login = of("kafka://u%40x:p%2Fw@a/t?client.id=me&RECONNECT.BACKOFF.MAX.MS=7", Role::Consumer).unwrap();
        for (name, expected) in [
            ("security.protocol", "sasl_ssl"),
            ("sasl.mechanism", "PLAIN"),
            ("sasl.username", "u@x"),
            ("sasl.password", "p/w"),
            ("client.id", "me"),
            ("reconnect.backoff.max.ms", "7"),
        ] {
            assert_eq!(value(&login, name), Some(expected), "{name}");
        }
        let named = "kafka://a/t?sasl.username=u&sasl.password=p&sasl.mechanisms=scram-sha-512&security.protocol=SASL_PLAINTEXT";
        let named = of(named, Role::Producer).unwrap();
        assert_eq!(value(&named, "sasl.mechanism"), Some("SCRAM-SHA-512"));
        assert_eq!(value(&named, "security.protocol"), Some("sasl_plaintext"));
        assert_eq!((value(&named, "sasl.username"), value(&named, "sasl.mechanisms")), (Some("u"), None));
    }

    #[test]
    fn what_logator_sets_itself_or_cannot_use_is_refused_with_a_sentence() {
        for (text, role, words) in [
            ("kafka://a/t?acks=1", Role::Producer, "acks=all"),
            ("kafka://a/t?delivery.timeout.ms=1", Role::Producer, "--sink-deadline"),
            ("kafka://a/t?queue.buffering.max.kbytes=1", Role::Producer, "--max-memory"),
            ("kafka://a/t?partitioner=random", Role::Producer, "murmur2_random"),
            ("kafka://a/t?enable.auto.commit=true", Role::Consumer, "durable"),
            ("kafka://a/t?linger.ms=1", Role::Consumer, "writes"),
            ("kafka://a/t?session.timeout.ms=1", Role::Producer, "reads"),
            ("kafka://a/t?linger.sm=1", Role::Producer, "did you mean linger.ms?"),
            ("kafka://a/t?compression.type=lz4&compression.codec=lz4", Role::Producer, "twice"),
            ("kafka://a/t?no.such.thing.at.all=1", Role::Producer, "doc/kafka.md"),
            ("kafka://u:p@a/t?security.protocol=ssl", Role::Producer, "does not send"),
            ("kafka://a/t?security.protocol=sasl_ssl", Role::Producer, "needs a login"),
            ("kafka://a/t?security.protocol=tls", Role::Producer, "plaintext, ssl"),
            ("kafka://u:p@a/t?sasl.mechanism=GSSAPI", Role::Producer, "SCRAM-SHA-256"),
            ("kafka://u:p@a/t?sasl.password=x", Role::Producer, "two logins"),
            ("kafka://a/t?sasl.username=x", Role::Producer, "belong together"),
            ("kafka://a/t?ssl.ca.location=/x", Role::Producer, "has no TLS"),
            ("kafka://a/t?sasl.mechanism=PLAIN", Role::Producer, "no login"),
        ] {
            let why = of(text, role).unwrap_err();
            assert!(why.contains(words), "{text}: {why}");
        }
    }
}
