//! Everything that uses ZeroMQ: sockets, keys, both ends of the batch dialogue, PUSH and PULL.

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
