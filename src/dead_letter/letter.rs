//! The dead letter: its fields, and its form as a JSON object.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::core::calendar::{read_iso, write_iso};
use crate::core::context::{Context, Origin};
use crate::core::envelope::Envelope;
use crate::core::error::{Error, Result};
use crate::core::record::{IdRule, Key, RecordId};
use crate::core::secrets;
use crate::grok::Reached;

/// The reason why a line became a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A store refuses the document permanently.
    Rejected,
    /// The line is longer than `--max-line`.
    TooLong,
    /// Matching the line took more steps than allowed.
    Limit,
    /// No pattern matches the line, and the user gave `--unmatched dead-letter`.
    Unmatched,
    /// The document is larger than the store accepts.
    Oversize,
    /// Workers died or never answered while they had the line, several times.
    Poison,
    /// Its source cannot turn the record into a line, because its bytes are not in the form that the user named.
    Undecodable,
}

/// A letter to be written.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// The id that the document would have had.
    pub id: RecordId,
    /// What is in force at the line.
    pub context: &'a Context,
    /// Byte offset of the line in the decompressed content.
    pub offset: u64,
    /// The number of the line in its content, from 1 on; `None` if it is not known.
    pub line: Option<u64>,
    /// The value from which the id was made.
    pub key: Key,
    /// The reason.
    pub reason: Reason,
    /// The message of the store or of the engine.
    pub detail: &'a str,
    /// The pattern concerned.
    pub pattern: Option<&'a str>,
    /// How far the pattern got.
    pub explain: Option<&'a Reached>,
    /// The line without its end, or its beginning.
    pub raw: &'a [u8],
    /// The length of the whole line in bytes.
    pub length: u64,
    /// Whether the line is only a part of a line.
    pub partial: bool,
    /// Whether the record ended at a limit of time, lines or bytes.
    pub multiline_cut: bool,
}

/// A letter that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The id that the document would have had.
    pub id: RecordId,
    /// What was in force at the line.
    pub context: Context,
    /// Byte offset of the line in the decompressed content.
    pub offset: u64,
    /// The number of the line in its content, from 1 on; `None` if it is not known.
    pub line: Option<u64>,
    /// The value from which the id was made.
    pub key: Key,
    /// The time at which the line was given up, as an ISO text.
    pub time: String,
    /// The reason.
    pub reason: Reason,
    /// The message of the store or of the engine.
    pub detail: String,
    /// The pattern concerned.
    pub pattern: Option<String>,
    /// How far the pattern got.
    pub explain: Option<Explanation>,
    /// The line without its end, or its beginning.
    pub raw: Vec<u8>,
    /// The length of the whole line in bytes.
    pub length: u64,
    /// Whether the line is only a part of a line.
    pub partial: bool,
    /// Whether the record ended at a limit of time, lines or bytes.
    pub multiline_cut: bool,
    /// Whether `raw` is only the beginning of the line.
    pub truncated: bool,
}

/// How far a pattern got, in the form in which a letter holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The text of that beginning of the pattern that matches the line.
    pub matched: String,
    /// The byte of the line at which the match of this beginning ends.
    pub offset: u64,
    /// The text of the next part of the pattern, which does not match at this byte.
    pub failed: String,
}

impl Explanation {
    /// Returns the explanation for `reached`.
    pub fn of(reached: &Reached) -> Explanation {
        Explanation { matched: reached.matched(), offset: reached.offset().into(), failed: reached.failed() }
    }
}

/// The JSON object of a letter, for writing and reading.
#[derive(Serialize, Deserialize)]
struct Stored<T> {
    #[serde(rename = "_id")]
    id: T,
    origin: StoredOrigin<T>,
    offset: u64,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    line: Option<u64>,
    #[serde(flatten)]
    key: StoredKey,
    time: T,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    read_at: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    header: Option<String>,
    reason: Reason,
    detail: T,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    pattern: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    explain: Option<Explanation>,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    raw: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    raw_base64: Option<String>,
    length: u64,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    partial: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    multiline_cut: bool,
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    truncated: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredOrigin<T> {
    id: String,
    name: T,
    #[serde(skip_serializing_if = "Envelope::is_none", default)]
    envelope: Envelope,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    path: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    host: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    compression: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none", default = "Option::default")]
    encoding: Option<T>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    fields: Option<Map<String, Value>>,
}

/// The rule of the id, and the values that it was made from. An id that is made from the offset needs no further value.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
struct StoredKey {
    #[serde(skip_serializing_if = "IdRule::is_offset", default)]
    rule: IdRule,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    number: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    ns: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    ordinal: Option<u32>,
}

impl StoredKey {
    fn of(key: Key) -> StoredKey {
        let rule = key.rule();
        match key {
            Key::Offset(_) | Key::Given(_) => StoredKey { rule, ..StoredKey::default() },
            Key::Number(number) => StoredKey { rule, number: Some(number), ..StoredKey::default() },
            Key::Time { ns, ordinal } => {
                StoredKey { rule, ns: Some(ns), ordinal: Some(ordinal), ..StoredKey::default() }
            }
        }
    }

