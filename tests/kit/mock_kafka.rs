//! The mock cluster of librdkafka: brokers in this process that speak the protocol. It loses everything at its end, so it
//! proves nothing about durability.

use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

/// A cluster of one broker.
pub struct MockKafka(MockCluster<'static, DefaultProducerContext>);

/// A message of a topic.
pub struct Message {
    pub partition: i32,
    pub key: Option<Vec<u8>>,
    pub value: Vec<u8>,
    headers: Vec<(String, String)>,
}

impl Message {
    /// Returns the value of a header.
    pub fn header(&self, name: &str) -> &str {
        let found = self.headers.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str()).unwrap_or_else(|| panic!("there is no header {name}"))
    }
}

impl MockKafka {
    pub fn new() -> MockKafka {
        MockKafka(MockCluster::new(1).unwrap())
    }

    pub fn create_topic(&self, name: &str, partitions: i32) {
        self.0.create_topic(name, partitions, 1).unwrap();
    }

    /// Returns the address of a topic.
    pub fn address(&self, topic: &str) -> String {
        format!("kafka://{}/{topic}", self.0.bootstrap_servers())
    }

    pub fn brokers_down(&self) {
        self.0.broker_down(-1).unwrap();
    }

    pub fn brokers_up(&self) {
        self.0.broker_up(-1).unwrap();
    }

    /// Answers each request after `time`.
    pub fn answer_after(&self, time: Duration) {
        self.0.broker_round_trip_time(-1, time).unwrap();
    }

    /// Returns all messages of a topic, partition after partition.
    pub fn messages(&self, topic: &str) -> Vec<Message> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.0.bootstrap_servers()).set("group.id", "reader").set("check.crcs", "true");
        let consumer: BaseConsumer = config.create().unwrap();
        let wait = Duration::from_secs(20);
        let metadata = consumer.fetch_metadata(Some(topic), wait).unwrap();
        let mut messages = Vec::new();
        for partition in metadata.topics()[0].partitions().iter().map(|partition| partition.id()) {
            let (first, end) = consumer.fetch_watermarks(topic, partition, wait).unwrap();
            let mut list = TopicPartitionList::new();
            list.add_partition_offset(topic, partition, Offset::Offset(first)).unwrap();
            consumer.assign(&list).unwrap();
            for _ in first..end {
                // A call may end without a message, because the client had another event.
                let message = std::iter::repeat_with(|| consumer.poll(wait)).flatten().next().unwrap().unwrap();
                let headers = message.headers().map(|headers| {
                    let text = |value: Option<&[u8]>| String::from_utf8(value.unwrap().to_vec()).unwrap();
                    headers.iter().map(|header| (header.key.to_owned(), text(header.value))).collect()
                });
                messages.push(Message {
                    partition,
                    key: message.key().map(<[u8]>::to_vec),
                    value: message.payload().unwrap_or_default().to_vec(),
                    headers: headers.unwrap_or_default(),
                });
            }
        }
        messages
    }
}
