//! Avro against another implementation, fastavro: it reads what logator writes, and writes what logator reads.

#[cfg(feature = "kafka")]
mod registry;

use std::io::Write as _;
use std::process::{Command, Stdio};
use std::sync::Arc;

use logator::avro::{Frame, OwnSchemas, Reader, Schema, SinkEncoding};
use logator::core::context::{Context, Origin};
use logator::core::record::RecordId;
use logator::document::{Documents, Encoding};
use logator::envelope::{Envelope, Opener};
use logator::event::decoder::Decoder;
use logator::event::{Changes, Event, Layout, LayoutWriter, TypedField, TypedFields};
use logator::grok::{FieldType, Format, Library};
use serde_json::{Map, Value, json};

use crate::kit::needs::given;

const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripts/avro.py");

/// Runs the script and returns the objects that it prints.
fn fastavro(arguments: &[&str], input: &str) -> Vec<Value> {
    let mut child = Command::new(given("LOGATOR_TEST_PYTHON", "fastavro"))
        .arg(SCRIPT)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts");
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success(), "the script ends well");
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn bytes_of(hex: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digit).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
#[ignore = "needs fastavro: run ./test"]
fn values_of_generated_schemas_are_decoded_as_they_were_written() {
    const CASES: usize = 2000;
    let seed = std::env::var("LOGATOR_TEST_SEED").unwrap_or_else(|_| fastrand::u64(..).to_string());
    println!("LOGATOR_TEST_SEED={seed}");
    let cases = fastavro(&["generate", &seed, &CASES.to_string()], "");
    assert_eq!(cases.len(), CASES);
    for case in cases {
        let text = case["schema"].as_str().unwrap();
        let schema = Schema::parse(text).unwrap_or_else(|words| panic!("{text}: {words}"));
        assert_eq!(schema.canonical(), case["canonical"], "{text}");
        assert_eq!(hex(&schema.fingerprint().to_le_bytes()), case["fingerprint"], "{text}");
        let mut payload = Vec::new();
        Frame::SingleObject(schema.fingerprint()).write(&mut payload);
        payload.extend(bytes_of(case["payload"].as_str().unwrap()));
        let mut reader = Reader::new(Box::new(OwnSchemas::new([schema])), 1 << 20);
        let mut json = Vec::new();
        let decoded = reader.decode(&payload, None, &mut json);
        assert!(decoded.is_ok(), "{case}: {decoded:?}");
        let found: Value = serde_json::from_slice(&json).unwrap();
        assert_eq!(found, case["expected"], "{case}");
        // One byte less or more is no value.
        for wrong in [&payload[..payload.len() - 1], &[&payload[..], &[0]].concat()] {
            if payload.len() > 10 || wrong.len() > 10 {
                assert!(reader.decode(wrong, None, &mut json).is_err(), "{case}");
            }
        }
    }
}

/// Lines, and the documents that are made of them: as JSON, and as payloads.
struct Made {
    format: Format,
    schema: String,
    documents: Vec<Value>,
    payloads: Vec<String>,
}

/// 2024-03-10T00:00:00Z.
const NOW: i64 = 1_710_028_800_000;

