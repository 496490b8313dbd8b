//! The table, the page and the receipt.

use super::{number, probe};
use crate::kit::web_server::WebServer;
use crate::kit::workspace::Workspace;

#[test]
fn the_end_has_a_table_a_page_and_a_receipt_with_the_same_numbers() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let file = format!(
        "delay,url,name\n1,{},home\n1,{},\"<b>&\"\n1,http://127.0.0.1:1/,gone\n",
        server.url("/a"),
        server.url("/status/503?x=<i>")
    );
    let (ran, receipt) = probe(&place, &file, &["--once", "--report", "page.html", "--to", "null:"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (Some(0), ""), "{}", ran.stderr);
    let row = |end: &str| {
        let line =
            ran.stderr.lines().find(|line| line.ends_with(end)).unwrap_or_else(|| panic!("{end}: {}", ran.stderr));
        line.split_whitespace().take(3).map(|cell| cell.parse::<u64>().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(row(&format!("home: {}", server.url("/a"))), [1, 0, 0]);
    assert_eq!(row("gone: http://127.0.0.1:1/"), [1, 1, 0]);
    assert!(
        ran.stderr.contains("3 requests in ") && ran.stderr.contains(" s, 2 failed, 0 missed; 3 documents"),
        "{}",
        ran.stderr
    );
    let page = place.text("page.html");
    assert!(page.contains("&lt;b&gt;&amp;: ") && !page.contains("<b>&") && !page.contains("<script"), "{page}");
    assert!(page.contains("3 URLs, 3 requests, 2 errors, 0 missed") && page.contains("1 refused"), "{page}");
    assert_eq!(receipt["urls"][1]["name"], "<b>&");
    assert_eq!(receipt["urls"][2]["error_classes"]["refused"], 1);
    assert_eq!(receipt["urls"][2]["latency_us"], serde_json::Value::Null);
    assert!(number(&receipt["urls"][0]["latency_us"], "p99") > 0 && number(&receipt, "peak_memory_bytes") > 0);
    assert_eq!((&receipt["sinks"][0]["name"], number(&receipt["sinks"][0], "stored")), (&"null:".into(), 3));
}

#[test]
fn quiet_and_json_messages_are_as_in_the_other_programs() {
    let (place, server) = (Workspace::new(), WebServer::start());
    let file = format!("1,{}\n", server.url("/a"));
    let (ran, _) = probe(&place, &file, &["--once", "-q", "-v"]);
    assert_eq!((ran.code, ran.stderr.as_str()), (Some(0), ""));
    let (ran, _) = probe(&place, &file, &["--once", "-v", "--log-format", "json"]);
    let last = ran.stderr.lines().last().unwrap();
    let last: serde_json::Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {last}"));
    assert_eq!((&last["program"], number(&last["receipt"], "requests")), (&"logator-probe".into(), 1));
    assert!(ran.stderr.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).is_ok()), "{}", ran.stderr);
}

#[test]
fn the_configuration_file_has_a_table_for_it() {
    let (place, server) = (Workspace::new(), WebServer::start());
    place.write("list.csv", format!("1,{}\n", server.url("/a")));
    place.write(
        "c.toml",
        "quiet = true\n[probe]\ninput = \"list.csv\"\nonce = true\nqueue = 5\n[run]\nto = [\"null:\"]\n",
    );
    let ran = place.run("logator-probe", &["--config", "c.toml"], b"");
    assert_eq!((ran.code, ran.stdout.lines().count(), ran.stderr.as_str()), (Some(0), 1, ""));
    place.write("c.toml", "[probe]\nworker = 5\n");
    let ran = place.run("logator-probe", &["list.csv", "--config", "c.toml"], b"");
    assert!(ran.code == Some(2) && ran.stderr.contains("unknown key worker; did you mean workers?"), "{}", ran.stderr);
    // Other programs pass over the table.
    let ran = place.run("logator", &["run", "--config", "c.toml", "--to", "-"], b"a line\n");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
}
