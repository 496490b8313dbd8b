//! Dead letters: lines that could not be stored, kept with their reason so that they can be replayed.
//!
//! One JSON object a line:
//!
//! | key | value |
//! |---|---|
//! | `_id` | the id the document would have had |
//! | `origin` | `{"id": 16 hexadecimal digits, "name": …}`, and `"envelope": "json"` or `"syslog"` if its lines are wrapped |
//! | `offset` | byte offset of the line in the decompressed content |
//! | `time` | when it was given up, `2015-05-17T10:05:03.000Z` |
//! | `reason` | `rejected`, `too_long`, `limit`, `unmatched`, `oversize` or `poison`; see [`Reason`] |
//! | `detail` | the words of the store or of the engine |
//! | `pattern` | the pattern concerned, of those that do not match the one that got furthest; left out when there is none |
//! | `explain` | how far it got: `{"matched": text of its beginning that matches, "offset": byte of the line at which that |
//! | | ends, "failed": text of the part that does not match there}`; left out when there is nothing to tell |
//! | `raw` | the line without its end; left out when it is not UTF-8 |
//! | `raw_base64` | the line where it is not UTF-8, in base64 with padding |
//! | `length` | the line's length in bytes |
//! | `partial` | `true` when the line is a part of a line of a followed file; left out otherwise |
//! | `truncated` | `true` when `raw` is only the line's beginning; left out otherwise |

mod letter;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use letter::{DeadLetter, Explanation, Letter, Reason};
pub use reader::read;
pub use writer::DeadLetters;
