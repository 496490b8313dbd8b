//! logator turns logs into documents, on every core of every machine you have, and can prove that it lost none.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod batch;
pub mod cli;
pub mod client;
pub mod config;
pub mod console;
pub mod dead_letter;
pub mod document;
pub mod endpoint;
pub mod error;
pub mod grok;
pub mod jobs;
pub mod lines;
pub mod queue;
pub mod receipt;
pub mod server;
pub mod sink;
pub mod source;
pub mod stop;
pub mod wire;
pub mod worker;
