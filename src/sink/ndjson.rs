//! `ndjson:PATH` and `-`: one JSON document a line, in a file or on standard output.
//!
//! A batch is written in one piece and synced before it counts as stored; threads share syncs. A path that ends in
//! `.gz` or `.zst` is compressed: every batch is a gzip member or zstd frame of its own, so that threads compress side
//! by side and a crash can tear no more than what was not acknowledged. Such a torn end is mended when the file is
//! opened again (see `repair.rs`).
//!
//! A file has no index: a document that is delivered twice stands in it twice, with the same `_id`.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::api::{Outcome, Sink};
use super::append::{AppendFile, WhenLocked};
use super::compression::Compression;
use super::repair;
use crate::core::error::{Error, Result};
use crate::core::wait::{Waits, Words};
use crate::document::{Documents, Encoding};

/// Documents are for whom the umask says.
const MODE: u32 = 0o666;

/// A file of documents.
#[derive(Debug)]
pub struct NdjsonSink {
    name: String,
    file: AppendFile,
    compression: Option<Compression>,
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
        let compression = match path.extension().and_then(|extension| extension.to_str()) {
            Some("gz") => Some(Compression::Gzip),
            Some("zst") => Some(Compression::Zstd),
            _ => None,
        };
        let patience = Arc::new(waits.patience(&name, Words::STORED));
        let file = AppendFile::open(path, MODE, WhenLocked::Refuse, &patience, |file, length| match compression {
            None => repair::lines(&name, file, length),
            Some(compression) => repair::compressed(&name, file, compression),
        })?;
        Ok(NdjsonSink { name, file, compression, buffers: Mutex::default() })
    }

    /// Writes to standard output.
    ///
    /// # Errors
    /// [`Error::sink`] when it is closed.
    pub fn stdout(waits: &Waits) -> Result<NdjsonSink> {
        let file = AppendFile::stdout(&Arc::new(waits.patience("standard output", Words::STORED).with_reader()))?;
        Ok(NdjsonSink { name: "-".into(), file, compression: None, buffers: Mutex::default() })
    }

    fn append_compressed(&self, compression: Compression, bytes: &[u8]) -> Result<()> {
        let mut buffer = self.buffers().pop().unwrap_or_default();
        buffer.clear();
        let compressed = compression.compress(bytes, &mut buffer);
        compressed.map_err(|e| Error::system(format!("{}: a batch could not be compressed", self.name)).because(e))?;
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
        match self.compression {
            None => self.file.append(documents.bytes())?,
            Some(compression) => self.append_compressed(compression, documents.bytes())?,
        }
        outcomes.resize(documents.len(), Outcome::Stored);
        Ok(())
    }

    /// Every batch is whole already; but a compressed file of no batch gets one empty member, because a file of no
    /// bytes is not what `gunzip` takes.
    fn close(&self) -> Result<()> {
        match self.compression {
            Some(compression) if self.file.is_empty() => self.append_compressed(compression, &[]),
            _ => Ok(()),
        }
    }
}
