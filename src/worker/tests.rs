//! Tests of workers with sinks in memory.

mod containers;
mod layouts;
mod stages;
mod storing;
mod whole_records;

use std::sync::{Arc, Mutex};

use bytes::Bytes;

use super::parser::{Formats, Parser, Unmatched};
use super::storer::Storer;
use crate::core::batch::{Batch, Origin};
use crate::core::error::{Error, Result};
use crate::core::lines;
use crate::core::record::RecordId;
use crate::dead_letter::{self, DeadLetters, Reason};
use crate::document::Documents;
use crate::envelope::Envelope;
use crate::event::Layout;
use crate::grok::Library;
use crate::observe::counters::{LIMIT_HITS, MATCHED, TRIED, Tally};
use crate::sink::memory::MemorySink;
use crate::sink::{AnySink, Encoding, Outcome, Sink};

fn batch(offset: u64, content: &str) -> Batch {
    let data = Bytes::copy_from_slice(content.as_bytes());
    Batch::new(Arc::new(Origin::new(5, "x")), offset, lines::count(&data) as u32, data)
}

fn ids(batch: &Batch) -> Vec<RecordId> {
    let id =
        |line: lines::Line<'_>| RecordId::at(batch.context.origin.id, batch.offset + line.start as u64, line.bytes);
    lines::lines(&batch.data).map(id).collect()
}

/// Returns a parser for a word followed by a number.
fn parser<L: Clone + Into<Layout>>(unmatched: Unmatched, layouts: &[L]) -> Parser {
    let library = Library::builtin();
    let format = library.pattern("^%{WORD:word} %{INT:number:int}$").unwrap();
    Arc::new(Formats::new(vec![format], library, unmatched, |_| ())).parser(layouts.iter().cloned()).unwrap()
}

struct LetterFolder {
    folder: tempfile::TempDir,
}

impl LetterFolder {
    fn new() -> Self {
        LetterFolder { folder: tempfile::tempdir().unwrap() }
    }

    fn storer(&self, sinks: Vec<AnySink>) -> Storer {
        Storer::new(sinks, Arc::new(DeadLetters::new(self.folder.path().join("dead"))))
    }

    fn read(&self) -> Vec<dead_letter::DeadLetter> {
        match dead_letter::read(&self.folder.path().join("dead")) {
            Ok(letters) => letters.map(Result::unwrap).collect(),
            Err(_) => Vec::new(),
        }
    }
}

const LINES: &str = "one 1\ntwo 2\nno number\nfour 4\n";

#[test]
fn each_line_is_counted_by_the_outcomes_of_all_sinks() {
    let batch = batch(100, LINES);
    let id = ids(&batch);
    let (json, bson) = (MemorySink::new(Encoding::Json), MemorySink::new(Encoding::Bson));
    // One sink refuses the second line.
    bson.reject(id[1], "refused in words");
    let (json, bson) = (Arc::new(json), Arc::new(bson));
    let letters = LetterFolder::new();
    let storer = letters.storer(vec![json.clone().into(), bson.clone().into()]);
    let mut parser = parser(Unmatched::Keep, &[Encoding::Json, Encoding::Bson]);
    let (mut parsed, mut outcomes) = (parser.buffer(), Vec::new());
    parser.parse(&batch, &mut parsed).unwrap();
    let first = storer.store(&batch, &parsed, &mut outcomes).unwrap().tally;
    assert_eq!(first, Tally { stored: 2, unmatched: 1, dead_lettered: 1, ..Tally::default() });
    assert_eq!((json.len(), bson.len()), (4, 3));
    let letters = letters.read();
    assert_eq!(letters.len(), 1);
    assert_eq!(
        (letters[0].id.to_string(), letters[0].offset, &letters[0].raw[..]),
        (id[1].to_string(), 106, &b"two 2"[..])
    );
    assert_eq!(letters[0].reason, Reason::Rejected);
    assert!(letters[0].detail.ends_with("refused in words"), "{}", letters[0].detail);

    parser.parse(&batch, &mut parsed).unwrap();
    let again = storer.store(&batch, &parsed, &mut outcomes).unwrap().tally;
    assert_eq!(again, Tally { duplicate: 3, dead_lettered: 1, ..Tally::default() });
    assert_eq!(again.total(), u64::from(batch.records));
}

