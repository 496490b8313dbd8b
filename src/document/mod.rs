//! Documents: the typed fields of one line with a stable `_id`, and how JSON and BSON write them.
//!
//! A document holds `_id`, then `@timestamp`, then the fields in the order of the pattern, then `tags`. The JSON
//! document and the BSON document of a line hold the same, except for names that MongoDB refuses.
//!
//! * **Fields.** An empty capture, or one that took no part in the match, gives no field. An object without members is
//!   left out. A name that captured more than once becomes an array. Fields of `[@metadata]` are left out.
//! * **Types.** `int` is a 64-bit integer, `float` a double (never NaN or infinite), `bool` is `true` or `false` in any
//!   case, `date` a BSON date or an ISO text (`2015-05-17T10:05:03.000Z`), `ip` a text. A value that cannot be converted
//!   stays a text, and the document is tagged `_typefailure:FIELD`. A number is converted only if it is the whole text;
//!   blanks around it do not count. `event/plan.rs` says where this follows Logstash and where it does not.
//! * **`@timestamp`** is the point in time that the date rule reads from its field, or from the first field of type `date` if a
//!   pattern has no rule: UTC, a BSON date in milliseconds, or an ISO text with as many digits as were read, up to nine. If the
//!   field exists but is not a date, there is no `@timestamp` and the tag is `_dateparsefailure:FIELD`. If it may be several
//!   dates, the tag is `_dateambiguous:FIELD`; a time that a clock showed twice has the tag `_datefold:FIELD`. The field itself
//!   stays as captured. `doc/dates.md` lists the shapes. For a sink that asks for it, a
//!   record without a time has the time of its arrival, and the tag is `_arrival_time`.
//! * **Names** are kept. `_id`, `@timestamp` and `tags` belong to logator: a field of that name at the top level gets a
//!   `_` at its end (`tags_`). In BSON documents leading `$` signs, and each `.` and NUL in each part of a name, become
//!   `_`. Two fields of a pattern that would get the same name by these rules are a usage error.
//! * **Text** that is not UTF-8 has its invalid bytes replaced by U+FFFD, and the tag is `_invalid_utf8`. NUL and
//!   control characters are kept.
//! * **Unmatched lines** become `_id`, `message` (the whole line, even if it is empty) and the tag `_grokparsefailure`.
//! * **The whole record** stands in `message` if the match does not span it, or if a part of it could not be read. If the
//!   record has a field of that name, it stands in `event.original`. [`MessageRule`](crate::event::MessageRule) decides it.
//! * **Fields of the source** such as `path` and `host` come last. A field of the record with the same name counts instead.
//!
//! # Lines that are JSON objects
//! With [`JsonDecoder`](crate::event::decoder::JsonDecoder) a line must be one JSON object, at most 128 levels deep. Any other line is unmatched.
//! The members of the object follow `_id` and `@timestamp` in their order. The rule for names holds on every level.
//!
//! * **Numbers.** Integers of 64 bits stay integers. A larger integer stays a text of all its digits, tagged
//!   `_typefailure:FIELD`. A number with a point or an exponent becomes the nearest double, however many digits it has. A
//!   number that is too large for a double (`1e400`), or that would wrongly become zero (`1e-400`), stays a text with the
//!   same tag. `-0` is a double.
//! * **Duplicate names.** Names that occur twice in one object, or that become the same name by the rule for names, are
//!   one field: the array of their values, in their order. The document is tagged `_duplicate_field:NAME`, where
//!   NAME has no path, on whatever level the name stands.
//! * **An unpaired surrogate** in an escape is replaced by U+FFFD, as invalid UTF-8 is.
//! * **The `@timestamp` of a line itself** is replaced if the date rule can read it, and becomes `@timestamp_`
//!   otherwise. If there are several, the first that can be read counts, and all of them stay in `@timestamp_`.

mod beside;
mod bson;
mod bson_type;
pub mod date;
mod encoded;
pub(crate) mod escape;
mod field_value;
mod json;
pub(crate) mod keys;
pub(crate) mod value;
mod writer;

pub use beside::{Beside, TimeSource};
pub(crate) use bson::Bson;
pub use encoded::{Documents, EncodedDocument, Encoding, Refusal};
pub use field_value::Value;
pub(crate) use json::Json;
pub(crate) use keys::display_path;
pub(crate) use writer::{DocumentWriter, EncodedMembers, Tags, write_text};
