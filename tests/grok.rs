//! Tests `logator grok`, and the flags that add patterns to it and to the other programs.

use crate::kit::logs::{access, access_line, gzip};
use crate::kit::workspace::{Workspace, objects};

/// Returns the documents that `logator grok` prints for `input`, without their ids.
#[track_caller]
fn grok(place: &Workspace, arguments: &[&str], input: &[u8]) -> Vec<serde_json::Value> {
    let ran = place.run("logator", &[&["grok"], arguments].concat(), input);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    let mut documents = objects(&ran.stdout);
    documents.iter_mut().for_each(|document| {
        document.as_object_mut().unwrap().remove("_id");
    });
    documents
}

/// What a user tries is what a job stores.
#[test]
fn the_documents_are_those_that_a_job_stores_byte_for_byte() {
    let place = Workspace::new();
    let lines = "192.0.2.7 GET 512\n192.0.2.8 GET -\nodd \u{e9}\n\n192.0.2.9 PUT 9223372036854775808 and more\n";
    place.write("a.log", lines);
    place.write("web.log", "2026-01-02T03:04:05.123456789Z stdout F 192.0.2.7 GET 512\n");
    place.write("c.gz", gzip(lines.as_bytes()));
    let pattern = "%{IP:client} %{WORD:verb} %{NOTSPACE:bytes:int}";
    for more in [&[][..], &["--ecs"], &["--message", "never"], &["--message=always", "--no-source", "--add-field=a=b"]]
    {
        let inputs = ["a.log", "web.log", "c.gz"];
        let tried = place.run("logator", &[&["grok", pattern], &inputs[..], more].concat(), b"");
        let (ran, receipt) = place.logator(&[&inputs[..], &["-p", pattern, "-j", "1"], more].concat(), b"");
        assert_eq!((tried.code, ran.code), (Some(0), Some(0)), "{}{}", tried.stderr, ran.stderr);
        assert_eq!((receipt.read, tried.stdout.lines().count()), (11, 11));
        assert_eq!(tried.stdout, ran.stdout, "{more:?}");
    }
}

#[test]
fn each_line_gives_one_document() {
    let place = Workspace::new();
    let pattern = "%{WORD:[a][word]} %{INT:n:int} %{NUMBER:f:float}(?: %{NOTSPACE:f:float})?(?<rest>.*)";
    let found = grok(&place, &[pattern], b"x 12 1.5\nnot this one\n\ny -3 2 0.25 and more\r\n");
    let failed = |line: &str| serde_json::json!({"message": line, "tags": ["_grokparsefailure"]});
    let expected = [
        serde_json::json!({"a": {"word": "x"}, "n": 12, "f": 1.5}),
        failed("not this one"),
        failed(""),
        serde_json::json!({"a": {"word": "y"}, "n": -3, "f": [2.0, 0.25], "rest": " and more"}),
    ];
    assert_eq!(found, expected);
}

#[test]
fn names_are_those_of_the_document() {
    let place = Workspace::new();
    let found =
        grok(&place, &["%{WORD:tags} %{WORD:a.b} %{WORD:[@metadata][x]} (?<_id>.*)"], b"one two three four\nx\n");
    assert_eq!(found[0], serde_json::json!({"tags_": "one", "a.b": "two", "_id_": "four"}));
    let found = grok(&place, &["o"], b"no field\n");
    assert_eq!(found, [serde_json::json!({"message": "no field"})]);
    let found = grok(&place, &["^no field$"], b"no field\n");
    assert_eq!(found, [serde_json::json!({})]);
}

#[test]
fn files_are_read_one_after_the_other_compressed_or_not() {
    let place = Workspace::new();
    place.write("a.log", access(0..500));
    place.write("b.log.gz", gzip(&access(500..3000)));
    let found = grok(&place, &["%{COMBINEDAPACHELOG}", "a.log", "b.log.gz", "-"], &access(3000..3010));
    let requests: Vec<&str> = found.iter().map(|object| object["request"].as_str().expect("a text")).collect();
    let expected: Vec<String> = (0..3010).map(|index| format!("/page/{index}")).collect();
    assert_eq!(requests, expected);
}

