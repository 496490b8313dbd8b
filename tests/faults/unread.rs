//! A standard error that nobody reads. It holds up neither the work nor the end of a program.

use std::io::{BufRead, BufReader, PipeReader, PipeWriter, Read};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use nix::fcntl::{FcntlArg, OFlag, fcntl};

use crate::kit::logs::access;
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, wait_for};

/// The number of files. A sentence says that each is read, with a name so long that the sentences exceed every limit.
const FILES: usize = 2500;

/// Fills a pipe until it takes no more. Returns the number of bytes.
pub fn fill(writer: &PipeWriter) -> usize {
    let block = [b'.'; 4096];
    fcntl(writer, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
    let mut filled = 0;
    while let Ok(length) = nix::unistd::write(writer, &block) {
        filled += length;
    }
    while nix::unistd::write(writer, b".").is_ok() {
        filled += 1;
    }
    fcntl(writer, FcntlArg::F_SETFL(OFlag::empty())).unwrap();
    filled
}

/// Starts a run of many files whose standard error is a full pipe. Returns also what arrives when all documents are there.
fn start(place: &Workspace, inputs: &[&str], stdin: Stdio) -> (Child, PipeReader, usize, Receiver<()>) {
    std::fs::create_dir(place.path("in")).unwrap();
    for number in 0..FILES {
        place.write(&format!("in/{number:0>240}"), access(number..number + 1));
    }
    let (reader, writer) = std::io::pipe().unwrap();
    let filled = fill(&writer);
    let options = ["-f", "combined", "--receipt", "receipt", "--log-level", "debug"];
    let mut command: Command = place.command("logator", &[&["run"], inputs, &options].concat());
    let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(writer).spawn().unwrap();
    let (stdout, (all, arrived)) = (child.stdout.take().unwrap(), channel());
    std::thread::spawn(move || {
        for (number, line) in BufReader::new(stdout).lines().enumerate() {
            line.unwrap();
            if number + 1 == FILES {
                all.send(()).unwrap();
            }
        }
    });
    (child, reader, filled, arrived)
}

#[test]
fn a_run_whose_standard_error_nobody_reads_stores_everything_and_ends() {
    let place = Workspace::new();
    let (mut child, reader, _, documents) = start(&place, &["in"], Stdio::null());
    documents.recv_timeout(PATIENCE).unwrap();
    let stored = Instant::now();
    let ended = wait_for("its end", PATIENCE, || child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
    assert!(stored.elapsed() < Duration::from_secs(20), "{:?}", stored.elapsed());
    let lines = FILES as u64;
    assert_eq!(account(&place.receipt("receipt")), [lines, lines, 0, 0, 0, 0]);
    drop(reader);
}

#[test]
fn who_reads_late_is_told_how_many_messages_are_lost_and_gets_the_whole_receipt() {
    let place = Workspace::new();
    let (mut child, mut reader, filled, documents) = start(&place, &["in", "-"], Stdio::piped());
    documents.recv_timeout(PATIENCE).unwrap();
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        reader.read_to_end(&mut all).unwrap();
        String::from_utf8(all.split_off(filled)).unwrap()
    });
    drop(child.stdin.take());
    let said = reading.join().unwrap();
    let ended = wait_for("its end", PATIENCE, || child.try_wait().unwrap());
    assert_eq!(ended.code(), Some(0));
    // Texts may be lost again while the reader catches up.
    let lost: usize = said.lines().filter_map(lost_in).sum();
    let shown = said.lines().filter(|line| line.contains("in/0")).count();
    assert!(lost > 0 && lost + shown >= FILES, "{lost} are lost, {shown} shown");
    let (_, after) = said.rsplit_once("messages are lost").unwrap();
    assert!(after.contains("receipt\n") && after.contains("2,500"), "the receipt comes last and whole: {after}");
}

/// Returns the number in a sentence about lost messages.
fn lost_in(line: &str) -> Option<usize> {
    let (number, _) = line.strip_prefix("logator: ")?.split_once(" messages are lost")?;
    number.replace(',', "").parse().ok()
}
