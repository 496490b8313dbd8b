//! logator turns logs into documents, on every core of every machine you have, and can prove that it lost none.

#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod batch;
pub mod dead_letter;
pub mod document;
pub mod error;
pub mod grok;
pub mod lines;
pub mod sink;
