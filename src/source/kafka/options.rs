//! The options of an address, and the settings of the client that follow from them. All functions are pure.

use std::path::PathBuf;
use std::time::Duration;

use crate::kafka::address::REGISTRY_OPTIONS;
use crate::kafka::{Address, Role, settings};

/// The options that the address of a source may have.
pub const OPTIONS: &[&str] = &[
    "group",
    "until",
    "format",
    REGISTRY_OPTIONS[0],
    REGISTRY_OPTIONS[1],
    REGISTRY_OPTIONS[2],
    "schema",
    "drainMS",
    "serverSelectionTimeoutMS",
];

/// The time that workers have to finish what they hold of a partition that goes to another consumer.
const DRAIN: Duration = Duration::from_secs(10);

/// How long a broker that does not answer is waited for at the start.
const SELECTION: Duration = Duration::from_secs(10);

/// How long the source usually waits for room before it pauses its partitions. A client that is not asked for
/// `max.poll.interval.ms` loses them.
const HOLD: Duration = Duration::from_secs(5);

/// The kilobytes that are fetched ahead of the reader.
const AHEAD: &str = "16384";

/// How the values of records are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// The value is a line.
    Raw,
    /// The value is a JSON object.
    Json,
    /// The value is Avro, and becomes a JSON object.
    Avro,
}

/// The options of an address.
#[derive(Clone, PartialEq, Eq)]
pub struct Options {
    /// The group.
    pub group: String,
    /// Whether the run ends where the topic ends at the start.
    pub until_end: bool,
    /// How values are read.
    pub format: Format,
    /// The file with the schema of values in the single-object encoding.
    pub schema: Option<PathBuf>,
    /// The time that workers have to finish what they hold of a partition that goes to another consumer.
    pub drain: Duration,
    /// How long a broker that does not answer is waited for at the start.
    pub selection: Duration,
    /// How long there may be no room before partitions are paused.
    pub hold: Duration,
    /// Where reading starts if the group has committed nothing.
    pub reset: String,
    /// The settings of the client.
    pub settings: Vec<(String, String)>,
}

impl Options {
    /// Reads the options of `address`.
    ///
    /// # Errors
    /// The end of a sentence for the user.
    pub fn of(address: &Address) -> Result<Options, String> {
        let group = address.option("group").ok_or("a topic is read as a member of a group; write ?group=NAME")?;
        let until_end = match address.option("until") {
            None => false,
            Some("end") => true,
            Some(_) => return Err("until is end, which means where the topic ends at the start".to_owned()),
        };
        let format = match address.option("format") {
            None | Some("raw") => Format::Raw,
            Some("json") => Format::Json,
            Some("avro") => Format::Avro,
            Some(_) => return Err("format is raw, json or avro".to_owned()),
        };
        let schema = address.option("schema").map(PathBuf::from);
        match (format, address.option(REGISTRY_OPTIONS[0]).is_some() || schema.is_some()) {
            (Format::Avro, false) => {
                return Err("format=avro needs registry=URL, or schema=FILE for values in the single-object encoding"
                    .to_owned());
            }
            (Format::Raw | Format::Json, true) => return Err("registry and schema are for format=avro".to_owned()),
            _ => {}
        }
        let reset = address.option("auto.offset.reset").unwrap_or("earliest").to_ascii_lowercase();
        Ok(Options {
            group: group.to_owned(),
            until_end,
            format,
            schema,
            drain: address.milliseconds("drainMS")?.unwrap_or(DRAIN),
            selection: address.milliseconds("serverSelectionTimeoutMS")?.unwrap_or(SELECTION),
            hold: address.milliseconds("max.poll.interval.ms")?.map_or(HOLD, |most| HOLD.min(most / 3)),
            settings: client_settings(address, group, until_end)?,
            reset,
        })
    }

    /// Where reading starts if the group has committed nothing, as the end of a sentence.
    pub fn start(&self) -> &str {
        match self.reset.as_str() {
            "smallest" | "earliest" | "beginning" => "at its first record",
            "largest" | "latest" | "end" => "after its last record (auto.offset.reset)",
            _ => "not at all (auto.offset.reset=error)",
        }
    }
}

