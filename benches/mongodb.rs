//! The MongoDB sink beside a bare loop: the same driver, documents, write concern and batch size.
//!
//! `LOGATOR_TEST_MONGODB=mongodb://HOST:PORT cargo bench --bench mongodb`, or with `LOGATOR_TEST_MONGOD=PATH` to start a
//! `mongod` for it. Options after `--`: number of documents (default 200000), then batch sizes. For each batch size and
//! number of clients it prints documents a second of `insert_many` on `RawDocumentBuf`, unordered, and of our `store`,
//! each the median of three runs that take turns, and their ratio.

use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use logator::document::{DocumentId, Documents};
use logator::sink::{Encoding, Outcome, mongodb as sink};
use mongodb::bson::{DateTime, Document, RawDocumentBuf, doc, rawdoc};
use mongodb::options::{Acknowledgment, WriteConcern};
use mongodb::{Client, Collection};

const ROUNDS: usize = 3;

fn main() {
    // `cargo bench` passes --bench; `cargo test` runs this without it, to see that it works.
    let real = std::env::args().any(|argument| argument == "--bench");
    let rounds = if real { ROUNDS } else { 1 };
    let numbers: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let documents = numbers.first().copied().unwrap_or(if real { 200_000 } else { 2_000 });
    let batches = if numbers.len() > 1 { numbers[1..].to_vec() } else { vec![500, 1000, 2000, 5000] };
    let batches = if real { batches } else { vec![500] };
    let server = Server::find();
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

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn id(line: u64) -> DocumentId {
    DocumentId::from_hash(0x0123_4567_89ab_cdef, line * 237, line.wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// A line of an access log as the worker encodes it.
fn document(line: u64) -> RawDocumentBuf {
    rawdoc! {
        "_id": id(line).as_str(),
        "@timestamp": DateTime::from_millis(1_431_857_103_000 + line as i64),
        "clientip": "83.149.9.216",
        "ident": "-",
        "auth": "-",
        "verb": "GET",
        "request": "/presentations/logstash-monitorama-2013/images/kibana-search.png",
        "httpversion": "1.1",
        "response": 200_i64,
        "bytes": 203_023_i64 + line as i64,
        "referrer": "http://semicomplete.com/presentations/logstash/",
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
        // There may be none yet.
        let _ = self.try_run(doc! { "drop": "documents" });
        self.try_run(doc! { "create": "documents" }).expect("an empty collection");
    }

    /// Runs `work(first line, lines)` for every batch on as many threads as `clients`; documents a second.
    fn time(&self, batch: u64, clients: usize, work: impl Fn(usize) + Sync) -> f64 {
        let start = Instant::now();
        let next = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..clients {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number * batch >= self.documents {
                            break;
                        }
                        work(number as usize);
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
        self.fresh_collection();
        let concern = WriteConcern::builder().w(Acknowledgment::Majority).build();
        let collection: Collection<RawDocumentBuf> = self.client.database("logator_bench").collection("documents");
        let ready: Vec<Vec<RawDocumentBuf>> = self.batches(batch).map(|lines| lines.map(document).collect()).collect();
        self.time(batch, clients, |number| {
            let insert = collection.insert_many(&ready[number]).ordered(false).write_concern(concern.clone());
            self.runtime.block_on(insert.into_future()).expect("inserted");
        })
    }

    fn store(&self, batch: u64, clients: usize) -> f64 {
        self.fresh_collection();
        let (base, options) = self.uri.split_once('?').unwrap_or((&self.uri, ""));
        let address = format!("{}/logator_bench.documents?{options}", base.trim_end_matches('/'));
        let sink = sink::open(&address).expect("the sink opens");
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
        self.time(batch, clients, |number| {
            let mut outcomes = Vec::new();
            sink.store(&ready[number], &mut outcomes).expect("stored");
            assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Stored));
        })
    }
}

/// The server, and the process if it is ours.
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
            // Also reached by `cargo test --all-targets`, which runs every bench once.
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
            // It is gone already, or it ends now: nothing more can be done about it.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
