//! The addresses of NDJSON sinks: a file or standard output.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::store::NdjsonSink;
use crate::core::error::Result;
use crate::core::option_spec::{Group, OptionSpec};
use crate::sink::api::AnySink;
use crate::sink::kind::{self, AddressText, InFlight, OpenSink, Opening, SinkAddress, SinkFile, SinkKind};

/// The kind `ndjson:`.
pub static KIND: SinkKind = SinkKind {
    name: "ndjson",
    schemes: &["ndjson"],
    words: &["-"],
    syntax: &["ndjson:FILE[.gz|.zst]", "- (standard output)"],
    help: "one JSON document a line, appended to a file",
    options: &[UNORDERED],
    has_login: false,
    public_options: &[],
    counters: &[],
    in_flight: InFlight::Workers,
    knows_duplicates: false,
    parse,
};

/// Gives up the order of the documents.
const UNORDERED: OptionSpec =
    OptionSpec::switch("unordered", Group::Output, "Write documents to files and standard output in any order, which is faster")
        .more(
            "Otherwise they have the order of their records: that of each content, and inputs with an end one after the other as \
             they are named.",
        )
        .rare();

fn parse(address: &AddressText<'_>) -> Result<Box<dyn SinkAddress>> {
    match (address.text, address.rest) {
        ("-", _) | (_, "-") => Ok(Box::new(NdjsonAddress::StandardOutput)),
        (_, "") => Err(kind::wrong(&KIND, "needs a path, as in ndjson:out.ndjson, or - for stdout")),
        (_, path) => Ok(Box::new(NdjsonAddress::File(path.into()))),
    }
}

/// Where the documents go.
pub enum NdjsonAddress {
    /// To standard output.
    StandardOutput,
    /// To this file.
    File(PathBuf),
}

impl fmt::Display for NdjsonAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NdjsonAddress::StandardOutput => f.write_str("-"),
            NdjsonAddress::File(path) => write!(f, "ndjson:{}", path.display()),
        }
    }
}

impl SinkAddress for NdjsonAddress {
    fn to_argument(&self) -> OsString {
        match self {
            NdjsonAddress::StandardOutput => "-".into(),
            NdjsonAddress::File(path) => {
                let mut text = OsString::from("ndjson:");
                text.push(path);
                text
            }
        }
    }

    fn files(&self) -> Vec<SinkFile> {
        vec![match self {
            NdjsonAddress::StandardOutput => SinkFile::StandardOutput,
            NdjsonAddress::File(path) => SinkFile::Written(path.clone()),
        }]
    }
}

impl OpenSink for NdjsonAddress {
    fn open(&self, with: &Opening<'_>) -> Result<AnySink> {
        let sink = match self {
            NdjsonAddress::StandardOutput => NdjsonSink::stdout(with.waits)?,
            NdjsonAddress::File(path) => NdjsonSink::open(path, with.waits)?,
        };
        Ok(Arc::new(sink.ordered(!with.options.is_on(UNORDERED.name))).into())
    }
}
