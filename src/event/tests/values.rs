//! Tests of how captures become values, and where that differs from Logstash.

use super::*;

#[test]
fn an_empty_number_is_left_out_like_any_empty_capture() {
    let fields = [field("i", Int, &[0]), field("f", Float, &[1]), field("absent", Int, &[9]), field("d", Date, &[0])];
    assert_eq!(encode(&fields, None, &["", ""]), json!({}));
}

/// Returns a field of several captures. Each item of `slots` is the type of a capture, and whether an earlier capture
/// has the same text in the pattern.
fn repeated(name: &str, slots: &[(FieldType, bool)]) -> Field {
    let slots = slots.iter().enumerate().map(|(slot, &(kind, again))| FieldSlot { slot, kind, again });
    Field { path: vec![name.into()], slots: slots.collect() }
}

#[test]
fn only_the_first_of_equal_captures_is_converted_unless_one_is_a_number() {
    let alike = [repeated("n", &[(Int, false), (Int, true), (Int, true)])];
    let encode = |fields: &[Field], texts: &[Option<&str>]| {
        let mut plan = CapturedFields::new(fields, None).unwrap();
        let (line, mut spans) = line_of(&texts.iter().map(|text| text.unwrap_or_default()).collect::<Vec<_>>());
        let absent = texts.iter().zip(&mut spans).filter(|(text, _)| text.is_none());
        absent.for_each(|(_, span)| *span = Span::NONE);
        let id = id_of(&line);
        let write = |encoding, out: &mut Vec<u8>| captured(&mut plan, &line, &spans, encoding, out);
        Value::Object(both(&id, write).expect("it is encoded"))
    };
    assert_eq!(encode(&alike, &[Some("1"), None, None]), json!({"n": 1}));
    assert_eq!(encode(&alike, &[None, Some("2"), None]), json!({"n": "2"}));
    assert_eq!(encode(&alike, &[None, Some("2"), Some("3")]), json!({"n": ["2", "3"]}));
    assert_eq!(encode(&alike, &[None, Some(""), None]), json!({}));
    // Logstash has only the 1 here.
    assert_eq!(
        encode(&alike, &[Some("1"), Some("2"), Some("x")]),
        json!({"n": [1, 2, "x"], "tags": ["_typefailure:n"]})
    );
    let mixed = [repeated("n", &[(Text, false), (Int, false), (Float, false)])];
    assert_eq!(encode(&mixed, &[Some("a"), Some("1"), Some("2")]), json!({"n": ["a", 1, 2.0]}));
    assert_eq!(encode(&mixed, &[Some("5"), None, None]), json!({"n": "5"}));
}

#[test]
fn a_value_that_is_not_of_its_type_as_a_whole_stays_text_and_names_its_field() {
    for (kind, text, value) in [
        (Int, "12abc", json!("12abc")),
        (Int, "-", json!("-")),
        (Int, "1.5", json!("1.5")),
        (Float, "-, 1.394", json!("-, 1.394")),
        (Float, "0.004, 0.012", json!("0.004, 0.012")),
        (Int, "99999999999999999999", json!("99999999999999999999")),
        (Float, "1e999", json!("1e999")),
        (Bool, "yes", json!("yes")),
        (Date, "yesterday", json!("yesterday")),
        (Date, "2015-02-30T00:00:00Z", json!("2015-02-30T00:00:00Z")),
    ] {
        let document = encode(&[field("x", kind, &[0])], None, &[text]);
        // The first field of type `date` is the time of the record as well.
        let tags: &[&str] = if kind == Date { &["_typefailure:x", "_dateparsefailure:x"] } else { &["_typefailure:x"] };
        assert_eq!(document, json!({"x": value, "tags": tags}), "{kind:?} {text}");
    }
}

#[test]
fn metadata_is_captured_and_not_written() {
    let fields = [field("@metadata/a/b", Text, &[0]), field("a", Text, &[1]), field("x/@metadata", Text, &[2])];
    assert_eq!(encode(&fields, None, &["1", "2", "3"]), json!({"a": "2", "x": {"@metadata": "3"}}));
    // `@metadata` may hold the time.
    let date = DateRule { paths: vec![vec!["@metadata".into(), "time".into()]], formats: vec!["ISO8601".into()] };
    let fields = [field("@metadata/time", Text, &[0])];
    let expected = json!({"@timestamp": "2015-05-17T10:05:03.000Z"});
    assert_eq!(encode(&fields, Some(&date), &["2015-05-17T10:05:03Z"]), expected);
}

#[test]
fn captures_have_the_values_of_documents_and_the_names_of_the_pattern() {
    let fields = [
        field("_id", Text, &[0]),
        field("a.b", Int, &[1]),
        field("tags", Text, &[2]),
        field("x/$y", Float, &[3]),
        field("@metadata/z", Text, &[0]),
        field("@timestamp", Text, &[4]),
    ];
    let mut encoder = CaptureEncoder::new(&fields).unwrap();
    let mut encode = |texts: &[&str]| {
        let (line, spans) = line_of(texts);
        let mut out = b"before".to_vec();
        encoder.encode(&line, &spans, NOW, &mut out);
        String::from_utf8(out).unwrap()
    };
    let expected = r#"before{"_id":"i","a.b":12,"tags":"t","x":{"$y":1.5},"@timestamp":"now"}"#;
    assert_eq!(encode(&["i", "12", "t", "1.5", "now"]), expected);
    assert_eq!(
        CaptureEncoder::new(&[])
            .map(|mut encoder| {
                let mut out = Vec::new();
                encoder.encode(b"line", &[], NOW, &mut out);
                out
            })
            .unwrap(),
        b"{}"
    );
}
