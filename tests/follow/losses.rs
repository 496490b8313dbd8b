//! Files that cannot be read in time, because nobody takes lines or because there are too few descriptors. Nothing is lost that can
//! be read, and the program reports each loss.

use std::collections::BTreeSet;
use std::fs;
use std::io::Read as _;
use std::process::Command;

use logator::observe::receipt::Receipt;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;

use super::{append, delivered, follow, stop, wait_until};
use crate::kit::workspace::{Running, Workspace, objects};
use crate::kit::{PATIENCE, program, wait_for};

/// The number of lines that fill all queues; each has 1,000 bytes.
const MANY: usize = 30_000;

fn many() -> String {
    (0..MANY).map(|number| format!("{number:0>999}\n")).collect()
}

/// Starts a run into a pipe that nobody reads any further, and waits until the run has read as much as it can.
fn stuck(place: &Workspace) -> (Running, fs::File) {
    nix::unistd::mkfifo(&place.path("out"), Mode::S_IRWXU).unwrap();
    place.write("logs/many.log", many());
    let running = follow(place, &["--follow", "logs"]);
    let mut pipe = fs::File::open(place.path("out")).unwrap();
    pipe.read_exact(&mut [0; 10]).unwrap();
    let (mut before, mut times) = (String::new(), 0);
    wait_for("reading to stand still", PATIENCE, || {
        let now = fs::read_to_string(format!("/proc/{}/io", running.id())).unwrap();
        let read = now.lines().next().unwrap_or_default().to_owned();
        times = if read == before { times + 1 } else { 0 };
        before = read;
        (times > 50).then_some(())
    });
    (running, pipe)
}

/// Returns the files that a process has open.
fn open(running: &Running) -> Vec<String> {
    let links = fs::read_dir(format!("/proc/{}/fd", running.id())).unwrap().flatten();
    links.filter_map(|link| Some(fs::read_link(link.path()).ok()?.display().to_string())).collect()
}

#[test]
fn while_nobody_takes_lines_a_file_that_comes_and_goes_is_opened_and_none_of_its_lines_is_lost() {
    let place = Workspace::new();
    let (running, mut pipe) = stuck(&place);
    let short: String = (0..1000).map(|number| format!("short {number}\n")).collect();
    place.write("logs/short.log", short);
    wait_for("the file to be opened", PATIENCE, || {
        open(&running).iter().any(|name| name.ends_with("short.log")).then_some(())
    });
    fs::remove_file(place.path("logs/short.log")).unwrap();
    let (mut text, mut block) = (b"{\"_id\":\"00".to_vec(), vec![0; 1 << 16]);
    let mut count = 0;
    while count < MANY + 1000 {
        let length = pipe.read(&mut block).unwrap();
        assert!(length > 0, "{count} lines have come: {}", running.stderr());
        count += memchr::memchr_iter(b'\n', &block[..length]).count();
        text.extend_from_slice(&block[..length]);
    }
    stop(running);
    let receipt = place.receipt("receipt");
    assert_eq!((receipt.read, receipt.errors.len(), receipt.unread.len()), (MANY as u64 + 1000, 0, 0), "{receipt:?}");
    let text = String::from_utf8(text).unwrap();
    assert_eq!(text.lines().filter(|line| line.contains("\"line\":\"short ")).count(), 1000);
}

/// Stops a run whose sink is `pipe`; returns its receipt and the documents that were left in the pipe.
fn stop_and_read(place: &Workspace, running: Running, pipe: &mut fs::File) -> (Receipt, String) {
    running.signal(Signal::SIGTERM);
    let mut rest = Vec::new();
    pipe.read_to_end(&mut rest).unwrap();
    let ran = running.end_with_input_open();
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    (place.receipt("receipt"), String::from_utf8_lossy(&rest).into_owned())
}

#[test]
fn at_the_end_the_receipt_names_what_followed_files_still_held() {
    let place = Workspace::new();
    let (running, mut pipe) = stuck(&place);
    place.write("logs/other.log", "other\n");
    let (receipt, delivered) = stop_and_read(&place, running, &mut pipe);
    let held = receipt.unread.iter().find(|file| file.name.ends_with("many.log")).expect("it is named");
    let other = receipt.read > 0 && delivered.contains("\"line\":\"other\"");
    let lines = receipt.read - u64::from(other);
    assert!(held.bytes > 0);
    assert_eq!(
        lines * 1000 + held.bytes,
        MANY as u64 * 1000,
        "no part of a line that goes on was delivered: {receipt:?}"
    );
}