fn made(format: Format, lines: &[String], envelope: Envelope) -> Made {
    let encoding = SinkEncoding::new(&TypedFields::of(&format)).unwrap();
    let again = SinkEncoding::new(&TypedFields::of(&format)).unwrap();
    assert_eq!(encoding.schema_text(), again.schema_text(), "the same format gives the same bytes");
    let own = Layout::own(encoding.framed(encoding.single_object()));
    let mut writers = [Layout::from(Encoding::Json), own].map(|layout| LayoutWriter::new(layout).unwrap());
    let (mut decoder, mut opener) = (Decoder::new(&format).unwrap(), Opener::new(false).unwrap());
    let context = Context::new(Arc::new(Origin::new(1, "x")));
    let (mut documents, mut payloads) = (Vec::new(), Vec::new());
    for line in lines {
        let opened = opener.open(envelope, line.as_bytes(), NOW);
        let outer = (envelope != Envelope::None).then_some(opened.outer);
        let mut changes = Changes::default();
        let mut event = match decoder.decode(opened.message).unwrap_or(None) {
            Some(fields) => Event::decoded(opened.message, fields, outer, &mut changes, NOW),
            None => Event::undecoded(opened.message, true, outer, &mut changes),
        };
        let mut bytes = writers.iter_mut().map(|writer| {
            let mut encoded = Documents::new(writer.layout().encoding());
            writer.push(&mut event, 0, RecordId::at(1, 0, line.as_bytes()), &context, &mut encoded);
            assert_eq!(encoded.refused().count(), 0, "{line}");
            encoded.get(0).bytes.to_vec()
        });
        documents.push(serde_json::from_slice(&bytes.next().unwrap()).unwrap());
        let payload = bytes.next().unwrap();
        assert_eq!(payload[..2], [0xc3, 1]);
        assert_eq!(payload[2..10], encoding.fingerprint().to_le_bytes());
        payloads.push(hex(&payload[10..]));
    }
    Made { format, schema: encoding.schema_text().to_owned(), documents, payloads }
}

/// Returns the document that a record of `schema` stands for: the names that Avro does not allow stand in `doc`.
fn restored(schema: &Value, record: &Value) -> Value {
    let mut document = Map::new();
    for field in schema["fields"].as_array().unwrap() {
        let value = &record[field["name"].as_str().unwrap()];
        let inner = field["type"].as_array().unwrap().iter().find(|branch| branch["type"] == "record");
        let name = field.get("doc").unwrap_or(&field["name"]).as_str().unwrap();
        match (value, inner) {
            (Value::Null, _) => {}
            (value, Some(inner)) => drop(document.insert(name.to_owned(), restored(inner, value))),
            (value, None) => drop(document.insert(name.to_owned(), value.clone())),
        }
    }
    document.into()
}

/// Takes the fields of the map `extra` out of the document that they come from.
fn without_extra(document: &mut Value, extra: &Value) {
    for (name, text) in extra.as_object().into_iter().flatten() {
        let text = text.as_str().unwrap();
        let path: Vec<&str> = match name.starts_with('[') {
            true => name.trim_matches(['[', ']']).split("][").collect(),
            false => vec![name],
        };
        let (last, levels) = path.split_last().unwrap();
        let level = levels.iter().fold(&mut *document, |level, name| &mut level[*name]);
        let value = level.as_object_mut().unwrap().remove(*last).unwrap_or_else(|| panic!("{name} is no field"));
        let same = value == text || serde_json::from_str::<Value>(text).is_ok_and(|parsed| parsed == value);
        assert!(same, "{name}: {text} is not {value}");
    }
    prune(document);
}

/// Leaves out null, which a record does not tell from no value, and objects without members.
fn prune(value: &mut Value) {
    if let Value::Object(members) = value {
        members.values_mut().for_each(prune);
        members.retain(|_, member| !member.is_null() && member.as_object().is_none_or(|object| !object.is_empty()));
    }
}

fn agree(all: &[Made]) {
    let case = |made: &Made| json!({"schema": made.schema, "payloads": made.payloads}).to_string() + "\n";
    let read = fastavro(&["read"], &all.iter().map(case).collect::<String>());
    let mut read = read.into_iter();
    for Made { format, schema, documents, .. } in all {
        let schema: Value = serde_json::from_str(schema).unwrap();
        for document in documents {
            let mut found = restored(&schema, &read.next().unwrap());
            let extra = found.as_object_mut().unwrap().remove("extra").unwrap_or_default();
            let mut expected = document.clone();
            without_extra(&mut expected, &extra);
            prune(&mut found);
            // The type is `timestamp-millis`.
            if let Some(Value::String(date)) = expected.get_mut("@timestamp")
                && date.len() > "2024-01-01T00:00:00.000Z".len()
            {
                *date = format!("{}Z", &date[..23]);
            }
            assert_eq!(found, expected, "{}", format.name);
        }
    }
    assert!(read.next().is_none());
}

