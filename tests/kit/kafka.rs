//! A real Apache Kafka for the tests, and a client that makes topics and looks into them. What programs write and read is
//! judged by [`kcat`](super::kcat), which is independent of the client library of this project.

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::Command;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::Thread;
use std::time::Duration;

use rdkafka::admin::{
    AdminClient, AdminOptions, AlterConfig, NewPartitions, NewTopic, ResourceSpecifier, TopicReplication,
};
use rdkafka::client::DefaultClientContext;
use rdkafka::config::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer as _};
use rdkafka::error::KafkaResult;
use rdkafka::{Offset, TopicPartitionList};

use super::kcat::Kcat;
use super::needs::given;
use super::process::Process;
use super::{free_port, temp_dir, wait_for};

/// The variable with the folder of a Kafka, as `tests/setup/kafka.sh` makes it.
pub const FOLDER: &str = "LOGATOR_TEST_KAFKA_HOME";
/// The variable with the address of a broker of the user.
const SERVER: &str = "LOGATOR_TEST_KAFKA";

/// The longest time that a broker may take to start. It is long, because Java starts slowly on a busy machine.
const START: Duration = Duration::from_secs(180);
/// The longest time that a broker may take to answer the kit's client.
const ANSWER: Duration = Duration::from_secs(60);

/// A client that makes topics and looks at them.
pub struct Api {
    host: String,
    admin: AdminClient<DefaultClientContext>,
}

impl Api {
    fn new(host: &str) -> Self {
        let mut config = ClientConfig::new();
        // A topic that was asked for before it was made would else be missing for half a minute.
        config.set("bootstrap.servers", host).set("topic.metadata.propagation.max.ms", "0");
        Api { host: host.to_owned(), admin: config.create().expect("a client") }
    }

    /// Makes a topic with this number of partitions and these settings (`max.message.bytes=1000`).
    pub fn create(&self, topic: &str, partitions: usize, settings: &[&str]) {
        let mut new = NewTopic::new(topic, partitions as i32, TopicReplication::Fixed(1));
        for setting in settings {
            let (name, value) = setting.split_once('=').expect("NAME=VALUE");
            new = new.set(name, value);
        }
        let made = wait(self.admin.create_topics([&new], &options())).expect("the broker answers");
        made.into_iter().for_each(|made| drop(made.unwrap_or_else(|(topic, error)| panic!("{topic}: {error}"))));
        // The broker answers before each partition has a leader.
        wait_for("the leaders of a new topic", ANSWER, || {
            let metadata = self.admin.inner().fetch_metadata(Some(topic), Duration::from_secs(5)).ok()?;
            let found = metadata.topics().iter().find(|found| found.name() == topic)?;
            let leaders = found.partitions().iter().filter(|partition| partition.leader() >= 0).count();
            (leaders == partitions).then_some(())
        });
    }

    /// Removes topics. A failure is ignored: it is done at the end of a test, which has its result already.
    pub fn remove(&self, topics: &[&str]) {
        let _ = wait(self.admin.delete_topics(topics, &options()));
    }

    /// Gives a topic more partitions.
    pub fn grow(&self, topic: &str, partitions: usize) {
        let grown = wait(self.admin.create_partitions([&NewPartitions::new(topic, partitions)], &options()));
        grown.expect("the broker answers").into_iter().for_each(|grown| drop(grown.expect("it has more partitions")));
    }

    /// Changes a setting of a topic. The others get their defaults.
    pub fn alter(&self, topic: &str, name: &str, value: &str) {
        let change = AlterConfig::new(ResourceSpecifier::Topic(topic)).set(name, value);
        let altered = wait(self.admin.alter_configs([&change], &options()));
        altered.expect("the broker answers").into_iter().for_each(|done| drop(done.expect("it is altered")));
    }

    /// Returns the names of all topics, those of the broker itself left out.
    pub fn topics(&self) -> Vec<String> {
        let metadata = self.admin.inner().fetch_metadata(None, ANSWER).expect("the broker answers");
        let names = metadata.topics().iter().map(|topic| topic.name().to_owned());
        names.filter(|name| !name.starts_with("__")).collect()
    }

