//! Payloads that are no Avro, or no Avro of a known schema. Each is a dead letter that leads to its record.

use serde_json::{Value, json};

use super::dead_letters;
use crate::kit::avro::{Frame, encode};
use crate::kit::kafka::AnyKafka;
use crate::kit::registry::Registry;
use crate::kit::workspace::{Workspace, account};

#[test]
#[ignore = "needs a Kafka, a schema registry, kcat and fastavro: run ./test"]
fn a_payload_that_is_no_avro_is_a_dead_letter_with_its_place_and_the_rest_goes_on() {
    let (kafka, registry) = (AnyKafka::get(), Registry::get());
    let topic = kafka.topic("hostile", 1, &[]);
    let schema = json!({ "type": "record", "name": "R", "fields": [
        { "name": "a", "type": "string" },
        { "name": "list", "type": { "type": "array", "items": "null" } },
        { "name": "deep", "type": ["null", "R"] },
    ] });
    let id = registry.register(&topic, &schema);
    let good =
        |text: &str| encode(Frame::Confluent, id, &schema, &[json!({ "a": text, "list": [], "deep": null })]).remove(0);
    let framed = |id: u32, body: &[u8]| [&[0][..], &id.to_be_bytes(), body].concat();
    let whole = good("whole");
    let mut random = fastrand::Rng::with_seed(99);
    let noise: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(5000).collect();
    let mut messages: Vec<(Vec<u8>, bool)> = vec![
        (whole.clone(), true),
        // Nothing but a frame, half a frame, another frame.
        (framed(id, b""), false),
        (vec![0, 0, 0], false),
        (vec![9, 0, 0, 0, 1, 2], false),
        // A schema that the registry does not have.
        (framed(4_000_000_000, b"\x02a"), false),
        // A length that is negative, and one of an exbibyte.
        (framed(id, b"\x01"), false),
        (framed(id, b"\x80\x80\x80\x80\x80\x80\x80\x80\x20a"), false),
        // A number that does not end.
        (framed(id, &[0xff; 20]), false),
        // A string that is no UTF-8.
        (framed(id, b"\x02\xff\x00\x00"), false),
        // An array of four billion nothings, which take no bytes.
        (framed(id, b"\x02a\x80\x80\x80\x80\x20\x00\x00"), false),
        // A union without such a branch.
        (framed(id, b"\x02a\x00\x08"), false),
        // Records within records, and no end.
        (framed(id, &b"\x02a\x00\x02".repeat(50_000)), false),
        // Something follows.
        ([&whole[..], b"more"].concat(), false),
        (framed(id, &noise), false),
        (noise, false),
        (good("last"), true),
    ];
    for cut in [6, whole.len() - 1] {
        messages.insert(1, (whole[..cut].to_vec(), false));
    }
    for (value, _) in &messages {
        kafka.kcat().produce_bytes(&topic, &[], value);
    }
    let place = Workspace::new();
    let rest = format!("{topic}?group={}&until=end&format=avro&registry={}", kafka.name("g"), registry.base());
    let mut run = place.start(
        "logator",
        &["run", &kafka.address(&rest), "-f", "ndjson", "--receipt", "receipt", "--to", "ndjson:out"],
    );
    run.close_input();
    let ran = run.end();
    let (all, bad) = (messages.len() as u64, messages.iter().filter(|(_, is_good)| !is_good).count() as u64);
    assert_eq!(
        (ran.code, account(&place.receipt("receipt"))),
        (Some(1), [all, all - bad, 0, 0, bad, 0]),
        "{}",
        ran.stderr
    );
    let read: Vec<Value> = place.objects("out").iter().map(|document| document["a"].clone()).collect();
    assert_eq!(read, [json!("whole"), json!("last")]);
    let letters = dead_letters(&place);
    assert_eq!(letters.len(), bad as usize);
    let offsets = (0..).zip(&messages).filter(|(_, (_, is_good))| !is_good).map(|(offset, _)| offset);
    for (letter, offset) in letters.iter().zip(offsets) {
        let text = letter.to_string();
        let offset: i32 = offset;
        assert!(
            text.contains(&topic) && text.contains("partition 0") && text.contains(&offset.to_string()),
            "{offset}: {text}"
        );
    }
    assert_eq!(kafka.api().committed(&kafka.name("g"), &topic, 1), [Some(all as i64)]);
    registry.remove(&topic);
}
