//! Tests of opened envelopes: the message, the outer fields, and the document made of both.

mod containers;
mod syslog_variants;

use std::sync::Arc;

use bytes::Bytes;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::core::batch::{Batch, Ids, Origin};
use crate::core::lines;
use crate::core::record::{IdRule, Key, RecordId};
use crate::grok::{Format, Library};
use crate::sink::Encoding;
use crate::worker::parser::{Fate, Formats as Rules, Parsed, Unmatched};

/// Returns the documents of `text` without their ids, and what became of each line.
fn parse(envelope: Envelope, ecs: bool, patterns: &[&str], unmatched: Unmatched, text: &[u8]) -> (Vec<Value>, Parsed) {
    let library = if ecs { Library::builtin_ecs() } else { Library::builtin() };
    let format = |text: &&str| match library.format(text) {
        Ok(format) => format,
        Err(_) => library.pattern(text).unwrap(),
    };
    let formats: Vec<Format> = patterns.iter().map(format).collect();
    let mut parser = Arc::new(Rules::new(formats, library, unmatched, |said| panic!("nothing may be said: {said}")))
        .parser([Encoding::Json, Encoding::Bson])
        .unwrap();
    let mut parsed = parser.buffer();
    let data = Bytes::copy_from_slice(text);
    let origin = Origin::new(1, "x").wrapped(envelope);
    let batch = Batch::new(Arc::new(origin), 0, lines::count(&data) as u32, data);
    parser.parse(&batch, &mut parsed).unwrap();
    let documents = parsed.encoded(&Encoding::Json.into()).iter().map(|document| {
        let mut read: Map<String, Value> = serde_json::from_slice(document.bytes).unwrap();
        let names = count_names(document.bytes);
        assert_eq!(names, read.values().map(count).sum::<usize>() + read.len(), "no name occurs twice");
        assert!(read.remove("_id").is_some());
        Value::Object(read)
    });
    (documents.collect(), parsed)
}

/// Counts the members of an object and of all objects within it.
fn count(value: &Value) -> usize {
    match value {
        Value::Object(members) => members.len() + members.values().map(count).sum::<usize>(),
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

/// Counts the members as they are written, by the colons outside of strings.
fn count_names(json: &[u8]) -> usize {
    let (mut inside, mut escaped, mut names) = (false, false, 0);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => inside = !inside,
            b':' if !inside => names += 1,
            _ => {}
        }
    }
    names
}

fn one(envelope: Envelope, ecs: bool, patterns: &[&str], line: &str) -> Value {
    let (mut documents, _) = parse(envelope, ecs, patterns, Unmatched::Keep, line.as_bytes());
    assert_eq!(documents.len(), 1);
    documents.remove(0)
}

fn syslog(line: &str) -> Value {
    one(Envelope::Syslog, false, &[], line)
}

/// Returns the fields of the priority and `more`.
fn with_priority(priority: u16, facility: &str, severity: &str, more: Value) -> Value {
    let mut all = json!({"priority": priority, "facility": priority / 8, "facility_label": facility,
        "severity": priority % 8, "severity_label": severity});
    all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    all
}

#[test]
fn rfc_5424_gives_its_header_its_data_and_its_message() {
    let line = r#"<165>1 2024-02-03T04:05:06.789Z web1.example.com shop 4711 ORDER [order@32473 id="77" note="a \"b\" \] c\n"][trace@32473] accepted"#;
    assert_eq!(
        syslog(line),
        with_priority(
            165,
            "local4",
            "Notice",
            json!({"@timestamp": "2024-02-03T04:05:06.789Z", "version": 1, "logsource": "web1.example.com", "program": "shop",
                "pid": 4711, "msgid": "ORDER", "structured_data": {"order@32473": {"id": "77", "note": "a \"b\" ] c\\n"},
                "trace@32473": {}}, "timestamp": "2024-02-03T04:05:06.789Z", "message": "accepted"})
        )
    );
    let ecs = one(Envelope::Syslog, true, &[], &line.replace("4711", "q-7"));
    let labelled = |code: i64, name: &str| json!({"code": code, "name": name});
    assert_eq!(
        ecs,
        json!({"@timestamp": "2024-02-03T04:05:06.789Z", "log": {"syslog": {"priority": 165, "facility": labelled(20, "local4"),
            "severity": labelled(5, "Notice"), "version": "1", "procid": "q-7", "msgid": "ORDER",
            "structured_data": {"order@32473": {"id": "77", "note": "a \"b\" ] c\\n"}, "trace@32473": {}}}},
            "host": {"hostname": "web1.example.com"}, "process": {"name": "shop"},
            "timestamp": "2024-02-03T04:05:06.789Z", "message": "accepted"})
    );
    assert_eq!(
        syslog("<13>1 - - - - - -"),
        with_priority(13, "user-level", "Notice", json!({"version": 1, "message": ""}))
    );
    let marked = syslog("<13>1 - - - - - - \u{FEFF}grüße");
    assert_eq!(marked["message"], "grüße", "a byte order mark is dropped");
    let data = "<13>1 - h a - - x - no data";
    assert_eq!(syslog(data)["message"], "x - no data", "a text that is not data belongs to the message");
}

