//! The job's own files are never among its inputs, and each of them is a separate file.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

use nix::sys::signal::Signal;

use crate::kit::logs::access;
use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, Ran, program, wait_for};

/// Runs a command of the shell, which finds the programs.
fn shell(place: &Workspace, line: &str) -> Command {
    let mut command = Command::new("sh");
    let programs = program("logator").parent().unwrap().display().to_string();
    let path = std::env::var("PATH").unwrap_or_default();
    command.args(["-c", line]).current_dir(place.path(".")).env("PATH", format!("{programs}:{path}"));
    command
}

fn run(place: &Workspace, line: &str) -> Ran {
    Running::start(shell(place, line)).end()
}

/// Returns the regular files of a folder and their contents.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap().map(Result::unwrap);
    let regular = entries.filter(|entry| entry.file_type().unwrap().is_file());
    regular.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

/// Makes a folder with a log that has other names too, and with a letter.
fn logs() -> Workspace {
    let place = Workspace::new();
    place.write("a.log", "one\ntwo\nthree\n");
    std::fs::hard_link(place.path("a.log"), place.path("hard.log")).unwrap();
    std::os::unix::fs::symlink("a.log", place.path("link.log")).unwrap();
    std::os::unix::fs::symlink("out", place.path("link.out")).unwrap();
    place.write("letters", "");
    place.write("spawn.toml", "[worker]\nto = [\"ndjson:a.log\"]\n");
    place
}

/// Each row: a command line, and two texts of the message that refuses it.
const REFUSED: &str = r#"
# An input is written.
logator run a.log --to ndjson:a.log => a.log: it is also => sink
logator run link.log --to ndjson:a.log => link.log: it is also => --to ndjson:a.log
logator run ./a.log --to ndjson:hard.log => ./a.log: it is also => --to ndjson:hard.log
logator run a.log --to ndjson:link.log => a.log: it is also => --to ndjson:link.log
logator run a.log --to sqlite:a.log => a.log: it is also => sink
logator run a.log --to null: --receipt a.log => a.log: it is also => receipt
logator run a.log --to null: --dead-letters hard.log => a.log: it is also => dead-letters file
logator run a.log >> a.log => a.log: it is also => standard output
logator run a.log --to ndjson:/dev/stdout >> link.log => a.log: it is also => ndjson:/dev/stdout
logator run a.log --to ndjson:/dev/fd/1 >> a.log => a.log: it is also => ndjson:/dev/fd/1
logator run a.log --to ndjson:/proc/self/fd/9 9>> a.log => a.log: it is also => fd/9
logator run - --to ndjson:a.log < hard.log => standard input => --to ndjson:a.log
logator run --receipt a.log --to null: < a.log => standard input => --receipt a.log
logator run /dev/stdin --to ndjson:a.log < a.log => /dev/stdin: it is also => --to ndjson:a.log
logator run spawn.toml --to null: --config spawn.toml => spawn.toml: it is the configuration =>
logator run --follow a.log --to ndjson:hard.log => a.log: it is also => sink
logator run --follow=poll out --to ndjson:link.out => out: it is also => sink
logator run --follow x.db-wal --to sqlite:x.db => x.db-wal: it is also => sink
logator run --follow a.log st --state st --to null: => st: it is also => state directory
logator grok '%{GREEDYDATA:line}' a.log >> a.log => a.log: it is also => standard output
logator bench a.log --to ndjson:a.log -j 1 --runs 1 => a.log => sink
logator replay letters --dead-letters letters => letters: it is also => dead-letters file
logator replay letters --receipt ./letters => letters: it is also => receipt
logator-queue a.log --bind ipc://q --receipt hard.log => a.log: it is also => receipt
logator-queue a.log --bind ipc://q --spawn=1 -- --to ndjson:./a.log => a.log: it is also => workers
LOGATOR_TO=sqlite:a.log logator-queue a.log --bind ipc://q --spawn=1 => a.log: it is also => workers
logator-queue a.log --bind ipc://q --config spawn.toml --spawn=1 => a.log: it is also => workers
logator-queue --follow a.log --bind ipc://q --spawn=1 -- --dead-letters a.log => a.log: it is => workers
logator-push --connect ipc://q --receipt a.log < a.log => standard input => receipt
# Two that are written are one.
logator run a.log --to ndjson:out --to ndjson:./out => --to ndjson:out (sink) => --to ndjson:./out (sink)
logator run a.log --to ndjson:out --to ndjson:link.out => --to ndjson:out => --to ndjson:link.out
logator run a.log --to ndjson:out --receipt link.out => --to ndjson:out (sink) => --receipt link.out (receipt)
logator run a.log --to ndjson:out --dead-letters out => (sink) => --dead-letters out (dead-letters file)
logator run a.log --to null: --receipt x --dead-letters ./x => --dead-letters ./x => --receipt x
logator run a.log --to sqlite:x.db --to ndjson:x.db-wal => sqlite:x.db => ndjson:x.db-wal
logator run a.log --to sqlite:x.db --to sqlite:./x.db => --to sqlite:x.db => the same table is named twice
logator run a.log --to sqlite:x.db --receipt x.db-shm => sqlite:x.db => --receipt x.db-shm
logator run a.log --to null: --state st --receipt st/journal => --state st => --receipt st/journal
logator run a.log --to - --receipt new > new => --receipt new => standard output
logator run a.log --to - --receipt /dev/stdout > new => --receipt /dev/stdout => standard output
logator run a.log --to null: --config spawn.toml --receipt spawn.toml => --config spawn.toml => receipt
logator-queue a.log --bind ipc://r --receipt r => --bind ipc://r => --receipt r
logator-queue a.log --bind ipc://q --receipt r --spawn=1 -- --to ndjson:r => --receipt r => workers
logator-worker --from ipc://q --to ndjson:out --receipt ./out => --to ndjson:out => --receipt ./out
logator-pull --bind ipc://q --to ndjson:out --receipt link.out => --to ndjson:out => --receipt link.out
logator-pull --bind ipc://q --receipt new > new => --receipt new => standard output
# Folders that are missing.
logator run a.log --to null: --receipt nodir/r.json => --receipt nodir/r.json => make it first
logator run a.log --to null: --dead-letters nodir/d => --dead-letters nodir/d => make it first
logator run a.log --to null: --receipt a.log/r => --receipt a.log/r => is not a directory
logator-queue a.log --bind ipc://q --receipt nodir/r => --receipt nodir/r => make it first
logator-worker --from ipc://q --to null: --dead-letters nodir/d => nodir/d => make it first
logator-pull --bind ipc://q --receipt nodir/r => nodir/r => make it first
logator-push --connect ipc://q --receipt nodir/r => nodir/r => make it first
"#;

