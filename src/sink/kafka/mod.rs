//! The Kafka sink: `kafka://BROKERS/TOPIC?…`. `doc/kafka.md` states the promises.
//!
//! | part | what it owns |
//! |---|---|
//! | `address`, `target`, `options`, `counters` | what the program knows before a sink is opened |
//! | `producing` | the settings of the client that logator sets itself |
//! | `startup` | opens the sink: client and topic |
//! | `encoding` | JSON or Avro; the schema, its file, and its id in the registry |
//! | `session` | one client with its thread, and its replacement |
//! | `reports` | the reports of messages, and the calls that wait for them |
//! | `delivery` | sends messages and waits until all reports are in |
//! | `verdict` | what a report says about a message |
//! | `documents`, `records` | the two kinds of sinks: of documents, and of records as they were read |
//!
//! **Durable** means that all replicas in sync have confirmed the message (`acks=all`).
//!
//! **Stored or duplicate.** A topic does not know ids, so nothing is a duplicate here. The client writes no message twice by
//! itself (`enable.idempotence`), but this ends with the process. Each message has headers with its `_id`, by which a reader
//! recognises it.
//!
//! **One limit of time.** The client itself never gives a message up. The deadline of the job decides, as for any other sink.
//! Then the client forgets the messages that it still has, so that none of them is written after its batch was given back.

mod address;
mod counters;
#[cfg(feature = "kafka")]
mod delivery;
#[cfg(feature = "kafka")]
mod documents;
#[cfg(feature = "kafka")]
mod encoding;
mod options;
#[cfg(feature = "kafka")]
mod producing;
#[cfg(feature = "kafka")]
mod records;
#[cfg(feature = "kafka")]
mod reports;
#[cfg(feature = "kafka")]
mod session;
#[cfg(feature = "kafka")]
mod startup;
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "only an open sink uses all parts of its address"))]
mod target;
#[cfg(all(test, feature = "kafka"))]
mod tests;
#[cfg(feature = "kafka")]
mod verdict;

pub use self::address::{KIND, KafkaAddress};
#[cfg(feature = "kafka")]
pub use self::records::open_records;
