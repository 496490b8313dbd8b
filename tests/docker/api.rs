//! Logs that are read through the API of the Engine.

use super::{
    account, accounts, documents, expect_printed, identified, lines, printer, read, read_all, stop, wait_until,
};
use crate::kit::docker::{AnyEngine, Dockerd};
use crate::kit::workspace::Workspace;

const API: [&str; 2] = ["--container-logs", "api"];

#[test]
#[ignore = "needs a Docker: run ./test"]
fn both_ways_give_the_same_documents() {
    let engine = AnyEngine::get();
    let pad = "pad = \"z\"; for (i = 0; i < 17; i++) pad = pad pad;";
    let script = format!(
        "{}; printf 'one\\r\\n\\n'; printf 'err\\n2026-11-30 11:00:00 boom\\n\\tat a\\n\\tat b\\n' >&2; awk 'BEGIN {{ {pad} print substr(pad, 1, 100000); printf \"no end\" }}'",
        printer(3000)
    );
    // A terminal has one stream, so the lines that are printed after the trace belong to the record of the trace there.
    for (tty, count) in [(&[][..], 3006), (&["--tty"], 3004)] {
        let name = engine.name(if tty.is_empty() { "frames" } else { "terminal" });
        let id = engine.start(&[&["--name", &name], tty].concat(), &script);
        engine.cli().wait(&id);
        let mut ways = ["auto", "api"].map(|way| {
            let place = Workspace::new();
            let input = format!("docker:{name}");
            let ran = read_all(&place, engine.cli().host(), &[&input, "--container-logs", way]);
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
            assert_eq!(accounts(&place)[&name].1, "none");
            documents(&place)
        });
        // Only a file has a path.
        ways.iter_mut().flatten().for_each(|document| drop(document.as_object_mut().unwrap().remove("path")));
        assert_eq!(ways[1].len(), count, "{name}");
        assert_eq!(identified(&ways[0]), identified(&ways[1]), "{name}");
        // All other fields are equal too. The order of records differs where a line of the other stream stands in a long line.
        for documents in &mut ways {
            documents.sort_by_key(|document| document["_id"].to_string());
        }
        let differing = ways[0].iter().zip(&ways[1]).find(|(one, other)| one != other);
        assert!(differing.is_none(), "{name}: {differing:?}");
    }
}

#[test]
#[ignore = "needs a Docker: run ./test"]
fn a_log_is_followed_while_its_container_writes_is_quiet_and_is_removed() {
    let engine = AnyEngine::get();
    let name = engine.name("slow");
    let place = Workspace::new();
    let input = format!("docker:{name}");
    let mut running = read(&place, engine.cli().host(), &[&[input.as_str()][..], &API].concat());
    running.wait_ready();
    let id = engine.start(&["--name", &name], "echo 1; read x < /dev/zero & sleep 0.3; echo 2 >&2; sleep 1000");
    wait_until(&place, 2);
    engine.cli().run(&["rm", "--force", &id]);
    let id = engine.start(&["--name", &name], "echo 3");
    engine.cli().wait(&id);
    wait_until(&place, 3);
    let ran = stop(running);
    let documents = documents(&place);
    assert_eq!(lines(&documents), ["1", "2", "3"], "{}", ran.stderr);
    assert_eq!(documents[1]["stream"], "stderr");
    assert_eq!(accounts(&place)[&name], account("api", "none"));
}

#[test]
#[ignore = "needs a dockerd of its own: run ./test"]
fn files_without_rights_are_read_through_the_api() {
    let engine = Dockerd::start();
    let id = engine.cli().start(&["--name", "web", "--log-driver", "local"], "echo local; seq 1 5");
    engine.cli().wait(&id);
    let place = Workspace::new();
    let ran = read_all(&place, engine.host(), &["docker:web"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(lines(&documents(&place)), ["local", "1", "2", "3", "4", "5"]);
    assert_eq!(accounts(&place)["web"], account("api", "none"));
    let id = engine.cli().start(&["--name", "none", "--log-driver", "none"], "echo x");
    engine.cli().wait(&id);
    let place = Workspace::new();
    let ran = read_all(&place, engine.host(), &["docker:none"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("does not support reading"), "{}", ran.stderr);
}

#[test]
#[ignore = "needs a dockerd of its own: run ./test"]
fn what_the_engine_skips_is_told_and_changes_no_exit_code() {
    let engine = Dockerd::start();
    let place = Workspace::new();
    let mut running = read(&place, engine.host(), &[&["docker:fast"][..], &API].concat());
    running.wait_ready();
    let small = ["--name", "fast", "--log-opt", "max-size=100k", "--log-opt", "max-file=2"];
    let id = engine.cli().start(&small, &printer(200_000));
    engine.cli().wait(&id);
    let marker = engine.cli().start(&["--name", "marker"], "true");
    engine.cli().wait(&marker);
    // The last line is in the files that are left, so it comes in any case.
    let last = || {
        documents(&place).iter().any(|it| lines(std::slice::from_ref(it))[0].starts_with("line 199999 ")).then_some(())
    };
    crate::kit::wait_for("the last line", crate::kit::PATIENCE, last);
    let ran = stop(running);
    let got = lines(&documents(&place));
    let loss = accounts(&place)["fast"].1.clone();
    if got.len() < 200_000 {
        assert_ne!(loss, "none", "{} lines came: {}", got.len(), ran.stderr);
        assert!(ran.stderr.contains("skipped") || ran.stderr.contains("unknown"), "{}", ran.stderr);
    }
}

#[test]
#[ignore = "needs a Docker: run ./test"]
fn a_fast_container_is_followed_without_a_loss_where_its_files_hold_everything() {
    let engine = AnyEngine::get();
    let name = engine.name("fast");
    let place = Workspace::new();
    let input = format!("docker:{name}");
    let mut running = read(&place, engine.cli().host(), &[&[input.as_str()][..], &API].concat());
    running.wait_ready();
    let id = engine.start(&["--name", &name], &printer(50_000));
    engine.cli().wait(&id);
    wait_until(&place, 50_000);
    stop(running);
    expect_printed(lines(&documents(&place)), 50_000);
    assert_eq!(accounts(&place)[&name], account("api", "none"));
}
