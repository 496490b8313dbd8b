//! Tests which contents count as the same: renamed, rotated, compressed, grown, changed and similar ones.

use std::io::Write as _;

use logator::observe::receipt::Receipt;
use logator::state::Stamp;
use logator::state::journal::{self, Decoded, Done, Record};

use crate::kit::logs::{access, access_line, bzip2, gzip, xz, zstd};
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, wait_for};

/// Runs `logator run` with the state directory `state`, and appends its documents to `out`. Returns its receipt, and
/// the `message`s or page numbers of the delivered lines.
pub fn run(place: &Workspace, arguments: &[&str], input: &[u8]) -> (Receipt, Vec<String>) {
    let before = std::fs::read_to_string(place.path("out")).unwrap_or_default().lines().count();
    // One worker keeps lines in order. Without a pattern, documents hold their lines.
    let fixed = ["--state", "state", "-p", "%{GREEDYDATA:line}", "-j", "1", "--to", "ndjson:out"];
    let (ran, receipt) = place.logator(&[arguments, &fixed].concat(), input);
    assert_eq!(ran.code, Some(receipt.exit_code().into()), "{}", ran.stderr);
    assert!(receipt.agrees, "{receipt:?}");
    let out = place.objects("out");
    (receipt, out[before..].iter().map(|object| object["line"].as_str().unwrap_or("").to_owned()).collect())
}

/// Returns the access lines whose numbers are in `range`.
pub fn lines(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(access_line).collect()
}

#[test]
fn what_is_settled_is_not_delivered_again_whatever_the_file_is_called_and_however_it_is_compressed() {
    let place = Workspace::new();
    let content = access(0..3000);
    place.write("access.log", &content);
    let (receipt, delivered) = run(&place, &["access.log"], b"");
    assert_eq!((receipt.read, receipt.resumed_lines, delivered), (3000, 0, lines(0..3000)));
    place.write("access.log.1", &content);
    place.write("access.log.2.gz", gzip(&content));
    place.write("access.log.3.gz", [gzip(&content[..100_000]), gzip(&content[100_000..])].concat());
    place.write("access.log.4.zst", zstd(&content));
    place.write("access.log.5.bz2", bzip2(&content));
    place.write("access.log.6.xz", xz(&content));
    for name in ["access.log", "access.log.1", "access.log.2.gz", "access.log.3.gz", "access.log.4.zst"]
        .into_iter()
        .chain(["access.log.5.bz2", "access.log.6.xz", "-"])
    {
        let (receipt, delivered) = run(&place, &[name], &content);
        assert_eq!((receipt.exit_code(), account(&receipt)), (0, [0; 6]), "{name}");
        assert_eq!((receipt.resumed_lines, receipt.resumed_bytes), (3000, content.len() as u64), "{name}");
        assert_eq!(delivered, [""; 0], "{name}");
    }
}

#[test]
fn a_rerun_says_that_nothing_was_left_to_do() {
    let place = Workspace::new();
    place.write("access.log", access(0..10));
    run(&place, &["access.log"], b"");
    let ran = place.run("logator", &["run", "access.log", "--state", "state", "-f", "combined"], b"");
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""));
    let words =
        "resumed: 10 lines, 1.4 kB, were settled by an earlier run and are not delivered again; nothing was left to do";
    assert!(ran.stderr.contains(words), "{}", ran.stderr);
}

#[test]
fn of_a_file_that_grew_only_the_new_lines_are_delivered_also_when_it_was_rotated_and_compressed_meanwhile() {
    let place = Workspace::new();
    let mut total = 0;
    for (index, length) in [1, 2, 50, 4000, 4001, 9000].into_iter().enumerate() {
        let content = access(0..length);
        let name = format!("access.log.{index}");
        place.write(&name, if index % 2 == 0 { content } else { gzip(&content) });
        let (receipt, delivered) = run(&place, &[&name], b"");
        assert_eq!((receipt.resumed_lines, delivered), (total as u64, lines(total..length)));
        total = length;
    }
    // Adjacent extents are joined over runs, so the number of runs alone does not make the journal grow.
    let (receipt, delivered) = run(&place, &["access.log.5"], b"");
    assert_eq!((receipt.resumed_lines, delivered.len()), (9000, 0));
}

