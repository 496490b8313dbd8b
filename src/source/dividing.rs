//! [`Dividing`]: how the bytes of a content are divided into records, if a record is not simply a line.

use std::time::Duration;

/// A record that has ended, or a line that is delivered alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    /// The number of bytes with the line ends. It fits into 31 bits, because a block is far smaller than 2 GiB.
    pub(super) length: u32,
    /// Whether no batch may be cut before the record.
    pub(super) is_tied: bool,
    /// Why the bytes are delivered alone, if they are.
    pub(super) alone: Option<Alone>,
}

/// The reason why a line belongs to no batch with others, and to no record with others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Alone {
    /// The line is longer than the limit for lines, or is a piece of such a line.
    Long,
    /// The line is the rest of a line whose first part was delivered.
    Rest,
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

    /// Ends the open records.
    fn end_open(&mut self);

    /// Takes the records that have ended. Their bytes are no part of the block any more.
    fn take_ended(&mut self) -> Vec<Part>;

    /// Forgets the unfinished line, which is too long for a block. All records were taken.
    fn forget_line(&mut self);

    /// Whether each record is a line, so that a batch without ties needs no table.
    fn records_are_lines(&self) -> bool;

    /// Whether a line is open whose rest may be in another content.
    fn has_open_piece(&self) -> bool {
        false
    }
}