/// Returns the settings of the client.
fn client_settings(address: &Address, group: &str, until_end: bool) -> Result<Vec<(String, String)>, String> {
    let by_broker = match address.option("group.protocol").map(str::to_ascii_lowercase).as_deref() {
        None | Some("classic") => false,
        Some("consumer") => true,
        Some(_) => return Err("group.protocol is classic or consumer".to_owned()),
    };
    // The broker decides about these, and the client refuses them.
    for name in ["partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"] {
        if by_broker && address.option(name).is_some() {
            return Err(format!("with group.protocol=consumer, the broker decides about {name}"));
        }
    }
    if !by_broker && address.option("group.remote.assignor").is_some() {
        return Err("group.remote.assignor needs group.protocol=consumer".to_owned());
    }
    let mut all = settings::settings(address, Role::Consumer)?;
    let defaults = [
        ("auto.offset.reset", "earliest"),
        ("isolation.level", "read_committed"),
        ("check.crcs", "true"),
        // The group keeps what it has while a consumer comes or goes.
        ("partition.assignment.strategy", "cooperative-sticky"),
    ];
    for (name, value) in defaults {
        if address.option(name).is_none() && !(by_broker && name == "partition.assignment.strategy") {
            all.push((name.to_owned(), value.to_owned()));
        }
    }
    all.extend(
        [
            ("group.id", group),
            ("enable.auto.commit", "false"),
            ("enable.auto.offset.store", "false"),
            ("enable.partition.eof", if until_end { "true" } else { "false" }),
            ("queued.max.messages.kbytes", AHEAD),
            // With so little ahead, a pause of the usual second would empty it.
            ("fetch.queue.backoff.ms", "10"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned())),
    );
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(query: &str) -> Result<Options, String> {
        let address = Address::parse(&format!("kafka://b/t?{query}"), Role::Consumer, OPTIONS)?;
        Options::of(&address)
    }

    fn value<'a>(options: &'a Options, name: &str) -> Option<&'a str> {
        let mut found = options.settings.iter().filter(|(known, _)| known == name);
        let value = found.next().map(|(_, value)| value.as_str());
        assert!(found.next().is_none(), "{name} is set twice");
        value
    }

    #[test]
    fn a_consumer_starts_at_the_first_record_and_its_group_keeps_what_it_has() {
        let Ok(options) = of("group=g") else { panic!("it is taken") };
        for (name, expected) in [
            ("group.id", Some("g")),
            ("auto.offset.reset", Some("earliest")),
            ("isolation.level", Some("read_committed")),
            ("partition.assignment.strategy", Some("cooperative-sticky")),
            ("enable.auto.commit", Some("false")),
            ("enable.auto.offset.store", Some("false")),
            ("enable.partition.eof", Some("false")),
            ("session.timeout.ms", None),
        ] {
            assert_eq!(value(&options, name), expected, "{name}");
        }
        assert_eq!((options.format, options.until_end, options.start()), (Format::Raw, false, "at its first record"));
        let Ok(other) = of(
            "group=g&auto.offset.reset=latest&isolation.level=read_uncommitted&until=end&format=avro&schema=/s&drainMS=5",
        ) else {
            panic!("it is taken")
        };
        assert_eq!(value(&other, "auto.offset.reset"), Some("latest"));
        assert_eq!(value(&other, "isolation.level"), Some("read_uncommitted"));
        assert_eq!(value(&other, "enable.partition.eof"), Some("true"));
        assert_eq!((other.format, other.until_end, other.drain), (Format::Avro, true, Duration::from_millis(5)));
    }

    #[test]
    fn with_the_protocol_of_the_broker_neither_strategy_nor_times_are_sent() {
        let Ok(options) = of("group=g&group.protocol=consumer&group.remote.assignor=range") else {
            panic!("it is taken")
        };
        for name in ["partition.assignment.strategy", "session.timeout.ms", "heartbeat.interval.ms"] {
            assert_eq!(value(&options, name), None, "{name}");
            let Err(why) = of(&format!("group=g&group.protocol=consumer&{name}=1")) else { panic!("{name} was taken") };
            assert!(why.contains("the broker decides"), "{why}");
        }
        assert_eq!(value(&options, "group.protocol"), Some("consumer"));
    }

    #[test]
    fn options_that_mean_nothing_are_refused_with_a_sentence() {
        for (query, words) in [
            ("", "?group=NAME"),
            ("format=raw", "?group=NAME"),
            ("group=g&until=now", "until is end"),
            ("group=g&format=xml", "raw, json or avro"),
            ("group=g&registry=http://r", "format=avro"),
            ("group=g&format=json&schema=/s", "format=avro"),
            ("group=g&format=avro", "registry=URL"),
            ("group=g&group.protocol=new", "classic or consumer"),
            ("group=g&group.remote.assignor=x", "group.protocol=consumer"),
            ("group=g&drainMS=soon", "milliseconds"),
            ("group=g&group.id=x", "group=NAME"),
            ("group=g&enable.auto.commit=true", "durable"),
            ("group=g&acks=all", "acks"),
            ("group=g&format=avro&registryLogin=a:b", "registry=URL"),
        ] {
            let Err(why) = of(query) else { panic!("{query} was taken") };
            assert!(why.contains(words), "{query}: {why}");
        }
    }
}
