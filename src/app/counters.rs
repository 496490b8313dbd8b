//! All counters of all programs.

#[cfg(feature = "probe")]
use super::probe::PROBE;
use super::pull::PULL;
use super::push::PUSH;
use super::sources::SOURCES;
use crate::observe::counters::{CounterSpec, TABLE};
use crate::sink::registry::KINDS;
use crate::worker::SINK;

/// Returns the lists of all counters: the [table](TABLE), and those that programs, sources and sinks declare.
pub fn lists() -> Vec<&'static [CounterSpec]> {
    let sources = SOURCES.0.iter().map(|kind| kind.counters);
    let sinks = KINDS.iter().map(|kind| kind.counters);
    let programs = [
        SINK,
        PUSH,
        PULL,
        #[cfg(feature = "probe")]
        PROBE,
    ];
    TABLE.into_iter().chain(programs).chain(sources).chain(sinks).collect()
}
