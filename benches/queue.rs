//! A benchmark of the queue alone: a plain file, `logator-queue`, and clients that acknowledge and count lines but do
//! not parse them.
//!
//! `LOGATOR_BENCH_LOG` names the file to hand out. Without it the benchmark makes one of a million lines. It prints
//! lines per second for the batch dialogue over ipc with one and two clients, and for the line dialogue with one and
//! two REQ peers. For comparison it prints what a bare REQ/REP pair of libzmq sockets does in the same run. The queue's
//! memory comes from its receipt.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use logator::core::numbers::{grouped, human_bytes};
use logator::core::stop::Stop;
use logator::net::address::Address;
use logator::net::client::Client;
use logator::net::endpoint::Endpoint;
use logator::observe::receipt::{Receipt, Tally};
use logator::worker::lease_client::{LeaseClient, Next};

fn main() {
    // `cargo bench` passes --bench. `cargo test` runs this program without it, as a short test.
    let real = std::env::args().any(|argument| argument == "--bench");
    let runs = if real { 5 } else { 1 };
    let folder = tempfile::tempdir().expect("a temporary folder");
    let log = match std::env::var_os("LOGATOR_BENCH_LOG").filter(|_| real) {
        Some(path) => PathBuf::from(path),
        None => make_log(folder.path(), if real { 1_000_000 } else { 5_000 }),
    };
    println!("queue alone, {}, medians of {runs}", log.display());
    let report = |name: &str, run: &dyn Fn() -> (f64, u64)| report(name, runs, run);
    for clients in [1, 2] {
        report(&format!("batch dialogue, ipc, {clients} clients"), &|| {
            hand_out(folder.path(), &log, clients, batch_client)
        });
    }
    report("batch dialogue, ipc, 2 clients that are slow", &|| hand_out(folder.path(), &log, 2, slow_client));
    let short = folder.path().join("short.log");
    let head: Vec<u8> = std::fs::read(&log)
        .expect("the log")
        .split_inclusive(|&b| b == b'\n')
        .take(20_000)
        .flatten()
        .copied()
        .collect();
    std::fs::write(&short, head).expect("a short log");
    for clients in [1, 2] {
        report(&format!("line dialogue, ipc, {clients} REQ peers"), &|| {
            hand_out(folder.path(), &short, clients, line_client)
        });
        report(&format!("bare REQ/REP, ipc, {clients} REQ peers"), &|| bare_req_rep(folder.path(), clients));
    }
}

fn report(name: &str, runs: usize, run: &dyn Fn() -> (f64, u64)) {
    let mut rates: Vec<(f64, u64)> = (0..runs).map(|_| run()).collect();
    rates.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (rate, memory) = rates[runs / 2];
    let memory = if memory > 0 { format!(", queue {}", human_bytes(memory)) } else { String::new() };
    println!("{name:<46} {:>12} lines/s{memory}", grouped(rate as u64));
}

fn make_log(folder: &Path, lines: u32) -> PathBuf {
    let path = folder.join("access.log");
    let mut file = std::io::BufWriter::new(std::fs::File::create(&path).expect("a log"));
    for number in 0..lines {
        let (host, page, size) = (number % 251, number % 9973, number % 65_521);
        writeln!(
            file,
            "192.0.2.{host} - - [17/May/2024:10:05:03 +0000] \"GET /pages/{page}/index.html HTTP/1.1\" 200 {size} \
             \"http://www.example.com/pages/{page}\" \"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like \
             Gecko) Chrome/120.0.0.0 Safari/537.36\""
        )
        .expect("a line");
    }
    path
}

