//! What passes from one file of a log to the next one: the rest of a line that a rotation cut.

use std::io;

use super::{BEGINNING_BYTES, LATEST_BYTES, OpenFile, ReadContext, Tail, TurnResult, cutter, name};
use crate::core::error::Result;
use crate::envelope::container::detect;
use crate::source::follow::cut_line::CutLines;
use crate::source::origin::fingerprint;

impl<'a, S: OpenFile> Tail<'a, S> {
    /// The lines at the end that have not ended, although their last bytes are whole lines of the file.
    pub fn cut_lines(&self) -> CutLines {
        let lines = self.content.pending();
        CutLines::of(self.content.envelope().unwrap_or_else(|| detect(lines)), lines)
    }

    /// The first bytes of the file, at most `most`; `None` if they cannot be read, or if some of them were delivered.
    pub fn head(&self, most: usize) -> Option<Vec<u8>> {
        let source = self.source.as_ref().filter(|_| self.read == 0)?;
        let size = usize::try_from(source.status().ok()?.size).unwrap_or(usize::MAX).min(most);
        let (mut head, mut done) = (vec![0; size], 0);
        while done < size {
            match source.read_at(&mut head[done..], done as u64) {
                Ok(0) => break,
                Ok(length) => done += length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return None,
            }
        }
        head.truncate(done);
        Some(head)
    }

    /// Adds bytes of the next file to the content, whose last record ends with them.
    ///
    /// # Errors
    /// The errors of [`long_line`](crate::source::outlet::Outlet::long_line).
    pub fn append(&mut self, context: &ReadContext<'a>, mut bytes: &[u8]) -> Result<TurnResult> {
        let name = name(context, &self.path, self.skipped);
        let cutter = cutter(context, &self.resuming, &name, &self.path);
        while !bytes.is_empty() {
            let room = self.content.room(&cutter);
            let length = room.len().min(bytes.len());
            room[..length].copy_from_slice(&bytes[..length]);
            bytes = &bytes[length..];
            self.content.advance(length, self.content.time_ms());
            if !self.content.examine(&cutter, length)? {
                return self.unwanted();
            }
            if !self.content.hand_out(&cutter)? {
                return self.unwanted();
            }
        }
        Ok(TurnResult::All)
    }

    /// Leaves out the first bytes of the file, which were delivered with the content of another file.
    pub fn skip_head(&mut self, bytes: &[u8]) {
        if bytes.is_empty() || self.read > 0 {
            return;
        }
        self.read = bytes.len() as u64;
        self.beginning = bytes[..bytes.len().min(BEGINNING_BYTES)].to_vec();
        self.latest = bytes[bytes.len().saturating_sub(LATEST_BYTES)..].to_vec();
        self.skipped = Some(fingerprint(bytes));
        self.content.skip_to(self.read);
    }
}
