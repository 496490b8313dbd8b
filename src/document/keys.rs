//! Which names stores refuse, and how they are called there.
//!
//! A name that stands at the top of the document and is `_id`, `@timestamp` or `tags` gets a `_` at its end, in every
//! encoding, because those three are logator's own. Beside that a JSON document keeps every name as it is. In a BSON
//! document a name has no NUL, and MongoDB refuses or cannot address names with a dot or a `$` at their beginning (which of
//! them depends on its version, and on where the name stands): leading `$` signs and each `.` and NUL become `_` there.

use std::borrow::Cow;

use super::bson_type;
use super::encoded::Encoding;
use super::escape::write_escaped;

/// `part` as a document of `encoding` has it; `top` when it stands at the top of the document.
pub(super) fn stored_name(encoding: Encoding, part: &str, top: bool) -> Cow<'_, str> {
    let mut name = String::new();
    if rename(encoding, part, top, &mut name) { Cow::Owned(name) } else { Cow::Borrowed(part) }
}

/// Puts the name that a document of `encoding` has for `part` into `name`, and answers whether that is another one. If not,
/// `name` is empty.
pub(super) fn rename(encoding: Encoding, part: &str, top: bool, name: &mut String) -> bool {
    name.clear();
    if encoding == Encoding::Bson && is_renamed_in_bson(part) {
        let unsigned = part.trim_start_matches('$');
        name.extend(std::iter::repeat_n('_', part.len() - unsigned.len()));
        name.extend(unsigned.chars().map(|c| if c == '.' || c == '\0' { '_' } else { c }));
    }
    if top && matches!(if name.is_empty() { part } else { name.as_str() }, "_id" | "@timestamp" | "tags") {
        if name.is_empty() {
            name.push_str(part);
        }
        name.push('_');
    }
    !name.is_empty()
}

/// Whether a BSON document has another name for `part`.
#[inline]
pub(super) fn is_renamed_in_bson(part: &str) -> bool {
    part.starts_with('$') || part.bytes().any(|byte| byte == b'.' || byte == 0)
}

/// A key, encoded once for all documents.
#[derive(Debug, Clone)]
pub(super) struct Key {
    /// As a JSON document has it.
    pub name: String,
    /// As a BSON document has it.
    pub bson_name: String,
    /// `"key":`
    pub json: EncodedKey,
    /// The type of a string, the key and its closing NUL; another type is written over the first byte.
    pub bson: EncodedKey,
}

impl Key {
    /// The key of the field that `part` names; `top` when it stands at the top of the document.
    pub fn stored(part: &str, top: bool) -> Key {
        Key::with_names(&stored_name(Encoding::Json, part, top), &stored_name(Encoding::Bson, part, top))
    }

    /// The key that is `name` whatever the encoding.
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

    /// What a document of `encoding` calls it.
    #[inline]
    pub fn name(&self, encoding: Encoding) -> &str {
        match encoding {
            Encoding::Json => &self.name,
            Encoding::Bson => &self.bson_name,
        }
    }
}

/// A few bytes that are written often. Short ones are copied as a block of constant size and cut back, which is a store
/// or two in place of a call: keys are most of the copies that a document takes.
#[derive(Debug, Clone)]
pub(super) enum EncodedKey {
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

/// A field's name as patterns write it: `[a][b]`, or `a` when it has one part.
pub(super) fn display_path(path: &[String]) -> String {
    match path {
        [name] => name.clone(),
        _ => path.iter().map(|part| format!("[{part}]")).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_but_for_our_own_and_those_that_a_store_refuses() {
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
    fn what_is_named_for_json_first_is_named_for_bson_as_if_it_had_not_been() {
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
