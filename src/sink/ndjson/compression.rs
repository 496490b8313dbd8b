//! Compresses blocks of an NDJSON file, each into a gzip member or zstd frame of its own, and repairs files of such blocks.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};

use crate::core::error::{Error, Result};

/// The compression of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// Appends `bytes` to `out` as one member.
    pub fn compress(self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Compression::Gzip => {
                // On an access log, level 3 takes half the time of the usual level 6, for 15 % more bytes.
                let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(3));
                encoder.write_all(bytes)?;
                encoder.finish().map(drop)
            }
            Compression::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, 3)?;
                encoder.include_checksum(true)?;
                encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
                encoder.write_all(bytes)?;
                encoder.finish().map(drop)
            }
        }
    }

    /// Reads and checks one member, and leaves `reader` after it.
    pub fn skip_member(self, reader: &mut impl BufRead) -> io::Result<()> {
        match self {
            // This reader stops after one member, as it should here.
            Compression::Gzip => drain(flate2::bufread::GzDecoder::new(reader)),
            Compression::Zstd => drain(zstd::stream::read::Decoder::with_buffer(reader)?.single_frame()),
        }
    }
}

fn drain(mut reader: impl Read) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    while reader.read(&mut buffer)? > 0 {}
    Ok(())
}

/// Repairs a compressed file. It reads the members one after the other and cuts off a last member that is cut short, or
/// bytes of value 0 after the last whole one. Damage of any other kind is an error that names the byte.
///
/// The file is read once, at the speed of decompression.
pub(super) fn repair_compressed(name: &str, file: &File, compression: Compression) -> Result<()> {
    let failed = |e: io::Error| Error::sink(format!("{name}: its end cannot be read and repaired")).because(e);
    let mut reader = BufReader::with_capacity(1 << 18, file);
    loop {
        let start = reader.stream_position().map_err(failed)?;
        if reader.fill_buf().map_err(failed)?.is_empty() {
            return Ok(());
        }
        let Err(e) = compression.skip_member(&mut reader) else { continue };
        let cut_short = reader.fill_buf().is_ok_and(<[u8]>::is_empty) && e.kind() == io::ErrorKind::UnexpectedEof;
        reader.seek(SeekFrom::Start(start)).map_err(failed)?;
        if cut_short || only_zeros(&mut reader).map_err(failed)? {
            return file.set_len(start).and_then(|()| file.sync_data()).map_err(failed);
        }
        return Err(Error::sink(format!(
            "{name}: damaged at byte {start}, so nothing is appended to it; write to another file, or cut it back \
             with: truncate -s {start} FILE"
        ))
        .because(e));
    }
}

fn only_zeros(reader: &mut impl BufRead) -> io::Result<bool> {
    loop {
        let bytes = reader.fill_buf()?;
        if bytes.is_empty() {
            return Ok(true);
        }
        if bytes.iter().any(|&byte| byte != 0) {
            return Ok(false);
        }
        let length = bytes.len();
        reader.consume(length);
    }
}
