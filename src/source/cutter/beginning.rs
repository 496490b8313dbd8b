//! Examines the bytes of a content before they are divided: what the content is, and runs of NULs between its records.
//!
//! A run of NULs belongs to no record if it stands where a line begins, or if it has at least [`GAP`] bytes. Such a run ends
//! the record before it, as the end of the content would. The record after it begins at the first byte that is no NUL. In
//! UTF-16 a NUL has two bytes.

use super::{Content, Cutter};
use crate::core::error::Result;
use crate::core::line_end::LineEnd;
use crate::source::binary::{Binary, GAP};
use crate::source::encodings::{Text, Told, tell};
use crate::source::joiner::Joining;

/// The byte order mark of UTF-32 with the high byte first.
const UTF_32BE: &[u8] = b"\0\0\xfe\xff";

impl Content {
    /// What the content is, if it holds no lines of text.
    pub fn binary(&self) -> Option<Binary> {
        self.text.and_then(|text| text.binary)
    }

    /// How the lines of the content end.
    pub(super) fn line_end(&self) -> LineEnd {
        self.text.map(|text| text.line_end).unwrap_or_default()
    }

    /// Examines the last `new` bytes of the block: the bytes that were read last. It delivers the records before a run of NULs,
    /// and leaves the run out. Returns `false` if the receiver wants no more.
    ///
    /// # Errors
    /// The errors of [`Outlet::long_line`](crate::source::outlet::Outlet::long_line).
    #[inline]
    pub fn examine(&mut self, cutter: &Cutter, new: usize) -> Result<bool> {
        match self.text {
            Some(Text { line_end: LineEnd::Byte, binary: None, .. }) => {
                let from = self.filled - new;
                if memchr::memchr(0, &self.block[from..self.filled]).is_none() {
                    self.open_nuls = 0;
                    return Ok(true);
                }
                self.leave_out_nuls(cutter, from - self.open_nuls.min(from))
            }
            Some(Text { binary: Some(_), .. }) => {
                self.offset += self.filled as u64;
                self.filled = 0;
                Ok(true)
            }
            Some(_) => {
                let from = self.filled - new;
                self.leave_out_nuls(cutter, from - self.open_nuls.min(from))
            }
            None => self.begin(cutter, false),
        }
    }

    /// Finds what the content is, if enough of its bytes are there. `is_end` says that no more come.
    pub(super) fn begin(&mut self, cutter: &Cutter, is_end: bool) -> Result<bool> {
        if self.text.is_some() {
            return Ok(true);
        }
        let nuls = zeros(&self.block[..self.filled]) / 2 * 2;
        if nuls > 0 {
            // The mark of UTF-32 begins with NULs too.
            if self.offset == 0 && self.filled < 4 && !is_end {
                return Ok(true);
            }
            if self.offset > 0 || !self.block.starts_with(UTF_32BE) {
                self.skip_nuls(cutter, nuls);
            }
        }
        let beginning = &self.block[..self.filled];
        match tell(cutter.encoding, beginning, self.offset, is_end, cutter.carrier) {
            Told::NotYet => return Ok(true),
            Told::Text(encoding) => {
                let line_end = LineEnd::of(encoding);
                self.text = Some(Text { encoding, line_end, binary: None });
                if line_end != LineEnd::Byte {
                    let rule = cutter.rules.join.as_ref();
                    self.dividing = Some(Box::new(Joining::of_lines(rule, None, self.offset, line_end)));
                }
            }
            Told::Binary(binary) => {
                self.text = Some(Text { encoding: None, line_end: LineEnd::Byte, binary: Some(binary) });
            }
        }
        let new = self.filled;
        self.examine(cutter, new)
    }

