//! Joins lines to records: [`Joiner`] decides where records begin, [`JoinRule`] holds the limits, and `Joining` is the
//! state of one content.
//!
//! The records of a content depend only on its bytes, and not on the blocks or reads in which the bytes come. There is
//! one exception: a record ends when no byte has come for [`JoinRule::quiet`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::dividing::{Alone, Dividing, Part};
use crate::core::lines::without_carriage_return;

/// A joiner sees at most this number of bytes of a line.
pub const SEEN_BYTES: usize = 128;

/// Decides where the records of one content begin.
pub trait Joiner: Send {
    /// Returns whether a line begins a record. Otherwise the line continues the record before it. `beginning` is the
    /// line without its end, or its first [`SEEN_BYTES`] bytes. Each line of the content is asked about once, in order.
    fn begins_record(&mut self, beginning: &[u8]) -> bool;
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
    rule: JoinRule,
    joiner: Box<dyn Joiner>,
    ended: Vec<Part>,
    /// The bytes of `ended`.
    ended_bytes: usize,
    /// The number of lines and bytes of the open record. All its lines have ended.
    open_lines: usize,
    open_bytes: usize,
    /// Whether the unfinished line begins a record, if that was decided.
    begins: Option<bool>,
    /// The number of bytes of the unfinished line that hold no newline, as far as was searched.
    searched: usize,
}

impl Joining {
    pub(super) fn new(rule: &JoinRule) -> Joining {
        Joining {
            joiner: (rule.joiner)(),
            rule: rule.clone(),
            ended: Vec::new(),
            ended_bytes: 0,
            open_lines: 0,
            open_bytes: 0,
            begins: None,
            searched: 0,
        }
    }

    /// Ends the open record if `line`, or the part of it that was read, begins another one, or if the open record would be
    /// too large with it.
    fn decide(&mut self, line: &[u8]) {
        let ask = || {
            let end = line.strip_suffix(b"\n").map_or(line, without_carriage_return);
            self.joiner.begins_record(&end[..end.len().min(SEEN_BYTES)])
        };
        let begins = *self.begins.get_or_insert_with(ask);
        let is_full = self.open_lines >= self.rule.lines || self.open_bytes + line.len() > self.rule.bytes;
        if begins || is_full {
            self.end_open();
        }
    }

    fn take_line(&mut self, line: &[u8], max_line: usize, rest: &mut bool) {
        let is_rest = std::mem::take(rest);
        if !is_rest {
            self.decide(line);
        }
        self.forget_line();
        let is_long = without_carriage_return(line.strip_suffix(b"\n").unwrap_or(line)).len() > max_line;
        let alone = if is_rest { Some(Alone::Rest) } else { is_long.then_some(Alone::Long) };
        if alone.is_some() {
            self.end_open();
            self.ended.push(Part { length: line.len() as u32, is_tied: false, alone });
            self.ended_bytes += line.len();
        } else {
            self.open_lines += 1;
            self.open_bytes += line.len();
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
        self.rule.bytes.max(max_line + 2)
    }

    fn scan(&mut self, block: &[u8], max_line: usize, rest: &mut bool) {
        loop {
            let line = &block[self.unfinished_from()..];
            // NULs at the end may have been left out since.
            self.searched = self.searched.min(line.len());
            if let Some(newline) = memchr::memchr(b'\n', &line[self.searched..]) {
                self.take_line(&line[..self.searched + newline + 1], max_line, rest);
                continue;
            }
            self.searched = line.len();
            // With one byte more, a carriage return at the end of the beginning is no part of the line end.
            if line.len() > SEEN_BYTES && !*rest {
                self.decide(line);
            }
            return;
        }
    }

    fn end(&mut self, block: &[u8], max_line: usize, rest: &mut bool) {
        self.scan(block, max_line, rest);
        let line = &block[self.unfinished_from()..];
        if !line.is_empty() {
            self.take_line(line, max_line, rest);
        }
        self.end_open();
    }

    fn end_open(&mut self) {
        if self.open_bytes > 0 {
            self.ended.push(Part { length: self.open_bytes as u32, is_tied: false, alone: None });
            self.ended_bytes += self.open_bytes;
            (self.open_lines, self.open_bytes) = (0, 0);
        }
    }

    fn take_ended(&mut self) -> Vec<Part> {
        self.ended_bytes = 0;
        std::mem::take(&mut self.ended)
    }

    fn forget_line(&mut self) {
        (self.begins, self.searched) = (None, 0);
    }

    fn quiet(&self) -> Duration {
        self.rule.quiet
    }

    fn records_are_lines(&self) -> bool {
        false
    }
}
