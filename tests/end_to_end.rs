//! The main job: logs in, documents in MongoDB, nothing lost; and the peers that the original logator had.

#[cfg(feature = "mongodb")]
mod mongodb;
mod python;
