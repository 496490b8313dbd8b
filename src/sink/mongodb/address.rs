//! The addresses of MongoDB sinks, as far as the program reads them without connecting.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;

use crate::core::error::{Error, Result};
use crate::core::percent;
use crate::core::secrets::{interpolation, masked};
use crate::sink::api::AnySink;
use crate::sink::kind::{AddressText, InFlight, OpenSink, Opening, SinkAddress, SinkFile, SinkKind};

/// The kinds `mongodb://` and `mongodb+srv://`.
pub static KIND: SinkKind = SinkKind {
    name: "mongodb",
    schemes: &["mongodb", "mongodb+srv"],
    words: &[],
    syntax: &["mongodb://HOST/DB.COLLECTION"],
    help: "a collection of a MongoDB server; options as in every MongoDB address, and sinkDeadlineMS",
    options: &[],
    has_login: true,
    public_options: &[
        "w",
        "j",
        "journal",
        "wtimeoutms",
        "ssl",
        "tls",
        "tlsinsecure",
        "tlsallowinvalidcertificates",
        "tlsallowinvalidhostnames",
        "tlscafile",
        "tlscertificatekeyfile",
        "replicaset",
        "authsource",
        "authmechanism",
        "appname",
        "retrywrites",
        "retryreads",
        "readpreference",
        "readconcernlevel",
        "maxpoolsize",
        "minpoolsize",
        "maxidletimems",
        "connecttimeoutms",
        "sockettimeoutms",
        "serverselectiontimeoutms",
        "heartbeatfrequencyms",
        "localthresholdms",
        "directconnection",
        "loadbalanced",
        "compressors",
        "zlibcompressionlevel",
        "srvservicename",
    ],
    counters: super::counters::COUNTERS,
    in_flight: InFlight::Workers,
    knows_duplicates: true,
    parse,
};

/// An address as the user wrote it, and the URI for the driver.
pub struct MongoAddress {
    /// The address with its references to secrets.
    given: String,
    /// The address with the references replaced by their values.
    uri: String,
}

fn parse(address: &AddressText<'_>) -> Result<Box<dyn SinkAddress>> {
    if !address.rest.starts_with("//") {
        let shown = masked(address.text);
        let words = "a MongoDB sink is written mongodb://HOST/DATABASE.COLLECTION";
        return Err(Error::usage(format!("sink {shown}: {words}")));
    }
    Ok(Box::new(MongoAddress { given: address.given.into(), uri: address.text.into() }))
}

impl fmt::Display for MongoAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The name of a secret may be shown, anywhere in the address.
        let shown = if interpolation::whole(&self.given).is_some() { &self.uri } else { &self.given };
        f.write_str(&masked(shown))
    }
}

impl SinkAddress for MongoAddress {
    fn to_argument(&self) -> OsString {
        self.given.clone().into()
    }

    /// Returns the files that parts of the address are read from: secrets, and the certificates that its options name.
    fn files(&self) -> Vec<SinkFile> {
        let options = self.uri.split_once('?').map_or("", |(_, options)| options).split('&');
        let certificates = options.filter_map(|option| {
            let (name, value) = option.split_once('=')?;
            let is_file = ["tlscafile", "tlscertificatekeyfile"].contains(&name.to_ascii_lowercase().as_str());
            is_file.then(|| PathBuf::from(percent::decode(value)))
        });
        interpolation::files(&self.given).chain(certificates).map(SinkFile::Read).collect()
    }
}

impl OpenSink for MongoAddress {
    #[cfg(feature = "mongodb")]
    fn open(&self, with: &Opening<'_>) -> Result<AnySink> {
        super::store::open_with(&self.uri, with.waits).map(AnySink::Documents)
    }

    #[cfg(not(feature = "mongodb"))]
    fn open(&self, _with: &Opening<'_>) -> Result<AnySink> {
        Err(crate::sink::kind::not_built(self, "mongodb"))
    }
}
