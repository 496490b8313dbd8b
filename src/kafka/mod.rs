//! Kafka: what the source, the sink and `logator-push` share. `doc/kafka.md` states the promises.
//!
//! | file | content |
//! |---|---|
//! | `address` | `kafka://BROKERS/TOPIC?…`: its parts, without its secrets in what is shown |
//! | `allowed` | the settings of librdkafka that an address may hold, as data |
//! | `settings` | the settings that follow from an address |
//! | `registry` | the schema registry that an address names |
//! | `headers` | the names of the headers that carry `_id` and origin |
//! | `client` | makes a client, and explains why one cannot be made |
//! | `trouble` | what an error of the client means, and its sentence |
//! | `notices` | errors of the client as sentences, each of them once in a while |
//! | `topic` | finds a topic without creating it |
//!
//! Addresses and settings are read without the feature `kafka` as well, so that a program that was built without it can name
//! what it cannot open.

pub mod address;
mod allowed;
#[cfg(feature = "kafka")]
pub mod client;
pub mod headers;
#[cfg(feature = "kafka")]
pub mod notices;
#[cfg(feature = "kafka")]
pub mod registry;
pub mod settings;
#[cfg(feature = "kafka")]
pub mod topic;
#[cfg(feature = "kafka")]
pub mod trouble;

pub use self::address::Address;
pub use self::allowed::Role;
