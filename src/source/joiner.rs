//! Joins lines to records: [`Joiner`] decides where records begin, [`JoinRule`] holds the limits, and `Joining` is the
//! state of one content.
//!
//! The records of a content depend only on its bytes, and not on the blocks or reads in which the bytes come. There is
//! one exception: a record ends when no byte has come for [`JoinRule::quiet`].

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

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

/// A record that has ended, or a line that is delivered alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Joined {
    /// The number of bytes with the line ends.
    pub(super) length: usize,
    /// Why the bytes are delivered alone, if they are.
    pub(super) alone: Option<Alone>,
}

/// The reason why a line belongs to no batch with others, and to no record with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// The line is longer than the limit for lines.
    Long,
    /// The line is the rest of a line whose first part was delivered.
    Rest,
}

/// The records of a block that is being filled: first records that have ended, then the open record, then a line whose end
/// was not read yet.
pub(super) struct Joining {
    rule: JoinRule,
    joiner: Box<dyn Joiner>,
    ended: Vec<Joined>,
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

    /// The bytes of the records that have ended.
    pub(super) fn ended_bytes(&self) -> usize {
        self.ended_bytes
    }

    /// Whether lines wait for the end of their record.
    pub(super) fn is_open(&self) -> bool {
        self.open_bytes > 0
    }

    /// The offset in the block of the unfinished line.
    pub(super) fn unfinished_from(&self) -> usize {
        self.ended_bytes + self.open_bytes
    }

    /// The maximum number of bytes of the open record.
    pub(super) fn longest_record(&self, max_line: usize) -> usize {
        self.rule.bytes.max(max_line + 2)
    }

    /// Joins the lines of `block` that have ended. `rest` says that the first of them is the rest of a line whose first
    /// part was delivered; it is reset when that line has ended.
    pub(super) fn scan(&mut self, block: &[u8], max_line: usize, rest: &mut bool) {
        loop {
            let line = &block[self.unfinished_from()..];
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

    /// Joins the unfinished line of `block`, and ends the open record: the content ends.
    pub(super) fn end(&mut self, block: &[u8], max_line: usize, rest: &mut bool) {
        self.scan(block, max_line, rest);
        let line = &block[self.unfinished_from()..];
        if !line.is_empty() {
            self.take_line(line, max_line, rest);
        }
        self.end_open();
    }

    /// Ends the open record.
    pub(super) fn end_open(&mut self) {
        if self.open_bytes > 0 {
            self.ended.push(Joined { length: self.open_bytes, alone: None });
            self.ended_bytes += self.open_bytes;
            (self.open_lines, self.open_bytes) = (0, 0);
        }
    }

    /// Takes the records that have ended. Their bytes are no part of the block any more.
    pub(super) fn take_ended(&mut self) -> Vec<Joined> {
        self.ended_bytes = 0;
        std::mem::take(&mut self.ended)
    }

    /// Forgets the unfinished line, which is too long for a block. All records were taken.
    pub(super) fn forget_line(&mut self) {
        (self.begins, self.searched) = (None, 0);
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
            self.ended.push(Joined { length: line.len(), alone });
            self.ended_bytes += line.len();
        } else {
            self.open_lines += 1;
            self.open_bytes += line.len();
        }
    }
}
