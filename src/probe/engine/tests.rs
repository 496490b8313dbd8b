//! Requests to servers that do one thing each, mostly a wrong one.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::fd::AsRawFd as _;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use nix::sys::socket::{AddressFamily, Backlog, SockFlag, SockType, SockaddrIn, bind, getsockname, listen, socket};

use super::*;
use crate::probe::outcome::Hop;
use crate::probe::phases::Phases;
use crate::probe::request::{Method, Target};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";

/// Starts a server whose connections are handled by `handle`, each in a thread of its own, and returns its port.
fn serve(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let handle = Arc::new(handle);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let handle = Arc::clone(&handle);
            thread::spawn(move || handle(stream));
        }
    });
    port
}

/// Reads the head of a request; nothing if the connection has ended.
fn head(mut stream: &TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|length| length == 1) {
        head.push(byte[0]);
    }
    String::from_utf8_lossy(&head).into_owned()
}

/// Starts a server that answers every request on a connection with what `answer` makes of its head.
fn answering(answer: impl Fn(&str) -> String + Send + Sync + 'static) -> u16 {
    serve(move |mut stream| {
        loop {
            let head = head(&stream);
            if head.is_empty() || stream.write_all(answer(&head).as_bytes()).is_err() {
                break;
            }
        }
    })
}

/// Waits until the other side closes the connection.
fn linger(mut stream: TcpStream) {
    let _ = stream.read_to_end(&mut Vec::new());
}

fn options() -> EngineOptions {
    EngineOptions { workers: 4, timeout: Duration::from_secs(20), ..EngineOptions::default() }
}

/// Makes one request and returns its hops.
fn hops(request: Request, options: &EngineOptions) -> Vec<Hop> {
    let mut engine = Engine::new(options).unwrap();
    let mut finished = Vec::new();
    engine.start(Arc::new(request), 3).unwrap();
    assert_eq!((engine.in_flight(), engine.room()), (1, options.workers - 1));
    while finished.is_empty() {
        engine.wait(None, &mut finished).unwrap();
    }
    assert_eq!((engine.in_flight(), finished.len(), finished[0].tag), (0, 1, 3));
    finished.remove(0).hops
}

fn hop(url: &str, options: &EngineOptions) -> Hop {
    let mut hops = hops(Request::get(url).unwrap(), options);
    assert_eq!(hops.len(), 1);
    hops.remove(0)
}

#[track_caller]
fn error(hop: &Hop) -> (&'static str, &str) {
    hop.error.as_ref().map_or(("", ""), |fault| (fault.class.keyword(), &fault.text))
}

#[test]
fn an_answer_has_phases_status_bytes_and_peer() {
    let port = answering(|_| OK.into());
    let before = flight::nanoseconds_since_1970();
    let hop = hop(&format!("http://127.0.0.1:{port}/a?b"), &options());
    let Phases { name_lookup, connect, tls, send, wait, transfer } = hop.phases;
    assert_eq!(hop.phases.total(), name_lookup + connect + tls + send + wait + transfer);
    assert!(hop.phases.total() > 0 && tls == 0);
    assert_eq!((hop.status, hop.body_bytes, hop.bytes_received), (Some(200), 5, OK.len() as u64));
    assert_eq!((hop.http_version, hop.remote.as_ref()), (Some("1.1"), Some(&("127.0.0.1".into(), port))));
    assert_eq!((hop.method.as_str(), hop.url), ("GET", format!("http://127.0.0.1:{port}/a?b")));
    assert!(hop.bytes_sent > 40 && hop.started_at >= before && hop.tls.is_none() && hop.error.is_none());
}

