//! The tables of `doc/dates.md` are made from what the readers do. With `LOGATOR_WRITE=1`, these tests write them anew.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use logator::core::record::RecordId;
use logator::document::Encoding;
use logator::document::date::{Date, DateOptions, Fault, Formats, Order, Rules, Zone};
use logator::event::decoder::Decoder;
use logator::event::{Changes, Event};
use logator::grok::Library;

/// 2026-11-30T12:00:00Z, the time of the context in both tables.
const BASE: i64 = 1_796_040_000_000;

/// What a row of a table expects.
enum Due {
    /// This date.
    Read(&'static str),
    /// This date, if the order of numbers is day, month, year; else it is ambiguous.
    Dmy(&'static str),
    /// This date in this zone; else it is ambiguous.
    In(&'static str, &'static str),
    /// No date, for this reason.
    Not(&'static str),
}

use Due::{Dmy, In, Not, Read};

const TIME_OF_DAY: &str = "it is a time of day, and has no date";
const PART: &str = "it is a part of a date";

/// The definitions that hold a date or a part of one, with a text that each matches.
#[rustfmt::skip]
const DEFINITIONS: [(&str, &str, Due); 66] = [
    ("TIMESTAMP_ISO8601", "2026-11-30T11:00:00.123456+01:00", Read("2026-11-30T10:00:00.123456Z")),
    ("TIMESTAMP_ISO8601", "2026-11-30 11:00:00,123", Read("2026-11-30T11:00:00.123Z")),
    ("TIMESTAMP_ISO8601", "2026-11-30T1100", Read("2026-11-30T11:00:00.000Z")),
    ("INTERNET_TIME", "2026-11-30T11:00:00Z", Read("2026-11-30T11:00:00.000Z")),
    ("HTTPDATE", "30/Nov/2026:11:00:00 +0100", Read("2026-11-30T10:00:00.000Z")),
    ("ACCESS_TIME", "30/Nov/2026:11:00:00 -0330", Read("2026-11-30T14:30:00.000Z")),
    ("HTTPDERROR_DATE", "Mon Nov 30 11:00:00.123456 2026", Read("2026-11-30T11:00:00.123456Z")),
    ("SYSLOGTIMESTAMP", "Nov 30 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("SYSLOGTIMESTAMP", "Dec  3 11:00:00.5", Read("2025-12-03T11:00:00.500Z")),
    ("SYSLOG_TIME", "Nov 30 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("CISCOTIMESTAMP", "Nov 30 2026 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("CISCOTIMESTAMP", "Nov 30 11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("DATESTAMP_RFC822", "Mon Nov 30 2026 11:00:00 EST", Read("2026-11-30T16:00:00.000Z")),
    ("DATESTAMP_RFC2822", "Mon, 30 Nov 2026 11:00:00 +0100", Read("2026-11-30T10:00:00.000Z")),
    ("DATESTAMP_OTHER", "Mon Nov 30 11:00:00 UTC 2026", Read("2026-11-30T11:00:00.000Z")),
    ("DATESTAMP_EVENTLOG", "20261130110000", Read("2026-11-30T11:00:00.000Z")),
    ("DATESTAMP", "11/30/2026 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("DATESTAMP", "30.11.2026-11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("DATESTAMP", "30/11/26 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("DATESTAMP", "03/04/2026 11:00:00", Dmy("2026-04-03T11:00:00.000Z")),
    ("DATE", "30/11/2026", Read("2026-11-30T00:00:00.000Z")),
    ("DATE_US", "11/30/2026", Read("2026-11-30T00:00:00.000Z")),
    ("DATE_US", "3-4-2026", Dmy("2026-04-03T00:00:00.000Z")),
    ("DATE_EU", "30.11.2026", Read("2026-11-30T00:00:00.000Z")),
    ("DATE_EU", "03.04.2026", Dmy("2026-04-03T00:00:00.000Z")),
    ("BACULA_TIMESTAMP", "30-Nov 11:00", Read("2026-11-30T11:00:00.000Z")),
    ("ECS BACULA_TIMESTAMP", "30-Nov-2026 11:00", Read("2026-11-30T11:00:00.000Z")),
    ("BIND9_TIMESTAMP", "30-Nov-2026 11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("CATALINA_DATESTAMP", "Nov 30, 2026 11:00:00 PM", Read("2026-11-30T23:00:00.000Z")),
    ("TOMCAT_DATESTAMP", "2026-11-30 11:00:00,123 +0100", Read("2026-11-30T10:00:00.123Z")),
    ("ECS CATALINA7_DATESTAMP", "Nov 30, 2026 11:00:00 PM", Read("2026-11-30T23:00:00.000Z")),
    ("ECS CATALINA8_DATESTAMP", "30-Nov-2026 11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("ECS CATALINA_DATESTAMP", "30-Nov-2026 11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("ECS TOMCATLEGACY_DATESTAMP", "2026-11-30 11:00:00,123 -0800", Read("2026-11-30T19:00:00.123Z")),
    ("ECS TOMCAT_DATESTAMP", "Nov 30, 2026 11:00:00 AM", Read("2026-11-30T11:00:00.000Z")),
    ("EXIM_DATE", "2026-11-30 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("ECS EXIM_DATE", "2026-11-30 11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("HAPROXYDATE", "30/Nov/2026:11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("ECS HAPROXYDATE", "30/Nov/2026:11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("HAPROXYTIME", "11:00:00", Not(TIME_OF_DAY)),
    ("ECS HAPROXYTIME", "11:00:00", Not(TIME_OF_DAY)),
    ("NAGIOSTIME", "[1796036400]", Read("2026-11-30T11:00:00.000Z")),
    ("ECS NAGIOSTIME", "[1796036400]", Read("2026-11-30T11:00:00.000Z")),
    ("NGINX_ERROR_DATE", "2026/11/30 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("REDISTIMESTAMP", "30 Nov 11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("NUMBER", "1796036400", Read("2026-11-30T11:00:00.000Z")),
    ("NUMBER", "1796036400.123456", Read("2026-11-30T11:00:00.123456Z")),
    ("NUMBER", "1796036400123", Read("2026-11-30T11:00:00.123Z")),
    ("NUMBER", "12.5", Not("no time has this number of digits")),
    ("INT", "1796036400123456", Read("2026-11-30T11:00:00.123456Z")),
    ("POSINT", "1796036400123456789", Read("2026-11-30T11:00:00.123456789Z")),
    ("NONNEGINT", "0", Not("no time has this number of digits")),
    ("BASE10NUM", "1796036400", Read("2026-11-30T11:00:00.000Z")),
    ("TIME", "11:00:00.123", Not(TIME_OF_DAY)),
    ("YEAR", "2026", Not(PART)),
    ("MONTH", "November", Not(PART)),
    ("MONTHNUM", "11", Not(PART)),
    ("MONTHNUM2", "11", Not(PART)),
    ("MONTHDAY", "30", Not(PART)),
    ("DAY", "Monday", Not(PART)),
    ("HOUR", "11", Not(PART)),
    ("MINUTE", "00", Not(PART)),
    ("SECOND", "00", Not(PART)),
    ("TZ", "EST", Not(PART)),
    ("ISO8601_TIMEZONE", "+01:00", Not(PART)),
    ("ISO8601_SECOND", "00", Not(PART)),
];

/// Definitions whose name sounds like a date, and that hold none.
const NO_DATES: [&str; 9] = [
    "NAGIOS_EC_LINE_SCHEDULE_HOST_DOWNTIME",
    "NAGIOS_EC_SCHEDULE_HOST_DOWNTIME",
    "NAGIOS_EC_SCHEDULE_SERVICE_DOWNTIME",
    "NAGIOS_HOST_DOWNTIME_ALERT",
    "NAGIOS_SERVICE_DOWNTIME_ALERT",
    "NAGIOS_TIMEPERIOD_TRANSITION",
    "NAGIOS_TYPE_HOST_DOWNTIME_ALERT",
    "NAGIOS_TYPE_SERVICE_DOWNTIME_ALERT",
    "NAGIOS_TYPE_TIMEPERIOD_TRANSITION",
];

/// Shapes that logs have, whatever captures them.
#[rustfmt::skip]
const SHAPES: [(&str, &str, Due); 92] = [
    ("ISO 8601", "2026-11-30T11:00:00Z", Read("2026-11-30T11:00:00.000Z")),
    ("ISO 8601", "2026-11-30T11:00:00.123456789+01:00", Read("2026-11-30T10:00:00.123456789Z")),
    ("with a blank", "2026-11-30 11:00:00.123 +0100", Read("2026-11-30T10:00:00.123Z")),
    ("without seconds", "2026-11-30 11:00", Read("2026-11-30T11:00:00.000Z")),
    ("a date alone", "2026-11-30", Read("2026-11-30T00:00:00.000Z")),
    ("with slashes", "2026/11/30 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("with points", "2026.11.30 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("with a month's name", "2026-Nov-30 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("with a month's name", "2026 Nov 30 11:00:00.5", Read("2026-11-30T11:00:00.500Z")),
    ("with a colon", "2026-11-30:11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("Db2, Blue Gene", "2026-11-30-11.00.00.123456", Read("2026-11-30T11:00:00.123456Z")),
    ("ordinal", "2026-334", Read("2026-11-30T00:00:00.000Z")),
    ("ordinal", "2026-334T11:00:00Z", Read("2026-11-30T11:00:00.000Z")),
    ("ordinal, compact", "2026334T110000Z", Read("2026-11-30T11:00:00.000Z")),
    ("compact", "20261130T110000Z", Read("2026-11-30T11:00:00.000Z")),
    ("compact", "20261130T110000.123+0100", Read("2026-11-30T10:00:00.123Z")),
    ("compact", "20261130 110000", Read("2026-11-30T11:00:00.000Z")),
    ("compact", "20261130110000", Read("2026-11-30T11:00:00.000Z")),
    ("LDAP", "20261130110000.123Z", Read("2026-11-30T11:00:00.123Z")),
    ("compact", "20261130", Read("2026-11-30T00:00:00.000Z")),
    ("compact, with a colon before the fraction", "20261130-11:00:00:123", Read("2026-11-30T11:00:00.123Z")),
    ("MySQL", "261130 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("MySQL", "261130  1:02:03", Read("2026-11-30T01:02:03.000Z")),
    ("HDFS", "081109 203615", Read("2008-11-09T20:36:15.000Z")),
    ("glog", "1130 11:00:00.123456", Read("2026-11-30T11:00:00.123456Z")),
    ("Android", "11-30 11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("Android", "03-04 11:00:00.123", Dmy("2026-04-03T11:00:00.123Z")),
    ("Spark", "26/11/30 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("Spark", "17/06/09 20:10:40", Dmy("2009-06-17T20:10:40.000Z")),
    ("day, month, year", "30/11/2026 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("day, month, year", "30.11.2026 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("day, month, year", "30-11-2026, 11:00", Read("2026-11-30T11:00:00.000Z")),
    ("month, day, year", "11/30/2026 11:00:00 PM", Read("2026-11-30T23:00:00.000Z")),
    ("month, day, year", "11/30/26, 1:00 PM", Read("2026-11-30T13:00:00.000Z")),
    ("one order or another", "03/04/2026 11:00:00", Dmy("2026-04-03T11:00:00.000Z")),
    ("the same in both orders", "04/04/2026 11:00:00", Read("2026-04-04T11:00:00.000Z")),
    ("web server", "30/Nov/2026:11:00:00 +0100", Read("2026-11-30T10:00:00.000Z")),
    ("without a zone", "30/Nov/2026:11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("mail", "Mon, 30 Nov 2026 11:00:00 +0100", Read("2026-11-30T10:00:00.000Z")),
    ("mail", "Mon, 30 Nov 2026 11:00:00 +0100 (CET)", Read("2026-11-30T10:00:00.000Z")),
    ("HTTP", "Monday, 30-Nov-26 11:00:00 GMT", Read("2026-11-30T11:00:00.000Z")),
    ("ctime", "Mon Nov 30 11:00:00 2026", Read("2026-11-30T11:00:00.000Z")),
    ("date", "Mon Nov 30 11:00:00 CET 2026", Read("2026-11-30T10:00:00.000Z")),
    ("date", "Mon Nov 30 11:00:00 AM PST 2026", Read("2026-11-30T19:00:00.000Z")),
    ("git", "Mon Nov 30 11:00:00 2026 +0100", Read("2026-11-30T10:00:00.000Z")),
    ("Go", "2026-11-30 11:00:00.123456789 +0100 CET m=+0.000012345", Read("2026-11-30T10:00:00.123456789Z")),
    ("Java", "2026-11-30T11:00:00.123+01:00[Europe/Berlin]", Read("2026-11-30T10:00:00.123Z")),
    ("Java", "Nov 30, 2026 11:00:00 PM", Read("2026-11-30T23:00:00.000Z")),
    ("JavaScript", "Mon Nov 30 2026 11:00:00 GMT+0100 (Central European Standard Time)", Read("2026-11-30T10:00:00.000Z")),
    ("Kibana", "Nov 30, 2026 @ 11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("English", "November 30th, 2026 at 11:00", Read("2026-11-30T11:00:00.000Z")),
    ("Oracle", "30-NOV-26 11.00.00.123456 AM", Read("2026-11-30T11:00:00.123456Z")),
    ("with points", "30.Nov.2026 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("syslog", "Nov 30 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("syslog", "Nov  3 11:00:00.123", Read("2026-11-03T11:00:00.123Z")),
    ("syslog, of last year", "Dec 31 11:00:00", Read("2025-12-31T11:00:00.000Z")),
    ("syslog, one day ahead", "Dec  1 11:00:00", Read("2026-12-01T11:00:00.000Z")),
    ("syslog, of a leap year", "Feb 29 11:00:00", Read("2024-02-29T11:00:00.000Z")),
    ("Cisco, clock not set", "*Mar  1 18:48:50.483 UTC", Read("2026-03-01T18:48:50.483Z")),
    ("Cisco, clock not in step", ".Nov 30 11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("Redis", "30 Nov 11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("Redis", "30 Nov 2026 11:00:00.123", Read("2026-11-30T11:00:00.123Z")),
    ("in brackets", "[30/Nov/2026:11:00:00 +0100]", Read("2026-11-30T10:00:00.000Z")),
    ("German", "30. November 2026 11:00", Read("2026-11-30T11:00:00.000Z")),
    ("German", "Mo 30. Dez 2024 11:00:00 MEZ", Read("2024-12-30T10:00:00.000Z")),
    ("French", "lun. 3 févr. 2025 11:00:00", Read("2025-02-03T11:00:00.000Z")),
    ("Spanish", "30 ago 2026 11:00:00", Read("2026-08-30T11:00:00.000Z")),
    ("Portuguese", "3/dez/2025:11:00:00 -0300", Read("2025-12-03T14:00:00.000Z")),
    ("Russian", "30 ноя 2026 11:00:00", Read("2026-11-30T11:00:00.000Z")),
    ("Polish and Croatian", "3 lis 2026 11:00:00", Not("the name is October in one language and November in another")),
    ("zone by name", "2026-11-30 11:00:00 UTC", Read("2026-11-30T11:00:00.000Z")),
    ("zone by name", "2026-11-30 11:00:00 America/New_York", Read("2026-11-30T16:00:00.000Z")),
    ("zone by name", "2026-11-30 11:00:00 UTC+2", Read("2026-11-30T09:00:00.000Z")),
    ("zone with several meanings", "2026-11-30 11:00:00 IST", In("Asia/Kolkata", "2026-11-30T05:30:00.000Z")),
    ("zone with several meanings", "Mon Jul  6 11:00:00 BST 2026", In("Europe/London", "2026-07-06T10:00:00.000Z")),
    ("leap second", "2016-12-31T23:59:60Z", Read("2017-01-01T00:00:00.000Z")),
    ("seconds since 1970", "1796036400", Read("2026-11-30T11:00:00.000Z")),
    ("with a fraction", "1796036400.123456789", Read("2026-11-30T11:00:00.123456789Z")),
    ("with a fraction", "1796036400,5", Read("2026-11-30T11:00:00.500Z")),
    ("milliseconds", "1796036400123", Read("2026-11-30T11:00:00.123Z")),
    ("milliseconds with a fraction", "1796036400123.456", Read("2026-11-30T11:00:00.123456Z")),
    ("microseconds", "1796036400123456", Read("2026-11-30T11:00:00.123456Z")),
    ("nanoseconds", "1796036400123456789", Read("2026-11-30T11:00:00.123456789Z")),
    ("with an exponent", "1.796036400123e+09", Read("2026-11-30T11:00:00.123Z")),
    ("with an exponent", "1.7E9", Read("2023-11-14T22:13:20.000Z")),
    ("TAI64N", "@400000006b0d573a075bca00", Read("2026-11-30T11:00:00.123456000Z")),
    ("time of day", "11:00:00.123", Not(TIME_OF_DAY)),
    ("another number", "179603640", Not("no time has this number of digits")),
    ("no such day", "2026-02-29 11:00:00", Not("no calendar has it")),
    ("no such hour", "2026-11-30 24:00:00", Not("no clock shows it")),
    ("text after the date", "2026-11-30 11:00:00 started", Not("the text is more than a date")),
    ("a year of four digits or two of two", "24-02-03 04:05:06", Dmy("2003-02-24T04:05:06.000Z")),
];

/// Reads `text`, without options and with those that a row names.
fn judge(text: &str, due: &Due, read: impl Fn(&Rules) -> Result<String, Fault>) -> String {
    let plain = read(&Rules::default());
    match due {
        Read(date) => {
            assert_eq!(plain.as_deref(), Ok(*date), "{text}");
            format!("`{date}`")
        }
        Not(reason) => {
            assert_eq!(plain, Err(Fault::Unread), "{text}");
            format!("not read: {reason}")
        }
        Dmy(date) => {
            assert_eq!(plain, Err(Fault::Ambiguous), "{text}");
            let order = Some(Order::Dmy);
            assert_eq!(read(&Rules { order, ..Rules::default() }).as_deref(), Ok(*date), "{text}");
            format!("`_dateambiguous`; `{date}` with `--date-order dmy`")
        }
        In(zone, date) => {
            assert_eq!(plain, Err(Fault::Ambiguous), "{text}");
            let rules = Rules { zone: Some(Zone::new(zone).unwrap()), ..Rules::default() };
            assert_eq!(read(&rules).as_deref(), Ok(*date), "{text}");
            format!("`_dateambiguous`; `{date}` with `--timezone {zone}`")
        }
    }
}

/// Compares a table of the page with `rows`, or writes it.
fn compare(head: &str, rows: &[String]) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/dates.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(head).expect("the head of the table");
    let (written, after) = rest.split_once("\n\n").expect("an empty line after the table");
    let rows = rows.join("\n");
    if std::env::var_os("LOGATOR_WRITE").is_some() {
        std::fs::write(path, format!("{before}{head}{rows}\n\n{after}")).unwrap();
    } else {
        assert_eq!(written, rows, "LOGATOR_WRITE=1 writes the table anew");
    }
}

#[test]
fn every_shape_of_the_page_is_read_as_it_says() {
    let row = |(kind, text, due): &(&str, &str, Due)| {
        let read = |rules: &Rules| {
            let formats = Formats::any(&Arc::new(rules.clone()));
            formats.look(text.as_bytes(), BASE).map(|reading| reading.date.to_text())
        };
        format!("| {kind} | `{text}` | {} |", judge(text, due, read))
    };
    compare("| shape | text | `@timestamp` |\n|---|---|---|\n", &SHAPES.iter().map(row).collect::<Vec<_>>());
}

#[test]
fn every_definition_that_holds_a_date_is_in_the_table_and_is_read_as_it_says() {
    let libraries = [Library::builtin(), Library::builtin_ecs()];
    let row = |(name, text, due): &(&str, &str, Due)| {
        let (library, definition) = match name.strip_prefix("ECS ") {
            Some(definition) => (&libraries[1], definition),
            None => (&libraries[0], *name),
        };
        let format = library.pattern(&format!(r"\A%{{{definition}:when:date}}\z")).unwrap();
        let read = |rules: &Rules| {
            let options = DateOptions { rules: Arc::new(rules.clone()), ..DateOptions::default() };
            let mut decoder = Decoder::with(&format, &options).unwrap();
            let fields = decoder.decode(text.as_bytes()).unwrap();
            let fields = fields.unwrap_or_else(|| panic!("{name} does not match {text}"));
            let (mut changes, mut out) = (Changes::default(), Vec::new());
            let mut event = Event::decoded(text.as_bytes(), fields, None, &mut changes, BASE);
            event.encode(Encoding::Json, &RecordId::at(1, 0, b"x"), &mut out);
            let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
            let tags = document["tags"].as_array().cloned().unwrap_or_default();
            let has = |tag: &str| tags.iter().any(|known| known.as_str().unwrap().starts_with(tag));
            match document["@timestamp"].as_str() {
                Some(date) => {
                    assert_eq!(document["when"], document["@timestamp"], "{name}: {document}");
                    Ok(date.to_owned())
                }
                None if has("_dateambiguous") => Err(Fault::Ambiguous),
                None => {
                    assert!(has("_dateparsefailure"), "{name}: {document}");
                    Err(Fault::Unread)
                }
            }
        };
        format!("| `{name}` | `{text}` | {} |", judge(text, due, read))
    };
    let rows: Vec<String> = DEFINITIONS.iter().map(row).collect();
    let sounds = |name: &&str| name.contains("STAMP") || name.contains("DATE") || name.contains("TIME");
    let listed: BTreeSet<&str> = DEFINITIONS.iter().map(|(name, ..)| name.trim_start_matches("ECS ")).collect();
    for name in libraries.iter().flat_map(|library| library.names().filter(sounds)) {
        assert!(listed.contains(name) || NO_DATES.contains(&name), "{name} is not in the table");
    }
    compare("| definition | text | `@timestamp` |\n|---|---|---|\n", &rows);
}

#[test]
fn the_page_names_every_tag_and_option_of_dates() {
    let page = include_str!("../../doc/dates.md");
    let names = ["_dateparsefailure", "_dateambiguous", "_datefold"].into_iter();
    let options = ["--timezone", "--date-order", "--date-format", "--timestamp", "--base-year"];
    for name in names.chain(options) {
        assert!(page.contains(name), "{name}");
    }
    assert_eq!(Date::of_ms(BASE).to_text(), "2026-11-30T12:00:00.000Z");
}
