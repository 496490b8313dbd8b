//! fastavro, an implementation of Avro that is independent of this project: it reads what the sink writes, and writes what
//! the source reads.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::needs::given;

/// Reads one request in JSON from its input and prints the answer in JSON. Bytes are hex digits, times are text.
const SCRIPT: &str = r#"
import datetime, decimal, io, json, struct, sys, uuid
import fastavro
from fastavro.schema import fingerprint, to_parsing_canonical_form

request = json.load(sys.stdin)
schemas = {int(id): fastavro.parse_schema(schema) for id, schema in request["schemas"].items()}
prints = {id: bytes.fromhex(fingerprint(to_parsing_canonical_form(schema), "CRC-64-AVRO")) for id, schema in schemas.items()}

def plain(value):
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    if isinstance(value, (datetime.date, datetime.time, decimal.Decimal, uuid.UUID)):
        return str(value)
    if isinstance(value, bytes):
        return value.hex()
    raise TypeError(value)

def schema_of(message):
    if request["frame"] == "confluent":
        assert message[0] == 0, "the first byte is 0"
        return struct.unpack(">I", message[1:5])[0], message[5:]
    assert message[:2] == b"\xc3\x01", "the first bytes are those of a single object"
    found = [id for id, print in prints.items() if print == message[2:10] or print == message[9:1:-1]]
    assert found, "the fingerprint is that of no schema: " + message[2:10].hex()
    assert prints[found[0]] == message[2:10], "the fingerprint is little-endian"
    return found[0], message[10:]

def decode(message):
    id, body = schema_of(bytes.fromhex(message))
    reader = io.BytesIO(body)
    document = fastavro.schemaless_reader(reader, schemas[id], None)
    assert reader.read() == b"", "something follows the document"
    return {"schema": id, "document": document}

def encode(document):
    id = request["id"]
    body = io.BytesIO()
    fastavro.schemaless_writer(body, schemas[id], document)
    head = b"\0" + struct.pack(">I", id) if request["frame"] == "confluent" else b"\xc3\x01" + prints[id]
    if request["frame"] == "bare":
        head = b""
    return (head + body.getvalue()).hex()

answer = [decode(message) for message in request.get("decode", [])] + [encode(document) for document in request.get("encode", [])]
json.dump(answer, sys.stdout, default=plain)
"#;

fn ask(request: &Value) -> Vec<Value> {
    let python = given("LOGATOR_TEST_PYTHON", "fastavro");
    let mut command = Command::new(python);
    command.args(["-c", SCRIPT]).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("Python");
    let mut stdin = child.stdin.take().expect("its input is ours");
    let request = request.to_string();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(request.as_bytes()).ok());
        child.wait_with_output().expect("its output")
    });
    assert!(output.status.success(), "fastavro: {}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &Value) -> Vec<u8> {
    let hex = hex.as_str().expect("hex digits").as_bytes();
    hex.chunks(2).map(|two| u8::from_str_radix(std::str::from_utf8(two).unwrap(), 16).unwrap()).collect()
}

/// How a message names the schema with which it was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// A zero and the id in the registry.
    Confluent,
    /// The single-object encoding: a fingerprint.
    Single,
    /// Not at all: a header has the id.
    Bare,
}

impl Frame {
    fn name(self) -> &'static str {
        match self {
            Frame::Confluent => "confluent",
            Frame::Single => "single",
            Frame::Bare => "bare",
        }
    }
}

/// Returns the document of each message, and the id of its schema. Times are text as Python writes them, bytes are hex digits.
pub fn decode<'a>(
    frame: Frame,
    schemas: &BTreeMap<u32, Value>,
    messages: impl IntoIterator<Item = &'a [u8]>,
) -> Vec<(u32, Value)> {
    let messages: Vec<String> = messages.into_iter().map(hex).collect();
    let answer = ask(&json!({ "frame": frame.name(), "schemas": schemas, "decode": messages }));
    let pair = |mut answer: Value| (answer["schema"].as_u64().expect("an id") as u32, answer["document"].take());
    answer.into_iter().map(pair).collect()
}

/// Returns each document as a message, written by the schema with that id.
pub fn encode(frame: Frame, id: u32, schema: &Value, documents: &[Value]) -> Vec<Vec<u8>> {
    let request =
        json!({ "frame": frame.name(), "schemas": { id.to_string(): schema }, "id": id, "encode": documents });
    ask(&request).iter().map(bytes).collect()
}

#[test]
#[ignore = "needs fastavro: run ./test"]
fn what_is_encoded_is_decoded() {
    let schema = json!({ "type": "record", "name": "R", "fields": [{ "name": "a", "type": ["null", "string"], "default": null }] });
    let documents = [json!({ "a": "x" }), json!({ "a": null })];
    for frame in [Frame::Confluent, Frame::Single] {
        let messages = encode(frame, 77, &schema, &documents);
        let schemas = BTreeMap::from([(3, json!("string")), (77, schema.clone())]);
        let decoded = decode(frame, &schemas, messages.iter().map(Vec::as_slice));
        assert_eq!(decoded, documents.clone().map(|document| (77, document)));
    }
    assert_eq!(encode(Frame::Bare, 77, &schema, &documents), [&b"\x02\x02x"[..], b"\x00"]);
}
