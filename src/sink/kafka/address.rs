//! The addresses of Kafka sinks, as far as the program reads them without connecting.

use std::ffi::OsString;
use std::fmt;

use super::counters::COUNTERS;
use super::options::AVRO_SCHEMA;
use super::target::{Target, wrong};
use crate::core::error::{Error, Result};
use crate::core::secrets::interpolation;
use crate::kafka::address::PUBLIC_OPTIONS;
use crate::sink::api::AnySink;
use crate::sink::kind::{AddressText, InFlight, OpenSink, Opening, SinkAddress, SinkFile, SinkKind};

/// The kind `kafka://`.
pub static KIND: SinkKind = SinkKind {
    name: "kafka",
    schemes: &["kafka"],
    words: &[],
    syntax: &["kafka://BROKER[,BROKER…]/TOPIC"],
    help: "a topic of Apache Kafka; format=avro in the address writes Avro instead of JSON",
    options: &[AVRO_SCHEMA],
    has_login: true,
    public_options: PUBLIC_OPTIONS,
    counters: COUNTERS,
    knows_duplicates: false,
    in_flight: InFlight::Adaptive,
    parse,
};

/// An address as the user wrote it, and its parts.
pub struct KafkaAddress {
    /// The address with its references to secrets.
    given: String,
    target: Target,
}

fn parse(address: &AddressText<'_>) -> Result<Box<dyn SinkAddress>> {
    let target = Target::parse(address.text).map_err(|why| Error::usage(wrong(address.text, &why)))?;
    Ok(Box::new(KafkaAddress { given: address.given.into(), target }))
}

impl fmt::Display for KafkaAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.target.address.fmt(f)
    }
}

impl SinkAddress for KafkaAddress {
    fn to_argument(&self) -> OsString {
        self.given.clone().into()
    }

    /// Returns the files that parts of the address are read from: secrets, and the certificates and keys that its settings name.
    fn files(&self) -> Vec<SinkFile> {
        interpolation::files(&self.given).chain(self.target.address.files()).map(SinkFile::Read).collect()
    }
}

impl OpenSink for KafkaAddress {
    #[cfg(feature = "kafka")]
    fn open(&self, with: &Opening<'_>) -> Result<AnySink> {
        super::startup::open(&self.target, with)
    }

    #[cfg(not(feature = "kafka"))]
    fn open(&self, _with: &Opening<'_>) -> Result<AnySink> {
        Err(crate::sink::kind::not_built(self, "kafka"))
    }
}
