//! One content, read from its beginning to its end and cut into batches.

use std::io::Read;

use super::cutter::{Content, Cutter};
use crate::core::error::Result;

/// How reading one content ended.
#[derive(Debug)]
pub enum End {
    /// At its end.
    Complete,
    /// No more was wanted.
    Stopped {
        /// Where the first byte stands in the decompressed content that was not taken.
        offset: u64,
    },
    /// By a read error, after `lines` lines and `offset` bytes of content. A line cut by the damage is not delivered.
    Damaged {
        /// What the reader said.
        error: std::io::Error,
        /// Lines delivered.
        lines: u64,
        /// Where the first undelivered byte stands in the decompressed content.
        offset: u64,
    },
}

/// Reads contents into batches.
pub struct BatchReader<'a> {
    /// How to cut, and where batches go.
    pub cutter: Cutter<'a>,
    /// Whether nothing more will come for a moment, so that what is there should be handed out. Asked after a short
    /// read; may wait for that moment.
    pub idle: &'a dyn Fn() -> bool,
}

impl BatchReader<'_> {
    /// Reads `input` to its end.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`]. A read error is an [`End`].
    pub fn read(&self, input: &mut dyn Read) -> Result<End> {
        let cutter = &self.cutter;
        let mut content = Content::default();
        let stopped = |content: &Content| End::Stopped { offset: content.offset() };
        loop {
            let length = match input.read(content.room(cutter)) {
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    if !content.hand_out(cutter)? {
                        return Ok(stopped(&content));
                    }
                    return Ok(End::Damaged { error, lines: content.lines(), offset: content.offset() });
                }
            };
            if length == 0 {
                return Ok(if content.end(cutter, false)? { End::Complete } else { stopped(&content) });
            }
            if !cutter.receiver.is_open() {
                return Ok(stopped(&content));
            }
            content.advance(length);
            // Only if there is something to hand out is it worth asking whether more is to come.
            let enough = content.is_full() || (content.has_line() && (self.idle)());
            if enough && !content.hand_out(cutter)? {
                return Ok(stopped(&content));
            }
        }
    }
}

#[cfg(test)]
mod tests;
