//! Files that are read whole because they are small: configurations, secrets, keys, certificates.
//!
//! Only a regular file is read: a device such as `/dev/zero` has no end, a FIFO keeps whoever opens it until somebody
//! writes. And only up to a limit, so that the name of a log given for that of a key costs no memory.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use nix::fcntl::OFlag;

/// The largest configuration file, in bytes.
pub const CONFIGURATION: u64 = 1 << 20;

/// The largest file of one secret or one pair of keys, in bytes.
pub const SECRET: u64 = 64 << 10;

/// The largest list of keys, in bytes: some 100,000 of them.
pub const KEYS: u64 = 8 << 20;

/// The largest file of certificates, in bytes: several times what an operating system trusts.
pub const CERTIFICATES: u64 = 4 << 20;

/// Opens the file at `path`, which has at most `limit` bytes.
///
/// # Errors
/// When it cannot be opened, is not a regular file, or is larger.
pub fn open(path: &Path, limit: u64) -> io::Result<File> {
    // Without O_NONBLOCK, opening a FIFO waits for somebody who writes to it.
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

/// What is in `file`, of which at most `limit` bytes are read: it may have grown since it was opened.
///
/// # Errors
/// When it cannot be read, or is larger.
pub fn read(file: File, limit: u64) -> io::Result<Vec<u8>> {
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content)?;
    if content.len() as u64 > limit { Err(too_large(limit)) } else { Ok(content) }
}

/// What is in the file at `path`, as text.
///
/// # Errors
/// As of [`open`] and [`read`], and when it is not UTF-8.
pub fn text(path: &Path, limit: u64) -> io::Result<String> {
    as_text(read(open(path, limit)?, limit)?)
}

/// `content` as text.
///
/// # Errors
/// When it is not UTF-8. The error does not show the bytes.
pub fn as_text(content: Vec<u8>) -> io::Result<String> {
    String::from_utf8(content).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "it is not UTF-8"))
}

fn too_large(limit: u64) -> io::Error {
    let limit = crate::observe::receipt::human_bytes(limit);
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
        // A file that has grown since it was opened.
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
