//! The file of URLs: wrong lines, wrong files, the original's command line.

use super::{number, probe};
use crate::kit::web_server::WebServer;
use crate::kit::workspace::{Running, Workspace, objects};

#[test]
fn a_line_that_cannot_be_read_is_named_and_the_others_run() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let url = server.url("/a");
    let file = format!("# list\n\n0,{url}\n1,{url}\n2,mailto:x\n");
    let (ran, receipt) = probe(&place, &file, &["--once"]);
    assert_eq!((ran.code, objects(&ran.stdout).len(), number(&receipt, "wrong_lines")), (Some(0), 1, 2));
    for line in ["logator-probe: urls.csv: line 3: the delay is 0", "logator-probe: urls.csv: line 5: the URL"] {
        assert!(ran.stderr.contains(line), "{}", ran.stderr);
    }
    let (ran, _) = probe(&place, &file, &["--once", "--strict"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("urls.csv: line 3: the delay is 0") && ran.stderr.contains("(and one more line)"),
        "{}",
        ran.stderr
    );
    assert_eq!(server.heads("/a").len(), 1);
    let (ran, _) = probe(&place, &format!("1,{url}\n"), &["--once", "--strict"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn a_file_without_a_url_is_a_usage_error() {
    let place = Workspace::new();
    for (file, words) in [
        ("", "no line names a URL"),
        ("# only a comment\n", "no line names a URL"),
        ("x,y\n", "line 1: "),
        ("url,colour\n1,2\n", "line 1: the header has an unknown column"),
    ] {
        let (ran, _) = probe(&place, file, &["--once"]);
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(ran.stderr.contains(&format!("urls.csv: {words}")), "{}", ran.stderr);
    }
    let ran = place.run("logator-probe", &["missing.csv"], b"");
    assert!(ran.code == Some(2) && ran.stderr.contains("missing.csv: the list of URLs cannot be read"), "{ran:?}");
    let ran = place.run("logator-probe", &[], b"");
    assert!(ran.code == Some(2) && ran.stderr.contains("FILE"), "{ran:?}");
}

#[test]
fn options_out_of_range_are_refused_with_words() {
    let place = Workspace::new();
    place.write("urls.csv", "1,http://127.0.0.1:1/\n");
    for (flags, words) in [
        (["-W", "0"], "from 1 on"),
        (["-Q", "x"], "from 1 on"),
        (["--timeout", "0"], "0.001 seconds"),
        (["--timeout", "1e9"], "0.001 seconds"),
        (["--redirects", "x"], "--redirects"),
        (["--proxy", "host:3128"], "a proxy is none, env, or a URL"),
        (["--max-memory", "1"], "64KiB"),
        (["--report", "urls.csv"], "urls.csv"),
        (["--to", "ndjson:urls.csv"], "urls.csv"),
    ] {
        let ran = place.run("logator-probe", &[&["urls.csv", "--once"], &flags[..]].concat(), b"");
        assert_eq!(ran.code, Some(2), "{flags:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{flags:?}: {}", ran.stderr);
    }
    assert_eq!(place.text("urls.csv"), "1,http://127.0.0.1:1/\n");
}

#[test]
fn the_command_line_of_the_original_works_and_the_program_says_the_name_it_was_called_by() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let link = place.path("latency-logger");
    std::os::unix::fs::symlink(crate::kit::program("logator-probe"), &link).unwrap();
    place.write("demo.csv", format!("5,{}\n2.5,{}\nwrong\n", server.url("/a"), server.url("/b")));
    let call = |arguments: &[&str]| {
        let mut command = std::process::Command::new(&link);
        command.args(arguments).current_dir(place.path("."));
        Running::start(command).end()
    };
    let ran = call(&["demo.csv", "-Q", "10", "-W", "2", "-v", "--once"]);
    assert_eq!((ran.code, objects(&ran.stdout).len()), (Some(0), 2), "{}", ran.stderr);
    assert!(ran.stderr.contains("latency-logger: demo.csv: line 3: "), "{}", ran.stderr);
    let verbose = ran.stderr.lines().filter(|line| line.contains(" GET http://") && line.contains(" 200 "));
    assert_eq!(verbose.count(), 2, "{}", ran.stderr);
    let version = call(&["--version"]);
    assert_eq!(version.stdout.trim(), format!("latency-logger {}", env!("CARGO_PKG_VERSION")));
    let wrong = call(&["demo.csv", "--no-such-flag"]);
    assert!(wrong.code == Some(2) && wrong.stderr.contains("Usage: latency-logger"), "{}", wrong.stderr);
    let ran = call(&["missing.csv"]);
    assert!(ran.stderr.starts_with("latency-logger: missing.csv"), "{}", ran.stderr);
}

#[test]
fn the_example_runs() {
    let place = Workspace::new();
    let example = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/demo.csv");
    let arguments = [&*example.display().to_string(), "--once", "--timeout", "0.5", "-W", "2"];
    let ran = place.run("logator-probe", &arguments, b"");
    // Without a network, each request is a document with an error.
    assert_eq!((ran.code, objects(&ran.stdout).len()), (Some(0), 4), "{ran:?}");
    assert!(!ran.stderr.contains("line "), "each line can be read: {}", ran.stderr);
}
