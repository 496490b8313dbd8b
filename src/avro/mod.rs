//! Avro (specification 1.12): the schema of documents, documents as Avro, payloads of other writers as JSON, and the schema
//! registry.
//!
//! * **Writing.** [`SinkEncoding`] makes a schema from the types of a format and encodes events with it. Every field is a union
//!   with null first and null as its default, so a schema with more fields is compatible with the one before it. Fields that
//!   the schema does not have are kept in the map `extra`.
//! * **Reading.** [`Reader`] decodes a payload with the schema of its writer and gives one JSON object. A payload is any
//!   sequence of bytes: what is no value of the schema is refused with the position of the fault, in bounded memory and time.
//! * **Frames.** A payload names the schema of its writer: by the id or the GUID of a registry, in front of the value or in a
//!   header of the message, or by the fingerprint of the schema ([`frame`]).
//!
//! The encoding is written and read here by hand, because both ways work on bytes: events are encoded from their spans, and
//! JSON is written from the payload. A library would build a tree of values for each record in between.

mod binary;
mod canonical;
mod decode;
mod encoder;
pub mod frame;
mod logical;
mod names;
mod plan;
mod reader;
#[cfg(feature = "kafka")]
pub mod registry;
mod schema;
mod schema_reader;
mod schema_text;
mod single;
#[cfg(test)]
mod tests;
mod writer;

pub use encoder::SinkEncoding;
pub use frame::{Frame, SchemaKey, VALUE_SCHEMA_HEADER};
pub use reader::{NoSchema, OwnSchemas, Reader, SchemaSource, Undecoded};
pub use schema::Schema;
