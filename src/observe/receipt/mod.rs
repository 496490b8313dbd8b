//! The receipt: the closing account of a run, whose two sides must agree.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::printable;

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
    /// Given to a peer of the line dialogue, which asked for its next line afterwards. Whether it stored the line, nobody
    /// knows.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delivered: u64,
}

// What serde takes gets a reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Tally {
    /// The number of lines accounted for.
    pub fn total(&self) -> u64 {
        let Tally { stored, duplicate, unmatched, dead_lettered, filtered, delivered } = *self;
        stored
            .saturating_add(duplicate)
            .saturating_add(unmatched)
            .saturating_add(dead_lettered)
            .saturating_add(filtered)
            .saturating_add(delivered)
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.stored += other.stored;
        self.duplicate += other.duplicate;
        self.unmatched += other.unmatched;
        self.dead_lettered += other.dead_lettered;
        self.filtered += other.filtered;
        self.delivered += other.delivered;
    }
}

/// What one pattern has cost and given.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternCount {
    /// The format or pattern, as it was given.
    pub name: String,
    /// Lines it was tried on. Of several patterns, those that cannot match a line for want of a literal are not tried.
    pub tried: u64,
    /// Lines that it matched.
    pub matched: u64,
    /// Time spent on all of them, summed over threads: an estimate from the lines that were timed, about one in 32.
    pub nanoseconds: u64,
    /// Lines that were given up, because deciding about them took too much.
    pub limit_hits: u64,
}

/// The account of one run of a queue, of `logator run`, or of one worker process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Lines taken in and worked on: the left side.
    pub read: u64,
    /// Lines that were read ahead and given back because the work ended early. They are not part of `read`.
    pub left: u64,
    /// Lines that an earlier run settled (`--state`), and that were not delivered again. They are not part of `read`.
    #[serde(default)]
    pub resumed_lines: u64,
    /// Their bytes.
    #[serde(default)]
    pub resumed_bytes: u64,
    /// What became of the lines read: the right side.
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
    /// What each pattern has cost and given, in their order; nothing for a queue, which has none. Lines that were worked
    /// on twice, because a worker was lost, count twice.
    #[serde(default)]
    pub patterns: Vec<PatternCount>,
    /// What each input without an end has received.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<SourceCount>,
    /// Inputs that have an end and were left before it: by a signal, or because the work failed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<StoppedInput>,
    /// Followed files that held more than was read of them at the end. Another run reads it; with `--state`, it alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadFile>,
    /// What went wrong, one sentence each.
    pub errors: Vec<String>,
}

/// An input that has an end and was left before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedInput {
    /// The input, as a user knows it.
    pub name: String,
    /// How many bytes of its (decompressed) content were handed on; `None` where nobody knows.
    pub offset: Option<u64>,
}

/// A followed file that was not read to where it ended when it was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadFile {
    /// Its name.
    pub name: String,
    /// The bytes that it still held; of a compressed file, bytes as they stand on the disk.
    pub bytes: u64,
}

/// What one input without an end has received.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceCount {
    /// The input, with the port it had.
    pub name: String,
    /// Messages received.
    pub received: u64,
    /// Datagrams that the kernel dropped before they were read, because its buffer was full; `None` where there are none
    /// or nobody can know.
    #[serde(default)]
    pub dropped: Option<u64>,
    /// Connections that were let in.
    #[serde(default)]
    pub connections: u64,
    /// Connections that were refused or closed: too many, garbage, a failed handshake.
    #[serde(default)]
    pub refused: u64,
    /// Connections that were idle and were closed because others needed their places.
    #[serde(default)]
    pub idle: u64,
}

impl Receipt {
    /// The account of a job that did not begin, for the reason that `sentence` says.
    pub fn of_nothing(sentence: String) -> Self {
        Receipt::new(0, 0, 0, Tally::default(), Duration::ZERO, vec![sentence])
    }

