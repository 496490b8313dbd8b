//! Grok on one core: the cost of matching and failing lines for each engine, of long lines, and of many patterns.
//!
//! The lines are generated. `LOGATOR_BENCH_LOG=FILE` uses the lines of an access log instead; only lines that match
//! both `combined` and `%{COMBINEDAPACHELOG}` count. `LOGATOR_BENCH_PATTERNS=DIR` adds `%{COMBINEDAPACHELOG}` with the
//! definitions of a directory, as `directory`. A time is for one pass over all lines; divan's `item/s` is lines per
//! second.

mod by_hand;
mod engines;
mod growth;
mod lines;
mod several;

fn main() {
    divan::main();
}