#[test]
fn a_wrong_pattern_is_a_usage_error_that_shows_the_place() {
    let place = Workspace::new();
    for (arguments, words) in [
        (&["%{WORD:a} (x"][..], "the pattern: this ( is not closed\n  %{WORD:a} (x\n            ^"),
        (&["%{WROD:a}"], "there is no pattern %{WROD}; did you mean WORD?"),
        (&["%{A}", "--pattern-definition", "A=b(+"], "--pattern-definition (A): "),
        (&["%{A}", "--pattern-definition", "A"], "--pattern-definition: a name must be followed by = and its pattern"),
        (&["x", "--patterns-dir", "missing"], "the patterns directory missing cannot be read"),
        (&["x", "missing"], "missing: no such file or directory"),
        (&["%{WORD:a}%{WORD:[a][b]}"], "fields a and [a][b] exclude each other"),
        (&[], "PATTERN"),
    ] {
        let ran = place.run("logator", &[&["grok"], arguments].concat(), b"line\n");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{arguments:?}: {}", ran.stderr);
    }
}

#[test]
fn definitions_come_from_folders_and_flags_and_the_last_one_counts() {
    let place = Workspace::new();
    place.write("p/mine", "SHOE size %{SIZE:size:int}\nSIZE [0-9]+\n");
    place.write("q/more", "SIZE [0-3]+\n");
    let folders = ["--patterns-dir", "p", "--patterns-dir", "q"];
    let size =
        |arguments: &[&str]| grok(&place, &[&["%{SHOE}"], arguments].concat(), b"size 3142\n")[0]["size"].clone();
    assert_eq!(size(&folders[..2]), 3142);
    assert_eq!(size(&folders), 31);
    // A definition may contain the separator of its flag.
    assert_eq!(size(&[&folders[..], &["--pattern-definition", "SIZE=(?<=x=)|3"]].concat()), 3);
    assert_eq!(size(&[&folders[..], &["--pattern-definition=SIZE=1", "--pattern-definition=SIZE=314"]].concat()), 314);
}

#[test]
fn ecs_names_are_given_to_patterns_and_formats_of_every_program() {
    let place = Workspace::new();
    place.write("access.log", access(0..1));
    let found = grok(&place, &["%{COMBINEDAPACHELOG}", "access.log", "--ecs"], b"");
    assert_eq!(found[0]["http"]["response"]["status_code"], 200, "{}", found[0]);
    for (name, value) in [("ecs.toml", "ecs = true\n"), ("grok.toml", "[grok]\necs = true\npattern = [\"x\"]\n")] {
        place.write(name, value);
    }
    let found = grok(&place, &["%{COMBINEDAPACHELOG}", "access.log", "--config", "ecs.toml"], b"");
    assert_eq!(found[0]["source"]["address"], "192.0.2.1");
    for arguments in [&["--ecs"][..], &["--config", "ecs.toml"]] {
        let (_, receipt) =
            place.logator(&[&["access.log", "-f", "combined", "--to", "ndjson:out"], arguments].concat(), b"");
        assert_eq!(receipt.tally.stored, 1);
    }
    for document in place.objects("out") {
        assert_eq!(document["user_agent"]["original"], "Mozilla/5.0 (X11; Linux x86_64)");
        assert_eq!(document["@timestamp"], "2025-10-10T11:00:00.000Z");
    }
    let bench = ["bench", "access.log", "-f", "combined", "--ecs", "-j", "1", "--runs", "1"];
    let more = ["--pattern-definition", "A=b", "-p", "%{A}"];
    let ran = place.run("logator", &[&bench[..], &more].concat(), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}

#[test]
fn every_program_that_parses_knows_which_patterns_there_are() {
    let place = Workspace::new();
    for (program, arguments) in [
        ("logator", &["run", "--help"][..]),
        ("logator", &["bench", "--help"]),
        ("logator", &["grok", "--help"]),
        ("logator-worker", &["--help"]),
    ] {
        let ran = place.run(program, arguments, b"");
        for flag in ["--ecs", "--patterns-dir", "--pattern-definition"] {
            assert!(ran.stdout.contains(flag), "{program} {arguments:?}: {flag}");
        }
        assert_eq!(ran.stdout.matches("LOGATOR_").count(), 1, "variables are named once: {}", ran.stdout);
    }
}

#[test]
fn a_file_of_flags_gives_patterns_to_run_and_none_to_grok() {
    let place = Workspace::new();
    place.write("c.toml", "pattern = [\"%{WORD:w}\"]\npattern-definition = [\"A=b+\"]\n[grok]\necs = false\n");
    let found = grok(&place, &["%{A:a}", "--config", "c.toml"], b"bbb\n");
    assert_eq!(found, [serde_json::json!({"a": "bbb"})]);
    place.write("c.toml", "[grok]\ngrok-pattern = \"x\"\n");
    let ran = place.run("logator", &["grok", "x", "--config", "c.toml"], b"");
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("unknown key grok-pattern"), "{}", ran.stderr);
}

