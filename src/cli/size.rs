//! The values of options that are numbers: bytes, times, counts, numbers of workers.

use std::time::Duration;

use crate::app::Workers;
use crate::core::wait::Deadline;

/// Parses a number of bytes: `262144`, `256KiB`, `1M`, `2GB`. The units `K`, `M` and `G` are binary, as in `dd` and `sort`.
pub fn bytes(text: &str) -> Result<usize, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let unit: usize = match text[digits.len()..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kib" => 1 << 10,
        "m" | "mib" => 1 << 20,
        "g" | "gib" => 1 << 30,
        "kb" => 1_000,
        "mb" => 1_000_000,
        "gb" => 1_000_000_000,
        unit => return Err(format!("no unit is called {unit}; write 262144, 256KiB, 1MiB or 1GB")),
    };
    let number: usize = digits.parse().map_err(|_| "not a number of bytes; write 262144, 256KiB or 1MiB".to_owned())?;
    number.checked_mul(unit).filter(|&bytes| bytes > 0).ok_or_else(|| "out of range".to_owned())
}

/// Parses the length of a message in bytes. PULL sockets accept at most 8 MiB.
pub fn message(text: &str) -> Result<usize, String> {
    let length = bytes(text)?;
    if length <= 8 << 20 { Ok(length) } else { Err("more than 8MiB is too much for a message".to_owned()) }
}

/// The default of `--max-memory` for pulled lines.
pub const PULL_MEMORY: &str = "2MiB";

/// Parses the memory for lines in bytes. The minimum is enough for one or two batches.
pub fn memory(text: &str) -> Result<usize, String> {
    let memory = bytes(text)?;
    if memory >= 1 << 16 { Ok(memory) } else { Err("less than 64KiB is too little".to_owned()) }
}

/// Parses seconds: `30`, `0.5`.
pub fn seconds(text: &str) -> Result<Duration, String> {
    let seconds: f64 = text.parse().map_err(|_| "not a number of seconds".to_owned())?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "not a number of seconds from 0 on".to_owned())
}

/// Parses a deadline: seconds, or `none`.
pub fn deadline(text: &str) -> Result<Deadline, String> {
    match text {
        "none" => Ok(Deadline::NONE),
        _ => seconds(text)
            .map(Deadline::of)
            .map_err(|_| "a number of seconds from 0 on, or none, is expected".to_owned()),
    }
}

/// Parses milliseconds: `500`.
pub fn milliseconds(text: &str) -> Result<Duration, String> {
    let most = 24 * 3600 * 1000;
    match text.parse() {
        Ok(ms) if ms <= most => Ok(Duration::from_millis(ms)),
        _ => Err("a whole number of milliseconds, a day at most, is expected".to_owned()),
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

/// Parses a count of at least one.
pub fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&count| count > 0).ok_or_else(|| "a whole number from 1 on is expected".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        for (text, expected) in
            [("1", 1), ("256KiB", 256 << 10), ("1M", 1 << 20), ("2mb", 2_000_000), ("3GiB", 3 << 30)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "0", "-1", "1.5M", "KiB", "1 KiB", "99999999999999999999", "9999999999999G", "1XB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

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
