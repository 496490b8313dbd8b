//! Values that several programs take: endpoints, sinks, the source of a worker's lines, envelopes.

use clap::ValueEnum;

use crate::app::SOURCES;
use crate::core::error::Result;
use crate::envelope::Envelope;
use crate::net::endpoint::Endpoint;
use crate::sink::SinkSpec;
use crate::source::kind::Place;

/// Parses an endpoint of a queue or a worker.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).map_err(|error| error.to_string())
}

/// Parses an endpoint of push or pull.
pub(super) fn push_endpoint(text: &str) -> Result<Endpoint, String> {
    if text.starts_with("kafka://") {
        return Err("this version does not speak to Kafka: an endpoint is ipc://PATH or tcp://HOST:PORT".to_owned());
    }
    endpoint(text)
}

/// Parses the address of a sink.
pub(super) fn sink(text: &str) -> Result<SinkSpec, String> {
    SinkSpec::parse(text).map_err(|error| error.to_string())
}

/// Where a worker's lines come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FromArg {
    /// A queue.
    Queue(Endpoint),
    /// The name of a source, such as `pull+…`.
    Source(String),
}

/// Parses a value of `--from`.
pub(super) fn from(text: &str) -> Result<FromArg, String> {
    match SOURCES.is_one(text, Place::From) {
        true => Ok(FromArg::Source(text.to_owned())),
        false => endpoint(text).map(FromArg::Queue),
    }
}

/// `--envelope`
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum EnvelopeArg {
    /// A message is a line
    None,
    /// A message is {"message":LINE,"type":TYPE,"@pid":PID}
    Json,
}

impl EnvelopeArg {
    /// Returns the envelope that the parser opens.
    pub(super) fn envelope(self) -> Envelope {
        match self {
            EnvelopeArg::None => Envelope::None,
            EnvelopeArg::Json => Envelope::Json,
        }
    }
}
