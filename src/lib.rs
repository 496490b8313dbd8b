//! logator turns logs into documents, on every core of every machine you have, and can prove that it lost none.
//!
//! # The way of a line
//!
//! ```text
//! source → lines → batch → queue (lease) → wire → worker → grok → document → sink → ack
//! ```
//!
//! [`source`] reads and decompresses, and cuts contents into batches. A [`queue`] holds batches until they are
//! acknowledged; [`server`] and [`client`] carry them over ZeroMQ as [`wire`] spells them out. A [`worker`] parses lines
//! with [`grok`], encodes [`document`]s and gives them to [`sink`]s. The [`receipt`] accounts for every line, and [`state`]
//! remembers over runs which lines are settled. [`app`] puts all of it together; the programs call those.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | source | where lines come from; it has an *origin*, a stable name for its content, and byte offsets |
//! | envelope | how a line is wrapped: a message, and fields around it |
//! | line | the bytes between two newlines, the newline not included; bytes, not text, until matched |
//! | batch | consecutive lines of one source, with the offset of the first; the unit of work |
//! | lease | a batch handed to one worker until a deadline (time to run, TTR) |
//! | settled | of a line: acknowledged, passed over or set aside; nothing more will be done about it |
//! | extent | a run of settled lines, known by its origin, place and checksum |
//! | ack, release, touch, bury | finished, given back, deadline extended, set aside as poison |
//! | poison candidate | a batch that workers may be lost on; a *poison* line is one that they are, to be buried |
//! | pattern | a named grok definition, `NAME regex` in a pattern file |
//! | built-in | the definitions that are compiled in (`patterns/`) |
//! | golden line | a line of `tests/grok` with the document that is to come of it |
//! | token | in the linear engine: a part of a pattern without captures, whose end an automaton knows |
//! | format | a pattern plus types, date and tests: what a user names with `--format combined` |
//! | document | the fields of one line, typed, with a stable `_id` |
//! | sink | where documents go; it answers for each: stored, duplicate, rejected (for good), failed (for now) |
//! | dead letter | a line that could not be stored, kept with its reason so that it can be replayed |
//! | tally | lines by what became of them |
//! | delivered | of a line: given to a peer of the line dialogue, which has asked for the next one since |
//! | receipt | the closing account: read = stored + duplicate + unmatched + dead-lettered + filtered + delivered |

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod app;
pub mod cli;
pub mod core;
pub mod dead_letter;
pub mod document;
pub mod envelope;
pub mod grok;
pub mod net;
pub mod observe;
pub mod process;
pub mod queue;
pub mod sink;
pub mod source;
pub mod state;
pub mod worker;
