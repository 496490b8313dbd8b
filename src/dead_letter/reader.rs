//! Reads the letters of a file.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::Path;

use super::letter::DeadLetter;
use crate::core::error::{Error, Result};

/// Reads the dead letters in the file at `path`.
///
/// # Errors
/// [`Error::input`] when the file cannot be opened. If a line is not a dead letter, its item is an error that names
/// file and line.
pub fn read(path: &Path) -> Result<impl Iterator<Item = Result<DeadLetter>>> {
    let shown = path.display().to_string();
    let cannot = |e| Error::input(format!("{shown}: the dead letters cannot be read")).because(e);
    let mut reader = BufReader::new(File::open(path).map_err(cannot)?);
    let mut line = Vec::new();
    let mut number = 0_u64;
    Ok(std::iter::from_fn(move || {
        line.clear();
        number += 1;
        match reader.read_until(b'\n', &mut line) {
            Ok(0) => None,
            Ok(_) => Some(DeadLetter::read(&line, &shown, number)),
            Err(e) => Some(Err(Error::input(format!("{shown}: line {number} cannot be read")).because(e))),
        }
    }))
}
