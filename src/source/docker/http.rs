//! The part of HTTP/1.1 that the Engine needs: the head of an answer, and its body as it comes. Pure.

use httparse::{EMPTY_HEADER, Response, Status};

/// The largest head of an answer in bytes.
pub const MAX_HEAD: usize = 64 << 10;

/// The head of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The status code.
    pub status: u16,
    /// The value of `Content-Type`, in lower case.
    pub content_type: String,
    /// The value of `Api-Version`, which the Engine sends with each answer.
    pub api_version: Option<String>,
    /// How the body ends.
    pub body: Body,
}

/// Reads the head of an answer. Returns it with its length; `None` if it is not whole.
///
/// # Errors
/// A sentence that says why this is no answer.
pub fn head(bytes: &[u8]) -> Result<Option<(Head, usize)>, String> {
    let mut headers = [EMPTY_HEADER; 128];
    let mut response = Response::new(&mut headers);
    let length = match response.parse(bytes) {
        Ok(Status::Complete(length)) => length,
        Ok(Status::Partial) if bytes.len() < MAX_HEAD => return Ok(None),
        Ok(Status::Partial) => return Err("its header has no end".to_owned()),
        Err(error) => return Err(format!("it is no HTTP ({error})")),
    };
    let status = response.code.unwrap_or_default();
    let mut head = Head { status, content_type: String::new(), api_version: None, body: Body::Close };
    for header in response.headers.iter() {
        let value = String::from_utf8_lossy(header.value).trim().to_owned();
        match header.name.to_ascii_lowercase().as_str() {
            "content-type" => head.content_type = value.to_ascii_lowercase(),
            "api-version" => head.api_version = Some(value),
            "transfer-encoding" if value.eq_ignore_ascii_case("chunked") => {
                head.body = Body::Chunked(Chunk::Size { size: 0, digits: 0 });
            }
            "transfer-encoding" => return Err(format!("its transfer encoding {value:?} is unknown")),
            "content-length" if !matches!(head.body, Body::Chunked(_)) => {
                let length = value.parse().map_err(|_| "its length is no number".to_owned())?;
                head.body = Body::Length(length);
            }
            _ => {}
        }
    }
    if matches!(status, 100..=199 | 204 | 304) {
        head.body = Body::Length(0);
    }
    Ok(Some((head, length)))
}

/// The state of a body that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Body {
    /// The number of bytes that are still to come.
    Length(u64),
    /// It comes in chunks, and says when it ends.
    Chunked(Chunk),
    /// It ends with the connection.
    Close,
}

/// The place in a body of chunks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chunk {
    /// In the size of a chunk.
    Size {
        /// The value of the digits that were read.
        size: u64,
        /// Their number.
        digits: u8,
    },
    /// After the size, in the rest of its line.
    Extension {
        /// The size.
        size: u64,
        /// The number of bytes that were read of the rest.
        length: u16,
    },
    /// In the bytes of a chunk, of which this many are to come.
    Data(u64),
    /// After the bytes of a chunk.
    Return,
    /// After the carriage return behind a chunk.
    Newline,
    /// In the lines after the last chunk.
    Trailer {
        /// Whether the current line holds anything.
        is_line: bool,
        /// The number of bytes of all these lines.
        length: u16,
    },
    /// At the end.
    End,
}

