//! Tells which standard streams were closed when the program started (`<&-`, `>&-`).
//!
//! Rust's runtime opens `/dev/null` in place of a closed stream, so that no other file gets its number. Therefore
//! `main` cannot tell which streams were closed, and the check runs before `main`.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

static STDIN: AtomicBool = AtomicBool::new(false);
static STDOUT: AtomicBool = AtomicBool::new(false);

#[doc(hidden)]
pub use ctor;

/// Lets a program check its standard streams before `main`. Each program must contain this macro once. Code that runs
/// before `main` is unsafe, and this library contains no unsafe code.
#[macro_export]
macro_rules! look_at_streams_before_main {
    () => {
        $crate::process::streams::ctor::declarative::ctor! {
            #[ctor(unsafe)]
            fn look_at_streams() {
                $crate::process::streams::look();
            }
        }
    };
}

/// Checks which standard streams are closed. It only duplicates descriptors, which does not need Rust's runtime.
pub fn look() {
    let is_closed = |descriptor: BorrowedFd| descriptor.try_clone_to_owned().is_err();
    STDIN.store(is_closed(std::io::stdin().as_fd()), Ordering::Relaxed);
    STDOUT.store(is_closed(std::io::stdout().as_fd()), Ordering::Relaxed);
}

/// Returns whether the program was started with its standard input closed.
pub fn stdin_was_closed() -> bool {
    STDIN.load(Ordering::Relaxed)
}

/// Returns whether the program was started with its standard output closed.
pub fn stdout_was_closed() -> bool {
    STDOUT.load(Ordering::Relaxed)
}
