//! [`Dividing`]: how the bytes of a content are divided into records, if a record is not simply a line.

use std::time::Duration;

use crate::core::records::NO_CUT;

/// A record that has ended, or a line that is delivered alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The number of bytes with the line ends. It fits into [`LENGTH`](crate::core::records::LENGTH), because `--max-line` is
    /// limited.
    pub(super) length: u32,
    /// The bits of the record in a table of lengths.
    pub(super) bits: u32,
    /// Whether the record is one line, and only its last byte is a newline.
    pub(super) is_line: bool,
    /// Why the bytes are delivered alone, if they are.
    pub(super) alone: Option<Alone>,
}

impl Part {
    /// A record of one line without a mark.
    pub(super) fn line(length: usize) -> Part {
        Part { length: length as u32, bits: 0, is_line: true, alone: None }
    }

    /// Whether no batch may be cut before the record.
    pub(super) fn is_tied(&self) -> bool {
        self.bits & NO_CUT != 0
    }

    /// The bits of the record, which has the number `index` in its batch. The batch begins where it may be cut.
    pub(super) fn marks(&self, index: usize) -> u32 {
        if index == 0 { self.bits & !NO_CUT } else { self.bits }
    }
}

/// The reason why a line belongs to no batch with others, and to no record with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// The line is longer than the limit for lines, or is a piece of such a line.
    Long,
    /// The line is the rest of a line whose first part was delivered.
    Rest,
}

/// The reason why an open record ends although no line has begun the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Closing {
    /// No byte has come for some time.
    Quiet,
    /// The line after it is too long for a block, so it is delivered alone.
    LongLine,
}

/// The records of a block that is being filled: first those that have ended, then those that are open, then a line whose end
/// was not read yet.
pub(super) trait Dividing: Send {
    /// The number of bytes of the records that have ended.
    fn ended_bytes(&self) -> usize;

    /// Whether whole lines wait for later lines.
    fn is_open(&self) -> bool;

    /// The offset in the block of the unfinished line.
    fn unfinished_from(&self) -> usize;

    /// The maximum number of bytes of the open records.
    fn longest_record(&self, max_line: usize) -> usize;

    /// The time without a byte after which the open records end.
    fn quiet(&self) -> Duration;

    /// Takes the lines of `block` that have ended. `rest` says that the first of them is the rest of a line whose first
    /// part was delivered; it is reset when that line has ended.
    fn scan(&mut self, block: &[u8], max_line: usize, rest: &mut bool);

    /// Takes the unfinished line of `block` as well, and ends the open records: the content ends.
    fn end(&mut self, block: &[u8], max_line: usize, rest: &mut bool);

    /// Ends the open records, for this reason.
    fn end_open(&mut self, why: Closing);

    /// Takes the records that have ended. Their bytes are no part of the block any more.
    fn take_ended(&mut self) -> Vec<Part>;

    /// Forgets the unfinished line, which is too long for a block. All records were taken.
    fn forget_line(&mut self);

    /// Whether a line is open whose rest may be in another content.
    fn has_open_piece(&self) -> bool {
        false
    }
}
