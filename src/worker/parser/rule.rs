//! [`Rule`]: a format as one thread uses it, with a matcher, an encoder and counts of its own.

use crate::core::error::{Error, Result};
use crate::document::Encoder;
use crate::grok::{Explainer, Format, Matcher, Pattern, Rule as FormatRule};
use crate::worker::pattern_counts::Trials;

/// A format as one thread uses it.
pub(super) struct Rule {
    pub name: String,
    pub pattern: Option<Pattern>,
    pub matcher: Option<Matcher>,
    /// Created at its first use.
    pub explainer: Option<Explainer>,
    pub slots: usize,
    pub encoder: Encoder,
    pub trials: Trials,
}

impl Rule {
    /// Returns the rule for `format`. Fails when its fields cannot form a document.
    pub fn new(format: &Format) -> Result<Rule> {
        let in_format = |error: Error| Error::new(error.kind(), format!("format {}: {error}", format.name));
        let date = format.date.as_ref();
        let (matcher, slots, encoder) = match &format.rule {
            FormatRule::Pattern(pattern) => {
                (Some(pattern.matcher()), pattern.slots(), Encoder::new(pattern.fields(), date).map_err(in_format)?)
            }
            FormatRule::JsonObject => (None, 0, Encoder::json_object(date).map_err(in_format)?),
        };
        let (name, pattern) = (format.name.clone(), format.pattern().cloned());
        Ok(Rule { name, pattern, matcher, explainer: None, slots, encoder, trials: Trials::default() })
    }
}
