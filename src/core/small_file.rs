//! Files that are read whole because they are small: configurations, secrets, keys, certificates.
//!
//! Only a regular file is read. A device such as `/dev/zero` has no end, and opening a FIFO waits for a writer. Each
//! kind of file has a largest size. If a user names a large log by mistake, the result is an error, and no memory is
//! used up.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

/// The largest size of a configuration file in bytes.
pub const CONFIGURATION: u64 = 1 << 20;

/// The largest size in bytes of a file with one secret or one key pair.
pub const SECRET: u64 = 64 << 10;

/// The largest size of a list of keys in bytes. About 100,000 keys fit.
pub const KEYS: u64 = 8 << 20;

/// The largest size of a file of certificates in bytes. It is several times the list that an operating system trusts.
pub const CERTIFICATES: u64 = 4 << 20;

/// Opens the file at `path`, which may have up to `limit` bytes.
///
/// # Errors
/// The file cannot be opened, is not a regular file, or is larger.
pub fn open(path: &Path, limit: u64) -> io::Result<File> {
    // Without O_NONBLOCK, opening a FIFO waits for a writer.
    let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits()).open(path)?;
    let data = file.metadata()?;
    if !data.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    if data.len() > limit {
        return Err(too_large(limit));
    }
    Ok(file)
}

/// Reads `file`, up to `limit` bytes. The file may have grown since it was opened.
///
/// # Errors
/// The file cannot be read, or is larger.
pub fn read(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit { Err(too_large(limit)) } else { Ok(content) }
}

/// Reads the file at `path` as text.
///
/// # Errors
/// The errors of [`open`] and [`read`], and a file that is not UTF-8.
pub fn text(path: &Path, limit: u64) -> io::Result<String> {
    as_text(read(open(path, limit)?, limit)?)
}

/// Returns `content` as text.
///
/// # Errors
/// `content` is not UTF-8. The error does not show the bytes.
pub fn as_text(content: Vec<u8>) -> io::Result<String> {
    String::from_utf8(content).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

fn too_large(limit: u64) -> io::Error {
    let limit = crate::core::numbers::human_bytes(limit);
    io::Error::new(io::ErrorKind::InvalidInput, format!("it is larger than {limit}, and is not read"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_regular_file_of_a_limited_size_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "12345678").unwrap();
        assert_eq!(text(&path, 8).unwrap(), "12345678");
        assert!(text(&path, 7).unwrap_err().to_string().contains("larger than 7 B"));
        // The file has grown since it was opened.
        let opened = open(&path, 8).unwrap();
        std::fs::write(&path, "123456789").unwrap();
        assert!(read(opened, 8).unwrap_err().to_string().contains("larger"));
        std::fs::write(&path, b"\xff").unwrap();
        assert!(text(&path, 8).unwrap_err().to_string().contains("not UTF-8"));
        let fifo = folder.path().join("fifo");
        nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [folder.path(), Path::new("/dev/zero"), Path::new("/dev/null"), &fifo] {
            let error = text(path, 8).unwrap_err();
            assert!(error.to_string().contains("not a regular file"), "{}: {error}", path.display());
        }
    }
}
