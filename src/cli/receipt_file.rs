//! The file of `--receipt`: a receipt as JSON.

use std::io::Write;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::core::error::{Error, Result};
use crate::observe::receipt::Receipt;
use crate::process::signals;

/// Whether the files of this process are checked. Before the check no receipt is written, because its file may be an input.
static FILES_ARE_CHECKED: AtomicBool = AtomicBool::new(false);

/// Records that the files of this process are checked.
pub(super) fn set_files_checked() {
    FILES_ARE_CHECKED.store(true, Ordering::Relaxed);
}

/// Whether the files of this process are checked.
pub(super) fn files_are_checked() -> bool {
    FILES_ARE_CHECKED.load(Ordering::Relaxed)
}

/// Writes a receipt as JSON, if there is a file for it. From now on a signal ends the process with the receipt's exit code.
pub fn write_receipt(file: Option<&Path>, receipt: &Receipt) -> Result<()> {
    write_json(file, receipt)?;
    signals::accounted(receipt.exit_code());
    Ok(())
}

/// Writes the account of another kind of job as JSON, if there is a file for it. From now on a signal ends the process with
/// `exit_code`.
pub fn write_account(file: Option<&Path>, account: &impl serde::Serialize, exit_code: u8) -> Result<()> {
    write_json(file, account)?;
    signals::accounted(exit_code);
    Ok(())
}

/// Writes a page for people, if there is a file for it.
pub fn write_page(file: Option<&Path>, page: impl FnOnce() -> String) -> Result<()> {
    let Some(path) = file else { return Ok(()) };
    write_whole(path, page().as_bytes())
        .map_err(|error| Error::system(format!("{}: the report cannot be written", path.display())).because(error))
}

/// Writes the account of another kind of job as JSON, if there is a file for it.
pub fn write_json(file: Option<&Path>, receipt: &impl serde::Serialize) -> Result<()> {
    let Some(path) = file else { return Ok(()) };
    let failed = |error: Box<dyn std::error::Error + Send + Sync>| {
        Error::system(format!("{}: the receipt cannot be written", path.display())).because(error)
    };
    let mut json = serde_json::to_vec_pretty(receipt).map_err(|error| failed(error.into()))?;
    json.push(b'\n');
    write_whole(path, &json).map_err(|error| failed(error.into()))
}

/// Writes a file that only its owner may read. The bytes go to a temporary file, which then replaces the file at `path`, so
/// that nobody reads half a file. An existing file keeps its mode.
///
/// A special file is written in place. A file whose owner or hard links the replacement would change is also written in
/// place.
fn write_whole(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let replaced = match std::fs::symlink_metadata(path) {
        Ok(old) if old.is_file() && old.nlink() == 1 && old.uid() == nix::unistd::geteuid().as_raw() => {
            Some(old.permissions().mode() & 0o7777)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Some(0o600),
        _ => None,
    };
    if let (Some(mode), Some(name)) = (replaced, path.file_name()) {
        let temporary = path.with_file_name(format!(".{}.{}", name.to_string_lossy(), std::process::id()));
        let write = || -> std::io::Result<()> {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&temporary)?;
            file.write_all(bytes)?;
            file.set_permissions(std::fs::Permissions::from_mode(mode))?;
            std::fs::rename(&temporary, path)
        };
        match write() {
            Ok(()) => return Ok(()),
            // The folder may not allow new files, although the file itself can be written.
            Err(_) => drop(std::fs::remove_file(&temporary)),
        }
    }
    std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?.write_all(bytes)
}
