//! The name of this machine.

use std::sync::OnceLock;

/// Returns the name of the machine that this process runs on; `None` if the system does not say it.
pub fn host_name() -> Option<String> {
    static NAME: OnceLock<Option<String>> = OnceLock::new();
    let read = || {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname").ok()?;
        Some(name.trim_end().to_owned()).filter(|name| !name.is_empty())
    };
    NAME.get_or_init(read).clone()
}
