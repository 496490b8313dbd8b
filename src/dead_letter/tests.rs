use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::core::calendar::write_iso;
use crate::core::context::{Context, Origin};
use crate::core::envelope::Envelope;
use crate::core::record::{Key, RecordId};

/// 2015-05-17T10:05:03.000Z.
const TIME: i64 = 1_431_857_103_000;

fn letter<'a>(context: &'a Context, raw: &'a [u8], length: u64) -> Letter<'a> {
    Letter {
        id: RecordId::at(context.origin.id, 12, raw),
        context,
        offset: 12,
        key: Key::Offset(12),
        reason: Reason::TooLong,
        detail: "longer than 4 bytes",
        pattern: None,
        explain: None,
        raw,
        length,
        line: None,
        partial: false,
        multiline_cut: false,
    }
}

fn context() -> Context {
    Context::new(Arc::new(Origin::new(0xff, "access.log"))).at(TIME - 1)
}

#[test]
fn no_file_appears_before_the_first_letter() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.ndjson");
    let letters = DeadLetters::new(&path);
    letters.write(&[]).unwrap();
    assert!(!path.exists());
    assert_eq!(letters.path(), path);
    letters.write(&[letter(&context(), b"x", 1)]).unwrap();
    assert!(path.exists());
}

#[test]
fn a_letter_is_written_as_documented() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.ndjson");
    let (context, letters) = (context(), DeadLetters::new(&path));
    letters.write(&[letter(&context, b"a \"b\"", 100)]).unwrap();
    let other = Letter { reason: Reason::Limit, pattern: Some("COMBINED"), ..letter(&context, b"\xff", 1) };
    letters.write(&[other]).unwrap();
    let start = "{\"_id\":\"00000000000000ff00000000000c";
    let expected = [
        format!(
            "{start}{}\",\"origin\":{{\"id\":\"00000000000000ff\",\"name\":\"access.log\"}},\"offset\":12,\
             \"time\":\"TIME\",\"read_at\":\"2015-05-17T10:05:02.999Z\",\"reason\":\"too_long\",\"detail\":\"longer than 4 bytes\",\
             \"raw\":\"a \\\"b\\\"\",\"length\":100,\"truncated\":true}}\n",
            &letter(&context, b"a \"b\"", 1).id.to_string()[28..]
        ),
        format!(
            "{start}{}\",\"origin\":{{\"id\":\"00000000000000ff\",\"name\":\"access.log\"}},\"offset\":12,\
             \"time\":\"TIME\",\"read_at\":\"2015-05-17T10:05:02.999Z\",\"reason\":\"limit\",\"detail\":\"longer than 4 bytes\",\
             \"pattern\":\"COMBINED\",\"raw_base64\":\"/w==\",\"length\":1}}\n",
            &other.id.to_string()[28..]
        ),
    ];
    let written = std::fs::read_to_string(&path).unwrap();
    let times: Vec<String> = read(&path).unwrap().map(|letter| letter.unwrap().time).collect();
    let expected: Vec<String> =
        expected.iter().zip(times).map(|(expected, time)| expected.replace("TIME", &time)).collect();
    assert_eq!(written, expected.concat());
}

/// A letter as version 0.1.0 wrote it.
#[test]
fn a_letter_of_the_first_version_is_read_with_the_time_at_which_it_was_given_up() {
    let line = br#"{"_id":"00000000000000ff00000000000c9f2e8b3c2a7d1e00","origin":{"id":"00000000000000ff","name":"a.log",
        "envelope":"syslog"},"offset":12,"time":"2015-05-17T10:05:03.000Z","reason":"unmatched","detail":"x","raw":"a","length":1}"#;
    let letter = DeadLetter::read(line, "x", 1).unwrap();
    let origin = Origin::new(0xff, "a.log").wrapped(Envelope::Syslog);
    assert_eq!(letter.context, Context::new(Arc::new(origin)).at(TIME));
    assert_eq!(letter.key, Key::Offset(12));
}

#[test]
fn letters_are_appended_after_a_torn_one_is_cut_off() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.ndjson");
    let context = context();
    DeadLetters::new(&path).write(&[letter(&context, b"first", 5)]).unwrap();
    let torn = std::fs::read(&path).unwrap();
    std::fs::write(&path, [&torn[..], &torn[..torn.len() / 2]].concat()).unwrap();
    DeadLetters::new(&path).write(&[letter(&context, b"second", 6)]).unwrap();
    let lines: Vec<_> = read(&path).unwrap().map(|letter| letter.unwrap().raw).collect();
    assert_eq!(lines, [b"first".to_vec(), b"second".to_vec()]);
}