#[test]
fn failures_have_the_class_of_what_the_server_does() {
    let silent = serve(linger);
    let resets = serve(|stream| {
        // What was not read makes the system reset the connection.
        let mut byte = [0];
        let _ = (&stream).read(&mut byte);
    });
    let closes = serve(|stream| drop(head(&stream)));
    let cuts = serve(|mut stream| {
        head(&stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf").unwrap();
    });
    let stalls = serve(|mut stream| {
        head(&stream);
        stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nhalf").unwrap();
        linger(stream);
    });
    let babbles = serve(|mut stream| {
        let _ = stream.write_all(b"220 mail.example.com ESMTP\r\n");
        linger(stream);
    });
    let plain = serve(|mut stream| {
        let _ = stream.read(&mut [0; 5]);
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n");
        linger(stream);
    });
    let refuses = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let unavailable = answering(|_| "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n".into());
    let short = EngineOptions { timeout: Duration::from_secs(1), ..options() };
    for (what, url, expected) in [
        ("no such name", "http://name.invalid/".into(), "dns"),
        ("a closed port", format!("http://127.0.0.1:{refuses}/"), "refused"),
        ("a closed port by name", format!("http://localhost:{refuses}/"), "refused"),
        ("no TLS handshake", format!("https://127.0.0.1:{silent}/"), "timeout-tls"),
        ("no TLS at all", format!("https://127.0.0.1:{babbles}/"), "tls"),
        ("HTTP where TLS is expected", format!("https://127.0.0.1:{plain}/"), "tls"),
        ("no answer", format!("http://127.0.0.1:{silent}/"), "timeout-first-byte"),
        ("half an answer and no more", format!("http://127.0.0.1:{stalls}/"), "timeout-transfer"),
        ("half an answer and the end", format!("http://127.0.0.1:{cuts}/"), "closed"),
        ("the end instead of an answer", format!("http://127.0.0.1:{closes}/"), "closed"),
        ("a reset", format!("http://127.0.0.1:{resets}/"), "reset"),
        ("another protocol", format!("http://127.0.0.1:{babbles}/"), "protocol"),
        ("a status that is an error", format!("http://127.0.0.1:{unavailable}/"), "http"),
    ] {
        let hop = hop(&url, &short);
        let (class, text) = error(&hop);
        assert_eq!(class, expected, "{what}: {hop:?}");
        assert!(!text.is_empty(), "{what}: {hop:?}");
        assert!(hop.phases.total() > 0, "{what}: {hop:?}");
    }
}

#[test]
fn the_phase_that_waits_in_vain_takes_the_time() {
    let short = EngineOptions { timeout: Duration::from_secs(1), ..options() };
    let silent = serve(linger);
    let hop = hop(&format!("https://127.0.0.1:{silent}/"), &short);
    assert!(hop.phases.tls > 600_000 && hop.phases.connect < 400_000, "{hop:?}");
    let hop = self::hop(&format!("http://127.0.0.1:{silent}/"), &short);
    assert!(hop.phases.wait > 600_000 && hop.phases.connect < 400_000, "{hop:?}");
}

#[test]
fn a_server_that_accepts_nobody_is_a_timeout_of_the_connection() {
    let full = socket(AddressFamily::Inet, SockType::Stream, SockFlag::SOCK_CLOEXEC, None).unwrap();
    bind(full.as_raw_fd(), &SockaddrIn::new(127, 0, 0, 1, 0)).unwrap();
    listen(&full, Backlog::new(0).unwrap()).unwrap();
    let port = getsockname::<SockaddrIn>(full.as_raw_fd()).unwrap().port();
    // The system takes one connection that nobody accepts, and ignores further ones.
    let _waiting = TcpStream::connect(("127.0.0.1", port)).unwrap();
    let short = EngineOptions { timeout: Duration::from_millis(300), ..options() };
    let hop = hop(&format!("http://127.0.0.1:{port}/"), &short);
    assert_eq!(error(&hop).0, "timeout-connect", "{hop:?}");
    assert!(hop.phases.connect > 290_000, "{hop:?}");
}

#[test]
fn an_expected_status_is_no_error_and_another_one_is() {
    let port = answering(|_| "HTTP/1.1 404 Gone\r\nContent-Length: 0\r\n\r\n".into());
    let mut request = Request::get(&format!("http://127.0.0.1:{port}/")).unwrap();
    request.expected_status = Some(404);
    assert_eq!(error(&hops(request.clone(), &options())[0]).0, "");
    request.expected_status = Some(200);
    assert_eq!(error(&hops(request, &options())[0]), ("http", "status 404 instead of 200"));
}

#[test]
fn methods_are_sent_as_they_are_with_an_empty_body_where_http_expects_one() {
    let (send, heads) = mpsc::channel();
    let send = std::sync::Mutex::new(send);
    let port = answering(move |head| {
        send.lock().unwrap().send(head.to_owned()).unwrap();
        // The answer to HEAD has no body.
        "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".into()
    });
    // One handle makes all of these requests, so that nothing of one may be left for the next.
    let mut engine = Engine::new(&EngineOptions { workers: 1, ..options() }).unwrap();
    for method in ["GET", "POST", "HEAD", "GET", "PUT", "DELETE", "HEAD", "PATCH", "OPTIONS", "PROPFIND", "GET"] {
        let mut request = Request::get(&format!("http://127.0.0.1:{port}/")).unwrap();
        request.method = Method::parse(method).unwrap();
        engine.start(Arc::new(request), 0).unwrap();
        let mut finished = Vec::new();
        while finished.is_empty() {
            engine.wait(None, &mut finished).unwrap();
        }
        assert_eq!(error(&finished[0].hops[0]).0, "", "{finished:?}");
        let head = heads.recv().unwrap().to_ascii_lowercase();
        assert!(head.starts_with(&format!("{} / http/1.1\r\n", method.to_ascii_lowercase())), "{head}");
        let has_body = matches!(method, "POST" | "PUT" | "PATCH");
        assert_eq!(head.contains("content-length: 0"), has_body, "{head}");
        assert!(!head.contains("content-type") && !head.contains("expect:"), "{head}");
        assert!(head.contains("user-agent: logator/"), "{head}");
    }
}

#[test]
fn each_redirect_is_a_hop_with_times_of_its_own() {
    let port = answering(|head| {
        let to = |status, location| format!("HTTP/1.1 {status} X\r\nlocation: {location}\r\nContent-Length: 0\r\n\r\n");
        match head.split(' ').nth(1).unwrap() {
            "/1" => to(302, "two?x"),
            "/two?x" => to(303, "/3#part"),
            "/circle" => to(301, "circle"),
            "/file" => to(307, "file:///etc/passwd"),
            _ => OK.into(),
        }
    });
    let request = |path: &str, method: &str| Request {
        method: Method::parse(method).unwrap(),
        ..Request::get(&format!("http://127.0.0.1:{port}{path}")).unwrap()
    };
    let follow = |redirects| EngineOptions { redirects, ..options() };
    let summary = |hops: &[Hop]| -> Vec<(String, Option<u16>, &str)> {
        let url = |hop: &Hop| format!("{} {}", hop.method, hop.url.rsplit_once('/').unwrap().1);
        hops.iter().map(|hop| (url(hop), hop.status, error(hop).0)).collect()
    };
    let is = |path, method, redirects, expected: &[(&str, u16, &str)]| {
        let hops = hops(request(path, method), &follow(redirects));
        let expected: Vec<_> =
            expected.iter().map(|(url, status, class)| (url.to_string(), Some(*status), *class)).collect();
        assert_eq!(summary(&hops), expected);
        assert!(hops.iter().all(|hop| hop.phases.connect > 0 && !hop.reused), "{hops:?}");
        assert!(hops.is_sorted_by_key(|hop| hop.started_at));
    };
    is("/1", "GET", 0, &[("GET 1", 302, "")]);
    is("/1", "POST", 5, &[("POST 1", 302, ""), ("GET two?x", 303, ""), ("GET 3", 200, "")]);
    is("/1", "PUT", 5, &[("PUT 1", 302, ""), ("PUT two?x", 303, ""), ("GET 3", 200, "")]);
    is("/1", "GET", 1, &[("GET 1", 302, ""), ("GET two?x", 303, "redirect")]);
    is("/circle", "GET", 9, &[("GET circle", 301, "redirect")]);
    is("/file", "GET", 9, &[("GET file", 307, "redirect")]);
}

#[test]
fn all_hops_of_a_request_share_its_time() {
    let port = answering(|head| match head.split(' ').nth(1).unwrap() {
        "/1" => "HTTP/1.1 302 X\r\nLocation: /2\r\nContent-Length: 0\r\n\r\n".into(),
        _ => "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n".into(),
    });
    let short = EngineOptions { redirects: 3, timeout: Duration::from_secs(1), ..options() };
    let hops = hops(Request::get(&format!("http://127.0.0.1:{port}/1")).unwrap(), &short);
    assert_eq!(hops.iter().map(|hop| error(hop).0).collect::<Vec<_>>(), ["", "timeout-transfer"]);
    assert!(hops.iter().map(|hop| hop.phases.total()).sum::<u64>() < 1_500_000, "{hops:?}");
}

#[test]
fn a_login_is_sent_and_never_shown() {
    let port = answering(|head| {
        let status = if head.contains("Authorization: Basic dTpwYTU1d29yZA==") { 200 } else { 401 };
        format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n")
    });
    let hop = hop(&format!("http://u:pa55word@127.0.0.1:{port}/"), &options());
    assert_eq!(hop.status, Some(200));
    assert!(!format!("{hop:?}").contains("pa55word"), "{hop:?}");
    let refuses = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let hop = self::hop(&format!("http://u:pa55word@127.0.0.1:{refuses}/"), &options());
    assert_eq!(error(&hop).0, "refused");
    assert!(!format!("{hop:?}").contains("pa55word"), "{hop:?}");
}

/// Counts the connections of two requests, one after the other, and whether each used a connection of an earlier one.
fn two_requests(options: &EngineOptions) -> (usize, Vec<bool>, Vec<Phases>) {
    let connections = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&connections);
    let port = serve(move |mut stream| {
        counter.fetch_add(1, Ordering::SeqCst);
        while !head(&stream).is_empty() {
            stream.write_all(OK.as_bytes()).unwrap();
        }
    });
    let mut engine = Engine::new(options).unwrap();
    let request = Arc::new(Request::get(&format!("http://localhost:{port}/")).unwrap());
    let mut finished = Vec::new();
    for tag in 0..2 {
        engine.start(Arc::clone(&request), tag).unwrap();
        while finished.len() as u64 <= tag {
            engine.wait(None, &mut finished).unwrap();
        }
    }
    let hops = finished.iter().map(|finished| &finished.hops[0]);
    (
        connections.load(Ordering::SeqCst),
        hops.clone().map(|hop| hop.reused).collect(),
        hops.map(|hop| hop.phases).collect(),
    )
}

