//! What grok needs of the program's module of this name.

#[path = "../../src/core/error.rs"]
pub mod error;
#[path = "../../src/core/lines.rs"]
pub mod lines;
