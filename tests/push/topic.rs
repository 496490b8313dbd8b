//! `logator-push --connect kafka://…`: lines become messages of a topic, with the ids of their documents. The brokers are the
//! mock cluster of librdkafka, which speaks the protocol of Kafka.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::time::Instant;

use nix::sys::signal::Signal;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{Offset, TopicPartitionList};

use super::flow::numbered;
use crate::kit::workspace::{Running, Workspace, account};
use crate::kit::{PATIENCE, wait_for};

/// The number of partitions of the topic.
const PARTITIONS: i32 = 4;

/// Brokers with the topic `lines`.
struct Cluster(MockCluster<'static, DefaultProducerContext>);

/// A message as a reader gets it.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Message {
    partition: i32,
    value: String,
    key: Option<String>,
    id: String,
    origin: String,
}

impl Cluster {
    fn start() -> Cluster {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("lines", PARTITIONS, 1).unwrap();
        Cluster(cluster)
    }

    fn address(&self) -> String {
        format!("kafka://{}/lines", self.0.bootstrap_servers())
    }

    /// Reads the topic from its beginning, until it has `count` messages and no more come.
    fn messages(&self, count: usize) -> Vec<Message> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.0.bootstrap_servers()).set("group.id", "test");
        config.set("enable.partition.eof", "true").set("enable.auto.commit", "false");
        let reader: BaseConsumer = config.create().unwrap();
        let mut all = TopicPartitionList::new();
        for partition in 0..PARTITIONS {
            all.add_partition_offset("lines", partition, Offset::Beginning).unwrap();
        }
        reader.assign(&all).unwrap();
        let (mut messages, mut ended) = (Vec::new(), HashMap::new());
        let started = Instant::now();
        while messages.len() < count || ended.len() < PARTITIONS as usize {
            assert!(started.elapsed() < PATIENCE, "{} of {count} messages", messages.len());
            match reader.poll(PATIENCE) {
                Some(Ok(message)) => {
                    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                    let header = |name: &str| {
                        let headers = message.headers().expect("headers");
                        headers.iter().find(|header| header.key == name).and_then(|header| header.value).map(text)
                    };
                    messages.push(Message {
                        partition: message.partition(),
                        value: message.payload().map(text).unwrap_or_default(),
                        key: message.key().map(text),
                        id: header("logator-id").expect("an id"),
                        origin: header("logator-origin").expect("an origin"),
                    });
                }
                Some(Err(rdkafka::error::KafkaError::PartitionEOF(partition))) => drop(ended.insert(partition, ())),
                Some(Err(error)) => panic!("{error}"),
                None => {}
            }
        }
        messages
    }
}

fn push(place: &Workspace, cluster: &Cluster, arguments: &[&str]) -> Running {
    let address = cluster.address();
    place.start("logator-push", &[&["lines", "--connect", &address, "--receipt", "receipt"], arguments].concat())
}

