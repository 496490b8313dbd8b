//! The receipt: the final account of a run. Its two sides must be equal.
//!
//! | file | content |
//! |---|---|
//! | `tally` | the number of lines by their fate |
//! | `account` | the receipt as data: the fields of its JSON, the exit code |
//! | `text` | the receipt as text for people |

mod account;
mod tally;
#[cfg(test)]
mod tests;
mod text;

pub use self::account::{PatternCount, Receipt, SourceCount, StoppedInput, UnreadFile};
pub use self::tally::Tally;
