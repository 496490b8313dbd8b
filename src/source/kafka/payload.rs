//! The value of a record as a line, by the format that the user names.

use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

use serde::de::IgnoredAny;

use super::options::{Format, Options};
use crate::avro::registry::{Registry, RegistrySchemas};
use crate::avro::{NoSchema, OwnSchemas, Reader, Schema, SchemaKey, SchemaSource, Undecoded};
use crate::core::error::{Error, Result};
use crate::kafka::Address;
use crate::kafka::registry::registry;

/// Reads values.
pub struct Payloads {
    decoder: Decoder,
    /// An empty buffer.
    buffer: Vec<u8>,
}

/// How values are read.
enum Decoder {
    Raw,
    Json,
    Avro(Box<Reader>),
}

/// Why a value is no line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// The value is in another form.
    Undecodable(String),
    /// It cannot be said now, because the schema registry does not answer.
    Unavailable(String),
}

/// Schemas of a file, and of a registry.
struct Schemas {
    own: OwnSchemas,
    registry: Option<RegistrySchemas>,
}

impl SchemaSource for Schemas {
    fn schema(&mut self, key: SchemaKey) -> Result<Arc<Schema>, NoSchema> {
        match (&mut self.registry, key) {
            (Some(registry), SchemaKey::Id(_) | SchemaKey::Guid(_)) => registry.schema(key),
            _ => self.own.schema(key),
        }
    }
}

impl Payloads {
    /// Reads values as `options`, which are those of `address`, say. A line that is made of a value has at most `max_line` bytes.
    ///
    /// # Errors
    /// A usage error: the address of the registry is wrong, or the schema cannot be read.
    pub fn open(address: &Address, options: &Options, max_line: usize) -> Result<Payloads> {
        let decoder = match options.format {
            Format::Raw => Decoder::Raw,
            Format::Json => Decoder::Json,
            Format::Avro => {
                let own = options.schema.as_deref().map(schema_in).transpose()?;
                let registry = registry(address).map_err(|why| Error::usage(format!("{address}: {why}")))?;
                let registry = registry.map(|registry| Registry::new(&registry)).transpose()?;
                let registry = registry.map(|registry| RegistrySchemas::new(Arc::new(registry)));
                let schemas = Schemas { own: OwnSchemas::new(own), registry };
                Decoder::Avro(Box::new(Reader::new(Box::new(schemas), max_line)))
            }
        };
        Ok(Payloads { decoder, buffer: Vec::new() })
    }

    /// Whether the header that names the schema of a value is of use.
    pub fn wants_schema(&self) -> bool {
        matches!(self.decoder, Decoder::Avro(_))
    }

    /// Returns the value as a line. A line may hold newlines. `schema` is the header that names the schema of the value.
    ///
    /// # Errors
    /// Why the value is no line.
    pub fn line<'a>(&mut self, value: &'a [u8], schema: Option<&[u8]>) -> Result<Cow<'a, [u8]>, Refusal> {
        match &mut self.decoder {
            Decoder::Raw => Ok(Cow::Borrowed(value)),
            Decoder::Json => json(value).map(Cow::Borrowed),
            Decoder::Avro(reader) => {
                let mut line = std::mem::take(&mut self.buffer);
                match reader.decode(value, schema, &mut line) {
                    Ok(_) => Ok(Cow::Owned(line)),
                    Err(Undecoded::Refused(refusal)) => Err(Refusal::Undecodable(refusal.words)),
                    Err(Undecoded::Unavailable(words)) => Err(Refusal::Unavailable(words)),
                }
            }
        }
    }

    /// Takes a line back, so that its memory is used again.
    pub fn give_back(&mut self, line: Cow<'_, [u8]>) {
        if let Cow::Owned(mut line) = line {
            line.clear();
            self.buffer = line;
        }
    }
}

/// Reads the schema in a file.
fn schema_in(path: &Path) -> Result<Schema> {
    let wrong = |words: String| Error::usage(format!("the schema {}: {words}", path.display()));
    let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
    Schema::parse(&text).map_err(wrong)
}

/// Checks that a value is a JSON object. White space around it is left out.
fn json(value: &[u8]) -> Result<&[u8], Refusal> {
    let text = value.trim_ascii();
    if text.first() != Some(&b'{') {
        return Err(Refusal::Undecodable("it is no JSON object".to_owned()));
    }
    let refused = |why: String| Err(Refusal::Undecodable(format!("it is no JSON object: {why}")));
    if let Err(error) = std::str::from_utf8(text) {
        return refused(error.to_string());
    }
    match serde_json::from_slice::<IgnoredAny>(text) {
        Ok(_) if is_too_deep(text) => refused(format!("it is nested more than {MAX_DEPTH} levels deep")),
        Ok(_) => Ok(text),
        Err(error) => refused(error.to_string()),
    }
}

/// The number of levels that workers read, too.
const MAX_DEPTH: usize = 128;

/// Returns whether a JSON text is nested too deep. The library skips a value of any depth.
fn is_too_deep(text: &[u8]) -> bool {
    let (mut depth, mut in_text, mut escaped) = (0_usize, false, false);
    text.iter().any(|byte| {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_text => escaped = true,
            b'"' => in_text = !in_text,
            b'{' | b'[' if !in_text => depth += 1,
            b'}' | b']' if !in_text => depth = depth.saturating_sub(1),
            _ => {}
        }
        depth > MAX_DEPTH
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_json_value_is_one_object_and_anything_else_is_refused() {
        for (value, expected) in [
            (&b"{}"[..], Some(&b"{}"[..])),
            (b" {\"a\": {\n\"b\": [1]}}\r\n", Some(b"{\"a\": {\n\"b\": [1]}}")),
            (b"", None),
            (b"[1]", None),
            (b"{\"a\":1", None),
            (b"{\"a\":1}{\"a\":2}", None),
            (b"\xff{}", None),
            (b"{\"a\":\"\xff\"}", None),
        ] {
            assert_eq!(json(value).ok(), expected, "{}", String::from_utf8_lossy(value));
        }
        let deep = [b"{\"a\":".repeat(100_000), b"1".to_vec(), b"}".repeat(100_000)].concat();
        assert!(json(&deep).is_err(), "the depth is limited");
        let brackets = format!("{{\"a\":\"\\\"{}\"}}", "[".repeat(1000));
        assert!(json(brackets.as_bytes()).is_ok(), "brackets in a text are no levels");
    }
}