    fn ends_of(&self, topic: &str, partition: i32) -> KafkaResult<(i64, i64)> {
        self.admin.inner().fetch_watermarks(topic, partition, Duration::from_secs(5))
    }

    /// Returns the first offset and the next offset of a partition. The numbers between them may have gaps.
    pub fn offsets(&self, topic: &str, partition: i32) -> (i64, i64) {
        wait_for("the offsets of a partition", ANSWER, || self.ends_of(topic, partition).ok())
    }

    /// Returns the offset after the last record of each partition.
    pub fn ends(&self, topic: &str, partitions: usize) -> Vec<i64> {
        (0..partitions).map(|partition| self.offsets(topic, partition as i32).1).collect()
    }

    /// Returns the offsets that a group has committed, for each partition; `None` where it has committed nothing.
    pub fn committed(&self, group: &str, topic: &str, partitions: usize) -> Vec<Option<i64>> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", &self.host).set("group.id", group);
        let consumer: BaseConsumer = config.create().expect("a client");
        let mut asked = TopicPartitionList::new();
        for partition in 0..partitions {
            asked.add_partition(topic, partition as i32);
        }
        let answer = wait_for("the committed offsets of a group", ANSWER, || {
            consumer.committed_offsets(asked.clone(), Duration::from_secs(5)).ok()
        });
        let offset = |partition: usize| match answer.find_partition(topic, partition as i32)?.offset() {
            Offset::Offset(offset) => Some(offset),
            _ => None,
        };
        (0..partitions).map(offset).collect()
    }

    /// Returns the number of members that a group of the classic protocol has, once it is stable.
    pub fn members(&self, group: &str) -> Option<usize> {
        let list = self.admin.inner().fetch_group_list(Some(group), Duration::from_secs(5)).ok()?;
        list.groups()
            .iter()
            .find(|found| found.name() == group && found.state() == "Stable")
            .map(|found| found.members().len())
    }

    /// Waits until a group of the classic protocol is stable with this number of members.
    pub fn wait_for_members(&self, group: &str, members: usize) {
        wait_for(&format!("{members} members of the group {group}"), ANSWER, || {
            (self.members(group) == Some(members)).then_some(())
        });
    }
}

fn options() -> AdminOptions {
    AdminOptions::new().request_timeout(Some(ANSWER)).operation_timeout(Some(ANSWER))
}

