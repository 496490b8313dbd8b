//! Which standard streams the program was started without (`<&-`, `>&-`).
//!
//! By the time `main` runs nobody can tell any more: Rust's runtime opens `/dev/null` in the place of a stream that is
//! closed, so that no other file gets its number. So it is looked at before.

use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};

static STDIN: AtomicBool = AtomicBool::new(false);
static STDOUT: AtomicBool = AtomicBool::new(false);

#[doc(hidden)]
pub use ctor;

/// Lets a program look at its standard streams before `main`. To be written once in each program,
/// because nothing in this library may be unsafe, as code that runs before `main` is.
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

/// Looks which standard streams are closed. Only descriptors are asked for, which needs nothing of Rust's runtime.
pub fn look() {
    let is_closed = |descriptor: BorrowedFd| descriptor.try_clone_to_owned().is_err();
    STDIN.store(is_closed(std::io::stdin().as_fd()), Ordering::Relaxed);
    STDOUT.store(is_closed(std::io::stdout().as_fd()), Ordering::Relaxed);
}

/// Whether the program was started with its standard input closed.
pub fn stdin_was_closed() -> bool {
    STDIN.load(Ordering::Relaxed)
}

/// Whether the program was started with its standard output closed.
pub fn stdout_was_closed() -> bool {
    STDOUT.load(Ordering::Relaxed)
}
