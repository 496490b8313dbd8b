//! [`SinkKind`]: everything that the program knows about a kind of sink before one is opened.

use std::any::Any;
use std::borrow::Cow;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use super::api::AnySink;
use crate::core::error::{Error, Result};
use crate::core::option_spec::{OptionSpec, OptionValues};
use crate::core::printable;
use crate::core::secrets::{Scheme, Secrecy};
use crate::core::wait::Waits;
use crate::event::TypedFields;
use crate::grok::Format;
use crate::observe::counters::CounterSpec;

/// A kind of sink. The [registry](super::registry) lists all of them; help texts, checks and messages are made from it.
#[derive(Debug)]
pub struct SinkKind {
    /// The name of the kind.
    pub name: &'static str,
    /// The schemes of its addresses, each without the colon. The first is the usual one.
    pub schemes: &'static [&'static str],
    /// Whole texts that name such a sink without a scheme.
    pub words: &'static [&'static str],
    /// The forms of its address, as the help shows them.
    pub syntax: &'static [&'static str],
    /// What the sink is, in one line.
    pub help: &'static str,
    /// Options that the command line has for this kind.
    pub options: &'static [OptionSpec],
    /// Whether its address names a server, so that it may hold a password. Two slashes then follow the scheme.
    pub has_login: bool,
    /// The options after the `?` of an address whose values are no secret, in lower case.
    pub public_options: &'static [&'static str],
    /// The counters that only sinks of this kind have.
    pub counters: &'static [CounterSpec],
    /// How many batches are on their way to the sink at a time, if the user does not say it.
    pub in_flight: InFlight,
    /// Whether the sink recognises documents that an earlier run stored.
    pub knows_duplicates: bool,
    /// Reads an address of this kind.
    pub parse: fn(&AddressText<'_>) -> Result<Box<dyn SinkAddress>>,
}

/// How many batches are on their way to a sink at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum InFlight {
    /// As many as there are workers. More would be of no use, because the sink works in the threads that call it.
    Workers,
    /// As many as raise the throughput, because the sink waits for a server.
    Adaptive,
}

/// The text of an address.
#[derive(Debug)]
pub struct AddressText<'a> {
    /// The text, with its references to secrets replaced by their values.
    pub text: &'a str,
    /// The part of `text` after the first colon.
    pub rest: &'a str,
    /// The text as the user wrote it, with its references.
    pub given: &'a str,
}

/// The address of a sink. `Display` shows no secret.
pub trait SinkAddress: Any + fmt::Display + Send + Sync {
    /// Returns the text that is read as this address, for the command line of another process. It holds a secret only if
    /// the user wrote the secret out.
    fn to_argument(&self) -> OsString {
        self.to_string().into()
    }

    /// Returns the files that the sink writes and reads.
    fn files(&self) -> Vec<SinkFile> {
        Vec::new()
    }
}

/// An address whose sink can be opened. This is a trait of its own, so that a program that opens no sink does not contain the
/// drivers of all sinks.
pub trait OpenSink: SinkAddress {
    /// Opens the sink.
    ///
    /// # Errors
    /// The sink cannot be opened, or this build does not contain it.
    fn open(&self, with: &Opening<'_>) -> Result<AnySink>;
}

/// What a sink is opened with.
pub struct Opening<'a> {
    /// The settings of every wait of the sink.
    pub waits: &'a Waits,
    /// The formats of the documents, with their fields and types. The list is empty if formats are detected from lines.
    pub formats: &'a [Format],
    /// The fields of the documents of a job that has no formats because it makes its documents itself.
    pub fields: Option<&'a TypedFields>,
    /// Whether the fields that a source adds have the names of the Elastic Common Schema.
    pub ecs: bool,
    /// The values of the options of the sink's kind.
    pub options: OptionValues,
    /// The bytes of memory for batches that are being stored. A sink that keeps documents for its requests keeps no more of them.
    pub memory: usize,
}

/// The default for [`Opening::memory`].
const MEMORY: usize = 64 << 20;

impl<'a> Opening<'a> {
    /// Opens a sink that waits with `waits`, without formats and options.
    pub fn new(waits: &'a Waits) -> Opening<'a> {
        Opening { waits, formats: &[], fields: None, ecs: false, options: OptionValues::default(), memory: MEMORY }
    }

    /// Returns the fields of all documents, with their types. `purpose` says in messages what needs them, as in `format=avro`.
    ///
    /// # Errors
    /// A usage error when the fields cannot be known, because the job has no format or several ones.
    pub fn typed_fields(&self, purpose: &str) -> Result<Cow<'a, TypedFields>> {
        match (self.fields, self.formats) {
            (Some(fields), _) => Ok(Cow::Borrowed(fields)),
            (None, [format]) => Ok(Cow::Owned(TypedFields::of(format).with_source(self.ecs))),
            (None, []) => Err(Error::usage(format!(
                "{purpose} needs the fields of the documents before the first line is read: name one format with -f FORMAT, or \
                 one pattern with -p PATTERN"
            ))),
            (None, several) => {
                let names: Vec<&str> = several.iter().map(|format| format.name.as_str()).collect();
                Err(Error::usage(format!(
                    "{purpose} needs exactly one format or pattern, because all documents have one schema; here are {}: {}",
                    several.len(),
                    printable::line(&names.join(", ")),
                )))
            }
        }
    }
}

/// A file of a sink.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SinkFile {
    /// Standard output, which gets the documents.
    StandardOutput,
    /// A file that the sink alone writes.
    Written(PathBuf),
    /// A SQLite database. Other sinks may write to other tables of it.
    Table {
        /// The database.
        database: PathBuf,
        /// The table.
        table: String,
    },
    /// A file that the sink reads: a secret or a certificate.
    Read(PathBuf),
}

impl SinkKind {
    /// Returns the beginning of an address with `scheme`: `sqlite:` or `mongodb://`.
    pub(super) fn beginning(&self, scheme: &str) -> String {
        format!("{scheme}:{}", if self.has_login { "//" } else { "" })
    }

    /// Returns whether `text` is meant as an address of this kind.
    pub(super) fn is_meant_by(&self, text: &str) -> bool {
        let scheme = text.split_once(':').map(|(scheme, _)| scheme);
        self.words.contains(&text) || scheme.is_some_and(|scheme| self.schemes.contains(&scheme))
    }

    /// Returns the schemes with what they say about secrets.
    pub(super) fn secrecy(&self) -> impl Iterator<Item = Scheme> {
        let secrecy = if self.has_login { Secrecy::Login } else { Secrecy::File };
        let public_options = self.public_options;
        self.schemes.iter().map(move |&name| Scheme { name, secrecy, public_options })
    }
}

/// Returns the error for a sink that this build does not contain.
#[cfg(not(all(feature = "sqlite", feature = "mongodb", feature = "elasticsearch", feature = "kafka")))]
pub(super) fn not_built(address: &dyn SinkAddress, feature: &str) -> Error {
    Error::usage(format!("sink {address}: this build was made without it (the feature {feature})"))
}

/// Returns the usage error `words` about a kind of sink.
pub(super) fn wrong(kind: &SinkKind, words: &str) -> Error {
    Error::usage(format!("sink {}: {words}", kind.name))
}
