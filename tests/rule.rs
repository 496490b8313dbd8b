//! The rule of records: the document of a record is a function of the record's bytes, of the context of its content, and of the
//! flags. Workers, batches, and the way from the content to the store change nothing.

use std::time::{Duration, SystemTime};

use nix::sys::signal::Signal;

use crate::kit::logs::gzip;
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, wait_for};

/// When the files were changed last, in seconds since 1970: on 2024-02-04. A date without a year gets its year from this time.
const CHANGED: u64 = 1_707_048_000;

/// A content, and the arguments with which its records are read.
struct Case {
    name: &'static str,
    content: Vec<u8>,
    arguments: &'static [&'static str],
}

fn utf16(text: &str) -> Vec<u8> {
    ['\u{feff}']
        .into_iter()
        .chain(text.chars())
        .flat_map(|char| {
            let mut units = [0; 2];
            char.encode_utf16(&mut units).iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>()
        })
        .collect()
}

fn cases() -> Vec<Case> {
    let numbered = |line: &dyn Fn(usize) -> String| (0..100).map(line).collect::<String>();
    let time = |index: usize| format!("{:02}:{:02}:{:02}", index / 60 / 60, index / 60 % 60, index % 60);
    let traces = |index: usize| {
        let trace: String = (0..index % 5).map(|frame| format!("\tat a.b.C{frame}\n")).collect();
        format!("2026-11-30 {} ERROR [t{}] record {index}\n{trace}", time(index), index % 3)
    };
    let syslog = |index: usize| {
        let (month, day) = if index < 50 { ("Dec", 31) } else { ("Feb", index % 9 + 10) };
        format!("<{}>{month} {day} {} gate app[{index}]: 03/04/{:02} said\r\n", index % 190, time(index), index % 100)
    };
    let header = |index: usize| match index % 10 {
        0 => format!("#Fields: a b{index}\n"),
        _ => format!("2026-11-30T{}Z \x1b[3{}mcolour\x1b[0m {index} ä\n", time(index), index % 8),
    };
    let json = |index: usize| {
        format!("{{\"time\":\"2026-11-30T{}.{index:09}Z\",\n \"n\":{index},\n\"big\":{}}}\n", time(index), u64::MAX)
    };
    let nuls: Vec<u8> = (0..100)
        .flat_map(|index| {
            let gap = vec![0; if index % 7 == 0 { 100 * index } else { 0 }];
            [&gap[..], format!("{} {index} \u{0}inside\n", time(index)).as_bytes()].concat()
        })
        .collect();
    let docker = |index: usize| {
        let (stream, text) = if index.is_multiple_of(3) {
            ("stderr", "2026-11-30 11:00:00 boom")
        } else {
            (["stdout", "stderr"][index % 2], "\\tat x")
        };
        format!(
            "{{\"log\":\"{text} {index}\\n\",\"stream\":\"{stream}\",\"time\":\"2026-11-30T11:00:00.{:09}Z\"}}\n",
            index / 4
        )
    };
    let pattern = ["-p", "^%{TIMESTAMP_ISO8601:when:date} %{GREEDYDATA:text}$"].as_slice();
    let last = "2026-11-30 12:00:00 INFO the last record has one line\n";
    vec![
        Case { name: "traces", content: (numbered(&traces) + last).into_bytes(), arguments: pattern },
        Case { name: "syslog without a year", content: numbered(&syslog).into_bytes(), arguments: &["-f", "syslog"] },
        Case { name: "UTF-16", content: utf16(&(numbered(&traces) + last)), arguments: pattern },
        Case { name: "headers and colours", content: numbered(&header).into_bytes(), arguments: pattern },
        Case {
            name: "JSON over lines",
            content: (numbered(&json) + "{}\n").into_bytes(),
            arguments: &["-f", "ndjson"],
        },
        Case { name: "NULs", content: nuls, arguments: &["-p", "^%{TIME:time} %{INT:n:int} "] },
        Case { name: "a container", content: numbered(&docker).into_bytes(), arguments: &["-p", "%{WORD:first}"] },
    ]
}

