//! Splits a stream of bytes into messages, with the two framings of RFC 6587 and with NUL. Pure.
//!
//! | a message that begins with | ends |
//! |---|---|
//! | `LENGTH `, then `<` | after LENGTH bytes, counted from the `<`: octet counting, the only framing of RFC 5425 |
//! | anything else | at the next newline or NUL, which is not a part of the message |
//!
//! The first bytes of each message decide between the two framings, so a sender may change the framing at any message.
//! Empty messages are skipped, because some senders write a newline after a counted message. Two things that no sender
//! writes end the stream: a count beyond the limit, and a control character at the start of a message.
//!
//! Only the current message is kept in memory. Of a message that is longer than the longest line, only the beginning,
//! the hash and the checksum are kept.

use std::fmt;

use xxhash_rust::xxh3::Xxh3Default;

use crate::state::checksum;

/// A message of the stream.
#[derive(Debug)]
pub enum Frame<'a> {
    /// A message that is not longer than the longest line.
    Message(&'a [u8]),
    /// A message that is longer than the longest line.
    Long(LongMessage),
}

/// A message that is longer than the longest line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LongMessage {
    /// The first bytes of the message, as many as a line may have.
    pub beginning: Vec<u8>,
    /// Its length in bytes.
    pub length: u64,
    /// XXH3-64 of the whole message.
    pub hash: u64,
    /// The [`checksum`] of the whole message.
    pub checksum: u64,
}

/// Why a stream is not syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbage {
    /// A count that is larger than the limit.
    Count(u64),
    /// A message that begins with this control character.
    Control(u8),
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Garbage::Count(count) => write!(f, "a message of {count} bytes was announced, which is over the limit"),
            Garbage::Control(0x16) => {
                f.write_str("it sends TLS, which needs syslog+tls://, or something else that is not syslog")
            }
            Garbage::Control(byte) => write!(f, "a message begins with the control character {byte:#04x}"),
        }
    }
}

/// Why [`Framer::push`] ended early.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken<E> {
    /// The stream is not syslog.
    Garbage(Garbage),
    /// The error of the code that takes the messages.
    Taker(E),
}

/// The limit of a count, as a multiple of the longest line. A counted message within the limit is read to its end and
/// set aside if it is too long. A larger count is garbage.
const MAX_COUNT_FACTOR: u64 = 16;

/// The state of one stream.
pub struct Framer {
    max_line: usize,
    state: State,
    /// The bytes of the current message that were read.
    partial: Vec<u8>,
    /// The length, hash and checksum of the current message, if it is too long.
    long: Option<Box<Long>>,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Between messages.
    Start,
    /// In digits that may be a count. `digits` of them were read, and `partial` holds them as well.
    Count { digits: u8, count: u64 },
    /// After a count and a space.
    Blank { count: u64 },
    /// In a counted message, of which `left` bytes are missing.
    Counted { left: u64 },
    /// In a message that ends with a newline or NUL.
    Line,
}

struct Long {
    hash: Xxh3Default,
    checksum: u64,
    length: u64,
}

/// The maximum number of digits of a count. A number of 9 digits is nearly a gigabyte.
const MAX_DIGITS: u8 = 9;

impl Framer {
    /// The state for a new stream. Messages of more than `max_line` bytes count as long.
    pub fn new(max_line: usize) -> Framer {
        Framer { max_line, state: State::Start, partial: Vec::new(), long: None }
    }

    /// The bytes of memory that this stream holds.
    pub fn memory(&self) -> usize {
        self.partial.capacity()
    }

    /// Takes the bytes of a read, and calls `take` with each message that ends in them.
    ///
    /// # Errors
    /// Fails when the stream is not syslog, or when `take` fails.
    pub fn push<E>(&mut self, data: &[u8], mut take: impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), Broken<E>> {
        let mut rest = data;
        while let Some(&first) = rest.first() {
            rest = match self.state {
                State::Start => {
                    match first {
                        b'\n' | b'\r' | 0 => {
                            rest = &rest[1..];
                            continue;
                        }
                        b'1'..=b'9' => self.state = State::Count { digits: 0, count: 0 },
                        b'\t' | b' '.. if first != 0x7f => self.state = State::Line,
                        _ => return Err(Broken::Garbage(Garbage::Control(first))),
                    }
                    rest
                }
                State::Count { digits, count } => self.count(digits, count, rest).map_err(Broken::Garbage)?,
                State::Blank { count } => {
                    if first == b'<' {
                        let most = MAX_COUNT_FACTOR * (self.max_line.max(1 << 20) as u64);
                        if count > most {
                            // The digits were not a message, so they are dropped.
                            self.partial.clear();
                            self.state = State::Start;
                            return Err(Broken::Garbage(Garbage::Count(count)));
                        }
                        self.partial.clear();
                        self.state = State::Counted { left: count };
                    } else {
                        self.state = State::Line;
                    }
                    rest
                }
                State::Counted { left } => {
                    let length = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let (part, after) = rest.split_at(length);
                    let left = left - length as u64;
                    self.state = State::Counted { left };
                    if left > 0 {
                        self.keep(part);
                    } else {
                        self.end(part, &mut take).map_err(Broken::Taker)?;
                    }
                    after
                }
                State::Line => match memchr::memchr2(b'\n', 0, rest) {
                    Some(end) => {
                        let (part, after) = rest.split_at(end);
                        self.end(part, &mut take).map_err(Broken::Taker)?;
                        &after[1..]
                    }
                    None => {
                        self.keep(rest);
                        &[]
                    }
                },
            };
        }
        Ok(())
    }

