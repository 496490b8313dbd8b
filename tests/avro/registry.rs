//! The client of a schema registry: against a server that answers as it is told, and against a real one.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use logator::avro::registry::{Registry, RegistryAddress, RegistrySchemas, TroubleKind};
use logator::avro::{NoSchema, SchemaKey, SchemaSource};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::kit::certificates;
use crate::kit::workspace::Workspace;

/// A server that gives the answers in its list, one for each connection, and keeps the requests.
struct Told {
    port: u16,
    requests: Arc<Mutex<Vec<String>>>,
}

/// Reads a request with its body.
fn request(stream: &mut impl Read) -> String {
    let mut read = Vec::new();
    let mut block = [0; 4096];
    loop {
        let got = stream.read(&mut block).unwrap_or(0);
        read.extend_from_slice(&block[..got]);
        let text = String::from_utf8_lossy(&read).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        if got == 0 {
            return text;
        }
    }
}

impl Told {
    fn new(answers: Vec<Vec<u8>>) -> Told {
        Told::serving(answers, |stream, answer, requests| {
            let mut stream = stream;
            requests.lock().unwrap().push(request(&mut stream));
            let _ = stream.write_all(&answer);
        })
    }

    fn serving(
        answers: Vec<Vec<u8>>,
        serve: impl Fn(TcpStream, Vec<u8>, &Mutex<Vec<String>>) + Send + 'static,
    ) -> Told {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::<Mutex<Vec<String>>>::default();
        let kept = Arc::clone(&requests);
        std::thread::spawn(move || {
            for answer in answers {
                let Ok((stream, _)) = listener.accept() else { return };
                serve(stream, answer, &kept);
            }
        });
        Told { port, requests }
    }

    fn registry(&self) -> Registry {
        let address = format!("http://joe:hush%21@127.0.0.1:{}/prefix/", self.port);
        Registry::new(&RegistryAddress::parse(&address).unwrap().with_timeout(Duration::from_millis(500))).unwrap()
    }
}