/// Such a command line is refused before anything is read, made or written. The message has both names of the file.
#[test]
fn a_file_that_the_job_writes_is_no_input_and_no_two_are_one() {
    let line = "-p '%{GREEDYDATA:line}'";
    let rows = REFUSED.lines().filter(|row| !row.is_empty() && !row.starts_with('#'));
    for row in rows {
        let columns: Vec<&str> = row.split("=>").map(str::trim).collect();
        let [command, words @ ..] = &columns[..] else { panic!("{row}") };
        assert_eq!(words.len(), 2, "{row}");
        let place = logs();
        if command.contains("> new") {
            place.write("new", "");
        }
        let before = files(&place.path("."));
        let parsing = ["run", "replay"].iter().any(|job| command.starts_with(&format!("logator {job}")));
        let command = if parsing { format!("{command} {line}") } else { (*command).to_owned() };
        let ran = run(&place, &command);
        assert_eq!(ran.code, Some(2), "{command}: {ran:?}");
        assert!(words.iter().all(|words| ran.stderr.contains(words)), "{command}: {}", ran.stderr);
        assert_eq!(files(&place.path(".")), before, "{command}: nothing is made or written");
        assert!(!place.path("q").exists() && !place.path("st").exists(), "{command}");
    }
}

/// If a folder or a glob contains the job's files, they are left out. The same holds in a later run, when they exist
/// already.
#[test]
fn what_the_job_writes_is_left_out_where_it_is_met() {
    for (command, left_out) in [
        ("logator run . --to ndjson:out", "out: left out, it is this job's sink"),
        ("logator run '*' --to ndjson:out", "out: left out, it is this job's sink"),
        ("logator run . --to ndjson:out.gz", "out.gz: left out, it is this job's sink"),
        ("logator run . >> out", "out: left out, it is this job's standard output"),
        ("logator run . > out", "out: left out, it is this job's standard output"),
        ("logator run . --to ndjson:/dev/stdout >> out", "out: left out"),
        ("logator run . --to null: 2>> said; code=$?; cat said >&2; (exit $code)", "said: left out, it is this job's"),
        ("logator run . --to null: --config c.toml", "c.toml: left out, it is this job's configuration file"),
        ("logator run . --to null: --state st", "st/journal: left out, it is in this job's state directory"),
        #[cfg(feature = "sqlite")]
        ("logator run . --to sqlite:o.db", "o.db: left out, it is this job's sink"),
        ("logator-queue . --bind ipc://q --spawn=1 -- --to ndjson:out", "out: left out, it is this job's sink of"),
    ] {
        let place = Workspace::new();
        place.write("a.log", "one\ntwo\nthree\n");
        place.write("c.toml", "");
        if !command.contains("c.toml") {
            std::fs::remove_file(place.path("c.toml")).unwrap();
        }
        let pattern = "LOGATOR_PATTERN='%{GREEDYDATA:line}' LOGATOR_RECEIPT=receipt LOGATOR_DEAD_LETTERS=letters";
        let command = match command.contains("spawn") {
            true => command.replace("--bind", "--receipt receipt --bind").replace("-- ", "-- -p '%{GREEDYDATA:line}' "),
            false => format!("export {pattern}; {command}"),
        };
        for round in 0..2 {
            let ran = run(&place, &command);
            assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
            // Lines that the state knows are not read again.
            let lines = if round == 1 && command.contains("--state") { 0 } else { 3 };
            assert_eq!(account(&place.receipt("receipt"))[0], lines, "{command}, round {round}: {}", ran.stderr);
            assert!(round == 0 || ran.stderr.contains("left out"), "{command}: {}", ran.stderr);
            assert!(
                round == 0 || ran.stderr.contains(left_out) || ran.stderr.contains("more of its own"),
                "{}",
                ran.stderr
            );
        }
    }
}

