//! The input of `logator-push`: the lines of standard input, and the messages that they become.

use std::fs::File;
use std::io::Read;

use crate::core::error::{Error, Result};
use crate::net::push::envelope::Wrapping;
use crate::source::inputs::open_stdin;

/// The number of bytes of one read.
const READ: usize = 128 << 10;

/// Standard input, read without a further buffer, so that `poll` on its descriptor tells whether there is data.
pub(super) struct Input {
    pub(super) file: File,
    buffer: Vec<u8>,
    /// Whether the end of input was read.
    pub(super) ended: bool,
}

impl Input {
    /// Opens standard input.
    pub(super) fn open() -> Result<Input> {
        Ok(Input { file: open_stdin()?, buffer: vec![0; READ], ended: false })
    }

    /// Reads the data that is there. Returns an empty slice at the end of input.
    pub(super) fn read(&mut self) -> Result<&[u8]> {
        loop {
            match self.file.read(&mut self.buffer) {
                Ok(length) => {
                    self.ended = length == 0;
                    return Ok(&self.buffer[..length]);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::input("-: standard input cannot be read").because(error)),
            }
        }
    }
}

/// Makes messages from lines, with or without an envelope.
pub(super) struct Encoding(pub(super) Option<Wrapping>);

impl Encoding {
    /// Returns the message for `line`.
    #[inline]
    pub(super) fn message<'a>(&'a mut self, line: &'a [u8]) -> &'a [u8] {
        match &mut self.0 {
            Some(wrapping) => wrapping.wrap(line),
            None => line,
        }
    }
}
