//! Many peers at once: connections that say nothing, half of something, or nonsense, and thousands of workers.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use logator::net::wire::{Answer, Ask, MAGIC, Reply, Request};

use crate::kit::logs::access;
use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, free_port, wait_for};

/// This lock is held by a test that needs most of the files of this process.
static MANY: Mutex<()> = Mutex::new(());

/// The number of connections: ten thousand, or as many as this process may have.
fn many() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
    10_000.min(most as usize / 2)
}

/// A queue that listens on TCP, in a folder with keys of both sides.
struct Open {
    place: Workspace,
    port: u16,
    queue: Running,
    /// The number of files that the queue had open before any peer came.
    files: usize,
    /// The arguments that a worker needs to be accepted.
    keys: &'static [&'static str],
}

impl Open {
    fn new(arguments: &[&str]) -> Open {
        Open::with(arguments, false)
    }

    fn with_keys() -> Open {
        Open::with(&["--curve-key", "queue.key", "--authorized-keys", "authorized"], true)
    }

    fn with(arguments: &[&str], secret: bool) -> Open {
        let place = Workspace::new();
        if secret {
            for name in ["queue.key", "worker.key"] {
                assert_eq!(place.run("logator", &["keygen", name], b"").code, Some(0));
            }
            place.write("authorized", place.text("worker.key.pub"));
        }
        let port = free_port();
        let tcp = format!("tcp://127.0.0.1:{port}");
        let queue = place.queue(&[&["--bind", &tcp, "--linger", "0"], arguments].concat());
        // The queue's input is open by then too, so later only connections add open files.
        let input = |queue: &Running| {
            let open = std::fs::read_dir(format!("/proc/{}/fd", queue.id())).into_iter().flatten().flatten();
            let leads_to = |path: std::path::PathBuf| std::fs::read_link(path).ok();
            let stdin = leads_to(format!("/proc/{}/fd/0", queue.id()).into());
            open.filter(|file| stdin.is_some() && leads_to(file.path()) == stdin).count()
        };
        wait_for("the reader", PATIENCE, || (input(&queue) == 2).then_some(()));
        let files = queue.open_files();
        let keys: &[&str] = if secret { &["--curve-key", "worker.key", "--queue-key", "queue.key.pub"] } else { &[] };
        Open { place, port, queue, files, keys }
    }

    /// Returns the most memory of the queue in kB as a release would need it. The tests run a larger program file, and more of it
    /// is in memory; that has nothing to do with workers.
    fn most_memory(&self) -> u64 {
        let of_files = self.queue.memory_called("RssFile:").expect("it runs");
        self.queue.most_memory().expect("it runs") - of_files.saturating_sub(7 << 10)
    }

    fn wait_until_files_are_back(&self, what: &str, more: usize) {
        wait_for(what, 2 * PATIENCE, || (self.queue.open_files() <= self.files + more).then_some(()));
    }

    /// Gives the queue a thousand lines, a worker, and the end of the input. Returns the queue's messages.
    fn finish(mut self) -> String {
        self.queue.feed(&access(0..1000));
        self.queue.close_input();
        let tcp = format!("tcp://127.0.0.1:{}", self.port);
        let worker = ["--from", &tcp, "-j", "1", "-f", "combined", "--to", "null:"];
        let worker = self.place.start("logator-worker", &[&worker, self.keys].concat());
        let queue = self.queue.end();
        assert_eq!((queue.code, worker.end().code), (Some(0), Some(0)), "{}", queue.stderr);
        assert_eq!(account(&self.place.receipt("queue.json")), [1000, 1000, 0, 0, 0, 0]);
        queue.stderr
    }
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

/// Opens a connection that introduces itself as a DEALER.
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

/// Sends one request and returns the reply.
fn ask(stream: &mut TcpStream, ask: Ask) -> Answer {
    send(stream, ask);
    reply(stream)
}

fn send(stream: &mut TcpStream, ask: Ask) {
    let body = Request::from(ask).encode();
    let mut bytes = b"\x01\0\x01\x08".to_vec();
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&[0, body.len() as u8]);
    bytes.extend_from_slice(&body);
    stream.write_all(&bytes).unwrap();
}

fn reply(stream: &mut TcpStream) -> Answer {
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
    Reply::decode(&frames[2], frames.get(3).cloned().map(Into::into)).unwrap().answer
}

