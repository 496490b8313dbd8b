//! [`SinkEncoding`]: documents as Avro records, for a sink.

use std::fmt;
use std::sync::Arc;

use super::frame::Frame;
use super::plan::Plan;
use super::schema::Schema;
use super::schema_text;
use super::writer::{AvroWriter, Memory};
use crate::core::error::{Error, Result};
use crate::core::record::RecordId;
use crate::document::{DocumentWriter, Refusal};
use crate::event::{DocumentEncoder, DocumentEncoderSpec, Event, TypedFields};

/// The schema of the documents of a job.
///
/// ```
/// use logator::avro::SinkEncoding;
/// use logator::event::TypedFields;
/// use logator::grok::Library;
///
/// let format = Library::builtin().pattern("%{WORD:verb} %{INT:status:int}").unwrap();
/// let encoding = SinkEncoding::new(&TypedFields::of(&format)).unwrap();
/// assert!(encoding.schema_text().contains(r#"{"name": "status", "type": ["null", "long", "string"], "default": null}"#));
/// ```
#[derive(Debug, Clone)]
pub struct SinkEncoding {
    plan: Arc<Plan>,
    text: Arc<str>,
    fingerprint: u64,
}

impl SinkEncoding {
    /// Makes the schema of documents with `fields`.
    ///
    /// # Errors
    /// A usage error when a field needs a name to be a value and another one needs it to be an object.
    pub fn new(fields: &TypedFields) -> Result<SinkEncoding> {
        let plan = Plan::new(fields)?;
        let text = schema_text::text(&plan);
        let schema = Schema::parse(&text);
        let schema =
            schema.map_err(|words| Error::internal(format!("the Avro schema of documents is wrong: {words}")))?;
        Ok(SinkEncoding { plan: Arc::new(plan), text: text.into(), fingerprint: schema.fingerprint() })
    }

    /// Returns the schema in the JSON form of Avro, with a newline at its end. The same fields give the same bytes.
    pub fn schema_text(&self) -> &str {
        &self.text
    }

    /// Returns the fingerprint of the schema, CRC-64-AVRO.
    pub fn fingerprint(&self) -> u64 {
        self.fingerprint
    }

    /// Returns the frame of a payload without a registry.
    pub fn single_object(&self) -> Frame {
        Frame::SingleObject(self.fingerprint)
    }

    /// Returns the encoder of documents whose payloads begin with `frame`.
    pub fn framed(&self, frame: Frame) -> Arc<dyn DocumentEncoderSpec> {
        Arc::new(FramedSpec { plan: Arc::clone(&self.plan), frame })
    }
}

struct FramedSpec {
    plan: Arc<Plan>,
    frame: Frame,
}

impl fmt::Debug for FramedSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FramedSpec").field("frame", &self.frame).finish_non_exhaustive()
    }
}

impl DocumentEncoderSpec for FramedSpec {
    fn encoder(&self) -> Result<Box<dyn DocumentEncoder>> {
        let mut prefix = Vec::new();
        self.frame.write(&mut prefix);
        Ok(Box::new(Encoder { plan: Arc::clone(&self.plan), prefix, memory: Memory::default() }))
    }
}

/// The encoder of one thread.
struct Encoder {
    plan: Arc<Plan>,
    prefix: Vec<u8>,
    memory: Memory,
}

impl DocumentEncoder for Encoder {
    fn encode(&mut self, event: &mut Event<'_>, id: &RecordId, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let mut writer = AvroWriter::begin(&self.plan, &mut self.memory);
        writer.name(super::plan::ID);
        writer.text(id.digits().as_bytes());
        event.write(&mut writer);
        out.reserve(self.prefix.len() + event.text().len() + 128);
        out.extend_from_slice(&self.prefix);
        self.memory.finish(&self.plan, out);
        Ok(())
    }
}
