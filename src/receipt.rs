//! The receipt: the closing account of a run, whose two sides must agree.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// What became of lines. Each line is counted in exactly one place.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Matched and stored, not there before.
    pub stored: u64,
    /// Already in the sink.
    pub duplicate: u64,
    /// Matched no pattern, and stored with the tag `_grokparsefailure`.
    pub unmatched: u64,
    /// Set aside with a reason.
    pub dead_lettered: u64,
    /// Dropped because the user asked for it.
    pub filtered: u64,
}

impl Tally {
    /// The number of lines accounted for.
    pub fn total(&self) -> u64 {
        let Tally { stored, duplicate, unmatched, dead_lettered, filtered } = *self;
        stored
            .saturating_add(duplicate)
            .saturating_add(unmatched)
            .saturating_add(dead_lettered)
            .saturating_add(filtered)
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.stored += other.stored;
        self.duplicate += other.duplicate;
        self.unmatched += other.unmatched;
        self.dead_lettered += other.dead_lettered;
        self.filtered += other.filtered;
    }
}

/// The account of one run of a queue, of `logator run`, or of one worker process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Lines taken in and worked on: the left side.
    pub read: u64,
    /// Lines that were read ahead and given back because the work ended early. They are not part of `read`.
    pub left: u64,
    /// What became of them: the right side.
    #[serde(flatten)]
    pub tally: Tally,
    /// Bytes of lines taken in, decompressed, newlines included.
    pub bytes: u64,
    /// Wall-clock time from the start of the work to its last ack.
    pub seconds: f64,
    /// `read / seconds`.
    pub lines_per_second: f64,
    /// Whether the two sides agree.
    pub agrees: bool,
    /// Whether the work came to its end; `false` after a signal, damaged input or a failed sink.
    pub finished: bool,
    /// Processor seconds, user and system, of this process.
    pub cpu_seconds: f64,
    /// The most memory this process held, in bytes.
    pub peak_memory_bytes: u64,
    /// What went wrong, one sentence each.
    pub errors: Vec<String>,
}

impl Receipt {
    /// Closes the account of `taken` lines, of which `left` were given back.
    pub fn new(taken: u64, left: u64, bytes: u64, tally: Tally, elapsed: Duration, errors: Vec<String>) -> Self {
        let read = taken.saturating_sub(left);
        let seconds = elapsed.as_secs_f64();
        let (cpu_seconds, peak_memory_bytes) = resource_usage();
        Receipt {
            read,
            left,
            tally,
            bytes,
            seconds,
            lines_per_second: if seconds > 0.0 { read as f64 / seconds } else { 0.0 },
            agrees: read == tally.total(),
            finished: errors.is_empty(),
            cpu_seconds,
            peak_memory_bytes,
            errors,
        }
    }

    /// The exit code that says the same as the receipt: 0 all stored, 1 some dead-lettered, 3 unfinished or unequal.
    pub fn exit_code(&self) -> u8 {
        if !self.agrees || !self.finished {
            3
        } else if self.tally.dead_lettered > 0 {
            1
        } else {
            0
        }
    }
}

/// Processor seconds and peak resident bytes of this process.
fn resource_usage() -> (f64, u64) {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return (0.0, 0) };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    // Linux keeps ru_maxrss across exec, so that it may be that of the process which started this one; it counts KiB.
    let peak = peak_of_this_program().unwrap_or(usage.max_rss().unsigned_abs() * 1024);
    (micros as f64 / 1e6, peak)
}

/// `VmHWM` of `/proc/self/status`, in bytes.
fn peak_of_this_program() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

