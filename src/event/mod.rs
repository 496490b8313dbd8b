//! Events: the fields of one record between match and encoding.
//!
//! A [`decoder`] reads the fields of a record from its text. They stay where they are: in the spans of a pattern
//! or on the tape of a JSON object. [`OuterFields`] has those of the envelope. [`Event`] joins them. Stages may read,
//! set and remove fields; what they change is a list beside the fields. A document is written from all of this at once, with
//! the text of the record where a part of it would be lost, and with the [`SourceFields`].

mod additions;
mod captured;
mod captures;
mod changes;
mod dates;
pub mod decoder;
#[expect(clippy::module_inception, reason = "the module is named for what it is about, and so is the file")]
mod event;
mod field_dates;
mod fields;
mod layout;
mod members;
mod message_rule;
mod object;
mod outer_fields;
mod plan;
mod read;
mod shape;
mod source_fields;
pub mod stage;
mod tag_counts;
mod tape;
// The BSON documents are checked with the driver's own reader.
#[cfg(all(test, feature = "mongodb"))]
mod tests;
mod typed;
mod unescape;
mod value;
mod written;

pub use captured::CapturedFields;
pub use captures::CaptureEncoder;
pub use changes::Changes;
pub use event::Event;
pub use fields::Fields;
pub use layout::{Body, DocumentEncoder, DocumentEncoderSpec, IdPlace, Layout, LayoutWriter, Undated, Wanted};
pub use message_rule::MessageRule;
pub use outer_fields::OuterFields;
pub use source_fields::{SPARE_NAMES, SourceFields, source_names};
pub use tag_counts::TagCounts;
pub use typed::{TypedField, TypedFields};
pub use value::{FieldPath, Value};
