use proptest::prelude::*;

use super::*;
use crate::core::batch::Origin;
use crate::core::envelope::Envelope;
use crate::document::{DocumentId, date};

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
fn letters_are_appended_after_a_torn_one_is_cut_off() {
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
fn a_line_that_is_not_a_letter_is_named_and_the_others_are_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("dead.ndjson");
    DeadLetters::new(&path).write(&[letter(&origin(), b"x", 1)]).unwrap();
    let good = std::fs::read_to_string(&path).unwrap();
    let neither = good.replace("\"raw\"", "\"other\"");
    std::fs::write(&path, [&good, "nonsense\n", &neither, &good].concat()).unwrap();
    let results: Vec<_> = read(&path).unwrap().collect();
    assert!(results[0].is_ok() && results[3].is_ok() && results.len() == 4);
    assert!(results[1].as_ref().unwrap_err().to_string().contains("dead.ndjson: line 2 is not a dead letter"));
    assert!(results[2].as_ref().unwrap_err().to_string().contains("exactly one of raw and raw_base64"));
    assert!(read(&folder.path().join("none")).is_err());
}

proptest! {
    #[test]
    fn a_written_letter_is_read_back(
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
