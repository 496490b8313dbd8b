//! Tests what documents tell of their source: path, host, added fields, line numbers; and the counts of tags.

use serde_json::{Value, json};

use crate::kit::workspace::{Workspace, objects};

fn host() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap().trim_end().to_owned()
}

/// Returns the documents that `logator run` stores, without their ids.
#[track_caller]
fn documents(place: &Workspace, arguments: &[&str], input: &[u8]) -> Vec<Value> {
    let (ran, _) = place.logator(arguments, input);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    without_ids(objects(&ran.stdout))
}

fn without_ids(mut documents: Vec<Value>) -> Vec<Value> {
    documents.iter_mut().for_each(|document| drop(document.as_object_mut().unwrap().remove("_id")));
    documents
}

#[test]
fn documents_have_path_and_host_of_their_file_and_none_of_standard_input() {
    let place = Workspace::new();
    let real = place.write("real/a.log", "one\n");
    std::os::unix::fs::symlink("real/a.log", place.path("link.log")).unwrap();
    let pattern = ["-p", "%{WORD:a}"];
    let path = |name: &str| place.path(name).display().to_string();
    let of = |name: &str| json!([{"a": "one", "path": path(name), "host": host()}]);
    assert_eq!(json!(documents(&place, &[&["real/a.log"], &pattern[..]].concat(), b"")), of("real/a.log"));
    assert_eq!(json!(documents(&place, &[&["link.log"], &pattern[..]].concat(), b"")), of("link.log"));
    assert_eq!(json!(documents(&place, &pattern, b"one\n")), json!([{"a": "one"}]));
    let ecs = documents(&place, &[&["real/a.log", "--ecs"], &pattern[..]].concat(), b"");
    let expected = json!([{"a": "one", "log": {"file": {"path": real}}, "host": {"name": host()}}]);
    assert_eq!(json!(ecs), expected);
    let hidden = documents(&place, &[&["real/a.log", "--no-source"], &pattern[..]].concat(), b"");
    assert_eq!(json!(hidden), json!([{"a": "one"}]));
}

