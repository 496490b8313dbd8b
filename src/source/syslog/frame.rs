//! Splits a stream of bytes into messages, with the two framings of RFC 6587 and with NUL. Pure.
//!
//! | a message that begins with | ends |
//! |---|---|
//! | `LENGTH <PRI>` | after LENGTH bytes, counted from the `<`: octet counting, the only framing of RFC 5425 |
//! | anything else | at the next newline or NUL, which is not a part of the message |
//!
//! The first bytes of each message decide between the two framings, so a sender may change the framing at any message.
//! Empty messages are skipped, because some senders write a newline after a counted message. A control character at the start of
//! a message ends the stream: no sender writes one.
//!
//! A count is wrong if
//!
//! * neither a count nor a priority follows its message: it is too small, or too large;
//! * it is smaller than the priority, or beyond the limit;
//! * its message holds another counted message as a whole, and a third one begins right behind that one: it is too large.
//!
//! Wrong counts are [counted](Framer::take_wrong_counts), and the next `LENGTH <PRI>` is looked for. The bytes before it are messages
//! of their own, so that none is lost: one for each line. In the last case, the message ends where the other one begins. All this
//! depends on the bytes of the stream alone, not on the reads in which they come, so no message waits for the next one.
//!
//! Only the current message is kept in memory. Of a message that is longer than the longest line, only the beginning,
//! the hash and the checksum are kept.

mod head;
mod long;
#[cfg(test)]
mod tests;

use std::fmt;

use self::head::{HEAD, Head, head, is_between, swallowed};
use self::long::Long;
pub use self::long::LongMessage;

/// A message of the stream.
#[derive(Debug)]
pub enum Frame<'a> {
    /// A message that is not longer than the longest line.
    Message(&'a [u8]),
    /// A message that is longer than the longest line.
    Long(LongMessage),
}

/// Why a stream is not syslog.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Garbage {
    /// A message that begins with this control character.
    Control(u8),
}

impl fmt::Display for Garbage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
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
/// set aside if it is too long. A larger count is wrong.
const MAX_COUNT_FACTOR: u64 = 16;

/// The state of one stream.
pub struct Framer {
    max_line: usize,
    state: State,
    /// The framing of the message before.
    before: Framing,
    /// The number of digits of the last count that was right; 0 if there was none.
    digits: usize,
    /// The number of digits of the last count. The next count tells whether it is right.
    latest_digits: usize,
    /// Whether the last count began with a zero.
    padded: bool,
    /// The bytes of the current message that were read.
    partial: Vec<u8>,
    /// The last bytes that were read, if they may become a count while one is looked for.
    candidate: Vec<u8>,
    /// The length, hash and checksum of the current message, if it is too long.
    long: Option<Box<Long>>,
    /// The wrong counts that nobody asked about yet.
    wrong: u64,
    /// Whether bytes of a message with a wrong count are being split again.
    splitting: bool,
    /// Whether the current message began in such bytes. They are not split a third time, so that the work for each byte has a
    /// bound.
    seen: bool,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Between messages, or in the first bytes of one, which `partial` holds.
    Start,
    /// In a counted message, of which `left` bytes are missing.
    Counted { left: u64 },
    /// In a message that ends with a newline or NUL.
    Line,
    /// In bytes behind a wrong count.
    Lost,
}

/// The framing of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    Counted,
    Line,
    Lost,
}