#[test]
fn a_last_line_that_has_become_longer_is_another_line_and_one_that_got_its_newline_is_the_same() {
    let place = Workspace::new();
    place.write("log", "one\ntwo");
    assert_eq!(run(&place, &["log"], b"").1, ["one", "two"]);
    assert_eq!(run(&place, &["log"], b"").1, [""; 0]);
    place.write("log", "one\ntwo-and-a-half\nthree");
    assert_eq!(run(&place, &["log"], b"").1, ["two-and-a-half", "three"]);
    place.write("log", "one\ntwo-and-a-half\nthree\n");
    assert_eq!(run(&place, &["log"], b"").1, [""; 0]);
    place.write("log", "one\ntwo-and-a-half\nthree\r\nfour\r\n");
    assert_eq!(run(&place, &["log"], b"").1, ["four"]);
    // A content that is cut in the middle of a line is another content from the extent of that line on.
    place.write("log", "one\ntw");
    assert_eq!(run(&place, &["log"], b"").1, ["one", "tw"]);
}

#[test]
fn files_that_share_a_header_are_told_apart_by_every_byte() {
    let place = Workspace::new();
    let header = "#Fields: date time c-ip cs-method cs-uri-stem sc-status\n";
    // A few lines in the middle differ, and all lines have one length.
    let file = |odd: usize| -> String {
        let line = |index: usize| if index == odd { "status BAD\n" } else { "status ok.\n" };
        header.to_owned() + &(0..30_000).map(line).collect::<String>()
    };
    for (name, odd) in [("a", 10), ("b", 17_000), ("c", 29_999), ("d", 40_000)] {
        place.write(name, file(odd));
    }
    let small = ["--batch-lines", "100"];
    let (_, delivered) = run(&place, &[&["a"], &small[..]].concat(), b"");
    // The header line has no document.
    assert_eq!(delivered.len(), 30_000);
    for (name, odd) in [("b", Some(17_000)), ("c", Some(29_999)), ("d", None)] {
        let (receipt, delivered) = run(&place, &[&[name], &small[..]].concat(), b"");
        let bad = delivered.iter().filter(|line| *line == "status BAD").count();
        assert_eq!(bad, odd.iter().count(), "the line by which {name} differs from the others is delivered");
        assert!(delivered.len() > 100 && receipt.read + receipt.resumed_lines == 30_001, "{name}: {receipt:?}");
    }
    for name in ["a", "b", "c", "d"] {
        assert_eq!(run(&place, &[name], b"").1, [""; 0], "{name} is settled, whatever the size of batches");
    }
    let (receipt, delivered) = run(&place, &["a", "b", "c", "d"], b"");
    assert_eq!((delivered.len(), receipt.resumed_lines), (0, 4 * 30_001));
}

#[test]
fn two_files_with_equal_content_are_both_delivered_by_one_run_and_both_settled_for_the_next() {
    let place = Workspace::new();
    place.write("a", access(0..500));
    place.write("b", access(0..500));
    let (receipt, delivered) = run(&place, &["a", "b"], b"");
    assert_eq!((delivered.len(), receipt.resumed_lines), (1000, 0), "without a look at the clock");
    place.write("c", access(0..500));
    let (receipt, delivered) = run(&place, &["a", "b", "c"], b"");
    assert_eq!((delivered.len(), receipt.resumed_lines), (0, 1500));
    // Their documents have the same ids.
    let ids: std::collections::HashSet<String> =
        place.objects("out").iter().map(|object| object["_id"].to_string()).collect();
    assert_eq!(ids.len(), 500);
}

#[test]
fn the_same_file_under_two_names_loses_nothing_and_doubles_nothing_that_an_id_can_meet() {
    let place = Workspace::new();
    let path = place.write("a", access(0..500));
    std::fs::hard_link(path, place.path("b")).unwrap();
    let arguments = ["a", "b", "--state", "state", "-f", "combined", "--to", "sqlite:logs.db"];
    let (_, receipt) = place.logator(&arguments, b"");
    assert_eq!(account(&receipt), [1000, 500, 500, 0, 0, 0]);
    let (_, receipt) = place.logator(&arguments, b"");
    assert_eq!((account(&receipt), receipt.resumed_lines), ([0; 6], 1000));
}

#[test]
fn origin_path_and_names_have_a_memory_each() {
    let place = Workspace::new();
    place.write("a", access(0..100));
    place.write("b", access(0..100));
    let path = ["--origin", "path"];
    assert_eq!(run(&place, &[&["a"], &path[..]].concat(), b"").1.len(), 100);
    assert_eq!(run(&place, &[&["b"], &path[..]].concat(), b"").1.len(), 100, "another path");
    assert_eq!(run(&place, &[&["a", "b"], &path[..]].concat(), b"").1.len(), 0);
    assert_eq!(run(&place, &["a"], b"").1.len(), 100, "another name of the same content");
    assert_eq!(run(&place, &["a", "--origin", "web"], b"").1.len(), 100);
    assert_eq!(run(&place, &["--origin", "web"], &access(0..101)).1, lines(100..101), "standard input, by its name");
}

