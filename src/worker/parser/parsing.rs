//! [`Parser`]: turns the lines of a batch into encoded documents.

use std::sync::Arc;

use super::finishing::{Finisher, LineContext};
use super::first_line::Text;
use super::formats::{Formats, Unmatched};
use super::parsed::{Fate, LetterDraft, Parsed};
use super::rule::{Rule, SyslogRules};
use super::text::{Messages, Texts};
use crate::core::batch::{Batch, Framing, Place};
use crate::core::context::Origin;
use crate::core::envelope::Envelope;
use crate::core::error::Result;
use crate::core::lines::Line;
use crate::core::record::{self, Key, Ordinals, RecordId, time_hash};
use crate::core::records::HEADER;
use crate::dead_letter::Reason;
use crate::document::Documents;
use crate::envelope::roles::{Role, Roles};
use crate::envelope::{Opened, Opener, pushed};
use crate::event::{Changes, Event, Layout, OuterFields};
use crate::grok::{Format, Selector};
use crate::worker::pattern_counts::{Budget, Clock};

/// The result of trying a rule on a line.
enum RuleResult {
    /// The line matched. It became a document, or a stage dropped it.
    Matched(Fate),
    /// The line did not match.
    Failed,
    /// Matching was stopped, for this reason.
    Stopped(String),
}

/// Parses batches. Each thread has its own parser.
pub struct Parser {
    pub(super) formats: Arc<Formats>,
    pub(super) rules: Vec<Rule>,
    /// Those of the rules that mean syslog messages.
    syslog: Option<SyslogRules>,
    /// The message of a record whose envelope is not syslog, while it is opened as a syslog message.
    within: Vec<u8>,
    /// Finds which of several rules can match a line.
    selector: Option<Selector>,
    /// Whether the first rule matched the previous line. It is then tried before anything else.
    first_matched: bool,
    pub(super) finisher: Finisher,
    /// The memory of the changes that stages make.
    pub(super) changes: Changes,
    /// Created at its first use.
    opener: Option<Opener>,
    text: Texts,
    messages: Messages,
    /// The origin for which `rules` were detected.
    detected_for: Option<(u64, Envelope)>,
    ordinals: Ordinals,
    pub(super) clock: Clock,
    pub(super) budget: Budget,
}

impl Formats {
    /// Returns a parser for one thread and for sinks that want documents of these `layouts`.
    ///
    /// # Errors
    /// The fields of a format cannot form a document.
    pub fn parser(self: &Arc<Self>, layouts: impl IntoIterator<Item = impl Into<Layout>>) -> Result<Parser> {
        let mut wanted: Vec<Layout> = Vec::new();
        for layout in layouts.into_iter().map(Into::into) {
            if !wanted.contains(&layout) {
                wanted.push(layout);
            }
        }
        let given = self.given();
        let rules: Vec<Rule> = given.iter().map(|format| Rule::new(format, &self.dates)).collect::<Result<_>>()?;
        Ok(Parser {
            formats: Arc::clone(self),
            syslog: SyslogRules::among(&rules),
            within: Vec::new(),
            rules,
            // With a single pattern, a search for its literals would repeat the work of the matcher.
            selector: (given.len() > 1).then(|| Selector::new(given.iter().map(Format::pattern))),
            first_matched: false,
            finisher: Finisher::new(self, wanted)?,
            changes: Changes::default(),
            opener: None,
            text: Texts::new(self.keeps_ansi),
            messages: Messages::new(self.keeps_ansi),
            detected_for: None,
            ordinals: Ordinals::default(),
            clock: Clock::new(),
            budget: Budget::default(),
        })
    }
}

impl Parser {
    /// Returns an empty buffer for [`parse`](Parser::parse).
    pub fn buffer(&self) -> Parsed {
        let layouts: Vec<Layout> = self.finisher.layouts().cloned().collect();
        let documents = layouts.iter().map(|layout| Documents::new(layout.encoding())).collect();
        Parsed { layouts, documents, ..Parsed::default() }
    }

