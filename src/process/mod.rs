//! The process itself: its signals, its standard streams, and the files it must not read.

pub mod job_files;
pub mod signals;
pub mod streams;
