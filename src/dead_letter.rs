//! Dead letters: lines that could not be stored, kept with their reason so that they can be replayed.
//!
//! One JSON object a line:
//!
//! | key | value |
//! |---|---|
//! | `_id` | the id the document would have had |
//! | `origin` | `{"id": 16 hexadecimal digits, "name": …}`, and `"envelope": "json"` or `"syslog"` if its lines are wrapped |
//! | `offset` | byte offset of the line in the decompressed content |
//! | `time` | when it was given up, `2015-05-17T10:05:03.000Z` |
//! | `reason` | `rejected`, `too_long`, `limit`, `unmatched`, `oversize` or `poison`; see [`Reason`] |
//! | `detail` | the words of the store or of the engine |
//! | `pattern` | the pattern concerned, of those that do not match the one that got furthest; left out when there is none |
//! | `explain` | how far it got: `{"matched": text of its beginning that matches, "offset": byte of the line at which that |
//! | | ends, "failed": text of the part that does not match there}`; left out when there is nothing to tell |
//! | `raw` | the line without its end; left out when it is not UTF-8 |
//! | `raw_base64` | the line where it is not UTF-8, in base64 with padding |
//! | `length` | the line's length in bytes |
//! | `partial` | `true` when the line is a part of a line of a followed file; left out otherwise |
//! | `truncated` | `true` when `raw` is only the line's beginning; left out otherwise |

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::{Deserialize, Serialize};

use crate::core::batch::Origin;
use crate::core::error::{Error, Result};
use crate::core::secrets;
use crate::core::wait::{Patience, Waits, Words};
use crate::document::{DocumentId, date};
use crate::envelope::Envelope;
use crate::grok::Reached;
use crate::sink::append::{AppendFile, Others};
use crate::sink::repair;

/// Why a line became a dead letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// A store refuses its document for good.
    Rejected,
    /// The line is longer than `--max-line`.
    TooLong,
    /// Matching it took more steps than allowed.
    Limit,
    /// No pattern matches it, and `--unmatched dead-letter` was asked for.
    Unmatched,
    /// Its document is larger than the store takes.
    Oversize,
    /// Workers were lost on it again and again.
    Poison,
}

/// One letter to be written.
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// The id the document would have had.
    pub id: DocumentId,
    /// The source of the line.
    pub origin: &'a Origin,
    /// Byte offset of the line in the decompressed content.
    pub offset: u64,
    /// When it was given up, in milliseconds since 1970.
    pub time_ms: i64,
    /// Why.
    pub reason: Reason,
    /// The words of the store or of the engine.
    pub detail: &'a str,
    /// The pattern concerned.
    pub pattern: Option<&'a str>,
    /// How far it got.
    pub explain: Option<&'a Reached>,
    /// The line without its end, or its beginning.
    pub raw: &'a [u8],
    /// The length of the whole line in bytes.
    pub length: u64,
    /// Whether it is a part of a line.
    pub partial: bool,
}

/// One letter as it was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The id the document would have had.
    pub id: String,
    /// The source of the line.
    pub origin: Origin,
    /// Byte offset of the line in the decompressed content.
    pub offset: u64,
    /// When it was given up, as an ISO text.
    pub time: String,
    /// Why.
    pub reason: Reason,
    /// The words of the store or of the engine.
    pub detail: String,
    /// The pattern concerned.
    pub pattern: Option<String>,
    /// How far it got.
    pub explain: Option<Explanation>,
    /// The line without its end, or its beginning.
    pub raw: Vec<u8>,
    /// The length of the whole line in bytes.
    pub length: u64,
    /// Whether it is a part of a line.
    pub partial: bool,
    /// Whether `raw` is only the line's beginning.
    pub truncated: bool,
}

/// How far a pattern got, as it stands in a letter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explanation {
    /// The text of the pattern's beginning that matches.
    pub matched: String,
    /// Where that ends in the line, in bytes.
    pub offset: u64,
    /// The text of the part that does not match there.
    pub failed: String,
}

impl Explanation {
    /// What `reached` tells.
    pub fn of(reached: &Reached) -> Explanation {
        Explanation { matched: reached.matched(), offset: reached.offset().into(), failed: reached.failed() }
    }
}

/// The object on a line, for both directions.
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

/// The file that dead letters go to. It is created with the first letter.
///
/// It is opened and locked for each write only, so that a queue and several workers can share it. It is made for its owner
/// alone (mode 0600), because letters hold whole lines; one that is there keeps the mode that it has.
#[derive(Debug)]
pub struct DeadLetters {
    path: PathBuf,
    /// Locks of files do not keep threads apart.
    turn: Mutex<()>,
    patience: Arc<Patience>,
}

/// The mode of the file.
const MODE: u32 = 0o600;

