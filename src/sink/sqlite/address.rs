//! The addresses of SQLite sinks: a database file and a table.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

use super::table::{self, DEFAULT_TABLE};
use crate::core::error::Result;
use crate::sink::api::AnySink;
use crate::sink::kind::{self, AddressText, InFlight, OpenSink, Opening, SinkAddress, SinkFile, SinkKind};

/// The kind `sqlite:`.
pub static KIND: SinkKind = SinkKind {
    name: "sqlite",
    schemes: &["sqlite"],
    words: &[],
    syntax: &["sqlite:FILE"],
    help: "a row for each document in the table logs, or in the table of ?table=NAME",
    options: &[],
    has_login: false,
    public_options: &["table"],
    counters: super::counters::COUNTERS,
    in_flight: InFlight::Workers,
    knows_duplicates: true,
    parse,
};

/// A database file and a table.
pub struct SqliteAddress {
    file: PathBuf,
    /// Letters, digits and underscores.
    table: String,
}

fn parse(address: &AddressText<'_>) -> Result<Box<dyn SinkAddress>> {
    let wrong = |words| Err(kind::wrong(&KIND, words));
    let (file, options) = address.rest.rsplit_once('?').unwrap_or((address.rest, ""));
    if file.is_empty() {
        return wrong("needs a file, as in sqlite:logs.db");
    }
    if file.starts_with(":memory:") {
        return wrong("a database in memory keeps nothing; name a file, or use null:");
    }
    let mut table = DEFAULT_TABLE;
    for option in options.split('&').filter(|option| !option.is_empty()) {
        match option.split_once('=') {
            Some(("table", name)) => table = name,
            _ => return wrong("an option is not known; the only one is table=NAME"),
        }
    }
    if !table::is_name(table) {
        return wrong("a table's name is letters, digits and underscores, and does not begin with a digit or sqlite_");
    }
    Ok(Box::new(SqliteAddress { file: file.into(), table: table.into() }))
}

impl fmt::Display for SqliteAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sqlite:{}", self.file.display())?;
        if self.table != DEFAULT_TABLE {
            write!(f, "?table={}", self.table)?;
        }
        Ok(())
    }
}

impl SinkAddress for SqliteAddress {
    fn to_argument(&self) -> OsString {
        let mut text = OsString::from("sqlite:");
        text.push(&self.file);
        text.push("?table=");
        text.push(&self.table);
        text
    }

    fn files(&self) -> Vec<SinkFile> {
        // SQLite also accepts URIs: file:PATH.
        let path = self.file.to_str().and_then(|text| text.strip_prefix("file:"));
        let path = path.map(|rest| Path::new(rest.strip_prefix("//").unwrap_or(rest)));
        vec![SinkFile::Table { database: path.unwrap_or(&self.file).to_owned(), table: self.table.clone() }]
    }
}

impl OpenSink for SqliteAddress {
    #[cfg(feature = "sqlite")]
    fn open(&self, with: &Opening<'_>) -> Result<AnySink> {
        let sink = super::store::SqliteSink::open(&self.file, &self.table, with.waits)?;
        Ok(std::sync::Arc::new(sink).into())
    }

    #[cfg(not(feature = "sqlite"))]
    fn open(&self, _with: &Opening<'_>) -> Result<AnySink> {
        Err(kind::not_built(self, "sqlite"))
    }
}