/// Every kind of wrong first bytes, with keys and without.
#[test]
fn whoever_does_not_speak_the_protocol_costs_nothing_that_lasts() {
    for secret in [false, true] {
        let open = if secret { Open::with_keys() } else { Open::new(&[]) };
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
                // A part of a greeting; a whole greeting; a greeting with an unknown command.
                3 => greeting(mechanism)[..round % 64].to_vec(),
                4 => greeting(mechanism),
                5 => [greeting(mechanism), b"\x04\x05\x04HUSH".to_vec()].concat(),
                // Frames of 16 EiB, of a negative length, and of a length that overflows when anything is added.
                6 => frame(6, u64::MAX, b"x"),
                7 => frame(2, i64::MAX as u64, &junk(100)),
                8 => frame(6, 1 << 31, &junk(2000)),
                _ => [greeting(mechanism), vec![4, 200], b"\x05HELLO\x01\0".to_vec(), junk(193)].concat(),
            };
            let mut stream = connect(open.port);
            let _ = stream.write_all(&bytes);
        }
        // The connections are closed here. The queue closes its ends when it notices that.
        open.wait_until_files_are_back("the descriptors to come back", 0);
        assert!(open.most_memory() < 64 << 10, "{} kB", open.most_memory());
        let said = open.finish();
        assert!(said.contains(" connections failed in the handshake"), "{said}");
    }
}

/// The queue closes such connections when the time for an introduction is over. Until then it serves other peers.
#[test]
fn ten_thousand_connections_that_say_nothing_are_closed() {
    let _many = MANY.lock().unwrap_or_else(PoisonError::into_inner);
    let count = many();
    let open = Open::new(&[]);
    let silent: Vec<TcpStream> = (0..count).map(|_| connect(open.port)).collect();
    let mut peer = introduced(open.port);
    assert_eq!(ask(&mut peer, Ask::Touch(Vec::new())), Answer::Ok(0), "others are served meanwhile");
    open.wait_until_files_are_back("the silent ones to be closed", 1);
    eprintln!("{count} silent connections: at most {} kB", open.most_memory());
    drop((silent, peer));
    let said = open.finish();
    assert!(said.contains(" connections failed in the handshake"), "{said}");
}

/// Workers without work. Each has asked, got an answer, and waits for lines.
#[test]
fn ten_thousand_workers_that_wait_fit_into_64_mib_and_leave_nothing_behind() {
    let _many = MANY.lock().unwrap_or_else(PoisonError::into_inner);
    let count = many();
    let open = Open::new(&[]);
    let start = open.most_memory();
    let mut workers: Vec<TcpStream> = (0..count).map(|_| introduced(open.port)).collect();
    for worker in &mut workers {
        assert_eq!(ask(worker, Ask::Touch(Vec::new())), Answer::Ok(0));
    }
    let reserve = Ask::Reserve { wait: Duration::from_secs(5), acks: Vec::new() };
    workers.iter_mut().for_each(|worker| send(worker, reserve.clone()));
    for worker in &mut workers {
        assert_eq!(reply(worker), Answer::Wait(Duration::ZERO));
    }
    let most = open.most_memory();
    eprintln!("{count} workers: {most} kB, {start} kB without them");
    assert!(most < 64 << 10, "{most} kB, {start} kB without them");
    for worker in &mut workers {
        assert_eq!(ask(worker, Ask::Bye(Vec::new())), Answer::Ok(0));
    }
    drop(workers);
    open.wait_until_files_are_back("the descriptors to come back", 0);
    open.finish();
}

/// A message is handed over when its last part has arrived. A message without an end is not kept.
#[test]
fn a_message_without_an_end_costs_its_sender_the_connection() {
    let open = Open::new(&[]);
    let mut endless = introduced(open.port);
    let part = [&[3][..], &60_000_u64.to_be_bytes(), &[0; 60_000]].concat();
    // These would be 600 MB if the queue kept them.
    let sent = (0..10_000).take_while(|_| endless.write_all(&part).is_ok()).count();
    assert!(sent < 10_000);
    assert!(open.most_memory() < 64 << 10, "{} kB", open.most_memory());
    open.wait_until_files_are_back("the connection to be closed", 0);
    open.finish();
}

/// A thousand workers hold one batch each and do nothing. The queue keeps the batches and little else.
#[test]
fn a_thousand_idle_leases_fit_into_64_mib() {
    let mut open = Open::new(&["--batch-lines", "20"]);
    open.queue.feed(&access(0..20_000));
    let mut workers: Vec<TcpStream> = (0..1000).map(|_| introduced(open.port)).collect();
    let reserve = Ask::Reserve { wait: Duration::from_secs(5), acks: Vec::new() };
    let held = workers
        .iter_mut()
        .map(|worker| ask(worker, reserve.clone()))
        .filter(|reply| matches!(reply, Answer::Batch { .. }))
        .count();
    assert_eq!(held, 1000);
    eprintln!("1000 leases: {} kB", open.most_memory());
    assert!(open.most_memory() < 64 << 10, "{} kB", open.most_memory());
    open.queue.kill();
}
