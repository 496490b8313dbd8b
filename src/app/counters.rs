//! All counters of all programs.

use super::pull::PULL;
use super::push::PUSH;
use crate::observe::counters::{CounterSpec, TABLE};
use crate::sink::registry::KINDS;
use crate::source::syslog;
use crate::worker::SINK;

/// Returns the lists of all counters: the [table](TABLE), and those that programs, sources and sinks declare.
pub fn lists() -> Vec<&'static [CounterSpec]> {
    let kinds = KINDS.iter().map(|kind| kind.counters);
    TABLE.into_iter().chain([SINK, syslog::COUNTERS, PUSH, PULL]).chain(kinds).collect()
}
