//! Topics of Kafka as inputs: `kafka://BROKERS/TOPIC?group=G`. `doc/kafka.md` states the promises.
//!
//! | file | content |
//! |---|---|
//! | `kind`, `options`, `counters` | the names of inputs, the options of an address and the settings of the client that follow from them, the counters |
//! | `partition`, `flow`, `handover` | pure: which offset may be committed, when partitions are paused, how they are given up |
//! | `gathering`, `payload`, `outbox`, `stuck` | from records to batches; what waits for room, or for a schema |
//! | `ending` | pure: when `until=end` is reached |
//! | `group` | the client: a member of a group |
//! | `source`, `reading`, `assignment`, `taking`, `committing` | the source: its start, the loop that reads, what the group gives and takes, one record, offsets |
//!
//! One thread does everything: it asks the client for records and events, and never waits for the queue. The client calls back
//! only while it is asked, so a rebalance is handled between two records and not within one.

#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "this build has no client that counts"))]
mod counters;
mod kind;
#[cfg_attr(not(feature = "kafka"), allow(dead_code, reason = "this build has no client that is set"))]
mod options;

#[cfg(feature = "kafka")]
mod assignment;
#[cfg(feature = "kafka")]
mod committing;
#[cfg(feature = "kafka")]
mod ending;
#[cfg(feature = "kafka")]
mod flow;
#[cfg(feature = "kafka")]
mod gathering;
#[cfg(feature = "kafka")]
mod group;
#[cfg(feature = "kafka")]
mod handover;
#[cfg(feature = "kafka")]
mod outbox;
#[cfg(feature = "kafka")]
mod partition;
#[cfg(feature = "kafka")]
mod payload;
#[cfg(feature = "kafka")]
mod reading;
#[cfg(feature = "kafka")]
mod source;
#[cfg(feature = "kafka")]
mod stuck;
#[cfg(feature = "kafka")]
mod taking;

pub use self::kind::KIND;
