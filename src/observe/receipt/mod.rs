//! The receipt: the final account of a run. Its two sides must be equal.
//!
//! | file | content |
//! |---|---|
//! | `account` | the receipt as data: the fields of its JSON, the exit code |
//! | `text` | the receipt as text for people |

mod account;
#[cfg(test)]
mod tests;
mod text;

pub use self::account::{
    Counted, LeftOutFile, Loss, ReadContainer, Receipt, StoppedInput, UnreadFile, Way, resource_usage,
};
pub use super::counters::Tally;
