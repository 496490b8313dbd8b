//! Lines that were read and are not sent yet. This module does no input and output: batches go in, lines come out.

use std::collections::VecDeque;

use memchr::{memchr, memrchr};

use crate::core::lines::without_carriage_return;

/// The size in bytes up to which a chunk is filled.
const CHUNK: usize = 256 << 10;

/// The number of empty chunks that are kept for later use.
const SPARE: usize = 4;

/// A queue of lines, first in, first out.
#[derive(Debug, Default)]
pub struct Backlog {
    /// Whole lines, each with a newline at its end.
    chunks: VecDeque<Vec<u8>>,
    /// The number of bytes of the first chunk that are sent.
    sent: usize,
    lines: usize,
    bytes: usize,
    spare: Vec<Vec<u8>>,
}

impl Backlog {
    /// Returns the number of lines that wait.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Returns the number of bytes that wait, newlines included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes `lines` whole lines. The last one may lack its newline.
    pub fn add(&mut self, data: &[u8], lines: usize) {
        let end: &[u8] = if data.ends_with(b"\n") { b"" } else { b"\n" };
        let length = data.len() + end.len();
        let room = self.chunks.back().is_some_and(|chunk| chunk.len() + length <= CHUNK);
        if !room {
            self.chunks.push_back(self.spare.pop().unwrap_or_default());
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.extend_from_slice(data);
            chunk.extend_from_slice(end);
        }
        self.lines += lines;
        self.bytes += length;
    }

    /// Calls `send` with each line, without its end, until `send` returns false. Returns whether all lines are sent,
    /// and how many were sent now.
    ///
    /// # Errors
    /// The errors of `send`.
    #[inline]
    pub fn send<E>(&mut self, mut send: impl FnMut(&[u8]) -> Result<bool, E>) -> Result<(bool, usize), E> {
        let mut count = 0;
        let mut result = Ok(());
        'chunks: while let Some(chunk) = self.chunks.front() {
            let mut sent = self.sent;
            while let Some(length) = memchr(b'\n', &chunk[sent..]) {
                match send(without_carriage_return(&chunk[sent..sent + length])) {
                    Ok(true) => {}
                    refused => {
                        result = refused.map(drop);
                        self.bytes -= sent - self.sent;
                        self.sent = sent;
                        break 'chunks;
                    }
                }
                sent += length + 1;
                count += 1;
            }
            self.bytes -= sent - self.sent;
            self.sent = 0;
            if let Some(mut chunk) = self.chunks.pop_front().filter(|chunk| chunk.capacity() <= 2 * CHUNK) {
                chunk.clear();
                self.spare.push(chunk);
                self.spare.truncate(SPARE);
            }
        }
        self.lines -= count;
        result.map(|()| (self.lines == 0, count))
    }

    /// Throws away the newest lines beyond `lines` lines and `bytes` bytes. Returns their number.
    pub fn trim(&mut self, lines: usize, bytes: usize) -> usize {
        let before = self.lines;
        while self.lines > 0 && (self.lines > lines || self.bytes > bytes) {
            let first = if self.chunks.len() == 1 { self.sent } else { 0 };
            let Some(chunk) = self.chunks.back_mut() else { break };
            let end = chunk.len().saturating_sub(1);
            let start = memrchr(b'\n', &chunk[first..end]).map_or(first, |newline| first + newline + 1);
            self.bytes -= chunk.len() - start;
            self.lines -= 1;
            chunk.truncate(start);
            if start == first {
                self.chunks.pop_back();
                if self.chunks.is_empty() {
                    self.sent = 0;
                }
            }
        }
        before - self.lines
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use proptest::prelude::*;

    use super::*;
    use crate::core::lines;

    fn take(backlog: &mut Backlog, most: usize) -> Vec<Vec<u8>> {
        let mut taken = Vec::new();
        let sent = backlog.send(|line| {
            if taken.len() == most {
                return Ok::<_, Infallible>(false);
            }
            taken.push(line.to_vec());
            Ok(true)
        });
        assert_eq!(sent.unwrap(), (backlog.lines() == 0, taken.len()));
        taken
    }

    proptest! {
        #[test]
        fn the_lines_that_come_out_are_those_that_went_in(
            batches in prop::collection::vec(r"([a-c\r]{0,6}\n){0,4}[a-c\r]{0,6}", 0..6), most in 1..5_usize,
        ) {
            let mut backlog = Backlog::default();
            let (mut taken, mut expected) = (Vec::new(), Vec::new());
            for batch in &batches {
                let lines: Vec<Vec<u8>> = lines::lines(batch.as_bytes()).map(|line| line.bytes.to_vec()).collect();
                if !lines.is_empty() {
                    backlog.add(batch.as_bytes(), lines.len());
                }
                expected.extend(lines);
                taken.extend(take(&mut backlog, most));
            }
            taken.extend(take(&mut backlog, usize::MAX));
            prop_assert_eq!(taken, expected);
            prop_assert_eq!((backlog.lines(), backlog.bytes()), (0, 0));
        }

        #[test]
        fn the_newest_lines_are_thrown_away(lines in 0..40_usize, sent in 0..40_usize, most in 0..40_usize) {
            let mut backlog = Backlog::default();
            let all: Vec<Vec<u8>> = (0..lines).map(|line| line.to_string().into_bytes()).collect();
            for line in &all {
                backlog.add(line, 1);
            }
            let taken = take(&mut backlog, sent);
            let thrown = backlog.trim(most, usize::MAX);
            let left = take(&mut backlog, usize::MAX);
            prop_assert_eq!(thrown, lines.saturating_sub(sent).saturating_sub(most));
            prop_assert_eq!([taken, left].concat(), &all[..lines - thrown]);
            prop_assert_eq!(backlog.bytes(), 0);
        }
    }

    #[test]
    fn chunks_and_bytes_are_bounds_as_well() {
        let mut backlog = Backlog::default();
        let line = vec![b'x'; CHUNK / 2 + 1];
        (0..4).for_each(|_| backlog.add(&line, 1));
        assert_eq!((backlog.lines(), backlog.bytes()), (4, 4 * (line.len() + 1)));
        assert_eq!(backlog.trim(10, 2 * (line.len() + 1)), 2);
        assert_eq!(take(&mut backlog, usize::MAX), [line.clone(), line]);
    }
}
