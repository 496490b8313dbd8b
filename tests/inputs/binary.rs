//! Binary and hidden files, and files that the user excludes.

use std::io::Write as _;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, wait_for};

const PATTERN: &str = "%{GREEDYDATA:text}";

fn tar() -> Vec<u8> {
    let mut block = vec![0; 1024];
    block[..5].copy_from_slice(b"a.log");
    block[257..262].copy_from_slice(b"ustar");
    block[512..519].copy_from_slice(b"line 1\n");
    block
}

fn gzip(content: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(content).unwrap();
    encoder.finish().unwrap()
}

/// A record of a boot, as `wtmp` has it.
fn login() -> Vec<u8> {
    let mut record = vec![0; 384];
    record[0] = 2;
    record[8] = b'~';
    record[44..50].copy_from_slice(b"reboot");
    record[340..344].copy_from_slice(&1_700_000_000_u32.to_le_bytes());
    record
}

/// Binary files: the name, the content, and the words that help.
fn binaries() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mut core = b"\x7fELF\x02\x01\x01".to_vec();
    core.resize(16, 0);
    core.extend([4, 0]);
    core.resize(5000, 7);
    let mut state = 1_u32;
    let random = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    vec![
        ("core.1234", core, "coredumpctl"),
        ("app.db", [&b"SQLite format 3\0\x10\0\x01\x01"[..], &[0; 4000]].concat(), "sqlite3"),
        ("old.zip", b"PK\x03\x04\x14\0\0\0\x08\0abcdef".to_vec(), "unzip -p"),
        ("old.tar", tar(), "tar -xOf"),
        ("old.tar.gz", gzip(&tar()), "tar -xOf"),
        ("wtmp", login().repeat(3), "last -f"),
        ("btmp", login(), "lastb -f"),
        ("system.journal", b"LPKSHHRH\0\0\0\0\0\0\0\0".repeat(30), "journalctl -o export --file"),
        ("System.evtx", b"ElfFile\0\0\0\0\0\0\0\0\0".repeat(30), "evtx_dump"),
        ("trace.pcap", b"\xd4\xc3\xb2\xa1\x02\0\x04\0\0\0\0\0".to_vec(), "tcpdump -nr"),
        ("trace.pcapng", b"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a".to_vec(), "tcpdump -nr"),
        ("A.class", b"\xca\xfe\xba\xbe\0\0\0\x34\0\x1d".to_vec(), "javap"),
        ("twice.gz", gzip(&gzip(b"line 1\n")), "gzip -dc"),
        ("noise", random.take(20_000).collect(), "no text"),
    ]
}

#[test]
fn binary_and_hidden_files_are_left_out_of_directories_and_named() {
    let place = Workspace::new();
    for (name, content, _) in binaries() {
        place.write(&format!("logs/{name}"), content);
    }
    place.write("logs/a.log", "line 1\nline 2\n");
    place.write("logs/.hidden.log", "hidden 1\n");
    place.write("logs/.cache/b.log", "hidden 2\n");
    for input in ["logs", "logs/*"] {
        let (ran, receipt) = place.logator(&[input, "-p", PATTERN, "--to", "-"], b"");
        assert_eq!((ran.code, account(&receipt)), (Some(0), [2, 2, 0, 0, 0, 0]), "{}", ran.stderr);
        let json: Value = serde_json::from_str(&place.text("receipt")).unwrap();
        let left_out = json["left_out"].as_array().unwrap();
        for (name, _, help) in binaries() {
            let path = format!("logs/{name}");
            let why = left_out.iter().find(|file| file["name"] == *path).unwrap_or_else(|| panic!("{path}: {json}"));
            assert!(why["why"].as_str().unwrap().contains(help), "{why}");
            let line = ran.stderr.lines().find(|line| line.contains(&format!("{path}: left out"))).expect(name);
            assert!(line.contains(help), "{line}");
        }
        let hidden = left_out.iter().filter(|file| file["why"] == "it is hidden").count();
        assert_eq!(hidden, if input == "logs" { 2 } else { 0 }, "{json}");
    }
    // A hidden file that is named is read.
    let (_, receipt) = place.logator(&["logs/.hidden.log", "-p", PATTERN, "--to", "-"], b"");
    assert_eq!(receipt.tally.stored, 1);
}

#[test]
fn a_binary_file_that_is_named_is_refused_in_the_same_words_and_the_others_are_read() {
    let place = Workspace::new();
    place.write("a.log", "line 1\n");
    for (name, content, help) in binaries() {
        place.write(name, &content);
        let (ran, receipt) = place.logator(&[name, "a.log", "-p", PATTERN, "--to", "-"], b"");
        assert_eq!((ran.code, account(&receipt)), (Some(3), [1, 1, 0, 0, 0, 0]), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains(&format!("{name}: not read, it is binary")), "{}", ran.stderr);
        assert!(ran.stderr.contains(help), "{}", ran.stderr);
        assert!(receipt.errors[0].contains(help), "{:?}", receipt.errors);
        let (ran, receipt) = place.logator(&["-", "-p", PATTERN, "--to", "-"], &content);
        assert_eq!((ran.code, receipt.read), (Some(3), 0), "{name}: {}", ran.stderr);
        assert!(ran.stderr.contains("-: not read, it is binary"), "{}", ran.stderr);
    }
    let ran = place.run("logator", &["grok", PATTERN, "app.db"], b"");
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("sqlite3 app.db"), "{}", ran.stderr);
}

