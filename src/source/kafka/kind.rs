//! Topics of Kafka, as the user names them.

use super::counters::COUNTERS;
use super::options::{OPTIONS, Options};
use crate::core::error::{Error, Result};
use crate::core::secrets::{interpolation, masked};
use crate::kafka::{Address, Role};
use crate::source::kind::{Found, Place, SourceKind};
use crate::source::multiline;

const SCHEME: &str = "kafka://";

/// Topics of Kafka.
pub const KIND: SourceKind = SourceKind {
    names: &["kafka://BROKERS/TOPIC?group=G for a topic of Kafka"],
    help: "kafka://BROKERS/TOPIC?group=G reads a topic of Kafka as a member of the group G, and commits offsets when the sinks have \
           stored the documents. With &until=end it ends where the topic ends now.",
    places: &[Place::Input, Place::From],
    elsewhere: "topics of Kafka are read by logator run, logator-queue and logator-worker",
    counters: COUNTERS,
    claims: |name, _| name.starts_with(SCHEME),
    find: |names, context, found| {
        multiline::refuse(context.values, "messages of Kafka")?;
        for name in names {
            let (address, options) = parse(name.text)?;
            add(found, name.index, address, options)?;
        }
        Ok(())
    },
    ..SourceKind::NONE
};

#[cfg(feature = "kafka")]
fn add(found: &mut Found, index: usize, address: Address, options: Options) -> Result<()> {
    found.add_once(index, super::source::KafkaSource::new(address, options));
    Ok(())
}

#[cfg(not(feature = "kafka"))]
fn add(_: &mut Found, _: usize, address: Address, _: Options) -> Result<()> {
    Err(Error::usage(format!("{address}: this build was made without it (the feature kafka)")))
}

/// Parses a name. `${NAME}` and `${file:PATH}` in it stand for secrets.
fn parse(text: &str) -> Result<(Address, Options)> {
    let expanded = interpolation::expand("input", text, &|name| interpolation::follow("input", name))?;
    let address = Address::parse(expanded.as_deref().unwrap_or(text), Role::Consumer, OPTIONS);
    let with_options = address.and_then(|address| Options::of(&address).map(|options| (address, options)));
    with_options.map_err(|why| Error::usage(format!("{}: {why}", masked(text))))
}
