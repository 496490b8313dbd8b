//! [`Rule`]: a format as one thread uses it, with a decoder and counts of its own.

use crate::core::error::{Error, Result};
use crate::document::date::DateOptions;
use crate::event::FieldPath;
use crate::event::decoder::Decoder;
use crate::grok::{Explainer, Format, Pattern};
use crate::worker::pattern_counts::Trials;

/// A format as one thread uses it.
pub(super) struct Rule {
    pub name: String,
    pub pattern: Option<Pattern>,
    pub decoder: Decoder,
    /// Whether it reads the whole of a record of several lines.
    pub spans_lines: bool,
    /// The field that gets the lines after the first one.
    pub rest: Option<FieldPath>,
    /// Whether its lines are syslog messages.
    pub syslog: bool,
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
        let (spans_lines, rest) =
            (format.rule.may_span_lines(), format.rest.as_ref().map(|levels| FieldPath::of(levels)));
        let syslog = format.syslog;
        Ok(Rule { name, pattern, decoder, spans_lines, rest, syslog, explainer: None, trials: Trials::default() })
    }
}

/// The rules that mean syslog messages.
#[derive(Debug, Clone, Copy)]
pub(super) struct SyslogRules {
    /// The first of them. It counts the lines.
    pub first: usize,
    /// Whether there are no other rules.
    pub only: bool,
}

impl SyslogRules {
    /// Returns those among `rules`, if there are any.
    pub fn among(rules: &[Rule]) -> Option<SyslogRules> {
        let first = rules.iter().position(|rule| rule.syslog)?;
        Some(SyslogRules { first, only: rules.iter().all(|rule| rule.syslog) })
    }
}
