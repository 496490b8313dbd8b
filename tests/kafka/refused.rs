//! Topics and messages that a broker refuses, and brokers that are not there.

use std::time::{Duration, Instant};

use super::dead_letters;
use crate::kit::free_port;
use crate::kit::kafka::AnyKafka;
use crate::kit::logs::{access, access_line};
use crate::kit::workspace::{Workspace, account};

#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn a_topic_that_is_missing_is_told_at_the_start_and_not_made() {
    let kafka = AnyKafka::get();
    let there = kafka.topic("web-logs", 1, &[]);
    let near = kafka.name("weblogs");
    let place = Workspace::new();
    place.write("access.log", access(0..10));
    for (program, arguments) in
        [("logator", &["run", "access.log", "-f", "combined", "--to"][..]), ("logator-push", &["lines", "--connect"])]
    {
        let ran = place.run(program, &[arguments, &[&kafka.address(&near)]].concat(), b"a line\n");
        assert_eq!(ran.code, Some(3), "{program}: {}", ran.stderr);
        assert!(ran.stderr.contains(&near) && ran.stderr.contains(&there), "the nearest name is told: {}", ran.stderr);
    }
    let from = kafka.address(&format!("{near}?group={}&until=end", kafka.name("g")));
    let ran = place.run("logator", &["run", &from, "-f", "combined", "--to", "ndjson:out"], b"");
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(ran.stderr.contains(&near), "{}", ran.stderr);
    assert!(!kafka.api().topics().contains(&near));
}

#[test]
#[ignore = "needs a Kafka and kcat: run ./test"]
fn a_message_that_is_too_large_is_a_dead_letter_and_the_rest_goes_on() {
    let kafka = AnyKafka::get();
    let topic = kafka.topic("small", 2, &["max.message.bytes=4000"]);
    let place = Workspace::new();
    // What cannot be compressed is too large when it is compressed, too.
    let mut random = fastrand::Rng::with_seed(17);
    let large: String = std::iter::repeat_with(|| random.alphanumeric()).take(9000).collect();
    let lines: String = (0..600)
        .map(|number| match number % 100 {
            50 => format!("{}\n", access_line(number).replace("/page/", &format!("/{large}/"))),
            _ => format!("{}\n", access_line(number)),
        })
        .collect();
    place.write("access.log", &lines);
    let (ran, receipt) = place.logator(&["access.log", "-f", "combined", "--to", &kafka.address(&topic)], b"");
    assert_eq!((ran.code, account(&receipt)), (Some(1), [600, 594, 0, 0, 6, 0]), "{}", ran.stderr);
    let letters = dead_letters(&place);
    assert_eq!(letters.len(), 6);
    for letter in &letters {
        let text = letter.to_string();
        assert_eq!(letter["reason"], "oversize", "{text}");
        assert!(lines.contains(letter["raw"].as_str().expect("a line")), "the line is kept: {text}");
    }
    let records = kafka.kcat().consume(&topic);
    assert_eq!((records.len(), super::twice(&records)), (594, 0));
}

#[test]
fn a_broker_that_is_not_there_is_told_within_the_time_of_the_address() {
    let place = Workspace::new();
    place.write("access.log", access(0..10));
    let address =
        |rest: &str| format!("kafka://ann:hush@127.0.0.1:{}/logs?security.protocol=sasl_plaintext&{rest}", free_port());
    let begin = Instant::now();
    let to = address("serverSelectionTimeoutMS=700");
    let from = address("group=g&serverSelectionTimeoutMS=700");
    for (program, arguments) in [
        ("logator", &["run", "access.log", "-f", "combined", "--to", &to][..]),
        ("logator", &["run", &from, "-f", "combined", "--to", "ndjson:out"]),
        ("logator-push", &["lines", "--connect", &to]),
    ] {
        let ran = place.run(program, arguments, b"a line\n");
        assert_eq!(ran.code, Some(3), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("127.0.0.1:") && !ran.stderr.contains("hush"), "{}", ran.stderr);
    }
    assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", begin.elapsed());
}

#[test]
fn an_address_that_is_wrong_is_a_usage_error_without_its_secrets() {
    let place = Workspace::new();
    place.write("access.log", "");
    for (option, address) in [
        ("--to", "kafka://ann:hush@127.0.0.1:1/logs?acks=0"),
        ("--to", "kafka://ann:hush@127.0.0.1:1/logs?group.id=hush"),
        ("--to", "kafka://127.0.0.1:1/logs?sasl.password=hush"),
        ("--to", "kafka://127.0.0.1:1/logs?format=avro&registry=ftp://joe:hush@127.0.0.1"),
        ("--to", "kafka://127.0.0.1:1"),
        ("", "kafka://ann:hush@127.0.0.1:1/logs"),
        ("", "kafka://ann:hush@127.0.0.1:1/logs?group=g&enable.auto.commit=true"),
        ("", "kafka://ann:hush@127.0.0.1:1/logs?group=g&until=soon"),
    ] {
        let mut arguments = vec!["run", "-f", "combined"];
        match option {
            "" => arguments.extend([address, "--to", "ndjson:out"]),
            option => arguments.extend(["access.log", option, address]),
        }
        let ran = place.run("logator", &arguments, b"");
        assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{arguments:?}: {}", ran.stderr);
        assert!(!ran.stderr.contains("hush"), "{}", ran.stderr);
    }
}
