//! The command line: flags, environment, configuration file, messages.

use crate::kit::logs::access;
use crate::kit::process::heeds;
use crate::kit::workspace::{Running, Workspace, account, objects};
use crate::kit::{PATIENCE, Ran, wait_for};

/// Runs `logator run` with these environment variables.
fn with(place: &Workspace, variables: &[(&str, &str)], arguments: &[&str], input: &[u8]) -> Ran {
    let mut command = place.command("logator", &[&["run"], arguments].concat());
    command.envs(variables.iter().copied());
    let mut running = Running::start(command);
    running.feed(input);
    running.end()
}

#[test]
fn a_flag_is_stronger_than_the_environment_and_that_than_the_file() {
    let place = Workspace::new();
    place.write("logator.toml", "to = \"ndjson:from-file\"\nformat = [\"combined\"]\n");
    let file = ("LOGATOR_CONFIG", "logator.toml");
    let variable = ("LOGATOR_TO", "ndjson:from-variable");
    let lengths = || {
        ["from-file", "from-variable", "from-flag"]
            .map(|name| std::fs::read_to_string(place.path(name)).unwrap_or_default().lines().count())
    };
    let cases = [
        (&[file][..], &[][..], [1, 0, 0]),
        (&[], &["--config", "logator.toml"], [2, 0, 0]),
        (&[file, variable], &[], [2, 1, 0]),
        (&[variable], &["--config=logator.toml"], [2, 2, 0]),
        (&[file, variable], &["--to", "ndjson:from-flag"], [2, 2, 1]),
    ];
    for (variables, arguments, expected) in cases {
        let ran = with(&place, variables, arguments, &access(0..1));
        assert_eq!((ran.code, lengths()), (Some(0), expected), "{variables:?} {arguments:?}: {}", ran.stderr);
        assert_eq!(ran.stdout, "");
    }
    // The format came from the file each time.
    assert_eq!(place.objects("from-flag")[0]["request"], "/page/0");
}

#[test]
fn a_table_of_the_file_is_for_one_program_and_stronger_than_its_top() {
    let place = Workspace::new();
    place.write(
        "c.toml",
        "to = \"ndjson:top\"\nunmatched = \"drop\"\n[run]\nto = \"ndjson:run\"\n[worker]\nto = \"null:\"\n",
    );
    let (ran, receipt) = place.logator(&["--config", "c.toml", "-f", "combined"], b"no access line\n");
    assert_eq!((ran.code, account(&receipt)), (Some(0), [1, 0, 0, 0, 0, 1]), "{}", ran.stderr);
    assert!(place.path("run").exists() && !place.path("top").exists());
}

#[test]
fn what_is_wrong_in_the_file_is_said_with_its_line_and_the_nearest_name() {
    let place = Workspace::new();
    for (text, words) in [
        ("quiet = true\nfromat = \"combined\"\n", "c.toml:2: unknown key fromat; did you mean format?"),
        ("[run]\nunmached = \"drop\"\n", "c.toml:2: unknown key unmached; did you mean unmatched?"),
        ("zzzzzzzzzz = 1\n", "c.toml:1: unknown key zzzzzzzzzz; the keys are the long names of the flags (see --help)"),
        ("max-line = [1, 2]\n", "c.toml:1: max-line: one value is expected, not an array"),
        ("quiet = true\nto = \n", "c.toml:2:6: not TOML: "),
    ] {
        place.write("c.toml", text);
        let ran = place.run("logator", &["run", "--config", "c.toml"], b"");
        assert_eq!(ran.code, Some(2), "{text}: {}", ran.stderr);
        assert!(ran.stderr.starts_with(&format!("logator: {words}")), "{text}: {}", ran.stderr);
    }
    place.write("c.toml", "max-line = \"huge\"\n");
    let ran = place.run("logator", &["run", "--config", "c.toml"], b"");
    assert!(ran.code == Some(2) && ran.stderr.contains("no unit is called huge"), "{}", ran.stderr);
    let ran = place.run("logator", &["run", "--config", "missing.toml"], b"");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.starts_with("logator: missing.toml: the configuration cannot be read"), "{}", ran.stderr);
}