#[test]
fn many_threads_write_whole_letters() {
    let folder = tempfile::tempdir().unwrap();
    let letters = DeadLetters::new(folder.path().join("dead.ndjson"));
    let context = context();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..10).for_each(|_| letters.write(&[letter(&context, b"x", 1); 3]).unwrap()));
        }
    });
    assert_eq!(read(letters.path()).unwrap().filter(|letter| letter.is_ok()).count(), 240);
}

#[test]
fn a_full_disk_is_an_error() {
    let error = DeadLetters::new("/dev/full").write(&[letter(&context(), b"x", 1)]).unwrap_err();
    assert!(error.to_string().contains("dead letters /dev/full"), "{error}");
}

#[test]
fn a_line_that_is_not_a_letter_is_named_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.ndjson");
    DeadLetters::new(&path).write(&[letter(&context(), b"x", 1)]).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    let neither = good.replace("\"raw\"", "\"other\"");
    std::fs::write(&path, [&good, "nonsense\n", &neither, &good].concat()).unwrap();
    let results: Vec<_> = read(&path).unwrap().collect();
    assert!(results[0].is_ok() && results[3].is_ok() && results.len() == 4);
    assert!(results[1].as_ref().unwrap_err().to_string().contains("dead.ndjson: line 2 is not a dead letter"));
    assert!(results[2].as_ref().unwrap_err().to_string().contains("exactly one of raw and raw_base64"));
    assert!(read(&folder.path().join("none")).is_err());
}

fn text() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(".{0,20}")
}

fn context_and_key() -> impl Strategy<Value = (Context, Key)> {
    let texts = (".{0,20}", text(), text(), text(), text(), text(), text());
    let key = prop_oneof![
        any::<u64>().prop_map(Key::Offset),
        any::<u64>().prop_map(Key::Number),
        any::<(u64, u32)>().prop_map(|(ns, ordinal)| Key::Time { ns, ordinal }),
        any::<[u8; RecordId::BYTES]>().prop_map(|id| Key::Given(RecordId::from_bytes(id))),
    ];
    (any::<u64>(), texts, any::<bool>(), 0_i64..253_402_300_800_000, key).prop_map(
        |(id, (name, path, host, compression, encoding, header, field), plain, time_ms, key)| {
            let (envelope, rule) = (if plain { Envelope::None } else { Envelope::Syslog }, key.rule());
            let fields = field.into_iter().map(|field| (field.clone(), serde_json::Value::from(field))).collect();
            let origin = Origin { path, host, compression, encoding, envelope, rule, ..Origin::new(id, name) };
            let origin = origin.with_fields(&fields);
            let header = header.map(|header| Arc::from(header.into_bytes()));
            (Context { origin: Arc::new(origin), header, time_ms }, key)
        },
    )
}

proptest! {
    #[test]
    fn a_written_letter_is_read_back(
        raw in proptest::collection::vec(any::<u8>(), 0..50),
        (text, detail, pattern) in any::<(String, String, Option<String>)>(),
        (plain, partial, multiline_cut, cut, offset) in any::<(bool, bool, bool, u64, u64)>(),
        (context, key) in context_and_key(),
        time_ms in 0_i64..253_402_300_800_000,
    ) {
        let raw = if plain { text.into_bytes() } else { raw };
        let offset = if let Key::Offset(offset) = key { offset } else { offset };
        let length = (raw.len() as u64).saturating_add(if plain { 0 } else { cut });
        let written = Letter {
            id: key.id(context.origin.id, 77),
            offset, key, length, partial, multiline_cut, line: plain.then_some(cut), reason: Reason::Rejected, detail: &detail, pattern: pattern.as_deref(),
            ..letter(&context, &raw, 0)
        };
        let mut line = Vec::new();
        written.write(time_ms, &mut line).unwrap();
        prop_assert_eq!(memchr::memchr(b'\n', &line), Some(line.len() - 1));
        let Ok(read) = DeadLetter::parse(&line) else { panic!("it reads") };
        prop_assert_eq!(read, DeadLetter {
            id: written.id,
            line: plain.then_some(cut),
            key,
            partial,
            multiline_cut,
            truncated: length > raw.len() as u64,
            time: String::from_utf8(write_iso(time_ms).to_vec()).unwrap(),
            reason: Reason::Rejected,
            explain: None,
            context: context.clone(), offset, detail: detail.clone(), pattern: pattern.clone(), raw: raw.clone(), length,
        });
    }
}
