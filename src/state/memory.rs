//! What readers ask of the state, and tell it.

use std::sync::Arc;

use super::extents::Extent;

/// A file as it was: whoever changes it changes one of these.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    /// The device that holds it.
    pub device: u64,
    /// Its number there.
    pub inode: u64,
    /// Its bytes, as they stand on the disk.
    pub size: u64,
    /// When its bytes changed, in nanoseconds since 1970.
    pub modified: i64,
    /// When its bytes or its names, rights and times changed, in nanoseconds since 1970.
    pub changed: i64,
}

impl Stamp {
    /// The stamp of a regular file; others have none.
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

/// An extent of an earlier run, and its lineage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// The extent.
    pub extent: Extent,
    /// The lineage that it belongs to.
    pub lineage: u32,
}

/// A content that is going to be read.
#[derive(Debug, Clone, Default)]
pub struct Begun {
    /// The number of the content, which no other has in this process; not 0.
    pub content: u32,
    /// What earlier runs settled of contents of the same origin, by start.
    pub known: Arc<[Known]>,
}

/// How much was settled before.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Amount {
    /// Lines.
    pub lines: u64,
    /// Their bytes, with their ends.
    pub bytes: u64,
}

impl std::ops::AddAssign for Amount {
    fn add_assign(&mut self, other: Amount) {
        self.lines += other.lines;
        self.bytes += other.bytes;
    }
}

/// What a reader asks of the state, and tells it.
pub trait Memory: std::fmt::Debug + Send + Sync {
    /// A content of `origin` is going to be read.
    fn begin(&self, origin: u64) -> Begun;

    /// How much a file holds of which all was settled by an earlier run, if it is one. That is taken as skipped.
    fn skip_whole(&self, origin: u64, stamp: &Stamp) -> Option<Amount>;

    /// `content` agrees with all that was compared of `lineage`, and goes on with it.
    fn continue_lineage(&self, content: u32, lineage: u32);

    /// These lines of `content` are going to be delivered. Their checksum is taken by the reader, in whose cache they are: it
    /// costs a third of what it would when they are acknowledged.
    fn deliver(&self, content: u32, extent: Extent);

    /// This line of `content` was set aside, because it is too long.
    fn set_aside(&self, _content: u32, _extent: Extent) {}

    /// These bytes of `content` were settled by an earlier run, and are not delivered.
    fn skip(&self, content: u32, start: u64, amount: Amount);

    /// `content` was read to its end, at `length`. `stamp` is that of the file, if it can be trusted.
    fn end(&self, content: u32, length: u64, stamp: Option<Stamp>);
}
