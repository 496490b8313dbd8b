//! [`Rule`]: a format as one thread uses it, with a decoder and counts of its own.

use crate::core::error::{Error, Result};
use crate::document::date::DateOptions;
use crate::event::decoder::Decoder;
use crate::grok::{Explainer, Format, Pattern};
use crate::worker::pattern_counts::Trials;

/// A format as one thread uses it.
pub(super) struct Rule {
    pub name: String,
    pub pattern: Option<Pattern>,
    pub decoder: Decoder,
    /// Created at its first use.
    pub explainer: Option<Explainer>,
    pub trials: Trials,
}

impl Rule {
    /// Returns the rule for `format`. Fails when its fields cannot form a document.
    pub fn new(format: &Format, dates: &DateOptions) -> Result<Rule> {
        let in_format = |error: Error| Error::new(error.kind(), format!("format {}: {error}", format.name));
        let decoder = Decoder::with(format, dates).map_err(in_format)?;
        let (name, pattern) = (format.name.clone(), format.pattern().cloned());
        Ok(Rule { name, pattern, decoder, explainer: None, trials: Trials::default() })
    }
}
