//! Engines that cannot be had here, from exchanges as they were recorded or described: Podman, TLS, newer versions of the API. And
//! hostile Engines.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};

use super::answers::{Answer, Server, chunked, frame, ok};
use super::{account, accounts, documents, lines, read, read_all, stop, wait_until};
use crate::kit::workspace::{Running, Workspace};

const ID: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

/// The answer about the container, whose members `rest` replaces.
fn inspected(rest: &str) -> Vec<u8> {
    let mut container = serde_json::json!({
        "Id": ID, "Name": "/web", "State": {"Status": "exited", "Running": false}, "Config": {"Image": "i", "Labels": {}}
    });
    let rest: serde_json::Map<String, serde_json::Value> = serde_json::from_str(rest).expect("an object");
    container.as_object_mut().expect("an object").extend(rest);
    ok("application/json", container.to_string().as_bytes())
}

/// An Engine with one container, whose log is `logs`.
fn engine(inspect: &'static str, logs: impl Fn(&str) -> (Vec<u8>, bool) + Send + Sync + 'static) -> Answer {
    Arc::new(move |path: &str| {
        let list = format!(r#"[{{"Id":"{ID}"}}]"#);
        match path.split('?').next().unwrap_or("") {
            path if path.ends_with("/_ping") => (ok("text/plain", b"OK"), false),
            path if path.ends_with("/containers/json") => (ok("application/json", list.as_bytes()), false),
            path if path.ends_with("/events") => (chunked("1.41", "application/json", &[], false), true),
            path if path.ends_with("/info") => (b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec(), false),
            log if log.ends_with("/logs") => logs(path),
            path if path.ends_with("/json") => (inspected(inspect), false),
            path => panic!("an unexpected request: {path}"),
        }
    })
}

#[test]
fn a_podman_s_log_is_read_with_times_of_its_zone_and_a_file_in_its_own_form() {
    let times = ["2026-11-30T12:00:00.123456789+01:00 one\n", "2026-11-30T12:00:00.2+01:00 two\n"];
    let logs = move |path: &str| {
        assert!(path.contains("timestamps=1") && path.starts_with("/v1.41/containers/"), "{path}");
        let frames = [frame(1, times[0]), frame(2, times[1])].concat();
        (chunked("1.41", "application/octet-stream", &[&frames], true), false)
    };
    let server = Server::start(
        None,
        engine(r#"{"LogPath":"/nowhere/ctr.log","HostConfig":{"LogConfig":{"Type":"k8s-file"}}}"#, logs),
    );
    let place = Workspace::new();
    let ran = read_all(&place, &server.host(), &["docker:web"]);
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let documents = documents(&place);
    assert_eq!(lines(&documents), ["one", "two"]);
    assert_eq!(
        (&documents[0]["@timestamp"], &documents[1]["stream"]),
        (&"2026-11-30T11:00:00.123456789Z".into(), &"stderr".into())
    );
    assert_eq!(accounts(&place)["web"], account("api", "none"));
}

#[test]
fn a_log_says_itself_whether_it_has_frames_from_version_1_42_on() {
    let time = "2026-11-30T12:00:00.000000001Z";
    for (kind, body, is_terminal) in [
        ("application/vnd.docker.raw-stream", format!("{time} one\r\n").into_bytes(), false),
        ("application/vnd.docker.multiplexed-stream", frame(1, &format!("{time} one\n")), true),
    ] {
        let logs = move |path: &str| {
            assert!(path.starts_with("/v1.44/"), "{path}");
            (chunked("1.44", kind, &[&body], true), false)
        };
        let inspect = if is_terminal { r#"{"Config":{"Tty":true}}"# } else { "{}" };
        let inner = engine(inspect, logs);
        let answer: Answer = Arc::new(move |path: &str| {
            let (bytes, stays) = inner(path);
            let text = String::from_utf8_lossy(&bytes).into_owned();
            // Only the form of a log may have bytes that are no text, and it has the version already.
            if path.contains("/logs") { (bytes, stays) } else { (text.replace("1.41", "1.44").into_bytes(), stays) }
        });
        let server = Server::start(None, answer);
        let place = Workspace::new();
        let ran = read_all(&place, &server.host(), &["docker:*"]);
        assert_eq!(lines(&documents(&place)), ["one"], "{kind}: {}", ran.stderr);
    }
}

#[test]
fn an_error_in_the_stream_is_told_in_the_engine_s_words_and_the_log_is_read_further() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&attempts);
    let time = |n: u8| format!("2026-11-30T12:00:00.00000000{n}Z");
    let logs = move |path: &str| {
        let all = [frame(1, &format!("{} one\n", time(1))), frame(1, &format!("{} two\n", time(2)))];
        match seen.fetch_add(1, Ordering::SeqCst) {
            0 => {
                let broken = [all[0].clone(), frame(3, "Error grabbing logs: unexpected EOF\n")].concat();
                (chunked("1.41", "x/y", &[&broken], true), false)
            }
            1 => {
                assert!(path.contains("since=1796040000.000000001"), "{path}");
                // The connection is cut in the middle of a frame.
                (chunked("1.41", "x/y", &[&all.concat()[..50]], false), false)
            }
            _ => (chunked("1.41", "x/y", &[&all.concat()], true), false),
        }
    };
    let server = Server::start(None, engine(r#"{"State":{"Status":"running","Running":false}}"#, logs));
    let place = Workspace::new();
    let running = read(&place, &server.host(), &["docker:web"]);
    wait_until(&place, 2);
    let ran = stop(running);
    assert_eq!(lines(&documents(&place)), ["one", "two"]);
    assert!(ran.stderr.contains("the Engine says: Error grabbing logs: unexpected EOF"), "{}", ran.stderr);
    assert_eq!(accounts(&place)["web"].1, "unknown");
}

#[test]
fn a_trace_is_one_record_also_beside_another_stream_and_ends_when_nothing_comes() {
    let lines = [(1, "2026-11-30 11:00:00 boom"), (2, "beside"), (1, "\tat a"), (1, "\tat b")];
    let line = |(number, (stream, text)): (usize, &(u8, &str))| {
        frame(*stream, &format!("2026-11-30T12:00:00.00000000{number}Z {text}\n"))
    };
    let frames: Vec<u8> = lines.iter().enumerate().flat_map(line).collect();
    let logs = move |_: &str| (chunked("1.41", "x/y", &[&frames], false), true);
    let server = Server::start(None, engine(r#"{"State":{"Status":"running","Running":true}}"#, logs));
    let place = Workspace::new();
    let running = read(&place, &server.host(), &["docker:web"]);
    wait_until(&place, 2);
    stop(running);
    let mut documents = documents(&place);
    documents.sort_by_key(|document| document["stream"].to_string());
    assert_eq!(documents[0]["line"], "beside");
    assert_eq!(documents[1]["message"], "2026-11-30 11:00:00 boom\n\tat a\n\tat b");
    assert_eq!(documents[1]["tags"], serde_json::json!(["_multilinecut"]));
}

#[test]
fn a_follow_that_is_idle_ends_at_once_with_the_stop() {
    let line = frame(1, "2026-11-30T12:00:00.000000001Z one\n");
    let logs = move |_: &str| (chunked("1.41", "x/y", &[&line], false), true);
    let server = Server::start(None, engine(r#"{"State":{"Status":"running","Running":true}}"#, logs));
    let place = Workspace::new();
    let running = read(&place, &server.host(), &["docker:web"]);
    wait_until(&place, 1);
    let began = std::time::Instant::now();
    stop(running);
    assert!(began.elapsed().as_secs() < 5, "{:?}", began.elapsed());
}

#[test]
fn hostile_engines_are_refused_in_a_sentence() {
    let body = |text: &str| ok("application/json", text.as_bytes());
    let cases: [(&str, Answer, &str); 6] = [
        ("no HTTP", Arc::new(|_: &str| (b"SSH-2.0-OpenSSH\r\n".to_vec(), false)), "not that of a Docker Engine"),
        (
            "endless header",
            Arc::new(|_: &str| ([b"HTTP/1.1 200 OK\r\nA: ".to_vec(), vec![b'x'; 200_000]].concat(), true)),
            "its header has no end",
        ),
        (
            "bad list",
            Arc::new(move |path: &str| (if path.contains("json") { body("<html>") } else { ok("x/y", b"OK") }, false)),
            "not that of a Docker Engine",
        ),
        ("closed", Arc::new(|_: &str| (Vec::new(), false)), "has closed the connection"),
        (
            "bad frame",
            engine("{}", |_| (chunked("1.41", "x/y", &[&[1, 0, 0, 0, 255, 255, 255, 255]], true), false)),
            "a frame is said to have 4,294,967,295 bytes",
        ),
        (
            "bad chunk",
            engine("{}", |_| (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n".to_vec(), false)),
            "its chunks are malformed",
        ),
    ];
    for (case, answer, words) in cases {
        let server = Server::start(None, answer);
        let place = Workspace::new();
        let ran = read_all(&place, &server.host(), &["docker:web"]);
        assert_eq!(ran.code, Some(3), "{case}: {}", ran.stderr);
        assert!(ran.stderr.contains(words), "{case}: {}", ran.stderr);
    }
}

#[test]
fn wrong_addresses_and_missing_engines_are_told_with_their_exit_codes() {
    let place = Workspace::new();
    let socket = place.at("unix://", "docker.sock");
    for (host, code, words) in [
        (socket.as_str(), 3, "there is no such socket; start the Docker Engine, or set DOCKER_HOST"),
        ("tcp://127.0.0.1:1", 3, "no Docker Engine listens there"),
        ("ssh://me@far", 2, "does not connect over ssh"),
    ] {
        let ran = read_all(&place, host, &["docker:web"]);
        assert_eq!(ran.code, Some(code), "{}", ran.stderr);
        assert!(ran.stderr.contains(words), "{}", ran.stderr);
    }
    let server = Server::start(None, engine("{}", |_| (Vec::new(), false)));
    let ran = read_all(&place, &server.host(), &["docker:other"]);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("docker:other: there is no such container"), "{}", ran.stderr);
}

/// A certificate authority, a server and a client, made by `openssl`.
fn certificates(place: &Workspace) {
    let script = "mkdir c && cd c && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 9 -subj /CN=ca \
        -keyout ca.key -out ca.pem -addext basicConstraints=critical,CA:TRUE 2>/dev/null && for name in server cert; do \
        openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=$name -keyout $name.key -out $name.csr 2>/dev/null && \
        printf 'subjectAltName=IP:127.0.0.1\\nextendedKeyUsage=serverAuth,clientAuth\\n' > ext && \
        openssl x509 -req -in $name.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -extfile ext -out $name.pem 2>/dev/null; done; \
        mv cert.key key.pem";
    let made = std::process::Command::new("sh").args(["-c", script]).current_dir(place.path(".")).status();
    assert!(made.is_ok_and(|status| status.success()), "openssl makes certificates");
}

#[test]
fn an_engine_with_tls_gets_the_client_s_certificate_and_others_are_refused() {
    let place = Workspace::new();
    certificates(&place);
    let pem = |name: &str| std::fs::read(place.path("c").join(name)).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(&pem("ca.pem")).unwrap()).unwrap();
    let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_client_cert_verifier(verifier.build().unwrap())
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(&pem("server.pem")).unwrap()],
            PrivateKeyDer::from_pem_slice(&pem("server.key")).unwrap(),
        )
        .unwrap();
    let frames = frame(1, "2026-11-30T12:00:00.000000001Z encrypted\n");
    let logs = move |_: &str| (chunked("1.41", "x/y", &[&frames], true), false);
    let server = Server::start(Some(Arc::new(config)), engine("{}", logs));
    let run = |verify: &str, directory: &str| {
        let arguments = ["run", "-p", "%{GREEDYDATA:line}", "--to", "ndjson:out", "docker:web", "--no-follow"];
        let mut command = place.command("logator", &arguments);
        command
            .env("DOCKER_HOST", server.host())
            .env("DOCKER_TLS_VERIFY", verify)
            .env("DOCKER_CERT_PATH", place.path(directory));
        let mut running = Running::start(command);
        running.close_input();
        running.end()
    };
    let ran = run("1", "c");
    assert_eq!(ran.code, Some(0), "{} (port {})", ran.stderr, server.port());
    assert_eq!(lines(&documents(&place)), ["encrypted"]);
    let ran = run("1", "missing");
    assert!(ran.code == Some(2) && ran.stderr.contains("missing/ca.pem: cannot be read"), "{}", ran.stderr);
    let ran = run("", "c");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    // Another authority.
    std::fs::create_dir(place.path("d")).unwrap();
    std::fs::copy(place.path("c/server.pem"), place.path("d/ca.pem")).unwrap();
    let ran = run("1", "d");
    assert!(ran.code == Some(3) && ran.stderr.contains("certificate"), "{}", ran.stderr);
}
