//! Reads the file with the URLs.

use std::path::Path;

use crate::core::error::{Error, Result};
use crate::core::{secrets, small_file};
use crate::observe::console::Console;
use crate::probe::list::List;

/// The largest size of the file in bytes.
const MOST: u64 = 64 << 20;

/// The maximum number of wrong lines that are named one by one.
const NAMED: usize = 20;

/// Reads the file, and learns its secrets. The wrong lines are part of the list.
///
/// # Errors
/// A usage error: the file cannot be read, its header is wrong, or none of its lines can be read.
pub(super) fn read(path: &Path) -> Result<List> {
    let shown = path.display();
    let cannot =
        |error: std::io::Error| Error::usage(format!("{shown}: the list of URLs cannot be read")).because(error);
    let text = small_file::open(path, MOST).and_then(|file| small_file::read(file, MOST)).map_err(cannot)?;
    let list = List::parse(&text).map_err(|wrong| Error::usage(format!("{shown}: {wrong}")))?;
    list.passwords().for_each(secrets::learn_secret);
    match (list.entries.as_slice(), list.wrong.as_slice()) {
        ([], []) => Err(Error::usage(format!("{shown}: no line names a URL; a line is DELAY_SECONDS,URL"))),
        ([], [first, ..]) => Err(Error::usage(format!("{shown}: {first}; no other line can be read"))),
        _ => Ok(list),
    }
}

/// Says which lines are wrong.
pub(super) fn say_wrong_lines(path: &Path, list: &List, console: &Console) {
    let shown = path.display();
    for wrong in list.wrong.iter().take(NAMED) {
        console.error(format!("{shown}: {wrong}"));
    }
    if let Some(more) = list.wrong.len().checked_sub(NAMED).filter(|more| *more > 0) {
        console.error(format!("{shown}: {more} more lines cannot be read"));
    }
}

/// Returns the error for a list with wrong lines; `None` if there are none.
pub(super) fn refusal(path: &Path, list: &List) -> Option<Error> {
    let first = list.wrong.first()?;
    let more = match list.wrong.len() - 1 {
        0 => String::new(),
        1 => " (and one more line)".to_owned(),
        more => format!(" (and {more} more lines)"),
    };
    Some(Error::usage(format!("{}: {first}{more}", path.display())))
}