    /// Parses the lines of `batch` into `parsed` and overwrites its earlier content.
    ///
    /// # Errors
    /// The fields of a format that was just detected cannot form a document.
    pub fn parse(&mut self, batch: &Batch, parsed: &mut Parsed) -> Result<()> {
        parsed.clear();
        self.detect_format(batch, &batch.context.origin)?;
        self.finisher.begin(&batch.context.origin);
        self.ordinals.clear();
        let unparsed = self.formats.is_none();
        let mut opener = self.opener.take();
        let (mut texts, mut messages) = (std::mem::take(&mut self.text), std::mem::take(&mut self.messages));
        texts.begin(batch);
        let roles = Roles::of(batch);
        let has_tables = batch.framing != Framing::Lines;
        for (index, line) in batch.records().enumerate() {
            let mut place = batch.place(index, line.start);
            let record = match roles.role(index) {
                _ if has_tables && !unparsed && batch.framing.has(HEADER, index) => {
                    pass_over(&place, Fate::Filtered, parsed);
                    continue;
                }
                Role::Whole => line.bytes,
                Role::Piece => {
                    pass_over(&place, Fate::Joined, parsed);
                    continue;
                }
                Role::Last(number) => {
                    let joined = &roles.joined[number as usize];
                    place.offset = joined.offset;
                    &joined.raw
                }
            };
            let origin = &*place.context.origin;
            let now_ms = place.context.time_ms;
            if batch.positions.is_some() {
                self.detect_format(batch, origin)?;
                self.finisher.begin(&place.context.origin);
            }
            let at = |id| {
                let (partial, closed) = (batch.is_partial(index), batch.is_closed(index));
                LineContext { index: index as u32, id, context: place.context, partial, closed }
            };
            let is_timed = matches!(place.key, Key::Time { .. });
            let envelope = match origin.envelope {
                Envelope::Pushed => pushed::envelope(record),
                envelope => envelope,
            };
            let fate = match envelope {
                // The id of a record alone needs its envelope only if the envelope holds its time.
                _ if unparsed && !is_timed => {
                    self.id(&place, record, None, parsed);
                    parsed.made += 1;
                    Fate::Matched
                }
                Envelope::None if self.syslog.is_none() => {
                    let id = self.id(&place, record, None, parsed);
                    let text = texts.of(record, place.offset, origin);
                    self.parse_line(at(id), Text::of(text, has_tables), None, parsed)
                }
                envelope => {
                    let opener = match &mut opener {
                        Some(opener) => opener,
                        none => none.insert(Opener::with(self.formats.library.is_ecs(), &self.formats.dates.rules)?),
                    };
                    // The id of a record with a time is made from its message, and has the sequences of a terminal.
                    let text = match is_timed {
                        true => texts.with_ansi(record, place.offset, origin),
                        false => texts.of(record, place.offset, origin),
                    };
                    let opened = match self.syslog {
                        Some(_) if envelope.is_none() => opener.open(Envelope::Syslog, text, now_ms),
                        _ => opener.open(envelope, text, now_ms),
                    };
                    let at = at(self.id(&place, record, Some(&opened), parsed));
                    let Opened { message, outer, is_enveloped, .. } = opened;
                    let message = messages.of(message);
                    match self.rules[..] {
                        _ if unparsed => {
                            parsed.made += 1;
                            Fate::Matched
                        }
                        // What peers push may come from any program, whatever other lines they push.
                        _ if envelope == Envelope::Json && self.formats.is_auto() => {
                            self.parse_without_rules(at, message, outer, envelope, is_enveloped, parsed)
                        }
                        _ if let Some(rules) = self.syslog => {
                            let mut within = std::mem::take(&mut self.within);
                            let opened = match envelope {
                                Envelope::None | Envelope::Syslog => opened,
                                _ => {
                                    within.clear();
                                    within.extend_from_slice(message);
                                    opener.open_within(&within, now_ms, rules.only)
                                }
                            };
                            let fate = self.parse_syslog(rules, at, opened, envelope, parsed);
                            self.within = within;
                            fate
                        }
                        [] => self.parse_without_rules(at, message, outer, envelope, is_enveloped, parsed),
                        _ => self.parse_line(at, Text::of(message, true), Some(outer), parsed),
                    }
                }
            };
            parsed.fates.push(fate);
        }
        parsed.joined = roles.joined;
        self.opener = opener;
        (self.text, self.messages) = (texts, messages);
        self.formats.date_sums.add(&parsed.dates);
        self.add_up();
        Ok(())
    }

    /// Returns the id of a record. `opened` is the record without its envelope, if it has one.
    #[inline]
    fn id(&mut self, place: &Place<'_>, record: &[u8], opened: Option<&Opened<'_>>, parsed: &mut Parsed) -> RecordId {
        let id = match (place.id, place.key) {
            (Some(id), _) => id,
            (None, Key::Time { .. }) if opened.is_some_and(|opened| !opened.has_key()) => {
                let key = Key::Offset(place.offset);
                parsed.times.push(key);
                key.id(place.context.origin.id, record::hash(record))
            }
            (None, Key::Time { .. }) => {
                let (message, ns, stream) = match opened {
                    Some(opened) => (opened.message, opened.time_ns, opened.stream),
                    None => (record, 0, &[][..]),
                };
                let ordinal = self.ordinals.next(stream, ns);
                let key = Key::Time { ns, ordinal };
                parsed.times.push(key);
                key.id(place.context.origin.id, time_hash(stream, ordinal, message))
            }
            (None, key) => key.id(place.context.origin.id, record::hash(record)),
        };
        if parsed.documents.is_empty() {
            parsed.ids.push(id);
        }
        id
    }

    /// Adds the counts of the rules to the shared ones.
    fn add_up(&mut self) {
        for (index, rule) in self.rules.iter_mut().enumerate() {
            self.formats.sums.add(index, &rule.name, &mut rule.trials);
        }
        self.finisher.add_up(&self.formats);
    }

