//! Numbers as people write them in options: bytes, times, counts.

use std::time::Duration;

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

/// Parses a time with its unit: `500ms`, `5s`, `2min`, `1.5h`, `3d`. Without a unit, these are seconds.
pub fn duration(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|letter: char| letter.is_ascii_alphabetic());
    let factor = match &text[digits.len()..] {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        "d" => 86_400.0,
        unit => return Err(format!("no unit is called {unit}; write 500ms, 5s, 2min, 1h or 3d")),
    };
    let number: f64 = digits.parse().map_err(|_| "not a time; write 500ms, 5s, 2min, 1h or 3d".to_owned())?;
    Duration::try_from_secs_f64(number * factor).map_err(|_| "a time from 0 on is expected".to_owned())
}

/// Parses milliseconds: `500`.
pub fn milliseconds(text: &str) -> Result<Duration, String> {
    let most = 24 * 3600 * 1000;
    match text.parse() {
        Ok(ms) if ms <= most => Ok(Duration::from_millis(ms)),
        _ => Err("a whole number of milliseconds, a day at most, is expected".to_owned()),
    }
}

/// Parses a count of at least one.
pub fn count(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&count| count > 0).ok_or_else(|| "a whole number from 1 on is expected".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_has_a_unit_or_is_in_seconds() {
        let read = |text| duration(text).map(|time| time.as_millis());
        assert_eq!(["5s", "0.5", "250ms", "2min"].map(read), [Ok(5000), Ok(500), Ok(250), Ok(120_000)]);
        assert_eq!(["10m", "1.5h", "3d", "0"].map(read), [Ok(600_000), Ok(5_400_000), Ok(259_200_000), Ok(0)]);
        for wrong in ["", "s", "5y", "-1s", "NaN", "infs", "1e300", "ä", "5 s"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

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
}
