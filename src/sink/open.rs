//! Opens the sink that a [`SinkSpec`] names. This is the one place that knows every kind of sink.

use std::sync::Arc;

use super::api::Sink;
use super::ndjson::NdjsonSink;
use super::null::NullSink;
use super::spec::SinkSpec;
use crate::core::error::Result;
use crate::core::wait::Waits;

impl SinkSpec {
    /// Opens the sink. It uses `waits` for every wait.
    ///
    /// # Errors
    /// An error of the kind [`sink`](crate::core::error::Error::sink) when the sink cannot be opened; a usage error when this build does not contain it.
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
