//! [`Summary`]: what became of each URL, for the table, the page and the receipt.

use std::collections::BTreeMap;

use serde::Serialize;

use super::list::Entry;
use super::tally::{Quantiles, Tally};

/// What became of each URL, in the order of the file.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Summary(pub Vec<UrlSummary>);

/// What became of one URL.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct UrlSummary {
    /// The URL, without user and password.
    pub url: String,
    /// The method.
    pub method: String,
    /// The name that the user gave to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The seconds from one request to the next.
    pub interval_seconds: f64,
    /// Whether a new file has removed it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub removed: bool,
    /// The occurrences that were requested.
    pub requests: u64,
    /// Those that failed.
    pub errors: u64,
    /// The occurrences that were due and were not requested.
    pub missed: u64,
    /// How often each class of error came.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub error_classes: BTreeMap<&'static str, u64>,
    /// Microseconds from the start of a request to its end.
    pub latency_us: Option<Quantiles>,
    /// Microseconds from the time at which a request was due to its end, with missed occurrences.
    pub with_lateness_us: Option<Quantiles>,
}

impl UrlSummary {
    /// Returns what became of `entry`.
    pub fn new(entry: &Entry, is_active: bool, tally: &Tally) -> UrlSummary {
        UrlSummary {
            url: entry.request.target.to_string(),
            method: entry.request.method.to_string(),
            name: entry.request.name.clone(),
            interval_seconds: entry.interval.as_secs_f64(),
            removed: !is_active,
            requests: tally.requests,
            errors: tally.errors,
            missed: tally.missed,
            error_classes: tally.classes().into_iter().collect(),
            latency_us: tally.plain(),
            with_lateness_us: tally.late(),
        }
    }

    /// Returns the words for the URL in a table: name, method unless it is GET, URL.
    pub fn label(&self) -> String {
        let name = self.name.as_ref().map(|name| format!("{name}: ")).unwrap_or_default();
        let method = if self.method == "GET" { String::new() } else { format!("{} ", self.method) };
        let removed = if self.removed { " (removed)" } else { "" };
        format!("{name}{method}{}{removed}", self.url)
    }
}

/// Returns microseconds as milliseconds with three digits or more: `0.123`, `1.23`, `12.3`, `1234`.
pub fn milliseconds(us: u64) -> String {
    let ms = us as f64 / 1000.0;
    match us {
        0..1_000 => format!("{ms:.3}"),
        1_000..9_995 => format!("{ms:.2}"),
        9_995..99_950 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn milliseconds_have_three_digits_or_more() {
        for (us, shown) in [
            (0, "0.000"),
            (999, "0.999"),
            (1_000, "1.00"),
            (9_994, "9.99"),
            (9_999, "10.0"),
            (99_960, "100"),
            (1_234_567, "1235"),
        ] {
            assert_eq!(milliseconds(us), shown);
        }
    }
}
