//! Headers that are not those of the standards, lines without a priority, and syslog within other envelopes.

use super::*;

/// Returns the header's fields of `line` without those of the priority.
fn fields(line: &str) -> Value {
    let mut document = syslog(line);
    let members = document.as_object_mut().unwrap();
    for name in ["priority", "facility", "facility_label", "severity", "severity_label"] {
        members.remove(name);
    }
    document
}

#[test]
fn headers_of_cisco_and_other_variants_give_host_time_and_tag() {
    for (line, expected) in [
        (
            "<180>782431: machine1: .Nov 18 21:03:22.631 GMT: %CDP-4-NATIVE: mismatch on Ten1/1.",
            json!({"sequence": 782431, "logsource": "machine1", "timestamp": ".Nov 18 21:03:22.631 GMT",
                "program": "%CDP-4-NATIVE", "message": "mismatch on Ten1/1.", "@timestamp": "1969-11-18T21:03:22.631Z"}),
        ),
        (
            "<189>123: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: Configured from console",
            json!({"sequence": 123, "timestamp": "*Mar  1 18:48:50.483 UTC", "program": "%SYS-5-CONFIG_I",
                "message": "Configured from console", "@timestamp": "1969-03-01T18:48:50.483Z"}),
        ),
        (
            "<165>2029: asr: Aug 3 08:11:02.204: %LINEPROTO-5-UPDOWN: up",
            json!({"sequence": 2029, "logsource": "asr", "timestamp": "Aug 3 08:11:02.204", "program": "%LINEPROTO-5-UPDOWN",
                "message": "up", "@timestamp": "1969-08-03T08:11:02.204Z"}),
        ),
        (
            "<164>Nov 19 2014 17:27:56: %ASA-4-733100: drop rate",
            json!({"timestamp": "Nov 19 2014 17:27:56", "program": "%ASA-4-733100", "message": "drop rate",
                "@timestamp": "2014-11-19T17:27:56.000Z"}),
        ),
        (
            "<164>Nov 19 2014 17:30:36 asa.sfo : %ASA-4-733100: drop rate",
            json!({"timestamp": "Nov 19 2014 17:30:36", "logsource": "asa.sfo", "program": "%ASA-4-733100",
                "message": "drop rate", "@timestamp": "2014-11-19T17:30:36.000Z"}),
        ),
        (
            "<166>2024-07-01T12:00:00Z fw1 : %ASA-6-302013: Built",
            json!({"timestamp": "2024-07-01T12:00:00Z", "logsource": "fw1", "program": "%ASA-6-302013", "message": "Built",
                "@timestamp": "2024-07-01T12:00:00.000Z"}),
        ),
        (
            "<166>:Nov 19 17:27:56 GMT: %ASA-session-5-111010: User x",
            json!({"timestamp": "Nov 19 17:27:56 GMT", "program": "%ASA-session-5-111010", "message": "User x",
                "@timestamp": "1969-11-19T17:27:56.000Z"}),
        ),
        (
            "<189>: 2013 Jul 18 16:09:04 UTC: %ETHPORT-5-IF_UP: up",
            json!({"timestamp": "2013 Jul 18 16:09:04 UTC", "program": "%ETHPORT-5-IF_UP", "message": "up",
                "@timestamp": "2013-07-18T16:09:04.000Z"}),
        ),
        (
            "<189>7: RP/0/RSP0/CPU0:Nov 18 21:03:22.631 UTC: syslog_dev[93]: started",
            json!({"sequence": 7, "logsource": "RP/0/RSP0/CPU0", "timestamp": "Nov 18 21:03:22.631 UTC",
                "program": "syslog_dev", "pid": 93, "message": "started", "@timestamp": "1969-11-18T21:03:22.631Z"}),
        ),
        (
            "<30>Feb  3 04:05:06 2024 gate app[1]: the year comes last",
            json!({"timestamp": "Feb  3 04:05:06 2024", "logsource": "gate", "program": "app", "pid": 1,
                "message": "the year comes last", "@timestamp": "2024-02-03T04:05:06.000Z"}),
        ),
        (
            // Nobody knows the zone, so there is no point in time.
            "<187>4: Apr  4 20:57:20.720 TZ: %LINEPROTO-5-UPDOWN: up",
            json!({"sequence": 4, "timestamp": "Apr  4 20:57:20.720 TZ", "program": "%LINEPROTO-5-UPDOWN", "message": "up"}),
        ),
        ("<13>12: no time: at all", json!({"message": "12: no time: at all"})),
        ("<13>host: x: y", json!({"message": "host: x: y"})),
    ] {
        assert_eq!(fields(line), expected, "{line}");
    }
}

