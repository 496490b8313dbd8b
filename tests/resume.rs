//! `--state DIR`: a run after a crash delivers what is not settled, and nothing else.

mod contents;
mod directory;
mod kills;
mod writing;
