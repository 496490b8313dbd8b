//! Dates of records: the shapes that are read, the zone and the year of those that name none, and what the receipt says.

mod tables;

use std::fs::File;
use std::io::Write;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};

use crate::kit::needs::given;
use crate::kit::workspace::{Running, Workspace, account, objects};

/// The pattern of a line of syslog with a date that is typed.
const SYSLOG: &str = "^%{SYSLOGTIMESTAMP:time:date} %{WORD:word}$";

/// Sets the time of the last change of a file.
fn touch(place: &Workspace, name: &str, seconds: u64) {
    let file = File::options().write(true).open(place.path(name)).unwrap();
    file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)).unwrap();
}

/// A member of a gzip file, whose header has a time in seconds since 1970.
fn member(content: &str, time: u32) -> Vec<u8> {
    let mut encoder = flate2::GzBuilder::new().mtime(time).write(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// Runs `logator run`, and returns the values of a field of its documents, in their order.
fn values(place: &Workspace, field: &str, arguments: &[&str], input: &[u8]) -> Vec<String> {
    let (ran, receipt) = place.logator(&[arguments, &["-j", "1"]].concat(), input);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert!(receipt.agrees);
    let text = |document: &Value| document[field].as_str().unwrap_or("none").to_owned();
    objects(&ran.stdout).iter().map(text).collect()
}

/// Returns the tags of a document, without the names of the fields that they are about.
fn tags(document: &Value) -> Vec<String> {
    let tags = document["tags"].as_array().into_iter().flatten().filter_map(Value::as_str);
    tags.map(|tag| tag.split(':').next().unwrap_or_default().to_owned()).collect()
}

fn times(place: &Workspace, arguments: &[&str], input: &[u8]) -> Vec<String> {
    values(place, "@timestamp", arguments, input)
}

const FEBRUARY_2005: u64 = 1_107_400_000; // 2005-02-03T03:06:40Z
const MARCH_2009: u64 = 1_235_952_000; // 2009-03-02T00:00:00Z

#[test]
fn a_date_without_a_year_has_that_of_the_last_change_of_its_file() {
    let place = Workspace::new();
    place.write("a.log", "Feb  3 04:05:06 one\nDec 31 23:59:59 two\n");
    touch(&place, "a.log", FEBRUARY_2005);
    let old = ["2005-02-03T04:05:06.000Z", "2004-12-31T23:59:59.000Z"];
    assert_eq!(times(&place, &["a.log", "-p", SYSLOG], b""), old);
    let with_year = ["a.log", "-p", SYSLOG, "--base-year", "1999"];
    assert_eq!(times(&place, &with_year, b""), ["1999-02-03T04:05:06.000Z", "1999-12-31T23:59:59.000Z"]);
    let (_, receipt) = place.logator(&["a.log", "-p", SYSLOG, "--to", "null:"], b"");
    let dates = &receipt.dates[0];
    assert_eq!((dates.name.as_str(), dates.get("zoneless"), dates.get("guessed_years")), ("UTC", 2, 2));
}

#[test]
fn a_record_of_a_gzip_file_has_the_time_of_the_member_in_which_it_begins() {
    let place = Workspace::new();
    // The second member begins in the middle of a line. The third one has no time, and counts as the file.
    let content = [
        member("Feb  3 04:05:06 one\nFeb  1 00:00:00 t", FEBRUARY_2005 as u32),
        member("wo\nMar  1 00:00:00 three\n", MARCH_2009 as u32),
        member("Mar  1 00:00:00 four\n", 0),
    ];
    place.write("a.log.gz", content.concat());
    touch(&place, "a.log.gz", 1_300_000_000); // 2011-03-13
    let expected = [
        "2005-02-03T04:05:06.000Z",
        "2005-02-01T00:00:00.000Z",
        "2009-03-01T00:00:00.000Z",
        "2011-03-01T00:00:00.000Z",
    ];
    for lines in ["1", "2", "3", "2000"] {
        assert_eq!(times(&place, &["a.log.gz", "-p", SYSLOG, "--batch-lines", lines], b""), expected, "{lines} lines");
    }
    // Over a pipe, there is no file: a member without a time has the time of its arrival.
    let piped = times(&place, &["-", "-p", SYSLOG], &content.concat());
    assert_eq!(piped[..3], expected[..3]);
    assert!(*piped[3] > *expected[3], "{piped:?}");
}

#[test]
fn a_letter_keeps_the_time_that_gives_its_record_the_year() {
    let place = Workspace::new();
    place.write("a.log", "Feb  3 04:05:06 one\n");
    touch(&place, "a.log", FEBRUARY_2005);
    let (ran, _) = place.logator(&["a.log", "-p", "^no$", "--unmatched", "dead-letter", "--to", "null:"], b"");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let replayed = place.run("logator", &["replay", "dead-letters.ndjson", "-p", SYSLOG, "--to", "-"], b"");
    assert_eq!(objects(&replayed.stdout)[0]["@timestamp"], "2005-02-03T04:05:06.000Z", "{}", replayed.stderr);
}

#[test]
fn a_date_without_a_zone_is_in_that_of_the_option_and_a_fold_is_tagged() {
    let place = Workspace::new();
    let lines = b"2026-07-01 12:00:00 a\n2026-10-25 02:30:00 b\n2026-03-29 02:30:00 c\n2026-07-01 12:00:00Z d\n";
    let pattern = ["-p", "^%{TIMESTAMP_ISO8601:time:date} %{WORD:word}$"];
    let in_berlin = [&pattern[..], &["--timezone", "Europe/Berlin"]].concat();
    let berlin = [
        "2026-07-01T10:00:00.000Z",
        "2026-10-25T00:30:00.000Z",
        "2026-03-29T01:30:00.000Z",
        "2026-07-01T12:00:00.000Z",
    ];
    assert_eq!(times(&place, &in_berlin, lines), berlin);
    let (ran, receipt) = place.logator(&in_berlin, lines);
    let tags: Vec<Vec<String>> = objects(&ran.stdout).iter().map(tags).collect();
    assert_eq!(tags, [&[][..], &["_datefold".to_owned()], &[], &[]]);
    assert!(ran.stderr.contains("times without a zone: 3, read in Europe/Berlin"), "{}", ran.stderr);
    assert_eq!((receipt.dates[0].get("zoneless"), receipt.dates[0].get("folds")), (3, 1));
    // The zone of the machine is the one that its environment names.
    let mut command = place.command("logator", &[&["run", "--timezone", "local", "-j", "1"], &pattern[..]].concat());
    command.env("TZ", "Europe/Berlin");
    let mut running = Running::start(command);
    running.feed(lines);
    assert_eq!(objects(&running.end().stdout)[0]["@timestamp"], berlin[0]);
    let plain = place.logator(&pattern, lines).0;
    assert!(plain.stderr.contains("times without a zone: 3, read in UTC; --timezone"), "{}", plain.stderr);
    let zoned = place.logator(&pattern, b"2026-07-01 12:00:00Z d\n").0;
    assert!(!zoned.stderr.contains("times without"), "{}", zoned.stderr);
    let refused = place.run("logator", &["run", "--timezone", "Europe/Nowhere"], b"");
    assert_eq!(refused.code, Some(2));
    assert!(refused.stderr.contains("is not a time zone"), "{}", refused.stderr);
}

#[test]
fn a_date_of_numbers_with_several_orders_is_tagged_and_the_receipt_names_the_option() {
    let place = Workspace::new();
    let lines = b"03/04/2024 10:00:00\n13/04/2024 10:00:00\n";
    let pattern = ["-p", "^%{DATESTAMP:time:date}$"];
    let (ran, receipt) = place.logator(&pattern, lines);
    let documents = objects(&ran.stdout);
    assert_eq!((&documents[0]["time"], &documents[0]["@timestamp"]), (&json!("03/04/2024 10:00:00"), &Value::Null));
    assert_eq!(tags(&documents[0]), ["_dateambiguous"]);
    assert_eq!(documents[1]["@timestamp"], "2024-04-13T10:00:00.000Z");
    assert!(ran.stderr.contains("tagged _dateambiguous; --date-order dmy or mdy"), "{}", ran.stderr);
    assert_eq!(receipt.dates[0].get("ambiguous"), 1);
    for (order, date) in [("dmy", "2024-04-03T10:00:00.000Z"), ("mdy", "2024-03-04T10:00:00.000Z")] {
        assert_eq!(times(&place, &[&pattern[..], &["--date-order", order]].concat(), lines)[0], date);
    }
}

#[test]
fn the_time_of_a_json_object_is_found_under_the_names_that_programs_use() {
    let place = Workspace::new();
    for (line, time) in [
        (r#"{"t":{"$date":"2024-02-03T04:05:06.789+01:00"},"s":"I","msg":"mongod"}"#, "2024-02-03T03:05:06.789Z"),
        (r#"{"level":30,"time":1706933106789,"msg":"pino"}"#, "2024-02-03T04:05:06.789Z"),
        (r#"{"level":"info","ts":1706933106.789012,"msg":"zap"}"#, "2024-02-03T04:05:06.789012Z"),
        (r#"{"level":"info","ts":1.706933106789e+09,"msg":"zap"}"#, "2024-02-03T04:05:06.789Z"),
        (r#"{"level":"info","time":1706933106,"message":"zerolog"}"#, "2024-02-03T04:05:06.000Z"),
        (r#"{"v":0,"time":"2024-02-03T04:05:06.789Z","msg":"bunyan"}"#, "2024-02-03T04:05:06.789Z"),
        (r#"{"version":"1.1","timestamp":1706933106.789,"short_message":"gelf"}"#, "2024-02-03T04:05:06.789Z"),
        (r#"{"__REALTIME_TIMESTAMP":"1706933106789012","MESSAGE":"journald"}"#, "2024-02-03T04:05:06.789012Z"),
        (
            r#"{"__REALTIME_TIMESTAMP":"1706933107000000","_SOURCE_REALTIME_TIMESTAMP":"1706933106789012","MESSAGE":"x"}"#,
            "2024-02-03T04:05:06.789012Z",
        ),
        (r#"{"@t":"2024-02-03T04:05:06.7890123Z","@mt":"serilog"}"#, "2024-02-03T04:05:06.7890123Z"),
        (r#"{"timeMillis":1706933106789,"message":"log4j"}"#, "2024-02-03T04:05:06.789Z"),
        (r#"{"asctime":"2024-02-03 04:05:06,789","message":"python"}"#, "2024-02-03T04:05:06.789Z"),
        (r#"{"timestamp":1706933106789012345}"#, "2024-02-03T04:05:06.789012345Z"),
        (r#"{"t":21.5,"sensor":"a"}"#, "none"),
    ] {
        assert_eq!(times(&place, &["-f", "ndjson"], line.as_bytes()), [time], "{line}");
    }
    let odd = place.logator(&["-f", "ndjson"], br#"{"time":12.5}"#).0;
    assert_eq!(tags(&objects(&odd.stdout)[0]), ["_dateparsefailure"]);
    let export = b"__CURSOR=s=f5;i=1\n__REALTIME_TIMESTAMP=1592391301176116\nMESSAGE=closed\n\n";
    assert_eq!(times(&place, &[], export), ["2020-06-17T10:55:01.176116Z"]);
}

#[test]
fn the_user_names_formats_and_the_field_that_becomes_the_time() {
    let place = Workspace::new();
    let line = b"03|04|2024 10.00 2024-05-01T00:00:00Z 2024-06-01T00:00:00Z\n";
    let pattern = "^%{NOTSPACE:day} %{NOTSPACE:clock} %{NOTSPACE:begin:date} %{NOTSPACE:end:date}$";
    let of = |more: &[&str]| times(&place, &[&["-p", pattern], more].concat(), line).remove(0);
    assert_eq!(of(&[]), "2024-05-01T00:00:00.000Z", "the first field of type date");
    assert_eq!(of(&["--timestamp", "end"]), "2024-06-01T00:00:00.000Z");
    assert_eq!(of(&["--date-format", "day=%d|%m|%Y"]), "2024-04-03T00:00:00.000Z", "a format makes a date");
    assert_eq!(of(&["--date-format", "day=MM|dd|yyyy"]), "2024-03-04T00:00:00.000Z");
    assert_eq!(of(&["--date-format", "day=MM|dd|yyyy", "--timestamp", "end"]), "2024-06-01T00:00:00.000Z");
    let typed = ["-p", pattern, "--date-format", "day=dd|MM|yyyy"];
    assert_eq!(values(&place, "day", &typed, line), ["2024-04-03T00:00:00.000Z"]);
    let json = [&["-f", "ndjson", "--date-format", "[when][at]=dd.MM.yyyy HH:mm"][..]].concat();
    assert_eq!(times(&place, &json, br#"{"when":{"at":"03.04.2024 10:00"}}"#), ["2024-04-03T10:00:00.000Z"]);
    for (arguments, words) in [
        (&["--timestamp", "other", "-p", "%{WORD:a}"][..], "--timestamp other: no pattern captures this field"),
        (&["--date-format", "day", "-p", "%{WORD:a}"], "must be followed by ="),
        (&["--date-format", "day=%Q", "-p", "%{WORD:a}"], "%Q is not known"),
        (&["--date-format", "day=HH:mm", "-p", "%{WORD:a}"], "names no day"),
        (&["--base-year", "05"], "is not a year of four digits"),
    ] {
        let ran = place.run("logator", &[&["run"], arguments].concat(), b"");
        assert_eq!(ran.code, Some(2), "{arguments:?}");
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn one_line_of_syslog_has_one_date_by_file_and_by_network() {
    let place = Workspace::new();
    let line = "<30>Nov  3 04:05:06 gate app[1]: up\n";
    place.write("a.log", line);
    let arguments = ["--timezone", "America/New_York"];
    let by_file = times(&place, &[&["a.log", "-f", "syslog"], &arguments[..]].concat(), b"");
    let mut server = place.start(
        "logator",
        &[&["run", "syslog+tcp://127.0.0.1:0", "--to", "ndjson:out.ndjson", "-j", "1"], &arguments[..]].concat(),
    );
    server.wait_ready();
    let addresses = server.addresses();
    let port = addresses.iter().find_map(|address| address.strip_prefix("syslog+")?.rsplit_once(':')).unwrap().1;
    let mut peer = std::net::TcpStream::connect(("127.0.0.1", port.parse::<u16>().unwrap())).unwrap();
    peer.write_all(line.as_bytes()).unwrap();
    let document = crate::kit::wait_for("the document", Duration::from_secs(30), || {
        let text = std::fs::read_to_string(place.path("out.ndjson")).unwrap_or_default();
        text.contains('\n').then(|| objects(&text).remove(0))
    });
    drop(peer);
    server.signal(nix::sys::signal::Signal::SIGTERM);
    server.end_with_input_open();
    assert_eq!(document["@timestamp"], by_file[0]);
    assert!(by_file[0].ends_with("-11-03T09:05:06.000Z"), "{by_file:?}");
}

#[test]
fn the_account_of_dates_comes_from_the_workers_of_a_queue() {
    let place = Workspace::new();
    place.write("a.log", "Feb  3 04:05:06 one\nFeb  3 04:05:06 two\n");
    touch(&place, "a.log", FEBRUARY_2005);
    let queue = place.queue(&["a.log"]);
    let worker = place.worker(&["-p", SYSLOG, "--timezone", "Asia/Tokyo", "--to", "ndjson:out.ndjson"]);
    assert_eq!(worker.end().code, Some(0));
    assert_eq!(queue.end().code, Some(0));
    let receipt = place.receipt("queue.json");
    assert_eq!(account(&receipt)[1], 2);
    assert_eq!((receipt.dates[0].name.as_str(), receipt.dates[0].get("guessed_years")), ("Asia/Tokyo", 2));
    assert_eq!(place.objects("out.ndjson")[0]["@timestamp"], "2005-02-02T19:05:06.000Z");
}

#[test]
#[ignore = "needs pyzmq: run ./test"]
fn python_reads_the_same_local_times() {
    let script = "\
import datetime, random, sys, zoneinfo
random.seed(int(sys.argv[1]))
zone = zoneinfo.ZoneInfo(sys.argv[2])
for _ in range(2000):
    local = datetime.datetime(1971, 1, 1) + datetime.timedelta(seconds=random.randrange(2000000000))
    first = local.replace(tzinfo=zone)
    utc = datetime.datetime.fromtimestamp(first.timestamp(), datetime.timezone.utc)
    print(local.isoformat(' ', 'seconds'), utc.strftime('%Y-%m-%dT%H:%M:%S.000Z'))
";
    let place = Workspace::new();
    let python = given("LOGATOR_TEST_PYTHON", "pyzmq");
    for (seed, zone) in ["Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Asia/Tehran"].iter().enumerate() {
        let made = std::process::Command::new(&python).args(["-c", script, &seed.to_string(), zone]).output().unwrap();
        assert!(made.status.success(), "{made:?}");
        let text = String::from_utf8(made.stdout).unwrap();
        let expected: Vec<&str> = text.lines().filter_map(|line| line.rsplit_once(' ')).map(|(_, utc)| utc).collect();
        assert_eq!(expected.len(), 2000);
        let arguments = ["-p", "^%{TIMESTAMP_ISO8601:time:date} ", "--timezone", zone];
        assert_eq!(times(&place, &arguments, text.as_bytes()), expected, "{zone}");
    }
}
