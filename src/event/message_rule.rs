//! [`MessageRule`]: when a document has the text of its record.

/// When a document has the whole text of its record, beside the fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum MessageRule {
    /// If the match does not span the text, and if a part of it could not be read.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never. What follows the first line of a record, and has no field of its own, is kept all the same.
    Never,
}
