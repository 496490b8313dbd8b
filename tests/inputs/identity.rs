//! Lines that count as the same line, because the content identifies a source.

use crate::kit::logs::{access, access_line, bzip2, gzip, xz, zstd};
use crate::kit::workspace::{Workspace, account, objects};

#[test]
fn a_renamed_or_recompressed_file_is_the_same_source() {
    let place = Workspace::new();
    let content = access(0..300);
    let to = place.at("sqlite:", "logs.db");
    let arguments = ["-f", "combined", "--to", &to];
    place.write("access.log", &content);
    let (ran, receipt) = place.logator(&[&["access.log"], &arguments[..]].concat(), b"");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [300, 300, 0, 0, 0, 0]), "{}", ran.stderr);
    place.write("access.log.1", &content);
    place.write("access.log.2.gz", gzip(&content));
    place.write("access.log.3.zst", zstd(&content));
    place.write("access.log.4.bz2", bzip2(&content));
    place.write("access.log.5.xz", xz(&content));
    let names = ["access.log.1", "access.log.2.gz", "access.log.3.zst", "access.log.4.bz2", "access.log.5.xz", "-"];
    for name in names {
        let (ran, receipt) = place.logator(&[&[name], &arguments[..]].concat(), &content);
        assert_eq!((ran.code, account(&receipt)), (Some(0), [300, 0, 300, 0, 0, 0]), "{name}");
    }
    assert_eq!(rows(&place), 300);
}

#[test]
fn of_a_file_that_grew_only_the_new_lines_are_stored() {
    let place = Workspace::new();
    let to = place.at("sqlite:", "logs.db");
    // One line alone, then one line without its newline, then more lines.
    for (length, expected) in [(1, [1, 1, 0, 0, 0, 0]), (20, [20, 19, 1, 0, 0, 0]), (500, [500, 480, 20, 0, 0, 0])] {
        place.write("access.log", access(0..length));
        let (ran, receipt) = place.logator(&["access.log", "-f", "combined", "--to", &to], b"");
        assert_eq!((ran.code, account(&receipt)), (Some(0), expected));
    }
    assert_eq!(rows(&place), 500);
}

#[test]
fn of_two_files_with_the_same_header_each_line_is_stored_and_the_header_lines_are_filtered() {
    let place = Workspace::new();
    let header = b"#Fields: date time c-ip cs-method cs-uri-stem sc-status\n".to_vec();
    // The second lines differ. They are at the same offset, or have the same length as well.
    place.write("a.log", [header.clone(), access(100..200)].concat());
    place.write("b.log", [header, access(200..300)].concat());
    let to = place.at("sqlite:", "logs.db");
    let (ran, receipt) = place.logator(&["a.log", "b.log", "-f", "combined", "--to", &to], b"");
    assert_eq!(ran.code, Some(0));
    assert_eq!(account(&receipt), [202, 200, 0, 0, 0, 2]);
    assert_eq!(rows(&place), 200);
}

#[test]
fn origin_path_keeps_identical_files_apart() {
    let place = Workspace::new();
    place.write("a.log", access(0..100));
    place.write("b.log", access(0..100));
    let to = place.at("sqlite:", "logs.db");
    let arguments = ["a.log", "b.log", "-f", "combined", "--to", &to, "--origin", "path"];
    let (ran, receipt) = place.logator(&arguments, b"");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [200, 200, 0, 0, 0, 0]));
    let (ran, receipt) = place.logator(&arguments, b"");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [200, 0, 200, 0, 0, 0]));
    assert_eq!(rows(&place), 200);
}

#[test]
fn an_origin_of_ones_own_is_for_one_input() {
    let place = Workspace::new();
    place.write("a.log", access(0..1));
    place.write("b.log", access(0..1));
    let ran = place.run("logator", &["run", "a.log", "b.log", "--origin", "web"], b"");
    assert_eq!(ran.code, Some(2));
    let words = "logator: --origin web: a name is for one input, and there are 2; use --origin path\n";
    assert_eq!(ran.stderr, words);
    let id = |origin: &str| {
        let (ran, _) = place.logator(&["a.log", "--origin", origin, "-f", "combined"], b"");
        objects(&ran.stdout)[0]["_id"].to_string()
    };
    assert_ne!(id("web"), id("mail"));
    assert_eq!(id("web"), id("web"));
}

#[test]
fn identical_lines_of_one_file_stand_at_different_offsets_and_are_all_kept() {
    let place = Workspace::new();
    let content = format!("{}\n", access_line(7)).repeat(100);
    let (ran, receipt) = place.logator(&["-f", "combined"], content.as_bytes());
    assert_eq!((ran.code, account(&receipt)), (Some(0), [100, 100, 0, 0, 0, 0]));
    let ids: std::collections::HashSet<String> =
        objects(&ran.stdout).iter().map(|object| object["_id"].to_string()).collect();
    assert_eq!(ids.len(), 100);
}

fn rows(place: &Workspace) -> u64 {
    let database = rusqlite::Connection::open(place.path("logs.db")).unwrap();
    database.query_row("select count(*) from logs", [], |row| row.get(0)).unwrap()
}
