//! Lines of containers, from bytes to documents: the documents and their ids depend neither on the form of the lines nor on how
//! they are cut into batches.

use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::parser::{Fate, Formats, Parser, Unmatched};
use crate::core::batch::{Batch, Framing, Origin, Position};
use crate::core::calendar::write_iso;
use crate::core::error::Result;
use crate::core::record::{Key, Ordinals, time_hash};
use crate::envelope::{Envelope, Identifier};
use crate::grok::Library;
use crate::sink::Encoding;
use crate::source::BlockPool;
use crate::source::cutter::Cutter;
use crate::source::encodings::{Carrier, EncodingRule};
use crate::source::joint::Joint;
use crate::source::outlet::Outlet;
use crate::source::reader::{BatchReader, End};
use crate::source::receiver::{BatchSize, LongLine};
use crate::source::record_rules::RecordRules;
use crate::source::wrapping::Wrapping;

const ORIGIN: u64 = 0xabcd;

/// One piece of a record: stream, text, whether it is the last one, and the time of its record.
type Piece = (&'static str, String, bool, u64);

/// A document: id, message, stream, time.
type Document = (String, String, String, String);

/// Records in pieces, as they come from two streams.
fn pieces() -> impl Strategy<Value = Vec<Piece>> {
    let text = r#"([a-c"\\<é😀]|\t|\x01|\r){0,6}"#;
    let record = (prop::collection::vec(text, 1..4), 0_u64..3, any::<bool>());
    let records = prop::collection::vec(record, 0..12);
    let stream = |name: &'static str| {
        let pieces = move |records: Vec<(Vec<String>, u64, bool)>| {
            let mut pieces: Vec<Piece> = Vec::new();
            for (texts, at, is_long) in records {
                let ns = 1_767_323_045_123_456_700 + at * 50;
                let texts = if is_long { texts } else { texts.into_iter().take(1).collect() };
                let last = texts.len() - 1;
                pieces.extend(texts.into_iter().enumerate().map(|(index, text)| (name, text, index == last, ns)));
            }
            pieces
        };
        records.clone().prop_map(pieces)
    };
    let turns = prop::collection::vec(any::<bool>(), 72);
    (stream("stdout"), stream("stderr"), turns, any::<bool>()).prop_map(|(out, err, turns, is_cut)| {
        let (mut out, mut err) = (out.into_iter().peekable(), err.into_iter().peekable());
        let mut all = Vec::new();
        for turn in turns {
            let next = if turn { out.next() } else { err.next() };
            all.extend(next);
        }
        all.extend(out.chain(err));
        // A container may end in the middle of a line.
        if let Some((.., is_last, _)) = all.last_mut().filter(|_| is_cut) {
            *is_last = false;
        }
        all
    })
}

fn json_file((stream, text, is_last, ns): &Piece) -> String {
    let log = format!("{text}{}", if *is_last { "\n" } else { "" });
    let time = format!("{}{:06}", iso(*ns), ns % 1_000_000);
    let time = time.trim_end_matches('0');
    format!("{}\n", json!({ "log": log, "stream": stream, "time": format!("{time}Z") }))
}

fn cri((stream, text, is_last, ns): &Piece) -> String {
    format!("{}{:06}Z {stream} {} {text}\n", iso(*ns), ns % 1_000_000, if *is_last { "F" } else { "P" })
}

/// The time with milliseconds and without a zone.
fn iso(ns: u64) -> String {
    let text = write_iso((ns / 1_000_000) as i64);
    String::from_utf8_lossy(&text[..23]).into_owned()
}

/// The time with at least three digits of a second, and with all that are not zeros at the end.
fn shown(ns: u64) -> String {
    let text = format!("{}{:06}", iso(ns), ns % 1_000_000);
    let length = text.trim_end_matches('0').len().max("2026-01-02T03:04:05.123".len());
    format!("{}Z", &text[..length])
}

/// The documents, by the rules in their simplest form.
fn expected(pieces: &[Piece]) -> Vec<Document> {
    let mut open: Vec<(usize, &Piece, String)> = Vec::new();
    let mut records = Vec::new();
    for (index, piece) in pieces.iter().enumerate() {
        let (stream, text, is_last, _) = piece;
        let mut record = match open.iter().position(|(_, first, _)| first.0 == *stream) {
            Some(at) => open.remove(at),
            None => (index, piece, String::new()),
        };
        record.0 = index;
        record.2 += text;
        if *is_last { records.push(record) } else { open.push(record) }
    }
    records.extend(open);
    records.sort_by_key(|(last, ..)| *last);
    let mut ordinals = Ordinals::default();
    let document = |(_, (stream, _, _, ns), text): (usize, &Piece, String)| {
        let message = text.strip_suffix('\r').unwrap_or(&text).to_owned();
        let ordinal = ordinals.next(stream.as_bytes(), *ns);
        let hash = time_hash(stream.as_bytes(), ordinal, message.as_bytes());
        let id = Key::Time { ns: *ns, ordinal }.id(ORIGIN, hash).to_string();
        (id, message, (*stream).to_owned(), shown(*ns))
    };
    records.into_iter().map(document).collect()
}

