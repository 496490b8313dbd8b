//! Joins lines to records: [`Joiner`] decides where records begin, [`JoinRule`] holds the limits, and `Joining` is the
//! state of one content.
//!
//! The records of a content depend only on its bytes, and not on the blocks or reads in which the bytes come. There is
//! one exception: a record ends when no byte has come for [`JoinRule::quiet`].
//!
//! A record that ends although lines may continue it is marked as [closed](CLOSED): at the limits of lines and bytes, before
//! a line that is delivered alone, and after the quiet time if it has several lines. Most records of one line are whole when
//! the quiet time ends them. If a line comes that continues such a record, the record of that line is marked instead.
//!
//! Header lines are records of their own, and no line continues them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::dividing::{Alone, Closing, Dividing, Part};
use super::heading::{HeaderLine, HeaderRule};
use crate::core::ansi;
use crate::core::line_end::LineEnd;
use crate::core::lines::{without_carriage_return, without_mark};
use crate::core::records::{CLOSED, HEADER};

/// A joiner sees at most this number of bytes of a line.
pub const SEEN_BYTES: usize = 128;

/// Decides where the records of one content begin.
pub trait Joiner: Send {
    /// Returns whether a line begins a record. Otherwise the line continues the record before it. `beginning` is the
    /// line without its end, or its first [`SEEN_BYTES`] bytes. Each line of the content is asked about once, in order.
    fn begins_record(&mut self, beginning: &[u8]) -> bool;

    /// Whether no line can continue the record of the last line. The record then ends at once.
    fn is_complete(&self) -> bool {
        false
    }
}

/// How the lines of contents are joined to records.
#[derive(Clone)]
pub struct JoinRule {
    /// Makes the joiner of a content.
    pub joiner: Arc<dyn Fn() -> Box<dyn Joiner> + Send + Sync>,
    /// The maximum number of lines of a record.
    pub lines: usize,
    /// The maximum number of bytes of a record, with its line ends. A record of one line may be longer.
    pub bytes: usize,
    /// A record ends when no byte has come for this time.
    pub quiet: Duration,
}

impl JoinRule {
    /// Creates a rule with the usual limits.
    pub fn new(joiner: impl Fn() -> Box<dyn Joiner> + Send + Sync + 'static) -> JoinRule {
        JoinRule { joiner: Arc::new(joiner), lines: 500, bytes: 1 << 20, quiet: Duration::from_secs(1) }
    }
}

impl fmt::Debug for JoinRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let JoinRule { joiner: _, lines, bytes, quiet } = self;
        write!(f, "JoinRule {{ lines: {lines}, bytes: {bytes}, quiet: {quiet:?} }}")
    }
}

/// How the open record of a content ended when no more bytes came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordEnd {
    /// No record was open.
    NotOpen,
    /// The open record was delivered. No line ended it, but the time without a byte.
    ByTime,
    /// The receiver wants no more.
    Unwanted,
}

/// The records of a block that is being filled: first records that have ended, then the open record, then a line whose end
/// was not read yet.
pub(super) struct Joining {
    /// The rule and the joiner of the content; `None` if each line is a record.
    join: Option<(JoinRule, Box<dyn Joiner>)>,
    header: Option<Arc<dyn HeaderRule>>,
    line_end: LineEnd,
    ended: Vec<Part>,
    /// The bytes of `ended`.
    ended_bytes: usize,
    /// The number of lines and bytes of the open record. All its lines have ended.
    open_lines: usize,
    open_bytes: usize,
    /// The marks of the open record.
    open_bits: u32,
    /// What the unfinished line is, if that was decided.
    decided: Option<Kind>,
    /// The number of bytes of the unfinished line that hold no newline, as far as was searched.
    searched: usize,
    /// Whether the next line is the first one of the content.
    is_first: bool,
    /// Whether the last line was a header line.
    after_header: bool,
    /// Whether the last record was ended by the quiet time and is not marked.
    after_quiet: bool,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The first line of a record. `is_complete` says that no line can continue it.
    First { is_complete: bool },
    /// A line that continues the record before it.
    Next,
    /// A header line.
    Header,
}