/// The same holds while files are followed, whatever is made, rotated and made again.
#[test]
fn what_the_job_writes_is_left_out_while_it_is_followed() {
    for how in ["--follow", "--follow=poll"] {
        for to in ["--to ndjson:out", ">> out"] {
            let place = Workspace::new();
            place.write("a.log", "one\n");
            let line = format!(
                "exec logator run {how} . -p '^%{{WORD:line}}$' --unmatched dead-letter -j 1 --receipt receipt --state st {to}"
            );
            let running = Running::start(shell(&place, &line));
            let lines = |name: &str| std::fs::read_to_string(place.path(name)).map_or(0, |text| text.lines().count());
            wait_for("the first line", PATIENCE, || (lines("out") == 1).then_some(()));
            place.write("b.log", "two\nno word\n");
            wait_for("a letter", PATIENCE, || (lines("dead-letters.ndjson") == 1).then_some(()));
            wait_for("the second line", PATIENCE, || (lines("out") == 2).then_some(()));
            // The follower finds this file after the letter, so it has looked at the letter's file by then.
            place.write("later.log", "later\n");
            wait_for("a line", PATIENCE, || (lines("out") == 3).then_some(()));
            // A file that the job wrote stays the job's own under another name. The file that takes its place is the
            // job's own too.
            std::fs::rename(place.path("out"), place.path("out.1")).unwrap();
            std::fs::rename(place.path("dead-letters.ndjson"), place.path("letters.1")).unwrap();
            place.write("c.log", "three\nno more words\n");
            wait_for("another letter", PATIENCE, || (lines("dead-letters.ndjson") == 1).then_some(()));
            wait_for("the third line", PATIENCE, || (lines("out.1") == 4).then_some(()));
            place.write("d.log", "four\n");
            wait_for("the fourth line", PATIENCE, || (lines("out.1") == 5).then_some(()));
            running.signal(Signal::SIGTERM);
            let ran = running.end_with_input_open();
            assert_eq!(ran.code, Some(1), "{how} {to}: {ran:?}");
            assert_eq!(account(&place.receipt("receipt")), [7, 5, 0, 0, 2, 0], "{how} {to}");
        }
    }
}

