//! The values of options that are numbers: bytes, times, counts, numbers of workers.

use std::time::Duration;

use crate::app::{AUTO_IN_FLIGHT, Workers};
use crate::core::quantity::{duration, seconds};
use crate::core::wait::Deadline;
use crate::worker::Requests;
use crate::worker::scaling::Bounds;

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

/// Parses a number of requests in flight: `N`, `auto` or `MIN..MAX`.
pub fn in_flight(text: &str) -> Result<Requests, String> {
    let number = |text: &str| match text.parse() {
        Ok(number @ 1..=1024) => Ok(number),
        _ => Err("a number of batches from 1 to 1024, MIN..MAX, or auto".to_owned()),
    };
    match text.split_once("..") {
        None if text == "auto" => Ok(Requests::Adaptive(AUTO_IN_FLIGHT)),
        None => number(text).map(Requests::Fixed),
        Some((least, most)) => {
            let (least, most) = (number(least)?, number(most)?);
            if least > most { Err(SMALLER_FIRST.to_owned()) } else { Ok(Requests::Adaptive(Bounds { least, most })) }
        }
    }
}

/// Parses the time between two events: `5s`, `500ms`, `2min`, or seconds.
pub fn interval(text: &str) -> Result<Duration, String> {
    let time = duration(text)?;
    let range = Duration::from_millis(100)..=Duration::from_secs(24 * 3600);
    if range.contains(&time) { Ok(time) } else { Err("a time from 100ms to a day is expected".to_owned()) }
}

/// The error for bounds in the wrong order.
const SMALLER_FIRST: &str = "in MIN..MAX the first number is the smaller one";

/// Parses a number of workers that may grow: `N`, `auto` or `MIN..MAX`.
pub fn worker_range(text: &str) -> Result<Workers, String> {
    let Some((first, most)) = text.split_once("..") else { return workers(text) };
    let (first, most) = (workers(first)?.first, workers(most)?.most);
    if first > most {
        return Err(SMALLER_FIRST.to_owned());
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
    fn numbers_in_flight_are_one_number_or_two_in_their_order() {
        let between = |least, most| Ok(Requests::Adaptive(Bounds { least, most }));
        assert_eq!((in_flight("7"), in_flight("2..9")), (Ok(Requests::Fixed(7)), between(2, 9)));
        assert_eq!(in_flight("auto"), Ok(Requests::Adaptive(AUTO_IN_FLIGHT)));
        for wrong in ["0", "1025", "9..2", "..", "1..", "auto..3", "many", ""] {
            assert!(in_flight(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn an_interval_has_a_unit_or_is_in_seconds() {
        let read = |text| interval(text).map(|time| time.as_millis());
        assert_eq!(["5s", "0.5", "250ms", "2min"].map(read), [Ok(5000), Ok(500), Ok(250), Ok(120_000)]);
        for wrong in ["", "s", "0", "25h", "50ms", "-1s"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_lease_is_never_zero_or_endless() {
        assert!(lease("0").is_err() && lease("1e9").is_err() && lease("NaN").is_err() && lease("-1").is_err());
        assert_eq!(lease("0.5"), Ok(Duration::from_millis(500)));
    }
}
