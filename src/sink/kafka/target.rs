//! [`Target`]: the address of a Kafka sink with the meaning of its options.

use std::time::Duration;

use crate::core::secrets::masked;
use crate::event::FieldPath;
use crate::kafka::address::REGISTRY_OPTIONS;
use crate::kafka::settings::settings;
use crate::kafka::{Address, Role};

/// The options of an address of documents, as the documentation writes them.
const OPTIONS: &[&str] = &[
    "format",
    "key",
    "register",
    REGISTRY_OPTIONS[0],
    REGISTRY_OPTIONS[1],
    REGISTRY_OPTIONS[2],
    "serverSelectionTimeoutMS",
    "sinkDeadlineMS",
];

/// The options of an address of records, which are written as they were read.
pub(super) const RECORD_OPTIONS: &[&str] = &["serverSelectionTimeoutMS", "sinkDeadlineMS"];

/// How long the brokers may take to answer at the start.
const SELECTION: Duration = Duration::from_secs(5);

/// The encoding of documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Format {
    /// JSON.
    Json,
    /// Avro.
    Avro {
        /// Whether there is a schema registry.
        has_registry: bool,
        /// Whether a schema that the registry does not have is registered.
        register: bool,
    },
}

/// A parsed address.
#[derive(Clone)]
pub(super) struct Target {
    pub address: Address,
    pub format: Format,
    /// The field whose value is the key of a message.
    pub key: Option<FieldPath>,
    /// The time that the sink may keep the job waiting, if the address sets it.
    pub deadline: Option<Duration>,
    /// How long the brokers may take to answer at the start.
    pub selection_timeout: Duration,
}

impl Target {
    /// Reads an address of documents.
    ///
    /// # Errors
    /// The end of a sentence for the user. It shows no secret.
    pub fn parse(text: &str) -> Result<Target, String> {
        let address = Address::parse(text, Role::Producer, OPTIONS)?;
        let has_registry = address.option(REGISTRY_OPTIONS[0]).is_some();
        let register = address.truth("register", true)?;
        let is_register_given = address.option("register").is_some();
        let format = match address.option("format").unwrap_or("json") {
            "json" if has_registry || is_register_given => {
                return Err("registry and register belong to format=avro".to_owned());
            }
            "json" => Format::Json,
            "avro" if is_register_given && !has_registry => {
                return Err("register belongs to a schema registry, registry=URL".to_owned());
            }
            "avro" => Format::Avro { has_registry, register },
            _ => return Err("format is json or avro".to_owned()),
        };
        let key = address.option("key").map(FieldPath::new).transpose().map_err(|error| error.to_string())?;
        Target::with(address, format, key)
    }

    /// Reads an address of records, which have no fields.
    ///
    /// # Errors
    /// The end of a sentence for the user. It shows no secret.
    pub fn parse_for_records(text: &str) -> Result<Target, String> {
        Target::with(Address::parse(text, Role::Producer, RECORD_OPTIONS)?, Format::Json, None)
    }

    fn with(address: Address, format: Format, key: Option<FieldPath>) -> Result<Target, String> {
        // A login that is never sent, or a certificate that is never used, is found before anything is connected.
        settings(&address, Role::Producer)?;
        let deadline = address.milliseconds("sinkDeadlineMS")?;
        let selection_timeout = address.milliseconds("serverSelectionTimeoutMS")?.unwrap_or(SELECTION);
        Ok(Target { address, format, key, deadline, selection_timeout })
    }
}

/// Returns the sentence about an address that is not understood.
pub(super) fn wrong(text: &str, why: &str) -> String {
    format!("sink {}: {why}", masked(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_have_a_meaning_and_defaults() {
        let plain = Target::parse("kafka://h/t").unwrap();
        assert_eq!((plain.format, plain.key.is_none(), plain.deadline), (Format::Json, true, None));
        assert_eq!(plain.selection_timeout, SELECTION);
        let all = "kafka://h/t?format=avro&registry=http://r:8081&register=false&key=[client][ip]&sinkDeadlineMS=7\
                   &serverselectiontimeoutms=9";
        let all = Target::parse(all).unwrap();
        assert_eq!(all.format, Format::Avro { has_registry: true, register: false });
        assert!(all.key.is_some());
        assert_eq!((all.deadline, all.selection_timeout), (Some(Duration::from_millis(7)), Duration::from_millis(9)));
        let frame = Target::parse("kafka://h/t?format=avro").unwrap();
        assert_eq!(frame.format, Format::Avro { has_registry: false, register: true });
    }

    #[test]
    fn options_that_do_not_fit_together_are_refused() {
        for text in [
            "kafka://h/t?format=xml",
            "kafka://h/t?registry=http://r",
            "kafka://h/t?register=true",
            "kafka://h/t?format=avro&register=true",
            "kafka://h/t?format=avro&registry=http://r&register=maybe",
            "kafka://h/t?format=avro&registryLogin=a:b",
            "kafka://h/t?key=[a",
            "kafka://h/t?sasl.username=a",
            "kafka://h/t?group=g",
            "kafka://h/t?sinkDeadlineMS=0",
        ] {
            assert!(Target::parse(text).is_err(), "{text}");
        }
        assert!(Target::parse_for_records("kafka://h/t?key=a").is_err());
        assert!(Target::parse_for_records("kafka://h/t?linger.ms=1&sinkDeadlineMS=5").is_ok());
    }
}
