//! Settings of librdkafka: which of them an address may hold, and those that follow from an address. All functions are pure.
//!
//! logator sets what its promises depend on (acknowledgements, offsets, limits of memory). An address that sets such a thing
//! is refused with the reason.

use super::address::Address;

/// What a client does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It writes to a topic.
    Producer,
    /// It reads a topic as a member of a group.
    Consumer,
}

/// What the value of a setting is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// A value that may be shown.
    Public,
    /// A secret.
    Secret,
    /// The path of a file that the client reads.
    File,
}

/// A setting that an address may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// The name that librdkafka has for it.
    pub name: &'static str,
    /// What its value is.
    pub nature: Nature,
    /// The clients that have it; `None` if all have it.
    pub role: Option<Role>,
}

const fn any(name: &'static str) -> Setting {
    Setting { name, nature: Nature::Public, role: None }
}

const fn secret(name: &'static str) -> Setting {
    Setting { name, nature: Nature::Secret, role: None }
}

const fn file(name: &'static str) -> Setting {
    Setting { name, nature: Nature::File, role: None }
}

const fn producer(name: &'static str) -> Setting {
    Setting { name, nature: Nature::Public, role: Some(Role::Producer) }
}

const fn consumer(name: &'static str) -> Setting {
    Setting { name, nature: Nature::Public, role: Some(Role::Consumer) }
}

/// The settings that an address may hold.
pub const SETTINGS: &[Setting] = &[
    // Who the client is, and how it connects.
    any("client.id"),
    any("client.rack"),
    any("broker.address.family"),
    any("broker.address.ttl"),
    any("client.dns.lookup"),
    any("connections.max.idle.ms"),
    any("metadata.max.age.ms"),
    any("metadata.recovery.strategy"),
    any("metadata.recovery.rebootstrap.trigger.ms"),
    any("receive.message.max.bytes"),
    any("reconnect.backoff.ms"),
    any("reconnect.backoff.max.ms"),
    any("retry.backoff.ms"),
    any("retry.backoff.max.ms"),
    any("socket.connection.setup.timeout.ms"),
    any("socket.keepalive.enable"),
    any("socket.nagle.disable"),
    any("socket.receive.buffer.bytes"),
    any("socket.send.buffer.bytes"),
    any("socket.timeout.ms"),
    any("topic.metadata.refresh.interval.ms"),
    any("enable.metrics.push"),
    // TLS.
    any("security.protocol"),
    any("enable.ssl.certificate.verification"),
    any("ssl.cipher.suites"),
    any("ssl.curves.list"),
    any("ssl.sigalgs.list"),
    any("ssl.endpoint.identification.algorithm"),
    any("ssl.ca.pem"),
    any("ssl.certificate.pem"),
    file("ssl.ca.location"),
    file("ssl.certificate.location"),
    file("ssl.crl.location"),
    file("ssl.key.location"),
    file("ssl.keystore.location"),
    secret("ssl.key.password"),
    secret("ssl.key.pem"),
    secret("ssl.keystore.password"),
    // SASL.
    any("sasl.mechanism"),
    any("sasl.username"),
    secret("sasl.password"),
    // Writing.
    producer("batch.num.messages"),
    producer("batch.size"),
    producer("compression.codec"),
    producer("compression.level"),
    producer("linger.ms"),
    producer("message.max.bytes"),
    producer("request.timeout.ms"),
    producer("sticky.partitioning.linger.ms"),
    // Reading.
    consumer("auto.offset.reset"),
    consumer("check.crcs"),
    consumer("fetch.error.backoff.ms"),
    consumer("fetch.max.bytes"),
    consumer("fetch.min.bytes"),
    consumer("fetch.wait.max.ms"),
    consumer("group.instance.id"),
    consumer("group.protocol"),
    consumer("group.remote.assignor"),
    consumer("heartbeat.interval.ms"),
    consumer("isolation.level"),
    consumer("max.partition.fetch.bytes"),
    consumer("max.poll.interval.ms"),
    consumer("partition.assignment.strategy"),
    consumer("session.timeout.ms"),
];

