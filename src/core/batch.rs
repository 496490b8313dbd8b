//! A [`Batch`]: consecutive lines of one source, with the offset of the first. The unit of work.

use std::sync::Arc;

use bytes::Bytes;

use crate::core::envelope::Envelope;

/// The usual size of the blocks that batches are slices of, in bytes. It is also the usual limit of a batch.
pub const BLOCK_BYTES: usize = 256 << 10;

/// Where lines come from, named by their content rather than by their path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The stable name as a number: a fingerprint of how the content begins, or of the name given with `--origin`.
    pub id: u64,
    /// How people know it: the path as given, or `-` for standard input. Not part of any identity.
    pub name: String,
    /// Which of the contents read in this process it is, for the state directory; 0 where none is kept. It does not
    /// travel, and is not part of any identity either.
    pub content: u32,
    /// How its lines are wrapped.
    pub envelope: Envelope,
}

impl Origin {
    /// A source of plain lines, for which no state is kept.
    pub fn new(id: u64, name: impl Into<String>) -> Origin {
        Origin { id, name: name.into(), content: 0, envelope: Envelope::None }
    }

    /// The same with lines that are wrapped in `envelope`.
    pub fn wrapped(self, envelope: Envelope) -> Origin {
        Origin { envelope, ..self }
    }
}

/// Where a line stands, in a batch whose lines are from anywhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePosition {
    /// The source.
    pub origin: Arc<Origin>,
    /// Byte offset of the line in the decompressed content.
    pub offset: u64,
}

/// Consecutive lines of one source; or, when dead letters are replayed, lines from anywhere, each with its [`LinePosition`].
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
    /// Where each of the lines stands, when they are not consecutive; `origin` and `offset` are those of the first then.
    pub positions: Option<Arc<[LinePosition]>>,
    /// Whether the last line is a part of a line: its end had not come when it was handed out, or its beginning was handed
    /// out before. Only a followed file has such lines; the last line of a content that is complete is whole without a
    /// newline.
    pub partial: bool,
}

impl Batch {
    /// Consecutive lines of one source.
    pub fn new(origin: Arc<Origin>, offset: u64, lines: u32, data: Bytes) -> Batch {
        Batch { origin, offset, lines, data, positions: None, partial: false }
    }

    /// The same, of which the last line is `partial`.
    pub fn with_partial(self, partial: bool) -> Batch {
        Batch { partial, ..self }
    }

    /// Whether the line with the number `index` is a part of a line.
    #[inline]
    pub fn is_partial(&self, index: usize) -> bool {
        self.partial && index + 1 == self.lines as usize
    }

    /// Lines from anywhere: `data` has as many as there are `positions`. `None` when there is none.
    pub fn gathered(positions: Vec<LinePosition>, data: Bytes) -> Option<Batch> {
        let LinePosition { origin, offset } = positions.first()?.clone();
        Some(Batch {
            origin,
            offset,
            lines: positions.len() as u32,
            data,
            positions: Some(positions.into()),
            partial: false,
        })
    }

    /// The source and the offset of the line with the number `index`, which begins `start` bytes into `data`.
    #[inline]
    pub fn position(&self, index: usize, start: usize) -> (&Arc<Origin>, u64) {
        match self.positions.as_ref().and_then(|positions| positions.get(index)) {
            Some(position) => (&position.origin, position.offset),
            None => (&self.origin, self.offset + start as u64),
        }
    }

    /// The part of this batch that begins with the line numbered `index`, `start` bytes into it: `lines` lines, which are
    /// `data`.
    pub(crate) fn part(&self, index: usize, start: usize, lines: u32, data: Bytes) -> Batch {
        let (origin, offset) = self.position(index, start);
        let positions =
            self.positions.as_ref().and_then(|positions| positions.get(index..index + lines as usize)).map(Arc::from);
        let partial = self.partial && index + lines as usize == self.lines as usize;
        Batch { origin: Arc::clone(origin), offset, lines, data, positions, partial }
    }

    /// Takes the first line off as a batch of its own; `None` when this batch has but one line.
    pub fn split_first_line(&mut self) -> Option<Batch> {
        if self.lines < 2 {
            return None;
        }
        let end = memchr::memchr(b'\n', &self.data)? + 1;
        let first = self.data.split_to(end);
        let batch = self.part(0, 0, 1, first);
        *self = self.part(1, end, self.lines - 1, self.data.clone());
        Some(batch)
    }
}