/// Returns the ids of the documents that `logator run` makes of `inputs`, by message.
fn ids(place: &Workspace, inputs: &[&str]) -> BTreeMap<String, String> {
    let (ran, _) = place.logator(&[inputs, &["-p", "^%{GREEDYDATA:text}$", "--to", "ndjson:ids"]].concat(), b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    place.objects("ids").iter().map(|document| (text(&document["_id"]), text(&document["text"]))).collect()
}

#[test]
fn the_lines_of_files_have_the_ids_of_their_documents_and_keep_their_order() {
    let (place, cluster) = (Workspace::new(), Cluster::start());
    place.write("a.log", numbered(0..20_000));
    let mut gzip = flate2::write::GzEncoder::new(
        std::fs::File::create(place.path("b.log.gz")).unwrap(),
        flate2::Compression::fast(),
    );
    gzip.write_all(&numbered(50_000..53_000)).unwrap();
    gzip.finish().unwrap();
    let pushed = push(&place, &cluster, &["a.log", "b.log.gz"]).end();
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    assert_eq!(account(&place.receipt("receipt")), [23_000, 23_000, 0, 0, 0, 0]);
    let messages = cluster.messages(23_000);
    assert_eq!(messages.len(), 23_000);
    let documents = ids(&place, &["a.log", "b.log.gz"]);
    let found: BTreeMap<String, String> =
        messages.iter().map(|message| (message.id.clone(), message.value.clone())).collect();
    assert!(found == documents, "{} and {}", found.len(), documents.len());
    let mut origins: HashMap<&str, Vec<&Message>> = HashMap::new();
    messages.iter().for_each(|message| origins.entry(&message.origin).or_default().push(message));
    assert_eq!(origins.len(), 2);
    for (origin, messages) in origins {
        assert!(
            messages.iter().all(|message| message.key.as_deref() == Some(origin) && message.id.starts_with(origin))
        );
        assert!(messages.iter().all(|message| message.partition == messages[0].partition));
        assert!(messages.is_sorted_by_key(|message| message.id.clone()), "an origin is out of order");
    }
}

#[test]
fn a_second_run_with_state_sends_only_what_is_new() {
    let (place, cluster) = (Workspace::new(), Cluster::start());
    place.write("a.log", numbered(0..5000));
    for (more, read) in [("", 5000), ("", 0), ("one more\nand another\n", 2)] {
        let mut file = std::fs::OpenOptions::new().append(true).open(place.path("a.log")).unwrap();
        file.write_all(more.as_bytes()).unwrap();
        let pushed = push(&place, &cluster, &["a.log", "--state", "state"]).end();
        assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
        assert_eq!(place.receipt("receipt").read, read);
    }
    let messages = cluster.messages(5002);
    assert_eq!(messages.len(), 5002);
    assert_eq!(messages.last().unwrap().value, "and another");
}

#[test]
fn followed_files_and_syslog_are_pushed_until_a_signal() {
    let (place, cluster) = (Workspace::new(), Cluster::start());
    place.write("a.log", "old\n");
    let mut push = push(&place, &cluster, &["a.log", "syslog+udp://127.0.0.1:0", "--follow", "--state", "state"]);
    push.wait_ready();
    let addresses = push.addresses();
    let address = addresses.iter().find_map(|address| address.strip_prefix("syslog+udp://")).unwrap();
    let sender = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    sender.send_to(b"<13>from the network", address).unwrap();
    let mut file = std::fs::OpenOptions::new().append(true).open(place.path("a.log")).unwrap();
    file.write_all(b"new\n").unwrap();
    assert_eq!(cluster.messages(3).len(), 3);
    push.signal(Signal::SIGTERM);
    let pushed = push.end_with_input_open();
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    let mut values: Vec<String> = cluster.messages(3).into_iter().map(|message| message.value).collect();
    values.sort_unstable();
    assert_eq!(values, ["<13>from the network", "new", "old"]);
}

#[test]
fn the_log_of_a_container_is_pushed_as_it_is_with_the_ids_of_its_documents() {
    let (place, cluster) = (Workspace::new(), Cluster::start());
    let line = |second: usize, text: &str| {
        format!("{{\"log\":\"{text}\",\"stream\":\"stdout\",\"time\":\"2025-10-10T10:00:{second:02}.5Z\"}}\n")
    };
    let long = "x".repeat(16_384);
    place.write("a.log", [line(1, "one\\n"), line(2, &long), line(2, "end\\n"), line(3, "three\\n")].concat());
    let pushed = push(&place, &cluster, &["a.log"]).end();
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    let receipt = place.receipt("receipt");
    assert_eq!((receipt.tally.stored, receipt.tally.joined), (3, 1), "{receipt:?}");
    let messages = cluster.messages(3);
    let documents = ids(&place, &["a.log"]);
    assert_eq!(messages.iter().map(|message| &message.id).collect::<Vec<_>>(), documents.keys().collect::<Vec<_>>());
    assert_eq!(messages[0].value, line(1, "one\\n").trim_end());
    assert!(messages[1].value.contains("end"), "{}", &messages[1].value[16_000..]);
}

/// Returns how many answers a sender has got, and checks that each of them is `OK`.
fn answers(push: &Running) -> usize {
    let answers = push.stdout();
    assert!(answers.lines().all(|answer| answer == "OK"), "{answers}");
    answers.lines().count()
}

fn wait_for_answers(push: &Running, count: usize) {
    wait_for(&format!("{count} answers"), PATIENCE, || (answers(push) >= count).then_some(()));
}

#[test]
fn a_line_is_confirmed_as_delivered_when_the_topic_has_it_and_not_before() {
    let (place, cluster) = (Workspace::new(), Cluster::start());
    let mut push = push(&place, &cluster, &["--confirm=delivered", "--max-line", "100"]);
    wait_for_answers(&push, 1);
    for number in 0..50 {
        push.feed(format!("line {number}\n").as_bytes());
        wait_for_answers(&push, number + 2);
    }
    assert_eq!(cluster.messages(50).len(), 50);
    // A line that is too long would be too long every time.
    push.feed(&[&[b'x'; 200][..], b"\n"].concat());
    wait_for_answers(&push, 52);
    cluster.0.broker_down(1).unwrap();
    push.feed(b"while the broker is away\n");
    push.says("brokers are down");
    assert_eq!(answers(&push), 52);
    cluster.0.broker_up(1).unwrap();
    wait_for_answers(&push, 53);
    let messages = cluster.messages(51);
    assert_eq!(messages.len(), 51);
    let pushed = push.end();
    assert_eq!((pushed.code, pushed.stdout.lines().count()), (Some(1), 53), "{}", pushed.stderr);
    assert_eq!(account(&place.receipt("receipt")), [52, 51, 0, 0, 1, 0]);
}

#[test]
fn a_line_that_is_not_delivered_in_time_is_answered_so_and_ends_the_program() {
    let (place, cluster) = (Workspace::new(), Cluster::start());
    let mut push = push(&place, &cluster, &["--confirm=delivered", "--sink-deadline", "1"]);
    wait_for_answers(&push, 1);
    cluster.0.broker_down(1).unwrap();
    push.feed(b"lost?\n");
    wait_for("the end", PATIENCE, || push.has_ended().then_some(()));
    let pushed = push.end_with_input_open();
    assert_eq!(pushed.code, Some(3), "{}", pushed.stderr);
    let last = pushed.stdout.lines().last().unwrap();
    assert!(last.starts_with("Kafka did not take the line in time"), "{}", pushed.stdout);
}

#[test]
fn a_line_is_confirmed_when_it_is_queued_though_the_broker_is_away() {
    let (place, cluster) = (Workspace::new(), Cluster::start());
    let mut push = push(&place, &cluster, &["--confirm"]);
    wait_for_answers(&push, 1);
    cluster.0.broker_down(1).unwrap();
    for number in 1..=20 {
        push.feed(format!("line {number}\n").as_bytes());
        wait_for_answers(&push, number + 1);
    }
    cluster.0.broker_up(1).unwrap();
    let pushed = push.end();
    assert_eq!((pushed.code, pushed.stdout.lines().count()), (Some(0), 21), "{}", pushed.stderr);
    let values: Vec<String> = cluster.messages(20).into_iter().map(|message| message.value).collect();
    assert_eq!(values, (1..=20).map(|number| format!("line {number}")).collect::<Vec<_>>());
}

#[test]
fn a_file_that_a_signal_cuts_off_is_resumed_and_each_line_is_in_the_topic() {
    let (place, cluster) = (Workspace::new(), Cluster::start());
    place.write("a.log", numbered(0..100_000));
    let arguments = ["a.log", "--state", "state", "--batch-lines", "500"];
    let mut first = push(&place, &cluster, &arguments);
    first.wait_ready();
    first.signal(Signal::SIGTERM);
    let first = first.end_with_input_open();
    assert_eq!(first.code, Some(3), "{}", first.stderr);
    let before = place.receipt("receipt").read;
    let second = push(&place, &cluster, &arguments).end();
    assert_eq!(second.code, Some(0), "{}", second.stderr);
    assert_eq!(before + place.receipt("receipt").read, 100_000);
    // The cluster of the test keeps 5 MiB of a partition.
    let messages = cluster.messages(100_000);
    assert_eq!(messages.len(), 100_000);
    assert!(messages.is_sorted_by_key(|message| message.id.clone()));
}

#[test]
fn a_reader_that_is_slower_than_its_input_stays_within_the_memory() {
    let (place, cluster) = (Workspace::new(), Cluster::start());
    cluster.0.broker_round_trip_time(1, std::time::Duration::from_millis(100)).unwrap();
    let mut push = push(&place, &cluster, &["--max-memory", "1MiB"]);
    push.wait_ready();
    let input = numbered(0..200_000);
    push.feed(&input);
    let most = push.most_memory().unwrap();
    let pushed = push.end();
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    assert!(most < 60_000, "{most} kB");
    assert_eq!(cluster.messages(200_000).len(), 200_000);
}

#[test]
fn a_missing_topic_is_told_and_no_password_is_shown() {
    let (place, cluster) = (Workspace::new(), Cluster::start());
    let servers = cluster.0.bootstrap_servers();
    let ran = place.run("logator-push", &["--connect", &format!("kafka://{servers}/elsewhere")], b"x\n");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("elsewhere"), "{}", ran.stderr);
    for address in ["kafka://joe:hush@127.0.0.1:1/t?nope=hush", "kafka://joe:hush@127.0.0.1:1"] {
        let ran = place.run("logator-push", &["--connect", address], b"x\n");
        assert_eq!(ran.code, Some(2), "{}", ran.stderr);
        assert!(!ran.stderr.contains("hush"), "{}", ran.stderr);
    }
}