    /// Closes the account of `taken` lines, of which `left` were given back.
    pub fn new(taken: u64, left: u64, bytes: u64, tally: Tally, elapsed: Duration, errors: Vec<String>) -> Self {
        let read = taken.saturating_sub(left);
        let seconds = elapsed.as_secs_f64();
        let (cpu_seconds, peak_memory_bytes) = resource_usage();
        Receipt {
            read,
            left,
            resumed_lines: 0,
            resumed_bytes: 0,
            tally,
            bytes,
            seconds,
            lines_per_second: if seconds > 0.0 { read as f64 / seconds } else { 0.0 },
            agrees: read == tally.total(),
            finished: errors.is_empty(),
            cpu_seconds,
            peak_memory_bytes,
            patterns: Vec::new(),
            sources: Vec::new(),
            stopped: Vec::new(),
            unread: Vec::new(),
            errors,
        }
    }

    /// The same with what was not read: an input that was left before its end means that the work is not finished.
    pub fn with_rest(self, stopped: Vec<StoppedInput>, unread: Vec<UnreadFile>) -> Self {
        let finished = self.finished && stopped.is_empty();
        Receipt { stopped, unread, finished, ..self }
    }

    /// The same with what was settled by an earlier run.
    pub fn with_resumed(self, resumed_lines: u64, resumed_bytes: u64) -> Self {
        Receipt { resumed_lines, resumed_bytes, ..self }
    }

    /// The same with the counts of patterns.
    pub fn with_patterns(self, patterns: Vec<PatternCount>) -> Self {
        Receipt { patterns, ..self }
    }

    /// The same with what inputs without an end have received.
    pub fn with_sources(self, sources: Vec<SourceCount>) -> Self {
        Receipt { sources, ..self }
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
        if t.delivered > 0 {
            writeln!(f, "+ delivered      {:>14}", grouped(t.delivered))?;
        }
        write!(
            f,
            "  {} in {:.3} s: {} lines/s",
            human_bytes(self.bytes),
            self.seconds,
            grouped(self.lines_per_second.round() as u64)
        )?;
        self.write_patterns(f)?;
        self.sources.iter().try_for_each(|source| write!(f, "\n  {source}"))?;
        if self.resumed_lines > 0 {
            let (lines, bytes) = (grouped(self.resumed_lines), human_bytes(self.resumed_bytes));
            write!(f, "\n  resumed: {lines} lines, {bytes}, were settled before and are not delivered again")?;
            if self.read == 0 && self.finished {
                write!(f, "; nothing was left to do")?;
            }
        }
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
        self.write_rest(f)
    }
}

impl fmt::Display for SourceCount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} messages received", printable::line(&self.name), grouped(self.received))?;
        if let Some(dropped) = self.dropped {
            write!(f, ", {} dropped by the kernel before they were read", grouped(dropped))?;
        }
        if self.connections + self.refused > 0 {
            write!(f, ", over {} connections", grouped(self.connections))?;
        }
        if self.refused > 0 {
            write!(f, "; {} refused or closed", grouped(self.refused))?;
        }
        if self.idle > 0 {
            write!(f, "; {} idle ones closed for others", grouped(self.idle))?;
        }
        Ok(())
    }
}

/// The most patterns shown to people, the most expensive first.
const SHOWN: usize = 10;

/// The most characters shown of a pattern's name, which may be its whole text.
const NAME: usize = 48;

/// The most inputs and files named to people of which something was not read.
const NAMED: usize = 5;

