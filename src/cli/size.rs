//! The values of options that are numbers: bytes, times, counts, numbers of workers.

use std::time::Duration;

use crate::app::Workers;
use crate::core::quantity::seconds;
use crate::core::wait::Deadline;

/// The default of `--max-memory` for pulled lines.
pub const PULL_MEMORY: &str = "2MiB";

/// Parses a deadline: seconds, or `none`.
pub fn deadline(text: &str) -> Result<Deadline, String> {
    match text {
        "none" => Ok(Deadline::NONE),
        _ => seconds(text)
            .map(Deadline::of)
            .map_err(|_| "a number of seconds from 0 on, or none, is expected".to_owned()),
    }
}

/// Parses the time of a lease in seconds. The upper limit fits into the field of the wire format.
pub fn lease(text: &str) -> Result<Duration, String> {
    let lease = seconds(text)?;
    let range = Duration::from_millis(100)..=Duration::from_secs(7 * 24 * 3600);
    if range.contains(&lease) { Ok(lease) } else { Err("a lease is 0.1 seconds to 7 days".to_owned()) }
}

/// Parses a number of workers, or `auto` for one a core.
pub fn workers(text: &str) -> Result<Workers, String> {
    match text {
        "auto" => Ok(Workers::one_a_core()),
        number => match number.parse() {
            Ok(workers @ 1..=1024) => Ok(Workers::fixed(workers)),
            _ => Err("a number of workers from 1 to 1024, or auto for one a core".to_owned()),
        },
    }
}

/// Parses a number of workers that may grow: `N`, `auto` or `MIN..MAX`.
pub fn worker_range(text: &str) -> Result<Workers, String> {
    let Some((first, most)) = text.split_once("..") else { return workers(text) };
    let (first, most) = (workers(first)?.first, workers(most)?.most);
    if first > most {
        return Err("in MIN..MAX the first number is the smaller one".to_owned());
    }
    Ok(Workers { first, most })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_seconds_or_none() {
        assert_eq!((deadline("none"), deadline("2")), (Ok(Deadline::NONE), Ok(Deadline::of(Duration::from_secs(2)))));
        assert!(deadline("-1").is_err() && deadline("soon").is_err() && deadline("").is_err());
    }

    #[test]
    fn a_lease_is_never_zero_or_endless() {
        assert!(lease("0").is_err() && lease("1e9").is_err() && lease("NaN").is_err() && lease("-1").is_err());
        assert_eq!(lease("0.5"), Ok(Duration::from_millis(500)));
    }
}
