//! Lines that were read and are not sent yet. This module does no input and output: bytes go in, lines come out.

use std::collections::VecDeque;

use memchr::{memchr, memchr_iter, memrchr};

use crate::core::lines::without_carriage_return;

/// The size in bytes up to which a chunk is filled.
const CHUNK: usize = 256 << 10;

/// The number of empty chunks that are kept for later use.
const SPARE: usize = 4;

/// A queue of lines, first in, first out.
pub struct Backlog {
    /// Whole lines, each with a newline at its end.
    chunks: VecDeque<Vec<u8>>,
    /// The number of bytes of the first chunk that are sent.
    sent: usize,
    lines: usize,
    bytes: usize,
    /// The beginning of a line whose end was not read yet.
    partial: Vec<u8>,
    /// Whether that line is already too long. Its beginning was thrown away.
    overlong: bool,
    max_line: usize,
    spare: Vec<Vec<u8>>,
}

/// The number of lines in some input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Added {
    /// Lines that were put into the backlog.
    pub lines: usize,
    /// Lines that were thrown away because they are too long.
    pub too_long: usize,
}

impl Backlog {
    /// Creates an empty backlog. It takes no lines of more than `max_line` bytes.
    pub fn new(max_line: usize) -> Backlog {
        Backlog {
            chunks: VecDeque::new(),
            sent: 0,
            lines: 0,
            bytes: 0,
            partial: Vec::new(),
            overlong: false,
            max_line,
            spare: Vec::new(),
        }
    }

    /// Returns the number of lines that wait.
    pub fn lines(&self) -> usize {
        self.lines
    }

    /// Returns the number of bytes that wait, newlines included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes input.
    pub fn add(&mut self, data: &[u8]) -> Added {
        let mut added = Added::default();
        let Some(first) = memchr(b'\n', data) else {
            self.begin(data);
            return added;
        };
        let mut rest = data;
        if self.overlong || !self.partial.is_empty() {
            self.begin(&data[..first]);
            self.finish(&mut added);
            rest = &data[first + 1..];
        }
        if let Some(last) = memrchr(b'\n', rest) {
            self.add_whole(&rest[..=last], &mut added);
            rest = &rest[last + 1..];
        }
        self.begin(rest);
        added
    }

    /// Ends the input. A last line without a newline counts as a line.
    pub fn end(&mut self) -> Added {
        let mut added = Added::default();
        if self.overlong || !self.partial.is_empty() {
            self.finish(&mut added);
        }
        added
    }

    fn begin(&mut self, data: &[u8]) {
        if !self.overlong {
            self.partial.extend_from_slice(data);
            // One byte more is allowed: it may be the carriage return of the line's end.
            if self.partial.len() > self.max_line + 1 {
                self.overlong = true;
                self.partial = Vec::new();
            }
        }
    }

    fn finish(&mut self, added: &mut Added) {
        let mut line = std::mem::take(&mut self.partial);
        if std::mem::take(&mut self.overlong) || without_carriage_return(&line).len() > self.max_line {
            added.too_long += 1;
            return;
        }
        line.push(b'\n');
        self.keep(&line, 1, added);
        line.clear();
        self.partial = line;
    }

    fn add_whole(&mut self, data: &[u8], added: &mut Added) {
        if data.len() <= self.max_line + 1 {
            return self.keep(data, memchr_iter(b'\n', data).count(), added);
        }
        for line in data.split_inclusive(|&byte| byte == b'\n') {
            match without_carriage_return(&line[..line.len() - 1]).len() > self.max_line {
                true => added.too_long += 1,
                false => self.keep(line, 1, added),
            }
        }
    }

    fn keep(&mut self, data: &[u8], lines: usize, added: &mut Added) {
        let room = self.chunks.back().is_some_and(|chunk| chunk.len() + data.len() <= CHUNK);
        if !room {
            self.chunks.push_back(self.spare.pop().unwrap_or_default());
        }
        if let Some(chunk) = self.chunks.back_mut() {
            chunk.extend_from_slice(data);
        }
        self.lines += lines;
        self.bytes += data.len();
        added.lines += lines;
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
        fn however_input_is_cut_the_lines_are_those_of_the_whole(
            content in r"([a-c\r]{0,6}\n){0,12}[a-c\r]{0,6}", cuts in prop::collection::vec(0..90_usize, 0..6), max_line in 3..8_usize, most in 1..5_usize,
        ) {
            let content = content.as_bytes();
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(content.len())).chain([0, content.len()]).collect();
            cuts.sort_unstable();
            let mut backlog = Backlog::new(max_line);
            let (mut taken, mut added) = (Vec::new(), Added::default());
            for pair in cuts.windows(2) {
                let more = backlog.add(&content[pair[0]..pair[1]]);
                added = Added { lines: added.lines + more.lines, too_long: added.too_long + more.too_long };
                taken.extend(take(&mut backlog, most));
            }
            let more = backlog.end();
            added = Added { lines: added.lines + more.lines, too_long: added.too_long + more.too_long };
            taken.extend(take(&mut backlog, usize::MAX));
            let lines: Vec<Vec<u8>> = crate::core::lines::lines(content).map(|line| line.bytes.to_vec()).collect();
            let expected: Vec<Vec<u8>> = lines.iter().filter(|line| line.len() <= max_line).cloned().collect();
            prop_assert_eq!(added, Added { lines: expected.len(), too_long: lines.len() - expected.len() });
            prop_assert_eq!(taken, expected);
            prop_assert_eq!((backlog.lines(), backlog.bytes()), (0, 0));
        }

        #[test]
        fn the_newest_lines_are_thrown_away(lines in 0..40_usize, sent in 0..40_usize, most in 0..40_usize) {
            let mut backlog = Backlog::new(100);
            let all: Vec<Vec<u8>> = (0..lines).map(|line| line.to_string().into_bytes()).collect();
            for line in &all {
                backlog.add(&[line, &b"\n"[..]].concat());
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
        let mut backlog = Backlog::new(CHUNK);
        let line = vec![b'x'; CHUNK / 2 + 1];
        for _ in 0..4 {
            backlog.add(&line);
            backlog.add(b"\n");
        }
        assert_eq!((backlog.lines(), backlog.bytes()), (4, 4 * (line.len() + 1)));
        assert_eq!(backlog.trim(10, 2 * (line.len() + 1)), 2);
        assert_eq!(take(&mut backlog, usize::MAX), [line.clone(), line]);
    }
}