#[test]
fn each_request_makes_a_connection_of_its_own_unless_they_are_kept() {
    let (connections, reused, phases) = two_requests(&options());
    assert_eq!((connections, reused), (2, vec![false, false]));
    assert!(phases.iter().all(|phases| phases.name_lookup > 0 && phases.connect > 0), "{phases:?}");
    let (connections, reused, phases) = two_requests(&EngineOptions { reuse: true, ..options() });
    assert_eq!((connections, reused), (1, vec![false, true]));
    assert_eq!((phases[1].name_lookup, phases[1].connect), (0, 0), "{phases:?}");
}

#[test]
fn every_request_ends_once_however_many_there_are() {
    let port = answering(|_| OK.into());
    let mut engine = Engine::new(&EngineOptions { workers: 20, ..options() }).unwrap();
    let request = Arc::new(Request::get(&format!("http://127.0.0.1:{port}/")).unwrap());
    let mut finished = Vec::new();
    let mut started = 0;
    while finished.len() < 500 {
        while started < 500 && engine.room() > 0 {
            engine.start(Arc::clone(&request), started).unwrap();
            started += 1;
        }
        assert!(engine.in_flight() <= 20);
        engine.wait(None, &mut finished).unwrap();
    }
    let mut tags: Vec<u64> = finished.iter().map(|finished| finished.tag).collect();
    tags.sort_unstable();
    assert_eq!(tags, (0..500).collect::<Vec<u64>>());
    assert!(finished.iter().all(|finished| finished.hops[0].status == Some(200)));
    engine.start(Arc::clone(&request), 500).unwrap();
    let full = EngineOptions { workers: 1, ..options() };
    let mut engine = Engine::new(&full).unwrap();
    engine.start(Arc::clone(&request), 0).unwrap();
    assert!(engine.start(request, 1).is_err(), "there is no room");
}