fn answer(status: u16, kind: &str, body: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn json(body: &str) -> Vec<u8> {
    answer(200, "application/vnd.schemaregistry.v1+json", body)
}

#[test]
fn a_schema_is_registered_and_looked_up_as_the_interface_says() {
    let told = Told::new(vec![json(r#"{"id":7}"#), json(r#"{"subject":"s","id":8,"version":1,"schema":"x"}"#)]);
    let registry = told.registry();
    assert_eq!(registry.register("web logs-value", "{\"type\": \"int\"}"), Ok(7));
    assert_eq!(registry.look_up("web-value", "\"int\""), Ok(8));
    let requests = told.requests.lock().unwrap();
    for (request, line, body) in [
        (
            &requests[0],
            "POST /prefix/subjects/web%20logs-value/versions HTTP/1.1",
            r#"{"schema":"{\"type\": \"int\"}","schemaType":"AVRO"}"#,
        ),
        (&requests[1], "POST /prefix/subjects/web-value HTTP/1.1", r#"{"schema":"\"int\"","schemaType":"AVRO"}"#),
    ] {
        let (head, sent) = request.split_once("\r\n\r\n").unwrap();
        let head = head.to_lowercase();
        assert!(head.starts_with(&line.to_lowercase()), "{request}");
        assert!(head.contains("\r\ncontent-type: application/vnd.schemaregistry.v1+json"), "{request}");
        assert!(head.contains("\r\naccept: application/vnd.schemaregistry.v1+json, "), "{request}");
        assert!(request.contains("Basic am9lOmh1c2gh"), "{request}");
        assert_eq!(sent, body);
    }
}

#[test]
fn a_schema_comes_with_those_that_it_refers_to() {
    let told = Told::new(vec![
        json(
            r#"{"schema":"{\"type\":\"record\",\"name\":\"O\",\"fields\":[{\"name\":\"m\",\"type\":\"a.M\"},{\"name\":\"i\",\"type\":\"a.I\"}]}","references":[{"name":"a.M","subject":"m","version":2},{"name":"a.I","subject":"i","version":1}]}"#,
        ),
        json(
            r#"{"schema":"{\"type\":\"record\",\"name\":\"a.M\",\"fields\":[{\"name\":\"i\",\"type\":\"I\"}]}","references":[{"name":"a.I","subject":"i","version":1}]}"#,
        ),
        json(r#"{"schema":"{\"type\":\"record\",\"name\":\"a.I\",\"fields\":[]}"}"#),
        json(r#"{"schema":"\"int\"","schemaType":"AVRO"}"#),
        json(r#"{"schema":"syntax","schemaType":"PROTOBUF"}"#),
        answer(404, "application/json", r#"{"error_code":40403,"message":"Schema 9 not found"}"#),
        answer(401, "application/json", r#"{"error_code":401,"message":"Unauthorized"}"#),
    ]);
    let mut schemas = RegistrySchemas::new(Arc::new(told.registry()));
    let canonical = schemas.schema(SchemaKey::Id(7)).unwrap().canonical().to_owned();
    assert_eq!(
        canonical,
        r#"{"name":"O","type":"record","fields":[{"name":"m","type":"a.M"},{"name":"i","type":"a.I"}]}"#
    );
    assert!(schemas.schema(SchemaKey::Guid([0xab; 16])).is_ok());
    for (key, words) in [
        (SchemaKey::Id(8), "it is a schema of the type PROTOBUF, not of Avro"),
        (SchemaKey::Id(9), "the registry has no schema 9 (status 404): Schema 9 not found"),
        (SchemaKey::Fingerprint(1), "a registry knows no fingerprints"),
    ] {
        let Err(NoSchema::Unknown(found)) = schemas.schema(key) else { panic!("{key}") };
        assert!(found.contains(words) && found.starts_with("schema registry http://***@127.0.0.1:"), "{found}");
    }
    let Err(NoSchema::Unavailable(found)) = schemas.schema(SchemaKey::Id(7)) else { panic!() };
    assert!(found.contains("the login is refused (status 401): Unauthorized"), "{found}");
    let requests = told.requests.lock().unwrap();
    let lines: Vec<&str> = requests.iter().filter_map(|request| request.split(" HTTP").next()).collect();
    assert_eq!(
        lines[..4],
        [
            "GET /prefix/schemas/ids/7",
            "GET /prefix/subjects/m/versions/2",
            "GET /prefix/subjects/i/versions/1",
            "GET /prefix/schemas/guids/abababab-abab-abab-abab-abababababab"
        ]
    );
}

#[test]
fn an_answer_that_is_none_is_one_clear_sentence() {
    use TroubleKind::{Fatal, Transient};
    let many = format!("{{\"id\":1,\"x\":\"{}\"}}", "x".repeat(9 << 20));
    for (given, kind, words) in [
        (answer(502, "text/html", "<html>hush</html>"), Transient, "the answer is a web page (status 502)"),
        (answer(200, "text/html; charset=utf-8", "Welcome"), Fatal, "the answer is a web page (status 200)"),
        (answer(301, "", "x"), Fatal, "the answer is a redirect (status 301)"),
        (
            answer(409, "application/json", r#"{"error_code":409,"message":"READER_FIELD"}"#),
            Fatal,
            "not compatible with those of the subject s (status 409): READER_FIELD",
        ),
        (
            answer(422, "application/json", r#"{"error_code":42201,"message":"bad"}"#),
            Fatal,
            "does not accept the schema (status 422): bad",
        ),
        (json(&many), Fatal, "the answer has more than 8 MiB"),
        (b"SSH-2.0-OpenSSH_9.2\r\n".to_vec(), Fatal, "the answer is not HTTP"),
        (Vec::new(), Transient, "closed the connection without an answer"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_vec(), Transient, "schema registry"),
    ] {
        let told = Told::new(vec![given]);
        let trouble = told.registry().register("s", "\"int\"").unwrap_err();
        assert!(trouble.kind == kind && trouble.words.contains(words), "{trouble:?}");
        assert!(!trouble.words.contains("hush") && trouble.words.contains("http://***@127.0.0.1"), "{trouble:?}");
    }
}

#[test]
fn a_registry_that_is_not_there_or_silent_is_told_in_time() {
    let (held, hold) = std::sync::mpsc::channel::<()>();
    let silent = Told::serving(vec![Vec::new()], move |stream, _, _| {
        let _ = hold.recv();
        drop(stream);
    });
    let trouble = silent.registry().register("s", "\"int\"").unwrap_err();
    assert!(trouble.is_transient() && trouble.words.contains("no answer in time"), "{trouble:?}");
    drop(held);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for (address, words) in [
        (format!("http://127.0.0.1:{gone}"), "connection refused"),
        ("http://no-such-host.invalid:8081".to_owned(), "the name of the host is not known"),
    ] {
        let registry = Registry::new(&RegistryAddress::parse(&address).unwrap()).unwrap();
        let trouble = registry.look_up("s", "\"int\"").unwrap_err();
        assert!(trouble.is_transient() && trouble.words.contains(words), "{trouble:?}");
    }
}

#[test]
fn tls_trusts_an_authority_of_ones_own_and_no_stranger() {
    let place = Workspace::new();
    certificates::make(&place.path("."), "client");
    let file = |name: &str| place.path(name);
    let chain = vec![CertificateDer::from_pem_file(file("server.pem")).unwrap()];
    let key = PrivateKeyDer::from_pem_file(file("server.key")).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config = Arc::new(config.with_no_client_auth().with_single_cert(chain, key).unwrap());
    let told = Told::serving(vec![json(r#"{"id":7}"#); 3], move |stream, answer, _| {
        let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, stream);
        if !request(&mut stream).is_empty() {
            let _ = stream.write_all(&answer);
            stream.conn.send_close_notify();
            let _ = stream.flush();
        }
    });
    let registry = |scheme: &str, authority: Option<&str>| {
        let address = RegistryAddress::parse(&format!("{scheme}://127.0.0.1:{}", told.port)).unwrap();
        let address = match authority {
            Some(name) => address.with_authorities(file(name)).unwrap(),
            None => address,
        };
        Registry::new(&address)
    };
    assert_eq!(registry("https", Some("ca.pem")).unwrap().register("s", "\"int\""), Ok(7));
    for authority in [Some("stranger.pem"), None] {
        let trouble = registry("https", authority).unwrap().register("s", "\"int\"").unwrap_err();
        let words = "the certificate of the server is not accepted: its authority is not known";
        assert!(!trouble.is_transient() && trouble.words.contains(words), "{trouble:?}");
    }
    for (name, words) in
        [("missing.pem", "the file cannot be read"), ("server.key", "there is no certificate in PEM in it")]
    {
        let error = registry("https", Some(name)).err().unwrap();
        assert!(error.to_string().contains(words) && error.exit_code() == 2, "{error}");
    }
}