#[test]
#[ignore = "needs rsyslog: run ./test"]
fn rsyslog_waits_for_each_message_until_kafka_has_it() {
    const MESSAGES: usize = 300;
    let (place, cluster) = (Workspace::new(), Cluster::start());
    let port = crate::kit::free_port();
    let recipe = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/rsyslog-rfc5424.conf");
    let recipe = std::fs::read_to_string(recipe).unwrap();
    let recipe = recipe.replace("/usr/bin/logator-push", &crate::kit::program("logator-push").display().to_string());
    let recipe = recipe.replace("tcp://127.0.0.1:5514", &cluster.address());
    let conf = format!(
        "global(workDirectory=\"{}\" processInternalMessages=\"off\")\nmodule(load=\"imptcp\")\n\
         input(type=\"imptcp\" port=\"{port}\" address=\"127.0.0.1\")\n{recipe}",
        place.path(".").display(),
    );
    let conf = place.write("rsyslog.conf", conf);
    let mut daemon = crate::kit::process::Process::start(&crate::kit::shippers::rsyslog(&place, &conf));
    let mut sender =
        wait_for("rsyslogd to listen", PATIENCE, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
    for number in 0..MESSAGES {
        writeln!(sender, "<165>1 2024-02-03T04:05:06Z web1 shop - - - message {number}").unwrap();
        if number == MESSAGES / 2 {
            // Messages that are on their way wait, and arrive later.
            cluster.0.broker_down(1).unwrap();
        }
    }
    cluster.0.broker_up(1).unwrap();
    let messages = cluster.messages(MESSAGES);
    let numbers: Vec<usize> =
        messages.iter().map(|message| message.value.rsplit_once(' ').unwrap().1.parse().unwrap()).collect();
    assert_eq!(numbers, (0..MESSAGES).collect::<Vec<_>>());
    drop(sender);
    daemon.signal(Signal::SIGTERM);
    wait_for("the end of rsyslogd", PATIENCE, || daemon.ended());
}
