//! [`Value`]: the value of one field.

use super::date::Date;

/// The value of a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// JSON's `null`.
    Null,
    /// True or false.
    Bool(bool),
    /// A 64-bit integer.
    Int(i64),
    /// A finite number.
    Float(f64),
    /// A point in time.
    Date(Date),
    /// A text. Invalid UTF-8 in it is replaced when it is written.
    Text(&'a [u8]),
}
