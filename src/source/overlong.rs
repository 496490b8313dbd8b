//! A line that is too long for a batch, while its parts are read. Only its beginning, its hash and its checksum are
//! kept.

use xxhash_rust::xxh3::Xxh3Default;

use super::receiver::LongLine;
use crate::core::context::Context;
use crate::core::lines::without_carriage_return;
use crate::core::record::Key;
use crate::state::checksum;

/// See the [module](self).
pub(super) struct Overlong {
    context: Context,
    beginning: Vec<u8>,
    hash: Xxh3Default,
    /// The length without the line's end.
    length: u64,
    with_end: u64,
    checksum: u64,
    /// Whether the last byte was a carriage return. The next byte decides whether it belongs to the line's end.
    carriage_return: bool,
}

impl Overlong {
    /// Starts a line with its first bytes `held`.
    pub(super) fn new(context: Context, held: &[u8], max_line: usize) -> Self {
        let mut line = Overlong {
            context,
            beginning: held[..max_line].to_vec(),
            hash: Xxh3Default::default(),
            length: 0,
            with_end: 0,
            checksum: checksum::EMPTY,
            carriage_return: false,
        };
        line.add(held);
        line
    }

    /// The number of bytes that were read of the line, its end included.
    pub(super) fn bytes(&self) -> u64 {
        self.with_end
    }

    /// Adds the next part. The newline, if there is one, is the last byte of the last part.
    pub(super) fn add(&mut self, part: &[u8]) {
        self.checksum = checksum::join(self.checksum, checksum::of(part), part.len() as u64);
        self.with_end += part.len() as u64;
        let part = part.strip_suffix(b"\n").unwrap_or(part);
        if part.is_empty() {
            return;
        }
        if std::mem::take(&mut self.carriage_return) {
            self.hash.update(b"\r");
            self.length += 1;
        }
        let line = without_carriage_return(part);
        self.carriage_return = line.len() < part.len();
        self.hash.update(line);
        self.length += line.len() as u64;
    }

    /// Ends the line. `closed` says whether it has a newline, and `partial` whether it is only a part of a line.
    pub(super) fn finish(self, offset: u64, closed: bool, partial: bool) -> LongLine {
        LongLine {
            context: self.context,
            offset,
            beginning: self.beginning,
            length: self.length,
            length_with_end: self.with_end,
            hash: self.hash.digest(),
            checksum: self.checksum,
            closed,
            partial,
            key: Key::Offset(offset),
            ticket: None,
            line: None,
        }
    }
}
