//! Finds the places at which the lines of a container may be cut into batches: a batch must hold all pieces of a long line, and
//! all records of a stream that have the same time and are adjacent ([`Ordinals`]).
//!
//! Each line is a record of its own. A record that must stay with the record before it is *tied*. Usually no record is tied,
//! and then the batches have no table.
//!
//! | limit | value | what happens there |
//! |---|---|---|
//! | lines that are tied | [`MAX_LINES`] | the batch is cut; identical lines with the same time count anew, so some count as one |
//! | bytes that are tied | [`MAX_BYTES`], or more for a long line | the same |
//! | time without a byte | [`QUIET`] | the same; a line with the same time that comes later counts anew |
//! | the same with an open piece | [`QUIET_IN_LINE`] | the line ends with its last piece |
//! | bytes of a line that is joined | `--max-line` | its pieces become dead letters, one each |

use std::time::Duration;

use super::dividing::{Alone, Dividing, Part};
use crate::core::lines::without_carriage_return;
use crate::core::record::Ordinals;
use crate::envelope::Envelope;
use crate::envelope::container::{Glance, Stream, glance};

/// The maximum number of lines that are tied to one another.
const MAX_LINES: usize = 10_000;

/// The maximum number of bytes of lines that are tied to one another, beside those of the longest line.
const MAX_BYTES: usize = 1 << 20;

/// The time without a byte after which all lines are delivered.
const QUIET: Duration = Duration::from_millis(100);

/// The time without a byte after which a piece of a line is delivered without the rest of the line.
const QUIET_IN_LINE: Duration = Duration::from_secs(2);

/// The lines of a block that is being filled.
pub(super) struct Grouping {
    envelope: Envelope,
    /// The lines that have ended.
    lines: Vec<Part>,
    /// Their bytes.
    bytes: usize,
    /// The number of lines that were delivered before `lines`.
    delivered: u64,
    /// The number of records of all streams.
    records: u64,
    streams: [Counted; Stream::COUNT],
    /// The beginning of `lines` that may be delivered: lines and bytes.
    ready: (usize, usize),
    /// The number of bytes of the unfinished line that hold no newline, as far as was searched.
    searched: usize,
}

#[derive(Default)]
struct Counted {
    /// The last record: its time, its number among the records of all streams, and the number of its last line.
    last: Option<(u64, u64, u64)>,
    /// The record whose last piece has not come.
    open: Option<Open>,
}

struct Open {
    time_ns: u64,
    /// The numbers of its lines.
    lines: Vec<u64>,
    /// The bytes of its text.
    bytes: usize,
    /// Whether it is longer than the limit, so that each of its lines is delivered alone.
    is_long: bool,
}

impl Grouping {
    /// Creates the state for a content whose lines have this envelope. `before` are the pieces that the content before it left
    /// open.
    pub(super) fn new(envelope: Envelope, before: &[u8]) -> Grouping {
        let mut grouping = Grouping {
            envelope,
            lines: Vec::new(),
            bytes: 0,
            delivered: 0,
            records: 0,
            streams: Default::default(),
            ready: (0, 0),
            searched: 0,
        };
        for seen in
            before.split(|byte| *byte == b'\n').filter_map(|line| glance(envelope, without_carriage_return(line)))
        {
            let new = || Open { time_ns: seen.time_ns, lines: Vec::new(), bytes: 0, is_long: false };
            grouping.streams[seen.stream as usize].open.get_or_insert_with(new).bytes += seen.length;
        }
        grouping
    }

    /// The number of the next line.
    fn number(&self) -> u64 {
        self.delivered + self.lines.len() as u64
    }

    fn take_line(&mut self, line: &[u8], max_line: usize, rest: &mut bool) {
        let bare = without_carriage_return(line.strip_suffix(b"\n").unwrap_or(line));
        let alone = match std::mem::take(rest) {
            true => Some(Alone::Rest),
            false => (bare.len() > max_line).then_some(Alone::Long),
        };
        let is_open = |counted: &Counted| counted.open.as_ref().is_some_and(|open| !open.is_long);
        let is_tied = alone.is_none() && self.streams.iter().any(is_open);
        self.lines.push(Part { length: line.len() as u32, is_tied, alone });
        self.bytes += line.len();
        if alone.is_none()
            && let Some(seen) = glance(self.envelope, bare)
        {
            self.count(seen, max_line);
        }
    }