    fn detect_format(&mut self, batch: &Batch, origin: &Origin) -> Result<()> {
        if !self.formats.is_auto() || self.detected_for == Some((origin.id, origin.envelope)) {
            return Ok(());
        }
        if batch.framing.count(HEADER) == u64::from(batch.records) {
            return Ok(());
        }
        let is_plain = |line: Line<'_>| pushed::envelope(line.bytes).is_none();
        if origin.envelope == Envelope::Pushed && !batch.records().any(is_plain) {
            return Ok(());
        }
        let format = match origin.envelope {
            // A wrapped line may come from any program. The lines of one container come from one.
            Envelope::Json | Envelope::Syslog => None,
            _ => self.formats.detect(batch, origin),
        };
        self.add_up();
        self.rules = format.iter().map(|format| Rule::new(format, &self.formats.dates)).collect::<Result<_>>()?;
        self.syslog = SyslogRules::among(&self.rules);
        self.first_matched = false;
        self.detected_for = Some((origin.id, origin.envelope));
        Ok(())
    }

    /// Makes the document of a line that is not parsed. `outer` has the outer fields of a wrapped line; `tried` says
    /// that patterns were tried. Returns `fate`, or that a stage dropped the line.
    pub(super) fn keep_unparsed(
        &mut self,
        at: LineContext<'_>,
        line: &[u8],
        outer: Option<&OuterFields>,
        tried: bool,
        fate: Fate,
        parsed: &mut Parsed,
    ) -> Fate {
        let event = Event::undecoded(line, tried, outer, &mut self.changes);
        self.finisher.finish(event, at, fate, &mut self.clock, parsed)
    }

    /// Parses a line, or the message of a wrapped line with its outer fields.
    #[inline]
    pub(super) fn parse_line(
        &mut self,
        at: LineContext<'_>,
        line: Text<'_>,
        outer: Option<&OuterFields>,
        parsed: &mut Parsed,
    ) -> Fate {
        let mut looked = false;
        let mut next = if self.first_matched { Some(0) } else { self.next_rule(0, line.record, &mut looked) };
        while let Some(rule) = next {
            match self.try_rule(rule, at, line, outer, parsed) {
                RuleResult::Matched(fate) => {
                    self.first_matched = rule == 0;
                    return fate;
                }
                RuleResult::Failed => {}
                RuleResult::Stopped(words) => {
                    let pattern = Some(self.rules[rule].name.clone());
                    let letter = LetterDraft::new(at.index, at.id, Reason::Limit, words);
                    parsed.letters.push(LetterDraft { pattern, ..letter });
                    return Fate::DeadLettered;
                }
            }
            next = self.next_rule(rule + 1, line.record, &mut looked);
        }
        self.first_matched = false;
        match self.formats.unmatched {
            Unmatched::Keep => self.keep_unparsed(at, line.record, outer, true, Fate::Unmatched, parsed),
            Unmatched::DeadLetter => {
                let words = "no pattern matches the line".to_owned();
                let reached = self.explain(line);
                let pattern = reached.as_ref().map(|reached| reached.pattern().to_owned());
                parsed.letters.push(LetterDraft {
                    pattern,
                    reached,
                    ..LetterDraft::new(at.index, at.id, Reason::Unmatched, words)
                });
                Fate::DeadLettered
            }
            Unmatched::Drop => Fate::Filtered,
        }
    }

    /// Returns the next rule from `index` on that can match `line`. If there are several rules, the selector first
    /// searches the line, once.
    #[inline]
    fn next_rule(&mut self, index: usize, line: &[u8], looked: &mut bool) -> Option<usize> {
        let Some(selector) = &mut self.selector else { return (index < self.rules.len()).then_some(index) };
        if !*looked {
            selector.look(line);
            *looked = true;
        }
        selector.next(index)
    }

    #[inline]
    fn try_rule(
        &mut self,
        rule: usize,
        at: LineContext<'_>,
        line: Text<'_>,
        outer: Option<&OuterFields>,
        parsed: &mut Parsed,
    ) -> RuleResult {
        let Rule { decoder, trials, spans_lines, rest: rest_field, .. } = &mut self.rules[rule];
        let (seen, left) = line.seen(decoder, *spans_lines);
        let started = trials.start(&mut self.clock);
        let decoded = decoder.decode(seen);
        trials.stop(started, &self.clock);
        let fields = match decoded {
            Ok(Some(fields)) => fields,
            Ok(None) => return RuleResult::Failed,
            Err(stopped) => {
                trials.limit_hits += 1;
                return RuleResult::Stopped(stopped.to_string());
            }
        };
        trials.matched += 1;
        let mut event = Event::decoded(seen, fields, outer, &mut self.changes, at.context.time_ms);
        if let Some(rest) = left {
            event.keep_lines(line.record, rest, rest_field.as_ref());
        }
        RuleResult::Matched(self.finisher.finish(event, at, Fate::Matched, &mut self.clock, parsed))
    }
}

/// Notes a record that has no document of its own. Its key and its id stand for nothing.
fn pass_over(place: &Place<'_>, fate: Fate, parsed: &mut Parsed) {
    if matches!(place.key, Key::Time { .. }) {
        parsed.times.push(place.key);
    }
    if parsed.documents.is_empty() {
        parsed.ids.push(RecordId::from_bytes([0; RecordId::BYTES]));
    }
    parsed.fates.push(fate);
}
