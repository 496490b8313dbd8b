//! Many at once: connections that say nothing, half of something, or anything, and workers by the thousand.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use logator::wire::{MAGIC, Reply, Request};

use crate::kit::logs::access;
use crate::kit::place::{Place, Running, account};
use crate::kit::{PATIENCE, free_port, wait_for};

/// Held by a test that needs most of the files this process may have open.
static MANY: Mutex<()> = Mutex::new(());

/// Ten thousand, or as many connections as this process may have.
fn many() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    10_000.min(most as usize / 2)
}

fn open_files(of: &Running) -> usize {
    of.open_files()
}

fn connect(port: u16) -> TcpStream {
    let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// The greeting of ZMTP 3.0 without keys, byte by byte.
fn greeting(mechanism: &[u8]) -> Vec<u8> {
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0".to_vec();
    greeting.extend_from_slice(mechanism);
    greeting.resize(64, 0);
    greeting
}

/// A connection that has introduced itself as a DEALER.
fn introduced(port: u16) -> TcpStream {
    let mut stream = connect(port);
    stream.write_all(&greeting(b"NULL")).unwrap();
    stream.write_all(b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER").unwrap();
    let mut theirs = [0; 64 + 2];
    stream.read_exact(&mut theirs).unwrap();
    let mut ready = vec![0; usize::from(theirs[65])];
    stream.read_exact(&mut ready).unwrap();
    assert_eq!(&ready[..6], b"\x05READY");
    stream
}

/// Sends one request and gives the reply.
fn ask(stream: &mut TcpStream, request: &Request) -> Reply {
    let body = request.encode();
    let mut bytes = b"\x01\0\x01\x08".to_vec();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[0, body.len() as u8]);
    bytes.extend_from_slice(&body);
    stream.write_all(&bytes).unwrap();
    let mut frames = Vec::new();
    loop {
        let mut flags = [0];
        stream.read_exact(&mut flags).unwrap();
        let length = match flags[0] & 2 {
            0 => {
                let mut length = [0];
                stream.read_exact(&mut length).unwrap();
                usize::from(length[0])
            }
            _ => {
                let mut length = [0; 8];
                stream.read_exact(&mut length).unwrap();
                u64::from_be_bytes(length) as usize
            }
        };
        let mut frame = vec![0; length];
        stream.read_exact(&mut frame).unwrap();
        frames.push(frame);
        if flags[0] & 1 == 0 {
            break;
        }
    }
    Reply::decode(&frames[2], frames.get(3).cloned().map(Into::into)).unwrap()
}

fn finish(place: &Place, mut queue: Running, tcp: &str, keys: &[&str]) -> String {
    queue.feed(&access(0..1000));
    queue.close_input();
    let worker =
        place.start("logator-worker", &[&["--from", tcp, "-j", "1", "-f", "combined", "--to", "null:"], keys].concat());
    let queue = queue.end();
    assert_eq!((queue.code, worker.end().code), (Some(0), Some(0)), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [1000, 1000, 0, 0, 0, 0]);
    queue.stderr
}

fn place_with_keys() -> Place {
    let place = Place::new();
    for name in ["queue.key", "worker.key"] {
        assert_eq!(place.run("logator", &["keygen", name], b"").code, Some(0));
    }
    place.write("authorized", place.text("worker.key.pub"));
    place
}

/// Everything that can be said wrongly in the first bytes, with keys and without.
#[test]
fn whoever_does_not_speak_the_protocol_costs_nothing_that_lasts() {
    for secret in [false, true] {
        let place = place_with_keys();
        let port = free_port();
        let tcp = format!("tcp://127.0.0.1:{port}");
        let keys = ["--curve-key", "queue.key", "--authorized-keys", "authorized"];
        let keys = if secret { &keys[..] } else { &[] };
        let queue = place.queue(&[&["--bind", &tcp, "--linger", "0"], keys].concat());
        let before = open_files(&queue);
        let mut random = fastrand::Rng::with_seed(11);
        let mut junk = |length: usize| -> Vec<u8> { (0..length).map(|_| random.u8(..)).collect() };
        let mechanism = if secret { &b"CURVE"[..] } else { b"NULL" };
        let frame = |flags: u8, length: u64, body: &[u8]| {
            [&greeting(mechanism)[..], &[flags], &length.to_be_bytes(), body].concat()
        };
        for round in 0..300 {
            let bytes = match round % 10 {
                0 => junk(10),
                1 => junk(5000),
                2 => [b"\xff\0\0\0\0\0\0\0\x01\x7f".to_vec(), junk(100)].concat(),
                // A part of a greeting, a greeting alone, one and a command that is none.
                3 => greeting(mechanism)[..round % 64].to_vec(),
                4 => greeting(mechanism),
                5 => [greeting(mechanism), b"\x04\x05\x04HUSH".to_vec()].concat(),
                // Frames of 16 EiB, of a negative length, and of a length that overflows with anything added.
                6 => frame(6, u64::MAX, b"x"),
                7 => frame(2, i64::MAX as u64, &junk(100)),
                8 => frame(6, 1 << 31, &junk(2000)),
                _ => [greeting(mechanism), vec![4, 200], b"\x05HELLO\x01\0".to_vec(), junk(193)].concat(),
            };
            let mut stream = connect(port);
            let _ = stream.write_all(&bytes);
        }
        // The connections are closed here; the queue closes its ends when it notices.
        wait_for("the descriptors to come back", PATIENCE, || (open_files(&queue) <= before).then_some(()));
        assert!(queue.most_memory().expect("it runs") < 64 << 10, "{} kB", queue.most_memory().expect("it runs"));
        let keys: &[&str] = if secret { &["--curve-key", "worker.key", "--queue-key", "queue.key.pub"] } else { &[] };
        let said = finish(&place, queue, &tcp, keys);
        assert!(said.contains(" did not introduce themselves"), "{said}");
    }
}

/// They are closed when the time to introduce oneself is over, and until then others are served.
#[test]
fn ten_thousand_connections_that_say_nothing_are_closed() {
    let _many = MANY.lock().unwrap_or_else(PoisonError::into_inner);
    let count = many();
    let place = Place::new();
    let port = free_port();
    let tcp = format!("tcp://127.0.0.1:{port}");
    let queue = place.queue(&["--bind", &tcp, "--linger", "0"]);
    let before = open_files(&queue);
    let silent: Vec<TcpStream> = (0..count).map(|_| connect(port)).collect();
    let mut peer = introduced(port);
    assert_eq!(ask(&mut peer, &Request::Touch(Vec::new())), Reply::Ok(0), "others are served meanwhile");
    wait_for("the silent ones to be closed", 2 * PATIENCE, || (open_files(&queue) <= before + 1).then_some(()));
    eprintln!("{count} silent connections: at most {} kB", queue.most_memory().expect("it runs"));
    drop((silent, peer));
    let said = finish(&place, queue, &tcp, &[]);
    assert!(said.contains(" did not introduce themselves"), "{said}");
}

/// Workers without work: what they cost is libzmq's buffers, which are gone when they are.
#[test]
fn ten_thousand_workers_are_served_and_leave_nothing_behind() {
    let _many = MANY.lock().unwrap_or_else(PoisonError::into_inner);
    let count = many();
    let place = Place::new();
    let port = free_port();
    let tcp = format!("tcp://127.0.0.1:{port}");
    let queue = place.queue(&["--bind", &tcp, "--linger", "0"]);
    let before = open_files(&queue);
    let mut workers: Vec<TcpStream> = (0..count).map(|_| introduced(port)).collect();
    for worker in &mut workers {
        assert_eq!(ask(worker, &Request::Touch(Vec::new())), Reply::Ok(0));
    }
    let each = queue.most_memory().expect("it runs") * 1024 / count as u64;
    eprintln!("{count} workers: {} kB, {each} bytes each", queue.most_memory().expect("it runs"));
    assert!(each < 48 << 10, "{each} bytes a worker");
    for worker in &mut workers {
        assert_eq!(ask(worker, &Request::Bye(Vec::new())), Reply::Ok(0));
    }
    drop(workers);
    wait_for("the descriptors to come back", PATIENCE, || (open_files(&queue) <= before).then_some(()));
    finish(&place, queue, &tcp, &[]);
}

/// A thousand workers that hold a batch each and do nothing: the queue keeps the batches and little else.
#[test]
fn a_thousand_idle_leases_fit_into_64_mib() {
    let place = Place::new();
    let port = free_port();
    let tcp = format!("tcp://127.0.0.1:{port}");
    let mut queue = place.queue(&["--bind", &tcp, "--linger", "0", "--batch-lines", "20"]);
    queue.feed(&access(0..20_000));
    let mut workers: Vec<TcpStream> = (0..1000).map(|_| introduced(port)).collect();
    let reserve = Request::Reserve { wait: Duration::from_secs(5), acks: Vec::new() };
    let held = workers
        .iter_mut()
        .map(|worker| ask(worker, &reserve))
        .filter(|reply| matches!(reply, Reply::Batch { .. }))
        .count();
    assert_eq!(held, 1000);
    eprintln!("1000 leases: {} kB", queue.most_memory().expect("it runs"));
    assert!(queue.most_memory().expect("it runs") < 64 << 10, "{} kB", queue.most_memory().expect("it runs"));
    queue.kill();
}
