//! Identifies a source by its content. A file that is renamed, rotated or compressed again stays the same source.

use std::path::Path;

use xxhash_rust::xxh3::xxh3_64;

use crate::core::lines::without_carriage_return;

/// The maximum number of bytes of the first line that count for the fingerprint.
pub const FINGERPRINT_BYTES: usize = 4096;

/// The value of `--origin`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum OriginRule {
    /// The first line of the content identifies it. The origin stays the same while the file grows, is renamed, or is
    /// compressed.
    #[default]
    Fingerprint,
    /// The absolute path identifies the content. This is for files whose lines are all alike.
    Path,
    /// The user gives the origin.
    Name(String),
}

impl OriginRule {
    /// Parses the value of the flag: `fingerprint`, `path`, or a name.
    pub fn parse(text: &str) -> OriginRule {
        match text {
            "fingerprint" => OriginRule::Fingerprint,
            "path" => OriginRule::Path,
            name => OriginRule::Name(name.to_owned()),
        }
    }

    /// The number of the origin of the content at `path`, which starts with `beginning`. Standard input has no path.
    ///
    /// `beginning` must hold the whole first line, or [`FINGERPRINT_BYTES`] of it.
    pub fn id(&self, path: Option<&Path>, beginning: &[u8]) -> u64 {
        match (self, path) {
            (OriginRule::Name(name), _) => xxh3_64(format!("name:{name}").as_bytes()),
            (OriginRule::Path, Some(path)) => {
                use std::os::unix::ffi::OsStrExt;
                let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                xxh3_64(&[b"path:", path.as_os_str().as_bytes()].concat())
            }
            (OriginRule::Path | OriginRule::Fingerprint, _) => fingerprint(beginning),
        }
    }
}

/// The fingerprint of a content that starts with `beginning`: the hash of the first line, or of the first
/// [`FINGERPRINT_BYTES`] bytes of it. Only the first line counts, because a file that has one line today must keep its
/// origin tomorrow.
pub fn fingerprint(beginning: &[u8]) -> u64 {
    let window = &beginning[..beginning.len().min(FINGERPRINT_BYTES)];
    let line = match memchr::memchr(b'\n', window) {
        Some(newline) => without_carriage_return(&window[..newline]),
        None => window,
    };
    xxh3_64(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fingerprint_stays_while_a_file_grows() {
        let content = b"first line\nsecond line\nthird line\n";
        let whole = fingerprint(content);
        for length in b"first line\n".len()..content.len() {
            assert_eq!(fingerprint(&content[..length]), whole);
        }
        assert_eq!(fingerprint(b"first line"), whole, "a first line that lacked its newline when it was read");
        assert_ne!(fingerprint(b"First line\n"), whole);
    }

    #[test]
    fn a_long_first_line_counts_by_its_beginning() {
        let mut long = vec![b'x'; FINGERPRINT_BYTES];
        let short = fingerprint(&long);
        long.extend_from_slice(b"and more\nlines\n");
        assert_eq!(fingerprint(&long), short);
    }
}
