//! A [`Batch`]: consecutive lines of one source, with the offset of the first. The unit of work.

use std::sync::Arc;

use bytes::Bytes;

/// Where lines come from, named by their content rather than by their path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The stable name as a number: a fingerprint of how the content begins, or of the name given with `--origin`.
    pub id: u64,
    /// How people know it: the path as given, or `-` for standard input. Not part of any identity.
    pub name: String,
}

/// Consecutive lines of one source.
///
/// `data` holds the lines as they stood in the (decompressed) source, each closed by `\n`, except that the very last
/// line of a source may lack it. Cloning and [splitting](Batch::split_first_line) copy no line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The source.
    pub origin: Arc<Origin>,
    /// Byte offset of the first line in the decompressed content.
    pub offset: u64,
    /// Number of lines in `data`; never 0.
    pub lines: u32,
    /// The lines with their newlines.
    pub data: Bytes,
}

impl Batch {
    /// The part of this batch that begins `start` bytes into it: `lines` lines, which are `data`.
    pub(crate) fn part(&self, start: usize, lines: u32, data: Bytes) -> Batch {
        Batch { origin: Arc::clone(&self.origin), offset: self.offset + start as u64, lines, data }
    }

    /// Takes the first line off as a batch of its own; `None` when this batch has but one line.
    pub fn split_first_line(&mut self) -> Option<Batch> {
        if self.lines < 2 {
            return None;
        }
        let end = memchr::memchr(b'\n', &self.data)? + 1;
        let first = self.data.split_to(end);
        let batch = self.part(0, 1, first);
        self.offset += end as u64;
        self.lines -= 1;
        Some(batch)
    }
}
