//! Measures whole jobs that store into Elasticsearch: `logator run FILE -f combined --to elasticsearch+http://…`.
//!
//! | command | what it does |
//! |---|---|
//! | `cargo bench --bench elasticsearch` | runs the job against a test server that answers at once, after 50 ms and after 200 ms |
//! | `… -- refuse [SECONDS]` | refuses every document for 10 seconds, and prints the memory of the job |
//! | `… -- serve [MILLISECONDS]` | runs the test server alone until its standard input ends, and prints its numbers |
//! | `LOGATOR_TEST_ELASTICSEARCH=http://HOST:PORT … -- real` | compares the job with a bare loop that sends the same bodies |
//!
//! `LOGATOR_BENCH_LOG=FILE` is an access log to read; without it, the benchmark writes one. `LOGATOR_BENCH_LINES=N` is the number of
//! lines of a job (default 6,000,000); the file is repeated for them, with other addresses in each round. The test server checks and
//! counts the lines of each body, and does not look into the documents. Its processor time is printed beside that of logator.

#[path = "../tests/kit/bulk_server/mod.rs"]
mod bulk_server;

use std::io::{BufRead as _, BufReader, BufWriter, Read as _, Write as _};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bulk_server::{BulkServer, Fault, ItemFault, Keep, Rule, Sent, Setup};
use logator::observe::receipt::Receipt;
use nix::sys::resource::{UsageWho, getrusage};

/// The time that a job has to find out how many requests at a time are of use.
const GROWTH: Duration = Duration::from_secs(5);

/// The pairs of runs that are compared.
const PAIRS: usize = 5;

fn main() {
    // `cargo bench` passes --bench. `cargo test` runs the benchmark without it, as a check that it works.
    let real = std::env::args().any(|argument| argument == "--bench");
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let delay = words.get(1).and_then(|word| word.parse().ok()).map_or(Duration::ZERO, Duration::from_millis);
    match words.first().map(String::as_str) {
        Some("serve") => serve(delay),
        Some("refuse") => {
            let seconds = words.get(1).and_then(|word| word.parse().ok()).unwrap_or(10);
            refuse(&Place::new(lines(1_000_000)), Duration::from_secs(seconds));
        }
        Some("real") => {
            let place = Place::new(lines(200_000));
            compare(&place);
        }
        _ => {
            let place = Place::new(if real { lines(6_000_000) } else { 2_000 });
            println!("{} lines of {} bytes", place.lines, place.bytes / place.lines);
            println!("                        after the                                               CPU");
            println!(
                "answer after  whole job  first 5 s  at once  body/documents  sent/body  logator   server  memory"
            );
            for delay in [0, 50, 200] {
                measure(&place, Duration::from_millis(delay));
            }
        }
    }
}

fn lines(usual: usize) -> usize {
    std::env::var("LOGATOR_BENCH_LINES").ok().and_then(|lines| lines.parse().ok()).unwrap_or(usual)
}

/// The folder of the benchmark with its input.
struct Place {
    folder: tempfile::TempDir,
    lines: usize,
    bytes: usize,
}

impl Place {
    fn new(lines: usize) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let file = std::fs::File::create(folder.path().join("access.log")).expect("it can be written");
        let mut out = BufWriter::new(file);
        let given = std::env::var_os("LOGATOR_BENCH_LOG").map(PathBuf::from).map(|log| read(&log));
        let mut bytes = 0;
        for number in 0..lines {
            let line = match &given {
                Some(given) => {
                    let (round, line) = (number / given.len(), &given[number % given.len()]);
                    let rest = line.split_once(' ').map_or("", |(_, rest)| rest);
                    format!("10.{}.{}.{} {rest}\n", round % 250, number % 250, number / 250 % 250)
                }
                None => invented(number),
            };
            bytes += line.len();
            out.write_all(line.as_bytes()).expect("it can be written");
        }
        out.flush().expect("it can be written");
        Place { folder, lines, bytes }
    }

    /// Returns the command of the job.
    fn command(&self, input: &str, sink: &str) -> Command {
        let program = std::env::var_os("LOGATOR_BENCH_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_logator").into());
        let more = std::env::var("LOGATOR_BENCH_FLAGS").unwrap_or_default();
        let mut command = Command::new(program);
        command.args(["run", input, "-f", "combined", "--receipt", "receipt", "--to", sink]);
        command.args(more.split_whitespace()).current_dir(self.folder.path()).stdin(Stdio::null());
        command
    }

    /// Runs the job, which must store every line as a new document. Returns its time.
    fn run(&self, sink: &str) -> Duration {
        let start = Instant::now();
        let ran = self.command("access.log", sink).output().expect("logator runs");
        let time = start.elapsed();
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        let receipt = std::fs::read(self.folder.path().join("receipt")).expect("a receipt");
        let receipt: Receipt = serde_json::from_slice(&receipt).expect("a receipt");
        assert_eq!(receipt.tally.stored + receipt.tally.unmatched, self.lines as u64, "{receipt:?}");
        time
    }
}

