//! [`Counters`]: counters that threads share.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{CounterSpec, Row};

/// The value of a counter that is not known.
const UNKNOWN: u64 = u64::MAX;

/// The values of one list of counters. Threads count up at the same time.
#[derive(Debug)]
pub struct Counters {
    list: &'static [CounterSpec],
    values: Box<[AtomicU64]>,
}

impl Counters {
    /// Creates the counters of `list`, at 0.
    pub fn new(list: &'static [CounterSpec]) -> Counters {
        Counters { list, values: list.iter().map(|_| AtomicU64::new(0)).collect() }
    }

    /// Marks the value of `spec` as unknown, until it is [replaced](Counters::replace).
    pub fn without(self, spec: &CounterSpec) -> Counters {
        self.replace(spec, UNKNOWN);
        self
    }

    fn value(&self, spec: &CounterSpec) -> Option<&AtomicU64> {
        let at = self.list.iter().position(|known| known.number == spec.number);
        debug_assert!(at.is_some(), "{} is not in the list", spec.name);
        at.and_then(|at| self.values.get(at))
    }

    /// Adds `amount` to the value of `spec`.
    #[inline]
    pub fn add(&self, spec: &CounterSpec, amount: u64) {
        if let Some(value) = self.value(spec) {
            value.fetch_add(amount, Ordering::Relaxed);
        }
    }

    /// Sets the value of `spec` to a total that somebody else counted. Returns the value before; 0 if it was unknown.
    pub fn replace(&self, spec: &CounterSpec, total: u64) -> u64 {
        let before = self.value(spec).map_or(0, |value| value.swap(total, Ordering::Relaxed));
        if before == UNKNOWN { 0 } else { before }
    }

    /// Returns the value of `spec`; 0 if it is unknown.
    pub fn get(&self, spec: &CounterSpec) -> u64 {
        let value = self.value(spec).map_or(0, |value| value.load(Ordering::Relaxed));
        if value == UNKNOWN { 0 } else { value }
    }

    /// Returns all values, with `label` as the name of the thing that they belong to.
    pub fn row(&self, label: impl Into<String>) -> Row {
        let known = |value: &AtomicU64| Some(value.load(Ordering::Relaxed)).filter(|value| *value != UNKNOWN);
        Row { label: label.into(), counts: self.list.iter().zip(self.values.iter().map(known)).collect() }
    }
}
