//! Compares the MongoDB sink with a bare loop that uses the same driver, documents, write concern and batch size.
//!
//! Run `LOGATOR_TEST_MONGODB=mongodb://HOST:PORT cargo bench --bench mongodb`. With `LOGATOR_TEST_MONGOD=PATH` instead, the
//! benchmark starts this `mongod`. The arguments after `--` are the number of documents (default 200000) and the batch sizes.
//! For each batch size and number of clients, it prints the documents per second of an unordered `insert_many` of
//! `RawDocumentBuf` and of our `store`, and their ratio. Each number is the median of three runs that take turns.
//!
//! With `LOGATOR_BENCH_LOG=FILE`, it compares a whole job, `logator run FILE -f combined --to mongodb://…`, with the bare loop.
//! The loop inserts the documents that the job makes of the file, encoded in advance. The arguments are then the number of
//! runs and the batch sizes.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use logator::core::batch::Batch;
use logator::core::offered::Offered;
use logator::core::record::{Key, RecordId};
use logator::document::Documents;
use logator::grok::Library;
use logator::observe::receipt::Receipt;
use logator::sink::{Encoding, Outcome, mongodb as sink};
use logator::source::api::{RunContext, Source as _};
use logator::source::file::FileSource;
use logator::source::receiver::{BatchReceiver, BatchSize, LongLine};
use logator::source::{Progress, ReadOptions};
use logator::worker::parser::{Formats, Unmatched};
use mongodb::bson::{DateTime, Document, RawDocumentBuf, doc, rawdoc};
use mongodb::options::{Acknowledgment, WriteConcern};
use mongodb::{Client, Collection};

// The programs use this allocator, so the bare loop uses it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 3;

fn main() {
    // `cargo bench` passes --bench. `cargo test` runs the benchmark without it, as a check that it works.
    let real = std::env::args().any(|argument| argument == "--bench");
    let rounds = if real { ROUNDS } else { 1 };
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let documents = numbers.first().copied().unwrap_or(if real { 200_000 } else { 2_000 });
    let batches = if numbers.len() > 1 { numbers[1..].to_vec() } else { vec![500, 1000, 2000, 5000] };
    let batches = if real { batches } else { vec![500] };
    let server = Server::find();
    if let Some(log) = std::env::var_os("LOGATOR_BENCH_LOG").filter(|_| real) {
        let batches = if numbers.len() > 1 { &numbers[1..] } else { &[1000, 2000][..] };
        return job(&server.uri, log.as_ref(), numbers.first().copied().unwrap_or(5), batches);
    }
    let bench = Bench::new(&server.uri, documents);
    println!("{} documents of about {} bytes, w=majority, median of {rounds}", documents, document(0).as_bytes().len());
    println!("batch  clients  insert_many/s   store/s  ratio");
    for &batch in &batches {
        for clients in [1, 2] {
            let mut bare = Vec::new();
            let mut ours = Vec::new();
            for _ in 0..rounds {
                bare.push(bench.insert_many(batch, clients));
                ours.push(bench.store(batch, clients));
            }
            let (bare, ours) = (median(bare), median(ours));
            println!("{batch:5}  {clients:7}  {bare:13.0}  {ours:8.0}  {:5.2}", ours / bare);
        }
    }
}

/// Compares the whole job with the bare loop.
fn job(uri: &str, log: &Path, rounds: u64, batches: &[u64]) {
    println!("batch  workers  insert_many/s     job/s  ratio   ({})", log.display());
    for &batch in batches {
        let ready = encode(log, batch as usize);
        let bench = Bench::new(uri, ready.iter().map(|batch| batch.len() as u64).sum());
        for workers in [1, 2] {
            let (mut bare, mut ours) = (Vec::new(), Vec::new());
            for _ in 0..rounds {
                bare.push(bench.insert(&ready, workers));
                ours.push(bench.run_job(log, batch, workers));
            }
            let ratios = bare.iter().zip(&ours).map(|(bare, ours)| ours / bare).collect();
            let (bare, ours, ratio) = (median(bare), median(ours), median(ratios));
            println!("{batch:5}  {workers:7}  {bare:13.0}  {ours:8.0}  {ratio:5.2}");
        }
    }
}

