//! The server refuses what a real one refuses, and does what its rules say.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use serde_json::Value;

use super::*;

const ID: &str = "00000000000000010000000000000002aaaaaaaaaaaa";

fn action(last: u32) -> String {
    format!("{{\"create\":{{\"_id\":\"{}{last:04}\"}}}}\n", &ID[..40])
}

/// Sends one request over a connection of its own. Returns the status (0 without an answer) and the body.
fn send(server: &BulkServer, head: &str, body: &[u8]) -> (u16, Value) {
    let mut stream = TcpStream::connect(server.address).unwrap();
    let (first, more) = head.split_once("\r\n").unwrap_or((head, ""));
    let more = if more.is_empty() { String::new() } else { format!("{more}\r\n") };
    write!(stream, "{first} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{more}\r\n").unwrap();
    let _ = stream.write_all(body);
    let mut said = Vec::new();
    let _ = stream.read_to_end(&mut said);
    let text = String::from_utf8(said).unwrap();
    let status = text.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    let body = text.split_once("\r\n\r\n").map(|(_, body)| body).unwrap_or_default();
    (status, serde_json::from_str(body).unwrap_or(Value::String(body.to_owned())))
}

fn bulk(server: &BulkServer, parameters: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let head = format!("POST /i/_bulk{parameters}\r\nContent-Type: application/x-ndjson\r\nContent-Length: {length}");
    send(server, &head, body.as_bytes())
}

const FILTER: &str = "?filter_path=errors,items.*.status";

fn statuses(answer: &Value) -> Vec<u64> {
    let items = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().map(|item| item["create"]["status"].as_u64().unwrap()).collect()
}

#[test]
fn documents_are_created_once_and_the_answer_is_that_of_a_real_server() {
    let server = BulkServer::start(Setup { product: Product::OpenSearch2, ..Setup::default() });
    let body = format!("{}{{\"a\":1}}\n{}{{\"b\":2}}\n", action(1), action(2));
    let (status, answer) = bulk(&server, "", &body);
    assert_eq!((status, statuses(&answer)), (200, vec![201, 201]));
    assert_eq!((&answer["errors"], &answer["items"][1]["create"]["_index"]), (&false.into(), &"i".into()));
    let (_, answer) = bulk(&server, FILTER, &body);
    let once = serde_json::json!({ "create": { "status": 409 } });
    assert_eq!(answer, serde_json::json!({ "errors": true, "items": [once, once] }));
    assert_eq!(server.documents("i").len(), 2);
    let numbers = server.numbers();
    assert_eq!((numbers.created, numbers.existing, numbers.requests), (2, 2, 2));
    // Items of which nothing is wanted are not in the answer.
    assert_eq!(bulk(&server, "?filter_path=items.*.failure_store,took", &body).1, serde_json::json!({ "took": 1 }));
}

#[test]
fn a_request_that_is_not_as_a_real_server_wants_it_is_refused_and_noted() {
    let server = BulkServer::new();
    let good = format!("{}{{\"a\":1}}\n", action(1));
    let typed = |body: &str| format!("Content-Type: application/x-ndjson\r\nContent-Length: {}", body.len());
    for (head, body) in [
        (format!("POST /i/_bulk\r\n{}", typed(good.trim_end())), good.trim_end().to_owned()),
        (format!("POST /i/_bulk\r\n{}", typed(&action(1))), action(1)),
        (format!("POST /i/_bulk\r\n{}", typed("")), String::new()),
        (format!("POST /_bulk\r\n{}", typed(&good)), good.clone()),
        (format!("POST /I/_bulk\r\n{}", typed(&good)), good.clone()),
        (format!("PUT /i/_bulk\r\n{}", typed(&good)), good.clone()),
        (format!("POST /i/_bulk?typo=1\r\n{}", typed(&good)), good.clone()),
        (format!("POST /i/_bulk\r\nContent-Encoding: gzip\r\n{}", typed(&good)), good.clone()),
        (format!("POST /i/_bulk\r\nContent-Type: application/json\r\nContent-Length: {}", good.len()), good.clone()),
        ("POST /i/_bulk\r\nContent-Type: application/x-ndjson".to_owned(), String::new()),
        ("POST /i/_bulk\r\nTransfer-Encoding: chunked".to_owned(), "0\r\n\r\n".to_owned()),
        ("GET /i/_typo".to_owned(), String::new()),
    ] {
        let (status, _) = send(&server, &head, body.as_bytes());
        assert_eq!((status, server.take_violations().len()), (400, 1), "{head}");
    }
    for body in [
        "{\"index\":{}}\n{}\n".to_owned(),
        "{\"create\":{}}\n{}\n".to_owned(),
        format!("{}{{\"_id\":1}}\n", action(1)),
        format!("{}{{\"a\":1,\"a\":2}}\n", action(1)),
        format!("{}{{\"a\":01}}\n", action(1)),
        format!("{}[]\n", action(1)),
        format!("{}{{}}\n\n", action(1)),
    ] {
        assert_eq!(bulk(&server, "", &body).0, 400, "{body}");
        assert_eq!(server.take_violations().len(), 1, "{body}");
    }
    assert!(server.indexes().is_empty());
}

