//! The options for logs of containers.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::core::calendar::read_rfc3339;
use crate::core::error::Result;
use crate::core::option_spec::{Choice, Group, OptionSpec, OptionValues};
use crate::core::quantity::duration;

const WAYS: [Choice; 2] = [
    Choice {
        name: "auto",
        alias: None,
        help: "Read the files of the Engine where they can be read, and its API otherwise",
    },
    Choice { name: "api", alias: None, help: "Read through the API of the Engine only" },
];

/// The options as the user gives them.
pub(super) const OPTIONS: &[OptionSpec] = &[
    OptionSpec::switch("no-follow", Group::Input, "Read the logs of docker: inputs as far as they go now, and end"),
    OptionSpec::text("since", "TIME", Group::Input, "Leave out records of docker: inputs before this time")
        .check(|text| since(text, 0).map(drop))
        .more("TIME is a date with its zone, such as 2026-11-30T12:00:00Z, or how long ago it is, such as 90s, 10m, 2h or 3d."),
    OptionSpec::text("container-logs", "HOW", Group::Input, "How the logs of docker: inputs are read")
        .choices(&WAYS)
        .default("auto")
        .rare(),
];

/// The options for logs of containers.
#[derive(Debug, Clone, Copy)]
pub(super) struct Options {
    /// Whether to wait for more records and more containers.
    pub(super) follow: bool,
    /// Records before this time are left out, in nanoseconds since 1970.
    pub(super) since: Option<u64>,
    /// Whether only the API is used.
    pub(super) only_api: bool,
}

impl Options {
    /// Returns the options that the user gave.
    pub(super) fn of(values: &OptionValues) -> Result<Options> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let now = u64::try_from(now).unwrap_or(u64::MAX);
        Ok(Options {
            follow: !values.is_on("no-follow"),
            since: values.parsed("since", |text| since(text, now))?,
            only_api: values.text("container-logs") == Some("api"),
        })
    }
}

/// Parses a time, or how long before `now` it is. Times are nanoseconds since 1970.
fn since(text: &str, now: u64) -> Result<u64, String> {
    if let Some(ns) = read_rfc3339(text.as_bytes()) {
        return Ok(ns);
    }
    let has_unit = text.ends_with(|last: char| last.is_ascii_alphabetic());
    let ago = duration(text).ok().filter(|_| has_unit);
    let ago = ago.ok_or("a time such as 2026-11-30T12:00:00Z or 10m (ten minutes ago) is expected")?;
    Ok(now.saturating_sub(u64::try_from(ago.as_nanos()).unwrap_or(u64::MAX)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_date_or_a_duration_before_now() {
        let now = 200_000_000_000_000;
        for (text, time) in [
            ("1970-01-01T00:00:01Z", Some(1_000_000_000)),
            ("1970-01-01T01:00:01.5+01:00", Some(1_500_000_000)),
            ("10s", Some(now - 10_000_000_000)),
            ("2d", Some(now - 172_800_000_000_000)),
            ("9999h", Some(0)),
            ("10", None),
            ("s", None),
            ("-1s", None),
            ("1970-01-01", None),
            ("99999999999999999999s", None),
            ("99999999999999999999999y", None),
            ("ä", None),
        ] {
            assert_eq!(since(text, now).ok(), time, "{text}");
        }
    }
}
