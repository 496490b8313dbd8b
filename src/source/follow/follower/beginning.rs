//! How files begin: as plain or as compressed ones.

use std::io;

use crate::source::decompress::{Compression, MAGIC_BYTES};
use crate::source::follow::tail::OpenFile;

/// How a file begins.
pub(super) enum Beginning {
    Plain,
    /// Compressed; so many bytes by now.
    Compressed(u64),
    /// Too little of it is there to tell.
    Unknown,
}

pub(super) fn beginning(source: &impl OpenFile) -> io::Result<Beginning> {
    let mut magic = [0; MAGIC_BYTES];
    let length = source.read_at(&mut magic, 0)?;
    Ok(match Compression::of(&magic[..length]) {
        Compression::None if length > 0 && Compression::may_begin(&magic[..length]) => Beginning::Unknown,
        Compression::None => Beginning::Plain,
        _ => Beginning::Compressed(source.look()?.0),
    })
}