/// The golden lines of all formats, by the name of the format.
fn golden_lines(ecs: bool) -> Vec<(String, Vec<String>)> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/patterns/formats.toml")).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    let lines = |format: &toml::Value| -> Vec<String> {
        let own = if ecs { format.get("ecs").and_then(|ecs| ecs.get("golden")) } else { None };
        let golden = own.or_else(|| format.get("golden")).and_then(|golden| golden.as_array());
        golden.into_iter().flatten().map(|case| case["line"].as_str().unwrap().to_owned()).collect()
    };
    table.iter().map(|(name, format)| (name.clone(), lines(format))).collect()
}

#[test]
#[ignore = "needs fastavro: run ./test"]
fn another_implementation_reads_the_documents_of_all_formats() {
    let mut all = Vec::new();
    for ecs in [false, true] {
        let library = if ecs { Library::builtin_ecs() } else { Library::builtin() };
        for (name, mut lines) in golden_lines(ecs) {
            lines.retain(|line| !line.contains('\n'));
            lines.push("no line of any format \u{1}".to_owned());
            lines.push(r#"{"a":1,"a.b":[1,{"c":null}],"message":"m","@timestamp":"2024-01-01T00:00:00Z"}"#.to_owned());
            all.push(made(library.format(&name).unwrap(), &lines, Envelope::None));
        }
    }
    assert!(all.iter().map(|made| made.documents.len()).sum::<usize>() > 50);
    agree(&all);
}

#[test]
#[ignore = "needs fastavro: run ./test"]
fn another_implementation_reads_all_kinds_of_values() {
    let library = Library::builtin();
    let pattern = "^(?:%{INT:n:int} )?%{NUMBER:[a][f-g]:float} %{WORD:b:bool} %{NOTSPACE:when:date} %{INT:n:int} %{GREEDYDATA:[a][t]}$";
    let lines = [
        "1 2.5 true 2024-02-29T12:00:00Z -9223372036854775808 text",
        "2.5 false then 7 é",
        "99999999999999999999 1e400 maybe 2024-02-29 99999999999999999999 \u{FFFD}",
        "-1 -0.0 TRUE - 0 [x]",
        "",
    ];
    let lines = lines.map(String::from);
    let plain = made(library.pattern(pattern).unwrap(), &lines, Envelope::None);
    let wrapped: Vec<String> =
        lines.iter().map(|line| format!("<165>1 2024-02-03T04:05:06.789Z web1 shop 5 - [a b=\"c\"] {line}")).collect();
    let wrapped = made(library.pattern(pattern).unwrap(), &wrapped, Envelope::Syslog);
    let json: Vec<String> = lines
        .iter()
        .map(|line| json!({"message": line, "n": {"x": [1]}, "a": {"f-g": "outer", "new": 1}, "b": null}).to_string())
        .collect();
    let json = made(library.pattern(pattern).unwrap(), &json, Envelope::Json);
    agree(&[plain, wrapped, json]);
}

#[test]
#[ignore = "needs fastavro: run ./test"]
fn a_schema_with_more_fields_reads_what_was_written_before() {
    let schema = |fields: &[&str]| {
        let field = |name: &&str| TypedField::new(name, FieldType::Int).unwrap();
        let fields = fields.iter().map(field).collect();
        SinkEncoding::new(&TypedFields { name: "x".into(), fields }).unwrap().schema_text().to_owned()
    };
    let library = Library::builtin();
    let pattern = library.pattern("^%{INT:n:int} %{INT:[a][b]:int}$").unwrap();
    let before = made(Format { name: "x".into(), ..pattern }, &["1 2".to_owned()], Envelope::None);
    let after = schema(&["n", "[a][new]", "[a][b]", "[c][d]", "message", "e"]);
    let case = json!({"schema": before.schema, "reader": after, "payloads": before.payloads}).to_string();
    let read = fastavro(&["read"], &case);
    let expected = json!({"b": 2, "new": null});
    assert_eq!(
        (&read[0]["n"], &read[0]["a"], &read[0]["c"], &read[0]["e"]),
        (&json!(1), &expected, &json!(null), &json!(null))
    );
}
