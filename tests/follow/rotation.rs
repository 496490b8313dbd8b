//! Files that are renamed, copied and truncated, or deleted while they are followed.

use std::fs;
use std::io::Write as _;

use super::{WAYS, append, expect, expect_all, follow, numbered, stop, wait_until};
use crate::kit::workspace::Workspace;
use crate::kit::{PATIENCE, wait_for};

fn text(range: std::ops::Range<usize>) -> String {
    range.map(|number| numbered(number) + "\n").collect()
}

#[test]
fn fifty_rotations_by_rename_under_load_and_late_lines_to_the_old_file() {
    let place = Workspace::new();
    let log = place.write("app.log", "");
    fs::create_dir(place.path("old")).unwrap();
    let running = follow(&place, &["--follow", "app.log"]);
    let mut written = 0;
    let mut add = |file: &mut fs::File, lines: usize| {
        for _ in 0..lines {
            writeln!(file, "{}", numbered(written)).unwrap();
            written += 1;
        }
        written
    };
    let open = || fs::OpenOptions::new().append(true).create(true).open(&log).unwrap();
    let mut file = open();
    let first = add(&mut file, 1);
    wait_until(&place, first);
    for rotation in 0..50 {
        add(&mut file, 400);
        // The new name is not followed.
        fs::rename(&log, place.path(&format!("old/app.log.{rotation}"))).unwrap();
        add(&mut file, 200);
        let mut next = open();
        add(&mut next, 100);
        // The writer does not know yet that the file was renamed.
        let all = add(&mut file, 100);
        // A file that appears and disappears between two checks cannot be found, so the test waits for its lines.
        wait_until(&place, all);
        file = next;
    }
    stop(running);
    expect_all(&place, 1 + 50 * 800);
}

#[test]
fn under_a_glob_that_covers_the_rotated_names_no_rotation_is_too_fast() {
    for how in WAYS {
        let place = Workspace::new();
        let name = |number: usize| {
            place.path(&match number {
                0 => "app.log".to_owned(),
                number => format!("app.log.{number}"),
            })
        };
        let running = follow(&place, &[how, "app.log*"]);
        for rotation in 0..30 {
            append(&name(0), text(rotation * 300..rotation * 300 + 300));
            for number in (0..rotation).rev() {
                fs::rename(name(number), name(number + 1)).unwrap();
            }
        }
        wait_until(&place, 30 * 300);
        stop(running);
        expect_all(&place, 30 * 300);
    }
}

#[test]
fn of_a_file_that_is_copied_and_truncated_the_copy_gives_what_was_not_read_and_nothing_twice() {
    for how in WAYS {
        let place = Workspace::new();
        let log = place.write("app.log", "");
        let running = follow(&place, &[how, "app.log*"]);
        for round in 0..20 {
            // Some bytes are read before the truncation, others are not.
            append(&log, text(round * 500..round * 500 + 300));
            if round % 3 == 0 {
                wait_until(&place, round * 500 + 300);
            }
            append(&log, text(round * 500 + 300..round * 500 + 500));
            fs::copy(&log, place.path(&format!("app.log.{round}"))).unwrap();
            fs::OpenOptions::new().write(true).truncate(true).open(&log).unwrap();
        }
        wait_until(&place, 20 * 500);
        append(&log, "the end\n");
        wait_until(&place, 20 * 500 + 1);
        stop(running);
        let out = super::delivered(&place);
        assert_eq!(out.iter().filter(|line| *line == "the end").count(), 1);
        let rest: Vec<&String> = out.iter().filter(|line| *line != "the end").collect();
        assert_eq!(rest.len(), 20 * 500, "{how}");
        let distinct: std::collections::HashSet<&String> = rest.into_iter().collect();
        assert_eq!(distinct.len(), 20 * 500, "{how}");
    }
}

#[test]
fn a_file_that_was_truncated_and_has_grown_beyond_where_it_was_is_another_content() {
    for how in WAYS {
        let place = Workspace::new();
        let log = place.write("app.log", "one\ntwo\n");
        let running = follow(&place, &[how, "app.log"]);
        expect(&place, &["one", "two"]);
        running.freeze();
        place.write("app.log", "1\n2\n3\n4\n5\n6\n");
        running.signal(nix::sys::signal::Signal::SIGCONT);
        expect(&place, &["one", "two", "1", "2", "3", "4", "5", "6"]);
        // The file gets the same size as before.
        running.freeze();
        place.write("app.log", "a\nb\nc\nd\ne\nf\n");
        running.signal(nix::sys::signal::Signal::SIGCONT);
        wait_until(&place, 14);
        append(&log, "g\n");
        expect(&place, &["one", "two", "1", "2", "3", "4", "5", "6", "a", "b", "c", "d", "e", "f", "g"]);
        stop(running);
    }
}

#[test]
fn a_deleted_file_is_read_to_its_end_and_closed_and_one_made_again_is_a_new_content() {
    let place = Workspace::new();
    let log = place.write("app.log", "one\n");
    let running = follow(&place, &["--follow", "app.log"]);
    expect(&place, &["one"]);
    let open = running.open_files();
    let mut file = fs::OpenOptions::new().append(true).open(&log).unwrap();
    fs::remove_file(&log).unwrap();
    file.write_all(b"two\nthree").unwrap();
    expect(&place, &["one", "two"]);
    append(&log, "new\n");
    expect(&place, &["one", "two", "new"]);
    wait_for("the deleted file to be closed", PATIENCE, || (running.open_files() == open).then_some(()));
    expect(&place, &["one", "two", "new", "three"]);
    stop(running);
}

#[test]
fn a_compressed_copy_of_what_was_followed_is_not_delivered_and_another_compressed_file_is() {
    let place = Workspace::new();
    place.write("app.log", text(0..1000));
    let mut running = follow(&place, &["--follow", "app.log*"]);
    wait_until(&place, 1000);
    let pack = |name: &str, content: String| {
        let path = place.write("packing", crate::kit::logs::gzip(content.as_bytes()));
        let file = fs::File::open(&path).unwrap();
        // gzip does this too: the compressed file gets the time of the original.
        file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
        fs::rename(path, place.path(name)).unwrap();
    };
    pack("app.log.2.gz", text(0..1000));
    pack("app.log.3.gz", text(1000..1500));
    wait_until(&place, 1500);
    place.write("app.log.4.gz", b"\x1f\x8b\x08 is not gzip");
    running.says("app.log.4.gz: damaged gzip data");
    running.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(running.end_with_input_open().code, Some(3));
    expect_all(&place, 1500);
}
