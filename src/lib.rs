//! logator turns logs into documents, on every core of every machine that you have, and proves that it lost no line.
//!
//! # Data flow
//!
//! ```text
//! source → lines → batch → queue (lease) → wire → worker → grok → event → stages → document → sink → acknowledge
//! ```
//!
//! # Modules
//!
//! A module imports modules of earlier rows only. `tests/structure.rs` checks this.
//!
//! | module | content |
//! |---|---|
//! | [`core`] | batches and lines, errors, stop requests, deadlines, secrets |
//! | [`process`] | the process itself: its signals, its standard streams, the files that it must not read |
//! | [`observe`] | reports on a job: messages, progress, receipt, debug details, service manager |
//! | [`grok`] | patterns: from the bytes of a line to captures |
//! | [`document`] | how a document is written as JSON or BSON, and its stable `_id` |
//! | [`event`] | the fields of a record between match and encoding: decoders, stages |
//! | [`envelope`] | opens the wrapping of a line |
//! | [`dead_letter`] | appends the lines that cannot be stored to a file, with the reason |
//! | [`state`] | the record of settled lines on disk (`--state DIR`) |
//! | [`queue`] | a state machine that holds each batch until it is acknowledged |
//! | [`kafka`] | what the Kafka source, the Kafka sink and `logator-push` share: addresses, settings, the client |
//! | [`avro`] | Avro: schemas, documents as Avro, Avro as JSON, the schema registry |
//! | [`source`] | finds, reads and decompresses inputs, and cuts them into batches |
//! | [`sink`] | stores documents |
//! | [`worker`] | asks for batches, parses lines, stores documents, acknowledges |
//! | `probe` | timed requests: list of URLs, schedule, requests, latencies (with the feature `probe`) |
//! | [`net`] | ZeroMQ: the batch dialogue between queue and workers, PUSH and PULL, keys |
//! | [`app`] | one module per job (`run`, `serve`, `work`, `push`, `pull`, …); it connects the modules above |
//! | [`cli`] | flags, environment and configuration file; it turns them into the options of [`app`] |
//!
//! The programs in `src/bin` parse their arguments with [`cli`], run a job of [`app`], and exit with the code of its receipt.
//!
//! # Words
//!
//! | word | meaning |
//! |---|---|
//! | source | something that lines come from: a file, a pipe, a syslog address |
//! | origin | the stable name of a source's content; by default, the hash of its first line |
//! | offset | the position of a line in the decompressed content, in bytes |
//! | line | the bytes between two newlines, without the newline; a line is bytes, not text, until a pattern matches it |
//! | envelope | the wrapping of a line, JSON or syslog: a message and outer fields |
//! | batch | consecutive lines of one source, with the offset of the first line; the unit of work |
//! | lease | a batch that a worker holds until a deadline (time to run, TTR) |
//! | reserve, touch, release, bury | take a lease; extend its deadline; give the batch back; set a line aside as poison |
//! | acknowledge (ack) | to report that a batch is finished and durable |
//! | settled | of a line: acknowledged, skipped or set aside; nothing more will be done about it |
//! | extent | a run of settled lines, identified by its origin, position and checksum |
//! | poison | a line on which workers die; a *poison candidate* is a batch that may contain such a line |
//! | pattern | a named grok definition: `NAME regex` in a pattern file |
//! | built-in | of a definition: compiled into the program (`patterns/`) |
//! | format | a pattern with types, a date and tests; a user names it with `--format combined` |
//! | event | the fields of one record between match and encoding: borrowed, typed when somebody asks, changed by stages |
//! | stage | a step that changes events, drops them (*filtered* in the receipt) or names their sinks |
//! | document | the typed fields of one line, with a stable `_id` |
//! | sink | a store for documents; it answers for each document: stored, duplicate, rejected (permanent), failed (temporary) |
//! | dead letter | a line that could not be stored, kept with its reason so that it can be replayed |
//! | delivered | of a line: given to a client of the line dialogue, which then asked for its next line |
//! | receipt | the final account: read = stored (parsed + unparsed) + duplicate + dead-lettered + filtered + delivered |

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod app;
pub mod avro;
pub mod cli;
pub mod core;
pub mod dead_letter;
pub mod document;
pub mod envelope;
pub mod event;
pub mod grok;
pub mod kafka;
pub mod net;
pub mod observe;
#[cfg(feature = "probe")]
pub mod probe;
pub mod process;
pub mod queue;
pub mod sink;
pub mod source;
pub mod state;
pub mod worker;