#[test]
fn standard_input_is_known_by_its_first_line_or_by_its_name() {
    let place = Workspace::new();
    assert_eq!(run(&place, &[], &access(0..2000)).1.len(), 2000);
    assert_eq!(run(&place, &[], &access(0..2500)).1, lines(2000..2500));
    assert_eq!(run(&place, &[], &gzip(&access(0..2600))).1, lines(2500..2600));
    assert_eq!(run(&place, &[], &access(5..10)).1, lines(5..10), "another first line, another content");
    let named = ["--origin", "web"];
    assert_eq!(run(&place, &named, &access(0..2000)).1.len(), 2000);
    assert_eq!(run(&place, &named, &access(0..2500)).1, lines(2000..2500));
    // Another content comes under the same name: none of it counts as settled.
    assert_eq!(run(&place, &named, &access(3000..3500)).1, lines(3000..3500));
    assert_eq!(run(&place, &named, &[access(0..100), access(7000..7005)].concat()).1.len(), 105);
}

#[test]
fn a_live_input_is_not_held_up_by_what_it_might_turn_out_to_be() {
    let place = Workspace::new();
    let arguments = ["--state", "state", "-p", "%{GREEDYDATA:line}", "--to", "ndjson:out", "--origin", "web"];
    place.logator(&arguments, &access(0..2000));
    // The first line is the same, and then the input pauses.
    let mut live = place.start("logator", &[&["run", "--receipt", "receipt"], &arguments[..]].concat());
    live.feed(&access(0..1));
    wait_for("the line that was held back", PATIENCE, || (place.objects("out").len() == 2001).then_some(()));
    live.feed(&access(9000..9010));
    wait_for("the lines behind it, at once", PATIENCE, || (place.objects("out").len() == 2011).then_some(()));
    assert_eq!(live.end().code, Some(0));
    assert_eq!(place.receipt("receipt").read, 11);
}

#[test]
fn a_gap_is_filled_with_the_same_ids() {
    let place = Workspace::new();
    let content = access(0..1000);
    let text = String::from_utf8(content.clone()).unwrap();
    let all: Vec<&str> = text.lines().collect();
    // The documents of a run over the whole content.
    let (ran, _) = place.logator(&["-f", "combined"], &content);
    let ids = |text: &str| {
        let mut ids: Vec<String> =
            crate::kit::workspace::objects(text).iter().map(|object| object["_id"].to_string()).collect();
        ids.sort();
        ids
    };
    let whole = ids(&ran.stdout);
    // The queue's workers acknowledge the first and the third hundred, and then the queue is killed.
    let mut queue = place.queue(&["--state", "state", "--batch-lines", "100", "--lease", "3600"]);
    queue.feed(&content);
    queue.close_input();
    let peer = crate::kit::peer::Peer::connect(&place.endpoint());
    let mut leases = Vec::new();
    for _ in 0..3 {
        let logator::net::wire::Answer::Batch { lease, batch, .. } = peer.reserve() else { panic!("no batch") };
        leases.push((lease, batch));
    }
    let first = leases[0].1.offset + leases[0].1.data.len() as u64;
    let [second, third] = [1, 2].map(|index: usize| (leases[index].1.offset, leases[index].1.data.len() as u64));
    for index in [0, 2] {
        peer.ack_stored(leases[index].0, leases[index].1.records);
    }
    // The journal has a header and two extents, which a separate thread writes.
    let journal = place.path("state/journal");
    wait_for("the journal", PATIENCE, || {
        std::fs::metadata(&journal).is_ok_and(|data| data.len() >= 16 + 86).then_some(())
    });
    queue.kill();
    assert_eq!((first, second.0 + second.1), (second.0, third.0));
    let (ran, receipt) = place.logator(&["--state", "state", "-f", "combined"], &content);
    let rest = 1000 - u64::from(leases[0].1.records + leases[2].1.records);
    assert_eq!((receipt.read, receipt.resumed_lines), (rest, 1000 - rest));
    let rest = ids(&ran.stdout);
    assert!(rest.iter().all(|id| whole.binary_search(id).is_ok()), "the same ids as in one run");
    let texts = crate::kit::workspace::objects(&ran.stdout);
    let skipped: Vec<&str> = all
        .iter()
        .filter(|line| !texts.iter().any(|object| line.contains(object["request"].as_str().unwrap_or("none"))))
        .copied()
        .collect();
    assert_eq!(skipped.len() as u64, receipt.resumed_lines);
}