    /// Counts the line that was added last.
    fn count(&mut self, seen: Glance, max_line: usize) {
        let number = self.number() - 1;
        let counted = &mut self.streams[seen.stream as usize];
        if let Some(open) = counted.open.take_if(|open| !seen.continues(self.envelope, open.time_ns)) {
            self.records += 1;
            counted.last = open.lines.last().map(|line| (open.time_ns, self.records, *line)).or(counted.last);
        }
        if counted.open.is_none() {
            if let Some((time_ns, record, line)) = counted.last
                && time_ns == seen.time_ns
                && self.records - record <= Ordinals::REACH
            {
                // All lines from that record to this one stay together.
                let from = (line + 1).saturating_sub(self.delivered) as usize;
                self.lines[from..].iter_mut().for_each(|line| line.is_tied = line.alone.is_none());
            }
            if seen.ends {
                self.records += 1;
                counted.last = Some((seen.time_ns, self.records, number));
                return;
            }
            counted.open = Some(Open { time_ns: seen.time_ns, lines: Vec::new(), bytes: 0, is_long: false });
        }
        let Some(open) = &mut counted.open else { return };
        open.lines.push(number);
        open.bytes += seen.length;
        open.is_long |= open.bytes > max_line;
        if open.is_long {
            for line in open.lines.drain(..) {
                if let Some(line) = line.checked_sub(self.delivered).and_then(|at| self.lines.get_mut(at as usize)) {
                    (line.alone, line.is_tied) = (Some(Alone::Long), false);
                }
            }
        }
        if seen.ends {
            if !open.is_long {
                self.records += 1;
                counted.last = Some((open.time_ns, self.records, number));
            }
            counted.open = None;
        }
    }

    /// Finds the lines that may be delivered: no later line can be tied to them.
    fn find_ready(&mut self, max_line: usize) {
        let mut end = self.number();
        for Counted { last, open } in &self.streams {
            if let Some(open) = open.as_ref().filter(|open| !open.is_long) {
                // Without a line here, the record began in the content before.
                end = end.min(open.lines.first().copied().unwrap_or(0));
            } else if let Some((_, record, line)) = last
                && self.records - record <= Ordinals::REACH
            {
                end = end.min(*line);
            }
        }
        let mut count = end.saturating_sub(self.delivered) as usize;
        while count > 0 && self.lines.get(count).is_some_and(|line| line.is_tied) {
            count -= 1;
        }
        let bytes = self.lines[..count].iter().map(|line| line.length as usize).sum();
        self.ready = (count, bytes);
        if self.lines.len() - count > MAX_LINES || self.bytes - bytes > MAX_BYTES + max_line {
            self.end_open();
        }
    }
}

impl Dividing for Grouping {
    fn ended_bytes(&self) -> usize {
        self.ready.1
    }

    fn is_open(&self) -> bool {
        self.lines.len() > self.ready.0
    }

    fn unfinished_from(&self) -> usize {
        self.bytes
    }

    fn longest_record(&self, max_line: usize) -> usize {
        2 * (MAX_BYTES + max_line)
    }

    fn quiet(&self) -> Duration {
        if self.has_open_piece() { QUIET_IN_LINE } else { QUIET }
    }

    fn scan(&mut self, block: &[u8], max_line: usize, rest: &mut bool) {
        let before = self.lines.len();
        // NULs at the end may have been left out since.
        self.searched = self.searched.min(block.len() - self.bytes);
        while let Some(newline) = memchr::memchr(b'\n', &block[self.bytes + self.searched..]) {
            let end = self.bytes + self.searched + newline + 1;
            self.take_line(&block[self.bytes..end], max_line, rest);
            self.searched = 0;
        }
        self.searched = block.len() - self.bytes;
        if self.lines.len() > before {
            self.find_ready(max_line);
        }
    }

    fn end(&mut self, block: &[u8], max_line: usize, rest: &mut bool) {
        self.scan(block, max_line, rest);
        if self.bytes < block.len() {
            self.take_line(&block[self.bytes..], max_line, rest);
            self.searched = 0;
        }
        self.end_open();
    }

    fn end_open(&mut self) {
        self.streams = Default::default();
        self.ready = (self.lines.len(), self.bytes);
    }

    fn take_ended(&mut self) -> Vec<Part> {
        let (count, bytes) = std::mem::take(&mut self.ready);
        self.delivered += count as u64;
        self.bytes -= bytes;
        let rest = self.lines.split_off(count);
        std::mem::replace(&mut self.lines, rest)
    }

    fn forget_line(&mut self) {
        self.searched = 0;
    }

    fn records_are_lines(&self) -> bool {
        true
    }

    fn has_open_piece(&self) -> bool {
        self.streams.iter().any(|counted| counted.open.as_ref().is_some_and(|open| !open.is_long))
    }
}