fn read(log: &Path) -> Vec<String> {
    let file = std::fs::File::open(log).unwrap_or_else(|error| panic!("{}: {error}", log.display()));
    BufReader::new(file).split(b'\n').map(|line| String::from_utf8_lossy(&line.expect("a line")).into_owned()).collect()
}

fn invented(number: usize) -> String {
    let (day, second) = (1 + number / 100_000 % 28, number / 10);
    format!(
        "198.51.{}.{} - - [{day:02}/May/2026:{:02}:{:02}:{:02} +0000] \"GET /articles/{}/pictures/chart-{number}.png \
         HTTP/1.1\" 200 {} \"http://www.example.com/articles/{}\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) \
         Gecko/20100101 Firefox/128.0\"\n",
        number / 250 % 250,
        number % 250,
        second / 3600 % 24,
        second / 60 % 60,
        second % 60,
        number % 977,
        number * 7919 % 200_000,
        number % 977,
    )
}

fn processor_time(who: UsageWho) -> f64 {
    let usage = getrusage(who).expect("the kernel counts it");
    let seconds = |time: nix::sys::time::TimeVal| time.tv_sec() as f64 + time.tv_usec() as f64 / 1e6;
    seconds(usage.user_time()) + seconds(usage.system_time())
}

/// Runs the job against the test server.
fn measure(place: &Place, delay: Duration) {
    let server = BulkServer::start(Setup { keep: Keep::Counts, delay, ..Setup::default() });
    let before = (processor_time(UsageWho::RUSAGE_CHILDREN), processor_time(UsageWho::RUSAGE_SELF));
    let (done, ended) = mpsc::channel::<()>();
    let (time, later) = std::thread::scope(|scope| {
        let server = &server;
        let later = scope.spawn(move || {
            // The job is given some time to find out how many requests are of use.
            let ended = ended.recv_timeout(GROWTH);
            ended.is_err().then(|| (Instant::now(), server.numbers().created))
        });
        let time = place.run(&server.sink("logator-bench"));
        let end = Instant::now();
        drop(done);
        (time, later.join().expect("no panic").map(|(from, created)| (end - from, created)))
    });
    let logator = processor_time(UsageWho::RUSAGE_CHILDREN) - before.0;
    let own = processor_time(UsageWho::RUSAGE_SELF) - before.1;
    let numbers = server.numbers();
    assert_eq!(numbers.created, place.lines as u64);
    // An action line has 66 bytes.
    let documents = numbers.body - 66 * numbers.created;
    let later = later.map_or("-".to_owned(), |(time, created)| {
        format!("{:.0}", (numbers.created - created) as f64 / time.as_secs_f64())
    });
    println!(
        "{:>9} ms  {:>9.0}  {later:>9}  {:>7}  {:>14.3}  {:>9.3}  {:>5.2} s  {:>5.2} s  {:>6}",
        delay.as_millis(),
        place.lines as f64 / time.as_secs_f64(),
        numbers.most_at_once,
        numbers.body as f64 / documents as f64,
        numbers.sent as f64 / numbers.body as f64,
        logator,
        own,
        most_memory(),
    );
}

/// Returns the most memory that any child had.
fn most_memory() -> String {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).expect("the kernel counts it");
    format!("{} MiB", usage.max_rss() / 1024)
}

/// Returns the kernel's value of a process's memory under that name, in MiB.
fn memory(process: u32, name: &str) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let value = status.lines().find_map(|line| line.strip_prefix(name));
    value.and_then(|value| value.trim().trim_end_matches(" kB").parse::<f64>().ok()).unwrap_or(0.0) / 1024.0
}

