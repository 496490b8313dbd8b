//! Reads one content from its beginning to its end and cuts it into batches.

use std::io::Read;
use std::time::Duration;

use super::binary::Binary;
use super::cutter::{Content, Cutter};
use super::joiner::RecordEnd;
use crate::core::error::Result;

/// How the reading of one content ended.
#[derive(Debug)]
pub enum End {
    /// At the end of the content.
    Complete,
    /// At its beginning: it holds no lines of text.
    Binary(Binary),
    /// The receiver wanted no more.
    Stopped {
        /// The offset in the decompressed content of the first byte that the receiver did not take.
        offset: u64,
    },
    /// With a read error, after `lines` lines and `offset` bytes of content. A line that the damage cuts is not
    /// delivered.
    Damaged {
        /// The error of the input.
        error: std::io::Error,
        /// The number of lines that were delivered.
        lines: u64,
        /// The offset in the decompressed content of the first byte that was not delivered.
        offset: u64,
    },
}

/// Reads contents into batches.
pub struct BatchReader<'a> {
    /// How to cut, and which receiver gets the batches.
    pub cutter: Cutter<'a>,
    /// Returns whether the input gives no more data for a moment, so that the lines read so far should be delivered. It
    /// is called after a read that did not fill the block, and it may wait for that moment.
    pub idle: &'a dyn Fn() -> bool,
    /// Returns whether the input gives no more data for the given time, so that the open record ends. It is called after
    /// a read that did not fill the block, and it may wait for that time.
    pub quiet: &'a dyn Fn(Duration) -> bool,
    /// Returns the time of the bytes that were just read ([`Context::time_ms`](crate::core::context::Context)).
    pub time: &'a dyn Fn() -> i64,
    /// Whether each record has exactly the time of the bytes that it begins with. Otherwise the records of a block have the time
    /// of the bytes that were read last, which is enough for a time of arrival.
    pub exact: bool,
}

impl BatchReader<'_> {
    /// Reads `input` to its end.
    ///
    /// # Errors
    /// The errors of [`Outlet::long_line`](super::outlet::Outlet::long_line). A read error is an
    /// [`End`].
    pub fn read(&self, input: &mut dyn Read) -> Result<End> {
        let cutter = &self.cutter;
        let mut content = Content::default();
        let stopped = |content: &Content| End::Stopped { offset: content.offset() };
        loop {
            let length = match input.read(content.room(cutter)) {
                Ok(length) => length,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    if content.end_record(cutter)? == RecordEnd::Unwanted {
                        return Ok(stopped(&content));
                    }
                    return Ok(End::Damaged { error, lines: content.lines(), offset: content.offset() });
                }
            };
            if length == 0 {
                let is_wanted = content.end(cutter, false)?;
                return Ok(match content.binary() {
                    Some(binary) => End::Binary(binary),
                    None if is_wanted => End::Complete,
                    None => stopped(&content),
                });
            }
            if !cutter.receiver.is_open() {
                return Ok(stopped(&content));
            }
            match self.exact {
                true => content.advance_exactly(length, (self.time)()),
                false => content.advance(length, (self.time)()),
            }
            if !content.examine(cutter, length)? {
                return Ok(stopped(&content));
            }
            if let Some(binary) = content.binary() {
                return Ok(End::Binary(binary));
            }
            let is_full = content.is_full();
            // Asking whether more data comes costs time, so it is done only if there is a record to deliver.
            if (is_full || (content.has_record(cutter) && (self.idle)())) && !content.hand_out(cutter)? {
                return Ok(stopped(&content));
            }
            if let Some(quiet) = content.quiet()
                && !is_full
                && content.has_open_record()
                && (self.quiet)(quiet)
                && content.end_record(cutter)? == RecordEnd::Unwanted
            {
                return Ok(stopped(&content));
            }
        }
    }
}

#[cfg(test)]
mod encoded_tests;
#[cfg(test)]
mod joined_tests;
#[cfg(test)]
mod tests;
