//! The schema registry: a server that keeps schemas under subjects, and gives each an id.
//!
//! Five calls of its HTTP interface are used: to register a schema, to look one up, and to get one by its id, its GUID, or its
//! subject and version. `protocol` has the requests and the meaning of all answers, and `client` sends them.

mod address;
mod client;
mod protocol;

pub use address::RegistryAddress;
pub use client::{Registry, RegistrySchemas};
pub use protocol::{Trouble, TroubleKind, subject_of_values};
