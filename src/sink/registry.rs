//! The registry: the list of all kinds of sinks. A new kind gets one line in `kinds!`.

use std::any::Any;
use std::sync::Once;

use super::api::AnySink;
use super::kind::{OpenSink, Opening, SinkAddress, SinkKind};
#[cfg(feature = "contract-tests")]
use super::{contract, delay};
use super::{elasticsearch, kafka, mongodb, ndjson, null, sqlite};
use crate::core::error::{Error, Result};
use crate::core::option_spec::OptionSpec;
use crate::core::secrets::{self, masked};

/// Makes the two tables of all kinds from one list of modules and their types of addresses. They are two, because a program
/// that opens no sink uses the first one only.
macro_rules! kinds {
    ($($(#[$condition:meta])* $module:ident: $address:ident,)*) => {
        /// All kinds of sinks, in the order of the help.
        pub static KINDS: &[&SinkKind] = &[$($(#[$condition])* &$module::KIND),*];

        /// How the sinks of each kind are opened, in the same order.
        static OPENERS: &[Opener] = &[$($(#[$condition])* open_as::<$module::$address>),*];
    };
}

kinds! {
    ndjson: NdjsonAddress,
    sqlite: SqliteAddress,
    mongodb: MongoAddress,
    elasticsearch: EsAddress,
    kafka: KafkaAddress,
    #[cfg(feature = "contract-tests")]
    contract: ContractAddress,
    #[cfg(feature = "contract-tests")]
    delay: DelayAddress,
    null: NullAddress,
}

type Opener = fn(&dyn SinkAddress, &Opening<'_>) -> Option<Result<AnySink>>;

/// Opens the sink at `address`, if this is an address of the type `A`.
fn open_as<A: OpenSink>(address: &dyn SinkAddress, with: &Opening<'_>) -> Option<Result<AnySink>> {
    let address: &dyn Any = address;
    Some(address.downcast_ref::<A>()?.open(with))
}

/// Opens the sink at `address`.
///
/// # Errors
/// The errors of [`OpenSink::open`].
pub(super) fn open(address: &dyn SinkAddress, with: &Opening<'_>) -> Result<AnySink> {
    let opened = OPENERS.iter().find_map(|open| open(address, with));
    opened.unwrap_or_else(|| Err(Error::internal(format!("sink {address}: no kind opens it"))))
}

/// Returns the options that the command line has for sinks.
pub fn options() -> Vec<OptionSpec> {
    KINDS.iter().flat_map(|kind| kind.options).copied().collect()
}

/// Tells the secrets about the schemes of all sinks.
pub fn declare_schemes() {
    static DECLARED: Once = Once::new();
    DECLARED.call_once(|| {
        secrets::declare(KINDS.iter().flat_map(|kind| kind.secrecy()));
    });
}

/// Returns the kind that `text` names.
///
/// # Errors
/// A usage error that names the nearest scheme, and all kinds.
pub(super) fn find(text: &str) -> Result<&'static SinkKind> {
    KINDS.iter().copied().find(|kind| kind.is_meant_by(text)).ok_or_else(|| unknown(text))
}

/// Returns the sentence that lists how all addresses are written.
pub(super) fn known() -> String {
    let all: Vec<&str> = KINDS.iter().flat_map(|kind| kind.syntax).copied().collect();
    format!("the sinks are {}", all.join(", "))
}

fn unknown(text: &str) -> Error {
    let distance = |known: &str| strsim::damerau_levenshtein(text.split_inclusive(':').next().unwrap_or(text), known);
    let schemes = KINDS.iter().flat_map(|kind| kind.schemes.iter().map(move |scheme| (kind, scheme)));
    let nearest = schemes.map(|(kind, scheme)| (distance(&format!("{scheme}:")), kind.beginning(scheme))).min();
    let hint = match nearest {
        Some((0..=2, nearest)) => format!("did you mean {nearest}…? "),
        _ if !text.contains(':') && !text.is_empty() => format!("did you mean ndjson:{}? ", masked(text)),
        _ => String::new(),
    };
    Error::usage(format!("sink {:?} is not known; {hint}{}", masked(text), known()))
}