#[test]
fn bytes_that_are_not_utf8_are_replaced_and_end_nothing() {
    let place = Workspace::new();
    // At the beginning of the input, the bytes ff fe would be the byte order mark of UTF-16.
    let found = grok(&place, &["^%{NOTSPACE:a} %{INT:n:int}$"], b"x\xff\xfe 1\n\xc3\xa4 2\n");
    let expected = [
        serde_json::json!({"a": "x\u{FFFD}\u{FFFD}", "n": 1, "tags": ["_invalid_utf8"]}),
        serde_json::json!({"a": "ä", "n": 2}),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_line_of_many_megabytes_is_matched_like_any_other() {
    let place = Workspace::new();
    let mut input = vec![b'x'; 5_000_000];
    input.extend_from_slice(b" 7\nshort 8\n");
    let found = grok(&place, &["^(?<a>[a-z]+) %{INT:n:int}$"], &input);
    assert_eq!((found[0]["a"].as_str().map(str::len), &found[0]["n"]), (Some(5_000_000), &7.into()));
    assert_eq!(found[1], serde_json::json!({"a": "short", "n": 8}));
}

#[test]
fn a_line_that_is_given_up_is_tagged_and_the_pattern_is_named() {
    let place = Workspace::new();
    // The pattern is not regular, so PCRE2 runs it by backtracking.
    let pattern = r"^(?<x>a)(?:a+a+)+\k<x>b$";
    let input = format!("aaaab\n{}bc\naaaaaab\n", "a".repeat(200));
    let ran = place.run(
        "logator",
        &["grok", "%{SLOW}", "--pattern-definition", &format!("SLOW={pattern}")],
        input.as_bytes(),
    );
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let found = objects(&ran.stdout);
    assert_eq!((&found[0]["x"], &found[2]["x"]), (&"a".into(), &"a".into()));
    assert_eq!(found[1], serde_json::json!({"tags": ["_groktimeout"]}));
    assert!(ran.stderr.starts_with("logator: -, line 2: pattern SLOW gave up on the line: "), "{}", ran.stderr);
}

#[test]
fn a_reader_who_leaves_ends_it_without_a_word() {
    let place = Workspace::new();
    place.write("a.log", access(0..200_000));
    let mut command = place.command("logator", &["grok", "%{COMBINEDAPACHELOG}", "a.log"]);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(3), 0));
}

#[test]
fn a_pipe_that_pauses_is_answered_at_once() {
    let place = Workspace::new();
    let mut running = place.start("logator", &["grok", "%{COMBINEDAPACHELOG}"]);
    for index in 0..3 {
        running.feed(format!("{}\n", access_line(index)).as_bytes());
        crate::kit::wait_for("an answer", crate::kit::PATIENCE, || {
            (running.stdout().lines().count() == index + 1).then_some(())
        });
    }
    assert_eq!(running.end().code, Some(0));
}

#[test]
fn damaged_input_is_printed_as_far_as_it_goes() {
    let place = Workspace::new();
    let whole = gzip(&access(0..20_000));
    place.write("damaged.gz", &whole[..whole.len() / 2]);
    let ran = place.run("logator", &["grok", "%{COMBINEDAPACHELOG}", "damaged.gz"], b"");
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.starts_with("logator: damaged.gz: damaged gzip data"), "{}", ran.stderr);
    assert!(objects(&ran.stdout).len() > 5000);
}

#[test]
fn explain_says_how_far_a_failing_line_got() {
    let lines = b"192.0.2.17 GET 0.043\n192.0.2.17 GET soon\nnothing of the kind\n";
    let pattern = "%{IP:client} %{WORD:verb} %{NUMBER:seconds:float}";
    let found = grok(&Workspace::new(), &["--explain", pattern], lines);
    let expected = serde_json::json!([
        {"client": "192.0.2.17", "verb": "GET", "seconds": 0.043},
        {
            "message": "192.0.2.17 GET soon", "tags": ["_grokparsefailure"],
            "explain": {"line": 2, "matched": "%{IP:client} %{WORD:verb} ", "offset": 15, "failed": "%{NUMBER:seconds:float}"},
        },
        {
            "message": "nothing of the kind", "tags": ["_grokparsefailure"],
            "explain": {"line": 3, "matched": "", "offset": 0, "failed": "%{IP:client}"},
        },
    ]);
    assert_eq!(serde_json::json!(found), expected);
}
