//! The addresses of Elasticsearch sinks, as far as the program reads them without connecting.

use std::ffi::OsString;
use std::fmt;

use super::counters::COUNTERS;
use super::options::TEMPLATE;
use super::target::Target;
use crate::core::error::{Error, Result};
use crate::core::secrets::{interpolation, masked};
use crate::sink::api::AnySink;
use crate::sink::kind::{AddressText, InFlight, OpenSink, Opening, SinkAddress, SinkFile, SinkKind};

/// The kinds `elasticsearch+http://` and `elasticsearch+https://`.
pub static KIND: SinkKind = SinkKind {
    name: "elasticsearch",
    schemes: &["elasticsearch+http", "elasticsearch+https", "elasticsearch"],
    words: &[],
    syntax: &["elasticsearch+http(s)://HOST[,HOST…]/INDEX"],
    help: "an index or data stream of Elasticsearch or OpenSearch; INDEX may hold a date, as in logator-%{+yyyy.MM.dd}",
    options: &[TEMPLATE],
    has_login: true,
    public_options: &[
        "tlscafile",
        "tlscertificatefile",
        "tlskeyfile",
        "datastream",
        "gzip",
        "sinkdeadlinems",
        "requesttimeoutms",
        "serverselectiontimeoutms",
    ],
    counters: COUNTERS,
    knows_duplicates: true,
    in_flight: InFlight::Adaptive,
    parse,
};

/// An address as the user wrote it, and its parts.
pub struct EsAddress {
    /// The address with its references to secrets.
    given: String,
    target: Target,
}

fn parse(address: &AddressText<'_>) -> Result<Box<dyn SinkAddress>> {
    let target =
        Target::parse(address.text).map_err(|why| Error::usage(format!("sink {}: {why}", masked(address.text))))?;
    Ok(Box::new(EsAddress { given: address.given.into(), target }))
}

impl fmt::Display for EsAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.target.name)
    }
}

impl SinkAddress for EsAddress {
    fn to_argument(&self) -> OsString {
        self.given.clone().into()
    }

    /// Returns the files that parts of the address are read from: secrets, and the certificates that its options name.
    fn files(&self) -> Vec<SinkFile> {
        interpolation::files(&self.given).chain(self.target.tls.files()).map(SinkFile::Read).collect()
    }
}

impl OpenSink for EsAddress {
    #[cfg(feature = "elasticsearch")]
    fn open(&self, with: &Opening<'_>) -> Result<AnySink> {
        super::store::open(&self.target, with)
    }

    #[cfg(not(feature = "elasticsearch"))]
    fn open(&self, _with: &Opening<'_>) -> Result<AnySink> {
        Err(crate::sink::kind::not_built(self, "elasticsearch"))
    }
}