/// The code that takes the messages.
type Take<'a, E> = &'a mut dyn FnMut(Frame<'_>) -> Result<(), E>;

impl Framer {
    /// The state for a new stream. Messages of more than `max_line` bytes count as long.
    pub fn new(max_line: usize) -> Framer {
        Framer {
            max_line,
            state: State::Start,
            before: Framing::Line,
            digits: 0,
            latest_digits: 0,
            padded: false,
            partial: Vec::new(),
            candidate: Vec::new(),
            long: None,
            wrong: 0,
            splitting: false,
            seen: false,
        }
    }

    /// The bytes of memory that this stream holds.
    pub fn memory(&self) -> usize {
        self.partial.capacity()
    }

    /// Returns the number of wrong counts since the last call.
    pub fn take_wrong_counts(&mut self) -> u64 {
        std::mem::take(&mut self.wrong)
    }

    /// Takes the bytes of a read, and calls `take` with each message that ends in them.
    ///
    /// # Errors
    /// Fails when the stream is not syslog, or when `take` fails.
    pub fn push<E>(&mut self, data: &[u8], mut take: impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), Broken<E>> {
        self.feed(data, &mut take)
    }

    fn feed<E>(&mut self, data: &[u8], take: Take<'_, E>) -> Result<(), Broken<E>> {
        let mut rest = data;
        while !rest.is_empty() {
            rest = match self.state {
                State::Start => self.begin(rest).map_err(Broken::Garbage)?,
                State::Counted { left } => {
                    let length = rest.len().min(usize::try_from(left).unwrap_or(usize::MAX));
                    let (part, after) = rest.split_at(length);
                    let left = left - length as u64;
                    self.state = State::Counted { left };
                    match left {
                        0 => self.end(part, take)?,
                        _ => self.keep_checked(part, take)?,
                    }
                    after
                }
                State::Line => match memchr::memchr2(b'\n', 0, rest) {
                    Some(end) => {
                        let (part, after) = rest.split_at(end);
                        self.end(part, take)?;
                        // Bytes that are split again may leave a message open that ends here.
                        if matches!(self.state, State::Start) && self.partial.is_empty() { &after[1..] } else { after }
                    }
                    None => {
                        self.keep_checked(rest, take)?;
                        &[]
                    }
                },
                State::Lost => self.search(rest, take)?,
            };
        }
        Ok(())
    }

    /// Calls `take` with the last message of the stream, which has no end.
    ///
    /// # Errors
    /// The errors of `take`.
    pub fn finish<E>(&mut self, mut take: impl FnMut(Frame<'_>) -> Result<(), E>) -> Result<(), E> {
        // A message that is split again leaves another one open.
        for _ in 0..2 {
            let candidate = std::mem::take(&mut self.candidate);
            self.keep(&candidate);
            match self.end(&[], &mut take) {
                Ok(()) | Err(Broken::Garbage(_)) => {}
                Err(Broken::Taker(error)) => return Err(error),
            }
        }
        Ok(())
    }

    /// Decides about the framing of the next message. Returns the bytes that come after what was taken.
    fn begin<'a>(&mut self, rest: &'a [u8]) -> Result<&'a [u8], Garbage> {
        if self.partial.is_empty() && rest.first().is_some_and(|first| is_between(*first)) {
            return Ok(&rest[1..]);
        }
        let held = self.partial.len();
        let mut bytes = [0; HEAD];
        let length = held + rest.len().min(HEAD - held);
        bytes[..held].copy_from_slice(&self.partial);
        bytes[held..length].copy_from_slice(&rest[..length - held]);
        let first = bytes[0];
        match head(&bytes[..length]) {
            Head::More => {
                self.partial.extend_from_slice(&rest[..length - held]);
                return Ok(&rest[length - held..]);
            }
            // A sender that writes zeros before one count writes them before all. Here they end the text before.
            Head::Counted { .. } if first == b'0' && self.before == Framing::Counted && !self.padded => {
                self.wrong += 1;
                self.state = State::Lost;
                self.candidate = std::mem::take(&mut self.partial);
            }
            Head::Counted { text, priority, count } => {
                self.partial.clear();
                self.padded = first == b'0';
                if self.before == Framing::Counted {
                    self.digits = self.latest_digits;
                }
                self.latest_digits = text - 1;
                // A part of the priority may have been held.
                let taken = held.max(text);
                self.begin_counted(&bytes[text..taken], priority, count);
                return Ok(&rest[taken - held..]);
            }
            Head::Other if first == b'<' => self.state = State::Line,
            Head::Other if self.before != Framing::Line => {
                self.wrong += u64::from(self.before == Framing::Counted);
                self.state = State::Lost;
                self.candidate = std::mem::take(&mut self.partial);
            }
            Head::Other if matches!(first, 0..=0x08 | 0x0a..=0x1f | 0x7f) => return Err(Garbage::Control(first)),
            Head::Other => self.state = State::Line,
        }
        let held = std::mem::take(&mut self.partial);
        self.keep(&held);
        Ok(rest)
    }

    /// Begins a message with this count. `bytes` are those that were read of it, which are no more than the priority.
    fn begin_counted(&mut self, bytes: &[u8], priority: usize, count: u64) {
        let most = MAX_COUNT_FACTOR * (self.max_line.max(1 << 20) as u64);
        if (priority as u64..=most).contains(&count) {
            self.state = State::Counted { left: count - bytes.len() as u64 };
        } else {
            self.wrong += 1;
            self.state = State::Lost;
        }
        self.keep(bytes);
    }

    /// Looks for a count behind a wrong one.
    fn search<'a, E>(&mut self, rest: &'a [u8], take: Take<'_, E>) -> Result<&'a [u8], Broken<E>> {
        if self.candidate.is_empty() {
            let is_plain = |byte: &&u8| !byte.is_ascii_digit() && !matches!(byte, b'\n' | 0);
            let plain = rest.iter().take_while(is_plain).count();
            if plain > 0 {
                self.keep(&rest[..plain]);
                return Ok(&rest[plain..]);
            }
        }
        let Some((&first, after)) = rest.split_first() else { return Ok(rest) };
        if matches!(first, b'\n' | 0) {
            let candidate = std::mem::take(&mut self.candidate);
            self.end(&candidate, take)?;
            return Ok(after);
        }
        self.candidate.push(first);
        match head(&self.candidate) {
            Head::More => {}
            Head::Counted { text, .. } => {
                let candidate = std::mem::take(&mut self.candidate);
                // The text before the count may end with digits. Counts of one stream are alike.
                let mut start = if self.digits == 0 { 0 } else { (text - 1).saturating_sub(self.digits) };
                while start + 2 < text && start > 0 && candidate[start] == b'0' {
                    start += 1;
                }
                self.keep(&candidate[..start]);
                let Head::Counted { text, priority, count } = head(&candidate[start..]) else { return Ok(after) };
                self.end(&[], take)?;
                self.begin_counted(&candidate[start + text..], priority, count);
                if let State::Counted { left: 0 } = self.state {
                    self.end(&[], take)?;
                }
            }
            Head::Other => {
                // The last of the bytes may still become a count.
                let all = self.candidate.len();
                let text = (1..all).find(|&start| head(&self.candidate[start..]) == Head::More).unwrap_or(all);
                let rest = self.candidate.split_off(text);
                let text = std::mem::replace(&mut self.candidate, rest);
                self.keep(&text);
            }
        }
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
        let mut long = Box::new(Long::new());
        long.add(&self.partial);
        long.add(part);
        let room = self.max_line.saturating_sub(self.partial.len());
        self.partial.extend_from_slice(&part[..room.min(part.len())]);
        self.partial.truncate(self.max_line);
        self.long = Some(long);
    }

    /// Appends a part of a message that does not end in it.
    fn keep_checked<E>(&mut self, part: &[u8], take: Take<'_, E>) -> Result<(), Broken<E>> {
        if let Some(part) = self.check_long(part, take)? {
            self.keep(part);
        }
        Ok(())
    }

    /// Looks at a message that becomes too long by `part`: perhaps its count is wrong. Returns what is to be appended; `None` if
    /// the message was split, and the bytes were fed.
    fn check_long<'p, E>(&mut self, part: &'p [u8], take: Take<'_, E>) -> Result<Option<&'p [u8]>, Broken<E>> {
        let room = self.max_line.saturating_sub(self.partial.len());
        if self.long.is_some() || part.len() <= room || !self.may_be_wrong() {
            return Ok(Some(part));
        }
        let (first, more) = part.split_at(room);
        self.partial.extend_from_slice(first);
        let Some(place) = swallowed(&self.partial) else { return Ok(Some(more)) };
        let message = std::mem::take(&mut self.partial);
        self.split(&message, place, take)?;
        self.feed(more, take)?;
        Ok(None)
    }

    /// Whether the current message may hold others because of a wrong count.
    fn may_be_wrong(&self) -> bool {
        let counted = match self.state {
            State::Counted { .. } => true,
            State::Line => self.before != Framing::Line,
            State::Start | State::Lost => false,
        };
        counted && !self.splitting && !self.seen
    }

    /// Takes the messages of `message`, which has a wrong count: another counted message begins at `place`.
    fn split<E>(&mut self, message: &[u8], place: usize, take: Take<'_, E>) -> Result<(), Broken<E>> {
        self.wrong += 1;
        (self.state, self.before) = (State::Start, Framing::Counted);
        whole(&message[..place], take).map_err(Broken::Taker)?;
        self.splitting = true;
        let result = self.feed(&message[place..], take);
        self.splitting = false;
        self.seen = !matches!(self.state, State::Start) || !self.partial.is_empty();
        result
    }

    /// Ends the message, of which `part` is the last part.
    fn end<E>(&mut self, part: &[u8], take: Take<'_, E>) -> Result<(), Broken<E>> {
        let Some(part) = self.check_long(part, take)? else { return Ok(()) };
        let may_be_wrong = self.may_be_wrong();
        self.seen = false;
        self.before = match std::mem::replace(&mut self.state, State::Start) {
            State::Counted { .. } => Framing::Counted,
            State::Lost => Framing::Lost,
            State::Start | State::Line => Framing::Line,
        };
        if self.partial.is_empty() && part.len() <= self.max_line {
            // The read holds the whole message, so nothing is copied.
            return self.tell(part, may_be_wrong, take);
        }
        self.keep(part);
        // The memory is freed, because most connections send seldom.
        let partial = std::mem::take(&mut self.partial);
        match self.long.take() {
            None => self.tell(&partial, may_be_wrong, take),
            Some(long) => take(Frame::Long(long.end(partial))).map_err(Broken::Taker),
        }
    }

    /// Calls `take` with a message that has ended.
    fn tell<E>(&mut self, message: &[u8], may_be_wrong: bool, take: Take<'_, E>) -> Result<(), Broken<E>> {
        match may_be_wrong.then(|| swallowed(message)).flatten() {
            Some(place) => self.split(message, place, take),
            None => whole(message, take).map_err(Broken::Taker),
        }
    }
}

/// Calls `take` with a message, without the line end that some senders count as a part of it. An empty message is
/// skipped.
fn whole<E>(message: &[u8], take: Take<'_, E>) -> Result<(), E> {
    let message = message.strip_suffix(b"\0").unwrap_or(message);
    let message = message.strip_suffix(b"\n").unwrap_or(message);
    let message = message.strip_suffix(b"\r").unwrap_or(message);
    if message.is_empty() { Ok(()) } else { take(Frame::Message(message)) }
}
