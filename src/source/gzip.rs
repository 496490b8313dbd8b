//! Decompresses gzip, member after member, as `zcat` does. There are two differences that matter to logs: all bytes
//! before a damaged place are delivered, and zero padding between members is skipped.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use flate2::{Decompress, FlushDecompress, Status};

/// Every gzip file has a window of at most 2^15 bytes.
const WINDOW_BITS: u8 = 15;

/// Decompresses a stream of gzip members (RFC 1952). It checks the checksum and the length of each member.
pub struct GzipReader<R> {
    input: R,
    inflate: Decompress,
    state: State,
    /// An error that was found after good bytes. The next read reports it.
    damage: Option<io::Error>,
    /// The beginning of the header of this member, as far as it was read.
    header: Vec<u8>,
    time: MemberTime,
}

/// The time that the header of a gzip member names (MTIME of RFC 1952): when the content was last changed, in seconds since 1970.
/// A reader sets it before it returns the first byte of the member. Others can read it.
#[derive(Debug, Clone, Default)]
pub struct MemberTime(Arc<AtomicU32>);

impl MemberTime {
    /// Returns the time in milliseconds since 1970; `None` if the header names none, or if there is no member.
    pub fn ms(&self) -> Option<i64> {
        match self.0.load(Ordering::Relaxed) {
            0 => None,
            seconds => Some(i64::from(seconds) * 1000),
        }
    }

    fn set(&self, seconds: u32) {
        self.0.store(seconds, Ordering::Relaxed);
    }
}

/// The bytes of a header up to its time, with the time.
const HEADER_WITH_TIME: usize = 8;

#[derive(PartialEq)]
enum State {
    /// Inside of a member.
    Member,
    /// After a complete member. Another member, padding or the end follows.
    Between,
    /// At the end.
    End,
}

impl<R: BufRead> GzipReader<R> {
    /// A reader of the members in `input`, which must be at the start of the first member.
    pub fn new(input: R) -> Self {
        GzipReader {
            input,
            inflate: Decompress::new_gzip(WINDOW_BITS),
            state: State::Member,
            damage: None,
            header: Vec::with_capacity(HEADER_WITH_TIME),
            time: MemberTime::default(),
        }
    }

    /// Sets `time` to the time of each member. A read returns bytes of one member.
    pub fn timed(self, time: MemberTime) -> Self {
        GzipReader { time, ..self }
    }

    /// Skips padding, and checks whether another member begins.
    fn next_member(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            match buffer.first() {
                None => {
                    self.state = State::End;
                    return Ok(());
                }
                Some(0) => {
                    let zeros = buffer.iter().take_while(|&&byte| byte == 0).count();
                    self.input.consume(zeros);
                }
                Some(0x1f) => {
                    self.inflate = Decompress::new_gzip(WINDOW_BITS);
                    self.state = State::Member;
                    self.header.clear();
                    return Ok(());
                }
                Some(_) => {
                    self.state = State::End;
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "something that is not gzip follows the last member",
                    ));
                }
            }
        }
    }
}

