//! From the lines of a batch to encoded documents.

mod parsed;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

pub use self::parsed::{Fate, Parsed, SetAside};
use super::counts::{Budget, Clock, Sums, Trials};
use crate::core::batch::{Batch, Origin};
use crate::core::error::{Error, Result};
use crate::core::lines;
use crate::dead_letter::Reason;
use crate::document::{DocumentId, Documents, Encoder, OuterFields, date};
use crate::envelope::{Envelope, Opened, Opener};
use crate::grok::{Explainer, Format, Library, Matcher, Parts, Pattern, Reached, Rule as FormatRule, Selector, Span};
use crate::observe::receipt::PatternCount;
use crate::sink::Encoding;

/// How many patterns are looked at, in their order, for how far they got with a line that none matches.
const EXPLAINED: usize = 8;

/// Lines looked at to tell a format.
const SAMPLE: usize = 200;

/// What to do with a line that matches no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Unmatched {
    /// Store it as `message`, tagged.
    #[default]
    Keep,
    /// Set it aside.
    DeadLetter,
    /// Drop it, and count it as filtered.
    Drop,
}

/// What all parsers of a process share: which formats, and what was found out about inputs.
pub struct Formats {
    choice: Choice,
    library: Arc<Library>,
    /// Patterns taken apart, to tell how far lines got that are set aside.
    parts: Mutex<HashMap<String, Arc<Parts>>>,
    unmatched: Unmatched,
    sums: Sums,
    say: Box<dyn Fn(String) + Send + Sync>,
}

enum Choice {
    /// Tried in order.
    Given(Vec<Format>),
    /// Told from the first batch of each origin, and remembered.
    Auto { told: Mutex<HashMap<u64, Option<Format>>> },
}

/// The most origins whose format is remembered; beyond, it is told anew.
const REMEMBERED: usize = 100_000;

impl Formats {
    /// These formats, in order; with none, each input's format is told from its lines. `say` gets a sentence for the
    /// user when that happens.
    pub fn new(
        given: Vec<Format>,
        library: Library,
        unmatched: Unmatched,
        say: impl Fn(String) + Send + Sync + 'static,
    ) -> Self {
        let sums = Sums::of(given.iter().map(|format| format.name.as_str()));
        let choice = match given.is_empty() {
            true => Choice::Auto { told: Mutex::default() },
            false => Choice::Given(given),
        };
        let (library, parts) = (Arc::new(library), Mutex::default());
        Formats { choice, library, parts, unmatched, sums, say: Box::new(say) }
    }

    /// A parser for one thread, for sinks that want `encodings`.
    ///
    /// # Errors
    /// When the fields of a format cannot be documents.
    pub fn parser(self: &Arc<Self>, encodings: &[Encoding]) -> Result<Parser> {
        let mut wanted: Vec<Encoding> = Vec::new();
        for encoding in encodings {
            if !wanted.contains(encoding) {
                wanted.push(*encoding);
            }
        }
        let given: &[Format] = match &self.choice {
            Choice::Given(formats) => formats,
            Choice::Auto { .. } => &[],
        };
        let rules = given.iter().map(Rule::new).collect::<Result<_>>()?;
        // A parser that has no rule yet still needs to encode lines that match nothing.
        let plain = Encoder::new(&[], None)?;
        Ok(Parser {
            formats: Arc::clone(self),
            encodings: wanted,
            rules,
            // For one pattern, looking for its literals would be looking twice.
            selector: (given.len() > 1).then(|| Selector::new(given.iter().map(Format::pattern))),
            first_matched: false,
            plain,
            opener: None,
            told_for: None,
            spans: Vec::new(),
            clock: Clock::new(),
            budget: Budget::default(),
        })
    }

    /// What each pattern has cost and given so far, in all parsers.
    pub fn counts(&self) -> Vec<PatternCount> {
        self.sums.get()
    }

    /// `pattern` taken apart, which is done once.
    fn parts(&self, pattern: &Pattern) -> Arc<Parts> {
        let mut known = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        let new = || Arc::new(Parts::new(Arc::clone(&self.library), pattern));
        Arc::clone(known.entry(pattern.name().to_owned()).or_insert_with(new))
    }

    /// The format of the lines of `origin`, told from those in `batch` at the first call.
    fn tell(&self, told: &Mutex<HashMap<u64, Option<Format>>>, batch: &Batch, origin: &Origin) -> Option<Format> {
        let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(format) = told.get(&origin.id) {
            return format.clone();
        }
        let lines = lines::lines(&batch.data).enumerate();
        let own = lines.filter_map(|(index, line)| {
            let (origin_of_line, offset) = batch.position(index, line.start);
            (origin_of_line.id == origin.id).then(|| lines::without_mark(line.bytes, offset))
        });
        let sample: Vec<&[u8]> = own.take(SAMPLE).collect();
        let format = self.library.detect(&sample);
        let Origin { id, name, .. } = origin;
        (self.say)(match &format {
            Some(format) => format!("{name}: format {}", format.name),
            None => format!(
                "{name}: no format fits; its lines are stored unparsed, as message (name one with --format, or give a \
                 --pattern)"
            ),
        });
        if told.len() >= REMEMBERED {
            told.clear();
        }
        told.insert(*id, format.clone());
        format
    }
}

