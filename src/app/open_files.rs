//! The limit on open files of this process.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// Raises the number of files, and so of connections, that this process may have open, as far as the system allows. Returns
/// that number.
pub(super) fn raise_limit() -> u64 {
    let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    match setrlimit(Resource::RLIMIT_NOFILE, most, most) {
        Ok(()) => most,
        Err(_) => now,
    }
}
