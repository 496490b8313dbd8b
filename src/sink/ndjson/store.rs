//! [`NdjsonSink`]: appends documents to a file.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use super::compression::{Compression, repair_compressed};
use crate::core::append::{AppendFile, WhenLocked};
use crate::core::error::{Error, Result};
use crate::core::repair;
use crate::core::turns::Turn;
use crate::core::wait::{Waits, Words};
use crate::document::{Documents, Encoding};
use crate::event::Layout;
use crate::sink::api::{Outcome, Sink};

/// The mode of a new file. The umask decides who may read the documents.
const MODE: u32 = 0o666;

/// A sink that is a file of documents.
#[derive(Debug)]
pub struct NdjsonSink {
    name: String,
    file: AppendFile,
    compression: Option<Compression>,
    /// Buffers for compressed blocks: as many as threads ever stored at the same time.
    buffers: Mutex<Vec<Vec<u8>>>,
    /// Whether batches are written in the order in which they were read.
    ordered: bool,
}

impl NdjsonSink {
    /// Opens the file at `path` for appending, and creates it if it is missing. For a pipe, it waits until the pipe has
    /// a reader.
    ///
    /// # Errors
    /// [`Error::sink`] when the file cannot be opened, is locked by another writer, or is damaged.
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
            Some(compression) => repair_compressed(&name, file, compression),
        })?;
        Ok(NdjsonSink { name, file, compression, buffers: Mutex::default(), ordered: true })
    }

    /// Returns a sink that writes to standard output.
    ///
    /// # Errors
    /// [`Error::sink`] when standard output is closed.
    pub fn stdout(waits: &Waits) -> Result<NdjsonSink> {
        let file = AppendFile::stdout(&Arc::new(waits.patience("standard output", Words::STORED).with_reader()))?;
        Ok(NdjsonSink { name: "-".into(), file, compression: None, buffers: Mutex::default(), ordered: true })
    }

    /// Returns the same sink. `ordered` says whether it keeps the order in which batches were read, which is the default.
    pub fn ordered(self, ordered: bool) -> NdjsonSink {
        NdjsonSink { ordered, ..self }
    }

    /// Appends a block, in its turn if it has one. A block is compressed before its turn.
    fn append(&self, bytes: &[u8], turn: Option<Turn<'_>>) -> Result<()> {
        match (self.compression, turn) {
            (Some(compression), turn) => self.append_compressed(compression, bytes, turn),
            (None, Some(turn)) => self.file.append_in_turn(bytes, turn),
            (None, None) => self.file.append(bytes),
        }
    }

    fn append_compressed(&self, compression: Compression, bytes: &[u8], turn: Option<Turn<'_>>) -> Result<()> {
        let mut buffer = self.buffers().pop().unwrap_or_default();
        buffer.clear();
        let compressed = compression.compress(bytes, &mut buffer);
        compressed.map_err(|e| Error::system(format!("{}: a batch could not be compressed", self.name)).because(e))?;
        let result = match turn {
            Some(turn) => self.file.append_in_turn(&buffer, turn),
            None => self.file.append(&buffer),
        };
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

    fn layout(&self) -> Layout {
        Encoding::Json.into()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        if documents.is_empty() {
            return Ok(());
        }
        self.append(documents.bytes(), None)?;
        outcomes.resize(documents.len(), Outcome::Stored);
        Ok(())
    }

    fn keeps_order(&self) -> bool {
        self.ordered
    }

    fn store_in_turn(&self, documents: &Documents, turn: Turn<'_>, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        if documents.is_empty() {
            turn.pass();
            return Ok(());
        }
        self.append(documents.bytes(), Some(turn))?;
        outcomes.resize(documents.len(), Outcome::Stored);
        Ok(())
    }

    /// Every batch is already complete. A compressed file without any batch gets one empty member, because `gunzip`
    /// does not accept a file of zero bytes.
    fn close(&self) -> Result<()> {
        match self.compression {
            Some(compression) if self.file.is_empty() => self.append_compressed(compression, &[], None),
            _ => Ok(()),
        }
    }
}
