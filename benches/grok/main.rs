//! Grok, one core: what a line costs, matching and failing, by engine; what long lines cost, and many patterns.
//!
//! The lines are made up here. `LOGATOR_BENCH_LOG=FILE` takes the lines of an access log instead, of which those count
//! that match both `combined` and `%{COMBINEDAPACHELOG}`. `LOGATOR_BENCH_PATTERNS=DIR` adds `%{COMBINEDAPACHELOG}` with
//! the definitions of a directory, which is `directory` below. Figures are per pass over all lines; divan's `item/s` is
//! lines a second.

mod by_hand;
mod engines;
mod growth;
mod lines;
mod several;

fn main() {
    divan::main();
}
