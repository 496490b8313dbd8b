//! Lines of containers, read by the real programs: the forms of their lines, long lines in pieces, paths of Kubernetes.

use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::process::Command;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kit::needs::given;
use crate::kit::workspace::{Workspace, objects};
use crate::kit::{PATIENCE, wait_for};

const TIME: &str = "2026-01-02T03:04:05";

/// Stores all dead letters again, as documents that no pattern matches.
const REPLAY: &[&str] = &[
    "replay",
    "dead-letters.ndjson",
    "-p",
    "^never$",
    "--unmatched",
    "keep",
    "--to",
    "ndjson:again",
    "--dead-letters",
    "more",
];

/// The time of record number `at`.
fn time(at: usize) -> String {
    format!("{TIME}.{at:09}Z")
}

/// A piece: stream, text, and whether the line ends with it.
type Piece = (&'static str, String, bool);

fn json_file(at: usize, (stream, text, ends): &Piece) -> String {
    let log = format!("{text}{}", if *ends { "\n" } else { "" });
    format!("{}\n", json!({ "log": log, "stream": stream, "time": time(at) }))
}

fn cri(at: usize, (stream, text, ends): &Piece) -> String {
    format!("{} {stream} {} {text}\n", time(at), if *ends { "F" } else { "P" })
}

/// Lines of both streams. Every tenth line comes in pieces, with lines of the other stream between them. The number of the
/// pieces that are not the last one of their line comes with it.
fn log(form: fn(usize, &Piece) -> String, lines: usize) -> (String, usize) {
    let (mut content, mut pieces) = (String::new(), 0);
    for at in 1..=lines {
        if at % 10 == 0 {
            content += &form(at, &("stdout", format!("long {at} {}", "x".repeat(at % 500)), false));
            content += &form(at + 1, &("stderr", format!("between {at}"), true));
            content += &form(at, &("stdout", format!("{} and", "y".repeat(at % 300)), false));
            content += &form(at, &("stdout", " end".to_owned(), true));
            pieces += 2;
        } else {
            content += &form(at, &("stdout", format!("line {at}"), true));
        }
    }
    (content, pieces)
}

/// The fields of a document that every form of a line gives. The rule of times makes the id.
fn essence(document: &Value) -> [String; 4] {
    ["_id", "message", "stream", "@timestamp"].map(|name| document[name].as_str().unwrap_or_default().to_owned())
}

fn sorted(text: &str) -> Vec<[String; 4]> {
    let mut all: Vec<[String; 4]> = objects(text).iter().map(essence).collect();
    all.sort();
    all
}

#[test]
fn a_file_in_either_form_its_gzip_and_a_queue_give_the_same_documents() {
    let place = Workspace::new();
    let ((json, pieces), (text, _)) = (log(json_file, 3000), log(cri, 3000));
    let lines = json.lines().count();
    place.write("json.log", &json);
    place.write("cri.log", &text);
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(text.as_bytes()).unwrap();
    place.write("cri.gz", packed.finish().unwrap());
    let mut found: Option<Vec<[String; 4]>> = None;
    let mut check = |what: &str, out: &str| {
        let documents = sorted(&place.text(out));
        assert_eq!(documents.len(), lines - pieces, "{what}");
        let first = found.get_or_insert_with(|| documents.clone());
        assert!(*first == documents, "{what}");
    };
    let small = ["--batch-lines", "7", "--origin", "one", "-p", "^never$"];
    for (what, input) in
        [("json-file", "json.log"), ("CRI", "cri.log"), ("gzip", "cri.gz"), ("a glob", "cri.l[o]g"), ("stdin", "-")]
    {
        let (ran, receipt) = place.logator(&[&small[..], &[input, "--to", "ndjson:out"]].concat(), json.as_bytes());
        assert_eq!(ran.code, Some(0), "{what}: {}", ran.stderr);
        assert_eq!((receipt.read, receipt.tally.joined), (lines as u64, pieces as u64), "{what}");
        assert!(receipt.agrees && ran.stderr.contains("+ joined"), "{what}: {}", ran.stderr);
        check(what, "out");
        std::fs::remove_file(place.path("out")).unwrap();
    }
    let queue = place.queue(&["json.log", "--batch-lines", "7", "--origin", "one"]);
    let workers = [
        place.worker(&["-p", "^never$", "--to", "ndjson:one"]),
        place.worker(&["-p", "^never$", "--to", "ndjson:two"]),
    ];
    assert_eq!(queue.end().code, Some(0));
    workers.into_iter().for_each(|worker| assert_eq!(worker.end().code, Some(0)));
    let receipt = place.receipt("queue.json");
    assert!(receipt.agrees, "{receipt:?}");
    assert_eq!((receipt.read, receipt.tally.joined), (lines as u64, pieces as u64));
    let both: String =
        ["one", "two"].iter().filter(|name| place.path(name).exists()).map(|name| place.text(name)).collect();
    place.write("both", both);
    check("a queue", "both");
}

#[test]
fn dead_letters_of_joined_lines_are_replayed_under_their_ids() {
    let place = Workspace::new();
    let (content, pieces) = log(json_file, 200);
    place.write("a.log", &content);
    let run = |more: &[&str]| place.logator(&[&["a.log", "-p", "^never$"], more].concat(), b"").1;
    run(&["--to", "ndjson:kept"]);
    let receipt = run(&["--to", "ndjson:none", "--unmatched", "dead-letter"]);
    assert!(receipt.agrees && receipt.tally.joined == pieces as u64, "{receipt:?}");
    let letters = place.objects("dead-letters.ndjson");
    assert_eq!(letters.len(), content.lines().count() - pieces);
    let joined = letters.iter().filter(|letter| letter["raw"].as_str().is_some_and(|raw| raw.lines().count() == 3));
    assert_eq!(joined.count(), pieces / 2);
    let ran = place.run("logator", REPLAY, b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(sorted(&place.text("again")), sorted(&place.text("kept")));
}

#[test]
fn other_forms_are_told_by_their_first_line_and_an_option_overrules_it() {
    let place = Workspace::new();
    let timed = format!("{} one\n{} two\n", time(1), time(2));
    for (name, content) in [("timed.log", timed.as_str()), ("compose.log", "web-1  | one\nweb-1  | two\n")] {
        place.write(name, content);
    }
    let messages = |arguments: &[&str]| {
        let (ran, receipt) = place.logator(&[arguments, &["-p", "^never$", "--to", "ndjson:out"]].concat(), b"");
        assert!(ran.code == Some(0) && receipt.agrees, "{}", ran.stderr);
        let all = place.objects("out");
        std::fs::remove_file(place.path("out")).unwrap();
        all
    };
    let text = |documents: &[Value], name: &str| {
        documents.iter().map(|it| it[name].as_str().unwrap_or("-").to_owned()).collect::<Vec<_>>()
    };
    let read = messages(&["timed.log"]);
    assert_eq!(text(&read, "message"), ["one", "two"]);
    assert!(text(&read, "@timestamp").iter().all(|at| at.starts_with(TIME)));
    let read = messages(&["compose.log"]);
    assert_eq!(text(&read, "message"), ["one", "two"]);
    assert_eq!(read[0]["container"]["name"], json!("web-1"));
    let read = messages(&["compose.log", "--wrapping", "none"]);
    assert_eq!(text(&read, "message"), ["web-1  | one", "web-1  | two"]);
    let read = messages(&["timed.log", "--wrapping", "cri"]);
    assert!(read.iter().all(|document| document["tags"].to_string().contains("_containerparsefailure")), "{read:?}");
}

#[test]
fn the_format_of_the_messages_is_detected() {
    let place = Workspace::new();
    let access = r#"192.0.2.4 - - [03/Feb/2024:04:05:06 +0000] "GET / HTTP/1.1" 200 17 "-" "curl/8.5.0""#;
    place.write("web.log", (1..20).map(|at| json_file(at, &("stdout", access.to_owned(), true))).collect::<String>());
    let (ran, receipt) = place.logator(&["web.log", "--to", "ndjson:out"], b"");
    assert!(ran.stderr.contains("format combined"), "{}", ran.stderr);
    assert_eq!(receipt.tally.stored, 19);
    let first = &place.objects("out")[0];
    assert_eq!((&first["response"], &first["stream"]), (&json!(200), &json!("stdout")));
    assert_eq!(first["@timestamp"], json!("2024-02-03T04:05:06.000Z"), "the time of the record counts more");
}

#[test]
fn pods_are_followed_with_the_fields_of_their_paths_each_file_once() {
    let place = Workspace::new();
    let id = "0123456789abcdef".repeat(4);
    let line = |at: usize, text: &str| cri(at, &("stdout", text.to_owned(), true));
    place.write("pods/shop_web-1_6f1c/nginx/0.log.20260101-000000", line(1, "rotated"));
    let live = place.write("pods/shop_web-1_6f1c/nginx/0.log", line(2, "live"));
    std::fs::create_dir(place.path("containers")).unwrap();
    symlink(&live, place.path(&format!("containers/web-1_shop_nginx-{id}.log"))).unwrap();
    let mut running = place.start(
        "logator",
        &[
            "run",
            "pods",
            "containers",
            "pods/*/*/*.log*",
            "--follow",
            "-p",
            "^never$",
            "--receipt",
            "receipt",
            "--to",
            "ndjson:out",
        ],
    );
    running.wait_ready();
    let out = || std::fs::read_to_string(place.path("out")).unwrap_or_default();
    let wait = |count: usize| wait_for("documents", PATIENCE, || (out().lines().count() >= count).then_some(()));
    wait(2);
    std::fs::OpenOptions::new().append(true).open(&live).unwrap().write_all(line(3, "more").as_bytes()).unwrap();
    place.write("pods/shop_db-0_77aa/db/3.log", line(4, "new pod"));
    wait(4);
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end_with_input_open().code, Some(0));
    let documents = objects(&out());
    assert_eq!(documents.len(), 4, "{documents:?}");
    for document in documents {
        let kubernetes = &document["kubernetes"];
        let (pod, restarts) = match document["message"].as_str() {
            Some("new pod") => ("db-0", 3),
            _ => ("web-1", 0),
        };
        assert_eq!(kubernetes["pod"]["name"], json!(pod), "{document}");
        assert_eq!(kubernetes["namespace"], json!("shop"));
        assert_eq!(kubernetes["container"]["restart_count"], json!(restarts));
    }
    let (_, receipt) = place.logator(&["containers", "-p", "^never$", "--to", "ndjson:links"], b"");
    assert_eq!(receipt.read, 2);
    let links = place.objects("links");
    assert_eq!((&links[0]["container"]["id"], &links[0]["kubernetes"]["pod"]["uid"]), (&json!(id), &json!("6f1c")));
}

#[test]
fn a_piece_that_waits_for_its_rest_is_joined_while_a_file_is_followed() {
    let place = Workspace::new();
    let piece = |text: &str, ends| json_file(1, &("stdout", text.to_owned(), ends));
    let file = place.write("a.log", piece("a", false));
    let mut running = place
        .start("logator", &["run", "a.log", "--follow", "-p", "^never$", "--receipt", "receipt", "--to", "ndjson:out"]);
    running.wait_ready();
    let append = |text: String| {
        std::fs::OpenOptions::new().append(true).open(&file).unwrap().write_all(text.as_bytes()).unwrap()
    };
    append(piece("b", true));
    let out = || std::fs::read_to_string(place.path("out")).unwrap_or_default();
    wait_for("the joined line", PATIENCE, || (out().lines().count() >= 1).then_some(()));
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end_with_input_open().code, Some(0));
    let messages: Vec<Value> = objects(&out()).into_iter().map(|mut document| document["message"].take()).collect();
    assert_eq!(messages, [json!("ab")]);
}