#[test]
fn a_file_that_is_gone_before_it_could_be_opened_is_named_and_the_exit_code_is_3() {
    let place = Workspace::new();
    place.write("logs/app.log", "one\n");
    let mut running = follow(&place, &["--follow", "logs/*.log"]);
    wait_until(&place, 1);
    running.freeze();
    place.write("logs/short.log", "two\n");
    fs::remove_file(place.path("logs/short.log")).unwrap();
    // Nothing was written to this file. Editors make such a file to test whether they have permission.
    place.write("logs/empty.log", "");
    fs::remove_file(place.path("logs/empty.log")).unwrap();
    // This file is moved within the directory, and is read.
    place.write("logs/new", "three\n");
    fs::rename(place.path("logs/new"), place.path("logs/new.log")).unwrap();
    // This file was open.
    fs::remove_file(place.path("logs/app.log")).unwrap();
    running.signal(Signal::SIGCONT);
    running.says("short.log: gone before it was read to its end");
    wait_until(&place, 2);
    running.signal(Signal::SIGTERM);
    let ran = running.end_with_input_open();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let receipt = place.receipt("receipt");
    assert_eq!(receipt.errors.len(), 1, "{receipt:?}");
    assert!(receipt.errors[0].contains("short.log") && !receipt.errors[0].contains("empty.log"), "{receipt:?}");
    assert_eq!(delivered(&place), ["one", "three"]);
}

#[test]
fn a_file_in_which_nothing_was_written_is_no_loss_when_it_is_gone() {
    let place = Workspace::new();
    let log = place.write("logs/app.log", "one\n");
    let running = follow(&place, &["--follow", "logs"]);
    wait_until(&place, 1);
    running.freeze();
    place.write("logs/4913", "");
    fs::remove_file(place.path("logs/4913")).unwrap();
    // `sed -i` replaces a file in this way.
    place.write("logs/sedXYZ", "two\n");
    fs::rename(place.path("logs/sedXYZ"), &log).unwrap();
    running.signal(Signal::SIGCONT);
    wait_until(&place, 2);
    stop(running);
    assert!(place.receipt("receipt").errors.is_empty());
}

#[test]
fn what_a_removed_file_still_held_at_the_end_is_read_because_no_other_run_can() {
    let place = Workspace::new();
    let (running, mut pipe) = stuck(&place);
    let path = place.write("logs/gone.log", "first\nlast");
    wait_for("the file to be opened", PATIENCE, || {
        open(&running).iter().any(|open| open.ends_with("gone.log")).then_some(())
    });
    fs::remove_file(path).unwrap();
    let (receipt, delivered) = stop_and_read(&place, running, &mut pipe);
    assert!(delivered.contains("\"line\":\"first\"") && delivered.contains("\"line\":\"last\""), "{receipt:?}");
    assert!(!receipt.unread.iter().any(|file| file.name.ends_with("gone.log")), "{receipt:?}");
}

#[test]
fn what_the_job_itself_writes_is_not_read_either_where_descriptors_are_few() {
    let place = Workspace::new();
    let files = 150;
    (0..files).for_each(|file| drop(place.write(&format!("{file}.log"), format!("{file}\n"))));
    // This name is the last one in order, so the file waits for a descriptor.
    let running = few(&place, &["--follow", ".", "--to", "ndjson:zz-out"]);
    wait_until(&place, files);
    append(&place.path("0.log"), "last\n");
    wait_until(&place, files + 1);
    stop(running);
    let receipt = place.receipt("receipt");
    assert_eq!((receipt.read, receipt.errors.len()), (files as u64 + 1, 0), "{receipt:?}");
}

#[test]
fn a_file_that_is_rotated_and_then_removed_was_open_and_is_no_loss() {
    for names in [["--follow", "app.log*"], ["--follow", "app.log"]] {
        let place = Workspace::new();
        let log = place.write("app.log", "one\n");
        let running = follow(&place, &names);
        wait_until(&place, 1);
        running.freeze();
        append(&log, "two\n");
        fs::rename(&log, place.path("app.log.1")).unwrap();
        append(&log, "three\n");
        fs::remove_file(place.path("app.log.1")).unwrap();
        running.signal(Signal::SIGCONT);
        wait_until(&place, 3);
        stop(running);
        assert!(place.receipt("receipt").errors.is_empty());
    }
}

