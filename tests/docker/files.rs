//! Logs that are read from the files of the Engine.

use super::{account, accounts, documents, expect_printed, lines, printer, read, read_all, stop, wait_until};
use crate::kit::docker::{Dockerd, IMAGE};
use crate::kit::workspace::Workspace;

const SMALL: [&str; 4] = ["--log-opt", "max-size=1m", "--log-opt", "max-file=3"];

#[test]
#[ignore = "needs a dockerd of its own: run ./test"]
fn each_line_of_a_fast_container_comes_once_while_its_files_are_rotated() {
    let engine = Dockerd::start();
    for compress in ["compress=false", "compress=true"] {
        let place = Workspace::new();
        let mut running = read(&place, engine.host(), &["docker:fast"]);
        running.wait_ready();
        let options = [&["--name", "fast", "--log-opt", compress][..], &SMALL].concat();
        let id = engine.cli().start(&options, &printer(100_000));
        engine.cli().wait(&id);
        wait_until(&place, 100_000);
        stop(running);
        let documents = documents(&place);
        expect_printed(lines(&documents), 100_000);
        assert_eq!(accounts(&place).get("fast"), Some(&account("files", "none")));
        let first = &documents[0];
        assert_eq!(first["container"]["id"], id.as_str(), "{first}");
        assert_eq!(first["container"]["name"], "fast");
        assert_eq!(first["container"]["image"]["name"], IMAGE);
        assert_eq!(first["stream"], "stdout");
        assert!(first["@timestamp"].as_str().is_some_and(|time| time.starts_with("20")), "{first}");
        engine.cli().run(&["rm", &id]);
    }
}

#[test]
#[ignore = "needs a dockerd of its own: run ./test"]
fn what_a_stopped_container_has_left_is_read_to_its_end_compressed_files_too() {
    let engine = Dockerd::start();
    let options =
        ["--name", "done", "--log-opt", "max-size=1m", "--log-opt", "max-file=100", "--log-opt", "compress=true"];
    let id = engine.cli().start(&options, &printer(40_000));
    engine.cli().wait(&id);
    let folder = engine.container_folder(&id);
    let is_compressed = || {
        let names = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let names: Vec<String> = names.filter(|name| name.contains("json.log.")).collect();
        (names.len() > 3 && names.iter().all(|name| name.ends_with(".gz"))).then_some(())
    };
    crate::kit::wait_for("compressed files", crate::kit::PATIENCE, is_compressed);
    let place = Workspace::new();
    let ran = read_all(&place, engine.host(), &["docker:*"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    expect_printed(lines(&documents(&place)), 40_000);
}

#[test]
#[ignore = "needs a dockerd of its own: run ./test"]
fn long_lines_are_joined_also_where_a_rotation_cuts_them() {
    let engine = Dockerd::start();
    let place = Workspace::new();
    let mut running = read(&place, engine.host(), &["docker:long", "--max-line", "1MiB"]);
    running.wait_ready();
    // 300 lines of 100 KB, and short lines of the other stream between their pieces.
    let script = "awk 'BEGIN { pad = \"y\"; for (i = 0; i < 17; i++) pad = pad pad; pad = substr(pad, 1, 100000); \
                  for (i = 0; i < 300; i++) { print i \" \" pad; print \"err \" i > \"/dev/stderr\" } }'";
    // 30 MB in half a second: the Engine must not remove a file before a busy machine has opened it.
    let many = ["--name", "long", "--log-opt", "max-size=1m", "--log-opt", "max-file=50"];
    let id = engine.cli().start(&many, script);
    engine.cli().wait(&id);
    wait_until(&place, 600);
    stop(running);
    let documents = documents(&place);
    let mut got: Vec<(String, usize)> = documents
        .iter()
        .map(|document| {
            let line = lines(std::slice::from_ref(document)).remove(0);
            (format!("{} {}", document["stream"].as_str().unwrap_or(""), line.trim_end_matches('y')), line.len())
        })
        .collect();
    got.sort();
    let mut expected: Vec<(String, usize)> = (0..300)
        .flat_map(|i| {
            let err = format!("err {i}");
            [(format!("stdout {i} "), 100_001 + i.to_string().len()), (format!("stderr {err}"), err.len())]
        })
        .collect();
    expected.sort();
    let surprises: Vec<_> = got.iter().filter(|it| !expected.contains(it)).collect();
    assert!(got == expected, "{} documents, not expected: {surprises:?}", got.len());
}

#[test]
#[ignore = "needs a dockerd of its own: run ./test"]
fn containers_are_chosen_by_name_id_and_label_and_since_leaves_out_the_beginning() {
    let engine = Dockerd::start();
    let start = |name: &str, label: &str| {
        let id = engine
            .cli()
            .start(&["--name", name, "--label", label], &format!("echo {name} 1; sleep 1.1; echo {name} 2"));
        engine.cli().wait(&id);
        id
    };
    let (web, _, _) = (start("web", "app.tier=front"), start("db", "app.tier=back"), start("other", "x=y"));
    for (names, expected) in [
        (&["docker:web"][..], &["web 1", "web 2"][..]),
        (&[&format!("docker:{}", &web[..12])], &["web 1", "web 2"]),
        (&["docker:app.tier=back"], &["db 1", "db 2"]),
        (&["docker:web", "docker:app.tier=back"], &["db 1", "db 2", "web 1", "web 2"]),
        (&["docker:*"], &["db 1", "db 2", "other 1", "other 2", "web 1", "web 2"]),
    ] {
        for way in ["auto", "api"] {
            let place = Workspace::new();
            let ran = read_all(&place, engine.host(), &[names, &["--container-logs", way]].concat());
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            let documents = documents(&place);
            let mut got = lines(&documents);
            got.sort();
            assert_eq!(got, expected, "{names:?} {way}");
            if names == ["docker:app.tier=back"] {
                assert_eq!(documents[0]["container"]["labels"]["app_tier"], "back", "{}", documents[0]);
            }
            let since = engine.cli().inspect("web", "{{.State.FinishedAt}}");
            let place = Workspace::new();
            read_all(&place, engine.host(), &["docker:web", "--container-logs", way, "--since", &since]);
            assert!(lines(&documents_of(&place)).is_empty(), "{way}");
            let place = Workspace::new();
            read_all(&place, engine.host(), &["docker:web", "--container-logs", way, "--since", "1h"]);
            assert_eq!(lines(&documents_of(&place)), ["web 1", "web 2"], "{way}");
        }
    }
}

fn documents_of(place: &Workspace) -> Vec<serde_json::Value> {
    documents(place)
}