#[derive(Default)]
struct Kept(Mutex<Vec<Batch>>, Mutex<Vec<LongLine>>);

impl Outlet for Kept {
    fn batch(&self, batch: Batch) -> bool {
        self.0.lock().unwrap().push(batch);
        true
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        self.1.lock().unwrap().push(line);
        Ok(())
    }
}

struct Trickle<'a>(&'a [u8], &'a [usize], usize);

impl std::io::Read for Trickle<'_> {
    fn read(&mut self, room: &mut [u8]) -> std::io::Result<usize> {
        self.2 += 1;
        let length = self.1[self.2 % self.1.len()].min(self.0.len()).min(room.len());
        let (now, later) = self.0.split_at(length);
        room[..length].copy_from_slice(now);
        self.0 = later;
        Ok(length)
    }
}

/// Reads `content` into batches of this size, in steps.
fn read(content: &[u8], size: &BatchSize, steps: &[usize], wrapping: Wrapping) -> (Vec<Batch>, Vec<LongLine>) {
    let kept = Kept::default();
    let name = |beginning: &[u8]| wrapping.complete(Origin::new(ORIGIN, "x"), None, beginning);
    let rules = RecordRules::default();
    let pool: Arc<BlockPool> = Arc::default();
    let (joint, encoding) = (Joint::default(), EncodingRule::Told);
    let cutter = Cutter {
        size,
        pool: &pool,
        receiver: &kept,
        name: &name,
        rules: &rules,
        joint,
        encoding,
        carrier: Carrier::File,
    };
    let reader = BatchReader { cutter, idle: &|| true, quiet: &|_| false, time: &|| 0, exact: false };
    assert!(matches!(reader.read(&mut Trickle(content, steps, 0)).unwrap(), End::Complete));
    (kept.0.into_inner().unwrap(), kept.1.into_inner().unwrap())
}

/// A parser whose pattern matches no message of these tests.
fn parser() -> Parser {
    let library = Library::builtin();
    let format = library.pattern("^no such message$").unwrap();
    Arc::new(Formats::new(vec![format], library, Unmatched::Keep, |_| ())).parser([Encoding::Json]).unwrap()
}

/// Parses `batches` one after the other. Returns the documents, and the numbers of records and of those that were joined.
fn parse<'a>(parser: &mut Parser, batches: impl IntoIterator<Item = &'a Batch>) -> (Vec<Document>, usize, usize) {
    let mut parsed = parser.buffer();
    let (mut documents, mut records, mut joined) = (Vec::new(), 0, 0);
    for batch in batches {
        parser.parse(batch, &mut parsed).unwrap();
        records += parsed.fates().len();
        joined += parsed.fates().iter().filter(|fate| **fate == Fate::Joined).count();
        for document in parsed.encoded(&Encoding::Json.into()).iter() {
            let value: Value = serde_json::from_slice(document.bytes).unwrap();
            let text = |name: &str| value[name].as_str().unwrap_or_default().to_owned();
            documents.push((text("_id"), text("message"), text("stream"), text("@timestamp")));
        }
    }
    (documents, records, joined)
}

/// Cuts `batch` wherever it may be cut.
fn parts(batch: &Batch) -> Vec<Batch> {
    let (mut rest, mut parts) = (batch.clone(), Vec::new());
    while let Some(first) = rest.split_first() {
        parts.push(first);
    }
    parts.push(rest);
    parts
}