fn sorted(text: &str) -> Vec<String> {
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_same_content_gives_the_same_documents_whoever_reads_it_in_whichever_batches() {
    for Case { name, content, arguments } in cases() {
        let place = Workspace::new();
        let write = |name: &str, content: &[u8]| {
            let path = place.write(name, content);
            let changed = SystemTime::UNIX_EPOCH + Duration::from_secs(CHANGED);
            std::fs::File::options().write(true).open(path).unwrap().set_modified(changed).unwrap();
        };
        write("a.log", &content);
        let run = |more: &[&str]| {
            let ran = place.run("logator", &[&["run", "a.log", "--to", "ndjson:-"], arguments, more].concat(), b"");
            assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
            sorted(&ran.stdout)
        };
        let expected = run(&["-j", "1"]);
        assert!(expected.len() > 30, "{name}");
        let same = |way: &str, found: Vec<String>| {
            let differing = found.iter().zip(&expected).find(|(one, other)| one != other);
            assert!(found == expected, "{name}, {way}: {} of {}, {differing:?}", found.len(), expected.len());
        };
        for batch in ["1", "7", "2000"] {
            for workers in ["1", "4"] {
                same(&format!("{workers} workers, {batch} records"), run(&["-j", workers, "--batch-lines", batch]));
            }
        }
        same("without an order", run(&["--unordered", "--batch-bytes", "1000"]));

        let queue = place.queue(&["a.log", "--batch-lines", "7", "--linger", "0"]);
        let workers: Vec<_> = ["one", "two"]
            .map(|out| place.worker(&[arguments, &["--to", &format!("ndjson:{out}")]].concat()))
            .into_iter()
            .collect();
        assert_eq!(queue.end().code, Some(0), "{name}");
        workers.into_iter().for_each(|worker| drop(worker.end()));
        let out = |name: &str| std::fs::read_to_string(place.path(name)).unwrap_or_default();
        same("a queue", sorted(&(out("one") + &out("two"))));

        let follow = [&["run", "--follow", "a.log", "--to", "ndjson:followed"], arguments].concat();
        let running = place.start("logator", &follow);
        wait_for("all records", PATIENCE, || (out("followed").lines().count() >= expected.len()).then_some(()));
        running.signal(Signal::SIGTERM);
        assert_eq!(running.end_with_input_open().code, Some(0), "{name}");
        same("followed", sorted(&out("followed")));

        // The path is another one, and the time of the content is in the head of gzip.
        let without = |mut lines: Vec<String>| {
            lines.iter_mut().for_each(|line| *line = line.replace("/a.log.gz\"", "/a.log\""));
            lines
        };
        let mut packed = gzip(&content);
        packed[4..8].copy_from_slice(&(CHANGED as u32).to_le_bytes());
        place.write("a.log.gz", packed);
        let ran = place.run("logator", &[&["run", "a.log.gz", "--to", "ndjson:-"], arguments].concat(), b"");
        assert_eq!(ran.code, Some(0), "{name}: {}", ran.stderr);
        same("compressed", without(sorted(&ran.stdout)));
    }
}

#[test]
fn two_contents_with_the_same_first_line_keep_their_own_headers() {
    let place = Workspace::new();
    let first = "2026-11-30T11:00:00Z the same\n";
    for (name, header) in [("a.log", "#Fields: a"), ("b.log", "#Fields: b")] {
        place.write(name, format!("{first}{header}\nnever {name}\n"));
    }
    for workers in ["1", "4"] {
        let letters = format!("letters{workers}");
        let arguments =
            ["run", "a.log", "b.log", "--multiline", "none", "--unmatched", "dead-letter", "--batch-lines", "1"];
        let more = ["-p", "^%{TIMESTAMP_ISO8601}", "--to", "ndjson:-", "-j", workers, "--dead-letters", &letters];
        let ran = place.run("logator", &[&arguments[..], &more].concat(), b"");
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        for letter in place.objects(&letters) {
            let (raw, header) = (letter["raw"].as_str().unwrap(), letter["header"].as_str().unwrap());
            let expected = if raw.ends_with("a.log") { "#Fields: a" } else { "#Fields: b" };
            assert_eq!(header.trim_end(), expected, "{letter}");
        }
        assert_eq!(place.objects(&letters).len(), 2);
    }
}