/// Does one run. Returns the lines per second from the first request to the last ack, and the queue's peak memory in
/// bytes.
fn hand_out(folder: &Path, log: &Path, clients: usize, client: fn(&Endpoint, &Stop) -> u64) -> (f64, u64) {
    let endpoint = format!("ipc://{}", folder.join("queue").display());
    let receipt = folder.join("receipt.json");
    let mut queue = Command::new(env!("CARGO_BIN_EXE_logator-queue"))
        .arg(log)
        .args(["--quiet", "--linger", "0", "--bind", &endpoint, "--receipt"])
        .arg(&receipt)
        .stdin(Stdio::null())
        .spawn()
        .expect("a queue");
    let endpoint = Endpoint::parse(&endpoint).expect("an endpoint");
    let gone = Stop::new().expect("a stop");
    let lines: u64 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..clients).map(|_| scope.spawn(|| client(&endpoint, &gone))).collect();
        assert!(queue.wait().expect("the queue's end").success());
        // A client that came too late to be told the end would wait for another queue.
        gone.request();
        threads.into_iter().map(|thread| thread.join().expect("a client")).sum()
    });
    let receipt: Receipt = serde_json::from_slice(&std::fs::read(receipt).expect("a receipt")).expect("a receipt");
    assert_eq!(receipt.read, lines, "every line was handed out once");
    (receipt.lines_per_second, receipt.peak_memory_bytes)
}

fn batch_client(endpoint: &Endpoint, gone: &Stop) -> u64 {
    drain(endpoint, gone, Duration::ZERO)
}

fn slow_client(endpoint: &Endpoint, gone: &Stop) -> u64 {
    drain(endpoint, gone, Duration::from_millis(2))
}

fn drain(endpoint: &Endpoint, gone: &Stop, pause: Duration) -> u64 {
    let context = zmq::Context::new();
    let mut client = Client::new(&context, &[Address { endpoint: endpoint.clone(), keys: None }], gone.clone(), |_| {});
    let (mut lines, mut acks) = (0, Vec::new());
    loop {
        match client.next(std::mem::take(&mut acks), true).expect("an answer") {
            Next::Batch { ticket, batch, .. } => {
                lines += u64::from(batch.records);
                std::thread::sleep(pause);
                acks.push((ticket, Tally { stored: u64::from(batch.records), ..Tally::default() }));
            }
            Next::Wait(pause) => std::thread::sleep(pause),
            Next::End | Next::Stopped => return lines,
        }
    }
}

fn line_client(endpoint: &Endpoint, gone: &Stop) -> u64 {
    while !endpoint.path().expect("ipc").exists() && !gone.is_requested() {
        std::thread::yield_now();
    }
    let context = zmq::Context::new();
    let socket = context.socket(zmq::REQ).expect("a socket");
    socket.connect(&endpoint.to_string()).expect("a connection");
    socket.set_linger(0).expect("an option");
    socket.set_rcvtimeo(100).expect("an option");
    let mut lines = 0;
    loop {
        socket.send(&b""[..], 0).expect("a request");
        let reply = loop {
            match socket.recv_bytes(0) {
                Err(zmq::Error::EAGAIN) if gone.is_requested() => return lines,
                Err(zmq::Error::EAGAIN) => {}
                reply => break reply.expect("a reply"),
            }
        };
        if reply.is_empty() {
            return lines;
        }
        lines += 1;
    }
}

/// Measures libzmq itself with the same messages.
fn bare_req_rep(folder: &Path, clients: usize) -> (f64, u64) {
    const LINES: u64 = 20_000;
    let endpoint = format!("ipc://{}", folder.join("bare").display());
    let context = zmq::Context::new();
    let server = context.socket(zmq::REP).expect("a socket");
    server.bind(&endpoint).expect("an endpoint");
    let line = [b'x'; 237];
    let started = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..clients {
            let endpoint = Endpoint::parse(&endpoint).expect("an endpoint");
            let never = Stop::new().expect("a stop");
            scope.spawn(move || line_client(&endpoint, &never));
        }
        let (mut sent, mut ended) = (0, 0);
        while ended < clients {
            server.recv_bytes(0).expect("a request");
            if sent < LINES {
                sent += 1;
                server.send(&line[..], 0).expect("a line");
            } else {
                ended += 1;
                server.send(&b""[..], 0).expect("the end");
            }
        }
    });
    (LINES as f64 / started.elapsed().as_secs_f64(), 0)
}