impl DeadLetters {
    /// Letters for the file at `path`, which is not touched yet.
    pub fn new(path: impl Into<PathBuf>) -> DeadLetters {
        DeadLetters::waiting(path, &Waits::default())
    }

    /// The same, waiting with `waits` for a file that another process has locked.
    pub fn waiting(path: impl Into<PathBuf>, waits: &Waits) -> DeadLetters {
        let path = path.into();
        let patience = Arc::new(waits.patience(format!("dead letters {}", path.display()), Words::WRITTEN));
        DeadLetters { path, turn: Mutex::new(()), patience }
    }

    /// Where they go.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends `letters` and returns when they are durable; a batch is acked only after that. Without letters nothing
    /// is done.
    ///
    /// # Errors
    /// [`Error::sink`] when the file cannot be opened or written: none of `letters` counts as kept.
    pub fn write(&self, letters: &[Letter<'_>]) -> Result<()> {
        if letters.is_empty() {
            return Ok(());
        }
        let mut block = Vec::new();
        for letter in letters {
            letter.write(&mut block)?;
        }
        self.append(&block)
    }

    /// Appends whole letters as they stand in another file, as [`write`](DeadLetters::write) does.
    ///
    /// # Errors
    /// As [`write`](DeadLetters::write).
    pub fn append(&self, block: &[u8]) -> Result<()> {
        if block.is_empty() {
            return Ok(());
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let mend = |file: &_, length| repair::plain(self.patience.name(), file, length);
        AppendFile::open(&self.path, MODE, Others::Wait, &self.patience, mend)?.append(block)
    }
}

impl Letter<'_> {
    fn write(&self, out: &mut Vec<u8>) -> Result<()> {
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

/// Reads the dead letters in the file at `path`.
///
/// # Errors
/// [`Error::input`] when it cannot be opened. Each item is an error that names file and line when that line is no
/// dead letter.
pub fn read(path: &Path) -> Result<impl Iterator<Item = Result<DeadLetter>>> {
    let shown = path.display().to_string();
    let cannot = |e| Error::input(format!("{shown}: the dead letters cannot be read")).because(e);
    let mut reader = BufReader::new(File::open(path).map_err(cannot)?);
    let mut line = Vec::new();
    let mut number = 0_u64;
    Ok(std::iter::from_fn(move || {
        line.clear();
        number += 1;
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(DeadLetter::read(&line, &shown, number)),
            Err(e) => Some(Err(Error::input(format!("{shown}: line {number} cannot be read")).because(e))),
        }
    }))
}

/// What is wrong with a line.
enum Wrong {
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
    /// Reads the letter on the line with the number `number` of `file`.
    ///
    /// # Errors
    /// [`Error::input`], naming file and line, when it is none.
    pub fn read(line: &[u8], file: &str, number: u64) -> Result<DeadLetter> {
        DeadLetter::parse(line).map_err(|wrong| wrong.at(file, number))
    }

    fn parse(line: &[u8]) -> Result<DeadLetter, Wrong> {
        let stored: Stored<String> = serde_json::from_slice(line).map_err(Wrong::Json)?;
        let raw = match (stored.raw, stored.raw_base64) {
            (Some(text), None) => text.into_bytes(),
            (None, Some(text)) => BASE64.decode(text).map_err(|_| Wrong::Words("raw_base64 is not base64"))?,
            _ => return Err(Wrong::Words("it has to have one of raw and raw_base64")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn letter<'a>(origin: &'a Origin, raw: &'a [u8], length: u64) -> Letter<'a> {
        Letter {
            id: DocumentId::new(origin, 12, raw),
            origin,
            offset: 12,
            time_ms: 1_431_857_103_000,
            reason: Reason::TooLong,
            detail: "longer than 4 bytes",
            pattern: None,
            explain: None,
            raw,
            length,
            partial: false,
        }
    }

    fn origin() -> Origin {
        Origin::new(0xff, "access.log")
    }

    #[test]
    fn no_file_appears_before_the_first_letter() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.ndjson");
        let letters = DeadLetters::new(&path);
        letters.write(&[]).unwrap();
        assert!(!path.exists());
        assert_eq!(letters.path(), path);
        letters.write(&[letter(&origin(), b"x", 1)]).unwrap();
        assert!(path.exists());
    }

    #[test]
    fn a_letter_is_written_as_documented() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.ndjson");
        let (origin, letters) = (origin(), DeadLetters::new(&path));
        letters.write(&[letter(&origin, b"a \"b\"", 100)]).unwrap();
        let other = Letter { reason: Reason::Limit, pattern: Some("COMBINED"), ..letter(&origin, b"\xff", 1) };
        letters.write(&[other]).unwrap();
        let start = "{\"_id\":\"00000000000000ff00000000000c";
        let expected = [
            format!(
                "{start}{}\",\"origin\":{{\"id\":\"00000000000000ff\",\"name\":\"access.log\"}},\"offset\":12,\
                 \"time\":\"2015-05-17T10:05:03.000Z\",\"reason\":\"too_long\",\"detail\":\"longer than 4 bytes\",\
                 \"raw\":\"a \\\"b\\\"\",\"length\":100,\"truncated\":true}}\n",
                &letter(&origin, b"a \"b\"", 1).id.as_str()[28..]
            ),
            format!(
                "{start}{}\",\"origin\":{{\"id\":\"00000000000000ff\",\"name\":\"access.log\"}},\"offset\":12,\
                 \"time\":\"2015-05-17T10:05:03.000Z\",\"reason\":\"limit\",\"detail\":\"longer than 4 bytes\",\
                 \"pattern\":\"COMBINED\",\"raw_base64\":\"/w==\",\"length\":1}}\n",
                &other.id.as_str()[28..]
            ),
        ];
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected.concat());
    }

    #[test]
    fn letters_are_appended_behind_a_torn_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.ndjson");
        let origin = origin();
        DeadLetters::new(&path).write(&[letter(&origin, b"first", 5)]).unwrap();
        let torn = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&torn[..], &torn[..torn.len() / 2]].concat()).unwrap();
        DeadLetters::new(&path).write(&[letter(&origin, b"second", 6)]).unwrap();
        let lines: Vec<_> = read(&path).unwrap().map(|letter| letter.unwrap().raw).collect();
        assert_eq!(lines, [b"first".to_vec(), b"second".to_vec()]);
    }

    #[test]
    fn many_threads_write_whole_letters() {
        let folder = tempfile::tempdir().unwrap();
        let letters = DeadLetters::new(folder.path().join("dead.ndjson"));
        let origin = origin();
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| (0..10).for_each(|_| letters.write(&[letter(&origin, b"x", 1); 3]).unwrap()));
            }
        });
        assert_eq!(read(letters.path()).unwrap().filter(|letter| letter.is_ok()).count(), 240);
    }

    #[test]
    fn a_full_disk_is_an_error() {
        let error = DeadLetters::new("/dev/full").write(&[letter(&origin(), b"x", 1)]).unwrap_err();
        assert!(error.to_string().contains("dead letters /dev/full"), "{error}");
    }

    #[test]
    fn a_line_that_is_no_letter_is_named_and_the_others_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("dead.ndjson");
        DeadLetters::new(&path).write(&[letter(&origin(), b"x", 1)]).unwrap();
        let good = std::fs::read_to_string(&path).unwrap();
        let neither = good.replace("\"raw\"", "\"other\"");
        std::fs::write(&path, [&good, "nonsense\n", &neither, &good].concat()).unwrap();
        let results: Vec<_> = read(&path).unwrap().collect();
        assert!(results[0].is_ok() && results[3].is_ok() && results.len() == 4);
        assert!(results[1].as_ref().unwrap_err().to_string().contains("dead.ndjson: line 2 is not a dead letter"));
        assert!(results[2].as_ref().unwrap_err().to_string().contains("one of raw and raw_base64"));
        assert!(read(&folder.path().join("none")).is_err());
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            raw in proptest::collection::vec(any::<u8>(), 0..50),
            (text, detail, pattern, name) in any::<(String, String, Option<String>, String)>(),
            (plain, partial, cut, id, offset) in any::<(bool, bool, u64, u64, u64)>(),
            time_ms in 0_i64..253_402_300_800_000,
        ) {
            let raw = if plain { text.into_bytes() } else { raw };
            let origin = Origin::new(id, name).wrapped(if plain { Envelope::None } else { Envelope::Syslog });
            let length = (raw.len() as u64).saturating_add(if plain { 0 } else { cut });
            let written = Letter {
                offset, time_ms, length, partial, reason: Reason::Rejected, detail: &detail, pattern: pattern.as_deref(),
                ..letter(&origin, &raw, 0)
            };
            let mut line = Vec::new();
            written.write(&mut line).unwrap();
            prop_assert_eq!(memchr::memchr(b'\n', &line), Some(line.len() - 1));
            let Ok(read) = DeadLetter::parse(&line) else { panic!("it reads") };
            prop_assert_eq!(read, DeadLetter {
                id: written.id.to_string(),
                partial,
                truncated: length > raw.len() as u64,
                time: String::from_utf8(date::write_iso(time_ms).to_vec()).unwrap(),
                reason: Reason::Rejected,
                explain: None,
                origin: origin.clone(), offset, detail: detail.clone(), pattern: pattern.clone(), raw: raw.clone(), length,
            });
        }
    }
}
