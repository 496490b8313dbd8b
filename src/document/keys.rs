//! Names of fields: how JSON and BSON documents store them, and keys that are encoded once.
//!
//! A field at the top level of the document that is called `_id`, `@timestamp` or `tags` gets a `_` at its end, in both
//! encodings, because these three names belong to logator. Apart from that, a JSON document keeps every name. In a BSON
//! document a name cannot hold a NUL, and MongoDB refuses or cannot address names with a dot or with a `$` at their
//! beginning (the details depend on its version and on the level of the name). So leading `$` signs, and each `.` and
//! NUL, become `_` there.

use std::borrow::Cow;

use super::bson_type;
use super::encoded::Encoding;
use super::escape::write_escaped;

/// Returns the name that a document of `encoding` has for `part`. `top` says that the name stands at the top level.
pub(crate) fn stored_name(encoding: Encoding, part: &str, top: bool) -> Cow<'_, str> {
    let mut name = String::new();
    if rename(encoding, part, top, &mut name) { Cow::Owned(name) } else { Cow::Borrowed(part) }
}

/// Writes the name that a document of `encoding` has for `part` into `name`, and returns `true`. If the document keeps
/// `part` unchanged, `name` is empty and the result is `false`.
pub(crate) fn rename(encoding: Encoding, part: &str, top: bool, name: &mut String) -> bool {
    name.clear();
    if encoding == Encoding::Bson && is_renamed_in_bson(part) {
        let unsigned = part.trim_start_matches('$');
        name.extend(std::iter::repeat_n('_', part.len() - unsigned.len()));
        name.extend(unsigned.chars().map(|c| if c == '.' || c == '\0' { '_' } else { c }));
    }
    if let Some(own) = own_name(if name.is_empty() { part } else { name.as_str() }).filter(|_| top) {
        name.clear();
        name.push_str(own);
    }
    !name.is_empty()
}

/// Returns the name that a document has at its top level for a field whose name belongs to logator; `None` for any
/// other name.
#[inline]
pub(crate) fn own_name(part: &str) -> Option<&'static str> {
    match part {
        "_id" => Some("_id_"),
        "@timestamp" => Some("@timestamp_"),
        "tags" => Some("tags_"),
        _ => None,
    }
}

/// Returns whether a BSON document has another name for `part`.
#[inline]
pub(crate) fn is_renamed_in_bson(part: &str) -> bool {
    part.starts_with('$') || part.bytes().any(|byte| byte == b'.' || byte == 0)
}

/// A key that is encoded once for all documents.
#[derive(Debug, Clone)]
pub(crate) struct Key {
    /// The name in a JSON document.
    pub name: String,
    /// The name in a BSON document.
    pub bson_name: String,
    /// The JSON form: `"key":`.
    pub json: EncodedKey,
    /// The BSON form: the type byte of a string, the key and its closing NUL. A value of another type overwrites the
    /// first byte.
    pub bson: EncodedKey,
}

impl Key {
    /// Returns the key of the field that `part` names. `top` says that the name stands at the top level.
    pub fn stored(part: &str, top: bool) -> Key {
        Key::with_names(&stored_name(Encoding::Json, part, top), &stored_name(Encoding::Bson, part, top))
    }

    /// Returns a key that is `name` in both encodings.
    pub fn new(name: &str) -> Key {
        Key::with_names(name, name)
    }

    fn with_names(name: &str, bson_name: &str) -> Key {
        let mut json = vec![b'"'];
        write_escaped(name.as_bytes(), &mut json);
        json.extend_from_slice(b"\":");
        let mut bson = vec![bson_type::TEXT];
        bson.extend_from_slice(bson_name.as_bytes());
        bson.push(0);
        let (name, bson_name) = (name.to_owned(), bson_name.to_owned());
        Key { name, bson_name, json: EncodedKey::new(json), bson: EncodedKey::new(bson) }
    }

    /// Returns the name that a document of `encoding` has for the key.
    #[inline]
    pub fn name(&self, encoding: Encoding) -> &str {
        match encoding {
            Encoding::Json => &self.name,
            Encoding::Bson => &self.bson_name,
        }
    }
}

/// The bytes of an encoded key. A short key is copied as a block of constant size and then cut to length. This takes
/// one or two store instructions instead of a call. Most of the copies in a document are copies of keys.
#[derive(Debug, Clone)]
pub(crate) enum EncodedKey {
    Short([u8; EncodedKey::SHORT], usize),
    Long(Vec<u8>),
}

impl EncodedKey {
    const SHORT: usize = 32;

    fn new(bytes: Vec<u8>) -> EncodedKey {
        let mut block = [0; EncodedKey::SHORT];
        match block.get_mut(..bytes.len()) {
            Some(start) => {
                start.copy_from_slice(&bytes);
                EncodedKey::Short(block, bytes.len())
            }
            None => EncodedKey::Long(bytes),
        }
    }

    #[inline]
    pub fn write(&self, out: &mut Vec<u8>) {
        match self {
            EncodedKey::Short(block, length) => {
                let end = out.len() + length;
                out.extend_from_slice(block);
                out.truncate(end);
            }
            EncodedKey::Long(bytes) => out.extend_from_slice(bytes),
        }
    }
}

/// Returns the name of a field as patterns write it: `[a][b]`, or `a` when it has one part.
pub(crate) fn display_path(path: &[String]) -> String {
    match path {
        [name] => name.clone(),
        _ => path.iter().map(|part| format!("[{part}]")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_except_our_own_and_those_that_a_store_refuses() {
        for (part, top, json, bson) in [
            ("response", true, "response", "response"),
            ("$where", true, "$where", "_where"),
            ("$$a$", false, "$$a$", "__a$"),
            ("a.b.c", true, "a.b.c", "a_b_c"),
            ("a\0b", true, "a\0b", "a_b"),
            (".", false, ".", "_"),
            ("", false, "", ""),
            ("_id", true, "_id_", "_id_"),
            ("@timestamp", true, "@timestamp_", "@timestamp_"),
            ("tags", true, "tags_", "tags_"),
            ("tags", false, "tags", "tags"),
            ("_id", false, "_id", "_id"),
            ("$id", true, "$id", "_id_"),
            ("über", true, "über", "über"),
        ] {
            assert_eq!(stored_name(Encoding::Json, part, top), json, "{part:?}");
            assert_eq!(stored_name(Encoding::Bson, part, top), bson, "{part:?}");
        }
    }

    #[test]
    fn renaming_for_json_and_then_for_bson_equals_renaming_for_bson() {
        for part in ["$a.b\0", "_id", "$id", "$", "tags.", "tags", "$tags", "@timestamp"] {
            for top in [true, false] {
                let json = stored_name(Encoding::Json, part, top);
                let after = stored_name(Encoding::Bson, &json, false);
                assert_eq!(
                    stored_name(Encoding::Bson, &after, top),
                    stored_name(Encoding::Bson, part, top),
                    "{part} {top}"
                );
            }
        }
    }
}
