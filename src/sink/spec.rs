//! [`SinkSpec`]: a sink as the user names it after `--to`.

use std::ffi::OsString;
use std::fmt;
use std::sync::Arc;

use super::api::AnySink;
use super::kind::{AddressText, Opening, SinkAddress, SinkFile, SinkKind};
use super::registry;
use crate::core::error::{Error, Result};
use crate::core::secrets::{interpolation, masked};

/// A sink as the command line names it. Nothing is opened yet.
///
/// `Display` and `Debug` show no secret.
#[derive(Clone)]
pub struct SinkSpec {
    kind: &'static SinkKind,
    address: Arc<dyn SinkAddress>,
}

impl SinkSpec {
    /// Parses `text`, in which `${NAME}` and `${file:PATH}` stand for secrets.
    ///
    /// # Errors
    /// A usage error that lists the kinds of sinks.
    pub fn parse(text: &str) -> Result<SinkSpec> {
        registry::declare_schemes();
        let Some(expanded) = interpolation::expand("sink", text, &|name| interpolation::follow("sink", name))? else {
            return SinkSpec::read(text, text);
        };
        // The value of a secret is never repeated, even if it is not an address.
        SinkSpec::read(&expanded, text).map_err(|_| {
            Error::usage(format!(
                "sink {}: after its references are replaced, it is not a sink; {}",
                masked(text),
                registry::known()
            ))
        })
    }

    fn read(text: &str, given: &str) -> Result<SinkSpec> {
        let kind = registry::find(text)?;
        let rest = text.split_once(':').map_or("", |(_, rest)| rest);
        Ok(SinkSpec { kind, address: (kind.parse)(&AddressText { text, rest, given })?.into() })
    }

    /// Returns the kind of the sink.
    pub fn kind(&self) -> &'static SinkKind {
        self.kind
    }

    /// Returns the text that [`parse`](SinkSpec::parse) reads as this sink, for the command line of another process. It
    /// holds a secret only if the user wrote the secret out.
    pub fn to_argument(&self) -> OsString {
        self.address.to_argument()
    }

    /// Returns the files that the sink writes and reads.
    pub fn files(&self) -> Vec<SinkFile> {
        self.address.files()
    }

    /// Opens the sink.
    ///
    /// # Errors
    /// An error of the kind [`sink`](crate::core::error::Error::sink) when the sink cannot be opened; a usage error when this build does not contain it.
    pub fn open(&self, with: &Opening<'_>) -> Result<AnySink> {
        registry::open(&*self.address, with)
    }

    /// Opens the sink for records as they were read.
    ///
    /// # Errors
    /// A usage error if the sink takes only documents, and the errors of [`open`](SinkSpec::open).
    pub fn open_for_records(&self, with: &Opening<'_>) -> Result<AnySink> {
        #[cfg(feature = "kafka")]
        if let ("kafka", Some(text)) = (self.kind.name, self.to_argument().to_str()) {
            return super::kafka::open_records(text, with).map(AnySink::Records);
        }
        match self.open(with)? {
            AnySink::Documents(sink) => {
                Err(Error::usage(format!("sink {}: it takes documents, and no lines", sink.name())))
            }
            records => Ok(records),
        }
    }
}

impl fmt::Display for SinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

impl fmt::Debug for SinkSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SinkSpec({self})")
    }
}

impl PartialEq for SinkSpec {
    fn eq(&self, other: &SinkSpec) -> bool {
        self.to_argument() == other.to_argument()
    }
}

impl std::str::FromStr for SinkSpec {
    type Err = Error;

    fn from_str(text: &str) -> Result<SinkSpec> {
        SinkSpec::parse(text)
    }
}

#[cfg(test)]
mod tests;
