//! Compares the Kafka source with a bare loop of the same client: the same settings, the same messages, the same run.
//!
//! Run `LOGATOR_TEST_KAFKA=HOST:PORT cargo bench --features kafka --bench kafka_source`. Without the variable, the brokers are the
//! mock cluster of librdkafka in this process, which is good for a check only. The arguments after `--` are the number of messages
//! (default 1000000) and of partitions (default 6).
//!
//! The messages are lines of an access log. The bare loop asks a `BaseConsumer` for each of them and adds up their lengths. Ours is a whole
//! job: `logator run kafka://…&until=end -f combined --to ndjson:FILE`. Both begin without a member in their group. Each figure is the
//! median of five runs that take turns.

mod shared;

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::Message;
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseRecord, DefaultProducerContext, Producer, ThreadedProducer};
use shared::line;

// The programs use this allocator, so the bare loop uses it too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const ROUNDS: usize = 5;

/// The settings of the source.
const SETTINGS: [(&str, &str); 9] = [
    ("auto.offset.reset", "earliest"),
    ("isolation.level", "read_committed"),
    ("check.crcs", "true"),
    ("partition.assignment.strategy", "cooperative-sticky"),
    ("enable.auto.commit", "false"),
    ("enable.auto.offset.store", "false"),
    ("enable.partition.eof", "true"),
    ("queued.max.messages.kbytes", "16384"),
    ("fetch.queue.backoff.ms", "10"),
];

fn main() {
    // `cargo bench` passes --bench. `cargo test` runs the benchmark without it, as a check that it works.
    let real = std::env::args().any(|argument| argument == "--bench");
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let number = numbers.first().copied().unwrap_or(if real { 1_000_000 } else { 4_000 });
    let partitions = numbers.get(1).copied().unwrap_or(6);
    let rounds = if real { ROUNDS } else { 1 };
    let topic = format!("logator-bench-{}", std::process::id());
    let given = std::env::var("LOGATOR_TEST_KAFKA").ok();
    let mock: Option<MockCluster<'static, DefaultProducerContext>> =
        given.is_none().then(|| MockCluster::new(1).expect("a mock cluster"));
    let address = match (&given, &mock) {
        (Some(address), _) => address.clone(),
        (None, Some(mock)) => {
            mock.create_topic(&topic, partitions as i32, 1).expect("a topic");
            mock.bootstrap_servers()
        }
        (None, None) => unreachable!("one of the two is there"),
    };
    if given.is_some() {
        create(&address, &topic, partitions);
    }
    let bytes = fill(&address, &topic, number, partitions);
    println!("{number} messages of {} bytes in {partitions} partitions, median of {rounds}", bytes / number);
    let folder = tempfile::tempdir().expect("a folder");
    let (mut theirs, mut ours) = (Vec::new(), Vec::new());
    for round in 0..rounds {
        theirs.push(bare(&address, &topic, number, bytes, &format!("{topic}-bare-{round}")));
        ours.push(job(&address, &topic, number, folder.path(), &format!("{topic}-ours-{round}")));
    }
    let per_second = |times: &mut Vec<Duration>| {
        times.sort();
        number as f64 / times[times.len() / 2].as_secs_f64()
    };
    let (theirs, ours) = (per_second(&mut theirs), per_second(&mut ours));
    println!("bare loop/s      job/s  ratio\n{theirs:>11.0}  {ours:>9.0}  {:>5.2}", ours / theirs);
}

/// Creates the topic.
fn create(address: &str, topic: &str, partitions: usize) {
    use rdkafka::admin::{AdminClient, AdminOptions, NewTopic, TopicReplication};
    let admin: AdminClient<rdkafka::client::DefaultClientContext> =
        ClientConfig::new().set("bootstrap.servers", address).create().expect("a client");
    let new = NewTopic::new(topic, partitions as i32, TopicReplication::Fixed(1));
    let options = AdminOptions::new().operation_timeout(Some(Duration::from_secs(10)));
    drop(wait_for(admin.create_topics([&new], &options)).expect("an answer"));
    let begun = Instant::now();
    let has_leader = |partition| admin.inner().fetch_watermarks(topic, partition, Duration::from_secs(5)).is_ok();
    while !(0..partitions as i32).all(has_leader) {
        assert!(begun.elapsed() < Duration::from_secs(60), "the partitions have leaders");
    }
}

fn wait_for<T>(answer: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: std::sync::Arc<Self>) {
            self.0.unpark();
        }
    }
    let mut answer = std::pin::pin!(answer);
    let waker = std::task::Waker::from(std::sync::Arc::new(Unpark(std::thread::current())));
    loop {
        match answer.as_mut().poll(&mut std::task::Context::from_waker(&waker)) {
            std::task::Poll::Ready(answer) => return answer,
            std::task::Poll::Pending => std::thread::park(),
        }
    }
}

/// Writes the messages, and returns the number of their bytes.
fn fill(address: &str, topic: &str, number: usize, partitions: usize) -> usize {
    let producer: ThreadedProducer<DefaultProducerContext> = ClientConfig::new()
        .set("bootstrap.servers", address)
        .set("compression.codec", "zstd")
        .set("linger.ms", "50")
        .set("batch.size", "1000000")
        .create()
        .expect("a client");
    let mut bytes = 0;
    for index in 0..number {
        let line = line(index);
        bytes += line.len();
        let mut record: BaseRecord<'_, (), str> =
            BaseRecord::to(topic).partition((index % partitions) as i32).payload(line.as_str());
        while let Err((error, again)) = producer.send(record) {
            assert_eq!(error, KafkaError::MessageProduction(RDKafkaErrorCode::QueueFull));
            record = again;
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    producer.flush(Duration::from_secs(600)).expect("all are confirmed");
    bytes
}

/// Reads all messages in one loop.
fn bare(address: &str, topic: &str, number: usize, bytes: usize, group: &str) -> Duration {
    let started = Instant::now();
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", address).set("group.id", group);
    config.extend(SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned())));
    let consumer: BaseConsumer = config.create().expect("a client");
    consumer.subscribe(&[topic]).expect("a subscription");
    let (mut messages, mut read) = (0, 0);
    while messages < number {
        match consumer.poll(Duration::from_millis(100)) {
            Some(Ok(message)) => {
                messages += 1;
                read += message.payload().map_or(0, <[u8]>::len);
            }
            Some(Err(KafkaError::PartitionEOF(_))) | None => {}
            Some(Err(error)) => panic!("{error}"),
        }
    }
    assert_eq!(read, bytes);
    started.elapsed()
}

/// Runs the whole job.
fn job(address: &str, topic: &str, number: usize, folder: &Path, group: &str) -> Duration {
    let program = std::env::var_os("LOGATOR_BENCH_BIN").unwrap_or_else(|| env!("CARGO_BIN_EXE_logator").into());
    let input = format!("kafka://{address}/{topic}?group={group}&until=end");
    let mut command = Command::new(program);
    command.args(["run", &input, "-f", "combined", "--to", "ndjson:out", "--receipt", "receipt"]).current_dir(folder);
    let _ = std::fs::remove_file(folder.join("out"));
    let started = Instant::now();
    let ran = command.stdin(Stdio::null()).output().expect("logator runs");
    let time = started.elapsed();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let receipt = std::fs::read_to_string(folder.join("receipt")).expect("a receipt");
    assert!(receipt.replace(' ', "").contains(&format!("\"stored\":{number}")), "{receipt}");
    time
}