#[test]
fn what_the_reader_sets_aside_is_settled_as_well() {
    let place = Workspace::new();
    let long = "x".repeat(5000);
    let content = format!("one\n{long}\ntwo\n{long}{long}\n{long}");
    let arguments = ["--max-line", "100", "--batch-bytes", "1000"];
    let (receipt, delivered) = run(&place, &arguments, content.as_bytes());
    assert_eq!((account(&receipt), delivered.len()), ([5, 2, 0, 0, 3, 0], 2));
    assert_eq!(place.objects("dead-letters.ndjson").len(), 3);
    let (receipt, _) = run(&place, &arguments, content.as_bytes());
    assert_eq!((receipt.exit_code(), account(&receipt), receipt.resumed_lines), (0, [0; 6], 5));
    // With a larger bound they are not long lines, but they are settled all the same.
    let (receipt, _) = run(&place, &[], format!("{content}\nthree\n").as_bytes());
    assert_eq!((account(&receipt), receipt.resumed_lines), ([1, 1, 0, 0, 0, 0], 5));
    assert_eq!(place.objects("dead-letters.ndjson").len(), 3);
}

#[test]
fn lines_that_were_filtered_or_set_aside_by_a_worker_are_settled() {
    let place = Workspace::new();
    for what in ["drop", "dead-letter"] {
        let arguments = ["--state", what, "-f", "combined", "--unmatched", what, "--to", "null:"];
        let (_, receipt) = place.logator(&arguments, b"no access line\nneither\n");
        assert_eq!(receipt.read, 2);
        let (_, receipt) = place.logator(&arguments, b"no access line\nneither\n");
        assert_eq!((account(&receipt), receipt.resumed_lines), ([0; 6], 2), "{what}");
    }
}

/// Returns the time of a file's latest change, in nanoseconds since 1970.
fn changed(path: &std::path::Path) -> i64 {
    let stamp = Stamp::of(&std::fs::metadata(path).unwrap()).unwrap();
    stamp.changed.max(stamp.modified)
}

#[test]
fn a_file_of_which_all_is_settled_is_not_read_until_somebody_touches_it() {
    let place = Workspace::new();
    let path = place.write("log.gz", gzip(&access(0..100)));
    // Before two seconds have passed, the file's times cannot prove that the file no longer changes.
    wait_for("two seconds without a change", PATIENCE, || {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as i64;
        (now - changed(&path) > 2_100_000_000).then_some(())
    });
    run(&place, &["log.gz"], b"");
    let journal = std::fs::read(place.path("state/journal")).unwrap();
    let Decoded::Records(records, _) = journal::decode(&journal) else { panic!("no journal") };
    let [Record::Extent(_), Record::Done(done)] = records[..] else { panic!("{records:?}") };
    assert_eq!((done.lines, done.length), (100, access(0..100).len() as u64));
    // With this record alone, a run has no extents to compare. It skips the file without reading it.
    let alone = |done: Done| {
        let mut bytes = journal::header().to_vec();
        journal::encode(&Record::Done(done), 0, &mut bytes);
        std::fs::write(place.path("state/journal"), bytes).unwrap();
    };
    alone(done);
    let (receipt, _) = run(&place, &["log.gz", "--max-line", "50", "--batch-bytes", "100"], b"");
    assert_eq!(receipt.resumed_lines, 100, "once, though its first line is a long one here");
    let (receipt, delivered) = run(&place, &["log.gz"], b"");
    assert_eq!((receipt.resumed_lines, receipt.resumed_bytes, delivered.len()), (100, done.length, 0));
    // Another name, which gives another origin; another file with the same bytes; the same file, touched.
    assert_eq!(run(&place, &["log.gz", "--origin", "web"], b"").1.len(), 100);
    std::fs::copy(&path, place.path("copy.gz")).unwrap();
    alone(done);
    assert_eq!(run(&place, &["copy.gz"], b"").1.len(), 100);
    alone(done);
    std::fs::File::options().append(true).open(&path).unwrap().write_all(&gzip(&access(100..105))).unwrap();
    assert_eq!(run(&place, &["log.gz"], b"").1.len(), 105);
}

#[test]
fn a_file_that_has_just_changed_is_compared_and_not_taken_for_what_it_was() {
    let place = Workspace::new();
    place.write("log", access(0..100));
    run(&place, &["log"], b"");
    let journal = std::fs::read(place.path("state/journal")).unwrap();
    assert_eq!(journal.len(), journal::HEADER + 43, "an extent, and not a word about the file");
    // The file keeps its length and one byte differs, perhaps within the same tick of the clock.
    let other = String::from_utf8(access(0..100)).unwrap().replace("GET /page/50 ", "PUT /page/50 ");
    place.write("log", &other);
    assert_eq!(run(&place, &["log"], b"").1.len(), 100);
}
