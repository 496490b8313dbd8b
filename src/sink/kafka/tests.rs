//! The sink against the mock cluster of librdkafka, which answers with the errors that a test gives it.

use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message as _};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey as Api, RDKafkaRespErr as Fault};
use rdkafka::{ClientConfig, Offset, TopicPartitionList};

use super::counters::{CLIENT_ERRORS, FULL, MESSAGES, POSSIBLY_STORED, SMALLER_BATCHES, STALLS};
use super::open_records;
use crate::avro::SinkEncoding;
use crate::core::context::{Context, Origin};
use crate::core::option_spec::OptionValues;
use crate::core::record::RecordId;
use crate::core::stop::Stop;
use crate::core::wait::{Deadline, Waits};
use crate::document::Documents;
use crate::event::{Changes, Event, LayoutWriter, TypedFields};
use crate::grok::Library;
use crate::sink::{AnySink, Opening, Outcome, Record, RecordSink, Sink, SinkSpec};

const MINUTE: Duration = Duration::from_secs(60);

struct Cluster(MockCluster<'static, DefaultProducerContext>);

impl Cluster {
    fn new() -> Cluster {
        let cluster = MockCluster::new(1).unwrap();
        cluster.create_topic("logs", 3, 1).unwrap();
        Cluster(cluster)
    }

    fn address(&self, more: &str) -> String {
        format!("kafka://{}/logs{more}", self.0.bootstrap_servers())
    }

    /// Answers the next requests to write with `faults`.
    fn refuse(&self, faults: &[Fault]) {
        self.0.request_errors(Api::Produce, faults);
    }

    /// Returns partition, key, value and id of all messages, with values that are texts.
    fn messages(&self) -> Vec<(i32, Option<String>, String, String)> {
        let text = |value: Vec<u8>| String::from_utf8(value).unwrap();
        self.values().into_iter().map(|(partition, key, value, id)| (partition, key, text(value), id)).collect()
    }

    /// Returns partition, key, value and id of all messages.
    fn values(&self) -> Vec<(i32, Option<String>, Vec<u8>, String)> {
        let mut config = ClientConfig::new();
        config.set("bootstrap.servers", self.0.bootstrap_servers()).set("group.id", "reader");
        let consumer: BaseConsumer = config.create().unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let mut messages = Vec::new();
        for partition in 0..3 {
            let (first, end) = consumer.fetch_watermarks("logs", partition, MINUTE).unwrap();
            let mut list = TopicPartitionList::new();
            list.add_partition_offset("logs", partition, Offset::Offset(first)).unwrap();
            consumer.assign(&list).unwrap();
            for _ in first..end {
                // A call may end without a message, because the client had another event.
                let message = std::iter::repeat_with(|| consumer.poll(MINUTE)).flatten().next().unwrap().unwrap();
                let id = message.headers().unwrap().get(0);
                assert_eq!(id.key, "logator-id");
                let id = text(id.value.unwrap());
                messages.push((partition, message.key().map(text), message.payload().unwrap().to_vec(), id));
            }
        }
        messages
    }

    /// Returns the number of different ids in the topic.
    fn ids(&self) -> usize {
        let ids: std::collections::HashSet<String> = self.messages().into_iter().map(|(.., id)| id).collect();
        ids.len()
    }
}

fn opened(address: &str, waits: &Waits) -> Arc<dyn Sink> {
    match SinkSpec::parse(address).unwrap().open(&Opening::new(waits)) {
        Ok(AnySink::Documents(sink)) => sink,
        Ok(AnySink::Records(_)) => panic!("{address} takes records"),
        Err(error) => panic!("{address}: {error}"),
    }
}

/// Returns documents with these texts.
fn documents(sink: &dyn Sink, texts: &[String]) -> Documents {
    let mut changes = Changes::default();
    let mut documents = Documents::new(sink.layout().encoding());
    let mut writer = LayoutWriter::new(sink.layout()).unwrap();
    let context = Context::new(Arc::new(Origin::new(7, "a.log"))).at(1);
    for (line, text) in texts.iter().enumerate() {
        let mut event = Event::undecoded(text.as_bytes(), true, None, &mut changes);
        let id = RecordId::at(7, line as u64, text.as_bytes());
        writer.push(&mut event, line as u32, id, &context, &mut documents);
    }
    documents
}

fn lines(number: usize) -> Vec<String> {
    (0..number).map(|number| format!("line {number}")).collect()
}

fn store(sink: &dyn Sink, texts: &[String]) -> crate::core::error::Result<Vec<Outcome>> {
    let mut outcomes = Vec::new();
    sink.store(&documents(sink, texts), &mut outcomes).map(|()| outcomes)
}

fn all_stored(number: usize) -> Vec<Outcome> {
    vec![Outcome::Stored; number]
}

#[test]
fn a_document_becomes_a_message_with_its_id_and_its_key() {
    let cluster = Cluster::new();
    let sink = opened(&cluster.address("?key=message"), &Waits::default());
    assert_eq!(store(&*sink, &lines(20)).unwrap(), all_stored(20));
    let messages = cluster.messages();
    assert_eq!(messages.len(), 20);
    for (_, key, value, id) in &messages {
        let document: serde_json::Value = serde_json::from_str(value).unwrap();
        assert_eq!((document["message"].as_str(), document["_id"].as_str()), (key.as_deref(), Some(id.as_str())));
    }
    let partitions: std::collections::HashSet<i32> = messages.iter().map(|(partition, ..)| *partition).collect();
    assert!(partitions.len() > 1, "keys spread over the partitions");
    assert_eq!(sink.counters().unwrap().get(&MESSAGES), 20);
}

#[test]
fn with_avro_a_value_names_its_schema_which_is_written_to_a_file() {
    let (cluster, waits) = (Cluster::new(), Waits::default());
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("schema.avsc");
    let formats = [Library::builtin().pattern("%{WORD:verb} %{INT:status:int}").unwrap()];
    let encoding = SinkEncoding::new(&TypedFields::of(&formats[0]).with_source(false)).unwrap();
    let mut options = OptionValues::default();
    options.insert("avro-schema", [file.clone().into_os_string()]);
    let open = |options: &str, with: &Opening<'_>| SinkSpec::parse(&cluster.address(options)).unwrap().open(with);
    let with = Opening { formats: &formats, options, ..Opening::new(&waits) };
    let Ok(AnySink::Documents(sink)) = open("?format=avro&key=message", &with) else { panic!("it does not open") };
    assert_eq!(std::fs::read_to_string(&file).unwrap(), encoding.schema_text());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left there");
    assert_eq!(store(&*sink, &lines(3)).unwrap(), all_stored(3));
    let mut frame = Vec::new();
    encoding.single_object().write(&mut frame);
    for (_, key, value, id) in cluster.values() {
        assert!(value.starts_with(&frame) && value.len() > frame.len() + 44, "{value:?}");
        assert!(value[frame.len()..].windows(44).any(|part| part == id.as_bytes()), "the value has its id");
        assert!(key.unwrap().starts_with("line "));
    }
    for (address, with, words) in [
        ("?format=avro", Opening::new(&waits), "name one format"),
        ("", Opening { options: with.options.clone(), ..Opening::new(&waits) }, "--avro-schema needs format=avro"),
        (
            "?format=avro&registry=http://127.0.0.1:1&serverSelectionTimeoutMS=300",
            with,
            "schema registry http://127.0.0.1:1",
        ),
    ] {
        let Err(error) = open(address, &with) else { panic!("{address} was taken") };
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn a_topic_that_does_not_exist_is_told_at_the_start_and_is_not_created() {
    let cluster = Cluster::new();
    let address = cluster.address("").replace("/logs", "/lgos");
    for _ in 0..2 {
        let error = SinkSpec::parse(&address).unwrap().open(&Opening::new(&Waits::default())).err().unwrap();
        let words = error.to_string();
        assert!(words.contains("the topic lgos does not exist") && words.contains("did you mean logs?"), "{words}");
        assert_eq!(error.exit_code(), 3);
    }
}

#[test]
fn brokers_that_nobody_reaches_are_told_at_the_start() {
    let waits = Waits::default();
    let spec = SinkSpec::parse("kafka://127.0.0.1:1/t?serverSelectionTimeoutMS=300").unwrap();
    let error = spec.open(&Opening::new(&waits)).err().unwrap().to_string();
    assert!(error.contains("kafka://127.0.0.1:1: not opened within 0.3 s") && error.contains("refused"), "{error}");
}

#[test]
fn a_batch_that_is_too_large_for_the_topic_is_sent_in_smaller_ones() {
    let cluster = Cluster::new();
    let sink = opened(&cluster.address("?batch.size=80000"), &Waits::default());
    cluster.refuse(&[Fault::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    assert_eq!(store(&*sink, &lines(50)).unwrap(), all_stored(50));
    assert_eq!((cluster.messages().len(), sink.counters().unwrap().get(&SMALLER_BATCHES)), (50, 1));
}

#[test]
fn a_message_that_is_too_large_is_oversize_and_its_neighbours_are_stored() {
    let cluster = Cluster::new();
    // The client refuses one that is larger than its own limit.
    let sink = opened(&cluster.address("?message.max.bytes=2000"), &Waits::default());
    let texts = ["a".to_owned(), "x".repeat(5000), "b".to_owned()];
    let outcomes = store(&*sink, &texts).unwrap();
    assert!(matches!(&outcomes[..], [Outcome::Stored, Outcome::Oversize(_), Outcome::Stored]), "{outcomes:?}");
    assert_eq!((cluster.messages().len(), sink.counters().unwrap().get(&MESSAGES)), (2, 2));
    // The broker refuses one that is a batch of its own.
    let sink = opened(&cluster.address("?batch.size=1000"), &Waits::default());
    cluster.refuse(&[Fault::RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE]);
    let outcomes = store(&*sink, &["x".repeat(5000)]).unwrap();
    assert!(
        matches!(&outcomes[..], [Outcome::Oversize(words)] if words.contains("the topic takes no message")),
        "{outcomes:?}"
    );
}

#[test]
fn a_message_that_the_broker_refuses_is_rejected() {
    let cluster = Cluster::new();
    let sink = opened(&cluster.address(""), &Waits::default());
    cluster.refuse(&[Fault::RD_KAFKA_RESP_ERR_INVALID_RECORD]);
    let outcomes = store(&*sink, &lines(1)).unwrap();
    assert!(matches!(&outcomes[..], [Outcome::Rejected(_)]), "{outcomes:?}");
}

#[test]
fn a_missing_right_ends_the_run_with_a_sentence() {
    let cluster = Cluster::new();
    let sink = opened(&cluster.address(""), &Waits::default());
    cluster.refuse(&[Fault::RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED]);
    let error = store(&*sink, &lines(1)).unwrap_err();
    let words = error.to_string();
    assert!(words.contains("the brokers refuse all messages") && words.contains("uthoriz"), "{words}");
    assert_eq!(error.exit_code(), 3);
}

#[test]
fn errors_that_pass_are_waited_for_and_nothing_is_written_twice() {
    let cluster = Cluster::new();
    let sink = opened(&cluster.address(""), &Waits::default());
    cluster.refuse(&[
        Fault::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
        Fault::RD_KAFKA_RESP_ERR__TRANSPORT,
        Fault::RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        Fault::RD_KAFKA_RESP_ERR_REQUEST_TIMED_OUT,
    ]);
    assert_eq!(store(&*sink, &lines(100)).unwrap(), all_stored(100));
    assert_eq!((cluster.messages().len(), cluster.ids()), (100, 100));
    let counters = sink.counters().unwrap();
    assert_eq!(counters.get(&POSSIBLY_STORED), 0);
    assert!(counters.get(&CLIENT_ERRORS) > 0);
}

#[test]
fn at_the_deadline_what_has_no_report_has_failed_and_is_not_written_later() {
    let cluster = Cluster::new();
    let sink = opened(&cluster.address(""), &Waits::quiet(Deadline::of(Duration::from_millis(700))));
    cluster.0.broker_down(-1).unwrap();
    let outcomes = store(&*sink, &lines(10)).unwrap();
    for outcome in &outcomes {
        assert!(matches!(outcome, Outcome::Failed(words) if words.contains("not stored within 0.7 s")), "{outcome:?}");
    }
    let counters = sink.counters().unwrap();
    assert_eq!(counters.get(&POSSIBLY_STORED), 10, "the topic may have them");
    assert!(counters.get(&STALLS) > 0);
    cluster.0.broker_up(-1).unwrap();
    // The client connects again within two seconds, which is more than the deadline.
    while store(&*sink, &lines(1)).unwrap() != all_stored(1) {}
    assert_eq!(cluster.ids(), 1, "the client has forgotten the others");
}

#[test]
fn brokers_that_come_back_in_time_lose_nothing_and_their_absence_is_said() {
    let cluster = Cluster::new();
    let (heard, said) = mpsc::channel();
    let heard = Mutex::new(heard);
    let say = Box::new(move |sentence: &str| drop(heard.lock().unwrap().send(sentence.to_owned())));
    let sink = opened(&cluster.address(""), &Waits::new(Deadline::of(MINUTE), None, say));
    cluster.0.broker_down(-1).unwrap();
    thread::scope(|scope| {
        let storing: Vec<_> = (0..3).map(|_| scope.spawn(|| store(&*sink, &lines(200)).unwrap())).collect();
        let mut sentences = Vec::new();
        while !sentences.iter().any(|sentence: &String| sentence.contains("trying again")) {
            sentences.push(said.recv_timeout(MINUTE).unwrap());
        }
        assert!(sentences.iter().any(|sentence| sentence.contains("127.0.0.1")), "the client says why: {sentences:?}");
        cluster.0.broker_up(-1).unwrap();
        for call in storing {
            assert_eq!(call.join().unwrap(), all_stored(200));
        }
    });
    assert_eq!((cluster.messages().len(), cluster.ids()), (600, 200));
}

#[test]
fn a_signal_ends_the_wait() {
    let cluster = Cluster::new();
    let stop = Stop::new().unwrap();
    let waits = Waits::new(Deadline::NONE, Some(stop.clone()), Box::new(|_| ()));
    let sink = opened(&cluster.address(""), &waits);
    cluster.0.broker_down(-1).unwrap();
    stop.request();
    let outcomes = store(&*sink, &lines(3)).unwrap();
    assert!(matches!(&outcomes[0], Outcome::Failed(words) if words.contains("told to stop")), "{outcomes:?}");
}

#[test]
fn a_full_client_makes_calls_wait_for_room() {
    let cluster = Cluster::new();
    let waits = Waits::default();
    let with = Opening { memory: 1, ..Opening::new(&waits) };
    let Ok(AnySink::Documents(sink)) =
        SinkSpec::parse(&cluster.address("?compression.codec=none")).unwrap().open(&with)
    else {
        panic!("the sink does not open")
    };
    let texts: Vec<String> = (0..200).map(|number| format!("{number} {}", "x".repeat(50_000))).collect();
    thread::scope(|scope| {
        let calls: Vec<_> = (0..3).map(|_| scope.spawn(|| store(&*sink, &texts).unwrap())).collect();
        calls.into_iter().for_each(|call| assert_eq!(call.join().unwrap(), all_stored(200)));
    });
    assert!(sink.counters().unwrap().get(&FULL) > 0);
}

#[test]
fn a_client_that_cannot_go_on_is_replaced() {
    let cluster = Cluster::new();
    let sink = opened(&cluster.address(""), &Waits::default());
    assert_eq!(store(&*sink, &lines(3)).unwrap(), all_stored(3));
    cluster.refuse(&[Fault::RD_KAFKA_RESP_ERR_OUT_OF_ORDER_SEQUENCE_NUMBER]);
    assert_eq!(store(&*sink, &lines(5)).unwrap(), all_stored(5));
    assert_eq!(cluster.ids(), 5);
}

#[test]
fn records_of_an_origin_stay_in_one_partition_and_in_their_order() {
    let cluster = Cluster::new();
    let waits = Waits::default();
    let sink: Arc<dyn RecordSink> = open_records(&cluster.address(""), &Opening::new(&waits)).unwrap();
    let origins: Vec<Context> =
        (0..10).map(|number| Context::new(Arc::new(Origin::new(number, format!("{number}"))))).collect();
    cluster.refuse(&[Fault::RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS, Fault::RD_KAFKA_RESP_ERR__TRANSPORT]);
    for round in 0..20_u64 {
        let texts: Vec<String> = (0..10).map(|origin| format!("{origin} {round}")).collect();
        let records = origins.iter().zip(&texts).map(|(context, text)| Record {
            bytes: text.as_bytes(),
            id: RecordId::at(context.origin.id, round, text.as_bytes()),
            context,
        });
        let mut outcomes = Vec::new();
        sink.store(&records.collect::<Vec<_>>(), &mut outcomes).unwrap();
        assert_eq!(outcomes, all_stored(10));
    }
    for origin in 0..10 {
        let of_origin: Vec<_> = cluster
            .messages()
            .into_iter()
            .filter(|(_, _, value, _)| value.starts_with(&format!("{origin} ")))
            .collect();
        let values: Vec<String> = (0..20).map(|round| format!("{origin} {round}")).collect();
        assert_eq!(of_origin.iter().map(|(_, _, value, _)| value.clone()).collect::<Vec<_>>(), values);
        assert!(of_origin.iter().all(|(_, key, ..)| *key == Some(format!("{origin:016x}"))));
    }
}

#[test]
fn the_address_of_records_takes_references_and_has_no_fields() {
    let waits = Waits::default();
    for (text, words) in [
        ("kafka://h/t?key=a", "not known"),
        ("kafka://u:${NO_SUCH_VARIABLE_HERE}@h/t", "no such variable"),
        ("tcp://h", "kafka://BROKER"),
    ] {
        let Err(error) = open_records(text, &Opening::new(&waits)) else { panic!("{text} was taken") };
        assert!(error.to_string().contains(words), "{error}");
    }
}
