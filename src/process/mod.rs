//! The process itself: its signals, its standard streams, and its own files, which must not be inputs.

pub mod host;
pub mod job_files;
pub mod memory;
pub mod signals;
pub mod streams;
