//! Reads the body of a `_bulk` request strictly.

use flate2::{Decompress, FlushDecompress, Status};
use serde_json::{Map, Value};

const ACTION_START: &[u8] = b"{\"create\":{\"_id\":\"";
const ACTION_END: &[u8] = b"\"}}";
/// The digits of an id of logator.
const ID: usize = 44;
/// The names that both products keep for themselves, and that no document may have.
const METADATA: [&str; 9] =
    ["_id", "_index", "_type", "_source", "_routing", "_field_names", "_ignored", "_seq_no", "_version"];
/// The longest body before compression.
const MAX_BODY: usize = 256 << 20;
/// A document of a body, and its id.
pub(super) type Line<'a> = (&'a [u8], &'a [u8]);

/// Decompresses one gzip member, after which there must be nothing.
pub(super) fn unpack(sent: &[u8], inflate: &mut Decompress, body: &mut Vec<u8>) -> Result<(), String> {
    *inflate = Decompress::new_gzip(15);
    body.clear();
    loop {
        let used = inflate.total_in() as usize;
        body.reserve((sent.len() * 4).max(64 << 10));
        let status = inflate.decompress_vec(&sent[used..], body, FlushDecompress::None);
        match status.map_err(|error| format!("the body is not gzip: {error}"))? {
            Status::StreamEnd => break,
            _ if body.len() > MAX_BODY => return Err("the body is too large".into()),
            _ if inflate.total_in() as usize == used && body.len() < body.capacity() => {
                return Err("the gzip of the body has no end".into());
            }
            _ => {}
        }
    }
    match inflate.total_in() as usize == sent.len() {
        true => Ok(()),
        false => Err("something stands after the gzip of the body".into()),
    }
}

/// Splits a body into documents with their ids.
pub(super) fn lines(body: &[u8]) -> Result<Vec<Line<'_>>, String> {
    if body.is_empty() {
        return Err("request body is required".into());
    }
    if !body.ends_with(b"\n") {
        return Err("The bulk request must be terminated by a newline [\\n]".into());
    }
    let mut found = Vec::with_capacity(body.len() / 300 + 1);
    let mut rest = body;
    while !rest.is_empty() {
        let action = cut(&mut rest);
        let id = action.strip_prefix(ACTION_START).and_then(|action| action.strip_suffix(ACTION_END));
        let id = id.filter(|id| id.len() == ID && id.iter().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')));
        let Some(id) = id else {
            return Err(format!(
                "Malformed action line [{}]: {}",
                found.len() * 2 + 1,
                String::from_utf8_lossy(action)
            ));
        };
        if rest.is_empty() {
            return Err("an action without its document".into());
        }
        let document = cut(&mut rest);
        if !(document.starts_with(b"{") && document.ends_with(b"}")) {
            return Err(format!("no document: {}", String::from_utf8_lossy(document)));
        }
        found.push((id, document));
    }
    Ok(found)
}

/// Cuts off the first line.
fn cut<'a>(rest: &mut &'a [u8]) -> &'a [u8] {
    let end = memchr::memchr(b'\n', rest).expect("the last line has its end");
    let line = &rest[..end];
    *rest = &rest[end + 1..];
    line
}

/// Reads a document, which must be an object without names that occur twice or belong to the server.
pub(super) fn document(line: &[u8]) -> Result<Map<String, Value>, String> {
    struct Pairs(Map<String, Value>);
    impl<'de> serde::Deserialize<'de> for Pairs {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl<'de> serde::de::Visitor<'de> for Visitor {
                type Value = Pairs;
                fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    f.write_str("an object")
                }
                fn visit_map<A: serde::de::MapAccess<'de>>(self, mut access: A) -> Result<Pairs, A::Error> {
                    let mut map = Map::new();
                    while let Some((name, value)) = access.next_entry::<String, Value>()? {
                        if map.insert(name.clone(), value).is_some() {
                            return Err(serde::de::Error::custom(format!("Duplicate field '{name}'")));
                        }
                    }
                    Ok(Pairs(map))
                }
            }
            deserializer.deserialize_map(Visitor)
        }
    }
    let shown = || String::from_utf8_lossy(line).into_owned();
    let Pairs(map) = serde_json::from_slice(line).map_err(|error| format!("{error}: {}", shown()))?;
    match map.keys().find(|name| METADATA.contains(&name.as_str())) {
        Some(name) => {
            Err(format!("Field [{name}] is a metadata field and cannot be added inside a document: {}", shown()))
        }
        None => Ok(map),
    }
}
