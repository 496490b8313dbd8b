//! The engines of grok against each other: `comparisons.rs` says what is compared.
//!
//! The module `grok` of the program is compiled here once more, as optimised code, with what it needs of `core`. The
//! comparisons are a part of it, because they look at trees and counters that nobody else sees.

// Only the program uses all of the module.
#![allow(dead_code, unused_imports)]

mod core;
#[path = "../../src/grok/mod.rs"]
mod grok;
