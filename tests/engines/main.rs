//! Compares the engines of grok with each other: `comparisons.rs` lists the comparisons.
//!
//! The module `grok` of the program is compiled here once more, as optimised code, with the parts of `core` that it
//! needs. The comparisons are a part of it, because they use private trees and counters.

// Only the program uses all of the module.
#![allow(dead_code, unused_imports)]

mod core;
#[path = "../../src/grok/mod.rs"]
mod grok;