impl<R: BufRead> Read for GzipReader<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        if output.is_empty() {
            return Ok(0);
        }
        if let Some(damage) = self.damage.take() {
            self.state = State::End;
            return Err(damage);
        }
        loop {
            match self.state {
                State::End => return Ok(0),
                State::Between => {
                    self.next_member()?;
                    continue;
                }
                State::Member => {}
            }
            let input = self.input.fill_buf()?;
            let input_ended = input.is_empty();
            let (consumed_before, produced_before) = (self.inflate.total_in(), self.inflate.total_out());
            let result = self.inflate.decompress(input, output, FlushDecompress::None);
            let consumed = (self.inflate.total_in() - consumed_before) as usize;
            let produced = (self.inflate.total_out() - produced_before) as usize;
            if self.header.len() < HEADER_WITH_TIME {
                let missing = HEADER_WITH_TIME - self.header.len();
                self.header.extend_from_slice(&input[..consumed.min(missing)]);
                if let [_, _, _, _, a, b, c, d] = self.header[..] {
                    self.time.set(u32::from_le_bytes([a, b, c, d]));
                }
            }
            self.input.consume(consumed);
            let damage = match result {
                Ok(Status::StreamEnd) => {
                    self.state = State::Between;
                    None
                }
                Ok(_) if input_ended && produced == 0 => {
                    Some(io::Error::new(io::ErrorKind::UnexpectedEof, "the gzip data ends in the middle of a member"))
                }
                Ok(_) => None,
                Err(error) => Some(io::Error::new(io::ErrorKind::InvalidData, format!("corrupt gzip data ({error})"))),
            };
            match damage {
                Some(damage) if produced == 0 => {
                    self.state = State::End;
                    return Err(damage);
                }
                damage => self.damage = damage,
            }
            if produced > 0 {
                return Ok(produced);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn gzip(content: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(content).unwrap();
        encoder.finish().unwrap()
    }

    fn read_all(bytes: &[u8], capacity: usize) -> (Vec<u8>, Option<io::Error>) {
        let mut reader = GzipReader::new(io::BufReader::with_capacity(capacity, bytes));
        let mut content = Vec::new();
        let mut buffer = [0; 7];
        loop {
            match reader.read(&mut buffer) {
                Ok(0) => return (content, None),
                Ok(length) => content.extend_from_slice(&buffer[..length]),
                Err(error) => return (content, Some(error)),
            }
        }
    }

    #[test]
    fn members_and_zero_padding_read_as_one_content() {
        let bytes = [gzip(b"one\n"), gzip(b""), vec![0; 5], gzip(b"two\n"), vec![0; 512]].concat();
        for capacity in [1, 2, 3, 64] {
            let (content, error) = read_all(&bytes, capacity);
            assert_eq!(content, b"one\ntwo\n");
            assert!(error.is_none(), "{error:?}");
        }
    }

    #[test]
    fn the_time_is_that_of_the_member_that_the_bytes_belong_to() {
        let member = |content: &[u8], time: u32| {
            let mut encoder = flate2::GzBuilder::new().mtime(time).write(Vec::new(), flate2::Compression::fast());
            encoder.write_all(content).unwrap();
            encoder.finish().unwrap()
        };
        let bytes = [member(b"one", 1_100_000_000), member(b"two", 0), vec![0; 9], member(b"six", 7)].concat();
        for capacity in [1, 3, 4096] {
            let time = MemberTime::default();
            let mut reader = GzipReader::new(io::BufReader::with_capacity(capacity, &bytes[..])).timed(time.clone());
            let (mut read, mut buffer) = (Vec::new(), [0; 64]);
            loop {
                match reader.read(&mut buffer).unwrap() {
                    0 => break,
                    length => read.extend(buffer[..length].iter().map(|byte| (*byte, time.ms()))),
                }
            }
            let times = [(b"one", Some(1_100_000_000_000)), (b"two", None), (b"six", Some(7000))];
            let expected: Vec<_> =
                times.iter().flat_map(|(text, time)| text.iter().map(|byte| (*byte, *time))).collect();
            assert_eq!(read, expected, "capacity {capacity}");
        }
    }

    #[test]
    fn a_truncated_member_gives_all_that_was_there_and_then_an_error() {
        let whole = gzip(&b"a line of some length\n".repeat(1000));
        for cut in [1, 9, 11, whole.len() / 2, whole.len() - 9, whole.len() - 1] {
            let (content, error) = read_all(&whole[..cut], 64);
            assert_eq!(error.expect("an error").kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
            assert!(b"a line of some length\n".repeat(1000).starts_with(&content));
        }
    }

    #[test]
    fn a_wrong_checksum_and_garbage_after_the_end_are_errors_after_the_content() {
        let mut wrong = gzip(b"content\n");
        let checksum = wrong.len() - 8;
        wrong[checksum] ^= 1;
        let garbage = [gzip(b"content\n"), b"garbage".to_vec()].concat();
        for bytes in [wrong, garbage] {
            let (content, error) = read_all(&bytes, 64);
            assert_eq!(content, b"content\n");
            assert_eq!(error.expect("an error").kind(), io::ErrorKind::InvalidData);
        }
    }
}
