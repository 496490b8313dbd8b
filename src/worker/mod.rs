//! Workers.
pub mod feed;
