//! How files begin: as plain or as compressed ones.

use std::io;

use crate::source::decompress::{Compression, MAGIC_BYTES};
use crate::source::follow::tail::Source;

/// How a file begins.
pub(super) enum Begins {
    Plain,
    /// Compressed; so many bytes by now.
    Packed(u64),
    /// Too little of it is there to tell.
    Unknown,
}

pub(super) fn beginning(source: &impl Source) -> io::Result<Begins> {
    let mut magic = [0; MAGIC_BYTES];
    let length = source.read_at(&mut magic, 0)?;
    Ok(match Compression::of(&magic[..length]) {
        Compression::None if length > 0 && Compression::may_begin(&magic[..length]) => Begins::Unknown,
        Compression::None => Begins::Plain,
        _ => Begins::Packed(source.look()?.0),
    })
}
