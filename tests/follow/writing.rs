//! The ways in which lines come: slowly, in halves, without a newline, too long.

use nix::sys::signal::Signal;

use super::{WAYS, append, delivered, expect, expect_all, follow, numbered, stop, wait_until};
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, wait_for};

#[test]
fn lines_are_delivered_as_they_come_and_not_before_they_are_whole() {
    for how in WAYS {
        let place = Workspace::new();
        let log = place.write("app.log", "one\ntwo\n");
        let running = follow(&place, &[how, "app.log"]);
        expect(&place, &["one", "two"]);
        append(&log, "th");
        append(&log, "ree\nfo");
        expect(&place, &["one", "two", "three"]);
        append(&log, "u");
        append(&log, "r\r\n\nsix\n");
        expect(&place, &["one", "two", "three", "four", "", "six"]);
        let ran = stop(running);
        assert!(ran.stderr.contains("SIGTERM: reading stops"), "{}", ran.stderr);
        let receipt = place.receipt("receipt");
        assert_eq!((receipt.read, receipt.exit_code()), (6, 0), "{how}");
    }
}

#[test]
fn what_is_there_already_is_read_whole_and_the_rest_as_it_is_written() {
    let place = Workspace::new();
    let text = |range: std::ops::Range<usize>| range.map(|n| numbered(n) + "\n").collect::<String>();
    let log = place.write("app.log", text(0..100_000));
    let running = follow(&place, &["--follow", "app.log"]);
    for start in (100_000..120_000).step_by(100) {
        append(&log, text(start..start + 100));
    }
    wait_until(&place, 120_000);
    stop(running);
    expect_all(&place, 120_000);
}

#[test]
fn a_last_line_without_its_end_is_taken_after_a_time_and_what_comes_then_is_the_next_line() {
    let place = Workspace::new();
    let log = place.write("app.log", "one\npart");
    let running = follow(&place, &["--follow", "app.log", "--follow-timeout", "0.2"]);
    expect(&place, &["one", "part"]);
    // Only the newline comes, so no line is added.
    append(&log, "\n");
    append(&log, "x");
    expect(&place, &["one", "part", "x"]);
    append(&log, "yz\nnext\n");
    expect(&place, &["one", "part", "x", "yz", "next"]);
    append(&log, "dos");
    expect(&place, &["one", "part", "x", "yz", "next", "dos"]);
    append(&log, "\r");
    append(&log, "\nlast\n");
    expect(&place, &["one", "part", "x", "yz", "next", "dos", "last"]);
    stop(running);
    let ids: std::collections::HashSet<String> =
        place.objects("out").iter().map(|object| object["_id"].to_string()).collect();
    assert_eq!(ids.len(), 7);
    // The documents of whole lines are the same as the documents of a run that reads the present file.
    let (_, receipt) = place.logator(&["app.log", "-p", "%{GREEDYDATA:line}", "--to", "ndjson:whole"], b"");
    assert_eq!(receipt.read, 6);
    let id = |file: &str, line: &str| {
        let objects = place.objects(file);
        objects.iter().find(|object| object["line"] == line).map(|object| object["_id"].to_string())
    };
    for line in ["one", "part", "next", "dos", "last"] {
        assert_eq!(id("out", line), id("whole", line), "{line}");
    }
    assert!(id("whole", "xyz").is_some());
}

#[test]
fn at_the_end_a_line_without_its_end_is_delivered_where_nothing_remembers_it() {
    let place = Workspace::new();
    place.write("app.log", "one\npart");
    let running = follow(&place, &["--follow", "app.log"]);
    expect(&place, &["one"]);
    stop(running);
    assert_eq!(delivered(&place), ["one", "part"]);
}

#[test]
fn a_line_without_end_takes_no_more_memory_than_a_line_may_have() {
    let place = Workspace::new();
    let log = place.write("app.log", "one\n");
    let mut running = follow(&place, &["--follow", "app.log", "--max-line", "64KiB"]);
    expect(&place, &["one"]);
    let before = running.most_memory().unwrap();
    let block = vec![b'x'; 1 << 20];
    (0..200).for_each(|_| append(&log, &block));
    append(&log, "\ntwo\n");
    expect(&place, &["one", "two"]);
    let grown = running.most_memory().unwrap() - before;
    assert!(grown < 16 << 10, "{grown} kB more");
    running.signal(Signal::SIGTERM);
    running.says("dead-lettered               1");
    assert_eq!(running.end_with_input_open().code, Some(1));
    assert_eq!(account(&place.receipt("receipt")), [3, 2, 0, 0, 1, 0]);
    let letter = &place.objects("dead-letters.ndjson")[0];
    assert_eq!((letter["offset"].as_u64(), letter["length"].as_u64()), (Some(4), Some(200 << 20)), "{letter}");
}

#[test]
fn a_queue_follows_as_well() {
    let place = Workspace::new();
    let log = place.write("app.log", "one\n");
    let worker = place.worker(&["-p", "%{GREEDYDATA:line}", "--to", "ndjson:out"]);
    let queue = place.queue(&["--follow", "app.log"]);
    expect(&place, &["one"]);
    append(&log, "two\n");
    expect(&place, &["one", "two"]);
    stop(queue);
    assert_eq!(worker.end().code, Some(0));
    assert_eq!(place.receipt("queue.json").read, 2);
}

#[test]
fn what_cannot_be_followed_is_said() {
    let place = Workspace::new();
    place.write("a.log.gz", crate::kit::logs::gzip(b"one\n"));
    for (arguments, words) in [
        (&["-"][..], "-: standard input cannot be followed, it is read as it comes; leave --follow out"),
        (&[], "--follow: name files, directories or globs; standard input is read as it comes"),
        (&["a.log.gz"], "--follow a.log.gz: a compressed file is complete and read once; leave --follow out"),
        (&["there/a.log"], "there/a.log: no such file, and no directory in which it could appear"),
        (&["there/*.log"], "there/*.log: no file matches, and no directory in which one could appear"),
    ] {
        let ran = place.run("logator", &[&["run", "--follow"], arguments].concat(), b"");
        assert_eq!((ran.code, ran.stderr), (Some(2), format!("logator: {words}\n")));
    }
}

/// `benches/record/follow.md` has the whole idle cost; this test keeps the main part from growing again.
#[test]
fn nothing_wakes_while_nothing_is_written() {
    let place = Workspace::new();
    place.write("app.log", "one\n");
    let running = follow(&place, &["--follow", "app.log", "--state", "state"]);
    expect(&place, &["one"]);
    let switches = |pid: u32| -> u64 {
        let tasks = std::fs::read_dir(format!("/proc/{pid}/task")).unwrap();
        let status = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("status")).unwrap();
        let of = |status: String| -> u64 {
            let lines = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
            lines.map(|(_, count)| count.trim().parse::<u64>().unwrap()).sum()
        };
        tasks.map(|task| of(status(task.unwrap()))).sum()
    };
    // Everything that came is settled and synced.
    let mut last = (switches(running.id()), std::time::Instant::now());
    let second = std::time::Duration::from_secs(1);
    wait_for("five seconds with fewer than ten switches", PATIENCE, || {
        let now = switches(running.id());
        if now - last.0 >= 10 {
            last = (now, std::time::Instant::now());
        }
        (last.1.elapsed() > 5 * second).then_some(())
    });
    stop(running);
}
