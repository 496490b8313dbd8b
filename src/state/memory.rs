//! The interface between readers and the state: [`Memory`] and its types.

use std::sync::Arc;

use bytes::Bytes;

use super::extents::Extent;

/// The identity and the times of a file. Every change of the file changes at least one of the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The number of the device.
    pub device: u64,
    /// The number of the inode on the device.
    pub inode: u64,
    /// The size on the disk, in bytes.
    pub size: u64,
    /// The time of the last change of its bytes, in nanoseconds since 1970.
    pub modified: i64,
    /// The time of the last change of its bytes, names, rights or times, in nanoseconds since 1970.
    pub changed: i64,
}

impl Stamp {
    /// The stamp of a regular file; `None` for anything else.
    pub fn of(metadata: &std::fs::Metadata) -> Option<Stamp> {
        use std::os::unix::fs::MetadataExt;
        let nanoseconds = |seconds: i64, rest: i64| seconds.checked_mul(1_000_000_000)?.checked_add(rest);
        metadata.is_file().then_some(())?;
        Some(Stamp {
            device: metadata.dev(),
            inode: metadata.ino(),
            size: metadata.size(),
            modified: nanoseconds(metadata.mtime(), metadata.mtime_nsec())?,
            changed: nanoseconds(metadata.ctime(), metadata.ctime_nsec())?,
        })
    }
}

/// An extent of an earlier run, with its lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The extent.
    pub extent: Extent,
    /// The lineage of the extent.
    pub lineage: u32,
}

/// The answer to [`Memory::begin`].
#[derive(Debug, Clone, Default)]
pub struct Begun {
    /// The number of the content. It is unique in this process and never 0.
    pub content: u32,
    /// The settled extents of earlier runs with the same origin, by start.
    pub known: Arc<[Known]>,
}

/// A number of lines and bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// The number of lines.
    pub lines: u64,
    /// The number of their bytes, with the line ends.
    pub bytes: u64,
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        self.lines += other.lines;
        self.bytes += other.bytes;
    }
}

/// The interface through which readers ask the state and report to it.
pub trait Memory: std::fmt::Debug + Send + Sync {
    /// Starts the reading of a content of `origin`.
    fn begin(&self, origin: u64) -> Begun;

    /// The lines and bytes of a file that an earlier run settled as a whole; `None` if no run did. They count as
    /// skipped.
    fn skip_whole(&self, origin: u64, stamp: &Stamp) -> Option<Amount>;

    /// Records that `content` continues `lineage`, because all extents of the lineage that were compared equal the
    /// content.
    fn continue_lineage(&self, content: u32, lineage: u32);

    /// Records that the lines of `extent` are going to be delivered. The reader computes the checksum while the bytes
    /// are in its cache. That costs a third of the time that it would cost when the lines are acknowledged.
    fn deliver(&self, content: u32, extent: Extent);

    /// Records that a line of `content` was set aside because it is too long.
    fn set_aside(&self, _content: u32, _extent: Extent) {}

    /// Records that lines of `content` are not delivered, because an earlier run settled them. Returns whether they are
    /// settled now: the lines of a copy may still be on their way.
    fn skip(&self, content: u32, start: u64, amount: Amount) -> bool;

    /// Records that `bytes` bytes of `content` at the offset `start` belong to no record, so that nothing of them is left to
    /// settle.
    fn leave_out(&self, _content: u32, _start: u64, _bytes: u64) {}

    /// Records that `content` was read to its end, at the offset `length`. `stamp` is the stamp of its file, if every
    /// change of the file would change it.
    fn end(&self, content: u32, length: u64, stamp: Option<Stamp>);

    /// The place up to which a stream of a source is settled; `None` if none is known.
    fn cursor(&self, _source: u64, _stream: &[u8]) -> Option<Bytes> {
        None
    }

    /// Records that a stream of a source is settled up to `place`. It replaces the place that was recorded before.
    fn keep_cursor(&self, _source: u64, _stream: &Bytes, _place: &Bytes) {}
}
