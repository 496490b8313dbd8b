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
//!
//! If lines are joined to records of several lines, each stream has a joiner of its own, which sees the beginning of the text
//! inside the envelope. A line that continues the record before it in its stream is marked ([`CONTINUES`]) and tied to it; the
//! worker joins them. A record ends also when [`AWAY_LINES`] lines of other streams have come after its last line, or a line of
//! another stream whose time is more than [`AWAY_NS`] later: else a stream that is silent would hold back the others.

use std::time::Duration;

use super::dividing::{Alone, Closing, Dividing, Part};
use super::joiner::{JoinRule, Joiner, SEEN_BYTES};
use crate::core::ansi;
use crate::core::lines::without_carriage_return;
use crate::core::record::Ordinals;
use crate::core::records::{CLOSED, CONTINUES, NO_CUT};
use crate::envelope::Envelope;
use crate::envelope::container::{Glance, Stream, glance, text_beginning};

/// The maximum number of lines that are tied to one another.
const MAX_LINES: usize = 10_000;

/// The maximum number of bytes of lines that are tied to one another, beside those of the longest line.
const MAX_BYTES: usize = 1 << 20;

/// The number of lines of other streams after which no line continues the record of a stream.
const AWAY_LINES: u64 = 500;

/// The time between the last line of a record and a line of another stream, in nanoseconds, after which no line continues it.
const AWAY_NS: u64 = 1_000_000_000;

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
    /// How lines are joined to records, and the joiner of each stream.
    join: Option<(JoinRule, [Box<dyn Joiner>; Stream::COUNT])>,
    /// The beginning of a text, if it is no part of its line.
    beginning: Vec<u8>,
}

#[derive(Default)]
struct Counted {
    /// The last record: its time, its number among the records of all streams, and the number of its last line.
    last: Option<(u64, u64, u64)>,
    /// The record whose last piece has not come.
    open: Option<Open>,
    /// The record that the next line of the stream may continue.
    joined: Option<Joined>,
    /// Whether a record ended before it was known that it is whole.
    is_cut: bool,
}

/// A record of one or more whole lines of a stream.
#[derive(Clone, Copy)]
struct Joined {
    /// The numbers of its first line and of the last one.
    first: u64,
    last: u64,
    /// The time of its last line.
    time_ns: u64,
    lines: usize,
    bytes: usize,
}

struct Open {
    time_ns: u64,
    /// The numbers of its lines.
    lines: Vec<u64>,
    /// The bytes of its text.
    bytes: usize,
    /// Whether it is longer than the limit, so that each of its lines is delivered alone.
    is_long: bool,
    /// Whether it continues the record before it.
    continues: bool,
}

impl Counted {
    /// Notes that a line of the stream has ended with the line number `line`. A line that continues a record belongs to that one,
    /// which has the time of its first line.
    fn end(&mut self, time_ns: u64, line: u64, continues: bool, records: &mut u64) {
        match &mut self.last {
            Some((.., last)) if continues => *last = line,
            last => {
                *records += 1;
                *last = Some((time_ns, *records, line));
            }
        }
    }
}

impl Open {
    fn new(time_ns: u64) -> Open {
        Open { time_ns, lines: Vec::new(), bytes: 0, is_long: false, continues: false }
    }
}

