//! `--state DIR`: a run after a crash delivers the lines that are not settled, and nothing else.

mod contents;
#[cfg(feature = "contract-tests")]
mod contract;
mod directory;
mod kills;
mod writing;