/// A format in the hands of one thread.
struct Rule {
    name: String,
    pattern: Option<Pattern>,
    matcher: Option<Matcher>,
    /// Made when it is needed.
    explainer: Option<Explainer>,
    slots: usize,
    encoder: Encoder,
    trials: Trials,
}

/// Where a line stands in its batch, its id, and the time at which it is parsed.
#[derive(Clone, Copy)]
struct LineContext {
    index: u32,
    id: DocumentId,
    now_ms: i64,
    /// Whether the line is a part of a line.
    partial: bool,
}

/// How trying a rule on a line ended.
enum Trial {
    /// A document was made.
    Matched,
    /// It did not match.
    Failed,
    /// It was given up, with the reason.
    Stopped(String),
}

impl Rule {
    fn new(format: &Format) -> Result<Rule> {
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

/// Parses batches, one thread's own.
pub struct Parser {
    formats: Arc<Formats>,
    encodings: Vec<Encoding>,
    rules: Vec<Rule>,
    /// Tells which of several rules can match a line.
    selector: Option<Selector>,
    /// Whether the first rule matched the line before: then it is tried before anything else is looked at.
    first_matched: bool,
    plain: Encoder,
    /// Made when it is needed.
    opener: Option<Opener>,
    /// The origin that `rules` were told for.
    told_for: Option<(u64, Envelope)>,
    spans: Vec<Span>,
    clock: Clock,
    budget: Budget,
}

impl Parser {
    /// An empty buffer to parse into.
    pub fn buffer(&self) -> Parsed {
        let documents = self.encodings.iter().map(|&encoding| Documents::new(encoding)).collect();
        Parsed { documents, fates: Vec::new(), letters: Vec::new() }
    }

    /// Parses the lines of `batch` into `parsed`, whose earlier content is forgotten.
    ///
    /// # Errors
    /// When the fields of a format that was just told cannot be documents.
    pub fn parse(&mut self, batch: &Batch, parsed: &mut Parsed) -> Result<()> {
        parsed.clear();
        self.tell_format(batch, &batch.origin)?;
        let now_ms = date::now_ms();
        let mut opener = self.opener.take();
        for (index, line) in lines::lines(&batch.data).enumerate() {
            let (origin, offset) = batch.position(index, line.start);
            if batch.positions.is_some() {
                self.tell_format(batch, origin)?;
            }
            let id = DocumentId::new(origin, offset, line.bytes);
            let at = LineContext { index: index as u32, id, now_ms, partial: batch.is_partial(index) };
            let text = lines::without_mark(line.bytes, offset);
            let fate = match origin.envelope {
                Envelope::None => self.parse_line(at, text, None, parsed),
                envelope => {
                    let opener = match &mut opener {
                        Some(opener) => opener,
                        none => none.insert(Opener::new(self.formats.library.is_ecs())?),
                    };
                    let Opened { message, outer, fits } = opener.open(envelope, text, now_ms);
                    match self.rules[..] {
                        [] => self.parse_without_rules(at, message, outer, envelope, fits, parsed),
                        _ => self.parse_line(at, message, Some(outer), parsed),
                    }
                }
            };
            parsed.fates.push(fate);
        }
        self.opener = opener;
        self.add_up();
        Ok(())
    }

    /// Hands over what the rules have counted.
    fn add_up(&mut self) {
        for (index, rule) in self.rules.iter_mut().enumerate() {
            self.formats.sums.add(index, &rule.name, &mut rule.trials);
        }
    }

    fn tell_format(&mut self, batch: &Batch, origin: &Origin) -> Result<()> {
        let Choice::Auto { told } = &self.formats.choice else { return Ok(()) };
        if self.told_for == Some((origin.id, origin.envelope)) {
            return Ok(());
        }
        let format = match origin.envelope {
            Envelope::None => self.formats.tell(told, batch, origin),
            // The envelope is format enough: what is within may be anything.
            _ => None,
        };
        self.add_up();
        self.rules = format.iter().map(Rule::new).collect::<Result<_>>()?;
        self.first_matched = false;
        self.told_for = Some((origin.id, origin.envelope));
        Ok(())
    }

    /// A line that was opened and that no format is given for.
    fn parse_without_rules(
        &mut self,
        at: LineContext,
        message: &[u8],
        outer: &OuterFields,
        envelope: Envelope,
        fits: bool,
        parsed: &mut Parsed,
    ) -> Fate {
        let fate = match (fits, self.formats.unmatched) {
            (true, _) => Fate::Matched,
            (false, Unmatched::Keep) => Fate::Unmatched,
            (false, Unmatched::Drop) => return Fate::Filtered,
            (false, Unmatched::DeadLetter) => {
                let letter = SetAside::new(at.index, Reason::Unmatched, envelope.misfit().to_owned());
                parsed.letters.push(letter);
                return Fate::DeadLettered;
            }
        };
        self.keep(at, message, Some((outer, false)), parsed);
        fate
    }

    /// Makes the document of a line that is not parsed: of its message, if there are fields around it, and whether
    /// that was to be parsed.
    fn keep(&mut self, at: LineContext, line: &[u8], outer: Option<(&OuterFields, bool)>, parsed: &mut Parsed) {
        self.plain.set_partial(at.partial);
        for documents in &mut parsed.documents {
            let encoding = documents.encoding();
            documents.push(at.index, at.id, |out| {
                match outer {
                    None => self.plain.encode_unmatched(encoding, &at.id, line, out),
                    Some((outer, wanted)) => {
                        self.plain.encode_message(encoding, &at.id, outer, line, wanted, out);
                    }
                }
                true
            });
        }
    }

    /// A line, or the message within it and the fields around that.
    #[inline]
    fn parse_line(&mut self, at: LineContext, line: &[u8], outer: Option<&OuterFields>, parsed: &mut Parsed) -> Fate {
        let mut looked = false;
        let mut next = if self.first_matched { Some(0) } else { self.next_rule(0, line, &mut looked) };
        while let Some(rule) = next {
            match self.try_rule(rule, at, line, outer, parsed) {
                Trial::Matched => {
                    self.first_matched = rule == 0;
                    return Fate::Matched;
                }
                Trial::Failed => {}
                Trial::Stopped(words) => {
                    let pattern = Some(self.rules[rule].name.clone());
                    let letter = SetAside::new(at.index, Reason::Limit, words);
                    parsed.letters.push(SetAside { pattern, ..letter });
                    return Fate::DeadLettered;
                }
            }
            next = self.next_rule(rule + 1, line, &mut looked);
        }
        self.first_matched = false;
        match self.formats.unmatched {
            Unmatched::Keep => {
                self.keep(at, line, outer.map(|outer| (outer, true)), parsed);
                Fate::Unmatched
            }
            Unmatched::DeadLetter => {
                let words = "no pattern matches the line".to_owned();
                let reached = self.explain(line);
                let pattern = reached.as_ref().map(|reached| reached.pattern().to_owned());
                parsed.letters.push(SetAside { pattern, reached, ..SetAside::new(at.index, Reason::Unmatched, words) });
                Fate::DeadLettered
            }
            Unmatched::Drop => Fate::Filtered,
        }
    }

    /// How far the rule got that got furthest with `line`, which none matches.
    fn explain(&mut self, line: &[u8]) -> Option<Reached> {
        let started = self.budget.start()?;
        let mut best: Option<Reached> = None;
        for rule in self.rules.iter_mut().take(EXPLAINED) {
            let Some(pattern) = &rule.pattern else { continue };
            let explainer = rule.explainer.get_or_insert_with(|| Explainer::new(self.formats.parts(pattern)));
            let reached = explainer.explain(line);
            if best.as_ref().is_none_or(|best| reached.as_ref().is_some_and(|it| it.offset() > best.offset())) {
                best = reached.or(best);
            }
        }
        self.budget.stop(started);
        best
    }

    /// The next rule from `index` on that can match `line`. With several, the line is looked at first, once.
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
        at: LineContext,
        line: &[u8],
        outer: Option<&OuterFields>,
        parsed: &mut Parsed,
    ) -> Trial {
        let Rule { matcher, slots, encoder, trials, .. } = &mut self.rules[rule];
        let started = trials.start(&mut self.clock);
        if let Some(matcher) = matcher {
            let found = matcher.captures(line);
            trials.stop(started, &self.clock);
            match found {
                Ok(Some(captures)) => {
                    self.spans.clear();
                    self.spans.extend((0..*slots).map(|slot| captures.span(slot)));
                }
                Ok(None) => return Trial::Failed,
                Err(stopped) => {
                    trials.limit_hits += 1;
                    return Trial::Stopped(stopped.to_string());
                }
            }
        }
        let spans = &self.spans;
        encoder.set_partial(at.partial);
        let encoded = parsed.documents.iter_mut().all(|documents| {
            let encoding = documents.encoding();
            let LineContext { index, id, now_ms, .. } = at;
            documents.push(index, id, |out| match outer {
                None => encoder.encode(encoding, &id, line, spans, now_ms, out),
                Some(outer) => encoder.encode_within(encoding, &id, outer, line, spans, now_ms, out),
            })
        });
        if matcher.is_none() {
            // Of a line that is JSON already, reading and writing are one.
            trials.stop(started, &self.clock);
        }
        if !encoded {
            return Trial::Failed;
        }
        trials.matched += 1;
        Trial::Matched
    }
}
