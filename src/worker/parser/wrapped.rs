//! Wrapped lines for which no format is given: what is wrapped is stored as it is.

use super::finishing::LineContext;
use super::formats::Unmatched;
use super::parsed::{Fate, LetterDraft, Parsed};
use super::parsing::Parser;
use crate::core::envelope::Envelope;
use crate::dead_letter::Reason;
use crate::event::OuterFields;

impl Parser {
    /// Handles a wrapped line when no format is given.
    pub(super) fn parse_without_rules(
        &mut self,
        at: LineContext<'_>,
        message: &[u8],
        outer: &OuterFields,
        envelope: Envelope,
        is_enveloped: bool,
        parsed: &mut Parsed,
    ) -> Fate {
        let fate = match (is_enveloped, self.formats.unmatched) {
            (true, _) => Fate::Matched,
            (false, Unmatched::Keep) => Fate::Unmatched,
            (false, Unmatched::Drop) => return Fate::Filtered,
            (false, Unmatched::DeadLetter) => {
                let letter = LetterDraft::new(at.index, at.id, Reason::Unmatched, envelope.mismatch().to_owned());
                parsed.letters.push(letter);
                return Fate::DeadLettered;
            }
        };
        self.keep_unparsed(at, message, Some(outer), false, fate, parsed)
    }
}