impl Receipt {
    /// What was not read.
    fn write_rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for StoppedInput { name, offset } in self.stopped.iter().take(NAMED) {
            let name = printable::line(name);
            match offset {
                Some(offset) => write!(f, "\n  {name}: read to byte {} of its content", grouped(*offset))?,
                None => write!(f, "\n  {name}: not read to its end")?,
            }
        }
        if self.stopped.len() > NAMED {
            write!(f, "\n  and {} inputs more, in the JSON receipt", self.stopped.len() - NAMED)?;
        }
        for UnreadFile { name, bytes } in self.unread.iter().take(NAMED) {
            write!(f, "\n  {}: {} bytes are left to the next run", printable::line(name), grouped(*bytes))?;
        }
        if self.unread.len() > NAMED {
            write!(f, "\n  and {} files more, in the JSON receipt", self.unread.len() - NAMED)?;
        }
        Ok(())
    }

    /// A line for each pattern, when there is something to compare or to complain about.
    fn write_patterns(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut patterns: Vec<&PatternCount> = self.patterns.iter().filter(|pattern| pattern.tried > 0).collect();
        if self.patterns.len() < 2 && patterns.iter().all(|pattern| pattern.limit_hits == 0) {
            return Ok(());
        }
        patterns.sort_by_key(|pattern| std::cmp::Reverse(pattern.nanoseconds));
        for pattern in patterns.iter().take(SHOWN) {
            let PatternCount { name, tried, matched, nanoseconds, limit_hits } = pattern;
            let cut = name.char_indices().nth(NAME).map_or(name.as_str(), |(end, _)| &name[..end]);
            let more = if cut.len() < name.len() { "…" } else { "" };
            let cut = printable::line(cut);
            let (tried, matched, each) = (grouped(*tried), grouped(*matched), grouped(nanoseconds / tried.max(&1)));
            write!(f, "\n  {cut}{more}: {tried} tried, {matched} matched, about {each} ns each")?;
            if *limit_hits > 0 {
                write!(f, ", {} given up", grouped(*limit_hits))?;
            }
        }
        if patterns.len() > SHOWN {
            write!(f, "\n  and {} patterns more, in the JSON receipt", patterns.len() - SHOWN)?;
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

    fn tally(stored: u64, dead_lettered: u64) -> Tally {
        Tally { stored, dead_lettered, ..Tally::default() }
    }

    fn receipt(taken: u64, left: u64, tally: Tally, errors: &[&str]) -> Receipt {
        let errors = errors.iter().map(|&error| error.into()).collect();
        Receipt::new(taken, left, 1_234_567, tally, Duration::from_millis(1500), errors)
    }

    #[test]
    fn the_exit_code_says_the_same_as_the_receipt() {
        for (taken, left, tally, errors, code) in [
            (3, 0, tally(3, 0), &[][..], 0),
            (0, 0, tally(0, 0), &[], 0),
            (3, 0, tally(2, 1), &[], 1),
            (3, 1, tally(2, 0), &["stopped"], 3),
            (3, 0, tally(2, 1), &["stopped"], 3),
            (3, 0, tally(2, 0), &[], 3),
            (3, 0, tally(4, 0), &[], 3),
            (3, 0, tally(1, 1), &[], 3),
        ] {
            assert_eq!(receipt(taken, left, tally, errors).exit_code(), code, "{taken} {left} {tally:?} {errors:?}");
        }
    }

    #[test]
    fn each_place_of_the_tally_counts() {
        let tally = Tally {
            stored: 1,
            duplicate: 20,
            unmatched: 300,
            dead_lettered: 4000,
            filtered: 50000,
            delivered: 600_000,
        };
        assert_eq!(tally.total(), 654_321);
        assert!(receipt(654_321, 0, tally, &[]).agrees);
        assert!(!receipt(54_321, 0, tally, &[]).agrees);
        let mut sum = tally;
        sum += tally;
        assert_eq!(sum.total(), 2 * 654_321);
    }

    #[test]
    fn people_read_one_account() {
        let tally = Tally {
            stored: 1_000_000,
            duplicate: 200_000,
            unmatched: 30_000,
            dead_lettered: 4_000,
            filtered: 567,
            delivered: 0,
        };
        let expected = "\
receipt
  read                1,234,567
= stored              1,000,000
+ duplicate             200,000
+ unmatched              30,000
+ dead-lettered           4,000
+ filtered                  567
  1.2 MB in 1.500 s: 823,045 lines/s";
        assert_eq!(receipt(1_234_567, 0, tally, &[]).to_string(), expected);
        let unequal = receipt(1_234_570, 0, tally, &[]).to_string();
        assert!(unequal.contains("\n≠ stored"), "{unequal}");
        assert!(unequal.ends_with("\n  the two sides differ by 3: lines are unaccounted for"), "{unequal}");
        let unfinished = receipt(1_235_567, 1_000, tally, &["stopped"]).to_string();
        assert!(unfinished.ends_with("\n  not finished: 1,000 lines were read ahead and not stored"), "{unfinished}");
    }

    #[test]
    fn what_an_earlier_run_settled_is_told_and_not_part_of_the_account() {
        let resumed = receipt(3, 0, tally(3, 0), &[]).with_resumed(1_000, 50_000);
        assert!(resumed.agrees && resumed.exit_code() == 0);
        let words = "\n  resumed: 1,000 lines, 50.0 kB, were settled before and are not delivered again";
        assert!(resumed.to_string().ends_with(words), "{resumed}");
        let nothing = receipt(0, 0, tally(0, 0), &[]).with_resumed(1_000, 50_000).to_string();
        assert!(nothing.ends_with(&format!("{words}; nothing was left to do")), "{nothing}");
        assert!(!receipt(3, 0, tally(3, 0), &[]).to_string().contains("resumed"));
    }

    #[test]
    fn what_one_line_peers_were_given_has_a_place_of_its_own() {
        let tally = Tally { delivered: 7, ..tally(3, 0) };
        let closed = receipt(10, 0, tally, &[]);
        assert!(closed.agrees && closed.exit_code() == 0);
        assert!(
            closed.to_string().contains("+ filtered                    0\n+ delivered                   7\n"),
            "{closed}"
        );
        let json = serde_json::to_string(&closed).unwrap();
        assert!(json.contains(r#""delivered":7"#), "{json}");
        // A receipt that was written before there was such a count.
        let old: Receipt = serde_json::from_str(&json.replace(r#""delivered":7,"#, "")).unwrap();
        assert_eq!(old.tally.delivered, 0);
    }

    fn pattern(name: &str, tried: u64, nanoseconds: u64, limit_hits: u64) -> PatternCount {
        PatternCount { name: name.into(), tried, matched: tried / 2, nanoseconds, limit_hits }
    }

    #[test]
    fn patterns_are_shown_when_there_are_several_or_one_gave_up_the_most_expensive_first() {
        let shown = |patterns: &[PatternCount]| {
            let receipt = receipt(1, 0, tally(1, 0), &[]).with_patterns(patterns.to_vec()).to_string();
            let lines = receipt.lines().skip_while(|line| !line.contains("lines/s")).skip(1);
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(shown(&[]), [""; 0]);
        assert_eq!(shown(&[pattern("combined", 1000, 100_000, 0)]), [""; 0]);
        assert_eq!(
            shown(&[pattern("combined", 1000, 100_000, 7)]),
            ["  combined: 1,000 tried, 500 matched, about 100 ns each, 7 given up"]
        );
        let long = "%{NOTSPACE:a} ".repeat(9);
        let lines = shown(&[pattern("cheap", 10, 10, 0), pattern(&long, 10, 90_000, 0), pattern("untried", 0, 0, 0)]);
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("%{NOTS…: 10 tried, 5 matched, about 9,000 ns each"), "{lines:?}");
        assert_eq!(lines[1], "  cheap: 10 tried, 5 matched, about 1 ns each");
        let many: Vec<PatternCount> = (0..50).map(|index| pattern("p", 1, index, 0)).collect();
        assert_eq!(shown(&many).len(), 11);
        assert_eq!(shown(&many)[10], "  and 40 patterns more, in the JSON receipt");
    }

    #[test]
    fn a_receipt_is_read_back_as_it_was_written() {
        let receipt = receipt(5, 1, tally(3, 1), &["the disk is full"]).with_patterns(vec![pattern("a", 5, 9, 1)]);
        let json = serde_json::to_string(&receipt).unwrap();
        assert_eq!(serde_json::from_str::<Receipt>(&json).unwrap(), receipt);
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        for key in ["read", "stored", "duplicate", "unmatched", "dead_lettered", "filtered", "agrees", "finished"] {
            assert!(value.get(key).is_some(), "{key} is at the top");
        }
    }

    #[test]
    fn numbers_are_grouped_and_bytes_have_units() {
        assert_eq!([0, 999, 1000, 1_000_000].map(grouped), ["0", "999", "1,000", "1,000,000"]);
        assert_eq!([0, 999, 1000, 237_100_000].map(human_bytes), ["0 B", "999 B", "1.0 kB", "237.1 MB"]);
    }
}
