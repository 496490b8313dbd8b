//! Makes records of what `/logs` sends: with frames, or, for a container with a terminal, as text. Pure.
//!
//! Every piece of a long line has the time of its beginning before it. A line without a newline goes on in the next piece of
//! its stream, if that has the same time.

use super::frames::{Broken, Frames, Stream};
use super::position::{Mark, Marking};
use crate::core::calendar::rfc3339_at_start;

/// The length of the pieces of a long line. Text that is no UTF-8 is replaced by longer text afterwards.
const CUT_BYTES: usize = 16 << 10;

/// A whole record.
#[derive(Debug)]
pub struct Record<'a> {
    /// Its stream.
    pub stream: Stream,
    /// Its time and its hash.
    pub mark: Mark,
    /// Its text without the line end, at most as long as the limit.
    pub text: &'a [u8],
    /// The number of bytes of the text.
    pub length: u64,
}

/// A line whose end has not come.
struct Open {
    ns: u64,
    text: Vec<u8>,
    length: u64,
    marking: Marking,
}

/// Takes a record. Records come in the order of their ends.
pub type Take<'t> = &'t mut dyn FnMut(Record<'_>);

/// See the [module](self).
pub struct RecordReader {
    shape: Shape,
    lines: Lines,
}

enum Shape {
    Frames(Frames),
    /// The bytes of a line that has not ended.
    Terminal(Vec<u8>),
}

struct Lines {
    /// The line of each stream that has not ended.
    open: [Option<Open>; 2],
    /// The longest text that is kept whole.
    limit: usize,
    /// The time of the last record.
    last: u64,
    /// The number of pieces without a time.
    untimed: u64,
}

impl RecordReader {
    /// Reads a log. `limit` is the longest text that is kept whole.
    pub fn new(is_terminal: bool, limit: usize) -> RecordReader {
        let shape = if is_terminal { Shape::Terminal(Vec::new()) } else { Shape::Frames(Frames::default()) };
        RecordReader { shape, lines: Lines { open: [None, None], limit, last: 0, untimed: 0 } }
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// The Engine reports an error, or the bytes are no frames.
    pub fn feed(&mut self, bytes: &[u8], take: Take) -> Result<(), Broken> {
        let lines = &mut self.lines;
        match &mut self.shape {
            Shape::Frames(frames) => frames.feed(bytes, &mut |stream, content| lines.add(stream, content, take)),
            Shape::Terminal(partial) => {
                let mut rest = bytes;
                while let Some(newline) = memchr::memchr(b'\n', rest) {
                    if partial.is_empty() {
                        lines.terminal(&rest[..=newline], take);
                    } else {
                        partial.extend_from_slice(&rest[..=newline]);
                        lines.terminal(partial, take);
                        partial.clear();
                    }
                    rest = &rest[newline + 1..];
                }
                partial.extend_from_slice(rest);
                // A line without an end must not fill the memory. Its pieces are joined again by their times.
                if partial.len() > lines.limit.max(CUT_BYTES) + CUT_BYTES {
                    let stamp = rfc3339_at_start(partial).and_then(|(_, length)| partial.get(..=length));
                    let piece = stamp
                        .and_then(|stamp| Some(memchr::memmem::rfind(&partial[stamp.len()..], stamp)? + stamp.len()));
                    let rest = partial.split_off(piece.unwrap_or(partial.len()));
                    lines.terminal(partial, take);
                    *partial = rest;
                }
                Ok(())
            }
        }
    }

    /// Ends the log: passes on the lines that have no end.
    pub fn end(&mut self, take: Take) {
        if let Shape::Terminal(partial) = &mut self.shape {
            let rest = std::mem::take(partial);
            if !rest.is_empty() {
                self.lines.terminal(&rest, take);
            }
        }
        for stream in [Stream::Out, Stream::Err] {
            self.lines.close(stream, take);
        }
    }

    /// The number of pieces that had no time.
    pub fn untimed(&self) -> u64 {
        self.lines.untimed
    }
}

impl Lines {
    /// Takes a line of a terminal, perhaps with its end. Pieces of a long line stand in it with their times.
    fn terminal(&mut self, line: &[u8], take: Take) {
        let time = rfc3339_at_start(line).filter(|(_, length)| line.get(*length) == Some(&b' '));
        let Some((_, length)) = time else { return self.add(Stream::Out, line, take) };
        let (stamp, mut rest) = (&line[..=length], line);
        while rest.len() > stamp.len() + CUT_BYTES {
            let from = stamp.len() + CUT_BYTES;
            let Some(at) = memchr::memmem::find(&rest[from..], stamp) else { break };
            self.add(Stream::Out, &rest[..from + at], take);
            rest = &rest[from + at..];
        }
        self.add(Stream::Out, rest, take);
    }

    /// Takes a line, or a piece of a line, with the time before it.
    fn add(&mut self, stream: Stream, content: &[u8], take: Take) {
        let time = rfc3339_at_start(content).filter(|(_, length)| matches!(content.get(*length), Some(b' ') | None));
        let (ns, text) = match time {
            Some((ns, length)) => (ns, content.get(length + 1..).unwrap_or_default()),
            None => {
                self.untimed += 1;
                (self.last, content)
            }
        };
        self.last = ns;
        let index = stream as usize;
        if self.open[index].as_ref().is_some_and(|open| open.ns != ns) {
            self.close(stream, take);
        }
        let whole = text.strip_suffix(b"\n");
        let text = whole.map_or(text, |text| text.strip_suffix(b"\r").unwrap_or(text));
        if whole.is_some() && self.open[index].is_none() {
            let mut marking = Marking::new(stream);
            marking.add(text);
            let kept = &text[..text.len().min(self.limit + 1)];
            return take(Record { stream, mark: marking.mark(ns), text: kept, length: text.len() as u64 });
        }
        let open = self.open[index].get_or_insert_with(|| Open {
            ns,
            text: Vec::new(),
            length: 0,
            marking: Marking::new(stream),
        });
        open.marking.add(text);
        open.length += text.len() as u64;
        let room = (self.limit + 1).saturating_sub(open.text.len());
        open.text.extend_from_slice(&text[..text.len().min(room)]);
        if whole.is_some() {
            self.close(stream, take);
        }
    }

    /// Passes on the open line of a stream.
    fn close(&mut self, stream: Stream, take: Take) {
        if let Some(open) = self.open[stream as usize].take() {
            take(Record { stream, mark: open.marking.mark(open.ns), text: &open.text, length: open.length });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const T1: &str = "2026-11-30T11:00:00.000000001Z";
    const T2: &str = "2026-11-30T11:00:00.000000002Z";

    fn frame(stream: u8, time: &str, text: &str) -> Vec<u8> {
        let length = (time.len() + 1 + text.len()) as u32;
        [&[stream, 0, 0, 0][..], &length.to_be_bytes(), time.as_bytes(), b" ", text.as_bytes()].concat()
    }

    /// The records, in words.
    fn read(is_terminal: bool, bytes: &[u8], size: usize) -> Vec<String> {
        let (mut reader, mut got) = (RecordReader::new(is_terminal, 1 << 20), Vec::new());
        let mut take = |record: Record<'_>| {
            assert_eq!(record.length, record.text.len() as u64);
            let text = String::from_utf8_lossy(record.text);
            let text = if text.len() > 20 { format!("{} bytes", text.len()) } else { text.into_owned() };
            got.push(format!("{} {} {text}", record.stream.name(), record.mark.ns % 1000));
        };
        bytes.chunks(size).for_each(|part| reader.feed(part, &mut take).unwrap());
        reader.end(&mut take);
        got
    }

    #[test]
    fn pieces_are_joined_in_each_stream_and_a_line_without_an_end_ends_with_its_time() {
        let long = "x".repeat(CUT_BYTES);
        let all = [
            frame(1, T1, "one\n"),
            frame(1, T1, &long),
            frame(2, T2, "between\r\n"),
            frame(1, T1, &long),
            frame(1, T1, "end\n"),
            frame(1, T2, "\n"),
            frame(2, T1, "no end"),
            frame(2, T2, "after\n"),
            frame(1, T2, "last"),
        ]
        .concat();
        let expected = [
            "stdout 1 one",
            "stderr 2 between",
            "stdout 1 32771 bytes",
            "stdout 2 ",
            "stderr 1 no end",
            "stderr 2 after",
            "stdout 2 last",
        ];
        for size in [1, 9, 1000, all.len()] {
            assert_eq!(read(false, &all, size), expected, "{size}");
        }
    }

    #[test]
    fn a_terminal_s_lines_are_joined_where_a_piece_has_the_time_of_its_line() {
        let long = "y".repeat(CUT_BYTES);
        let text = format!("{T1} a\r\n{T1} {long}{T1} {long}{T1} z\r\n{T2} {T1} b\r\n{T2} open");
        for size in [1, 1000, text.len()] {
            let got = read(true, text.as_bytes(), size);
            assert_eq!(got.len(), 4, "{got:?}");
            assert_eq!(got[..2], ["stdout 1 a", "stdout 1 32769 bytes"]);
            assert_eq!(got[2..], ["stdout 2 32 bytes", "stdout 2 open"]);
        }
    }

    #[test]
    fn a_line_that_is_too_long_keeps_its_length_and_its_beginning() {
        for is_terminal in [false, true] {
            let (mut reader, mut got) = (RecordReader::new(is_terminal, 100), Vec::new());
            let piece = "z".repeat(CUT_BYTES);
            let pieces: Vec<String> = (0..200).map(|_| piece.clone()).chain(["\n".to_owned()]).collect();
            for text in &pieces {
                let bytes = if is_terminal { format!("{T1} {text}").into_bytes() } else { frame(1, T1, text) };
                reader.feed(&bytes, &mut |record| got.push((record.length, record.text.len()))).unwrap();
            }
            assert_eq!(got, [(200 * CUT_BYTES as u64, 101)], "{is_terminal}");
        }
    }

    #[test]
    fn a_piece_without_a_time_is_counted() {
        let mut reader = RecordReader::new(true, 100);
        let mut got = Vec::new();
        reader.feed(b"no time\n", &mut |record| got.push(record.mark.ns)).unwrap();
        assert_eq!((got, reader.untimed()), (vec![0], 1));
    }
}
