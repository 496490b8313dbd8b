//! Lines of containers with the fields of their origin.

use super::*;

/// Returns the document of one line of an origin with `fields`, without its id and its tag for lines that match nothing.
fn of_container(envelope: Envelope, fields: &Value, lines: &[&str]) -> Vec<Value> {
    let library = Library::builtin();
    let format = library.pattern("^(?<message>.*)$").unwrap();
    let mut parser = Arc::new(Rules::new(vec![format], library, Unmatched::Keep, |_| ()))
        .parser([Encoding::Json, Encoding::Bson])
        .unwrap();
    let mut parsed = parser.buffer();
    let Value::Object(fields) = fields else { panic!("{fields}") };
    let origin = Origin::new(1, "x").wrapped(envelope).with_fields(fields);
    let data: String = lines.iter().map(|line| format!("{line}\n")).collect();
    parser.parse(&Batch::new(Arc::new(origin), 0, lines.len() as u32, data.into()), &mut parsed).unwrap();
    let documents = parsed.encoded(&Encoding::Json.into()).iter().map(|document| {
        let mut read: Map<String, Value> = serde_json::from_slice(document.bytes).unwrap();
        read.remove("_id");
        Value::Object(read)
    });
    documents.collect()
}

#[test]
fn time_stream_attributes_and_the_fields_of_the_origin_stand_beside_the_message() {
    let fields =
        json!({ "container": { "id": "c1", "labels": { "a_b": "x" } }, "kubernetes": { "pod": { "name": "p" } } });
    let with = |more: Value| {
        let (Value::Object(mut all), Value::Object(more)) = (fields.clone(), more) else { panic!() };
        all.extend(more);
        Value::Object(all)
    };
    let time = "2026-01-02T03:04:05.123456789Z";
    let lines = [
        r#"{"log":"a \"b\"\n","stream":"stdout","time":"2026-01-02T03:04:05.123456789Z"}"#,
        r#"{"log":"c\n","stream":"stderr","attrs":{"tag":"t","x.y":"z"},"time":"2026-01-02T03:04:05.123456789Z"}"#,
        r#"{"log":"d\r\n","stream":"stderr","time":"2026-01-02T04:04:05.123456789+01:00"}"#,
        "misfit",
    ];
    let attrs = json!({ "attrs": { "tag": "t", "x_y": "z" } });
    assert_eq!(
        of_container(Envelope::DockerJson, &fields, &lines),
        [
            with(json!({ "@timestamp": time, "message": "a \"b\"", "stream": "stdout" })),
            with(json!({ "@timestamp": time, "message": "c", "stream": "stderr", "docker": attrs })),
            with(json!({ "@timestamp": time, "message": "d", "stream": "stderr" })),
            with(json!({
                "message": "misfit", "event": { "original": "misfit" }, "tags": ["_containerparsefailure"],
            })),
        ]
    );
    let cri = "2026-01-02T03:04:05.123456789Z stdout F a";
    let bare = json!({ "@timestamp": time, "message": "a", "stream": "stdout" });
    assert_eq!(of_container(Envelope::Cri, &json!({}), &[cri, cri]), [bare.clone(), bare]);
    let timed = json!({ "@timestamp": time, "message": "stdout F a" });
    assert_eq!(of_container(Envelope::DockerTime, &json!({}), &[cri]), [timed]);
    let compose = json!({ "container": { "name": "web-1" }, "message": "a" });
    assert_eq!(of_container(Envelope::Compose, &json!({}), &["web-1  | a"]), [compose]);
    // A plain line has the fields of its origin too, and a field of the message counts more than one of the origin.
    assert_eq!(of_container(Envelope::None, &fields, &["m"]), [with(json!({ "message": "m" }))]);
    let replaced = json!({ "message": "m" });
    assert_eq!(of_container(Envelope::None, &json!({ "message": "x" }), &["m"]), [replaced]);
}
