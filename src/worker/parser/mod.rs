//! From the lines of a batch to encoded documents.

mod detection;
mod formats;
mod parsed;
mod parsing;
mod rule;

pub use formats::{Formats, Unmatched};
pub use parsed::{Fate, LetterDraft, Parsed};
pub use parsing::Parser;
