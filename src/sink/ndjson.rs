//! `ndjson:PATH` and `-`: one JSON document a line, in a file or on standard output.
//!
//! A batch is written in one piece and synced before it counts as stored; threads share syncs. A path that ends in
//! `.gz` or `.zst` is compressed: every batch is a gzip member or zstd frame of its own, so that threads compress side
//! by side and a crash can tear no more than what was not acknowledged. Such a torn end is mended when the file is
//! opened again (see `repair.rs`).
//!
//! A file has no index: a document that is delivered twice stands in it twice, with the same `_id`.

use std::io::{self, BufRead, Read, Write};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::append::{AppendFile, Others};
use super::{Encoding, Outcome, Sink, repair};
use crate::core::error::{Error, Result};
use crate::core::wait::{Waits, Words};
use crate::document::Documents;

/// Documents are for whom the umask says.
const MODE: u32 = 0o666;

/// How blocks are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Packing {
    Gzip,
    Zstd,
}

/// A file of documents.
#[derive(Debug)]
pub struct NdjsonSink {
    name: String,
    file: AppendFile,
    packing: Option<Packing>,
    /// Buffers for compressed blocks, one for each thread that ever stored at the same time as others.
    buffers: Mutex<Vec<Vec<u8>>>,
}

impl NdjsonSink {
    /// Appends to the file at `path`, which is created if need be. A pipe is waited for until it has a reader, and takes
    /// what is written.
    ///
    /// # Errors
    /// [`Error::sink`] when it cannot be opened, is being written by another, or is damaged.
    pub fn open(path: &Path, waits: &Waits) -> Result<NdjsonSink> {
        let name = format!("ndjson:{}", path.display());
        let packing = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Some(Packing::Gzip),
            Some("zst") => Some(Packing::Zstd),
            _ => None,
        };
        let patience = Arc::new(waits.patience(&name, Words::STORED));
        let file = AppendFile::open(path, MODE, Others::Refuse, &patience, |file, length| match packing {
            None => repair::plain(&name, file, length),
            Some(packing) => repair::compressed(&name, file, packing),
        })?;
        Ok(NdjsonSink { name, file, packing, buffers: Mutex::default() })
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// [`Error::sink`] when it is closed.
    pub fn stdout(waits: &Waits) -> Result<NdjsonSink> {
        let file = AppendFile::stdout(&Arc::new(waits.patience("standard output", Words::STORED).with_reader()))?;
        Ok(NdjsonSink { name: "-".into(), file, packing: None, buffers: Mutex::default() })
    }

    fn append_packed(&self, packing: Packing, bytes: &[u8]) -> Result<()> {
        let mut buffer = self.buffers().pop().unwrap_or_default();
        buffer.clear();
        let packed = packing.pack(bytes, &mut buffer);
        packed.map_err(|e| Error::system(format!("{}: a batch could not be compressed", self.name)).because(e))?;
        let result = self.file.append(&buffer);
        self.buffers().push(buffer);
        result
    }

    fn buffers(&self) -> std::sync::MutexGuard<'_, Vec<Vec<u8>>> {
        self.buffers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sink for NdjsonSink {
    fn name(&self) -> &str {
        &self.name
    }

    fn encoding(&self) -> Encoding {
        Encoding::Json
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        if documents.is_empty() {
            return Ok(());
        }
        match self.packing {
            None => self.file.append(documents.bytes())?,
            Some(packing) => self.append_packed(packing, documents.bytes())?,
        }
        outcomes.resize(documents.len(), Outcome::Stored);
        Ok(())
    }

    /// Every batch is whole already; but a compressed file of no batch gets one empty member, because a file of no
    /// bytes is not what `gunzip` takes.
    fn close(&self) -> Result<()> {
        match self.packing {
            Some(packing) if self.file.is_empty() => self.append_packed(packing, &[]),
            _ => Ok(()),
        }
    }
}

impl Packing {
    /// Appends `bytes` to `out` as one member.
    fn pack(self, bytes: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
        match self {
            Packing::Gzip => {
                // On an access log level 3 takes half the time of the usual 6, for 15 % more bytes.
                let mut encoder = flate2::write::GzEncoder::new(out, flate2::Compression::new(3));
                encoder.write_all(bytes)?;
                encoder.finish().map(drop)
            }
            Packing::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(out, 3)?;
                encoder.include_checksum(true)?;
                encoder.set_pledged_src_size(Some(bytes.len() as u64))?;
                encoder.write_all(bytes)?;
                encoder.finish().map(drop)
            }
        }
    }

    /// Reads one member, checks it, and leaves `reader` behind it.
    pub fn skip_member(self, reader: &mut impl BufRead) -> io::Result<()> {
        match self {
            // The reader that stops after one member is what is wanted here.
            Packing::Gzip => drain(flate2::bufread::GzDecoder::new(reader)),
            Packing::Zstd => drain(zstd::stream::read::Decoder::with_buffer(reader)?.single_frame()),
        }
    }
}

fn drain(mut reader: impl Read) -> io::Result<()> {
    let mut buffer = [0; 16 << 10];
    while reader.read(&mut buffer)? > 0 {}
    Ok(())
}