    /// Calls `take` with the last message of the stream, which has no end.
    ///
    /// # Errors
    /// The errors of `take`.
    pub fn finish<E>(&mut self, mut take: impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), E> {
        self.end(&[], &mut take)
    }

    fn count<'a>(&mut self, digits: u8, count: u64, rest: &'a [u8]) -> Result<&'a [u8], Garbage> {
        let Some((&first, after)) = rest.split_first() else { return Ok(rest) };
        match first {
            b'0'..=b'9' if digits < MAX_DIGITS => {
                let count = count * 10 + u64::from(first - b'0');
                self.state = State::Count { digits: digits + 1, count };
            }
            b' ' => self.state = State::Blank { count },
            _ => {
                self.state = State::Line;
                return Ok(rest);
            }
        }
        self.partial.push(first);
        Ok(after)
    }

    /// Appends a part of a message that does not end in it.
    fn keep(&mut self, part: &[u8]) {
        if let Some(long) = &mut self.long {
            return long.add(part);
        }
        if self.partial.len() + part.len() <= self.max_line {
            return self.partial.extend_from_slice(part);
        }
        let mut long = Box::new(Long { hash: Xxh3Default::new(), checksum: checksum::EMPTY, length: 0 });
        long.add(&self.partial);
        long.add(part);
        let room = self.max_line.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&part[..room.min(part.len())]);
        self.partial.truncate(self.max_line);
        self.long = Some(long);
    }

    /// Ends the message, of which `part` is the last part.
    fn end<E>(&mut self, part: &[u8], take: &mut impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), E> {
        self.state = State::Start;
        if self.partial.is_empty() && part.len() <= self.max_line {
            // The read holds the whole message, so nothing is copied.
            return whole(part, take);
        }
        self.keep(part);
        // The memory is freed, because most connections send seldom.
        let partial = std::mem::take(&mut self.partial);
        match self.long.take() {
            None => whole(&partial, take),
            Some(long) => {
                let Long { hash, checksum, length } = *long;
                take(Frame::Long(LongMessage { beginning: partial, length, hash: hash.digest(), checksum }))
            }
        }
    }
}

/// Calls `take` with a message, without the line end that some senders count as a part of it. An empty message is
/// skipped.
fn whole<E>(message: &[u8], take: &mut impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), E> {
    let message = message.strip_suffix(b"\0").unwrap_or(message);
    let message = message.strip_suffix(b"\n").unwrap_or(message);
    let message = message.strip_suffix(b"\r").unwrap_or(message);
    if message.is_empty() { Ok(()) } else { take(Frame::Message(message)) }
}

impl Long {
    fn add(&mut self, bytes: &[u8]) {
        self.hash.update(bytes);
        self.checksum = checksum::join(self.checksum, checksum::of(bytes), bytes.len() as u64);
        self.length += bytes.len() as u64;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The messages of a stream that arrives in `reads`. Each is returned with its length; the second value is the
    /// error that ended the stream.
    fn told(max_line: usize, reads: &[&[u8]]) -> (Vec<(Vec<u8>, u64)>, Option<Garbage>) {
        let mut framer = Framer::new(max_line);
        let mut messages = Vec::new();
        let mut take = |frame: Frame<'_>| {
            messages.push(match frame {
                Frame::Message(message) => (message.to_vec(), message.len() as u64),
                Frame::Long(long) => {
                    assert_eq!(long.beginning.len(), max_line);
                    assert!(long.length > max_line as u64);
                    (long.beginning, long.length)
                }
            });
            Ok::<(), ()>(())
        };
        for read in reads {
            match framer.push(read, &mut take) {
                Ok(()) => assert!(framer.partial.len() <= max_line.max(usize::from(MAX_DIGITS) + 1)),
                Err(Broken::Garbage(garbage)) => return (messages, Some(garbage)),
                Err(Broken::Taker(())) => panic!("it takes all"),
            }
        }
        framer.finish(&mut take).unwrap();
        (messages, None)
    }