/// Refuses every document for a while, and then none.
fn refuse(place: &Place, time: Duration) {
    let rules = vec![Rule::always(Fault::all(ItemFault::busy()))];
    let server = BulkServer::start(Setup { keep: Keep::Counts, rules: rules.clone(), ..Setup::default() });
    std::fs::write(place.folder.path().join("few.log"), invented(1)).expect("it can be written");
    println!("                 own memory now  most memory (MiB)");
    for (input, name) in [("few.log", "one line"), ("access.log", "all lines")] {
        server.set_rules(rules.clone());
        let quiet = Stdio::null();
        let mut child =
            place.command(input, &server.sink("logator-bench")).stderr(quiet).spawn().expect("logator runs");
        std::thread::sleep(time);
        let sizes = ["RssAnon:", "VmHWM:"].map(|name| memory(child.id(), name));
        println!("{name:>15}  {:>14.1}  {:>11.1}", sizes[0], sizes[1]);
        let at_once = server.numbers().most_at_once;
        server.set_rules(Vec::new());
        let status = child.wait().expect("it ends");
        let numbers = server.numbers();
        println!("{:>15}  {status}, {} refused, {at_once} requests at once", "", numbers.refused);
    }
    assert_eq!(server.numbers().created, place.lines as u64 + 1);
}

fn serve(delay: Duration) {
    let server = BulkServer::start(Setup { keep: Keep::Counts, delay, ..Setup::default() });
    println!("{}", server.sink("INDEX"));
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
    println!("{:?}", server.numbers());
}

/// Compares the job with a loop that sends the bodies of the job to a real server.
fn compare(place: &Place) {
    let base = std::env::var("LOGATOR_TEST_ELASTICSEARCH").expect("LOGATOR_TEST_ELASTICSEARCH=http://HOST:PORT");
    let host = base.trim_start_matches("http://").trim_end_matches('/').to_owned();
    let recorder = BulkServer::start(Setup { keep: Keep::Requests, ..Setup::default() });
    place.run(&recorder.sink("logator-bench"));
    let (bodies, at_once) = (recorder.take_sent(), recorder.numbers().most_at_once.max(1));
    println!("{} lines in {} bodies, {at_once} at a time", place.lines, bodies.len());
    // The server compiles its code while it gets the first documents.
    send_all(&host, &format!("logator-bench-first-{}", std::process::id()), &bodies, at_once);
    request(&host, "DELETE", &format!("/logator-bench-first-{}", std::process::id()), false, b"", &mut None);
    println!("logator documents/s  bare loop documents/s  ratio");
    let mut ratios = Vec::new();
    for pair in 0..PAIRS {
        let index = |who: &str| format!("logator-bench-{who}-{pair}-{}", std::process::id());
        let ours = || place.run(&format!("elasticsearch+http://{host}/{}", index("job")));
        let bare = || send_all(&host, &index("loop"), &bodies, at_once);
        let (job, bare) = if pair % 2 == 0 {
            (ours(), bare())
        } else {
            let bare = bare();
            (ours(), bare)
        };
        let speed = |time: Duration| place.lines as f64 / time.as_secs_f64();
        let ratio = bare.as_secs_f64() / job.as_secs_f64();
        println!("{:>19.0}  {:>21.0}  {ratio:.3}", speed(job), speed(bare));
        ratios.push(ratio);
        for who in ["job", "loop"] {
            request(&host, "DELETE", &format!("/{}", index(who)), false, b"", &mut None);
        }
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio {:.3}", ratios[PAIRS / 2]);
}

/// Sends all bodies over some connections, each as soon as the one before is answered. Returns the time.
fn send_all(host: &str, index: &str, bodies: &[Sent], connections: usize) -> Duration {
    let next = AtomicUsize::new(0);
    let start = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..connections {
            scope.spawn(|| {
                let mut connection = None;
                while let Some(sent) = bodies.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let path = format!("/{index}/_bulk?filter_path=errors");
                    let answer = request(host, "POST", &path, sent.is_gzip, &sent.body, &mut connection);
                    assert!(answer.contains("\"errors\":false"), "{answer}");
                }
            });
        }
    });
    start.elapsed()
}

/// Sends a request and returns the body of its answer.
fn request(
    host: &str,
    method: &str,
    path: &str,
    is_gzip: bool,
    body: &[u8],
    connection: &mut Option<BufReader<TcpStream>>,
) -> String {
    let stream = connection.get_or_insert_with(|| {
        let stream = TcpStream::connect(host).unwrap_or_else(|error| panic!("{host}: {error}"));
        stream.set_nodelay(true).expect("an option of TCP");
        BufReader::new(stream)
    });
    let encoding = if is_gzip { "content-encoding: gzip\r\n" } else { "" };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/x-ndjson\r\n{encoding}content-length: {}\r\n\r\n",
        body.len()
    );
    stream.get_mut().write_all(&[head.as_bytes(), body].concat()).expect("it is sent");
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).expect("an answer");
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse().expect("a length");
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut answer = vec![0; length];
    stream.read_exact(&mut answer).expect("an answer");
    String::from_utf8_lossy(&answer).into_owned()
}
