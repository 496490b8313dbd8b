//! A line that is too long for a batch, while its parts are read. Only its beginning, its hash and its checksum are
//! kept.

use xxhash_rust::xxh3::Xxh3Default;

use super::receiver::LongLine;
use crate::core::context::Context;
use crate::core::line_end::LineEnd;
use crate::core::record::Key;
use crate::state::checksum;

/// The most bytes of a line end: a carriage return and a newline in UTF-16.
const LONGEST_END: usize = 4;

/// See the [module](self).
pub(super) struct Overlong {
    context: Context,
    line_end: LineEnd,
    beginning: Vec<u8>,
    hash: Xxh3Default,
    with_end: u64,
    checksum: u64,
    /// The last bytes, at most [`LONGEST_END`]. They are not in the hash yet, because they may be the line's end.
    tail: Vec<u8>,
}

impl Overlong {
    /// Starts a line with its first bytes `held`.
    pub(super) fn new(context: Context, held: &[u8], max_line: usize) -> Self {
        let mut line = Overlong {
            line_end: LineEnd::of(context.origin.encoding.as_deref()),
            context,
            beginning: held[..max_line].to_vec(),
            hash: Xxh3Default::default(),
            with_end: 0,
            checksum: checksum::EMPTY,
            tail: Vec::new(),
        };
        line.add(held);
        line
    }

    /// How the line ends.
    pub(super) fn line_end(&self) -> LineEnd {
        self.line_end
    }

    /// The number of bytes that were read of the line, its end included.
    pub(super) fn bytes(&self) -> u64 {
        self.with_end
    }

    /// Adds the next part. The newline, if there is one, is the end of the last part.
    pub(super) fn add(&mut self, part: &[u8]) {
        self.checksum = checksum::join(self.checksum, checksum::of(part), part.len() as u64);
        self.with_end += part.len() as u64;
        let (first, last) = part.split_at(part.len().saturating_sub(LONGEST_END));
        let kept = LONGEST_END - last.len();
        let known = self.tail.len().saturating_sub(kept);
        self.hash.update(&self.tail[..known]);
        self.tail.drain(..known);
        if !first.is_empty() {
            self.hash.update(&self.tail);
            self.tail.clear();
            self.hash.update(first);
        }
        self.tail.extend_from_slice(last);
    }

    /// Ends the line. `closed` says whether it has a newline, and `partial` whether it is only a part of a line.
    pub(super) fn finish(mut self, offset: u64, closed: bool, partial: bool) -> LongLine {
        // A tail of an odd length ends with half a unit of UTF-16, so it has no line end.
        let is_whole = self.with_end.is_multiple_of(self.line_end.width() as u64);
        let bare = if is_whole { self.line_end.without(&self.tail) } else { &self.tail };
        self.hash.update(bare);
        let end = (self.tail.len() - bare.len()) as u64;
        LongLine {
            context: self.context,
            offset,
            beginning: self.beginning,
            length: self.with_end - end,
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