#[test]
fn gzip_is_one_whole_member() {
    let server = BulkServer::new();
    let body = format!("{}{{\"a\":1}}\n", action(1));
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packed.write_all(body.as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    let mut longer = packed.clone();
    longer.push(0);
    for (sent, status) in [(&packed[..], 200), (&packed[..packed.len() - 1], 400), (&longer, 400)] {
        let typed = "Content-Type: application/x-ndjson\r\nContent-Encoding: gzip";
        let head = format!("POST /i/_bulk\r\n{typed}\r\nContent-Length: {}", sent.len());
        assert_eq!(send(&server, &head, sent).0, status);
        assert_eq!(server.take_violations().len(), usize::from(status == 400));
    }
    let numbers = server.numbers();
    assert_eq!((numbers.body, numbers.sent), (body.len() as u64, packed.len() as u64));
}

#[test]
fn each_fault_happens_as_often_as_its_rule_says() {
    let server = BulkServer::new();
    let body = format!("{}{{\"a\":1}}\n{}{{\"b\":2}}\n", action(1), action(2));
    let faults: [(Fault, u16, &[u64], usize); 10] = [
        (Fault::status(503, "x", "y"), 503, &[], 0),
        (Fault::too_large(), 413, &[], 0),
        (Fault::page(502, "Bad Gateway"), 502, &[], 0),
        (Fault::CutBefore, 0, &[], 0),
        (Fault::all(ItemFault::busy()), 200, &[429, 429], 0),
        (Fault::Items(2, ItemFault::mapping()), 200, &[400, 201], 1),
        (Fault::all(ItemFault::in_failure_store()), 200, &[201, 201], 1),
        (Fault::ItemMissing, 200, &[201], 2),
        (Fault::ItemTwice, 200, &[409, 409, 409], 2),
        (Fault::CutAfter, 0, &[], 2),
    ];
    for (fault, status, items, stored) in faults {
        server.set_rules(vec![Rule::next(1, fault.clone())]);
        let (said, answer) = bulk(&server, "", &body);
        let there = server.documents("i").len();
        assert_eq!((said, statuses(&answer), there), (status, items.to_vec(), stored), "{fault:?}: {answer}");
        assert_eq!(server.times_left(), [0]);
    }
    assert_eq!(server.documents("i::failures").len(), 2);
    server.set_rules(vec![Rule::next(1, Fault::ItemsReversed)]);
    let (_, answer) = bulk(&server, "", &body);
    assert!(answer["items"][0]["create"]["_id"].as_str().unwrap().ends_with("0002"));
    server.set_rules(vec![Rule::new(When::MoreDocuments(2), 1, Fault::CutBefore)]);
    assert_eq!(bulk(&server, FILTER, &body).0, 200);
}

#[test]
fn it_passes_for_each_product() {
    for (product, number, header) in [
        (Product::Elasticsearch7, "7.17.28", true),
        (Product::Elasticsearch8, "8.19.4", true),
        (Product::Elasticsearch9, "9.1.4", true),
        (Product::OpenSearch2, "2.19.1", false),
    ] {
        let server = BulkServer::start(Setup { product, max_content_length: Some(4096), ..Setup::default() });
        let (status, root) = send(&server, "GET /", b"");
        assert_eq!((status, &root["version"]["number"]), (200, &number.into()));
        assert_eq!(root["version"]["distribution"] == "opensearch", !header);
        let settings = send(&server, "GET /_cluster/settings?include_defaults=true&flat_settings=true", b"").1;
        assert_eq!(settings["defaults"]["http.max_content_length"], "4096b");
        assert_eq!(send(&server, "GET /_data_stream/x", b"").0, 404);
        let body = format!("{}{{\"a\":\"{}\"}}\n", action(1), "x".repeat(5000));
        assert_eq!(bulk(&server, "", &body).0, 413);
    }
}

#[test]
fn a_closed_server_refuses_connections_until_it_is_opened_again() {
    let mut server = BulkServer::start(Setup { authorization: Some("ApiKey k".into()), ..Setup::default() });
    assert_eq!(send(&server, "GET /", b"").0, 401);
    assert_eq!(send(&server, "GET /\r\nAuthorization: ApiKey k", b"").0, 200);
    server.close();
    assert!(TcpStream::connect(server.address).is_err());
    server.reopen();
    assert_eq!(send(&server, "GET /\r\nAuthorization: ApiKey k", b"").0, 200);
    let statuses: Vec<u16> = server.seen().iter().map(|seen| seen.status).collect();
    assert_eq!(statuses, [401, 200, 200]);
}
