//! The memory of the process: the size of its pages.

use nix::sys::prctl;

/// Makes the kernel give this process, and those that it starts, pages of the usual size and no huge ones.
///
/// The allocator keeps memory apart for each thread, and asks for huge pages of 2 MiB. With a hundred threads that carry
/// requests, a process then takes five to seven times the memory that it uses. Its speed is the same without them
/// (`benches/record/elasticsearch.md`). A kernel that cannot do this leaves everything as it is.
pub fn use_small_pages() {
    if let Err(error) = prctl::set_thp_disable(true) {
        log::debug!("huge pages stay in use: {error}");
    }
}