/// Returns the documents that the job makes of `log`, in batches.
fn encode(log: &Path, batch_lines: usize) -> Vec<Vec<RawDocumentBuf>> {
    struct Collect(Mutex<Vec<Batch>>);
    impl BatchReceiver for Collect {
        fn offer(&self, batch: Batch) -> Offered {
            self.0.lock().expect("a lock").push(batch);
            Offered::Taken
        }
        fn long_line(&self, _: LongLine) -> logator::core::error::Result<()> {
            panic!("no line of a bench is so long")
        }
    }
    let size = BatchSize { lines: batch_lines, bytes: 1 << 20, ..BatchSize::default() };
    let collect = Collect(Mutex::default());
    let options = ReadOptions { size, ..ReadOptions::default() };
    let (pool, progress) = (Arc::default(), Progress::default());
    let context = RunContext { options: &options, pool: &pool, receiver: &collect, progress: &progress };
    assert!(FileSource::new(log).run(&context).is_complete());
    let library = Library::builtin();
    let format = library.format("combined").expect("a built-in format");
    let formats = Arc::new(Formats::new(vec![format], library, Unmatched::Keep, |_| ()));
    let mut parser = formats.parser([Encoding::Bson]).expect("a parser");
    let mut parsed = parser.buffer();
    let batches = collect.0.into_inner().expect("a lock");
    let encode = |batch: &Batch| {
        parser.parse(batch, &mut parsed).expect("parsed");
        let documents = parsed.encoded(&Encoding::Bson.into()).iter();
        documents.map(|one| RawDocumentBuf::from_bytes(one.bytes.to_vec()).expect("BSON")).collect()
    };
    batches.iter().map(encode).collect()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn id(line: u64) -> RecordId {
    Key::Offset(line * 237).id(0x0123_4567_89ab_cdef, line.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Returns the document of an access-log line, as the worker encodes it.
fn document(line: u64) -> RawDocumentBuf {
    rawdoc! {
        "_id": id(line).to_string(),
        "@timestamp": DateTime::from_millis(1_431_857_103_000 + line as i64),
        "clientip": "192.0.2.216",
        "ident": "-",
        "auth": "-",
        "verb": "GET",
        "request": "/presentations/logs-on-every-core-2026/images/first-chart.png",
        "httpversion": "1.1",
        "response": 200_i64,
        "bytes": 203_023_i64 + line as i64,
        "referrer": "http://www.example.com/presentations/logs/2026/",
        "agent": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1)",
    }
}

struct Bench {
    uri: String,
    documents: u64,
    runtime: tokio::runtime::Runtime,
    client: Client,
}

impl Bench {
    fn new(uri: &str, documents: u64) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("threads");
        let client = runtime.block_on(async { Client::with_uri_str(uri).await }).expect("an address");
        let bench = Bench { uri: uri.to_owned(), documents, runtime, client };
        let start = Instant::now();
        while bench.try_run(doc! { "ping": 1 }).is_err() {
            assert!(start.elapsed() < Duration::from_secs(60), "no MongoDB at {uri}");
        }
        bench
    }

    fn try_run(&self, command: Document) -> mongodb::error::Result<Document> {
        self.runtime.block_on(self.client.database("logator_bench").run_command(command).into_future())
    }

    fn fresh_collection(&self) {
        // The collection may not exist yet.
        let _ = self.try_run(doc! { "drop": "documents" });
        self.try_run(doc! { "create": "documents" }).expect("an empty collection");
    }

    /// Runs `work(number)` for every batch, on `clients` threads. Returns documents per second.
    fn time(&self, batches: usize, clients: usize, work: impl Fn(usize) + Sync) -> f64 {
        let start = Instant::now();
        let next = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= batches {
                            break;
                        }
                        work(number);
                    }
                });
            }
        });
        self.documents as f64 / start.elapsed().as_secs_f64()
    }

    fn batches(&self, batch: u64) -> impl Iterator<Item = std::ops::Range<u64>> {
        let end = self.documents;
        (0..end).step_by(batch as usize).map(move |start| start..(start + batch).min(end))
    }

    fn insert_many(&self, batch: u64, clients: usize) -> f64 {
        let ready: Vec<Vec<RawDocumentBuf>> = self.batches(batch).map(|lines| lines.map(document).collect()).collect();
        self.insert(&ready, clients)
    }

    /// Measures the bare loop.
    fn insert(&self, ready: &[Vec<RawDocumentBuf>], clients: usize) -> f64 {
        self.fresh_collection();
        let concern = WriteConcern::builder().w(Acknowledgment::Majority).build();
        let collection: Collection<RawDocumentBuf> = self.client.database("logator_bench").collection("documents");
        self.time(ready.len(), clients, |number| {
            let insert = collection.insert_many(&ready[number]).ordered(false).write_concern(concern.clone());
            self.runtime.block_on(insert.into_future()).expect("inserted");
        })
    }

    /// Measures `logator run` by its receipt.
    fn run_job(&self, log: &Path, batch: u64, workers: usize) -> f64 {
        self.fresh_collection();
        let folder = tempfile::tempdir().expect("a folder");
        let receipt = folder.path().join("receipt.json");
        let status = Command::new(env!("CARGO_BIN_EXE_logator"))
            .args(["run", "--quiet", "-f", "combined", "--batch-bytes", "1MiB"])
            .args(["--batch-lines", &batch.to_string(), "-j", &workers.to_string()])
            .args(["--to", &self.address("documents"), "--receipt"])
            .args([&receipt, &log.to_owned()])
            .status()
            .expect("the job runs");
        assert!(status.success(), "{status}");
        let receipt: Receipt = serde_json::from_slice(&std::fs::read(receipt).expect("a receipt")).expect("JSON");
        assert_eq!(receipt.tally.duplicate, 0);
        receipt.lines_per_second
    }

    fn address(&self, collection: &str) -> String {
        let (base, options) = self.uri.split_once('?').unwrap_or((&self.uri, ""));
        format!("{}/logator_bench.{collection}?{options}", base.trim_end_matches('/'))
    }

    fn store(&self, batch: u64, clients: usize) -> f64 {
        self.fresh_collection();
        let sink = sink::open(&self.address("documents")).expect("the sink opens");
        let ready: Vec<Documents> = self
            .batches(batch)
            .map(|lines| {
                let mut documents = Documents::new(Encoding::Bson);
                for line in lines {
                    documents.push(line as u32, id(line), |bytes| {
                        bytes.extend_from_slice(document(line).as_bytes());
                        true
                    });
                }
                documents
            })
            .collect();
        self.time(ready.len(), clients, |number| {
            let mut outcomes = Vec::new();
            sink.store(&ready[number], &mut outcomes).expect("stored");
            assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Stored));
        })
    }
}

