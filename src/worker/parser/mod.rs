//! Detects the format of lines, and turns the lines of a batch into encoded documents.
//!
//! `formats` holds what all parsers of a process share, `detection` finds the format of an input, `rule` is a format as
//! one thread uses it, `syslog` has the formats that are syslog messages, `text` makes the text of a record from its bytes, `parsing`
//! does the work, `finishing` makes the documents, `chain` has the stages, and `parsed` is the result.

mod chain;
mod detection;
mod explaining;
mod finishing;
mod first_line;
mod formats;
mod parsed;
mod parsing;
mod rule;
mod syslog;
pub mod text;
mod wrapped;

pub use formats::{Formats, Unmatched};
pub use parsed::{Fate, LetterDraft, Parsed};
pub use parsing::Parser;