/// Starts a run with few descriptors.
fn few(place: &Workspace, arguments: &[&str]) -> Running {
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -n 64; exec \"$0\" \"$@\""]).arg(program("logator"));
    command.args(["run", "--receipt", "receipt", "-p", "%{GREEDYDATA:line}", "-j", "1", "--to", "ndjson:out"]);
    command.args(arguments).current_dir(place.path("."));
    Running::start(command)
}

#[test]
fn with_fewer_descriptors_than_files_all_are_read_and_read_further_when_they_grow() {
    for how in super::WAYS {
        let place = Workspace::new();
        let files = 300;
        let path = |file: usize| place.path(&format!("logs/{file}"));
        (0..files).for_each(|file| drop(place.write(&format!("logs/{file}"), format!("{file} one\n"))));
        let running = few(&place, &[how, "logs"]);
        wait_until(&place, files);
        (0..files).for_each(|file| append(&path(file), format!("{file} two\nha")));
        wait_until(&place, 2 * files);
        // A renamed file, an unfinished line, a file that is removed after it was read, and a new file.
        fs::rename(path(7), path(files)).unwrap();
        append(&path(files), "lf\n");
        append(&path(8), "lf\n");
        fs::write(path(9999), "new\n").unwrap();
        wait_until(&place, 2 * files + 3);
        let said = running.stderr();
        assert_eq!(said.matches("quiet files are closed").count(), 1, "{said}");
        assert!(said.lines().count() < 10, "{said}");
        stop(running);
        let receipt = place.receipt("receipt");
        assert!(receipt.errors.is_empty(), "{receipt:?}");
        let mut expected: Vec<String> =
            (0..files).flat_map(|file| [format!("{file} one"), format!("{file} two")]).collect();
        expected.extend(["half", "half", "new"].map(str::to_owned));
        expected.extend(std::iter::repeat_n("ha".to_owned(), files - 2));
        expected.sort();
        let mut all = delivered(&place);
        all.sort();
        assert!(all == expected, "{how}: {:?}", difference(&all, &expected));
    }
}

/// The lines that are in one list more often than in the other, with the numbers of both.
fn difference(all: &[String], expected: &[String]) -> Vec<(String, usize, usize)> {
    let count = |lines: &[String], line: &String| lines.iter().filter(|it| *it == line).count();
    let lines: BTreeSet<&String> = all.iter().chain(expected).collect();
    let counts = lines.into_iter().map(|line| (line.clone(), count(all, line), count(expected, line)));
    counts.filter(|(_, there, wanted)| there != wanted).collect()
}

#[test]
fn a_file_that_was_closed_and_is_gone_with_what_was_written_to_it_since_is_a_loss() {
    let place = Workspace::new();
    let path = |file: usize| place.path(&format!("logs/{file}"));
    let files = 200;
    (0..files).for_each(|file| drop(place.write(&format!("logs/{file}"), format!("{file} one\n"))));
    let mut running = few(&place, &["--follow", "logs"]);
    wait_until(&place, files);
    // The file is removed without a change, so nothing is lost.
    (0..50).for_each(|file| fs::remove_file(path(file)).unwrap());
    append(&path(199), "199 two\n");
    wait_until(&place, files + 1);
    running.freeze();
    for file in 50..150 {
        append(&path(file), format!("{file} two\n"));
        fs::remove_file(path(file)).unwrap();
    }
    running.signal(Signal::SIGCONT);
    running.says("more files: gone before they were read to their ends");
    running.signal(Signal::SIGTERM);
    let ran = running.end_with_input_open();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    let receipt = place.receipt("receipt");
    assert!(receipt.errors.len() == 1 && receipt.errors[0].contains("gone before"), "{receipt:?}");
    let out = place.text("out");
    let lost =
        100 - objects(&out).iter().filter(|object| object["line"].as_str().unwrap().ends_with("two")).count() + 1;
    let named = format!("and {} more files", lost - 3);
    assert!(receipt.errors[0].contains(&named), "{named}: {receipt:?}");
}
