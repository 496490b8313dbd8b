//! Lines that are syslog messages without coming from a socket: those of a file, of a container, or within JSON. The reader of
//! headers reads them, so that the same bytes have the same fields wherever they come from.

use super::finishing::LineContext;
use super::first_line::Text;
use super::parsed::{Fate, Parsed};
use super::parsing::Parser;
use super::rule::SyslogRules;
use crate::core::envelope::Envelope;
use crate::core::lines;
use crate::envelope::Opened;
use crate::event::Event;

impl Parser {
    /// Parses a record of a content with `envelope`, if one of the rules means syslog messages. `opened` is the record without
    /// that envelope; a record without an envelope was opened as a syslog message.
    pub(super) fn parse_syslog(
        &mut self,
        rules: SyslogRules,
        at: LineContext<'_>,
        opened: Opened<'_>,
        envelope: Envelope,
        parsed: &mut Parsed,
    ) -> Fate {
        let Opened { message, outer, is_enveloped, .. } = opened;
        if is_enveloped {
            let trials = &mut self.rules[rules.first].trials;
            let started = trials.start(&mut self.clock);
            trials.stop(started, &self.clock);
            trials.matched += 1;
            let mut event = Event::undecoded(message, false, Some(outer), &mut self.changes);
            let (first, rest) = lines::split_first_line(message);
            if let (Some(rest), Some(field)) = (rest, &self.rules[rules.first].rest) {
                event.divide(first, rest, field);
            }
            return self.finisher.finish(event, at, Fate::Matched, &mut self.clock, parsed);
        }
        match rules.only {
            true => self.parse_without_rules(at, message, outer, Envelope::Syslog, false, parsed),
            // Other formats may have the line. Their fields are all that it has.
            false => self.parse_line(at, Text::of(message, true), (!envelope.is_none()).then_some(outer), parsed),
        }
    }
}