#[test]
fn a_line_without_a_priority_is_syslog_if_its_header_is_whole() {
    let plain = "Feb  3 04:05:06 gate sshd[812]: session opened";
    let expected = json!({"@timestamp": "1969-02-03T04:05:06.000Z", "timestamp": "Feb  3 04:05:06", "logsource": "gate",
        "program": "sshd", "pid": 812, "message": "session opened"});
    assert_eq!(syslog(plain), expected);
    assert_eq!(fields(&format!("<30>{plain}")), expected);
    for line in [
        "Feb  3 04:05:06 gate last message repeated 3 times",
        "2024-02-03T04:05:06.123456+01:00 gate su(pam_unix)[9]: session closed",
        "1 2024-02-03T04:05:06.789Z web1 shop 4711 ORDER - accepted",
        "Apr  4 20:57:20.720 TZ: %LINEPROTO-5-UPDOWN: up",
        "123: *Mar  1 18:48:50.483 UTC: %SYS-5-CONFIG_I: configured",
    ] {
        let document = syslog(line);
        assert!(document.get("tags").is_none() && document["timestamp"].is_string(), "{line}: {document}");
        assert!(document.get("priority").is_none() && document.get("facility_label").is_none(), "{document}");
    }
    for line in [
        "no header",
        "Feb  3 04:05:06",
        "Feb  3 04:05:06 gate",
        "2024-02-03T04:05:06Z INFO started",
        "1 - host app - - - x",
        "12: a: b",
        "Feb 30 04:05:06 gate sshd: x",
        "2024-02-03 04:05:06 INFO main: started",
    ] {
        assert_eq!(syslog(line), json!({"message": line, "tags": ["_grokparsefailure_sysloginput"]}), "{line}");
    }
    let ecs = one(Envelope::Syslog, true, &[], plain);
    assert!(ecs.get("log").is_none() && ecs["process"] == json!({"name": "sshd", "pid": 812}), "{ecs}");
}

#[test]
fn a_count_before_the_priority_belongs_to_the_framing() {
    let line = "<40>1 2024-02-03T04:05:06Z host app web.3 - - started";
    assert_eq!(syslog(&format!("83 {line}")), syslog(line));
    assert_eq!(one(Envelope::None, false, &["rfc5424"], &format!("83 {line}")), syslog(line));
}

#[test]
fn other_formats_have_the_lines_that_are_not_syslog() {
    let text = b"<30>Feb  3 04:05:06 gate a: b\nn=5\nzebra\n";
    let (documents, parsed) = parse(Envelope::None, false, &["syslog", "^n=%{INT:n:int}$"], Unmatched::Keep, text);
    assert_eq!(parsed.fates(), [Fate::Matched, Fate::Matched, Fate::Unmatched]);
    assert_eq!((&documents[0]["program"], &documents[1]), (&json!("a"), &json!({"n": 5})));
    assert_eq!(documents[2], json!({"message": "zebra", "tags": ["_grokparsefailure"]}));
    let (documents, parsed) = parse(Envelope::None, false, &["syslog"], Unmatched::DeadLetter, text);
    assert_eq!((documents.len(), parsed.letters.len()), (1, 2));
}

#[test]
fn syslog_within_another_envelope_has_the_same_fields_and_gives_its_names_precedence() {
    let line = "<30>Feb  3 04:05:06 gate sshd[812]: session opened";
    let own = syslog(line);
    let json = format!(r#"{{"message":"{line}","type":"syslog","@pid":17,"program":"relay"}}"#);
    let document = one(Envelope::Json, false, &["syslog"], &json);
    for (name, value) in own.as_object().unwrap() {
        assert_eq!(&document[name], value, "{name} of {document}");
    }
    assert_eq!((&document["type"], &document["@pid"]), (&json!("syslog"), &json!(17)));
    let cri = format!("2024-02-03T04:05:06.5Z stdout F {line}");
    let document = one(Envelope::Cri, false, &["syslog"], &cri);
    assert_eq!((&document["program"], &document["stream"]), (&json!("sshd"), &json!("stdout")), "{document}");
}

#[test]
fn the_object_of_zmqpush_is_opened_and_other_messages_are_lines() {
    let text = br#"{"message":"n=5","type":"app","@pid":17}
n=6
{"message":"n=7","type":"app","@pid":17,"more":1}
{"message":"zebra","type":"app","@pid":17}
"#;
    let (documents, parsed) = parse(Envelope::Pushed, false, &["^n=%{INT:n:int}$"], Unmatched::Keep, text);
    assert_eq!(parsed.fates(), [Fate::Matched, Fate::Matched, Fate::Unmatched, Fate::Unmatched]);
    assert_eq!(documents[0], json!({"n": 5, "type": "app", "@pid": 17}));
    assert_eq!(documents[1], json!({"n": 6}));
    assert_eq!(documents[2]["message"], r#"{"message":"n=7","type":"app","@pid":17,"more":1}"#);
    assert_eq!(documents[3], json!({"message": "zebra", "type": "app", "@pid": 17, "tags": ["_grokparsefailure"]}));
    // Without a format, what was opened is not unmatched.
    let (documents, parsed) = parse(Envelope::Pushed, false, &[], Unmatched::Keep, &text[..40]);
    assert_eq!(parsed.fates(), [Fate::Matched]);
    assert_eq!(documents[0], json!({"message": "n=5", "type": "app", "@pid": 17}));
}
