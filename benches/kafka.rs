//! Compares the Kafka sink with a bare loop of the same client: the same settings, the same messages, the same run.
//!
//! Run `LOGATOR_TEST_KAFKA=HOST:PORT cargo bench --features kafka --bench kafka`. Without the variable, the brokers are the mock
//! cluster of librdkafka in this process, which is good for a check only. The arguments after `--` are the number of documents
//! (default 500000) and the numbers of storing threads (default 2, 8 and 32).
//!
//! The bare loop gives all messages to a `ThreadedProducer` and waits until all of them are confirmed. Ours calls `store` from
//! several threads, with 2,000 documents a call. Each figure is the median of five runs that take turns. Then a whole job follows,
//! `logator run FILE -f combined --to kafka://…`, which parses the lines of these documents too.

mod shared;

use std::future::Future;
use std::io::Write as _;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use logator::core::context::{Context, Origin};
use logator::core::record::RecordId;
use logator::core::wait::Waits;
use logator::document::Documents;
use logator::event::{Changes, Event, LayoutWriter};
use logator::sink::{AnySink, Opening, Outcome, Sink, SinkSpec};
use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use shared::line;

// The programs use this allocator, so the bare loop uses it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;

/// The documents of one call.
const BATCH: usize = 2_000;

/// The settings of the sink, without the bounds of memory.
const SETTINGS: [(&str, &str); 8] = [
    ("enable.idempotence", "true"),
    ("acks", "all"),
    ("message.timeout.ms", "0"),
    ("compression.codec", "zstd"),
    ("partitioner", "murmur2_random"),
    ("linger.ms", "10"),
    ("batch.size", "1000000"),
    ("batch.num.messages", "10000"),
];

/// The brokers.
struct Brokers {
    address: String,
    topic: String,
    _mock: Option<MockCluster<'static, DefaultProducerContext>>,
}

impl Brokers {
    fn find() -> Brokers {
        let topic = format!("logator-bench-{}", std::process::id());
        match std::env::var("LOGATOR_TEST_KAFKA") {
            Ok(address) => {
                let address = address.trim_start_matches("kafka://").to_owned();
                create(&address, &topic);
                Brokers { address, topic, _mock: None }
            }
            Err(_) => {
                let mock = MockCluster::new(1).expect("a mock cluster");
                mock.create_topic(&topic, 6, 1).expect("a topic");
                Brokers { address: mock.bootstrap_servers(), topic, _mock: Some(mock) }
            }
        }
    }

    fn sink(&self) -> String {
        format!("kafka://{}/{}", self.address, self.topic)
    }
}

fn create(address: &str, topic: &str) {
    let admin: AdminClient<DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", address).create().expect("a client");
    let topic = NewTopic::new(topic, 6, TopicReplication::Fixed(1));
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
    let created = block_on(admin.create_topics([&topic], &options)).expect("an answer");
    created.into_iter().for_each(|created| drop(created.expect("the topic is created")));
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    let mut future = pin!(future);
    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut task = Task::from_waker(&waker);
    loop {
        match future.as_mut().poll(&mut task) {
            Poll::Ready(value) => return value,
            Poll::Pending => thread::park(),
        }
    }
}

fn main() {
    // `cargo bench` passes --bench. `cargo test` runs the benchmark without it, as a check that it works.
    let real = std::env::args().any(|argument| argument == "--bench");
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let number = numbers.first().copied().unwrap_or(if real { 500_000 } else { 4_000 });
    let rounds = if real { ROUNDS } else { 1 };
    let threads = if numbers.len() > 1 { numbers[1..].to_vec() } else { vec![2, 8, 32] };
    let brokers = Brokers::find();
    let waits = Waits::default();
    let spec = SinkSpec::parse(&brokers.sink()).expect("an address");
    let Ok(AnySink::Documents(sink)) = spec.open(&Opening::new(&waits)) else { panic!("the sink does not open") };
    let batches = batches(&*sink, number);
    let bytes: usize =
        batches.iter().map(|batch| batch.iter().map(|document| document.bytes.len()).sum::<usize>()).sum();
    println!("{number} documents of {} bytes, median of {rounds}", bytes / number);
    bare(&brokers, &batches);
    println!("threads  bare loop/s    store/s  ratio");
    for threads in threads {
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..rounds {
            theirs.push(bare(&brokers, &batches));
            ours.push(stored(&*sink, &batches, threads));
        }
        print_row(&threads.to_string(), number, theirs, ours);
    }
    let folder = tempfile::tempdir().expect("a folder");
    let lines: String = (0..number).map(|number| line(number) + "\n").collect();
    std::fs::File::create(folder.path().join("access.log"))
        .and_then(|mut file| file.write_all(lines.as_bytes()))
        .expect("it can be written");
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        theirs.push(bare(&brokers, &batches));
        ours.push(job(&brokers, folder.path()));
    }
    print_row("job", number, theirs, ours);
}