    fn key(self, offset: u64, id: RecordId) -> Result<Key, Wrong> {
        match self {
            StoredKey { rule: IdRule::Offset, .. } => Ok(Key::Offset(offset)),
            StoredKey { rule: IdRule::Given, .. } => Ok(Key::Given(id)),
            StoredKey { rule: IdRule::Number, number: Some(number), .. } => Ok(Key::Number(number)),
            StoredKey { rule: IdRule::Time, ns: Some(ns), ordinal: Some(ordinal), .. } => Ok(Key::Time { ns, ordinal }),
            _ => Err(Wrong::Words("its rule needs number, or ns and ordinal")),
        }
    }
}

impl Letter<'_> {
    /// Appends the letter. `time_ms` is the time at which the line was given up, in milliseconds since 1970.
    pub(super) fn write(&self, time_ms: i64, out: &mut Vec<u8>) -> Result<()> {
        let (time, read_at) = (write_iso(time_ms), write_iso(self.context.time_ms));
        let (id, origin) = (self.id.digits(), &*self.context.origin);
        let header = self.context.header.as_deref();
        let text = std::str::from_utf8(self.raw).ok();
        let detail = secrets::hide(self.detail);
        let stored = Stored {
            id: id.as_str(),
            origin: StoredOrigin {
                id: format!("{:016x}", origin.id),
                name: origin.name.as_str(),
                envelope: origin.envelope,
                path: origin.path.as_deref(),
                host: origin.host.as_deref(),
                compression: origin.compression.as_deref(),
                encoding: origin.encoding.as_deref(),
                fields: origin.fields.as_deref().and_then(|fields| serde_json::from_str(fields).ok()),
            },
            offset: self.offset,
            line: self.line,
            key: StoredKey::of(self.key),
            read_at: std::str::from_utf8(&read_at).ok(),
            header: header.map(|header| String::from_utf8_lossy(header).into_owned()),
            time: std::str::from_utf8(&time).unwrap_or_default(),
            reason: self.reason,
            detail: &detail,
            pattern: self.pattern,
            explain: self.explain.map(Explanation::of),
            raw: text,
            raw_base64: text.is_none().then(|| BASE64.encode(self.raw)),
            length: self.length,
            partial: self.partial,
            multiline_cut: self.multiline_cut,
            truncated: (self.raw.len() as u64) < self.length,
        };
        serde_json::to_writer(&mut *out, &stored)
            .map_err(|e| Error::internal("a dead letter could not be encoded").because(e))?;
        out.push(b'\n');
        Ok(())
    }
}

/// The reason why a line is not a letter.
pub(super) enum Wrong {
    Json(serde_json::Error),
    Words(&'static str),
}

impl Wrong {
    fn at(self, file: &str, line: u64) -> Error {
        let message = format!("{file}: line {line} is not a dead letter");
        match self {
            Wrong::Json(e) => Error::input(message).because(e),
            Wrong::Words(words) => Error::input(format!("{message}: {words}")),
        }
    }
}

impl DeadLetter {
    /// Reads the letter on line `number` of `file`.
    ///
    /// # Errors
    /// [`Error::input`], with file and line, when the line is not a letter.
    pub fn read(line: &[u8], file: &str, number: u64) -> Result<DeadLetter> {
        DeadLetter::parse(line).map_err(|wrong| wrong.at(file, number))
    }

    pub(super) fn parse(line: &[u8]) -> Result<DeadLetter, Wrong> {
        let stored: Stored<String> = serde_json::from_slice(line).map_err(Wrong::Json)?;
        let raw = match (stored.raw, stored.raw_base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => BASE64.decode(text).map_err(|_| Wrong::Words("raw_base64 is not base64"))?,
            _ => return Err(Wrong::Words("it needs exactly one of raw and raw_base64")),
        };
        let id = RecordId::parse(&stored.id).ok_or(Wrong::Words("_id is not 44 hexadecimal digits"))?;
        let StoredOrigin { id: origin, name, envelope, path, host, compression, encoding, fields } = stored.origin;
        let origin = u64::from_str_radix(&origin, 16).map_err(|_| Wrong::Words("origin.id is not hexadecimal"))?;
        let rule = stored.key.rule;
        let origin = Origin { path, host, compression, encoding, ..Origin::new(origin, name) };
        let origin = origin.wrapped(envelope).ruled(rule).with_fields(&fields.unwrap_or_default());
        // A letter of version 0.1.0 does not say when its line was read. The line was read before it was given up.
        let time_ms = read_iso(stored.read_at.as_deref().unwrap_or(&stored.time)).unwrap_or_default();
        let header = stored.header.map(|header| Arc::from(header.into_bytes()));
        let context = Context { origin: Arc::new(origin), header, time_ms };
        Ok(DeadLetter {
            id,
            context,
            offset: stored.offset,
            line: stored.line,
            key: stored.key.key(stored.offset, id)?,
            time: stored.time,
            reason: stored.reason,
            detail: stored.detail,
            pattern: stored.pattern,
            explain: stored.explain,
            raw,
            length: stored.length,
            partial: stored.partial,
            multiline_cut: stored.multiline_cut,
            truncated: stored.truncated,
        })
    }
}