#[test]
fn an_export_of_the_journal_is_read() {
    let place = Workspace::new();
    place.write("a.export", "__CURSOR=s=1;i=1\n__REALTIME_TIMESTAMP=1700000000000000\nMESSAGE=hello\n\n");
    let (ran, receipt) = place.logator(&["a.export", "--encoding", "latin1", "-p", PATTERN, "--to", "-"], b"");
    assert_eq!(receipt.tally.stored, 1, "{}", ran.stderr);
}

#[test]
fn excluded_files_are_not_read() {
    let place = Workspace::new();
    for name in ["a.log", "b.log", "old/c.log", "old/d.txt", "x/old/e.log", "f.gz"] {
        place.write(&format!("logs/{name}"), format!("{name}\n"));
    }
    for (excludes, expected) in [
        (&["*.gz"][..], &["a.log", "b.log", "old/c.log", "old/d.txt", "x/old/e.log"][..]),
        (&["old"], &["a.log", "b.log", "f.gz"]),
        (&["old/*.log", "f*"], &["a.log", "b.log", "old/d.txt"]),
        (&["*.log", "*.gz"], &["old/d.txt"]),
    ] {
        let flags: Vec<String> = excludes.iter().map(|glob| format!("--exclude={glob}")).collect();
        let arguments: Vec<&str> =
            ["logs", "-p", PATTERN, "--to", "-"].into_iter().chain(flags.iter().map(String::as_str)).collect();
        let (ran, _) = place.logator(&arguments, b"");
        let mut found: Vec<String> = crate::kit::workspace::objects(&ran.stdout)
            .iter()
            .map(|document| document["text"].as_str().unwrap().to_owned())
            .collect();
        found.sort();
        assert_eq!(found, expected, "{excludes:?} {}", ran.stderr);
        assert!(ran.stderr.contains("left out by --exclude"), "{}", ran.stderr);
    }
    // A whole path, and a file that is named, as a shell names it.
    let absolute = place.path("logs/a.log").display().to_string();
    let (ran, receipt) =
        place.logator(&["logs/a.log", "logs/b.log", "--exclude", &absolute, "-p", PATTERN, "--to", "-"], b"");
    assert_eq!((ran.code, receipt.read), (Some(0), 1), "{}", ran.stderr);
    let ran = place.run("logator", &["run", "logs", "--exclude", "["], b"");
    assert_eq!(ran.code, Some(2));
}

#[test]
fn a_followed_directory_leaves_out_the_same_files_also_those_that_appear_later() {
    let place = Workspace::new();
    place.write("logs/a.log", "a 1\n");
    place.write("logs/wtmp", login());
    place.write("logs/.hidden.log", "hidden\n");
    place.write("logs/a.tmp", "excluded\n");
    let arguments =
        ["run", "--follow", "logs", "--exclude", "*.tmp", "-p", PATTERN, "--receipt", "receipt", "--to", "ndjson:out"];
    let mut running = place.start("logator", &arguments);
    running.wait_ready();
    place.write("logs/later.db", [&b"SQLite format 3\0\x10\0"[..], &[1; 4000]].concat());
    place.write("logs/later.tar.gz", gzip(&tar()));
    place.write("logs/.later.log", "hidden\n");
    place.write("logs/later.tmp", "excluded\n");
    place.write("logs/later.log", "later 1\n");
    // The last file is seen only after the others.
    place.write("logs/zz.log", "z 1\n");
    let out = || std::fs::read_to_string(place.path("out")).unwrap_or_default();
    wait_for("documents", PATIENCE, || (out().lines().count() >= 3).then_some(()));
    running.signal(Signal::SIGTERM);
    let ran = running.end_with_input_open();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let mut found: Vec<String> =
        place.objects("out").iter().map(|document| document["text"].as_str().unwrap().to_owned()).collect();
    found.sort();
    assert_eq!(found, ["a 1", "later 1", "z 1"]);
    let json: Value = serde_json::from_str(&place.text("receipt")).unwrap();
    for (name, help) in [("logs/wtmp", "last -f"), ("logs/later.db", "sqlite3"), ("logs/.hidden.log", "hidden")] {
        let left_out = json["left_out"].as_array().unwrap();
        let file = left_out.iter().find(|file| file["name"] == name).unwrap_or_else(|| panic!("{name}: {json}"));
        assert!(file["why"].as_str().unwrap().contains(help), "{file}");
    }
}
