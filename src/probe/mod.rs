//! Timed requests: what a server answers, and how long each phase of a request takes.
//!
//! | module | content |
//! |---|---|
//! | [`request`] | what is asked for |
//! | [`engine`] | many requests at a time, in one thread |
//! | [`outcome`] | what became of a request: hops, classes of errors |
//! | [`phases`] | from libcurl's cumulative times to phases that add up to the total |

pub mod engine;
mod failure;
pub mod outcome;
pub mod phases;
mod redirect;
pub mod request;
