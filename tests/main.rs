//! The promises of logator, one module each, tested with the real programs and real servers.
//!
//! `cargo test` runs the tests that need nothing but this machine, and names the others as ignored, with the reason.
//! `./test` brings servers and other programs and runs everything: a test that does not find its server fails.

#[cfg(feature = "sqlite")]
mod accounts;
mod avro;
mod cli;
mod containers;
mod counters;
#[cfg(feature = "mongodb")]
mod crash;
mod dates;
mod dialogue;
mod docker;
mod documents;
#[cfg(feature = "elasticsearch")]
mod elasticsearch;
mod end_to_end;
mod faults;
#[cfg(feature = "sqlite")]
mod follow;
mod grok;
mod inputs;
#[cfg(all(feature = "kafka", feature = "sqlite"))]
mod kafka;
#[cfg(feature = "kafka")]
mod kafka_sink;
#[cfg(feature = "kafka")]
mod kafka_source;
mod keys;
mod kit;
mod lines;
#[cfg(feature = "mongodb")]
mod mongodb;
mod multiline;
mod order;
mod packages;
#[cfg(feature = "probe")]
mod probe;
mod pull;
mod push;
mod receipts;
mod replay;
#[cfg(feature = "probe")]
mod requests;
#[cfg(feature = "sqlite")]
mod resume;
mod rule;
mod secrets;
mod sinks;
mod small_files;
mod source_fields;
mod structure;
mod syslog;
mod terminal;