#[test]
fn a_line_that_matches_nothing_goes_where_the_user_said() {
    let batch = batch(0, LINES);
    for (unmatched, expected, count) in [
        (Unmatched::Keep, Tally { stored: 3, unmatched: 1, ..Tally::default() }, 0),
        (Unmatched::Drop, Tally { stored: 3, filtered: 1, ..Tally::default() }, 0),
        (Unmatched::DeadLetter, Tally { stored: 3, dead_lettered: 1, ..Tally::default() }, 1),
    ] {
        let letters = LetterFolder::new();
        let storer = letters.storer(vec![Arc::new(MemorySink::new(Encoding::Json)).into()]);
        let mut parser = parser(unmatched, &[Encoding::Json]);
        let mut parsed = parser.buffer();
        parser.parse(&batch, &mut parsed).unwrap();
        assert_eq!(storer.store(&batch, &parsed, &mut Vec::new()).unwrap().tally, expected);
        let found = letters.read();
        assert_eq!(found.len(), count);
        assert!(found.iter().all(|letter| letter.reason == Reason::Unmatched && letter.raw == b"no number"));
    }
}

#[test]
fn the_first_pattern_that_matches_makes_the_document_and_each_is_counted() {
    let library = Library::builtin();
    let texts =
        ["login %{WORD:who}", "%{WORD:any} bob", "logout %{WORD:who}", "^(?<x>a)(?:a+a+)+\\k<x>b$", "%{INT:n:int}"];
    let formats = texts.iter().map(|text| library.pattern(text).unwrap()).collect();
    let formats = Arc::new(Formats::new(formats, library, Unmatched::Drop, |_| ()));
    let sink = Arc::new(MemorySink::new(Encoding::Json));
    let letters = LetterFolder::new();
    let storer = letters.storer(vec![sink.clone().into()]);
    let mut parser = formats.parser([Encoding::Json]).unwrap();
    let mut parsed = parser.buffer();
    let slow = format!("{}bc", "a".repeat(200));
    let content = format!("login ada\nlogout bob\nlogout ada\nlogin bob\n12\n{slow}\n?\n");
    parser.parse(&batch(0, &content), &mut parsed).unwrap();
    let tally = storer.store(&batch(0, &content), &parsed, &mut Vec::new()).unwrap().tally;
    assert_eq!(tally, Tally { stored: 5, dead_lettered: 1, filtered: 1, ..Tally::default() });
    let documents = String::from_utf8(parsed.encoded(&Encoding::Json.into()).bytes().to_vec()).unwrap();
    let fields: Vec<&str> = documents.lines().map(|line| &line[54..]).collect();
    let expected = [r#""who":"ada"}"#, r#""any":"logout"}"#, r#""who":"ada"}"#, r#""who":"bob"}"#, r#""n":12}"#];
    assert_eq!(fields, expected);
    assert_eq!(letters.read()[0].pattern.as_deref(), Some(texts[3]));
    let counts: Vec<_> =
        formats.counts().iter().map(|row| [TRIED, MATCHED, LIMIT_HITS].map(|spec| row.get(&spec))).collect();
    // The first pattern is tried once more because it matched the previous line. The last two have no literal, so they
    // are tried on every line that nothing else matched.
    assert_eq!(counts, [[4, 2, 0], [1, 1, 0], [1, 1, 0], [3, 0, 1], [2, 1, 0]]);
    // No count is lost between batches, and a JSON format is counted too.
    parser.parse(&batch(900, "login ada\n"), &mut parsed).unwrap();
    assert_eq!(formats.counts()[0].get(&TRIED), 5);
}

#[test]
fn a_batch_with_a_failed_document_is_not_acknowledged() {
    let batch = batch(0, LINES);
    let sink = MemorySink::new(Encoding::Json);
    sink.fail(ids(&batch)[3], 1, "the server is away");
    let letters = LetterFolder::new();
    let storer = letters.storer(vec![Arc::new(sink).into()]);
    let mut parser = parser(Unmatched::Keep, &[Encoding::Json]);
    let mut parsed = parser.buffer();
    parser.parse(&batch, &mut parsed).unwrap();
    let error = storer.store(&batch, &parsed, &mut Vec::new()).unwrap_err();
    assert!(error.is_retryable() && error.to_string().ends_with("memory:: the server is away"), "{error}");
    // The batch comes back to the same process, which remembers that three documents were stored.
    let tally = storer.store(&batch, &parsed, &mut Vec::new()).unwrap().tally;
    assert_eq!(tally, Tally { stored: 3, unmatched: 1, ..Tally::default() });
    // Remembered outcomes are used once.
    let tally = storer.store(&batch, &parsed, &mut Vec::new()).unwrap().tally;
    assert_eq!(tally, Tally { duplicate: 4, ..Tally::default() });
}

/// A sink that counts its documents.
struct Counting(Mutex<Vec<usize>>);

impl Sink for Counting {
    fn name(&self) -> &str {
        "counting"
    }

    fn layout(&self) -> Layout {
        Encoding::Json.into()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        self.0.lock().unwrap().push(documents.len());
        outcomes.clear();
        outcomes.resize(documents.len(), Outcome::Stored);
        Ok(())
    }
}

/// A sink that fails once as a whole, like one with a full disk.
struct FailsOnce(Mutex<bool>, MemorySink);

impl Sink for FailsOnce {
    fn name(&self) -> &str {
        "fails once"
    }

    fn layout(&self) -> Layout {
        self.1.layout()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        match std::mem::replace(&mut *self.0.lock().unwrap(), false) {
            true => Err(Error::sink("fails once: no room")),
            false => self.1.store(documents, outcomes),
        }
    }
}

#[test]
fn a_batch_that_comes_back_goes_only_to_the_sinks_and_with_the_documents_that_have_not_settled() {
    let batch = batch(0, LINES);
    let id = ids(&batch);
    let (before, partly, after) =
        (Arc::new(Counting(Mutex::default())), MemorySink::new(Encoding::Bson), Arc::new(Counting(Mutex::default())));
    partly.reject(id[0], "too odd");
    partly.fail(id[3], 1, "away");
    let fails = FailsOnce(Mutex::new(true), MemorySink::new(Encoding::Json));
    let letters = LetterFolder::new();
    let storer = letters.storer(vec![
        before.clone().into(),
        Arc::new(partly).into(),
        Arc::new(fails).into(),
        after.clone().into(),
    ]);
    let mut parser = parser(Unmatched::Keep, &[Encoding::Json, Encoding::Bson]);
    let mut parsed = parser.buffer();
    parser.parse(&batch, &mut parsed).unwrap();
    for words in ["away", "no room"] {
        let error = storer.store(&batch, &parsed, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains(words), "{error}");
        // The batch was given back and is parsed again.
        parser.parse(&batch, &mut parsed).unwrap();
    }
    assert!(letters.read().is_empty(), "nothing is set aside before all sinks have answered");
    let tally = storer.store(&batch, &parsed, &mut Vec::new()).unwrap().tally;
    assert_eq!(tally, Tally { stored: 2, unmatched: 1, dead_lettered: 1, ..Tally::default() });
    assert_eq!((&before.0.lock().unwrap()[..], &after.0.lock().unwrap()[..]), (&[4][..], &[4][..]));
    assert_eq!(letters.read().len(), 1);
}

/// Returns the tags of each document of a batch whose last line is a part of a line, in JSON; checks that BSON has the
/// same.
fn tags(parser: &mut Parser, batch: &Batch) -> Vec<Vec<String>> {
    let mut parsed = parser.buffer();
    parser.parse(batch, &mut parsed).unwrap();
    let texts = |tags: Option<&serde_json::Value>| -> Vec<String> {
        tags.map_or_else(Vec::new, |tags| serde_json::from_value(tags.clone()).unwrap())
    };
    let json: Vec<Vec<String>> = (0..parsed.documents())
        .map(|index| {
            let document = parsed.encoded(&Encoding::Json.into()).get(index);
            texts(serde_json::from_slice::<serde_json::Value>(document.bytes).unwrap().get("tags"))
        })
        .collect();
    for (index, tags) in json.iter().enumerate() {
        let bson = parsed.encoded(&Encoding::Bson.into()).get(index).bytes;
        let is_partial = memchr::memmem::find(bson, b"_partial\0").is_some();
        assert_eq!(is_partial, tags.iter().any(|tag| tag == "_partial"));
    }
    json
}

#[test]
fn a_part_of_a_line_is_tagged_in_every_case_and_no_other_line_is() {
    let both = [Encoding::Json, Encoding::Bson];
    let of = |content: &str, envelope| {
        let origin = Arc::new(Origin::new(5, "x").wrapped(envelope));
        let data = Bytes::copy_from_slice(content.as_bytes());
        Batch::new(origin, 0, lines::count(&data) as u32, data).with_partial(true)
    };
    let plain = Envelope::None;
    let words = &mut parser(Unmatched::Keep, &both);
    assert_eq!(tags(words, &of("one 1\ntwo 2", plain)), [vec![], vec!["_partial"]]);
    assert_eq!(tags(words, &of("one\ntwo", plain)), [vec!["_grokparsefailure"], vec!["_grokparsefailure", "_partial"]]);
    assert_eq!(tags(words, &of("one 1\ntwo 2\n", plain).with_partial(false)), [vec![""; 0], vec![]], "as before");
    let json = of("{\"message\":\"one 1\"}\n{\"message\":\"two 2\"}", Envelope::Json);
    assert_eq!(tags(words, &json), [vec![], vec!["_partial"]]);
    let misfit = of("{\"message\":\"one 1\"}\n{\"mess", Envelope::Json);
    let misfit = tags(words, &misfit);
    assert!(misfit[0].is_empty() && misfit[1].ends_with(&["_partial".to_owned()]) && misfit[1].len() > 1, "{misfit:?}");
    let library = Library::builtin();
    let format = library.format("ndjson").unwrap();
    let formats = Arc::new(Formats::new(vec![format], library, Unmatched::Keep, |_| ()));
    let objects = &mut formats.parser(both).unwrap();
    assert_eq!(tags(objects, &of("{\"a\":1}\n{\"a\":2}", plain)), [vec![], vec!["_partial"]]);
    // After a split, the flag stays with the last line.
    let mut batch = of("one 1\ntwo 2", plain);
    let first = batch.split_first().unwrap();
    assert!(!first.partial && batch.partial);
}

#[test]
fn a_sink_of_records_gets_the_bytes_that_were_read_with_the_ids_of_their_documents() {
    let batch = batch(100, LINES);
    let id = ids(&batch);
    for with_documents in [true, false] {
        let documents = Arc::new(MemorySink::new(Encoding::Json));
        let records = Arc::new(MemorySink::new(Encoding::Json));
        records.fail(id[0], 1, "away");
        records.reject(id[1], "too odd");
        let letters = LetterFolder::new();
        let mut sinks = vec![AnySink::Records(records.clone())];
        sinks.extend(with_documents.then(|| documents.clone().into()));
        let storer = letters.storer(sinks);
        let mut parser = parser(Unmatched::Drop, &storer.layouts());
        let mut parsed = parser.buffer();
        parser.parse(&batch, &mut parsed).unwrap();
        let error = storer.store(&batch, &parsed, &mut Vec::new()).unwrap_err();
        assert!(error.to_string().contains("away"), "{error}");
        let tally = storer.store(&batch, &parsed, &mut Vec::new()).unwrap().tally;
        assert_eq!(tally, Tally { stored: 2, dead_lettered: 1, filtered: 1, ..Tally::default() });
        assert_eq!(records.all(), [(id[0], b"one 1".to_vec()), (id[3], b"four 4".to_vec())]);
        assert_eq!(documents.len(), if with_documents { 3 } else { 0 });
        assert_eq!((letters.read()[0].id, &letters.read()[0].raw[..]), (id[1], &b"two 2"[..]));
        let account = &storer.accounts()[0];
        let counts: Vec<u64> = super::SINK.iter().map(|spec| account.get(spec)).collect();
        // The sink had answered for all documents but one when the batch was given back.
        assert_eq!((account.label.as_str(), counts), ("memory:", vec![2, 0, 1, 1]));
    }
}