/// The server, and its process if the benchmark started it.
struct Server {
    uri: String,
    own: Option<(Child, tempfile::TempDir)>,
}

impl Server {
    fn find() -> Self {
        if let Ok(uri) = std::env::var("LOGATOR_TEST_MONGODB") {
            return Server { uri, own: None };
        }
        let Some(mongod) = std::env::var_os("LOGATOR_TEST_MONGOD") else {
            // `cargo test --all-targets` runs every benchmark once and gets here too.
            println!("left out: set LOGATOR_TEST_MONGODB or LOGATOR_TEST_MONGOD");
            std::process::exit(0);
        };
        let directory = tempfile::tempdir().expect("a directory");
        let port =
            std::net::TcpListener::bind(("127.0.0.1", 0)).and_then(|free| free.local_addr()).expect("a port").port();
        let child = Command::new(mongod)
            .args(["--bind_ip", "127.0.0.1", "--nounixsocket", "--wiredTigerCacheSizeGB", "0.5", "--port"])
            .arg(port.to_string())
            .arg("--dbpath")
            .arg(directory.path())
            .arg("--logpath")
            .arg(directory.path().join("log"))
            .stdout(Stdio::null())
            .spawn()
            .expect("mongod starts");
        Server { uri: format!("mongodb://127.0.0.1:{port}/"), own: Some((child, directory)) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some((child, _)) = &mut self.own {
            // An error means that the process has ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