impl Body {
    /// Takes the next bytes, and appends the content in them to `output`. Bytes after the end are left out.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the bytes.
    pub fn feed(&mut self, mut bytes: &[u8], output: &mut Vec<u8>) -> Result<(), &'static str> {
        match self {
            Body::Close => output.extend_from_slice(bytes),
            Body::Length(left) => {
                let length = (*left).min(bytes.len() as u64);
                output.extend_from_slice(&bytes[..length as usize]);
                *left -= length;
            }
            Body::Chunked(chunk) => {
                while !bytes.is_empty() && *chunk != Chunk::End {
                    if let Chunk::Data(left) = chunk {
                        let length = (*left).min(bytes.len() as u64);
                        output.extend_from_slice(&bytes[..length as usize]);
                        bytes = &bytes[length as usize..];
                        *left -= length;
                        if *left == 0 {
                            *chunk = Chunk::Return;
                        }
                    } else {
                        *chunk = chunk.next(bytes[0])?;
                        bytes = &bytes[1..];
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether the body has ended. A body that ends with its connection does not say so.
    pub fn is_ended(&self) -> bool {
        matches!(self, Body::Length(0) | Body::Chunked(Chunk::End))
    }
}

impl Chunk {
    /// The place after a byte that is no content.
    fn next(self, byte: u8) -> Result<Chunk, &'static str> {
        let ended = |size| if size == 0 { Chunk::Trailer { is_line: false, length: 0 } } else { Chunk::Data(size) };
        Ok(match (self, byte) {
            (Chunk::Size { size, digits }, byte) if byte.is_ascii_hexdigit() && digits < 15 => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                Chunk::Size { size: size << 4 | u64::from(digit), digits: digits + 1 }
            }
            (Chunk::Size { size, digits: 1.. } | Chunk::Extension { size, .. }, b'\n') => ended(size),
            (Chunk::Size { size, digits: 1.. }, b'\r' | b';' | b' ' | b'\t') => Chunk::Extension { size, length: 0 },
            (Chunk::Extension { size, length }, _) if length < 1024 => Chunk::Extension { size, length: length + 1 },
            (Chunk::Return, b'\r') => Chunk::Newline,
            (Chunk::Return | Chunk::Newline, b'\n') => Chunk::Size { size: 0, digits: 0 },
            (Chunk::Trailer { is_line: false, .. }, b'\n') => Chunk::End,
            (Chunk::Trailer { is_line, length }, _) if usize::from(length) < MAX_HEAD - 1 => {
                Chunk::Trailer { is_line: byte != b'\n' && (is_line || byte != b'\r'), length: length + 1 }
            }
            _ => return Err("its chunks are malformed"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(head_and_body: &[u8], size: usize) -> Result<(Head, String, bool), String> {
        let (head, length) = super::head(head_and_body)?.ok_or("not whole")?;
        let (mut body, mut output) = (head.body, Vec::new());
        head_and_body[length..].chunks(size).try_for_each(|part| body.feed(part, &mut output))?;
        Ok((head, String::from_utf8_lossy(&output).into_owned(), body.is_ended()))
    }

    #[test]
    fn a_body_ends_by_its_length_its_last_chunk_or_its_connection() {
        let chunks = "Transfer-Encoding: chunked\r\n\r\n";
        for (rest, body, ended) in [
            ("Content-Length: 5\r\n\r\nhello, and more", "hello", true),
            ("Content-Length: 5\r\n\r\nhell", "hell", false),
            ("\r\nhello", "hello", false),
            (&format!("{chunks}5\r\nhello\r\n0001;a=b\r\n!\r\n0\r\nTrailer: x\r\n\r\nmore"), "hello!", true),
            (&format!("{chunks}A \r\n0123456789\r\n0\r\n\r\n"), "0123456789", true),
            (&format!("{chunks}5\r\nhello\r\n"), "hello", false),
            (&format!("Content-Length: 1\r\n{chunks}5\r\nhello\r\n0\r\n\r\n"), "hello", true),
        ] {
            let answer = format!("HTTP/1.1 200 OK\r\nApi-Version: 1.44\r\nContent-Type: Application/JSON\r\n{rest}");
            for size in [1, 3, answer.len()] {
                let (head, got, is_ended) = read(answer.as_bytes(), size).unwrap();
                assert_eq!((got.as_str(), is_ended), (body, ended), "{answer} {size}");
                assert_eq!((head.status, head.content_type.as_str()), (200, "application/json"));
                assert_eq!(head.api_version.as_deref(), Some("1.44"));
            }
        }
    }

    #[test]
    fn hostile_answers_are_refused() {
        let chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for wrong in [
            "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
            "\u{15}\u{3}\u{3}".to_owned(),
            format!("HTTP/1.1 200 OK\r\n{}", "a: b\r\n".repeat(200)),
            format!("HTTP/1.1 200 OK\r\nA: {}", "b".repeat(MAX_HEAD)),
            "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n".to_owned(),
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n".to_owned(),
            format!("{chunks}\r\n"),
            format!("{chunks}ffffffffffffffff\r\n"),
            format!("{chunks}5\r\nhelloX"),
            format!("{chunks}5;{}", "x".repeat(2000)),
            format!("{chunks}0\r\n{}", "x".repeat(MAX_HEAD)),
        ] {
            assert!(read(wrong.as_bytes(), 7).is_err(), "{:?}", wrong.get(..60));
        }
        assert_eq!(head(b"HTTP/1.1 200 OK\r\nA: b\r\n"), Ok(None));
    }
}