#[test]
fn data_may_have_repeated_names_and_names_that_stores_refuse() {
    let line = r#"<13>1 - - - - - [a ip="1" ip="2" b.c="3" b_c="4"][$x n=""][a z="5" ip="6"] m"#;
    assert_eq!(
        syslog(line)["structured_data"],
        json!({"a": {"ip": ["1", "2", "6"], "b.c": "3", "b_c": "4", "z": "5"}, "$x": {"n": ""}})
    );
    let much = format!("<13>1 - - - - - [a {}] m", vec!["b=\"1\""; 200].join(" "));
    assert!(syslog(&much)["message"].as_str().unwrap().starts_with("[a b="));
}

/// MongoDB does not accept all names of outer fields.
#[cfg(feature = "mongodb")]
#[test]
fn outer_names_that_mongodb_refuses_are_renamed_there_and_no_value_is_lost() {
    use mongodb::bson::{Document, doc};
    let bson = |envelope, line: &str| {
        let (_, parsed) = parse(envelope, false, &["%{WORD:a_b} %{WORD:w}"], Unmatched::Keep, line.as_bytes());
        let bytes = parsed.encoded(&Encoding::Bson.into()).get(0).bytes;
        let mut document = Document::from_reader(bytes).unwrap();
        document.remove("_id");
        document
    };
    let document = bson(Envelope::Syslog, r#"<13>1 - - - - - [$x b.c="3" b_c="4"][_x n="5"] m"#);
    let data = doc! {"_x": [{"b_c": ["3", "4"]}, {"n": "5"}]};
    assert_eq!(document.get_document("structured_data").ok(), Some(&data));
    let tags = doc! {"tags": ["_grokparsefailure", "_duplicate_field:_x", "_duplicate_field:b_c"]};
    assert_eq!(document.get("tags"), tags.get("tags"));
    let document = bson(Envelope::Json, r#"{"message":"m n","x.y":1,"x_y":2,"a.b":"around"}"#);
    // The value of the message counts, as always.
    assert_eq!(document, doc! {"x_y": [1_i64, 2_i64], "a_b": "m", "w": "n", "tags": ["_duplicate_field:x_y"]});
}

#[test]
fn a_repeated_message_is_a_field_and_nothing_is_lost() {
    let document = one(Envelope::Json, false, &[], r#"{"message":"a","n":1,"message":"b"}"#);
    assert_eq!(document, json!({"message": ["a", "b"], "n": 1, "tags": ["_duplicate_field:message"]}));
}

#[test]
fn rfc_3164_is_read_as_senders_write_it() {
    let parts = |line: &str| {
        let document = syslog(line);
        ["logsource", "program", "pid", "message"].map(|name| match &document[name] {
            Value::Null => String::new(),
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
    };
    for (line, expected) in [
        ("<30>Feb  3 04:05:06 gate sshd[812]: opened", ["gate", "sshd", "812", "opened"]),
        ("<30>Feb 3 04:05:06 gate sshd[812]:opened", ["gate", "sshd", "812", "opened"]),
        ("<30>2024-02-03T04:05:06.123456+01:00 gate su(pam)[9]: x: y", ["gate", "su(pam)", "9", "x: y"]),
        ("<30>Feb  3 04:05:06 gate last message repeated 3 times", ["gate", "", "", "last message repeated 3 times"]),
        // The program logger on a local socket.
        ("<30>Feb  3 04:05:06 sshd[812]: opened", ["", "sshd", "812", "opened"]),
        ("<30>Feb  3 04:05:06 sshd:", ["", "sshd", "", ""]),
        ("<30>Feb  3 04:05:06 fe80::1 sshd: opened", ["fe80::1", "sshd", "", "opened"]),
        // Messages of Cisco devices.
        ("<189>123: *Mar  1 18:48:50: %SYS-5-CONFIG_I: by x", ["", "%SYS-5-CONFIG_I", "", "by x"]),
        ("<166>Feb 03 2024 04:05:06: %ASA-6-302013: built", ["", "%ASA-6-302013", "", "built"]),
        ("<166>Feb 03 2024 04:05:06 fw : %ASA-6-302013: built", ["fw", "%ASA-6-302013", "", "built"]),
        ("<30>nothing of a header", ["", "", "", "nothing of a header"]),
        ("<34>1 yesterday host app - - - hello", ["", "", "", "1 yesterday host app - - - hello"]),
        ("<34>Feb 30 04:05:06 host app: hello", ["", "", "", "Feb 30 04:05:06 host app: hello"]),
        ("<34>Feb 28", ["", "", "", "Feb 28"]),
        ("<34>", ["", "", "", ""]),
    ] {
        assert_eq!(parts(line), expected.map(String::from), "{line}");
    }
    let worker = syslog("<30>Feb  3 04:05:06 gate app[web.1]: up");
    assert_eq!((&worker["procid"], worker.get("pid")), (&json!("web.1"), None), "a process that is not a number");
    assert_eq!(syslog("<999>x")["facility"], 124);
    assert_eq!(syslog("<999>x").get("facility_label"), None);
}

#[test]
fn a_time_without_a_year_gets_the_latest_year_that_is_at_most_a_day_ahead() {
    let mut opener = Opener::new(false).unwrap();
    let ms = |text: &str| Formats::new(&["ISO8601"]).unwrap().read(text.as_bytes(), 0).unwrap().date.ms();
    for (now, time, expected) in [
        ("2025-01-01T00:00:10Z", "Dec 31 23:59:59", "2024-12-31T23:59:59.000Z"),
        ("2024-12-31T23:59:50Z", "Jan  1 00:00:10", "2025-01-01T00:00:10.000Z"),
        ("2024-12-31T23:59:50Z", "Jan  1 23:59:50", "2025-01-01T23:59:50.000Z"),
        ("2024-12-31T23:59:50Z", "Jan  1 23:59:51", "2024-01-01T23:59:51.000Z"),
        ("2025-01-01T00:00:10Z", "Jan  2 00:00:10", "2025-01-02T00:00:10.000Z"),
        ("2024-12-30T00:00:00Z", "Jan  3 00:00:00.5", "2024-01-03T00:00:00.500Z"),
        ("2005-06-01T00:00:00Z", "Jul  1 00:00:00", "2004-07-01T00:00:00.000Z"),
        ("2024-07-01T00:00:00Z", "Feb  3 04:05:06", "2024-02-03T04:05:06.000Z"),
    ] {
        let line = format!("<1>{time} h a: m");
        let header = syslog::read(line.as_bytes(), &mut opener.bsd_dates, &mut opener.dates, ms(now)).unwrap();
        assert_eq!(header.date.unwrap().date.to_text(), expected, "{time} at {now}");
    }
}

/// The ids of a batch whose rule is that of times, and the keys that they were made from.
fn timed(envelope: Envelope, lines: &[&str]) -> Vec<(RecordId, Key)> {
    let origin = Origin::new(1, "x").wrapped(envelope).ruled(IdRule::Time);
    let data: String = lines.iter().map(|line| format!("{line}\n")).collect();
    let batch = Batch::new(Arc::new(origin), 0, lines.len() as u32, data.into()).identified(Ids::Times);
    Identifier::new().unwrap().records(&batch).into_iter().map(|record| (record.id, record.key)).collect()
}

#[test]
fn ids_made_from_times_depend_on_time_stream_ordinal_and_message_and_not_on_the_rest_of_the_envelope() {
    let line = |time: &str, stream: &str, message: &str, more: &str| {
        format!(r#"{{"@timestamp":"{time}","stream":"{stream}","message":"{message}"{more}}}"#)
    };
    let time = "2024-02-03T04:05:06.123456789Z";
    let lines = [
        line(time, "out", "a", ""),
        line(time, "out", "a", ""),
        line(time, "err", "a", ""),
        line("2024-02-03T04:05:06.123456788Z", "out", "a", ""),
        line(time, "out", "b", ""),
    ];
    let texts: Vec<&str> = lines.iter().map(String::as_str).collect();
    let ids = timed(Envelope::Json, &texts);
    let ns = 1_706_933_106_123_456_789;
    let keys: Vec<Key> = ids.iter().map(|(_, key)| *key).collect();
    assert_eq!(keys, [(ns, 0), (ns, 1), (ns, 0), (ns - 1, 0), (ns, 0)].map(|(ns, ordinal)| Key::Time { ns, ordinal }));
    let different: std::collections::HashSet<RecordId> = ids.iter().map(|(id, _)| *id).collect();
    assert_eq!(different.len(), lines.len());
    // Another envelope of the same record gives the same id.
    let other = timed(Envelope::Json, &[&line("2024-02-03T05:05:06.123456789+01:00", "out", "a", r#","attrs":{}"#)]);
    assert_eq!(other[0], ids[0]);
    // Syslog has a time and no stream; a plain line has no time either.
    let [(_, key)] = timed(Envelope::Syslog, &["<30>1 2024-02-03T04:05:06.123456Z h a - - - m"])[..] else { panic!() };
    assert_eq!(key, Key::Time { ns: ns - 789, ordinal: 0 });
    let keys: Vec<Key> = timed(Envelope::None, &["m", "m"]).into_iter().map(|(_, key)| key).collect();
    assert_eq!(keys, [0, 1].map(|ordinal| Key::Time { ns: 0, ordinal }));
}

#[test]
fn patterns_match_the_message_and_its_own_time_counts() {
    let line = r#"<190>Feb  3 04:05:06 web1 nginx: 192.0.2.1 - - [10/Oct/2023:13:55:36 +0000] "GET / HTTP/1.1" 200 5 "-" "curl""#;
    let document = one(Envelope::Syslog, false, &["combined"], line);
    assert_eq!(document["@timestamp"], "2023-10-10T13:55:36.000Z");
    assert_eq!((&document["clientip"], &document["logsource"]), (&json!("192.0.2.1"), &json!("web1")));
    assert_eq!(document["timestamp"], "10/Oct/2023:13:55:36 +0000", "the field of the message counts");
    assert_eq!(document.get("message"), None);
    // If the field of the pattern has no value, that of the envelope stays.
    let line = "<190>2024-02-03T04:05:06Z web1 app: text";
    let document = one(Envelope::Syslog, false, &["^(?<program>[0-9]*)%{WORD:word}"], line);
    assert_eq!((&document["program"], &document["word"]), (&json!("app"), &json!("text")));
    assert_eq!(document["@timestamp"], "2024-02-03T04:05:06.000Z");
    // Objects are merged.
    let pattern = "^%{WORD:[log][level]} %{WORD:[host][name]} %{WORD:[process]}";
    let document = one(Envelope::Syslog, true, &[pattern], "<190>2024-02-03T04:05:06Z web1 app: info n p");
    assert_eq!((&document["log"]["level"], &document["log"]["syslog"]["priority"]), (&json!("info"), &json!(190)));
    assert_eq!(document["host"], json!({"hostname": "web1", "name": "n"}));
    assert_eq!(document["process"], "p", "a value in the place of an object");
    // JSON in the message is merged as well.
    let line = r#"<190>1 2024-02-03T04:05:06Z web1 app - - - {"log":{"level":"info","syslog":{"priority":7}},"host":1,"x":[{}]}"#;
    let document = one(Envelope::Syslog, true, &["ndjson"], line);
    assert_eq!((&document["log"]["level"], &document["log"]["syslog"]["priority"]), (&json!("info"), &json!(7)));
    assert_eq!(document["log"]["syslog"]["version"], "1");
    assert_eq!(
        (&document["host"], &document["x"], &document["process"]["name"]),
        (&json!(1), &json!([{}]), &json!("app"))
    );
    assert_eq!(document["@timestamp"], "2024-02-03T04:05:06.000Z");
}

#[test]
fn messages_that_match_nothing_keep_their_fields() {
    let text = b"<13>Feb  3 04:05:06 h a: one\nno priority\n<13>Feb  3 04:05:06 h a: 22\n";
    let (documents, parsed) = parse(Envelope::Syslog, false, &["^%{INT:n:int}$"], Unmatched::Keep, text);
    assert_eq!(parsed.fates(), [Fate::Unmatched, Fate::Unmatched, Fate::Matched]);
    assert_eq!((&documents[0]["message"], &documents[0]["program"]), (&json!("one"), &json!("a")));
    assert_eq!(documents[0]["tags"], json!(["_grokparsefailure"]));
    assert_eq!(
        documents[1],
        json!({"message": "no priority", "tags": ["_grokparsefailure_sysloginput", "_grokparsefailure"]})
    );
    assert_eq!((&documents[2]["n"], documents[2].get("tags")), (&json!(22), None));
    // Without a pattern, only a line without the envelope is unmatched.
    let (documents, parsed) = parse(Envelope::Syslog, false, &[], Unmatched::Keep, text);
    assert_eq!(parsed.fates(), [Fate::Matched, Fate::Unmatched, Fate::Matched]);
    assert_eq!(documents[1], json!({"message": "no priority", "tags": ["_grokparsefailure_sysloginput"]}));
    let (documents, parsed) = parse(Envelope::Syslog, false, &[], Unmatched::DeadLetter, text);
    assert_eq!((documents.len(), parsed.letters.len()), (2, 1));
    assert!(parsed.letters[0].detail.contains("neither with a priority"));
    let (documents, _) = parse(Envelope::Syslog, false, &[], Unmatched::Drop, text);
    assert_eq!(documents.len(), 2);
    // A pattern may match a line without the envelope.
    let document = one(Envelope::Syslog, false, &["^no %{WORD:w}"], "no priority");
    assert_eq!(document, json!({"w": "priority", "message": "no priority", "tags": ["_grokparsefailure_sysloginput"]}));
}

#[test]
fn json_gives_its_members_with_their_types_and_its_message() {
    let json = |patterns: &[&str], line: &str| one(Envelope::Json, false, patterns, line);
    let line = r#"{"message":"GET \"x\" 5","type":"access","@pid":17,"a.b":{"$c":[1,null]},"tags":["t"]}"#;
    let outer = json!({"type": "access", "@pid": 17, "a.b": {"$c": [1, null]}, "tags_": ["t"]});
    let with = |more: Value| {
        let mut all = outer.clone();
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    assert_eq!(json(&[], line), with(json!({"message": "GET \"x\" 5"})));
    assert_eq!(
        json(&[r#"^%{WORD:verb} "(?<rest>.*)" %{INT:n:int}$"#], line),
        with(json!({"verb": "GET", "rest": "x", "n": 5}))
    );
    assert_eq!(json(&["^%{WORD:type} "], line)["type"], "GET", "the field of the message counts");
    assert_eq!(json(&["^zebra"], line), with(json!({"message": "GET \"x\" 5", "tags": ["_grokparsefailure"]})));
    let twice = json!({"message": "{not", "x": [1, 2], "tags": ["_duplicate_field:x"]});
    assert_eq!(json(&[], r#"{"message":"{not","x":1,"x":2}"#), twice);
    assert_eq!(
        json(&[], r#"{"@timestamp":"2024-02-03T04:05:06Z","message":"m"}"#),
        json!({"@timestamp": "2024-02-03T04:05:06.000Z", "message": "m"})
    );
    assert_eq!(json(&[], r#"{"@timestamp":"soon","message":5}"#), json!({"@timestamp_": "soon", "message": "5"}));
    assert_eq!(json(&[], r#"{"message":{"a":1}}"#), json!({"message": {"a": 1}}));
    assert_eq!(json(&[], "{}"), json!({"message": ""}));
    for wrong in ["", "{", "[]", "5", "{\"message\":\"x\"", "<13>x"] {
        assert_eq!(
            json(&[], &format!("{wrong}\n")),
            json!({"message": wrong, "tags": ["_jsonparsefailure"]}),
            "{wrong}"
        );
    }
    // JSON in a JSON envelope.
    let document = json(
        &["ndjson"],
        r#"{"type":"app","at":{"x":1},"message":"{\"level\":\"info\",\"at\":{\"y\":2},\"type\":3}"}"#,
    );
    assert_eq!(document, json!({"type": 3, "at": {"x": 1, "y": 2}, "level": "info"}));
}

#[test]
fn invalid_utf_8_is_replaced_and_tagged() {
    let (documents, _) = parse(Envelope::Syslog, false, &[], Unmatched::Keep, b"<13>Feb  3 04:05:06 h a: \xff\n");
    assert_eq!((&documents[0]["message"], &documents[0]["tags"]), (&json!("\u{FFFD}"), &json!(["_invalid_utf8"])));
    let (documents, _) =
        parse(Envelope::Json, false, &["^(?<all>.*)$"], Unmatched::Keep, b"{\"t\":\"\xff\",\"message\":\"m\"}\n");
    assert_eq!(documents[0], json!({"t": "\u{FFFD}", "all": "m", "tags": ["_invalid_utf8"]}));
    let data = b"<13>1 - - - - - [a b=\"\xfe\"] x\n";
    let (documents, _) = parse(Envelope::Syslog, false, &[], Unmatched::Keep, data);
    assert_eq!(documents[0]["structured_data"], json!({"a": {"b": "\u{FFFD}"}}));
}

#[test]
fn envelopes_have_numbers_that_are_read_back() {
    for envelope in Envelope::ALL {
        assert_eq!(Envelope::of_code(envelope.code()), Some(envelope));
    }
    assert_eq!(Envelope::of_code(8), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A line has the same fields from the network, in a file whose format is named, and in one whose format is detected.
    #[test]
    fn a_line_has_the_same_fields_by_file_and_by_network(
        priority in prop_oneof![Just(String::new()), "<[0-9]{1,3}>"],
        time in prop_oneof![
            Just("Feb  3 04:05:06"), Just("Feb  3 2024 04:05:06.789"), Just("2024-02-03T04:05:06.789Z"),
            Just("2024-02-03T04:05:06+01:00"), Just("12: *Feb  3 04:05:06.789 UTC:"), Just("x"), Just("-"),
        ],
        host in "[a-z0-9.]{1,8}",
        tag in prop_oneof!["[a-z/()]{1,6}: ", "[a-z]{1,6}\\[[0-9]{1,5}\\]: ?", "%[A-Z]{2,4}-[0-7]-[A-Z]{2}: ", Just(String::new())],
        message in "[ -~é]{0,20}",
        new in any::<bool>(),
        header in "(-|[a-z]{1,5}) (-|[1-9][0-9]{0,3}) (-|[A-Z]{1,4}) -",
        ecs in any::<bool>(),
    ) {
        let line = match new {
            true => format!("{priority}1 {} {host} {header} {message}", time.replace(' ', "_")),
            false => format!("{priority}{time} {host} {tag}{message}"),
        };
        let network = one(Envelope::Syslog, ecs, &[], &line);
        for format in ["syslog", "rfc5424"] {
            prop_assert_eq!(&one(Envelope::None, ecs, &[format], &line), &network, "{}", &line);
            prop_assert_eq!(&one(Envelope::Syslog, ecs, &[format], &line), &network, "{}", &line);
        }
    }

    #[test]
    fn any_bytes_are_opened_as_one_document(
        line in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            r#"<[0-9]{1,3}>(1 |Feb  3 04:05:06 |- |\[a |b="c"|\]|\\|a: |:|\[1\]: |é|\$){0,12}"#.prop_map(String::into_bytes),
            r#"\{("message":|"a":|"@timestamp":|"x"|,|1|\{|\}|\\u00e9){0,9}\}"#.prop_map(String::into_bytes),
        ],
        ecs in any::<bool>(),
    ) {
        let text: Vec<u8> = line.iter().copied().filter(|&byte| byte != b'\n').chain([b'\n']).collect();
        for envelope in [Envelope::None, Envelope::Json, Envelope::Syslog] {
            for pattern in [&[][..], &["(?<message>.*)"], &["ndjson"], &["%{INT:[log][a]}"]] {
                if envelope.is_none() && pattern.is_empty() { continue; }
                let (documents, _) = parse(envelope, ecs, pattern, Unmatched::Keep, &text);
                prop_assert_eq!(documents.len(), 1);
            }
        }
    }
}