#[test]
fn all_programs_take_the_environment_and_the_file() {
    let place = Workspace::new();
    let endpoint = place.endpoint();
    place.write(
        "c.toml",
        format!(
            "receipt = \"receipt\"\n[queue]\nbind = \"{endpoint}\"\n[worker]\nfrom = \"{endpoint}\"\nto = \"null:\"\n"
        ),
    );
    let mut queue = place.start("logator-queue", &["--config", "c.toml"]);
    assert_eq!(queue.addresses(), [endpoint.as_str()]);
    queue.feed(&access(0..10));
    let mut worker = place.command("logator-worker", &["--config", "c.toml", "--receipt", "worker.json"]);
    worker.env("LOGATOR_FORMAT", "combined").env("LOGATOR_JOBS", "1");
    let worker = Running::start(worker);
    assert_eq!((queue.end().code, worker.end().code), (Some(0), Some(0)));
    for name in ["receipt", "worker.json"] {
        assert_eq!(account(&place.receipt(name)), [10, 10, 0, 0, 0, 0]);
    }
}

#[test]
fn json_messages_are_one_object_a_line() {
    let place = Workspace::new();
    place.write("damaged.gz", &crate::kit::logs::gzip(&access(0..100))[..200]);
    let ran = place.run("logator", &["run", "damaged.gz", "--log-format", "json", "--to", "null:"], b"");
    assert_eq!(ran.code, Some(3));
    let lines = objects(&ran.stderr);
    assert!(lines.iter().all(|line| line["program"] == "logator"), "{}", ran.stderr);
    let error = lines.iter().find(|line| line["level"] == "error").expect("an error");
    assert!(error["message"].as_str().unwrap().starts_with("damaged.gz: damaged gzip data"), "{error}");
    assert!(error["time"].as_str().unwrap().ends_with('Z'), "{error}");
    let receipt = &lines.last().unwrap()["receipt"];
    assert_eq!((&receipt["agrees"], &receipt["finished"]), (&true.into(), &false.into()));
    // The same holds for faults that are found before the start.
    let ran = place.run("logator", &["run", "missing", "--log-format", "json"], b"");
    assert_eq!(ran.code, Some(2));
    assert_eq!(objects(&ran.stderr)[0]["message"], "missing: no such file or directory");
}

#[test]
fn quiet_says_nothing_but_errors() {
    let place = Workspace::new();
    for format in ["text", "json"] {
        let arguments = ["run", "-q", "--to", "null:", "--log-format", format];
        let ran = place.run("logator", &arguments, &access(0..10));
        assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (Some(0), "", ""), "{format}");
        let ran = place.run("logator", &[&arguments[..], &["missing"]].concat(), b"");
        assert_eq!(ran.code, Some(2));
        assert!(ran.stderr.contains("missing: no such file or directory") && ran.stderr.lines().count() == 1);
    }
}

#[test]
fn nothing_but_data_is_on_standard_output_and_no_colours_on_a_pipe() {
    let place = Workspace::new();
    let ran = place.run("logator", &["run"], &access(0..10));
    assert_eq!(objects(&ran.stdout).len(), 10);
    assert!(ran.stderr.starts_with("logator: -: format combined\nreceipt\n"), "{}", ran.stderr);
    assert!(!ran.stderr.contains('\x1b'));
}