impl Joining {
    /// Returns the state of a content that these rules divide; `None` if each line is a record. The content is read from
    /// `offset` on.
    pub(super) fn new(join: Option<&JoinRule>, header: Option<&Arc<dyn HeaderRule>>, offset: u64) -> Option<Joining> {
        let is_needed = join.is_some() || header.is_some();
        is_needed.then(|| Joining::of_lines(join, header, offset, LineEnd::Byte))
    }

    /// Returns the state of a content whose lines have such ends. Without rules, each line is a record.
    pub(super) fn of_lines(
        join: Option<&JoinRule>,
        header: Option<&Arc<dyn HeaderRule>>,
        offset: u64,
        line_end: LineEnd,
    ) -> Joining {
        Joining {
            join: join.map(|rule| (rule.clone(), (rule.joiner)())),
            header: header.cloned(),
            line_end,
            ended: Vec::new(),
            ended_bytes: 0,
            open_lines: 0,
            open_bytes: 0,
            open_bits: 0,
            decided: None,
            searched: 0,
            is_first: offset == 0,
            after_header: false,
            after_quiet: false,
        }
    }

    /// Whether a record of one line needs no entry in a table of lengths.
    fn is_line(&self, lines: usize) -> bool {
        lines == 1 && self.line_end == LineEnd::Byte
    }

    /// Decides what a line is. `line` is the line with its end, or the part of it that was read.
    #[inline]
    fn kind(&mut self, line: &[u8]) -> Kind {
        if let Some(kind) = self.decided {
            return kind;
        }
        let is_first = std::mem::take(&mut self.is_first);
        let mut shown = [0; SEEN_BYTES];
        let mut beginning = match self.line_end {
            LineEnd::Byte => {
                let end = line.strip_suffix(b"\n").map_or(line, without_carriage_return);
                &end[..end.len().min(SEEN_BYTES)]
            }
            line_end => line_end.beginning(if line_end.ends(line) { line_end.without(line) } else { line }, &mut shown),
        };
        if is_first {
            beginning = without_mark(beginning, 0);
        }
        // Patterns do not see colours either.
        let mut plain = Vec::new();
        beginning = ansi::without(beginning, &mut plain);
        let after_header = self.after_header;
        let kind = if (after_header || is_first || beginning.first() == Some(&b'#'))
            && let Some(rule) = &self.header
            && rule.is_header(&HeaderLine { beginning, is_first, after_header })
        {
            if let Some((rule, joiner)) = &mut self.join {
                *joiner = (rule.joiner)();
            }
            Kind::Header
        } else {
            match &mut self.join {
                None => Kind::First { is_complete: true },
                Some((_, joiner)) => match joiner.begins_record(beginning) || after_header {
                    true => Kind::First { is_complete: joiner.is_complete() },
                    false => Kind::Next,
                },
            }
        };
        self.after_header = kind == Kind::Header;
        self.decided = Some(kind);
        kind
    }

    /// Ends the open record if `line`, or the part of it that was read, does not belong to it, or if the open record would be
    /// too large with it. Returns what the line is.
    #[inline]
    fn decide(&mut self, line: &[u8]) -> Kind {
        let kind = self.kind(line);
        if kind != Kind::Next {
            self.finish(0);
        } else if let Some((rule, _)) = &self.join
            && (self.open_lines >= rule.lines || self.open_bytes + line.len() > rule.bytes)
        {
            self.finish(CLOSED);
        }
        kind
    }

