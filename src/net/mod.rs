//! All that knows ZeroMQ: sockets, keys, the batch dialogue and its two ends, PUSH and PULL.

pub mod address;
pub mod auth;
pub(crate) mod bound;
pub mod client;
pub mod endpoint;
pub mod keys;
pub(crate) mod monitor;
pub mod pull;
pub mod push;
pub mod server;
pub mod socket;
pub mod wire;
