//! Detects a compression by the first bytes of a content, and decompresses the content.

use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use liblzma::stream::Stream;

use super::gzip::{GzipReader, MemberTime};

/// How content is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// No compression.
    None,
    /// gzip, RFC 1952.
    Gzip,
    /// Zstandard, RFC 8878. A content may have several frames and skippable frames.
    Zstd,
    /// bzip2, with one or more streams.
    Bzip2,
    /// xz, with one or more streams.
    Xz,
}

/// The number of first bytes that suffice to detect every compression.
pub const MAGIC_BYTES: usize = 6;

/// The maximum amount of memory that a decoder may use, in MiB. xz needs more only for files that were made with
/// special options, and zstd has the same limit by default. gzip and bzip2 need much less.
pub const MOST_MEMORY_MIB: u64 = 128;

/// Whether `error` says that the content needs more memory than [`MOST_MEMORY_MIB`].
pub fn wants_too_much(error: &io::Error) -> bool {
    let lzma = error.get_ref().and_then(|error| error.downcast_ref::<liblzma::stream::Error>());
    // zstd's errors have no kinds, only texts.
    matches!(lzma, Some(liblzma::stream::Error::MemLimit)) || error.to_string().contains("too much memory")
}

impl Compression {
    /// Detects the compression from the first bytes of a content.
    pub fn of(beginning: &[u8]) -> Compression {
        match beginning {
            [0x1f, 0x8b, 0x08, ..] => Compression::Gzip,
            [0x28, 0xb5, 0x2f, 0xfd, ..] | [0x50..=0x5f, 0x2a, 0x4d, 0x18, ..] => Compression::Zstd,
            [b'B', b'Z', b'h', b'1'..=b'9', 0x31 | 0x17, ..] => Compression::Bzip2,
            [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Compression::Xz,
            _ => Compression::None,
        }
    }

    /// Whether `beginning` may be the start of the first bytes of a compressed content.
    fn is_magic_so_far(beginning: &[u8]) -> bool {
        const MAGICS: [&[u8]; 4] = [&[0x1f, 0x8b, 0x08], &[0x28, 0xb5, 0x2f, 0xfd], b"BZh", b"\xfd7zXZ\0"];
        let skippable = |bytes: &[u8]| {
            bytes
                .iter()
                .zip([0x50..=0x5f, 0x2a..=0x2a, 0x4d..=0x4d, 0x18..=0x18])
                .all(|(byte, range)| range.contains(byte))
        };
        MAGICS.iter().any(|magic| beginning.iter().zip(*magic).all(|(a, b)| a == b)) || skippable(beginning)
    }

    /// Whether more bytes are needed to [detect](Compression::of) the compression of a content that begins with
    /// `beginning`.
    pub fn may_begin(beginning: &[u8]) -> bool {
        Compression::of(beginning) == Compression::None && Self::is_magic_so_far(beginning)
    }

    /// The name of the compression in messages.
    pub fn name(self) -> &'static str {
        match self {
            Compression::None => "plain",
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
            Compression::Bzip2 => "bzip2",
            Compression::Xz => "xz",
        }
    }

    /// Returns a reader that decompresses `input`.
    pub fn reader<'a, R: BufRead + Send + 'a>(self, input: R) -> io::Result<Box<dyn Read + Send + 'a>> {
        self.timed_reader(input, MemberTime::default())
    }

    /// Returns a reader that decompresses `input`. For gzip, it sets `time` to that of the member that the bytes of a read belong
    /// to.
    pub(super) fn timed_reader<'a, R: BufRead + Send + 'a>(
        self,
        input: R,
        time: MemberTime,
    ) -> io::Result<Box<dyn Read + Send + 'a>> {
        Ok(match self {
            Compression::None => Box::new(input),
            Compression::Gzip => Box::new(GzipReader::new(input).timed(time)),
            Compression::Zstd => Box::new(zstd::stream::read::Decoder::with_buffer(input)?),
            Compression::Bzip2 => Box::new(bzip2::bufread::MultiBzDecoder::new(input)),
            Compression::Xz => {
                let decoder = Stream::new_stream_decoder(MOST_MEMORY_MIB << 20, liblzma::stream::CONCATENATED)?;
                Box::new(liblzma::bufread::XzDecoder::new_stream(input, decoder))
            }
        })
    }
}

/// A buffered reader that counts the bytes that were consumed from it. Others can read the count while it is in use.
pub struct Tracked<R> {
    input: R,
    position: Arc<AtomicU64>,
}

impl<R> Tracked<R> {
    /// Adds the bytes that are consumed from `input` to `position`.
    pub fn new(input: R, position: Arc<AtomicU64>) -> Self {
        Tracked { input, position }
    }
}

impl<R: BufRead> Read for Tracked<R> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        let length = self.input.read(output)?;
        self.position.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}

impl<R: BufRead> BufRead for Tracked<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        self.input.fill_buf()
    }

    fn consume(&mut self, amount: usize) {
        self.position.fetch_add(amount as u64, Ordering::Relaxed);
        self.input.consume(amount);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_text_are_never_taken_for_a_compression() {
        for text in [&b""[..], b"BZh is how bzip2 begins", b"(text", b"\x1f", b"7zXZ", b"PK"] {
            assert_eq!(Compression::of(text), Compression::None, "{text:?}");
        }
    }
}
