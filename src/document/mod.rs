//! Documents: the fields of one line, typed, with a stable `_id`, encoded straight from the line's spans.
//!
//! # The shape of a document
//! `_id`, then `@timestamp`, then the fields in the order of the pattern, then `tags`. JSON and BSON documents of a line
//! hold the same, but for names that MongoDB does not take.
//!
//! * **Fields.** A capture that is empty or took no part is left out, and so is an object with nothing in it. A name
//!   that captured more than once is an array. Fields of `[@metadata]` are left out.
//! * **Types.** `int` is a 64-bit integer, `float` a double (never NaN or infinite), `bool` is `true` or `false` in any
//!   case, `date` a BSON date or an ISO text (`2015-05-17T10:05:03.000Z`), `ip` a text. A number is read from the
//!   beginning of its text as Logstash does, zero if there is none, and the document is tagged `_typefailure` when
//!   something else stood there. What does not convert stays text, tagged alike. An empty number is zero. `plan.rs` has
//!   what is Logstash's way in this and what is not.
//! * **`@timestamp`** is the point in time of the date rule's field: UTC, in milliseconds, a BSON date or an ISO text.
//!   When the field is there but is no date, there is no `@timestamp` and the tag is `_dateparsefailure`. The field
//!   itself stays as captured. [`date`] lists the formats.
//! * **Names** are kept. `_id`, `@timestamp` and `tags` are logator's own: a field of that name at the top gets a `_` at its
//!   end (`tags_`). In BSON documents leading `$` signs, and each `.` and NUL in each part of a name, become `_`. Fields of
//!   a pattern that would be one by that are a usage error.
//! * **Text** that is not UTF-8 has its wrong bytes replaced by U+FFFD, and the tag is `_invalid_utf8`. NUL and control
//!   characters are kept.
//! * **Unmatched lines** are `_id`, `message` (the whole line, even if empty) and the tag `_grokparsefailure`.
//!
//! # Lines that are JSON objects
//! With [`Encoder::json_object`] a line must be one JSON object, at most 128 levels deep; any other line is unmatched.
//! Its members follow `_id` and `@timestamp` in their order; the rule for names holds on every level.
//!
//! * **Numbers.** Integers of 64 bits stay integers. An integer beyond them stays a text of all its digits, tagged
//!   `_typefailure`. A number with a point or an exponent becomes the nearest double, whatever the number of its digits; one
//!   that is beyond every double (`1e400`), or would be zero and is not (`1e-400`), stays a text, tagged alike. `-0` is a
//!   double.
//! * **Names that are there twice** in one object, or are one once the store's names are given to them, are one field: the
//!   array of their values, in their order, and the document is tagged `_duplicate_field:NAME`, with the name alone, whatever
//!   it is in.
//! * **Half of a surrogate pair** is replaced like wrong UTF-8.
//! * **A line's own `@timestamp`** is replaced when the date rule reads it, and is `@timestamp_` otherwise. Of several, the
//!   first that reads counts, and all stay in `@timestamp_`.

mod bson;
mod bson_type;
mod captures;
pub mod date;
mod encoded;
mod encoder;
pub(crate) mod escape;
pub mod id;
mod json;
mod keys;
mod members;
mod object;
mod outer_fields;
mod plan;
mod scan;
mod stored_tape;
mod tape;
mod writer;
// The BSON documents are checked with the driver's own reader.
#[cfg(all(test, feature = "mongodb"))]
mod tests;
mod value;

pub use captures::CaptureEncoder;
pub use encoded::{Documents, EncodedDocument, Encoding};
pub use encoder::Encoder;
pub use id::DocumentId;
pub use outer_fields::OuterFields;
