//! All counters of all programs.

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
    TABLE.into_iter().chain([SINK, PUSH, PULL]).chain(sources).chain(sinks).collect()
}
