//! Nothing: this package has tests alone, in `main.rs`, and Cargo wants a library or a program in each package.