#[test]
fn wrong_patterns_formats_sinks_and_flags_are_usage_errors() {
    let place = Workspace::new();
    for (arguments, words) in [
        (&["-p", "%{NO_SUCH_PATTERN:x}"][..], "NO_SUCH_PATTERN"),
        (&["-p", "(unclosed"], "^"),
        (&["-f", "combind"], "combined"),
        (&["--to", "sqlte:x.db"], "did you mean sqlite:"),
        (&["--to", "out.ndjson"], "did you mean ndjson:out.ndjson"),
        (&["--unmatched", "burn"], "dead-letter"),
        (&["-j", "0"], "a number of workers from 1 to 1024"),
        (&["--fromat", "x"], "--format"),
        (&["--patterns-dir", "no-such-folder"], "no-such-folder"),
    ] {
        let ran = place.run("logator", &[&["run"], arguments].concat(), &access(0..1));
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn no_message_shows_a_password_of_a_wrong_command_line() {
    let place = Workspace::new();
    for sink in
        ["mongo://u:s3cret@host/db.c", "mongodb://u:s3cret@host:port/db.c", "elasticsearch+http://u:s3cret@host:port/i"]
    {
        for arguments in
            [&["run", "--to", sink][..], &["run", &format!("--to={sink}")], &["run", "--sink", sink], &["run", sink]]
        {
            let ran = place.run("logator", arguments, b"");
            assert_eq!(ran.code, Some(2), "{arguments:?}: {}", ran.stderr);
            assert!(!ran.stderr.contains("s3cret"), "{arguments:?}: {}", ran.stderr);
        }
        for (program, arguments) in [("logator-worker", &[sink][..]), ("logator-queue", &["--to", sink])] {
            let ran = place.run(program, arguments, b"");
            assert!(ran.code == Some(2) && !ran.stderr.contains("s3cret"), "{program}: {}", ran.stderr);
        }
        let ran = with(&place, &[("LOGATOR_TO", sink)], &[], b"");
        assert!(ran.code == Some(2) && !ran.stderr.contains("s3cret"), "{}", ran.stderr);
    }
}

#[test]
fn bench_prints_its_table_on_standard_output() {
    let place = Workspace::new();
    place.write("access.log", access(0..2000));
    let arguments = ["bench", "access.log", "-f", "combined", "-j", "1,2", "--runs", "2"];
    let ran = place.run("logator", &arguments, b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let rows: Vec<Vec<&str>> = ran
        .stdout
        .lines()
        .map(|line| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).collect())
        .collect();
    assert_eq!(rows[0], ["workers", "lines/s", "per worker", "of 1st", "min", "max", "cpu s", "memory"]);
    assert_eq!(rows.len(), 3, "{}", ran.stdout);
    assert_eq!((rows[1][0], rows[2][0], rows[1][3]), ("1", "2", "1.00"), "{}", ran.stdout);
    assert!(rows[1..].iter().all(|row| row.len() == 8), "{}", ran.stdout);
    assert!(ran.stderr.contains("run 6 of 6: 2 workers"), "{}", ran.stderr);
    assert!(ran.stderr.contains("(warm-up, not counted)") && ran.stderr.contains("2,000 lines"), "{}", ran.stderr);
    let ran = place.run("logator", &["bench", "missing.log"], b"");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
}

#[test]
fn the_log_level_decides_what_is_said_and_each_message_has_its_own() {
    let place = Workspace::new();
    let levels = |place: &Workspace, arguments: &[&str]| -> Vec<String> {
        let arguments = [&["-f", "combined", "--to", "null:", "--log-format", "json"], arguments].concat();
        let ran = with(place, &[], &arguments, &access(0..10));
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        objects(&ran.stderr).iter().map(|object| object["level"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(levels(&place, &["--log-level", "error"]), [""; 0]);
    assert_eq!(levels(&place, &["--log-level", "warn"]), [""; 0]);
    assert_eq!(levels(&place, &[]), ["info"], "the receipt");
    assert_eq!(levels(&place, &["-q", "--log-level", "debug"]), [""; 0]);
    let debug = levels(&place, &["--log-level", "debug"]);
    assert!(debug.contains(&"debug".to_owned()) && debug.contains(&"info".to_owned()), "{debug:?}");
    // The last value counts.
    assert_eq!(levels(&place, &["--log-level", "debug", "--log-level", "error"]), [""; 0]);
    let wrong = with(&place, &[], &["--log-level", "loud"], b"");
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("error, warn, info, debug"), "{}", wrong.stderr);
}

#[test]
fn hangup_takes_the_log_level_from_the_file_again_and_ends_nothing() {
    let place = Workspace::new();
    place.write("c.toml", "log-level = \"info\"\n");
    let worker = ["-f", "combined", "--to", "null:", "-j", "1", "--config", "c.toml"];
    let endpoint = place.endpoint();
    let mut queue = place.queue(&["--linger", "0", "--config", "c.toml"]);
    let mut worker = place.start("logator-worker", &[&["--from", &endpoint], &worker[..]].concat());
    let mut run = place.start("logator", &["run", "-f", "combined", "--to", "null:", "--config", "c.toml"]);
    let replay = ["replay", "-", "-f", "combined", "--to", "null:", "--config", "c.toml"];
    let mut replay = place.start("logator", &replay);
    queue.feed(&access(0..10));
    for (name, running) in [("logator-queue", &mut queue), ("logator-worker", &mut worker), ("run", &mut run)] {
        hang_up(running, "c.toml is read again; the log level is info");
        assert!(!running.stderr().contains("debug"), "{name}: {}", running.stderr());
    }
    hang_up(&mut replay, "c.toml is read again; the log level is info");
    place.write("c.toml", "log-level = \"debug\"\n");
    for running in [&mut queue, &mut worker, &mut run, &mut replay] {
        hang_up(running, "c.toml is read again; the log level is debug");
    }
    queue.feed(&access(10..20));
    queue.says("lines were handed out");
    worker.says("lines were stored");
    run.feed(&access(0..10));
    run.says("lines were stored");
    place.write("c.toml", "log-levle = \"info\"\n");
    hang_up(&mut run, "the log level stays debug: c.toml:1: unknown key log-levle; did you mean log-level?");
    place.write("c.toml", "log-level = \"quiet\"\n");
    hang_up(&mut run, "the log level stays debug: invalid value 'quiet'");
    assert_eq!((queue.end().code, worker.end().code), (Some(0), Some(0)));
    assert_eq!((run.end().code, replay.end().code), (Some(0), Some(0)));
}

#[test]
fn flag_and_environment_are_stronger_than_a_file_that_is_read_again() {
    let place = Workspace::new();
    place.write("c.toml", "log-level = \"debug\"\n");
    for (variables, arguments, words) in [
        (
            &[][..],
            &["--config", "c.toml", "--log-level", "warn"][..],
            "c.toml is read again; the log level stays warn, as --log-level says",
        ),
        (&[], &["--config", "c.toml", "-q"], "c.toml is read again; the log level stays error, as --quiet says"),
        (
            &[("LOGATOR_LOG_LEVEL", "warn"), ("LOGATOR_CONFIG", "c.toml")],
            &[],
            "c.toml is read again; the log level stays warn, as LOGATOR_LOG_LEVEL says",
        ),
        (&[], &[], "there is no --config file to read again; the log level stays info"),
    ] {
        let mut command = place.command("logator", &[&["run", "-f", "combined"], arguments].concat());
        command.envs(variables.iter().copied());
        let mut run = Running::start(command);
        run.feed(&access(0..1));
        hang_up(&mut run, words);
        assert_eq!(run.end().code, Some(0));
    }
}

/// Sends SIGHUP to a process that already works, and waits until the process answers with `words`.
fn hang_up(running: &mut Running, words: &str) {
    wait_for("SIGHUP to be caught", PATIENCE, || heeds(running.id(), nix::sys::signal::Signal::SIGHUP).then_some(()));
    running.signal(nix::sys::signal::Signal::SIGHUP);
    running.says(&format!("SIGHUP: {words}"));
}