    fn texts(stream: &str) -> Vec<String> {
        let (messages, garbage) = told(100, &[stream.as_bytes()]);
        assert_eq!(garbage, None, "{stream:?}");
        messages.into_iter().map(|(message, _)| String::from_utf8(message).unwrap()).collect()
    }

    #[test]
    fn both_framings_are_told_message_by_message() {
        for (stream, expected) in [
            ("<1>a\n<2>b\n", &["<1>a", "<2>b"][..]),
            ("<1>a\r\n<2>b", &["<1>a", "<2>b"]),
            ("<1>a\0<2>b\0", &["<1>a", "<2>b"]),
            ("4 <1>a4 <2>b", &["<1>a", "<2>b"]),
            ("4 <1>a\n<2>b\n4 <3>c", &["<1>a", "<2>b", "<3>c"]),
            ("8 <1>a\nb\nc", &["<1>a\nb\nc"]),
            ("5 <1>a\n5 <2>b\n", &["<1>a", "<2>b"]),
            ("\n\n\0\r\n", &[]),
            ("2024 was a year\n<1>a\n", &["2024 was a year", "<1>a"]),
            ("2024-02-03 a\n", &["2024-02-03 a"]),
            ("1234567890123 <1>a\n", &["1234567890123 <1>a"]),
            ("9", &["9"]),
            ("9 ", &["9 "]),
            ("9 <1>a", &["<1>a"]),
            ("no priority\n", &["no priority"]),
            ("grüße\n", &["grüße"]),
        ] {
            assert_eq!(texts(stream), expected, "{stream:?}");
        }
    }

    #[test]
    fn garbage_ends_a_stream_and_what_came_before_is_told() {
        let (messages, garbage) = told(100, &[b"<1>a\n\x16\x03\x01"]);
        assert_eq!((messages.len(), garbage), (1, Some(Garbage::Control(0x16))));
        assert_eq!(told(100, &[b"999999999 <1>a"]).1, Some(Garbage::Count(999_999_999)));
        assert_eq!(told(100, &[b"16777217 <1>a"]).1, Some(Garbage::Count(16_777_217)));
        assert_eq!(told(100, &[b"16777216 <1>a"]).1, None);
    }

    #[test]
    fn a_message_beyond_the_bound_is_told_by_its_beginning_whatever_its_framing() {
        for stream in ["<1>abcdefgh\n<2>b\n", "11 <1>abcdefgh<2>b\n"] {
            let (messages, _) = told(5, &[stream.as_bytes()]);
            assert_eq!(messages, [(b"<1>ab".to_vec(), 11), (b"<2>b".to_vec(), 4)], "{stream}");
        }
        // The hash is that of the whole message.
        let mut framer = Framer::new(4);
        let mut found = None;
        let mut take = |frame: Frame<'_>| {
            if let Frame::Long(long) = frame {
                found = Some(long);
            }
            Ok::<(), ()>(())
        };
        for part in ["<1>", "abc", "def", "\n"] {
            framer.push(part.as_bytes(), &mut take).unwrap();
        }
        let hash = xxhash_rust::xxh3::xxh3_64(b"<1>abcdef");
        let checksum = checksum::of(b"<1>abcdef");
        assert_eq!(found, Some(LongMessage { beginning: b"<1>a".to_vec(), length: 9, hash, checksum }));
        assert_eq!(framer.memory(), 0, "nothing is kept between messages");
    }

    proptest! {
        #[test]
        fn every_split_of_a_stream_gives_the_same_messages(
            stream in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..60),
                "(<1>|[0-9]{1,2} |[0-9]{1,2} <|a|\n|\u{0}|\r|é){0,20}".prop_map(String::into_bytes),
            ],
            cuts in prop::collection::vec(0_usize..60, 0..8),
            max_line in 1_usize..20,
        ) {
            let whole = told(max_line, &[&stream]);
            let single: Vec<&[u8]> = stream.chunks(1).collect();
            prop_assert_eq!(&told(max_line, &single), &whole);
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
            prop_assert_eq!(&told(max_line, &parts), &whole);
        }

        #[test]
        fn what_is_framed_is_told(
            messages in prop::collection::vec(("<[0-9]{1,3}>[ -~é]{1,20}", 0_u8..3), 0..10)
        ) {
            let mut stream = Vec::new();
            for (message, framing) in &messages {
                match framing {
                    0 => stream.extend_from_slice(format!("{} {message}", message.len()).as_bytes()),
                    1 => stream.extend_from_slice(format!("{message}\n").as_bytes()),
                    _ => stream.extend_from_slice(format!("{message}\0").as_bytes()),
                }
            }
            let (found, garbage) = told(1000, &[&stream]);
            let found: Vec<Vec<u8>> = found.into_iter().map(|(message, _)| message).collect();
            let expected: Vec<Vec<u8>> = messages.into_iter().map(|(message, _)| message.into_bytes()).collect();
            prop_assert_eq!((found, garbage), (expected, None));
        }
    }
}