#[test]
fn a_wait_ends_at_its_deadline_or_when_another_thread_says_so() {
    let silent = serve(linger);
    let mut engine = Engine::new(&options()).unwrap();
    let mut finished = Vec::new();
    engine.start(Arc::new(Request::get(&format!("http://127.0.0.1:{silent}/")).unwrap()), 0).unwrap();
    let deadline = Instant::now() + Duration::from_millis(30);
    engine.wait(Some(deadline), &mut finished).unwrap();
    assert!(Instant::now() >= deadline && finished.is_empty());
    // A call before the wait counts.
    engine.waker().wake();
    engine.wait(None, &mut finished).unwrap();
    let waker = engine.waker();
    let other = thread::spawn(move || waker.wake());
    engine.wait(None, &mut finished).unwrap();
    other.join().unwrap();
    assert_eq!((engine.in_flight(), finished.len()), (1, 0));
}

#[test]
fn a_proxy_is_used_only_if_it_is_asked_for() {
    const INSIDE: &str = "LOGATOR_TEST_PROXY_INSIDE";
    let proxy = answering(|head| {
        let is_proxied = head.starts_with("GET http://");
        format!("HTTP/1.1 {} X\r\nContent-Length: 0\r\n\r\n", if is_proxied { 299 } else { 200 })
    });
    let Some(inside) = std::env::var_os(INSIDE) else {
        // The environment of this process is that of all tests, so another process has the proxy.
        let test = concat!(module_path!(), "::a_proxy_is_used_only_if_it_is_asked_for");
        let test = test.split_once("::").unwrap().1;
        let mut command = std::process::Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test]).env(INSIDE, proxy.to_string()).env_remove("no_proxy").env_remove("NO_PROXY");
        for name in ["http_proxy", "https_proxy", "all_proxy", "ALL_PROXY"] {
            command.env(name, format!("http://127.0.0.1:{proxy}"));
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        assert!(String::from_utf8_lossy(&output.stdout).contains("1 passed"));
        return;
    };
    let outside = inside.into_string().unwrap();
    let direct = answering(|_| "HTTP/1.1 200 X\r\nContent-Length: 0\r\n\r\n".into());
    for (proxy, status) in
        [(Proxy::None, 200), (Proxy::Environment, 299), (Proxy::At(format!("http://127.0.0.1:{outside}")), 299)]
    {
        let hop = hop(&format!("http://127.0.0.1:{direct}/"), &EngineOptions { proxy: proxy.clone(), ..options() });
        assert_eq!(hop.status, Some(status), "{proxy:?}");
    }
}

#[test]
fn certificates_that_cannot_be_read_are_an_error_at_the_start() {
    for file in ["/nowhere/ca.pem", "/dev/null"] {
        let options = EngineOptions { ca_file: Some(file.into()), ..options() };
        let error = Engine::new(&options).err().expect(file);
        assert!(error.exit_code() == 2 && error.to_string().contains(file), "{error}");
    }
}

#[test]
fn a_target_that_libcurl_refuses_is_an_outcome() {
    // The parser of URLs takes more than libcurl.
    for url in ["http://127.0.0.1:0/", "http://a..b/", "http://-/", "http://xn--a/"] {
        if Target::parse(url).is_ok() {
            let hop = hop(url, &EngineOptions { timeout: Duration::from_secs(5), ..options() });
            assert!(hop.error.is_some(), "{hop:?}");
        }
    }
}
