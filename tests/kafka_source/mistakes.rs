//! What cannot work is told at the start, in one sentence, and nothing is created.

use crate::kit::kafka::AnyKafka;
use crate::kit::workspace::Workspace;
use crate::kit::{Ran, certificates, free_port};

/// Runs a job that does not begin, so it has no receipt.
fn attempt(place: &Workspace, input: &str) -> Ran {
    place.run("logator", &["run", input, "-f", "ndjson", "--to", "ndjson:out"], b"")
}

#[test]
#[ignore = "needs a Kafka: run ./test"]
fn a_topic_that_does_not_exist_is_named_and_not_created() {
    let (kafka, place) = (AnyKafka::get(), Workspace::new());
    let topic = kafka.topic("there", 1, &[]);
    let missing = kafka.name("theer");
    let ran = attempt(&place, &kafka.address(&format!("{missing}?group=g")));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("the topic {missing} does not exist")), "{}", ran.stderr);
    assert!(ran.stderr.contains(&format!("did you mean {topic}?")), "{}", ran.stderr);
    assert!(!kafka.api().topics().contains(&missing));
}

#[test]
fn a_broker_that_does_not_answer_and_a_wrong_address_are_told_in_one_sentence() {
    let place = Workspace::new();
    let nowhere = format!("kafka://127.0.0.1:{}/t?group=g&serverSelectionTimeoutMS=300", free_port());
    for (address, code, words) in [
        (nowhere.as_str(), 3, "Connection refused"),
        ("kafka://127.0.0.1/t", 2, "write ?group=NAME"),
        ("kafka://127.0.0.1/t?group=g&until=now", 2, "until is end"),
        ("kafka://127.0.0.1/t?group=g&acks=all", 2, "acks"),
        ("kafka://127.0.0.1/t?group=g&session.timeout.ms=soon", 2, "session.timeout.ms"),
        ("kafka://ann:hush@127.0.0.1/t", 2, "kafka://ann:***@127.0.0.1/t: a topic is read"),
    ] {
        let ran = attempt(&place, address);
        assert_eq!(ran.code, Some(code), "{address}: {}", ran.stderr);
        assert!(ran.stderr.contains(words) && !ran.stderr.contains("hush"), "{address}: {}", ran.stderr);
    }
}

#[test]
#[ignore = "needs a Kafka of its own: run ./test"]
fn a_refused_login_and_a_missing_right_are_told_in_one_sentence() {
    use crate::kit::kafka::Kafka;
    let place = Workspace::new();
    certificates::make(&place.path(""), "127.0.0.1");
    let settings =
        ["authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer", "super.users=User:ANONYMOUS"];
    let kafka = Kafka::start_secure(&place.path(""), "pa/ss", &settings);
    kafka.api().create("t", 1, &[]);
    let ca = place.path("ca.pem");
    let address = |password: &str| {
        format!(
            "kafka://ann:{password}@{}/t?group=g&ssl.ca.location={}&serverSelectionTimeoutMS=20000",
            kafka.secure_host(),
            ca.display()
        )
    };
    let ran = attempt(&place, &address("wrong-word"));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("the login is refused") && !ran.stderr.contains("wrong-word"), "{}", ran.stderr);
    // Ann may log in, and may do nothing.
    let ran = attempt(&place, &address("pa%2Fss"));
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains("right") && !ran.stderr.contains("pa/ss"), "{}", ran.stderr);
}
