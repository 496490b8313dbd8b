//! The dead letter: its fields, and its form as a JSON object.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::core::batch::Origin;
use crate::core::envelope::Envelope;
use crate::core::error::{Error, Result};
use crate::core::secrets;
use crate::document::{DocumentId, date};
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
}

/// A letter to be written.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// The id that the document would have had.
    pub id: DocumentId,
    /// The source of the line.
    pub origin: &'a Origin,
    /// Byte offset of the line in the decompressed content.
    pub offset: u64,
    /// The time at which the line was given up, in milliseconds since 1970.
    pub time_ms: i64,
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
}

/// A letter that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The id that the document would have had.
    pub id: String,
    /// The source of the line.
    pub origin: Origin,
    /// Byte offset of the line in the decompressed content.
    pub offset: u64,
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
    time: T,
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
    truncated: bool,
}

#[derive(Serialize, Deserialize)]
struct StoredOrigin<T> {
    id: String,
    name: T,
    #[serde(skip_serializing_if = "Envelope::is_none", default)]
    envelope: Envelope,
}

impl Letter<'_> {
    pub(super) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let time = date::write_iso(self.time_ms);
        let text = std::str::from_utf8(self.raw).ok();
        let detail = secrets::hide(self.detail);
        let stored = Stored {
            id: self.id.as_str(),
            origin: StoredOrigin {
                id: format!("{:016x}", self.origin.id),
                name: self.origin.name.as_str(),
                envelope: self.origin.envelope,
            },
            offset: self.offset,
            time: std::str::from_utf8(&time).unwrap_or_default(),
            reason: self.reason,
            detail: &detail,
            pattern: self.pattern,
            explain: self.explain.map(Explanation::of),
            raw: text,
            raw_base64: text.is_none().then(|| BASE64.encode(self.raw)),
            length: self.length,
            partial: self.partial,
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
        let origin =
            u64::from_str_radix(&stored.origin.id, 16).map_err(|_| Wrong::Words("origin.id is not hexadecimal"))?;
        Ok(DeadLetter {
            id: stored.id,
            origin: Origin::new(origin, stored.origin.name).wrapped(stored.origin.envelope),
            offset: stored.offset,
            time: stored.time,
            reason: stored.reason,
            detail: stored.detail,
            pattern: stored.pattern,
            explain: stored.explain,
            raw,
            length: stored.length,
            partial: stored.partial,
            truncated: stored.truncated,
        })
    }
}
