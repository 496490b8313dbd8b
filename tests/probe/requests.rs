//! What is requested, and what the documents say.

use std::collections::BTreeSet;

use super::{documents_of, number, probe, time};
use crate::kit::web_server::WebServer;
use crate::kit::workspace::{Workspace, objects};

#[test]
fn once_requests_each_url_once_and_writes_a_document_for_each() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let urls = ["/a", "/status/404", "/reset"].map(|path| server.url(path));
    let file = format!("60,{}\n0.5,\"{}\"\n1,{}\n1,http://127.0.0.1:1/\n", urls[0], urls[1], urls[2]);
    let (ran, receipt) = probe(&place, &file, &["--once"]);
    assert_eq!(ran.code, Some(0), "a failed request is a document and no failure: {}", ran.stderr);
    let documents = objects(&ran.stdout);
    assert_eq!(documents.len(), 4, "{}", ran.stdout);
    for (url, ok, status, error) in [
        (&*urls[0], true, Some(200), None),
        (&urls[1], false, Some(404), Some("http")),
        (&urls[2], false, None, Some("closed")),
        ("http://127.0.0.1:1/", false, None, Some("refused")),
    ] {
        let found = documents_of(&ran.stdout, url);
        let [document] = &found[..] else { panic!("{url}: {found:?}") };
        assert_eq!((document["ok"].as_bool(), document["status"].as_i64()), (Some(ok), status), "{document}");
        assert_eq!(document["error"].as_str(), error, "{document}");
        assert_eq!(document["error_text"].is_string(), error.is_some(), "{document}");
        let phases = ["name_lookup_us", "connect_us", "tls_us", "send_us", "wait_us", "transfer_us"];
        let sum: i64 = phases.iter().map(|phase| number(document, phase)).sum();
        assert_eq!(sum, number(document, "total_us"), "the phases are differences: {document}");
        let scheduled = time(document, "scheduled_at");
        let late = time(document, "started_at") - scheduled - number(document, "lateness_us") / 1000;
        assert!((-1..=1).contains(&late), "{document}");
        assert_eq!(document["@timestamp"], document["started_at"]);
    }
    let ids: BTreeSet<&str> = documents.iter().map(|document| document["_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 4);
    for (key, count) in [("requests", 4), ("failed", 3), ("missed", 0), ("documents", 4), ("wrong_lines", 0)] {
        assert_eq!(number(&receipt, key), count, "{receipt}");
    }
    assert_eq!((receipt["finished"].as_bool(), receipt["urls"].as_array().unwrap().len()), (Some(true), 4));
    assert!(["/a", "/status/404", "/reset"].iter().all(|path| server.heads(path).len() == 1));
}

#[test]
fn with_fail_a_failed_request_is_exit_code_1() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let good = format!("delay,url,status\n1,{},200\n1,{},404\n", server.url("/a"), server.url("/status/404"));
    let (ran, _) = probe(&place, &good, &["--once", "--fail"]);
    assert_eq!(ran.code, Some(0), "404 is what was expected: {}", ran.stderr);
    let bad = format!("{good}1,{},204\n", server.url("/b"));
    let (ran, _) = probe(&place, &bad, &["--once", "--fail"]);
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(
        documents_of(&ran.stdout, &server.url("/b"))[0]["error_text"].as_str().unwrap().contains("204"),
        "{}",
        ran.stdout
    );
}

#[test]
fn redirects_are_hops_with_documents_of_their_own() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let file = format!("delay,url,name\n1,{},chain\n", server.url("/redirect/2"));
    let (ran, receipt) = probe(&place, &file, &["--once", "--redirects", "5"]);
    let documents = objects(&ran.stdout);
    assert_eq!(documents.len(), 3, "{}", ran.stdout);
    for (index, document) in (0..).zip(&documents) {
        assert_eq!((number(document, "hop"), number(document, "hops")), (index + 1, 3));
        assert_eq!(document["url"], server.url(&format!("/redirect/{}", 2 - index)), "{document}");
        assert_eq!(number(document, "status"), if index < 2 { 302 } else { 200 });
        assert_eq!((&document["name"], &document["scheduled_at"]), (&"chain".into(), &documents[0]["scheduled_at"]));
        assert_eq!(document.get("lateness_us").is_some(), index == 0, "{document}");
    }
    let ids: BTreeSet<&str> = documents.iter().map(|document| document["_id"].as_str().unwrap()).collect();
    assert_eq!(ids.len(), 3);
    assert_eq!((number(&receipt, "requests"), number(&receipt, "documents")), (1, 3));
    let (ran, _) = probe(&place, &file, &["--once"]);
    assert_eq!(objects(&ran.stdout).len(), 1, "off by default: {}", ran.stdout);
    let (ran, receipt) = probe(&place, &file, &["--once", "--redirects", "1"]);
    assert_eq!(number(&receipt, "failed"), 1, "{}", ran.stdout);
}

