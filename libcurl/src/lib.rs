//! What logator needs of libcurl and the curl crate does not offer.
//!
//! | module | content |
//! |---|---|
//! | [`easy`] | handles whose TLS connections are observed, and options and numbers of a handle |
//! | [`tls`] | TLS connections: their version, cipher, protocol and certificate, and the certificates that they trust |
//! | [`multi`] | multi handles: their sockets, watched by an epoll of the caller, and options |
//!
//! The functions here are safe to call. Each unsafe block states why it is sound.

#![warn(missing_docs)]
#![deny(unsafe_op_in_unsafe_fn, clippy::undocumented_unsafe_blocks)]

pub mod easy;
pub mod multi;
pub mod tls;
