//! Repairs the end of a file that a crash or a full disk left incomplete, before anything is appended.
//!
//! A block is synced before it is acknowledged, so only unacknowledged data can be incomplete. An incomplete end may
//! therefore be cut off, but only if logator certainly wrote it. Nothing else is ever cut from a file that somebody
//! named by mistake.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;

use crate::core::error::{Error, Result};

/// The beginning of every document and every dead letter of ours.
const BEGINNING: &[u8] = b"{\"_id\":\"";

/// The maximum length of an incomplete line that is examined, in bytes. It is far beyond the limit of any line.
const MAX_TAIL: u64 = 256 << 20;

/// Repairs a file of JSON lines. If the last line has no newline, it gets one if it is a whole object; otherwise it is
/// cut off. Bytes of value 0, which some file systems leave after a power failure, count as incomplete.
pub(crate) fn lines(name: &str, file: &File, length: u64) -> Result<()> {
    let failed = |e: io::Error| Error::sink(format!("{name}: its end cannot be read and repaired")).because(e);
    let mut last = [0];
    if length == 0 || (file.read_exact_at(&mut last, length - 1).is_ok() && last == *b"\n") {
        return Ok(());
    }
    let start = last_line(file, length).map_err(failed)?;
    let refuse = || {
        Error::sink(format!(
            "{name}: the line that begins at byte {start} has no end and is not logator's; is this the right file? \
             If so, cut it back with: truncate -s {start} FILE"
        ))
    };
    if length - start > MAX_TAIL {
        return Err(refuse());
    }
    let mut tail = vec![0; (length - start) as usize];
    file.read_exact_at(&mut tail, start).map_err(failed)?;
    let text = tail.iter().rposition(|&byte| byte != 0).map_or(0, |at| at + 1);
    let whole = text == tail.len() && serde_json::from_slice::<serde_json::Map<_, _>>(&tail).is_ok();
    let shown = text.min(BEGINNING.len());
    if whole {
        // The file is open for appending, so the newline is written to its end.
        io::Write::write_all(&mut &*file, b"\n").and_then(|()| file.sync_data()).map_err(failed)
    } else if tail[..shown] == BEGINNING[..shown] {
        file.set_len(start).and_then(|()| file.sync_data()).map_err(failed)
    } else {
        Err(refuse())
    }
}

/// Returns the offset of the last line.
fn last_line(file: &File, length: u64) -> io::Result<u64> {
    let mut block = vec![0; 64 << 10];
    let mut end = length;
    while end > 0 {
        let start = end.saturating_sub(block.len() as u64);
        let block = &mut block[..(end - start) as usize];
        file.read_exact_at(block, start)?;
        if let Some(at) = memchr::memrchr(b'\n', block) {
            return Ok(start + at as u64 + 1);
        }
        end = start;
    }
    Ok(0)
}
