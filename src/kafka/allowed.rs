//! The settings of librdkafka that an address may hold, as data.
//!
//! logator sets what its promises depend on (acknowledgements, offsets, limits of memory). An address that sets such a thing
//! is refused with the reason.

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

pub(super) const NO_KERBEROS: &str =
    "logator logs in with PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512, or with a certificate";

/// Other names of settings, with the names that are used here.
const ALIASES: &[(&str, &str)] = &[
    ("compression.type", "compression.codec"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("sasl.mechanisms", "sasl.mechanism"),
];

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_is_both_allowed_and_refused() {
        let names: Vec<&str> =
            SETTINGS.iter().map(|setting| setting.name).chain(REFUSED.iter().map(|(name, _)| *name)).collect();
        let distinct: std::collections::HashSet<&str> = names.iter().copied().collect();
        assert_eq!(names.len(), distinct.len());
    }
}
