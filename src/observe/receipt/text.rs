//! The receipt as text: the block that people see on standard error.

use std::fmt;

use super::account::{Counted, Loss, ReadContainer, Receipt, StoppedInput, UnreadFile, Way};
use crate::core::numbers::{grouped, human_bytes};
use crate::core::printable;
use crate::observe::counters::{
    AMBIGUOUS, FILTERED_HEADER, FOLDS, GUESSED_YEARS, LIMIT_HITS, MATCHED, NANOSECONDS, NULS, TAGGED, TRIED, ZONELESS,
};

/// The number of patterns shown, the slowest first.
const SHOWN_PATTERNS: usize = 10;

/// The number of characters shown of a pattern's name. The name may be the whole pattern.
const NAME_LENGTH: usize = 48;

/// The number of tags shown, the most frequent first.
const SHOWN_TAGS: usize = 10;

/// The number of stopped inputs shown, and of unread files.
const SHOWN_INPUTS: usize = 5;

impl fmt::Display for Receipt {
    /// Writes the block without a newline at its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_account(f)?;
        self.write_patterns(f)?;
        self.write_tags(f)?;
        // The account of a single sink is that of the lines.
        let sinks = if self.sinks.len() > 1 { &self.sinks[..] } else { &[] };
        for Counted { name, words, .. } in self.stages.iter().chain(sinks).chain(&self.sources) {
            if !words.is_empty() {
                write!(f, "\n  {}{words}", printable::line(name))?;
            }
        }
        self.write_dates(f)?;
        self.write_containers(f)?;
        self.write_left_out(f)?;
        self.write_resumed(f)?;
        if !self.agrees {
            let difference = grouped(self.read.abs_diff(self.tally.total()));
            write!(f, "\n  the two sides differ by {difference}: lines are unaccounted for")?;
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

impl Receipt {
    /// Writes the two sides of the account, and the throughput.
    fn write_account(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let t = &self.tally;
        let mark = if self.agrees { "=" } else { "≠" };
        let stored = grouped(t.newly_stored());
        let (parsed, unparsed) = (grouped(t.stored), grouped(t.unmatched));
        writeln!(f, "receipt")?;
        let has_lines = self.lines > self.read;
        let beside = if has_lines { format!(" ({} lines)", grouped(self.lines)) } else { String::new() };
        writeln!(f, "  read           {:>14}{beside}", grouped(self.read))?;
        writeln!(f, "{mark} stored         {stored:>14} ({parsed} parsed + {unparsed} unparsed)")?;
        writeln!(f, "+ duplicate      {:>14}", grouped(t.duplicate))?;
        writeln!(f, "+ dead-lettered  {:>14}", grouped(t.dead_lettered))?;
        let header = match self.others.get(FILTERED_HEADER.name) {
            Some(1..) => format!(" ({} header)", grouped(self.others[FILTERED_HEADER.name])),
            _ => String::new(),
        };
        writeln!(f, "+ filtered       {:>14}{header}", grouped(t.filtered))?;
        if t.joined > 0 {
            writeln!(f, "+ joined         {:>14}", grouped(t.joined))?;
        }
        if t.delivered > 0 {
            writeln!(f, "+ delivered      {:>14}", grouped(t.delivered))?;
        }
        write!(
            f,
            "  {} in {:.3} s: {} lines/s",
            human_bytes(self.bytes),
            self.seconds,
            grouped(self.lines_per_second.round() as u64)
        )
    }

    /// Writes a line for each pattern if there are several patterns, or if lines were given up.
    fn write_patterns(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = |pattern: &Counted| [TRIED, MATCHED, NANOSECONDS, LIMIT_HITS].map(|spec| pattern.get(spec.name));
        let mut patterns: Vec<_> = self.patterns.iter().map(|pattern| (&pattern.name, counts(pattern))).collect();
        patterns.retain(|(_, [tried, ..])| *tried > 0);
        if self.patterns.len() < 2 && patterns.iter().all(|(_, [.., limit_hits])| *limit_hits == 0) {
            return Ok(());
        }
        patterns.sort_by_key(|(_, [_, _, nanoseconds, _])| std::cmp::Reverse(*nanoseconds));
        for (name, [tried, matched, nanoseconds, limit_hits]) in patterns.iter().take(SHOWN_PATTERNS) {
            let cut = name.char_indices().nth(NAME_LENGTH).map_or(name.as_str(), |(end, _)| &name[..end]);
            let more = if cut.len() < name.len() { "…" } else { "" };
            let cut = printable::line(cut);
            let (tried, matched, each) = (grouped(*tried), grouped(*matched), grouped(nanoseconds / tried.max(&1)));
            write!(f, "\n  {cut}{more}: {tried} tried, {matched} matched, about {each} ns each")?;
            if *limit_hits > 0 {
                write!(f, ", {} given up", grouped(*limit_hits))?;
            }
        }
        if patterns.len() > SHOWN_PATTERNS {
            let more = patterns.len() - SHOWN_PATTERNS;
            write!(f, "\n  and {more} more patterns, which the JSON receipt lists")?;
        }
        Ok(())
    }

    /// Writes what had to be added to the times of records, and the options that say it better.
    fn write_dates(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for dates in &self.dates {
            let zone = printable::line(&dates.name);
            let lines = [
                (&ZONELESS, format!("times without a zone: {{}}, read in {zone}; --timezone names another zone")),
                (&FOLDS, format!("times that the clock of {zone} showed twice: {{}}, read as the first; tagged _datefold")),
                (
                    &GUESSED_YEARS,
                    "times without a year: {}, with the year of the source's time; --base-year names another year".to_owned(),
                ),
                (
                    &AMBIGUOUS,
                    "times with several meanings: {}, tagged _dateambiguous; --date-order dmy or mdy gives the order of \
                     numbers, --timezone the meaning of a zone's name"
                        .to_owned(),
                ),
            ];
            for (spec, words) in lines {
                match dates.get(spec.name) {
                    0 => {}
                    count => write!(f, "\n  {}", words.replace("{}", &grouped(count)))?,
                }
            }
        }
        Ok(())
    }

    /// Writes a line for each tag, the most frequent first.
    fn write_tags(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut tags: Vec<(&str, u64)> = self.tags.iter().map(|tag| (&*tag.name, tag.get(TAGGED.name))).collect();
        tags.sort_by_key(|(_, documents)| std::cmp::Reverse(*documents));
        for (tag, documents) in tags.iter().take(SHOWN_TAGS) {
            let noun = if *documents == 1 { "document" } else { "documents" };
            write!(f, "\n  tag {}: {} {noun}", printable::line(tag), grouped(*documents))?;
        }
        if tags.len() > SHOWN_TAGS {
            write!(f, "\n  and {} more tags, which the JSON receipt lists", tags.len() - SHOWN_TAGS)?;
        }
        Ok(())
    }

    /// Writes how the logs of containers were read, those with a loss first.
    fn write_containers(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut containers: Vec<&ReadContainer> = self.containers.iter().collect();
        containers.sort_by_key(|container| std::cmp::Reverse(container.loss));
        for ReadContainer { name, way, loss, .. } in containers.iter().take(SHOWN_INPUTS) {
            let way = match way {
                Way::Files => "its files",
                Way::Api => "the API of the Engine",
            };
            write!(f, "\n  container {}: read from {way}, loss: {}", printable::line(name), loss.word())?;
        }
        if let Some(more) = containers.get(SHOWN_INPUTS..).filter(|more| !more.is_empty()) {
            let lossy = more.iter().filter(|container| container.loss != Loss::None).count();
            let count = more.len();
            write!(f, "\n  and {count} more containers, {lossy} of them with a loss, which the JSON receipt lists")?;
        }
        Ok(())
    }

    /// Writes the NULs and the files that were left out.
    fn write_left_out(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(nuls) = self.others.get(NULS.name) {
            let nuls = grouped(*nuls);
            write!(f, "\n  {nuls} NUL bytes between records were left out: a file was truncated, or the power failed")?;
        }
        for left_out in self.left_out.iter().take(SHOWN_INPUTS) {
            write!(f, "\n  {}", printable::line(&left_out.sentence()))?;
        }
        if self.left_out.len() > SHOWN_INPUTS {
            let more = self.left_out.len() - SHOWN_INPUTS;
            write!(f, "\n  and {more} more files, which the JSON receipt lists")?;
        }
        Ok(())
    }

    /// Writes the lines that an earlier run settled, if there are any.
    fn write_resumed(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.resumed_lines == 0 {
            return Ok(());
        }
        let (lines, bytes) = (grouped(self.resumed_lines), human_bytes(self.resumed_bytes));
        write!(f, "\n  resumed: {lines} lines, {bytes}, were settled by an earlier run and are not delivered again")?;
        if self.read == 0 && self.finished {
            write!(f, "; nothing was left to do")?;
        }
        Ok(())
    }

    /// Writes the inputs and files that were not read to their end.
    fn write_rest(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for StoppedInput { name, offset } in self.stopped.iter().take(SHOWN_INPUTS) {
            let name = printable::line(name);
            match offset {
                Some(offset) => write!(f, "\n  {name}: read to byte {} of its content", grouped(*offset))?,
                None => write!(f, "\n  {name}: not read to its end")?,
            }
        }
        if self.stopped.len() > SHOWN_INPUTS {
            let more = self.stopped.len() - SHOWN_INPUTS;
            write!(f, "\n  and {more} more inputs, which the JSON receipt lists")?;
        }
        for UnreadFile { name, bytes } in self.unread.iter().take(SHOWN_INPUTS) {
            write!(f, "\n  {}: {} bytes are left to the next run", printable::line(name), grouped(*bytes))?;
        }
        if self.unread.len() > SHOWN_INPUTS {
            let more = self.unread.len() - SHOWN_INPUTS;
            write!(f, "\n  and {more} more files, which the JSON receipt lists")?;
        }
        Ok(())
    }
}
