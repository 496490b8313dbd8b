//! The promises of logator, one module each, kept by the real programs and real servers.
//!
//! `cargo test` runs what needs nothing but this machine and names the rest as ignored, with the reason. `./test` brings
//! the servers and runs everything: there, a test that does not find its server fails.

#[cfg(feature = "sqlite")]
mod accounts;
mod cli;
#[cfg(feature = "mongodb")]
mod crash;
mod documents;
mod end_to_end;
mod faults;
#[cfg(feature = "sqlite")]
mod follow;
mod grok;
mod inputs;
mod keys;
mod kit;
#[cfg(feature = "mongodb")]
mod mongodb;
mod packages;
mod pull;
mod push;
mod receipts;
mod replay;
#[cfg(feature = "sqlite")]
mod resume;
mod secrets;
mod small_files;
mod structure;
mod syslog;
mod terminal;