/// The settings that no address may hold, with the reasons.
const REFUSED: &[(&str, &str)] = &[
    ("bootstrap.servers", "the brokers stand before the topic"),
    ("metadata.broker.list", "the brokers stand before the topic"),
    ("group.id", "the group is written group=NAME"),
    ("allow.auto.create.topics", "logator creates no topic"),
    ("acks", "only acks=all says that a message is durable, and logator sets it"),
    ("request.required.acks", "only acks=all says that a message is durable, and logator sets it"),
    ("enable.idempotence", "logator sets it, so that the retries of one run write no message twice"),
    ("enable.gapless.guarantee", "logator sends again itself what was not written"),
    ("max.in.flight", "logator sets it, so that retries keep the order of messages"),
    ("max.in.flight.requests.per.connection", "logator sets it, so that retries keep the order of messages"),
    ("retries", "the client tries until --sink-deadline, or sinkDeadlineMS in the address, is over"),
    ("message.send.max.retries", "the client tries until --sink-deadline, or sinkDeadlineMS in the address, is over"),
    ("delivery.timeout.ms", "the client tries until --sink-deadline, or sinkDeadlineMS in the address, is over"),
    ("message.timeout.ms", "the client tries until --sink-deadline, or sinkDeadlineMS in the address, is over"),
    ("queue.buffering.max.messages", "--max-memory bounds the memory"),
    ("queue.buffering.max.kbytes", "--max-memory bounds the memory"),
    ("queue.buffering.max.ms", "it is written linger.ms"),
    ("queued.max.messages.kbytes", "--max-memory bounds the memory"),
    ("queued.min.messages", "--max-memory bounds the memory"),
    ("partitioner", "logator sets murmur2_random, by which the clients of Java choose partitions too"),
    ("transactional.id", "transactions do not reach beyond Kafka, so logator uses none"),
    ("enable.auto.commit", "logator commits what its sinks have made durable"),
    ("enable.auto.offset.store", "logator commits what its sinks have made durable"),
    ("auto.commit.interval.ms", "logator commits what its sinks have made durable"),
    ("enable.partition.eof", "logator sets it where it needs it"),
    ("sasl.kerberos.keytab", NO_KERBEROS),
    ("sasl.kerberos.principal", NO_KERBEROS),
    ("sasl.kerberos.service.name", NO_KERBEROS),
    ("debug", "messages of the client are shown with --log-level debug"),
    ("plugin.library.paths", "logator loads no plugins"),
];

const NO_KERBEROS: &str = "logator logs in with PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, or with a certificate";

/// Other names of settings, with the names that are used here.
const ALIASES: &[(&str, &str)] = &[
    ("compression.type", "compression.codec"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("sasl.mechanisms", "sasl.mechanism"),
];

/// The ways to log in that are compiled in.
const MECHANISMS: [&str; 3] = ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"];

/// Returns the name that is used here for the setting `name`.
fn canonical(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    match ALIASES.iter().find(|(alias, _)| *alias == lower) {
        Some((_, name)) => (*name).to_owned(),
        None => lower,
    }
}

/// Finds the setting called `name`, for an address that has the role `role`.
///
/// # Errors
/// The end of a sentence for the user, which repeats the name only if it is near to a known one.
pub fn find(name: &str, role: Role) -> Result<&'static Setting, String> {
    if let Some(why) = refused(name, role) {
        return Err(why);
    }
    let lower = canonical(name);
    if let Some(found) = SETTINGS.iter().find(|setting| setting.name == lower) {
        return Ok(found);
    }
    let fitting = SETTINGS.iter().filter(|setting| setting.role.is_none_or(|needed| needed == role));
    let nearest = fitting.map(|setting| (strsim::damerau_levenshtein(&lower, setting.name), setting.name)).min();
    Err(match nearest {
        Some((0..=3, nearest)) => format!("it has a setting of librdkafka that is not known; did you mean {nearest}?"),
        _ => {
            "it has a setting of librdkafka that is not known or that logator does not pass on; doc/kafka.md lists them"
                .to_owned()
        }
    })
}

/// Returns the reason why an address with the role `role` may not hold the setting or option `name`; `None` if there is none.
pub fn refused(name: &str, role: Role) -> Option<String> {
    let lower = name.to_ascii_lowercase();
    if let Some((known, why)) = REFUSED.iter().find(|(refused, _)| *refused == lower) {
        return Some(format!("it sets {known}: {why}"));
    }
    let lower = canonical(name);
    let setting = SETTINGS.iter().find(|setting| setting.name == lower)?;
    let (what, place) = match setting.role? {
        needed if needed == role => return None,
        Role::Producer => ("of a client that writes", "a topic that is read"),
        Role::Consumer => ("of a client that reads", "a topic that is written"),
    };
    Some(format!("it sets {}, which is a setting {what}, for {place}", setting.name))
}

/// Returns the nature of the setting called `name`; `None` if it is not known.
pub fn nature(name: &str) -> Option<Nature> {
    SETTINGS.iter().find(|setting| setting.name == name).map(|setting| setting.nature)
}

/// Checks that the parts of an address fit together. So nothing has to be connected to find a login that is never sent.
///
/// # Errors
/// The end of a sentence for the user.
pub fn check(address: &Address, role: Role) -> Result<(), String> {
    settings(address, role).map(drop)
}

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

    #[test]
    fn no_setting_is_both_allowed_and_refused() {
        let names: Vec<&str> =
            SETTINGS.iter().map(|setting| setting.name).chain(REFUSED.iter().map(|(name, _)| *name)).collect();
        let distinct: std::collections::HashSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), distinct.len());
    }
}
