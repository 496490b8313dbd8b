//! The limit on open files.

/// The maximum number of files that may be open at the same time. The other file descriptors of the process are for
/// sinks, sockets and journals.
pub(super) fn descriptors() -> usize {
    use nix::sys::resource::{Resource, getrlimit};
    let most = getrlimit(Resource::RLIMIT_NOFILE).map_or(1024, |(most, _)| usize::try_from(most).unwrap_or(usize::MAX));
    let open = std::fs::read_dir("/proc/self/fd").map_or(16, Iterator::count);
    most.saturating_sub(open).saturating_sub((most / 4).clamp(16, 256)).max(4)
}
