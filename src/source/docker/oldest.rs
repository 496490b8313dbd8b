//! Finds the oldest record that the log files of a container hold. If an earlier run ended before it, the records between are
//! gone.

use std::fs::File;
use std::io::{BufReader, ErrorKind, Read};
use std::path::Path;

use super::files::split;
use crate::core::lines::without_carriage_return;
use crate::envelope::container::{detect, glance};
use crate::source::decompress::{Compression, MAGIC_BYTES};

/// The bytes of a file that tell its form. A piece of a long line has 16 KiB, which JSON may make longer.
const BEGINNING: u64 = 128 << 10;

/// Returns the first bytes of the newest file of a log, which hold its first line if that is not longer than a piece. A rotation
/// renames the newest file before it makes another one; the renamed file is read then.
///
/// # Errors
/// The errors of the operating system.
pub fn newest_beginning(newest: &Path) -> std::io::Result<Vec<u8>> {
    let mut renamed = newest.as_os_str().to_owned();
    renamed.push(".1");
    let again = [Path::new(&renamed), newest];
    let is_missing = |read: &std::io::Result<Vec<u8>>| matches!(read, Err(e) if e.kind() == ErrorKind::NotFound);
    again.into_iter().fold(beginning(newest), |read, path| if is_missing(&read) { beginning(path) } else { read })
}

fn beginning(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(BEGINNING).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// Returns the time of the first record of the oldest file of a log, in nanoseconds since 1970; `None` if there is none, or if it
/// cannot be read. `newest` is the path of the newest file.
pub fn first_time(newest: &Path) -> Option<u64> {
    let directory = std::fs::read_dir(newest.parent()?).ok()?;
    let is_of_log = |path: &Path| split(path).filter(|(of, _)| of == newest).map(|(_, age)| age);
    let all = directory.flatten().filter_map(|entry| Some((is_of_log(&entry.path())?, entry.path())));
    let (_, oldest) = all.max()?;
    let mut bytes = beginning(&oldest).ok()?;
    let compression = Compression::of(&bytes[..bytes.len().min(MAGIC_BYTES)]);
    if compression != Compression::None {
        let file = BufReader::new(File::open(&oldest).ok()?);
        bytes.clear();
        compression.reader(file).ok()?.take(BEGINNING).read_to_end(&mut bytes).ok()?;
    }
    let line = &bytes[..memchr::memchr(b'\n', &bytes)?];
    glance(detect(&bytes), without_carriage_return(line)).map(|seen| seen.time_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_whose_newest_file_is_just_renamed_has_a_beginning() {
        let place = tempfile::tempdir().unwrap();
        let newest = place.path().join("x-json.log");
        assert!(newest_beginning(&newest).is_err_and(|error| error.kind() == ErrorKind::NotFound));
        std::fs::write(place.path().join("x-json.log.1"), "older").unwrap();
        assert_eq!(newest_beginning(&newest).unwrap(), b"older");
        std::fs::write(&newest, "newest").unwrap();
        assert_eq!(newest_beginning(&newest).unwrap(), b"newest");
    }
}
