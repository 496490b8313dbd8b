//! Full disks under the journal, the documents and the dead letters. Root gets a small tmpfs; other users get files that may
//! not grow.

use std::collections::BTreeMap;
use std::process::Command;

use super::{ROUND, Trial, content};
use crate::kit::disk::Disk;
use crate::kit::program;
use crate::kit::table::{Row, seed, tell, times};
use crate::kit::workspace::{Running, Workspace, objects};

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_full_disk_under_the_state_of_a_queue_that_is_killed_loses_and_doubles_nothing() {
    let mut trial = Trial::new("disk full under --state, then kill -9 the queue", ROUND);
    let at = trial.place.path("disk");
    let disk = Disk::new(&at, 1024);
    trial.enter = match &disk {
        Some(disk) => {
            trial.state_in = Some(at.display().to_string());
            disk.enter(&trial.place.path("."))
        }
        None => limited(8),
    };
    // This makes enough records to need more room soon.
    trial.queue_arguments = ["--batch-lines", "10"].map(String::from).to_vec();
    let mut unwritten = 0;
    trial.disturb(times(5), 1200, 2, |trial| {
        if let Some(disk) = &disk {
            disk.fill();
            // The disk has no room for the records of this time. Sometimes the queue continues and writes them later.
            let goes_on = trial.advance_at_random(1500);
            let said = trial.queue().stderr();
            unwritten += usize::from(said.rfind("journal cannot be written") > said.rfind("journal is written again"));
            if !goes_on || trial.random.bool() {
                trial.breaks();
                disk.empty();
                return;
            }
        }
        trial.queue().kill();
        trial.breaks();
        if let Some(disk) = &disk {
            disk.empty();
        }
        trial.start_queue();
    });
    assert!(disk.is_none() || unwritten > 0, "the journal was never in need of room");
    tell(&format!("disk full under --state: the journal found no room before {unwritten} of them"));
    trial.close();
}

/// Returns the words in front of a command that limit its files to `blocks` of 512 bytes.
fn limited(blocks: u64) -> Vec<String> {
    let script = format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$@\"");
    ["sh", "-c", &script, "limited"].map(String::from).to_vec()
}

/// Runs the same job again and again on a disk that grows a little each time, until the job is done. Returns how often the disk
/// was full, and the file at the end.
fn until_there_is_room(random: &mut fastrand::Rng, file: &str, lines: usize, arguments: &[&str]) -> (usize, String) {
    let place = Workspace::new();
    place.write("access.log", content(0..lines));
    let at = place.path("disk");
    let mut kib = random.u64(16..64);
    let disk = Disk::new(&at, kib);
    std::fs::create_dir_all(&at).unwrap();
    let mut full = 0;
    loop {
        let enter = match &disk {
            Some(disk) => disk.enter(&place.path(".")),
            None => limited(kib * 2),
        };
        let mut command = Command::new(&enter[0]);
        command.args(&enter[1..]).arg(program("logator")).args(["run", "access.log", "--state", "state"]);
        command.args(["-j", "2", "--batch-lines", "50", "--receipt", "receipt"]).args(arguments);
        command.current_dir(place.path("."));
        let ran = Running::start(command).end();
        assert!(place.receipt("receipt").agrees, "{}", ran.stderr);
        if let Some(0 | 1) = ran.code {
            let path = disk.as_ref().map_or(at.join(file), |disk| disk.path(file));
            return (full, std::fs::read_to_string(path).expect("whole characters"));
        }
        assert_eq!(ran.code, Some(3), "{}", ran.stderr);
        let words = ["No space left on device", "File too large"];
        assert!(words.iter().any(|words| ran.stderr.contains(words)), "{}", ran.stderr);
        full += 1;
        kib += random.u64(16..200);
        if let Some(disk) = &disk {
            disk.resize(kib);
        }
    }
}

/// Returns the number of documents with each `_id`.
fn ids(text: &str) -> BTreeMap<String, usize> {
    let mut ids = BTreeMap::new();
    for object in objects(text) {
        *ids.entry(object["_id"].to_string()).or_default() += 1;
    }
    ids
}

fn grows(fault: &'static str, lines: usize, undisturbed: &[&str], arguments: &[&str], file: &str) {
    let mut random = seed(fault);
    let mut row = Row::new(fault);
    let place = Workspace::new();
    let (ran, _) = place.logator(undisturbed, &content(0..lines));
    assert!(matches!(ran.code, Some(0 | 1)), "{}", ran.stderr);
    let expected = ids(&place.text("reference"));
    while row.times < times(6) {
        let (full, text) = until_there_is_room(&mut random, file, lines, arguments);
        let found = ids(&text);
        row.times += full;
        row.lines += lines;
        row.lost += expected.keys().filter(|id| !found.contains_key(*id)).count();
        row.doubled += found.values().sum::<usize>() - found.len();
        row.doubled += found.keys().filter(|id| !expected.contains_key(*id)).count();
    }
    row.close();
}

#[test]
fn a_full_disk_under_the_documents_loses_and_doubles_nothing_when_there_is_room_again() {
    let undisturbed = ["-f", "combined", "--to", "ndjson:reference"];
    grows("disk full under ndjson", 3000, &undisturbed, &["-f", "combined", "--to", "ndjson:disk/out"], "out");
}

#[test]
fn a_full_disk_under_the_dead_letters_loses_and_doubles_nothing_when_there_is_room_again() {
    let letters = ["--to", "null:", "-p", "no line is like this", "--unmatched", "dead-letter", "--dead-letters"];
    let with = |file: &'static str| [&letters[..], &[file]].concat();
    grows("disk full under dead letters", 1500, &with("reference"), &with("disk/letters"), "letters");
}
