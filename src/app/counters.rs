//! All counters of all programs.

use super::pull::PULL;
use super::push::PUSH;
use crate::observe::counters::{CounterSpec, TABLE};
use crate::source::syslog;

/// Returns the lists of all counters: the [table](TABLE), and those that programs and sources declare.
pub fn lists() -> Vec<&'static [CounterSpec]> {
    TABLE.into_iter().chain([syslog::COUNTERS, PUSH, PULL]).collect()
}
