//! Reads the frames of `/logs`: 8 bytes of header (the stream, three zeros, the length), and the bytes of one message. Pure.

use crate::core::numbers::grouped;

/// The bytes of a header.
const HEADER: usize = 8;

/// The longest frame that is believed. Drivers write pieces of at most a megabyte.
const LONGEST: usize = 16 << 20;

/// The stream that a container wrote to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

impl Stream {
    /// The name in records.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Out => "stdout",
            Stream::Err => "stderr",
        }
    }
}

/// Why frames cannot be read further.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Broken {
    /// The Engine says why, in a frame of its own.
    Told(String),
    /// The bytes are no frames.
    Malformed(String),
}

/// Takes the bytes of a stream of frames as they come.
#[derive(Debug, Default)]
pub struct Frames {
    /// The bytes of a frame that has not arrived whole.
    partial: Vec<u8>,
}

impl Frames {
    /// Takes the next bytes, and passes the content of each whole frame to `take`.
    ///
    /// # Errors
    /// The Engine reports an error, or the bytes are no frames.
    pub fn feed(&mut self, mut bytes: &[u8], take: &mut dyn FnMut(Stream, &[u8])) -> Result<(), Broken> {
        while !self.partial.is_empty() {
            // A frame that began before: first the rest of its header, then the rest of its content.
            let wanted = match header(&self.partial)? {
                None => HEADER,
                Some((_, length)) => HEADER + length,
            };
            let more = (wanted - self.partial.len()).min(bytes.len());
            self.partial.extend_from_slice(&bytes[..more]);
            bytes = &bytes[more..];
            match header(&self.partial)? {
                Some((stream, length)) if self.partial.len() == HEADER + length => {
                    let frame = std::mem::take(&mut self.partial);
                    pass(stream, &frame[HEADER..], take)?;
                }
                Some(_) if !bytes.is_empty() => {}
                _ if bytes.is_empty() => return Ok(()),
                _ => {}
            }
        }
        while let Some((stream, length)) = header(bytes)? {
            let Some(content) = bytes.get(HEADER..HEADER + length) else { break };
            pass(stream, content, take)?;
            bytes = &bytes[HEADER + length..];
        }
        self.partial.extend_from_slice(bytes);
        Ok(())
    }
}

fn pass(stream: u8, content: &[u8], take: &mut dyn FnMut(Stream, &[u8])) -> Result<(), Broken> {
    match stream {
        // 0 is standard input, which a terminal would echo.
        0 | 1 => take(Stream::Out, content),
        2 => take(Stream::Err, content),
        _ => return Err(Broken::Told(String::from_utf8_lossy(content).trim().to_owned())),
    }
    Ok(())
}

/// The stream and the length of the frame that begins with `bytes`; `None` if the header is not whole.
fn header(bytes: &[u8]) -> Result<Option<(u8, usize)>, Broken> {
    let Some(&[stream, zero @ .., a, b, c, d]) = bytes.first_chunk::<HEADER>() else { return Ok(None) };
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    if stream > 3 || zero != [0; 3] {
        return Err(Broken::Malformed("the bytes are no frames of a container's log".to_owned()));
    }
    if length > LONGEST {
        let length = grouped(length as u64);
        return Err(Broken::Malformed(format!("a frame is said to have {length} bytes, more than a frame can have")));
    }
    Ok(Some((stream, length)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(stream: u8, text: &str) -> Vec<u8> {
        [&[stream, 0, 0, 0][..], &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
    }

    fn read(parts: &[&[u8]]) -> (Vec<String>, Result<(), Broken>, bool) {
        let (mut frames, mut got) = (Frames::default(), Vec::new());
        let mut take =
            |stream: Stream, text: &[u8]| got.push(format!("{} {}", stream.name(), String::from_utf8_lossy(text)));
        let result = parts.iter().try_for_each(|part| frames.feed(part, &mut take));
        let is_cut = !frames.partial.is_empty();
        (got, result, is_cut)
    }

    #[test]
    fn frames_are_read_however_they_arrive() {
        let all = [frame(1, "one\n"), frame(2, ""), frame(1, &"x".repeat(300)), frame(2, "two\n")].concat();
        let whole = read(&[&all]);
        assert_eq!((whole.0.len(), &whole.1, whole.2), (4, &Ok(()), false));
        for cut in 0..all.len() {
            assert_eq!(read(&[&all[..cut], &all[cut..]]), whole, "{cut}");
        }
        let bytes: Vec<&[u8]> = all.chunks(1).collect();
        assert_eq!(read(&bytes), whole);
        assert!(read(&[&all[..all.len() - 1]]).2);
    }

    #[test]
    fn an_error_of_the_engine_is_told_in_its_words_and_nonsense_ends_the_reading() {
        let told = read(&[&[frame(1, "a\n"), frame(3, "Error grabbing logs: EOF\n")].concat()]);
        assert_eq!((told.0.len(), told.1), (1, Err(Broken::Told("Error grabbing logs: EOF".to_owned()))));
        for wrong in
            [&b"HTTP/1.1 200 OK"[..], &[9, 0, 0, 0, 0, 0, 0, 1], &[1, 0, 0, 1, 0, 0, 0, 1], &[1, 0, 0, 0, 255, 0, 0, 0]]
        {
            assert!(matches!(read(&[wrong]).1, Err(Broken::Malformed(_))), "{wrong:?}");
        }
    }
}
