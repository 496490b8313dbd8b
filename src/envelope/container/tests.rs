//! Lines of containers, and lines that only look like them.

use proptest::prelude::*;

use super::*;

const JSON: &str = r#"{"log":"a\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}"#;
const CRI: &str = "2026-01-02T03:04:05.123456789Z stdout F a";
const NS: u64 = 1_767_323_045_123_456_789;

#[test]
fn the_first_line_tells_the_envelope() {
    for (line, envelope) in [
        (JSON, Envelope::DockerJson),
        (
            r#"{"log":"a\n","stream":"stderr","attrs":{"tag":"}\"{","b":""},"time":"2026-01-02T03:04:05Z"}"#,
            Envelope::DockerJson,
        ),
        (r#"{ "time" : "2026-01-02T03:04:05+01:00", "stream":"stdout" , "log":"" } "#, Envelope::DockerJson),
        ("\u{feff}2026-01-02T03:04:05.123456789Z stdout F a", Envelope::Cri),
        (CRI, Envelope::Cri),
        ("2026-01-02T03:04:05.123456789+01:00 stderr P ", Envelope::Cri),
        ("2026-01-02T03:04:05Z stderr F:x:y a", Envelope::Cri),
        ("2026-01-02T03:04:05Z stderr F", Envelope::Cri),
        ("2026-01-02T03:04:05.123456789Z a", Envelope::DockerTime),
        ("2026-01-02T03:04:05.123456789Z", Envelope::DockerTime),
        ("web-1  | a", Envelope::Compose),
        ("web_1    | a", Envelope::Compose),
        ("web-12  |", Envelope::Compose),
        ("\u{1b}[36mweb-1  | \u{1b}[0ma", Envelope::Compose),
        ("\u{1b}[1;36mweb-1  |\u{1b}[0m a", Envelope::Compose),
    ] {
        for end in ["", "\n", "\r\n", "\nnext\n"] {
            assert_eq!(detect(format!("{line}{end}").as_bytes()), envelope, "{line:?}");
        }
    }
}

#[test]
fn other_logs_are_not_mistaken_for_those_of_containers() {
    for line in [
        "",
        "{",
        "{}",
        r#"{"log":"a\n","time":"2026-01-02T03:04:05Z"}"#,
        r#"{"log":"a\n","stream":"stdin","time":"2026-01-02T03:04:05Z"}"#,
        r#"{"log":"a\n","stream":"stdout","time":"2026-01-02 03:04:05"}"#,
        r#"{"log":"a\n","stream":"stdout","time":"2026-01-02T03:04:05Z","level":"info"}"#,
        r#"{"log":"a\n","stream":"stdout"}"#,
        r#"{"log":"a","log":"b","stream":"stdout","time":"2026-01-02T03:04:05Z"}"#,
        r#"{"log":1,"stream":"stdout","time":"2026-01-02T03:04:05Z"}"#,
        r#"{"log":"a\n","stream":"stdout","time":"2026-01-02T03:04:05Z"}, "#,
        r#"{"log":"a\n","stream":"stdout","attrs":{"a":"b","time":"2026-01-02T03:04:05Z"}"#,
        "2026-01-02T03:04:05.123456Z a",
        "2026-01-02T03:04:05.123456789+01:00 a",
        "2026-01-02 03:04:05.123456789Z a",
        "2026-13-02T03:04:05.123456789Z a",
        "2026-01-02T03:04:05.123456789Z: a",
        "2026-01-02T03:04:05.123456Z stdout a",
        "2026-01-02T03:04:05.123456Z stdin F a",
        "2026-01-02T03:04:05.123456Z stdout Fa",
        "stdout F a",
        "web-1 | a",
        "web  | a",
        "1  | 2",
        "-1  | 2",
        "web-1  a | b",
        "192.0.2.1 - - [10/Oct/2023:13:55:36 +0000] \"GET / HTTP/1.1\" 200 5",
    ] {
        assert_eq!(detect(line.as_bytes()), Envelope::None, "{line:?}");
    }
}

#[test]
fn a_line_is_divided_into_time_stream_and_text() {
    for (envelope, line, time_ns, stream, ends, text) in [
        (Envelope::DockerJson, JSON, Some(NS), Stream::Out, true, "a"),
        (
            Envelope::DockerJson,
            r#"{"log":"a\\n","stream":"stderr","time":"2026-01-02T03:04:05.123456789Z"}"#,
            Some(NS),
            Stream::Err,
            false,
            r"a\\n",
        ),
        (
            Envelope::DockerJson,
            r#"{"log":"a\\\n","time":"2026-01-02T04:04:05.123456789+01:00"}"#,
            Some(NS),
            Stream::Unknown,
            true,
            r"a\\",
        ),
        (Envelope::Cri, CRI, Some(NS), Stream::Out, true, "a"),
        (Envelope::Cri, "2026-01-02T03:04:05.123456789Z stderr P  a b ", Some(NS), Stream::Err, false, " a b "),
        (Envelope::Cri, "2026-01-02T03:04:05.123456789Z stderr F:t a b", Some(NS), Stream::Err, true, "a b"),
        (Envelope::DockerTime, "2026-01-02T03:04:05.123456789Z  a", Some(NS), Stream::Unknown, true, " a"),
        (Envelope::Compose, "web  | a | b", None, Stream::Unknown, true, "a | b"),
    ] {
        let read = part(envelope, line.as_bytes()).expect(line);
        assert_eq!((read.time_ns, read.stream, read.ends), (time_ns, stream, ends), "{line}");
        assert_eq!(String::from_utf8_lossy(read.text), text, "{line}");
    }
    assert_eq!(part(Envelope::Compose, b"\x1b[36mweb-1  | \x1b[0ma").map(|part| part.name), Some(&b"web-1"[..]));
}

#[test]
fn escapes_stand_for_their_characters_and_malformed_ones_for_nothing() {
    for (text, expected) in [
        (r#"a\"b\\c\/d\b\f\n\r\t"#, Some("a\"b\\c/d\u{8}\u{c}\n\r\t")),
        (r"\u00e9\ud83d\ude00\u0000", Some("é😀\0")),
        (r"\ud83dx\ude00", Some("\u{fffd}x\u{fffd}")),
        (r"\x", None),
        (r"\u00g0", None),
        (r"\u00", None),
        (r"\", None),
    ] {
        let mut out = Vec::new();
        assert_eq!(
            unescape(text.as_bytes(), &mut out).map(|()| String::from_utf8_lossy(&out).into_owned()),
            expected.map(str::to_owned),
            "{text}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    /// A line that dockerd writes is read from its end as from its beginning, whatever its text is.
    #[test]
    fn both_ways_to_read_json_file_agree(
        text in r#"(?s)([\\"{}:,a]|stream|stdout|time|log|\n|.){0,12}"#,
        (ends, attrs, stream, ns) in (any::<bool>(), any::<bool>(), prop_oneof![Just("stdout"), Just("stderr"), Just("other")], 0_u32..1_000_000_000),
    ) {
        let log = serde_json::to_string(&format!("{text}{}", if ends { "\n" } else { "" })).unwrap();
        let attrs = if attrs { r#""attrs":{"a":"b"},"# } else { "" };
        let line = format!(r#"{{"log":{log},"stream":"{stream}",{attrs}"time":"2026-01-02T03:04:05.{ns:09}Z"}}"#);
        let read = part(Envelope::DockerJson, line.as_bytes());
        let slow = read.map(|part| (part.time_ns.unwrap_or(0), part.stream, part.ends, part.text.len()));
        let quick = glance(Envelope::DockerJson, line.as_bytes());
        prop_assert_eq!(quick.map(|seen| (seen.time_ns, seen.stream, seen.ends, seen.length)), slow);
        prop_assert_eq!(read.is_some(), stream != "other");
        let mut out = Vec::new();
        if let Some(read) = read {
            unescape(read.text, &mut out).unwrap();
            let mut buffer = Vec::new();
            let seen = text_beginning(Envelope::DockerJson, line.as_bytes(), 8, &mut buffer);
            prop_assert_eq!(seen, &out[..out.len().min(8)]);
            prop_assert_eq!(String::from_utf8(out).unwrap(), text.strip_suffix('\n').filter(|_| !ends).unwrap_or(&text));
        }
    }

    /// Hostile bytes are read or refused.
    #[test]
    fn no_bytes_stop_the_readers(
        bytes in prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(&b"{}\"\\:,log|P F-1\x1b[m"[..])], 0..60),
        cut in 0_usize..90,
    ) {
        for line in [&bytes[..], &[&JSON.as_bytes()[..cut.min(JSON.len())], &bytes].concat(), &[&CRI.as_bytes()[..cut.min(CRI.len())], &bytes].concat()] {
            detect(line);
            for envelope in Envelope::ALL {
                let read = part(envelope, line);
                glance(envelope, line);
                if let Some(part) = read {
                    let _ = unescape(part.text, &mut Vec::new());
                }
            }
        }
    }
}