#[cfg(feature = "mongodb")]
#[test]
#[ignore = "needs a MongoDB: run ./test"]
fn a_database_gets_the_same_source_fields() {
    let server = crate::kit::mongod::AnyServer::get();
    let place = Workspace::new();
    place.write("a.log", "one\n");
    let to = server.uri("sources");
    let (ran, _) = place.logator(&["a.log", "-p", "%{WORD:a}", "--add-field", "env=test", "--to", &to], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let found = server.admin().find_one(server.database(), "sources", mongodb::bson::doc! {"a": "one"}).unwrap();
    let path = place.path("a.log").display().to_string();
    assert_eq!(["path", "host", "env"].map(|name| found.get_str(name).unwrap()), [&*path, &*host(), "test"]);
}

/// Path and host are no part of ids: a file that was rotated keeps its documents, with their old path.
#[cfg(feature = "sqlite")]
#[test]
fn a_file_that_was_renamed_has_the_same_ids_and_keeps_its_path_in_the_store() {
    let place = Workspace::new();
    place.write("a.log", "one\ntwo\n");
    let arguments = ["-p", "%{WORD:a}", "--to", "sqlite:out.db"];
    place.logator(&[&["a.log"], &arguments[..]].concat(), b"");
    std::fs::rename(place.path("a.log"), place.path("a.log.1")).unwrap();
    let (_, receipt) = place.logator(&[&["a.log.1"], &arguments[..]].concat(), b"");
    assert_eq!(receipt.tally.duplicate, 2);
    let db = rusqlite::Connection::open(place.path("out.db")).unwrap();
    let old = place.path("a.log").display().to_string();
    let count: i64 = db
        .query_row("SELECT count(*) FROM logs WHERE doc->>'path' = ?1 AND doc->>'host' = ?2", [old, host()], |row| {
            row.get(0)
        })
        .unwrap();
    assert_eq!(count, 2);
}

#[test]
fn fields_are_added_from_variables_and_stars_in_every_way_to_read() {
    let place = Workspace::new();
    place.write("logs/web/x-7.log", "one\n");
    place.write("logs/db/x-8.log", "two!\n");
    let arguments = [
        "logs/*/x-*.log",
        "-p",
        "%{WORD:a}",
        "--no-source",
        "--add-field",
        "where={path.1}-{path.2}",
        "--add-field=[service][name]=s",
        "--add-field",
        "a=never",
    ];
    let mut found = documents(&place, &arguments, b"");
    found.sort_by_key(|document| document["a"].to_string());
    let expected = json!([
        {"a": "one", "where": "web-7", "service": {"name": "s"}},
        {"a": "two", "message": "two!", "where": "db-8", "service": {"name": "s"}},
    ]);
    assert_eq!(json!(found), expected);
    for (field, words) in [
        ("x=${LOGATOR_NOBODY}", "the environment has no variable LOGATOR_NOBODY"),
        ("x={path.3}", "{path.3}: logs/*/x-*.log has 2 of these stars"),
        ("tags=x", "belongs to logator"),
        ("x", "NAME=VALUE is expected"),
    ] {
        let ran = place.run("logator", &["run", "logs/*/x-*.log", "--add-field", field], b"");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{field}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{field}: {}", ran.stderr);
    }
}

/// A worker makes the same documents from what a queue sends, and a replay from what a letter holds.
#[test]
fn fields_of_the_source_travel_to_workers_and_in_letters() {
    let place = Workspace::new();
    place.write("logs/web/a.log", "one\nodd one\nthree\n");
    let inputs = ["logs/*/a.log", "--add-field", "vhost={path.1}"];
    let parse = ["-p", "^%{WORD:a}$"];
    let alone = without_ids(objects(&place.logator(&[&inputs[..], &parse[..]].concat(), b"").0.stdout));
    assert_eq!(alone[0], json!({"a": "one", "vhost": "web", "path": place.path("logs/web/a.log"), "host": host()}));
    let queue = place.start("logator-queue", &[&inputs[..], &["--bind", &place.endpoint()]].concat());
    let worker = place.run(
        "logator-worker",
        &[&["--from", &place.endpoint(), "--to", "-", "-j", "1"], &parse[..]].concat(),
        b"",
    );
    assert_eq!((worker.code, queue.end().code), (Some(0), Some(0)), "{}", worker.stderr);
    assert_eq!(without_ids(objects(&worker.stdout)), alone);

    let (ran, _) =
        place.logator(&[&inputs[..], &parse[..], &["--unmatched", "dead-letter", "--to", "ndjson:most"]].concat(), b"");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    let letter = &place.objects("dead-letters.ndjson")[0];
    assert_eq!((&letter["line"], &letter["offset"]), (&json!(2), &json!(4)), "{letter}");
    let replayed = place.run("logator", &["replay", "dead-letters.ndjson", "-p", "%{WORD:a} one"], b"");
    let expected = json!([{"a": "odd", "vhost": "web", "path": place.path("logs/web/a.log"), "host": host()}]);
    assert_eq!(json!(without_ids(objects(&replayed.stdout))), expected, "{}", replayed.stderr);
}

#[test]
fn the_receipt_counts_tags_of_its_own_documents_and_of_those_of_workers() {
    let place = Workspace::new();
    place.write("a.log", "n 1\nn -\nn x\nnothing\n");
    let parse = ["-p", "^n %{NOTSPACE:n:int}"];
    let (ran, receipt) = place.logator(&[&["a.log", "--to", "null:"], &parse[..]].concat(), b"");
    let counts = |receipt: &logator::observe::receipt::Receipt| {
        let mut tags: Vec<_> = receipt.tags.iter().map(|tag| (tag.name.clone(), tag.get("documents"))).collect();
        tags.sort();
        tags
    };
    let expected = [("_grokparsefailure".to_owned(), 1), ("_typefailure:n".to_owned(), 2)];
    assert_eq!(counts(&receipt), expected);
    assert!(
        ran.stderr.contains("\n  tag _typefailure:n: 2 documents\n  tag _grokparsefailure: 1 document\n"),
        "{}",
        ran.stderr
    );
    let queue = place.start("logator-queue", &["a.log", "--receipt", "queue.json", "--bind", &place.endpoint()]);
    let worker =
        place.run("logator-worker", &[&["--from", &place.endpoint(), "--to", "null:"], &parse[..]].concat(), b"");
    assert_eq!((worker.code, queue.end().code), (Some(0), Some(0)), "{}", worker.stderr);
    assert_eq!(counts(&place.receipt("queue.json")), expected);
}

/// A number of a line counts all lines before it, also those of records that were set aside.
#[test]
fn letters_have_the_numbers_of_their_lines_whatever_the_batches() {
    let place = Workspace::new();
    let lines: String = (1..=300)
        .map(|number| match number % 50 {
            0 => format!("{}\n", "x".repeat(200)),
            7 => format!("odd {number}\n"),
            _ => format!("line-{number}\n"),
        })
        .collect();
    place.write("a.log", lines);
    for size in ["1", "7", "2000"] {
        let letters = format!("letters-{size}");
        let arguments = [
            "a.log",
            "-p",
            "^line-%{INT:n:int}$",
            "--unmatched",
            "dead-letter",
            "--max-line",
            "100",
            "--batch-lines",
            size,
            "--dead-letters",
            &letters,
            "--to",
            "null:",
        ];
        let (ran, _) = place.logator(&arguments, b"");
        assert_eq!(ran.code, Some(1), "{}", ran.stderr);
        let mut numbers: Vec<u64> =
            place.objects(&letters).iter().map(|letter| letter["line"].as_u64().unwrap()).collect();
        numbers.sort_unstable();
        let expected: Vec<u64> = (1..=300).filter(|number| number % 50 == 0 || number % 50 == 7).collect();
        assert_eq!(numbers, expected, "batches of {size}");
    }
}
