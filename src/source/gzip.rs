//! Decompresses gzip, member after member, as `zcat` does. There are two differences that matter to logs: all bytes
//! before a damaged place are delivered, and zero padding between members is skipped.

use std::io::{self, BufRead, Read};

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
}

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
        GzipReader { input, inflate: Decompress::new_gzip(WINDOW_BITS), state: State::Member, damage: None }
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