/// The name of a thing that is not a regular file may be given several times. So may names that belong together, such
/// as two tables of one database.
#[test]
fn files_that_are_no_files_and_two_tables_are_in_nobodys_way() {
    for command in [
        "logator run a.log --to ndjson:/dev/null --receipt /dev/null --dead-letters /dev/null",
        "logator run a.log --receipt /dev/stderr > /dev/null",
        "logator run a.log --to null: --receipt /dev/stdout > new",
        "logator run a.log --to - > new 2>&1",
        "logator run a.log hard.log link.log --to null:",
        "logator run - --to null: < /dev/null",
        #[cfg(feature = "sqlite")]
        "logator run a.log --to sqlite:x.db --to 'sqlite:x.db?table=other'",
        "logator run a.log --to null: --state st --receipt st/receipt.json",
        "logator-queue a.log --bind ipc://q --spawn=1 -- --to null:",
    ] {
        let place = logs();
        let ran = run(&place, command);
        assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
    }
}

#[test]
fn a_standard_stream_that_is_closed_is_said() {
    for (command, code, words) in [
        ("logator run a.log >&-", 3, "standard output is closed"),
        ("logator replay letters >&-", 3, "standard output is closed"),
        ("logator grok '%{GREEDYDATA:line}' a.log >&-", 3, "standard output is closed"),
        ("logator-pull --bind ipc://q >&-", 3, "standard output is closed"),
        ("logator-worker --from ipc://q --to - >&-", 3, "standard output is closed"),
        ("logator run a.log --to null: >&-", 0, ""),
        ("logator run a.log > /dev/null", 0, ""),
        ("logator run - --to null: <&-", 3, "standard input is closed"),
        ("logator run a.log - --to null: <&-", 3, "standard input is closed"),
        ("logator-push --connect ipc://q <&-", 3, "standard input is closed"),
        ("logator run a.log --to null: <&-", 0, ""),
        ("logator run - --to null: < /dev/null", 0, ""),
    ] {
        let place = logs();
        let ran = run(&place, command);
        assert_eq!(ran.code, Some(code), "{command}: {ran:?}");
        assert!(
            ran.stderr.contains(words) && (code == 3 || !ran.stderr.contains("closed")),
            "{command}: {}",
            ran.stderr
        );
    }
}

/// The socket file of a working queue is removed, and another queue takes the name.
#[test]
fn the_socket_file_of_another_queue_is_left_alone() {
    for (program, first) in [("logator-queue", &["--bind"][..]), ("logator-pull", &["--to", "null:", "--bind"])] {
        let place = Workspace::new();
        let endpoint = place.endpoint();
        let start = || {
            let mut running = place.start(program, &[first, &[&endpoint]].concat());
            running.wait_ready();
            running
        };
        let ours = start();
        std::fs::remove_file(place.path("q")).unwrap();
        let theirs = start();
        ours.signal(Signal::SIGTERM);
        ours.end();
        assert!(place.path("q").exists(), "{program}: it is another's");
        theirs.signal(Signal::SIGTERM);
        theirs.end();
        assert!(!place.path("q").exists(), "{program}: the own one is removed");
    }
}

/// A stream that leads to `/dev/null` for reading and writing, as Python's `subprocess.DEVNULL` gives it, is not closed.
#[test]
fn a_null_device_that_is_open_for_both_ways_is_no_closed_stream() {
    let place = Workspace::new();
    place.write("a.log", access(0..3));
    let null = || std::fs::File::options().read(true).write(true).open("/dev/null").unwrap();
    for arguments in [&["run", "a.log", "-q"][..], &["run", "-q"]] {
        let mut command = place.command("logator", arguments);
        let ran = command.stdin(null()).stdout(null()).output().unwrap();
        assert_eq!((ran.status.code(), &ran.stderr[..]), (Some(0), &b""[..]), "{arguments:?}");
    }
}