    /// Leaves out the runs of NULs from byte `from` of the block on. Each byte is copied once at most, so many runs take no more
    /// time than one.
    #[cold]
    fn leave_out_nuls(&mut self, cutter: &Cutter, from: usize) -> Result<bool> {
        let (line_end, width) = (self.line_end(), self.line_end().width());
        let (block, filled) = (std::mem::take(&mut self.block), std::mem::take(&mut self.filled));
        // The bytes before `done` were delivered or left out.
        let (mut done, mut at, mut is_wanted) = (0, from / width * width, true);
        self.open_nuls = 0;
        while let Some((start, end)) = run(&block[..filled], at, width) {
            let before = &block[done..start];
            let begins_line = match before {
                [] => !self.rest && self.long.is_none(),
                before => line_end.ends(before),
            };
            if begins_line || end - start >= GAP {
                is_wanted = self.end_before(cutter, before)?;
                self.offset += (end - start) as u64;
                cutter.receiver.leave_out_nuls((end - start) as u64);
                done = end;
                if !is_wanted {
                    break;
                }
            } else if filled - end < width {
                // The run may go on.
                self.open_nuls = filled - start;
                break;
            }
            at = end;
        }
        if done == 0 {
            (self.block, self.filled) = (block, filled);
            return Ok(is_wanted);
        }
        let rest = &block[done..filled];
        let mut next = cutter.pool.take(cutter.size.bytes.max(rest.len()));
        next[..rest.len()].copy_from_slice(rest);
        (self.block, self.filled, self.searched) = (next, rest.len(), 0);
        if block.len() == cutter.size.bytes {
            cutter.pool.give(block);
        }
        Ok(is_wanted)
    }

    /// Delivers `bytes`, which the block began with, as if the content ended after them.
    fn end_before(&mut self, cutter: &Cutter, bytes: &[u8]) -> Result<bool> {
        if let Some(long) = &mut self.long {
            // The line may have ended before the NULs, and other lines may stand between.
            let newline = long.line_end().find(bytes);
            let (own, others) = bytes.split_at(newline.unwrap_or(bytes.len()));
            long.add(own);
            self.set_aside(cutter, newline.is_some(), false)?;
            return if others.is_empty() { Ok(true) } else { self.end_before(cutter, others) };
        }
        if bytes.is_empty() {
            self.rest = false;
            return Ok(true);
        }
        self.context(cutter, bytes);
        if let Some(dividing) = &mut self.dividing {
            dividing.end(bytes, cutter.size.max_line, &mut self.rest);
        }
        self.hand_out_block(cutter, bytes.to_vec(), bytes.len(), false)
    }

    /// Leaves out the first `bytes` bytes of the block, which are NULs.
    fn skip_nuls(&mut self, cutter: &Cutter, bytes: usize) {
        self.drop_first(bytes);
        self.offset += bytes as u64;
        cutter.receiver.leave_out_nuls(bytes as u64);
    }

    fn drop_first(&mut self, bytes: usize) {
        self.block.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
        self.searched = 0;
    }
}

/// Returns the number of NULs that `bytes` begin with.
fn zeros(bytes: &[u8]) -> usize {
    let (blocks, _) = bytes.as_chunks::<64>();
    let whole = 64 * blocks.iter().take_while(|block| **block == [0; 64]).count();
    whole + bytes[whole..].iter().take_while(|byte| **byte == 0).count()
}

/// Returns the first run of NULs of `width` bytes in `bytes`, from byte `from` on: where it begins, and where it ends.
fn run(bytes: &[u8], from: usize, width: usize) -> Option<(usize, usize)> {
    let rest = bytes.get(from..)?;
    let start = from
        + match width {
            1 => memchr::memchr(0, rest)?,
            _ => {
                let mut pairs = memchr::memmem::find_iter(rest, b"\0\0");
                // A pair at an odd place may hide one at the next even place.
                pairs.find_map(|at| match at % 2 {
                    0 => Some(at),
                    _ => (rest.get(at + 1..at + 3) == Some(&[0, 0])).then_some(at + 1),
                })?
            }
        };
    let end = start + zeros(&bytes[start..]) / width * width;
    Some((start, end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_of_nuls_are_found_at_their_places() {
        for (bytes, from, width, found) in [
            (&b"abc"[..], 0, 1, None),
            (b"", 0, 1, None),
            (b"a\0\0b", 0, 1, Some((1, 3))),
            (b"a\0\0b\0", 3, 1, Some((4, 5))),
            (b"\0\0\0", 1, 1, Some((1, 3))),
            (b"a\0\0b", 0, 2, None),
            (b"a\0\0\0b\0", 0, 2, Some((2, 4))),
            (b"\0a\0\0\0\0\0b", 0, 2, Some((2, 6))),
            (b"a\0\0\0\0", 0, 2, Some((2, 4))),
        ] {
            assert_eq!(run(bytes, from, width), found, "{bytes:?} {from} {width}");
        }
        let long = [&b"x"[..], &[0; 1000], b"y"].concat();
        assert_eq!(run(&long, 0, 1), Some((1, 1001)));
    }
}