/// The batch of a replay of the letters of all records.
fn replayed(batches: &[Batch]) -> Option<Batch> {
    let mut identifier = Identifier::new().unwrap();
    let mut records = Vec::new();
    for batch in batches {
        for found in identifier.records(batch) {
            let (context, offset, key, id) = (found.context.clone(), found.offset, found.key, found.id);
            records.push((found.record.into_owned(), Position { context, offset, key, id, line: None }));
        }
    }
    for (raw, position) in &records {
        assert_eq!(identifier.check(&position.context, position.offset, position.key, raw), position.id);
    }
    Batch::gathered(records.iter().map(|(raw, position)| (&raw[..], false, position.clone())))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    /// json-file and CRI with the same times, streams and texts give the same documents under the same ids, however they are cut,
    /// and so does a replay.
    #[test]
    fn the_form_of_lines_and_the_cuts_of_batches_do_not_matter(
        pieces in pieces(),
        (lines, bytes) in (1_usize..9, 64_usize..700),
        steps in prop::collection::vec(1_usize..400, 1..5),
    ) {
        let size = BatchSize { lines, bytes, max_line: 1 << 20 };
        let mut parser = parser();
        let expected = expected(&pieces);
        for (form, envelope) in [(json_file as fn(&Piece) -> String, Envelope::DockerJson), (cri, Envelope::Cri)] {
            let content: String = pieces.iter().map(form).collect();
            let (batches, long) = read(content.as_bytes(), &size, &steps, Wrapping::Given(envelope));
            prop_assert!(long.is_empty());
            let (documents, records, joined) = parse(&mut parser, &batches);
            prop_assert_eq!(&documents, &expected);
            prop_assert_eq!((records, joined), (pieces.len(), pieces.len() - expected.len()));
            let all: Vec<Batch> = batches.iter().flat_map(parts).collect();
            prop_assert_eq!(&parse(&mut parser, &all).0, &expected);
            if let Some(batch) = replayed(&batches) {
                prop_assert_eq!(&parse(&mut parser, [&batch]).0, &expected);
            }
        }
    }
}

#[test]
fn a_batch_without_equal_times_and_pieces_has_no_table() {
    let line = |at: u64| json_file(&("stdout", format!("line {at}"), true, 1_767_323_045_000_000_000 + at));
    let content: String = (1..5000).map(line).collect();
    let (batches, _) = read(content.as_bytes(), &BatchSize::default(), &[70_000], Wrapping::Told);
    assert!(batches.len() > 1);
    assert!(batches.iter().all(|batch| batch.framing == Framing::Lines));
    let (documents, ..) = parse(&mut parser(), &batches);
    assert_eq!(documents.len(), 4999);
}

#[test]
fn a_joined_line_over_the_limit_is_set_aside_piece_by_piece_and_other_lines_are_not() {
    let piece =
        |stream, text: &str, last, at: u64| json_file(&(stream, text.repeat(40), last, 1_767_323_045_000_000_000 + at));
    let content: String = [
        piece("stdout", "a", true, 1),
        piece("stdout", "b", false, 2),
        piece("stderr", "c", true, 3),
        piece("stdout", "d", false, 2),
        piece("stdout", "e", false, 2),
        piece("stdout", "f", false, 2),
        piece("stderr", "g", true, 4),
        piece("stdout", "h", true, 2),
        piece("stdout", "i", true, 5),
    ]
    .concat();
    let size = BatchSize { max_line: 140, ..BatchSize::default() };
    let (batches, long) = read(content.as_bytes(), &size, &[100], Wrapping::Told);
    let (documents, ..) = parse(&mut parser(), &batches);
    let messages: Vec<&str> = documents.iter().map(|(_, message, ..)| &message[..1]).collect();
    assert_eq!(messages, ["a", "c", "g", "i"]);
    let raw: Vec<String> = long.iter().map(|line| String::from_utf8_lossy(&line.beginning).into_owned()).collect();
    assert_eq!(raw.len(), 5, "{raw:?}");
    for (raw, text) in raw.iter().zip(["b", "d", "e", "f", "h"]) {
        assert!(raw.contains(&text.repeat(40)) && raw.ends_with('}'), "{raw}");
    }
}

#[test]
fn a_line_without_the_envelope_has_the_id_of_its_offset_and_a_tag() {
    let good = cri(&("stdout", "a".into(), true, 1_767_323_045_000_000_000));
    let content = format!("{good}not wrapped\nnot wrapped\n{good}");
    let (batches, _) = read(content.as_bytes(), &BatchSize::default(), &[1000], Wrapping::Told);
    let mut parser = parser();
    let mut parsed = parser.buffer();
    parser.parse(&batches[0], &mut parsed).unwrap();
    let documents: Vec<Value> = parsed
        .encoded(&Encoding::Json.into())
        .iter()
        .map(|document| serde_json::from_slice(document.bytes).unwrap())
        .collect();
    let tags: Vec<bool> = documents
        .iter()
        .map(|document| document["tags"].as_array().is_some_and(|tags| tags.contains(&json!("_containerparsefailure"))))
        .collect();
    assert_eq!(tags, [false, true, true, false]);
    let ids: std::collections::HashSet<&str> =
        documents.iter().filter_map(|document| document["_id"].as_str()).collect();
    assert_eq!(
        ids.len(),
        4,
        "the two good lines are equal and adjacent in their stream: the second has another ordinal"
    );
    let offset = good.len() as u64;
    let id = crate::core::record::RecordId::at(ORIGIN, offset, b"not wrapped").to_string();
    assert_eq!(documents[1]["_id"], json!(id));
}