impl Grouping {
    /// Creates the state for a content whose lines have this envelope. `before` are the pieces that the content before it left
    /// open.
    pub(super) fn new(envelope: Envelope, before: &[u8], join: Option<&JoinRule>) -> Grouping {
        let mut grouping = Grouping {
            envelope,
            lines: Vec::new(),
            bytes: 0,
            delivered: 0,
            records: 0,
            streams: Default::default(),
            ready: (0, 0),
            searched: 0,
            join: join.map(|rule| (rule.clone(), std::array::from_fn(|_| (rule.joiner)()))),
            beginning: Vec::new(),
        };
        for seen in
            before.split(|byte| *byte == b'\n').filter_map(|line| glance(envelope, without_carriage_return(line)))
        {
            let new = || Open::new(seen.time_ns);
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
        let bits = if is_tied { NO_CUT } else { 0 };
        self.lines.push(Part { bits, alone, ..Part::line(line.len()) });
        self.bytes += line.len();
        if alone.is_none()
            && let Some(seen) = glance(self.envelope, bare)
        {
            self.join(seen, bare);
            self.count(seen, max_line);
        }
    }

    /// Decides whether the line that was added last continues the record before it in its stream.
    fn join(&mut self, seen: Glance, line: &[u8]) {
        let number = self.number() - 1;
        let Some((rule, joiners)) = &mut self.join else { return };
        for (stream, counted) in self.streams.iter_mut().enumerate() {
            let is_away = |joined: &mut Joined| {
                let other = stream != seen.stream as usize && joined.time_ns.saturating_add(AWAY_NS) < seen.time_ns;
                other || number - joined.last > AWAY_LINES
            };
            counted.is_cut |= counted.joined.take_if(is_away).is_some();
        }
        let counted = &mut self.streams[seen.stream as usize];
        if let Some(open) = &counted.open
            && seen.continues(self.envelope, open.time_ns)
        {
            // A piece of a line that was decided on.
            counted
                .joined
                .iter_mut()
                .for_each(|joined| (joined.last, joined.bytes) = (number, joined.bytes + line.len()));
            return;
        }
        let joiner = &mut joiners[seen.stream as usize];
        let mut plain = Vec::new();
        let beginning = text_beginning(self.envelope, line, SEEN_BYTES, &mut self.beginning);
        let begins = joiner.begins_record(ansi::without(beginning, &mut plain));
        let last = self.lines.len() - 1;
        let new = Joined { first: number, last: number, time_ns: seen.time_ns, lines: 1, bytes: line.len() };
        let Some(joined) = &mut counted.joined else {
            if std::mem::take(&mut counted.is_cut) && !begins {
                self.lines[last].bits |= CLOSED;
            }
            counted.joined = (!joiner.is_complete()).then_some(new);
            return;
        };
        let is_full = joined.lines >= rule.lines || joined.bytes + line.len() > rule.bytes;
        let place = joined.last.checked_sub(self.delivered).and_then(|at| usize::try_from(at).ok());
        match place {
            Some(place) if !begins && !is_full => {
                self.lines[last].bits |= CONTINUES;
                let from = self.lines[place + 1..].iter_mut().filter(|line| line.alone.is_none());
                from.for_each(|line| line.bits |= NO_CUT);
                let (lines, bytes) = (joined.lines + 1, joined.bytes + line.len());
                *joined = Joined { first: joined.first, lines, bytes, ..new };
            }
            place => {
                if let Some(place) = place.filter(|_| !begins) {
                    self.lines[place].bits |= CLOSED;
                }
                counted.joined = (!joiner.is_complete()).then_some(new);
            }
        }
        counted.is_cut = false;
    }

    /// Ends all records that lines may continue, because no byte has come.
    fn end_joined(&mut self) {
        for counted in &mut self.streams {
            if let Some(joined) = counted.joined.take() {
                let place = joined.last.checked_sub(self.delivered).and_then(|at| usize::try_from(at).ok());
                match place.and_then(|place| self.lines.get_mut(place)) {
                    Some(line) if joined.lines > 1 => line.bits |= CLOSED,
                    _ => counted.is_cut = true,
                }
            }
        }
    }

    /// Counts the line that was added last.
    fn count(&mut self, seen: Glance, max_line: usize) {
        let number = self.number() - 1;
        let reach = self.reach();
        let continues = self.lines.last().is_some_and(|line| line.bits & CONTINUES != 0);
        let counted = &mut self.streams[seen.stream as usize];
        if let Some(open) = counted.open.take_if(|open| !seen.continues(self.envelope, open.time_ns))
            && let Some(&line) = open.lines.last()
        {
            counted.end(open.time_ns, line, open.continues, &mut self.records);
        }
        if counted.open.is_none() {
            if let Some((time_ns, record, line)) = counted.last
                && time_ns == seen.time_ns
                && !continues
                && self.records - record <= reach
            {
                // All lines from that record to this one stay together.
                let from = (line + 1).saturating_sub(self.delivered) as usize;
                self.lines[from..].iter_mut().filter(|line| line.alone.is_none()).for_each(|line| line.bits |= NO_CUT);
            }
            if seen.ends {
                counted.end(seen.time_ns, number, continues, &mut self.records);
                return;
            }
            counted.open = Some(Open { continues, ..Open::new(seen.time_ns) });
        }
        let Some(open) = &mut counted.open else { return };
        open.lines.push(number);
        open.bytes += seen.length;
        open.is_long |= open.bytes > max_line;
        if open.is_long {
            for line in open.lines.drain(..) {
                if let Some(line) = line.checked_sub(self.delivered).and_then(|at| self.lines.get_mut(at as usize)) {
                    (line.alone, line.bits) = (Some(Alone::Long), 0);
                }
            }
        }
        if seen.ends {
            if !open.is_long {
                let (time_ns, continues) = (open.time_ns, open.continues);
                counted.end(time_ns, number, continues, &mut self.records);
            }
            counted.open = None;
        }
    }

    /// How many records may stand between two records that count as adjacent. A joined record is counted at its first line here,
    /// and at its last line by the worker, so each stream may add one.
    fn reach(&self) -> u64 {
        Ordinals::REACH + if self.join.is_some() { Stream::COUNT as u64 } else { 0 }
    }

    /// Finds the lines that may be delivered: no later line can be tied to them.
    fn find_ready(&mut self, max_line: usize) {
        let (mut end, reach) = (self.number(), self.reach());
        for Counted { last, open, joined, .. } in &self.streams {
            end = joined.map_or(end, |joined| end.min(joined.first));
            if let Some(open) = open.as_ref().filter(|open| !open.is_long) {
                // Without a line here, the record began in the content before.
                end = end.min(open.lines.first().copied().unwrap_or(0));
            } else if let Some((_, record, line)) = last
                && self.records - record <= reach
            {
                end = end.min(*line);
            }
        }
        let mut count = end.saturating_sub(self.delivered) as usize;
        while count > 0 && self.lines.get(count).is_some_and(|line| line.is_tied()) {
            count -= 1;
        }
        let bytes = self.lines[..count].iter().map(|line| line.length as usize).sum();
        self.ready = (count, bytes);
        if self.lines.len() - count > MAX_LINES || self.bytes - bytes > MAX_BYTES + max_line {
            self.deliver_all();
        }
    }

    fn deliver_all(&mut self) {
        for counted in &mut self.streams {
            let is_cut = counted.is_cut || counted.joined.is_some();
            *counted = Counted { is_cut, ..Counted::default() };
        }
        self.ready = (self.lines.len(), self.bytes);
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
        match &self.join {
            _ if self.has_open_piece() => QUIET_IN_LINE,
            Some((rule, _)) if self.streams.iter().any(|counted| counted.joined.is_some()) => rule.quiet,
            _ => QUIET,
        }
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
        self.deliver_all();
    }

    fn end_open(&mut self, why: Closing) {
        if why == Closing::Quiet {
            self.end_joined();
        }
        self.deliver_all();
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

    fn has_open_piece(&self) -> bool {
        self.streams.iter().any(|counted| counted.open.as_ref().is_some_and(|open| !open.is_long))
    }
}