/// A line in three pieces, of which a rotation has moved the first one to another file. A line of the other stream stands
/// between its pieces.
fn rotated(form: fn(usize, &Piece) -> String) -> [String; 2] {
    let piece = |at, stream, text: &str, ends| form(at, &(stream, text.to_owned(), ends));
    let first = [piece(1, "stdout", "before", true), piece(2, "stdout", "one ", false)].concat();
    let next = [
        piece(2, "stdout", "two ", false),
        piece(3, "stderr", "between", true),
        piece(2, "stdout", "three", true),
        piece(4, "stdout", "after", true),
    ];
    [first, next.concat()]
}

#[test]
fn a_line_that_a_rotation_cut_is_joined() {
    for form in [json_file as fn(usize, &Piece) -> String, cri] {
        let place = Workspace::new();
        let [first, next] = rotated(form);
        place.write("a.log.1", &first);
        place.write("a.log", &next);
        let mut seen: Option<Vec<[String; 4]>> = None;
        for inputs in [&["a.log.1", "a.log"][..], &["a.log", "a.log.1"], &["."], &["a.log*", "--batch-lines", "1"]] {
            let (ran, receipt) = place.logator(&[inputs, &["-p", "^never$", "--to", "ndjson:out"]].concat(), b"");
            assert!(ran.code == Some(0) && receipt.agrees, "{}", ran.stderr);
            assert_eq!((receipt.read, receipt.tally.joined), (6, 2), "{inputs:?}");
            let found = sorted(&place.text("out"));
            let mut messages: Vec<&str> = found.iter().map(|[_, message, ..]| message.as_str()).collect();
            messages.sort_unstable();
            assert_eq!(messages, ["after", "before", "between", "one two three"], "{inputs:?}");
            assert!(seen.get_or_insert_with(|| found.clone()) == &found, "{inputs:?}");
            std::fs::remove_file(place.path("out")).unwrap();
        }
        let receipt =
            place.logator(&["a.log", "a.log.1", "-p", "^never$", "--unmatched", "dead-letter", "--to", "null:"], b"").1;
        assert_eq!((receipt.tally.dead_lettered, receipt.tally.joined), (4, 2));
        assert_eq!(place.run("logator", REPLAY, b"").code, Some(0));
        assert!(seen == Some(sorted(&place.text("again"))), "a replay");
    }
}

