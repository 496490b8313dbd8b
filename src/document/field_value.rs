//! [`Value`]: the value of one field.

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
    /// Milliseconds since 1970, in the years 0 to 9999.
    Date(i64),
    /// A text. Invalid UTF-8 in it is replaced when it is written.
    Text(&'a [u8]),
}
