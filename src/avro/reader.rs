//! [`Reader`]: decodes payloads, and keeps the schemas of their writers.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::binary::Fault;
use super::decode::decode;
use super::frame::{SchemaKey, schema_of};
use super::schema::Schema;
use crate::core::printable;
use crate::document::Refusal;

/// How long a schema that is not known is not asked for again.
const UNKNOWN_FOR: Duration = Duration::from_secs(30);

/// The most schemas that are kept. Payloads may name any number of them.
const MOST_KEPT: usize = 4096;

/// The reason why there is no schema.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoSchema {
    /// There is no such schema, or it is no schema of Avro. The text is the end of a sentence.
    Unknown(String),
    /// It cannot be had at the moment, for example because the registry does not answer.
    Unavailable(String),
}

/// The reason why a payload was not decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undecoded {
    /// The payload can never be decoded. The record becomes a dead letter with these words, and keeps its payload.
    Refused(Refusal),
    /// The schema cannot be had at the moment. The same payload may be decoded later.
    Unavailable(String),
}

/// Something that knows schemas.
pub trait SchemaSource: Send {
    /// Returns the schema that is called `key`.
    ///
    /// # Errors
    /// There is no such schema, or it cannot be had.
    fn schema(&mut self, key: SchemaKey) -> Result<Arc<Schema>, NoSchema>;
}

/// Schemas that are known from the start, for payloads in the single-object encoding.
#[derive(Debug, Clone, Default)]
pub struct OwnSchemas(HashMap<u64, Arc<Schema>>);

impl OwnSchemas {
    /// Knows these schemas by their fingerprints.
    pub fn new(schemas: impl IntoIterator<Item = Schema>) -> OwnSchemas {
        OwnSchemas(schemas.into_iter().map(|schema| (schema.fingerprint(), Arc::new(schema))).collect())
    }
}

impl SchemaSource for OwnSchemas {
    fn schema(&mut self, key: SchemaKey) -> Result<Arc<Schema>, NoSchema> {
        match key {
            SchemaKey::Fingerprint(fingerprint) => self.0.get(&fingerprint).cloned().ok_or_else(|| {
                NoSchema::Unknown(format!("no schema is known that has the fingerprint {fingerprint:016x}"))
            }),
            SchemaKey::Id(_) | SchemaKey::Guid(_) => Err(NoSchema::Unknown(format!(
                "the payload names schema {key} of a registry, and there is no registry"
            ))),
        }
    }
}

/// Decodes payloads. It keeps the schemas that it has met.
///
/// ```
/// use logator::avro::{OwnSchemas, Reader, Schema};
///
/// let schema = Schema::parse(r#"{"type": "record", "name": "r", "fields": [{"name": "n", "type": "int"}]}"#).unwrap();
/// let mut payload = vec![0xc3, 1];
/// payload.extend(schema.fingerprint().to_le_bytes());
/// payload.push(14);
/// let mut reader = Reader::new(Box::new(OwnSchemas::new([schema])), 1 << 20);
/// let mut json = Vec::new();
/// reader.decode(&payload, None, &mut json).unwrap();
/// assert_eq!(json, br#"{"n":7}"#);
/// ```
pub struct Reader {
    source: Box<dyn SchemaSource>,
    known: HashMap<SchemaKey, Known>,
    /// The largest JSON object in bytes.
    most: usize,
}

enum Known {
    Schema(Arc<Schema>),
    /// There is none, as the source said at this moment.
    Nothing(String, Instant),
}

impl Reader {
    /// Returns a reader with the schemas of `source`. A document may have up to `most` bytes.
    pub fn new(source: Box<dyn SchemaSource>, most: usize) -> Reader {
        Reader { source, known: HashMap::new(), most }
    }

    /// Appends the JSON object of `payload` to `out`, on one line and without a newline. `header` is the value of the message's
    /// header [`VALUE_SCHEMA_HEADER`](super::VALUE_SCHEMA_HEADER), if it has one. Returns the name of the schema.
    ///
    /// # Errors
    /// The payload is no value of its schema, or the schema is unknown or cannot be had at the moment. `out` is then as it
    /// was.
    pub fn decode(&mut self, payload: &[u8], header: Option<&[u8]>, out: &mut Vec<u8>) -> Result<SchemaKey, Undecoded> {
        let (key, at) = schema_of(payload, header).map_err(|words| refused(format!("no Avro: {words}"), false))?;
        let schema = self.schema(key)?;
        match decode(&schema, payload, at, self.most, out) {
            Ok(()) => Ok(key),
            Err(fault) => Err(refused(words_of(key, &fault), fault.too_large)),
        }
    }

    fn schema(&mut self, key: SchemaKey) -> Result<Arc<Schema>, Undecoded> {
        match self.known.get(&key) {
            Some(Known::Schema(schema)) => return Ok(Arc::clone(schema)),
            Some(Known::Nothing(words, since)) if since.elapsed() < UNKNOWN_FOR => {
                return Err(refused(words.clone(), false));
            }
            _ => {}
        }
        match self.source.schema(key) {
            Ok(schema) => {
                self.keep(key, Known::Schema(Arc::clone(&schema)));
                Ok(schema)
            }
            Err(NoSchema::Unknown(words)) => {
                let words = format!("the schema of the payload cannot be found: {words}");
                self.keep(key, Known::Nothing(words.clone(), Instant::now()));
                Err(refused(words, false))
            }
            Err(NoSchema::Unavailable(words)) => Err(Undecoded::Unavailable(words)),
        }
    }

    fn keep(&mut self, key: SchemaKey, known: Known) {
        if self.known.len() >= MOST_KEPT {
            self.known.retain(|_, known| matches!(known, Known::Schema(_)));
        }
        if self.known.len() >= MOST_KEPT {
            self.known.clear();
        }
        self.known.insert(key, known);
    }
}

fn refused(words: String, too_large: bool) -> Undecoded {
    Undecoded::Refused(Refusal { too_large, words })
}

fn words_of(key: SchemaKey, fault: &Fault) -> String {
    let Fault { at, words, path, .. } = fault;
    let field = if path.is_empty() { String::new() } else { format!(", field {}", printable::line(path)) };
    format!("the payload is no value of its schema {key}: byte {at}{field}: {words}")
}