fn print_row(name: &str, number: usize, mut theirs: Vec<Duration>, mut ours: Vec<Duration>) {
    let per_second = |times: &mut Vec<Duration>| {
        times.sort();
        number as f64 / times[times.len() / 2].as_secs_f64()
    };
    let (theirs, ours) = (per_second(&mut theirs), per_second(&mut ours));
    println!("{name:>7}  {theirs:>11.0}  {ours:>9.0}  {:>5.2}", ours / theirs);
}

fn batches(sink: &dyn Sink, number: usize) -> Vec<Documents> {
    let mut writer = LayoutWriter::new(sink.layout()).expect("an encoder");
    let mut changes = Changes::default();
    let context = Context::new(Arc::new(Origin::new(1, "access.log"))).at(1);
    let indexes: Vec<usize> = (0..number).collect();
    let batch = |some: &[usize]| {
        let mut documents = Documents::new(sink.layout().encoding());
        for (at, &index) in some.iter().enumerate() {
            let line = line(index);
            let mut event = Event::undecoded(line.as_bytes(), true, None, &mut changes);
            let id = RecordId::at(1, index as u64 * 200, line.as_bytes());
            writer.push(&mut event, at as u32, id, &context, &mut documents);
        }
        documents
    };
    indexes.chunks(BATCH).map(batch).collect()
}

/// Gives all documents to a client in one loop, and waits until the brokers have confirmed them.
fn bare(brokers: &Brokers, batches: &[Documents]) -> Duration {
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", &brokers.address);
    config.extend(SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let producer: ThreadedProducer<DefaultProducerContext> = config.create().expect("a client");
    let started = Instant::now();
    for document in batches.iter().flat_map(Documents::iter) {
        let headers = OwnedHeaders::new_with_capacity(2)
            .insert(Header { key: "logator-id", value: Some(&document.id.digits().as_bytes()[..]) })
            .insert(Header { key: "logator-origin", value: Some("0000000000000001") });
        let mut record: BaseRecord<'_, [u8], [u8]> =
            BaseRecord::to(&brokers.topic).payload(document.bytes).headers(headers);
        while let Err((error, again)) = producer.send(record) {
            assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            record = again;
            thread::sleep(Duration::from_millis(1));
        }
    }
    producer.flush(Duration::from_secs(600)).expect("all are confirmed");
    started.elapsed()
}

/// Stores all documents from several threads.
fn stored(sink: &dyn Sink, batches: &[Documents], threads: usize) -> Duration {
    let next = AtomicUsize::new(0);
    let started = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                let mut outcomes = Vec::new();
                while let Some(batch) = batches.get(next.fetch_add(1, Ordering::Relaxed)) {
                    sink.store(batch, &mut outcomes).expect("it is stored");
                    assert!(outcomes.iter().all(|outcome| *outcome == Outcome::Stored));
                }
            });
        }
    });
    started.elapsed()
}

/// Runs the whole job.
fn job(brokers: &Brokers, folder: &std::path::Path) -> Duration {
    let program = std::env::var_os("LOGATOR_BENCH_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_logator").into());
    let mut command = Command::new(program);
    command.args(["run", "access.log", "-f", "combined", "--to", &brokers.sink()]).current_dir(folder);
    let started = Instant::now();
    let ran = command.stdin(Stdio::null()).output().expect("logator runs");
    let time = started.elapsed();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    time
}
