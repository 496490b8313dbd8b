//! Dead letters: lines that could not be stored. They are kept with their reason, so that they can be replayed.
//!
//! A file of dead letters has one JSON object per line:
//!
//! | key | value |
//! |---|---|
//! | `_id` | the id the document would have had |
//! | `origin` | `{"id": 16 hexadecimal digits, "name": …}`, and `"envelope": "json"` or `"syslog"` if the lines of the source are wrapped |
//! | | and `path`, `host`, `compression` and `encoding` of the source, as far as they are known |
//! | `offset` | byte offset of the line in the decompressed content |
//! | `line` | the number of the line in the content, from 1 on; absent if it is not known |
//! | `rule` | the rule of the id if it is not the offset: `number`, `time` or `given` |
//! | `number` | the number of the record, by the rule `number` |
//! | `ns`, `ordinal` | nanoseconds since 1970, and the ordinal among equal times, by the rule `time` |
//! | `read_at` | the time of the record's [context](crate::core::context::Context); letters of version 0.1.0 lack it |
//! | `header` | the header that was in force at the line; absent if there was none |
//! | `time` | the time at which the line was given up, `2015-05-17T10:05:03.000Z` |
//! | `reason` | `rejected`, `too_long`, `limit`, `unmatched`, `oversize` or `poison`; see [`Reason`] |
//! | `detail` | the message of the store or of the engine |
//! | `pattern` | the pattern concerned; if no pattern matches, the one that got furthest; absent if there is none |
//! | `explain` | how far the pattern got: `{"matched": text of its beginning that matches, "offset": byte of the line at which |
//! | | the match ends, "failed": text of the part that does not match there}`; absent if that is not known |
//! | `raw` | the line without its end; absent if it is not UTF-8 |
//! | `raw_base64` | the line, if it is not UTF-8, in base64 with padding |
//! | `length` | the length of the whole line in bytes |
//! | `partial` | `true` if the line is only a part of a line of a followed file; otherwise absent |
//! | `multiline_cut` | `true` if the record ended at a limit of time, lines or bytes; otherwise absent |
//! | `truncated` | `true` if `raw` is only the beginning of the line; otherwise absent |

mod letter;
mod reader;
#[cfg(test)]
mod tests;
mod writer;

pub use letter::{DeadLetter, Explanation, Letter, Reason};
pub use reader::read;
pub use writer::DeadLetters;
