//! The one rule by which keys are renamed, whatever the sink.
//!
//! In every part of a name, leading `$` signs and each `.` and NUL become `_`. A name that stands at the top of the
//! document and is then `_id`, `@timestamp` or `tags` gets a `_` at its end, because those three are logator's own.

use std::borrow::Cow;

use super::json::write_escaped;

/// `part` as it is stored; `top` when it stands at the top of the document.
pub(super) fn stored(part: &str, top: bool) -> Cow<'_, str> {
    let wrong = |byte: u8| byte == b'.' || byte == 0;
    let reserved = top && matches!(part, "_id" | "@timestamp" | "tags");
    if !reserved && !part.starts_with('$') && !part.bytes().any(wrong) {
        return Cow::Borrowed(part);
    }
    let unsigned = part.trim_start_matches('$');
    let mut name = "_".repeat(part.len() - unsigned.len());
    name.extend(unsigned.chars().map(|c| if c == '.' || c == '\0' { '_' } else { c }));
    if top && matches!(name.as_str(), "_id" | "@timestamp" | "tags") {
        name.push('_');
    }
    Cow::Owned(name)
}

/// The name in `part`, which is ASCII and not at the top, as it is stored.
pub(super) fn stored_bytes(part: &[u8]) -> impl Iterator<Item = u8> {
    let signs = part.iter().take_while(|&&byte| byte == b'$').count();
    let stored = move |(index, &byte): (usize, &u8)| match byte {
        b'.' | 0 => b'_',
        _ if index < signs => b'_',
        _ => byte,
    };
    part.iter().enumerate().map(stored)
}

/// Whether two such names are stored as one.
pub(crate) fn same_key(a: &[u8], b: &[u8]) -> bool {
    a == b || (a.len() == b.len() && stored_bytes(a).eq(stored_bytes(b)))
}

/// A key, encoded once for all documents.
#[derive(Debug, Clone)]
pub(super) struct Key {
    pub name: String,
    /// `"key":`
    pub json: Piece,
    /// The type of a string, the key and its closing NUL; another type is written over the first byte.
    pub bson: Piece,
}

impl Key {
    /// The key with the stored name `name`.
    pub fn new(name: &str) -> Key {
        let mut json = vec![b'"'];
        write_escaped(name.as_bytes(), &mut json);
        json.extend_from_slice(b"\":");
        let mut bson = vec![super::bson::TEXT];
        bson.extend_from_slice(name.as_bytes());
        bson.push(0);
        Key { name: name.to_owned(), json: Piece::new(json), bson: Piece::new(bson) }
    }
}

/// A few bytes that are written often. Short ones are copied as a block of constant size and cut back, which is a store
/// or two in place of a call: keys are most of the copies that a document takes.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Short([u8; Piece::SHORT], usize),
    Long(Vec<u8>),
}

impl Piece {
    const SHORT: usize = 32;

    fn new(bytes: Vec<u8>) -> Piece {
        let mut block = [0; Piece::SHORT];
        match block.get_mut(..bytes.len()) {
            Some(start) => {
                start.copy_from_slice(&bytes);
                Piece::Short(block, bytes.len())
            }
            None => Piece::Long(bytes),
        }
    }

    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            Piece::Short(block, length) => {
                let end = out.len() + length;
                out.extend_from_slice(block);
                out.truncate(end);
            }
            Piece::Long(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// A field's name as patterns write it: `[a][b]`, or `a` when it has one part.
pub(super) fn shown(path: &[String]) -> String {
    match path {
        [name] => name.clone(),
        _ => path.iter().map(|part| format!("[{part}]")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_that_a_store_refuses_are_renamed_by_one_rule() {
        for (part, top, expected) in [
            ("response", true, "response"),
            ("$where", true, "_where"),
            ("$$a$", false, "__a$"),
            ("a.b.c", true, "a_b_c"),
            ("a\0b", true, "a_b"),
            (".", false, "_"),
            ("", false, ""),
            ("_id", true, "_id_"),
            ("@timestamp", true, "@timestamp_"),
            ("tags", true, "tags_"),
            ("tags", false, "tags"),
            ("_id", false, "_id"),
            ("$id", true, "_id_"),
            ("über", true, "über"),
        ] {
            assert_eq!(stored(part, top), expected, "{part:?}");
        }
    }

    #[test]
    fn a_stored_name_is_stored_as_itself_below_the_top() {
        for part in ["$a.b\0", "_id", "$", "tags."] {
            let once = stored(part, false).into_owned();
            assert_eq!(stored(&once, false), once);
        }
    }
}
