//! [`OpenFile`]: an open file that is followed, as its reader needs it.

use std::io;

use crate::source::reading::modified_ms;

/// An open file. It can be read whatever happens to its name.
pub trait OpenFile {
    /// Reads at the offset `at`. Returns 0 at the end.
    ///
    /// # Errors
    /// The errors of the operating system.
    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize>;

    /// The size, the time of the last change, and whether the file was deleted.
    ///
    /// # Errors
    /// The errors of the operating system.
    fn status(&self) -> io::Result<Status>;
}

/// The status of an open file.
#[derive(Debug, Clone, Copy)]
pub struct Status {
    /// The size in bytes.
    pub size: u64,
    /// The time of the last change of its bytes, in milliseconds since 1970.
    pub modified_ms: i64,
    /// Whether the file has no name any more.
    pub deleted: bool,
}

impl OpenFile for std::fs::File {
    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, room, at)
    }

    fn status(&self) -> io::Result<Status> {
        let data = self.metadata()?;
        let deleted = std::os::unix::fs::MetadataExt::nlink(&data) == 0;
        Ok(Status { size: data.len(), modified_ms: modified_ms(&data), deleted })
    }
}
