//! A [`Batch`] is the unit of work: consecutive lines of one source, with the offset of the first line.

use std::sync::Arc;

use bytes::Bytes;

use crate::core::envelope::Envelope;

/// The usual size of the blocks that batches are slices of, in bytes. It is also the usual limit of a batch.
pub const BLOCK_BYTES: usize = 256 << 10;

/// The source of lines. Its identity comes from its content and not from its path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The stable name as a number: a fingerprint of the first bytes of the content, or of the name given with
    /// `--origin`.
    pub id: u64,
    /// The name for people: the path as given, or `-` for standard input. It is no part of any identity.
    pub name: String,
    /// The number of the content in this process, for the state directory; 0 if there is no state directory. It is not
    /// sent over the wire, and is no part of any identity.
    pub content: u32,
    /// The envelope of each line.
    pub envelope: Envelope,
}

impl Origin {
    /// Creates the origin of plain lines, without a content number.
    pub fn new(id: u64, name: impl Into<String>) -> Origin {
        Origin { id, name: name.into(), content: 0, envelope: Envelope::None }
    }

    /// Returns the same origin with lines that are wrapped in `envelope`.
    pub fn wrapped(self, envelope: Envelope) -> Origin {
        Origin { envelope, ..self }
    }
}

/// The source and the offset of one line, in a batch whose lines are not consecutive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LinePosition {
    /// The source.
    pub origin: Arc<Origin>,
    /// The byte offset of the line in the decompressed content.
    pub offset: u64,
}

/// Consecutive lines of one source. A replay of dead letters makes batches of lines from several sources; each line
/// then has its own [`LinePosition`].
///
/// `data` holds the lines as they are in the decompressed source. Each line ends with `\n`, but the last line of a
/// source may lack it. Cloning and [splitting](Batch::split_first_line) copy no line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The source.
    pub origin: Arc<Origin>,
    /// The byte offset of the first line in the decompressed content.
    pub offset: u64,
    /// The number of lines in `data`; never 0.
    pub lines: u32,
    /// The lines with their newlines.
    pub data: Bytes,
    /// The position of each line if the lines are not consecutive. `origin` and `offset` are then those of the first
    /// line.
    pub positions: Option<Arc<[LinePosition]>>,
    /// Whether the last line is a part of a line: either its end had not arrived when it was handed out, or its
    /// beginning was handed out before. Only a followed file has such lines. The last line of a complete content is
    /// whole, even without a newline.
    pub partial: bool,
}

impl Batch {
    /// Creates a batch of consecutive lines.
    pub fn new(origin: Arc<Origin>, offset: u64, lines: u32, data: Bytes) -> Batch {
        Batch { origin, offset, lines, data, positions: None, partial: false }
    }

    /// Returns the same batch. `partial` says whether its last line is a part of a line.
    pub fn with_partial(self, partial: bool) -> Batch {
        Batch { partial, ..self }
    }

    /// Returns whether line number `index` is a part of a line.
    #[inline]
    pub fn is_partial(&self, index: usize) -> bool {
        self.partial && index + 1 == self.lines as usize
    }

    /// Creates a batch of lines from several sources: `data` has one line for each position. Returns `None` if there is
    /// no position.
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

    /// Returns the source and the offset of line number `index`. The line begins at byte `start` of `data`.
    #[inline]
    pub fn position(&self, index: usize, start: usize) -> (&Arc<Origin>, u64) {
        match self.positions.as_ref().and_then(|positions| positions.get(index)) {
            Some(position) => (&position.origin, position.offset),
            None => (&self.origin, self.offset + start as u64),
        }
    }

    /// Returns a part of this batch: `lines` lines from line number `index` on. The part begins at byte `start` of
    /// `self.data`, and its bytes are `data`.
    pub(crate) fn part(&self, index: usize, start: usize, lines: u32, data: Bytes) -> Batch {
        let (origin, offset) = self.position(index, start);
        let positions =
            self.positions.as_ref().and_then(|positions| positions.get(index..index + lines as usize)).map(Arc::from);
        let partial = self.partial && index + lines as usize == self.lines as usize;
        Batch { origin: Arc::clone(origin), offset, lines, data, positions, partial }
    }

    /// Takes off the first line as a batch of its own. Returns `None` if there is only one line.
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