impl fmt::Display for Receipt {
    /// The block for people. It ends without a newline.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.tally;
        let mark = if self.agrees { "=" } else { "≠" };
        writeln!(f, "receipt")?;
        writeln!(f, "  read           {:>14}", grouped(self.read))?;
        writeln!(f, "{mark} stored         {:>14}", grouped(t.stored))?;
        writeln!(f, "+ duplicate      {:>14}", grouped(t.duplicate))?;
        writeln!(f, "+ unmatched      {:>14}", grouped(t.unmatched))?;
        writeln!(f, "+ dead-lettered  {:>14}", grouped(t.dead_lettered))?;
        writeln!(f, "+ filtered       {:>14}", grouped(t.filtered))?;
        write!(
            f,
            "  {} in {:.3} s: {} lines/s",
            human_bytes(self.bytes),
            self.seconds,
            grouped(self.lines_per_second.round() as u64)
        )?;
        if !self.agrees {
            write!(
                f,
                "\n  the two sides differ by {}: lines are unaccounted for",
                grouped(self.read.abs_diff(t.total()))
            )?;
        }
        if !self.finished {
            write!(f, "\n  not finished")?;
            if self.left > 0 {
                write!(f, ": {} lines were read ahead and not stored", grouped(self.left))?;
            }
        }
        Ok(())
    }
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// Bytes with a decimal unit, as disks and networks count: `237.1 MB`.
pub fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["B", "kB", "MB", "GB", "TB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{value:.1} {}", UNITS[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receipt(read: u64, tally: Tally, errors: &[&str]) -> Receipt {
        let errors = errors.iter().map(|&error| error.to_owned()).collect();
        Receipt::new(read, 0, 1_234_567, tally, Duration::from_millis(500), errors)
    }

    #[test]
    fn the_exit_code_says_what_the_receipt_says() {
        let tally = Tally { stored: 1, duplicate: 2, unmatched: 3, dead_lettered: 0, filtered: 4 };
        let letters = Tally { dead_lettered: 1, ..tally };
        for (read, tally, errors, code) in [
            (10, tally, &[][..], 0),
            (0, Tally::default(), &[], 0),
            (11, letters, &[], 1),
            (11, tally, &[], 3),
            (9, tally, &[], 3),
            (10, letters, &[], 3),
            (10, tally, &["the disk is full"], 3),
            (11, letters, &["the disk is full"], 3),
        ] {
            let receipt = receipt(read, tally, errors);
            assert_eq!(receipt.exit_code(), code, "{receipt}");
            assert_eq!(receipt.agrees, read == tally.total());
        }
    }

    #[test]
    fn lines_that_were_given_back_are_on_neither_side() {
        let receipt =
            Receipt::new(15, 5, 0, Tally { stored: 10, ..Tally::default() }, Duration::ZERO, vec!["cut".into()]);
        assert!(receipt.agrees && receipt.read == 10 && receipt.exit_code() == 3);
        assert!(receipt.to_string().ends_with("not finished: 5 lines were read ahead and not stored"));
    }

    #[test]
    fn people_read_it_as_an_addition() {
        let tally = Tally { stored: 1_000_000, duplicate: 20, unmatched: 3, dead_lettered: 1, filtered: 0 };
        let expected = "\
receipt
  read                1,000,024
= stored              1,000,000
+ duplicate                  20
+ unmatched                   3
+ dead-lettered               1
+ filtered                    0
  1.2 MB in 0.500 s: 2,000,048 lines/s";
        assert_eq!(receipt(1_000_024, tally, &[]).to_string(), expected);
        let unequal = receipt(1_000_000, tally, &[]).to_string();
        assert!(
            unequal.contains("≠ stored") && unequal.contains("differ by 24: lines are unaccounted for"),
            "{unequal}"
        );
    }

    #[test]
    fn as_json_it_is_read_as_it_was_written() {
        let receipt = receipt(3, Tally { stored: 3, ..Tally::default() }, &["one", "two"]);
        let json = serde_json::to_string(&receipt).unwrap();
        assert_eq!(serde_json::from_str::<Receipt>(&json).unwrap(), receipt);
        assert!(json.starts_with(r#"{"read":3,"left":0,"stored":3,"duplicate":0,"#), "{json}");
    }
}
