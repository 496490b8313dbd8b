//! Detects whether a followed file is compressed.

use std::io;

use crate::source::decompress::{Compression, MAGIC_BYTES};
use crate::source::follow::tail::OpenFile;

/// The result of a look at the first bytes of a file.
pub(super) enum Beginning {
    Plain,
    /// The file is compressed, and has this many bytes now.
    Compressed(u64),
    /// The file has too few bytes to decide.
    Unknown,
}

pub(super) fn beginning(source: &impl OpenFile) -> io::Result<Beginning> {
    let mut magic = [0; MAGIC_BYTES];
    let length = source.read_at(&mut magic, 0)?;
    Ok(match Compression::of(&magic[..length]) {
        Compression::None if length > 0 && Compression::may_begin(&magic[..length]) => Beginning::Unknown,
        Compression::None => Beginning::Plain,
        _ => Beginning::Compressed(source.status()?.size),
    })
}