#[test]
fn a_request_that_takes_too_long_is_a_document() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let (ran, receipt) = probe(&place, &format!("1,{}\n", server.url("/held")), &["--once", "--timeout", "0.3"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let document = &objects(&ran.stdout)[0];
    assert_eq!(document["error"], "timeout-first-byte");
    assert!(number(document, "wait_us") >= 200_000, "{document}");
    let latency = &receipt["urls"][0]["latency_us"];
    assert!(number(latency, "p50") >= 250_000, "a time-out counts with the time until then: {receipt}");
}

#[test]
fn the_login_of_a_url_is_sent_and_shown_nowhere() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let with_login = |path: &str| server.url(path).replace("http://", "http://alice:tr0ub4dor@");
    let (good, bad) = (with_login("/a"), with_login("/status/500"));
    let file = format!("1,{good}\n1,{bad}\n1,{good}\n1,ftp://alice:tr0ub4dor@h/\n");
    let files = ["--report", "page.html", "--to", "-", "--to", "ndjson:out"];
    let (ran, receipt) = probe(&place, &file, &[&["--once", "-v", "--log-level", "debug"], &files[..]].concat());
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    assert_eq!(number(&receipt, "wrong_lines"), 2);
    assert!(server.heads("/a")[0].contains("Authorization: Basic "), "{:?}", server.heads("/a"));
    let all = [ran.stdout, ran.stderr, place.text("receipt.json"), place.text("page.html"), place.text("out")].concat();
    assert!(all.contains("/status/500") && !all.contains("tr0ub4dor") && !all.contains("alice"), "{all}");
}

#[test]
fn each_request_connects_anew_unless_connections_are_kept() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let file = format!("delay,url,name\n1,{0},a\n1,{0},b\n1,{0},c\n", server.url("/a"));
    for (flags, reused) in [(&[][..], 0), (&["--reuse"][..], 2)] {
        let (ran, _) = probe(&place, &file, &[&["--once", "-W", "1"], flags].concat());
        let count = objects(&ran.stdout).iter().filter(|document| document["reused"] == true).count();
        assert_eq!(count, reused, "{flags:?}: {}", ran.stdout);
    }
}

#[test]
fn the_method_is_that_of_the_file_and_the_proxy_that_of_the_option() {
    let (place, server, proxy) = (Workspace::new(), WebServer::start(), WebServer::start());
    let file = format!("url,delay,method\n{},1,head\n", server.url("/a"));
    let environment = |flags: &[&str]| {
        let all = [&["urls.csv", "--once"], flags].concat();
        let mut command = place.command("logator-probe", &all);
        command.env("http_proxy", proxy.url("/")).env_remove("no_proxy").env_remove("NO_PROXY");
        place.write("urls.csv", &file);
        crate::kit::workspace::Running::start(command).end()
    };
    let ran = environment(&[]);
    assert!(server.heads("/a")[0].starts_with("HEAD /a HTTP/1.1"), "{:?} {ran:?}", server.heads("/a"));
    assert_eq!(proxy.heads("").len(), 0, "the environment names a proxy, and nobody asked for it");
    environment(&["--proxy", "env"]);
    assert_eq!((server.heads("/a").len(), proxy.heads("http://").len()), (1, 1));
    environment(&["--proxy", &proxy.url("/")]);
    assert_eq!((server.heads("/a").len(), proxy.heads("http://").len()), (1, 2));
}
