//! Values that several programs take: endpoints, sinks, the source of a worker's lines, envelopes.

use std::fmt;

use clap::ValueEnum;

use crate::app::SOURCES;
use crate::core::error::{Error, Result};
use crate::core::secrets::masked;
use crate::envelope::Envelope;
use crate::net::endpoint::Endpoint;
use crate::sink::SinkSpec;
use crate::source::kind::Place;

/// Parses an endpoint of a queue or a worker.
pub(super) fn endpoint(text: &str) -> Result<Endpoint, String> {
    Endpoint::parse(text).map_err(|error| error.to_string())
}

/// Parses an endpoint at which push or pull listens.
pub(super) fn push_endpoint(text: &str) -> Result<Endpoint, String> {
    if is_topic(text) {
        return Err("kafka:// is only connected to: logator-push --connect kafka://BROKERS/TOPIC".to_owned());
    }
    endpoint(text)
}

/// A peer of push or pull to connect to.
#[derive(Clone)]
pub enum PeerArg {
    /// A socket of ZeroMQ.
    Socket(Endpoint),
    /// The address of a topic of Kafka, as the user wrote it.
    Topic(String),
}

impl fmt::Debug for PeerArg {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            PeerArg::Socket(endpoint) => endpoint.fmt(f),
            // It may hold a password.
            PeerArg::Topic(text) => f.write_str(&masked(text)),
        }
    }
}

impl PeerArg {
    /// Returns the endpoint of ZeroMQ.
    ///
    /// # Errors
    /// A usage error for a topic.
    pub(super) fn endpoint(&self) -> Result<Endpoint> {
        match self {
            PeerArg::Socket(endpoint) => Ok(endpoint.clone()),
            PeerArg::Topic(text) => Err(Error::usage(format!(
                "{}: an endpoint is ipc://PATH or tcp://HOST:PORT; logator-push --connect writes to a topic, and \
                 logator-worker --from reads one",
                masked(text)
            ))),
        }
    }
}

fn is_topic(text: &str) -> bool {
    text.starts_with("kafka://")
}

/// Parses a peer of push or pull to connect to.
pub(super) fn peer(text: &str) -> Result<PeerArg, String> {
    match is_topic(text) {
        true => Ok(PeerArg::Topic(text.to_owned())),
        false => endpoint(text).map(PeerArg::Socket),
    }
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
    /// A message is opened if it is the object of zmqpush (default)
    Auto,
    /// A message is a line
    None,
    /// A message is {"message":LINE,"type":TYPE,"@pid":PID}
    Json,
}

impl EnvelopeArg {
    /// Returns the envelope that the parser opens.
    pub(super) fn envelope(self) -> Envelope {
        match self {
            EnvelopeArg::Auto => Envelope::Pushed,
            EnvelopeArg::None => Envelope::None,
            EnvelopeArg::Json => Envelope::Json,
        }
    }
}