/// Waits for an answer on this thread.
fn wait<T>(answer: impl Future<Output = T>) -> T {
    struct Unpark(Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut answer = pin!(answer);
    loop {
        match answer.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(answer) => return answer,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// A listener beside the one of plain text: TLS with a login.
#[derive(Clone)]
struct Secure {
    port: u16,
    /// The lines of the configuration that it needs.
    settings: String,
}

/// A broker of one test, which ends with the test.
pub struct Kafka {
    process: Process,
    directory: tempfile::TempDir,
    ports: [u16; 2],
    secure: Option<Secure>,
    api: Api,
}

impl Kafka {
    /// Starts a broker with these settings (`message.max.bytes=1000`), and waits until it can be written to.
    pub fn start(settings: &[&str]) -> Self {
        Kafka::launch(settings.join("\n"), None)
    }

    /// Starts a broker that also listens with TLS and logins. `certificates` is a folder that
    /// [`certificates::make`](super::certificates::make) has filled. The user is `ann`, for PLAIN and for SCRAM-SHA-256.
    pub fn start_secure(certificates: &Path, password: &str, settings: &[&str]) -> Self {
        let port = free_port();
        let read = |name: &str| std::fs::read_to_string(certificates.join(name)).expect("a certificate");
        let store = certificates.join("broker.pem");
        std::fs::write(&store, [read("server.key"), read("server.pem")].concat()).expect("a file");
        let module = "org.apache.kafka.common.security";
        let listener = format!(
            "sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-256\nssl.keystore.type=PEM\nssl.keystore.location={}\n\
             listener.name.sasl_ssl.plain.sasl.jaas.config={module}.plain.PlainLoginModule required user_ann=\"{password}\";\n\
             listener.name.sasl_ssl.scram-sha-256.sasl.jaas.config={module}.scram.ScramLoginModule required;\n{}",
            store.display(),
            settings.join("\n"),
        );
        let scram = format!("SCRAM-SHA-256=[name=ann,password={password}]");
        Kafka::launch(String::new(), Some((Secure { port, settings: listener }, scram)))
    }

    fn launch(settings: String, secure: Option<(Secure, String)>) -> Self {
        let (directory, ports) = (temp_dir(), [free_port(), free_port()]);
        let (secure, scram) = secure.unzip();
        configure(directory.path(), ports, secure.as_ref(), &settings);
        match scram {
            None => copy_storage(directory.path()),
            Some(scram) => format_storage(directory.path(), &scram),
        }
        let process = Process::start_logged(&command(directory.path()), &directory.path().join("log"));
        let api = Api::new(&format!("127.0.0.1:{}", ports[0]));
        let mut broker = Kafka { process, directory, ports, secure, api };
        broker.wait_until_ready();
        broker
    }

    /// Returns `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.ports[0])
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.ports[0]
    }

    /// Returns `127.0.0.1:PORT` of the listener with TLS.
    pub fn secure_host(&self) -> String {
        format!("127.0.0.1:{}", self.secure.as_ref().expect("a broker of start_secure").port)
    }

    /// Returns the address of a source or a sink. `rest` is TOPIC, with options if needed.
    pub fn address(&self, rest: &str) -> String {
        format!("kafka://{}/{rest}", self.host())
    }

    /// Returns the kit's client.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Returns the client that is independent of the project.
    pub fn kcat(&self) -> Kcat {
        Kcat::new(&self.host())
    }

    /// Returns the process.
    pub fn process(&mut self) -> &mut Process {
        &mut self.process
    }

    /// Kills the broker with `kill -9`.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts the broker again, on the same ports and the same files, without waiting until it is ready.
    pub fn start_again(&mut self) {
        self.process = Process::start_logged(&command(self.directory.path()), &self.directory.path().join("log"));
    }

    /// Waits until the broker answers what it has.
    pub fn wait_until_ready(&mut self) {
        let kcat = self.kcat();
        wait_until_ready(&mut self.process, &self.directory.path().join("log"), &kcat);
    }
}

/// Writes the configuration of a broker.
fn configure(directory: &Path, [port, controller]: [u16; 2], secure: Option<&Secure>, settings: &str) {
    let listener = |secure: &Secure| format!(",SASL_SSL://127.0.0.1:{}", secure.port);
    let (listener, more) = (secure.map(listener).unwrap_or_default(), secure.map_or("", |secure| &secure.settings));
    let data = directory.join("data");
    let properties = format!(
        "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}{listener}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}{listener}\ncontroller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL\n\
         log.dirs={}\nauto.create.topics.enable=false\noffsets.topic.replication.factor=1\n\
         offsets.topic.num.partitions=2\ntransaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
         transaction.state.log.num.partitions=2\ngroup.initial.rebalance.delay.ms=0\n\
         broker.heartbeat.interval.ms=500\nbroker.session.timeout.ms=2000\n{more}\n{settings}\n",
        data.display(),
    );
    std::fs::write(directory.join("properties"), properties).expect("a configuration");
}

/// Gives a broker an empty storage.
fn copy_storage(directory: &Path) {
    let data = directory.join("data");
    std::fs::create_dir(&data).expect("a folder");
    for file in std::fs::read_dir(folder().join("formatted")).expect("a folder `formatted`").flatten() {
        std::fs::copy(file.path(), data.join(file.file_name())).expect("a copy");
    }
}

/// Gives a broker an empty storage that knows a user.
fn format_storage(directory: &Path, scram: &str) {
    let mut command = java();
    command.arg("kafka.tools.StorageTool").args([
        "format",
        "--cluster-id",
        "bG9nYXRvci10ZXN0LWtmaw",
        "--add-scram",
        scram,
    ]);
    let output = command.arg("--config").arg(directory.join("properties")).output().expect("java");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn folder() -> PathBuf {
    given(FOLDER, "a Kafka of its own").into()
}

fn java() -> Command {
    let mut command = Command::new("java");
    command.args(["-Xmx384m", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC"]);
    command.arg("-cp").arg(format!("{}/jars/*", folder().display()));
    command
}

fn command(directory: &Path) -> Command {
    let mut command = java();
    command.arg("kafka.Kafka").arg(directory.join("properties"));
    command
}

/// Waits until a broker answers what it has. Its port is open some time before that.
fn wait_until_ready(process: &mut Process, log: &Path, kcat: &Kcat) {
    wait_for("Kafka to answer", START, || {
        process.expect_to_run("Kafka", log);
        kcat.answers().then_some(())
    });
}

/// The broker that tests of one process share. It ends with the process, and its folder is then removed.
struct Shared {
    port: u16,
    _process: Process,
}

static SHARED: LazyLock<Mutex<Option<Shared>>> = LazyLock::new(Mutex::default);

fn shared_port() -> u16 {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    let shared = shared.get_or_insert_with(|| {
        let (directory, ports) = (temp_dir().keep(), [free_port(), free_port()]);
        configure(&directory, ports, None, "");
        copy_storage(&directory);
        let log = directory.join("log");
        let mut process = Process::start_logged_and_remove(&command(&directory), &log, &directory);
        wait_until_ready(&mut process, &log, &Kcat::new(&format!("127.0.0.1:{}", ports[0])));
        Shared { port: ports[0], _process: process }
    });
    shared.port
}

/// A broker for a test that only writes and reads: the broker of `LOGATOR_TEST_KAFKA`, or one that the tests of this process
/// share. Each test has its own names.
pub struct AnyKafka {
    host: String,
    unique: String,
    made: Mutex<Vec<String>>,
    api: Api,
}

impl AnyKafka {
    /// Finds or starts the broker.
    pub fn get() -> Self {
        let host = match std::env::var(SERVER) {
            Ok(host) if !host.is_empty() => host,
            _ => format!("127.0.0.1:{}", shared_port()),
        };
        let unique = format!("logator-test-{}-{:08x}", std::process::id(), fastrand::u32(..));
        AnyKafka { api: Api::new(&host), host, unique, made: Mutex::default() }
    }

    /// Returns `NAME` after a part that no other test has, for a topic or a group.
    pub fn name(&self, name: &str) -> String {
        format!("{}-{name}", self.unique)
    }

    /// Makes a topic with this number of partitions and these settings (`max.message.bytes=1000`), and returns its full name.
    pub fn topic(&self, name: &str, partitions: usize, settings: &[&str]) -> String {
        let topic = self.name(name);
        self.api.create(&topic, partitions, settings);
        self.made.lock().unwrap_or_else(PoisonError::into_inner).push(topic.clone());
        topic
    }

    /// Returns `HOST:PORT`.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Returns the address of a source or a sink. `rest` is TOPIC, with options if needed.
    pub fn address(&self, rest: &str) -> String {
        format!("kafka://{}/{rest}", self.host)
    }

    /// Returns the kit's client.
    pub fn api(&self) -> &Api {
        &self.api
    }

    /// Returns the client that is independent of the project.
    pub fn kcat(&self) -> Kcat {
        Kcat::new(&self.host)
    }
}

impl Drop for AnyKafka {
    fn drop(&mut self) {
        let made = std::mem::take(&mut *self.made.lock().unwrap_or_else(PoisonError::into_inner));
        // The broker that tests share ends with them.
        if !made.is_empty() && std::env::var_os(SERVER).is_some() {
            self.api.remove(&made.iter().map(String::as_str).collect::<Vec<_>>());
        }
    }
}
