//! Explains how far the rules got with a record that none of them matches.

use super::first_line::Text;
use super::parsing::Parser;
use crate::grok::{Explainer, Reached};

/// The number of patterns that are examined for the explanation of a line that none matches.
const MAX_EXPLAINED: usize = 8;

impl Parser {
    /// Returns how far the rules got with `line`, which none matches; the rule that got furthest counts.
    pub(super) fn explain(&mut self, line: Text<'_>) -> Option<Reached> {
        let started = self.budget.start()?;
        let mut best: Option<Reached> = None;
        for rule in self.rules.iter_mut().take(MAX_EXPLAINED) {
            let Some(pattern) = &rule.pattern else { continue };
            let explainer = rule.explainer.get_or_insert_with(|| Explainer::new(self.formats.parts(pattern)));
            let reached = explainer.explain(if rule.spans_lines { line.record } else { line.first });
            if best.as_ref().is_none_or(|best| reached.as_ref().is_some_and(|it| it.offset() > best.offset())) {
                best = reached.or(best);
            }
        }
        self.budget.stop(started);
        best
    }
}
