//! Divides a content in UTF-16 into lines. Bytes of `\n` occur inside of characters, so each batch has a table of lengths.

use std::time::Duration;

use super::dividing::{Alone, Closing, Dividing, Part};
use crate::core::line_end::LineEnd;

/// The lines of a block that is being filled. Each of them is a record.
pub(super) struct Utf16Lines {
    line_end: LineEnd,
    ended: Vec<Part>,
    /// The bytes of `ended`.
    bytes: usize,
    /// The number of bytes of the unfinished line that hold no newline, as far as was searched. It is even.
    searched: usize,
}

impl Utf16Lines {
    pub(super) fn new(line_end: LineEnd) -> Utf16Lines {
        Utf16Lines { line_end, ended: Vec::new(), bytes: 0, searched: 0 }
    }

    fn take_line(&mut self, line: &[u8], max_line: usize, rest: &mut bool) {
        let alone = match std::mem::take(rest) {
            true => Some(Alone::Rest),
            false => (self.line_end.without(line).len() > max_line).then_some(Alone::Long),
        };
        // The bytes of a newline are no end of a line here, so the batch needs a table.
        self.ended.push(Part { is_line: false, alone, ..Part::line(line.len()) });
        self.bytes += line.len();
        self.searched = 0;
    }
}

impl Dividing for Utf16Lines {
    fn ended_bytes(&self) -> usize {
        self.bytes
    }

    fn is_open(&self) -> bool {
        false
    }

    fn unfinished_from(&self) -> usize {
        self.bytes
    }

    fn longest_record(&self, _: usize) -> usize {
        0
    }

    fn quiet(&self) -> Duration {
        Duration::MAX
    }

    fn scan(&mut self, block: &[u8], max_line: usize, rest: &mut bool) {
        loop {
            let line = &block[self.bytes..];
            // NULs at the end may have been left out since.
            self.searched = self.searched.min(line.len() / 2 * 2);
            let Some(length) = self.line_end.find(&line[self.searched..]) else {
                self.searched = line.len() / 2 * 2;
                return;
            };
            self.take_line(&line[..self.searched + length], max_line, rest);
        }
    }

    fn end(&mut self, block: &[u8], max_line: usize, rest: &mut bool) {
        self.scan(block, max_line, rest);
        let line = &block[self.bytes..];
        if !line.is_empty() {
            self.take_line(line, max_line, rest);
        }
    }

    fn end_open(&mut self, _: Closing) {}

    fn take_ended(&mut self) -> Vec<Part> {
        self.bytes = 0;
        std::mem::take(&mut self.ended)
    }

    fn forget_line(&mut self) {
        self.searched = 0;
    }
}
