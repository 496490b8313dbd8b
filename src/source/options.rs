//! The options of all sources.

use std::sync::Arc;

use super::describing::Describing;
use super::encodings::{self, EncodingRule};
use super::live::Live;
use super::multiline::{self, MULTILINE, Multiline};
use super::origin::OriginRule;
use super::receiver::BatchSize;
use super::record_rules::RecordRules;
use super::say::Say;
use super::settlement::Settlement;
use super::wrapping::Wrapping;
use crate::core::error::Result;
use crate::core::option_spec::{Group, OptionSpec, OptionValues};
use crate::core::quantity;
use crate::state::Memory;

/// The options that every source has.
pub const OPTIONS: [OptionSpec; 6] = [
    multiline::OPTION,
    encodings::OPTION,
    OptionSpec::text("origin", "fingerprint|path|NAME", Group::Input, "Name of an input in the ids of its documents")
        .default("fingerprint")
        .more(
            "fingerprint is a hash of the beginning of the content, so that a renamed file keeps its ids. path is the path of \
             the file. NAME is any other name, for a single input.",
        )
        .rare(),
    OptionSpec::text("max-line", "BYTES", Group::Input, "Longest line; longer lines become dead letters")
        .default("1MiB")
        .check(|text| max_line(text).map(drop))
        .rare(),
    OptionSpec::text("batch-lines", "N", Group::Input, "Maximum number of lines in a batch")
        .default("2000")
        .check(|text| quantity::count(text).map(drop))
        .rare(),
    OptionSpec::text("batch-bytes", "BYTES", Group::Input, "Maximum number of bytes in a batch")
        .default("256KiB")
        .check(|text| quantity::bytes(text).map(drop))
        .rare(),
];

/// Reads the value of `--max-line`. The table of a batch has 28 bits for the length of a record.
fn max_line(text: &str) -> std::result::Result<usize, String> {
    let bytes = quantity::bytes(text)?;
    if bytes > MAX_LINE { Err("at most 128MiB is allowed".to_owned()) } else { Ok(bytes) }
}

/// The largest value of `--max-line`.
const MAX_LINE: usize = 128 << 20;

/// The options of all sources.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// The limits of batches and lines.
    pub size: BatchSize,
    /// The rule that gives contents their origins.
    pub origin: OriginRule,
    /// How the envelope of a content is found.
    pub wrapping: Wrapping,
    /// How the encoding of a content is found.
    pub encoding: EncodingRule,
    /// What documents tell of their source.
    pub describing: Describing,
    /// How lines become records.
    pub records: RecordRules,
    /// Whether the batches of sources with an end come in the order of the sources.
    pub in_order: bool,
    /// The lines that earlier runs settled, which are not delivered again.
    pub memory: Option<Arc<dyn Memory>>,
    /// Tells sources what is settled.
    pub settlement: Arc<Settlement>,
    /// Stops the readers of live inputs.
    pub live: Option<Live>,
    /// The receiver of sentences for the user.
    pub say: Say,
}

impl ReadOptions {
    /// Returns the options that the user gave.
    ///
    /// # Errors
    /// A usage error for a wrong value.
    pub fn of(values: &OptionValues) -> Result<ReadOptions> {
        let size = BatchSize {
            lines: values.get("batch-lines", quantity::count)?,
            bytes: values.get("batch-bytes", quantity::bytes)?,
            max_line: values.get("max-line", max_line)?,
        };
        let origin = values.text("origin").map(OriginRule::parse).unwrap_or_default();
        let wrapping = values.text("wrapping").map(Wrapping::parse).unwrap_or_default();
        let multiline = values.parsed(MULTILINE, Multiline::parse)?.unwrap_or_default();
        let records = RecordRules::of_logs(multiline.rule()?);
        let encoding = values.parsed("encoding", EncodingRule::parse)?.unwrap_or_default();
        Ok(ReadOptions { size, origin, wrapping, records, encoding, ..ReadOptions::default() })
    }
}
