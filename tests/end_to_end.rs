//! The main job: logs become documents in MongoDB and nothing is lost. Also the peers of the original logator.

#[cfg(feature = "mongodb")]
mod mongodb;
mod python;