    #[inline]
    fn take_line(&mut self, line: &[u8], max_line: usize, rest: &mut bool) {
        let is_rest = std::mem::take(rest);
        let kind = if is_rest { Kind::First { is_complete: true } } else { self.decide(line) };
        self.forget_line();
        let is_long = line.len() > max_line && self.line_end.without(line).len() > max_line;
        if is_rest || is_long {
            self.finish(if kind == Kind::Next { CLOSED } else { 0 });
            let alone = Some(if is_rest { Alone::Rest } else { Alone::Long });
            self.ended.push(Part { alone, is_line: self.is_line(1), ..Part::line(line.len()) });
            self.ended_bytes += line.len();
            self.after_quiet = false;
            return;
        }
        let after_quiet = std::mem::take(&mut self.after_quiet);
        let bits = match kind {
            Kind::First { .. } => 0,
            Kind::Next => {
                if after_quiet {
                    CLOSED
                } else {
                    0
                }
            }
            Kind::Header => HEADER,
        };
        if self.open_bytes == 0 && !matches!(kind, Kind::Next | Kind::First { is_complete: false }) {
            self.ended.push(Part { bits, is_line: self.is_line(1), ..Part::line(line.len()) });
            self.ended_bytes += line.len();
            return;
        }
        self.open_lines += 1;
        self.open_bytes += line.len();
        self.open_bits |= bits;
    }

    /// Ends the open record, and marks it with `bits`.
    #[inline]
    fn finish(&mut self, bits: u32) {
        if self.open_bytes > 0 {
            let (length, bits) = (self.open_bytes as u32, self.open_bits | bits);
            self.ended.push(Part { length, bits, is_line: self.is_line(self.open_lines), alone: None });
            self.ended_bytes += self.open_bytes;
            (self.open_lines, self.open_bytes, self.open_bits) = (0, 0, 0);
        }
    }
}

impl Dividing for Joining {
    fn ended_bytes(&self) -> usize {
        self.ended_bytes
    }

    fn is_open(&self) -> bool {
        self.open_bytes > 0
    }

    fn unfinished_from(&self) -> usize {
        self.ended_bytes + self.open_bytes
    }

    fn longest_record(&self, max_line: usize) -> usize {
        self.join.as_ref().map_or(0, |(rule, _)| rule.bytes.max(max_line + 2))
    }

    fn scan(&mut self, block: &[u8], max_line: usize, rest: &mut bool) {
        let mut start = self.unfinished_from();
        // NULs at the end may have been left out since.
        let mut from = (start + self.searched).min(block.len());
        if self.line_end == LineEnd::Byte {
            for newline in memchr::memchr_iter(b'\n', &block[from..]) {
                let end = from + newline + 1;
                self.take_line(&block[start..end], max_line, rest);
                start = end;
            }
        } else {
            // A block begins at an even offset of the content.
            from -= from % 2;
            while let Some(length) = self.line_end.find(&block[from..]) {
                from += length;
                self.take_line(&block[start..from], max_line, rest);
                start = from;
            }
        }
        let line = &block[start..];
        self.searched = line.len();
        // With one character more, a carriage return at the end of the beginning is no part of the line end.
        if line.len() > (SEEN_BYTES + 1) * self.line_end.width() - 1 && !*rest {
            self.decide(line);
        }
    }

    fn end(&mut self, block: &[u8], max_line: usize, rest: &mut bool) {
        self.scan(block, max_line, rest);
        let line = &block[self.unfinished_from()..];
        if !line.is_empty() {
            self.take_line(line, max_line, rest);
        }
        self.finish(0);
    }

    fn end_open(&mut self, why: Closing) {
        let is_marked = match why {
            Closing::Quiet => self.open_lines > 1,
            Closing::LongLine => self.decided == Some(Kind::Next),
        };
        self.after_quiet = why == Closing::Quiet && self.open_lines == 1;
        self.finish(if is_marked { CLOSED } else { 0 });
    }

    fn take_ended(&mut self) -> Vec<Part> {
        self.ended_bytes = 0;
        // The next block has about as many records.
        let next = Vec::with_capacity(self.ended.len());
        std::mem::replace(&mut self.ended, next)
    }

    fn forget_line(&mut self) {
        (self.decided, self.searched) = (None, 0);
    }

    fn quiet(&self) -> Duration {
        self.join.as_ref().map_or(Duration::MAX, |(rule, _)| rule.quiet)
    }
}
