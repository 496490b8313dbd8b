//! From a [`SinkSpec`] to an open sink: the one place that knows every kind of sink.

use std::sync::Arc;

use super::api::Sink;
use super::ndjson::NdjsonSink;
use super::null::NullSink;
use super::spec::SinkSpec;
use crate::core::error::Result;
use crate::core::wait::Waits;

impl SinkSpec {
    /// Opens the sink, which waits with `waits` whenever it has to.
    ///
    /// # Errors
    /// [`Error::sink`] when it cannot be opened; a usage error when this build was made without it.
    pub fn open(&self, waits: &Waits) -> Result<Arc<dyn Sink>> {
        Ok(match self {
            SinkSpec::Stdout => Arc::new(NdjsonSink::stdout(waits)?),
            SinkSpec::Ndjson(path) => Arc::new(NdjsonSink::open(path, waits)?),
            SinkSpec::Null => Arc::new(NullSink::new()),
            #[cfg(feature = "sqlite")]
            SinkSpec::Sqlite { file, table } => Arc::new(super::sqlite::SqliteSink::open(file, table, waits)?),
            #[cfg(feature = "mongodb")]
            SinkSpec::MongoDb(address) => super::mongodb::open_with(address.uri(), waits)?,
            #[cfg(not(all(feature = "sqlite", feature = "mongodb")))]
            other => {
                return Err(crate::core::error::Error::usage(format!("sink {other}: this build was made without it")));
            }
        })
    }
}
