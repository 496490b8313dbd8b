//! An empty library. This package has only tests, in `main.rs`, but Cargo requires a library or a program in each
//! package.