#[test]
fn a_line_that_a_rotation_cuts_while_the_file_is_followed_is_joined() {
    let place = Workspace::new();
    let [first, next] = rotated(json_file);
    let file = place.write("logs/a.log", &first);
    let state = ["--state", "state"];
    let fixed = ["run", "logs/a.log*", "--follow", "-p", "^never$", "--receipt", "receipt", "--to", "ndjson:out"];
    let mut running = place.start("logator", &[&fixed[..], &state].concat());
    running.wait_ready();
    std::fs::rename(&file, place.path("logs/a.log.1")).unwrap();
    place.write("logs/a.log", &next);
    let out = || std::fs::read_to_string(place.path("out")).unwrap_or_default();
    wait_for("documents", PATIENCE, || (out().lines().count() >= 4).then_some(()));
    running.signal(Signal::SIGTERM);
    assert_eq!(running.end_with_input_open().code, Some(0));
    let first = place.receipt("receipt");
    let messages: Vec<Value> = objects(&out()).into_iter().map(|mut document| document["message"].take()).collect();
    assert_eq!(messages.len(), 4);
    assert!(messages.contains(&json!("one two three")), "{messages:?}");
    // If the first piece still waited for its rest, another run counts it. No line has a second document.
    let (ran, second) = place.logator(&["logs", "-p", "^never$", "--to", "ndjson:out", "--state", "state"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!((first.read + second.read, first.tally.joined + second.tally.joined), (6, 2), "{first:?} {second:?}");
    assert_eq!(out().lines().count(), 4);
}

#[test]
#[ignore = "needs kubernetes-validate: run ./test"]
fn the_manifest_for_kubernetes_is_valid_by_its_schemas() {
    let modules = given("LOGATOR_TEST_KUBERNETES_VALIDATE", "kubernetes-validate");
    let python = given("LOGATOR_TEST_PYTHON", "a Python");
    let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/kubernetes/daemonset.yaml");
    let check = |manifest: &str| {
        let script = "import sys, yaml, kubernetes_validate as k\nfor one in yaml.safe_load_all(open(sys.argv[1])): k.validate(one, sys.argv[2], strict=True); print(one['kind'])";
        let ran =
            Command::new(&python).env("PYTHONPATH", &modules).args(["-c", script, manifest, "1.31"]).output().unwrap();
        (
            ran.status.success(),
            String::from_utf8_lossy(&ran.stdout).into_owned(),
            String::from_utf8_lossy(&ran.stderr).into_owned(),
        )
    };
    let (valid, kinds, said) = check(manifest);
    assert!(valid, "{said}");
    assert_eq!(kinds.lines().collect::<Vec<_>>(), ["Namespace", "ServiceAccount", "DaemonSet"]);
    // The validator finds a key that Kubernetes does not know.
    let place = Workspace::new();
    let text = std::fs::read_to_string(manifest).unwrap();
    for (right, wrong) in
        [("updateStrategy:", "updateStrategies:"), ("readOnly: true", "readOnly: often"), ("name: state", "nam: state")]
    {
        assert!(text.contains(right));
        let broken = place.write("broken.yaml", text.replacen(right, wrong, 1));
        assert!(!check(broken.to_str().unwrap()).0, "{wrong}");
    }
}
