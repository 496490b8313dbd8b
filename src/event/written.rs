//! How an event becomes a document: the fields of the record, its text where a part of it would be lost, the fields of its
//! source, and tags.

use std::sync::LazyLock;

use super::additions::{Added, Addition, Dry, Merging, write_all};
use super::captured::CapturedFields;
use super::changes::Changed;
use super::event::Event;
use super::fields::Content;
use super::members::{ObjectView, write_merged};
use super::message_rule::{MessageRule, TextPlace};
use super::plan::Captured;
use super::source_fields::Meeting;
use super::value::{FieldPath, Holds};
use crate::document::keys::Key;
use crate::document::{DocumentWriter, Encoding, Tags, write_text};

static TIMESTAMP: LazyLock<Key> = LazyLock::new(|| Key::new("@timestamp"));

impl<'a> Event<'a> {
    /// Writes the fields of the event, without an `_id`.
    #[inline]
    pub(crate) fn write<W: DocumentWriter>(&mut self, writer: &mut W) {
        if let Some(date) = self.date {
            writer.key(&TIMESTAMP);
            writer.date(date);
        }
        let mut tags = self.tags.clone();
        let meeting = self.meeting(W::ENCODING);
        let rest = self.rest.clone();
        // The text is due whatever the values of the fields turn out to be.
        let is_due = self.is_text_due(&tags);
        let may_be_due = is_due || self.may_lose_values();
        let place = may_be_due.then(|| self.text_place(W::ENCODING));
        let is_special = may_be_due && self.source.is_some_and(|source| source.is_special());
        if self.changes.is_empty()
            && rest.is_none()
            && !meeting.merges
            && !is_special
            && place != Some(TextPlace::WithinEvent)
        {
            self.write_fields(writer, &mut tags);
            if let Some(place) = place
                && (is_due || tags.has_failure())
            {
                self.write_text(place, writer, &mut tags);
            }
            if let Some(source) = self.source {
                source.append(meeting.taken, writer);
            }
        } else {
            let is_due = is_due || (may_be_due && self.loses_values(W::ENCODING));
            self.write_merged(writer, rest, place.filter(|_| is_due), &mut tags);
        }
        let outer = self.outer.into_iter().flat_map(|outer| outer.root(W::ENCODING).duplicates());
        let mut counts = self.counts.take();
        let count = &mut |tag: &str| counts.iter_mut().for_each(|counts| counts.add(tag));
        match &self.content {
            Content::Object { object, text, .. } => {
                let own = object.stored(W::ENCODING, text);
                tags.write(writer, own.duplicates().chain(outer.filter(|name| !own.is_duplicate(name))), count);
            }
            _ => tags.write(writer, outer, count),
        }
    }

    /// Returns how the fields of the source meet those of the record.
    #[inline]
    fn meeting(&mut self, encoding: Encoding) -> Meeting {
        let Some(source) = self.source else { return Meeting::default() };
        let mut meeting = match &mut self.content {
            Content::Captured { fields, .. } => match fields.meeting {
                Some((serial, meetings)) if serial == source.serial => meetings[encoding as usize],
                _ => {
                    let plan = &fields.plan;
                    let meet = |encoding| source.meet(encoding, |name| plan.holds(encoding, name));
                    let meetings = [Encoding::Json, Encoding::Bson].map(meet);
                    fields.meeting = Some((source.serial, meetings));
                    meetings[encoding as usize]
                }
            },
            Content::Object { object, text, .. } => {
                object.prepare(encoding, text);
                source.meet_object(encoding, object.stored(encoding, text), self.replaced)
            }
            Content::Message => source.meet(encoding, |name| (name == "message").then_some(Holds::Value)),
            Content::Nothing => Meeting::default(),
        };
        if let Some(outer) = self.outer {
            let other = source.meet_object(encoding, outer.root(encoding), None);
            meeting.taken |= other.taken;
            meeting.merges |= other.merges;
        }
        meeting
    }

    /// Whether the document has the text of the record, as far as this is known before the fields are written.
    #[inline]
    fn is_text_due(&self, tags: &Tags) -> bool {
        let spans_text = match &self.content {
            Content::Captured { spans_text, .. } => *spans_text,
            Content::Object { .. } => true,
            Content::Message | Content::Nothing => return false,
        };
        match self.message {
            MessageRule::Auto => self.lacks_lines || !spans_text || tags.has_failure(),
            MessageRule::Always => true,
            MessageRule::Never => self.lacks_lines,
        }
    }

    /// Whether only the values of the fields show that the document has the text of the record.
    #[inline]
    fn may_lose_values(&self) -> bool {
        self.message == MessageRule::Auto
            && matches!(&self.content, Content::Captured { fields, .. } if fields.has_types)
    }

    /// Whether a value of a field cannot be converted to its type.
    #[cold]
    fn loses_values(&mut self, encoding: Encoding) -> bool {
        let mut tags = Tags::default();
        match encoding {
            Encoding::Json => self.write_fields(&mut Dry::<true>::new(), &mut tags),
            Encoding::Bson => self.write_fields(&mut Dry::<false>::new(), &mut tags),
        }
        tags.has_failure()
    }

    /// Returns the place of the text of the record.
    #[inline]
    fn text_place(&self, encoding: Encoding) -> TextPlace {
        let outer = self.outer.map(|outer| outer.root(encoding));
        match &self.content {
            Content::Captured { fields, .. } if outer.is_none_or(|outer| outer.is_empty()) => {
                fields.text_places[encoding as usize]
            }
            content => {
                let own = |name: &str| match content {
                    Content::Captured { fields, .. } => fields.plan.holds(encoding, name),
                    Content::Object { object, text, .. } => object.stored(encoding, text).holds(name),
                    Content::Message | Content::Nothing => None,
                };
                let within = |view: ObjectView<'_>| {
                    view.find("event").and_then(|event| event.object()?.find("original")).is_some()
                };
                let has_original = || {
                    let own = match content {
                        Content::Captured { fields, .. } => {
                            fields.plan.excludes(encoding, TextPlace::WithinEvent.keys())
                        }
                        Content::Object { object, text, .. } => within(object.stored(encoding, text)),
                        Content::Message | Content::Nothing => false,
                    };
                    own || outer.is_some_and(within)
                };
                TextPlace::of(|name| own(name).or_else(|| outer.and_then(|outer| outer.holds(name))), has_original)
            }
        }
    }

    /// Writes the text of the record, which is not within an object of it.
    #[cold]
    fn write_text<W: DocumentWriter>(&self, place: TextPlace, writer: &mut W, tags: &mut Tags) {
        let text = Addition { keys: place.keys(), value: Added::Text(self.whole_text()), spare: None };
        write_all(&[text], 0, writer, tags);
    }

    /// Writes the fields with changes, and with additions in the objects of the record.
    #[inline(never)]
    fn write_merged<W: DocumentWriter>(
        &mut self,
        writer: &mut W,
        rest: Option<(FieldPath, &'a [u8])>,
        place: Option<TextPlace>,
        tags: &mut Tags,
    ) {
        let source = self.source;
        let mut additions: Vec<Addition<'_>> = Vec::new();
        for addition in source.iter().flat_map(|source| source.additions()) {
            // The name counts as taken if the pattern has it, whether or not this record has a value.
            let is_excluded = matches!(&self.content, Content::Captured { fields, .. } if fields.plan.excludes(W::ENCODING, addition.keys));
            match (is_excluded, addition.spare) {
                (false, _) => additions.push(addition),
                (true, Some(keys)) => additions.push(Addition { keys, spare: None, ..addition }),
                (true, None) => {}
            }
        }
        let text = place.map(|place| (place.keys(), self.whole_text()));
        let texts = rest.as_ref().map(|(path, text)| (path.keys(), *text)).into_iter().chain(text);
        for (keys, text) in texts {
            additions.retain(|other| !other.excludes(keys));
            let first = keys.first().map(|key| &key.name);
            let alike = |other: &Addition<'_>| other.keys.first().map(|key| &key.name) == first;
            let after = additions.iter().rposition(alike).map_or(additions.len(), |at| at + 1);
            additions.insert(after, Addition { keys, value: Added::Text(text), spare: None });
        }
        let changes = std::mem::take(self.changes);
        let mut changed = Changed::new(writer, changes);
        let mut merging = Merging::new(&mut changed, additions);
        self.write_fields(&mut merging, tags);
        merging.finish(tags);
        *self.changes = changed.finish(tags);
    }

    #[inline]
    fn write_fields<W: DocumentWriter>(&mut self, writer: &mut W, tags: &mut Tags) {
        let Event { text, ascii, now_ms, replaced, .. } = *self;
        let whole = self.whole_text();
        let has_message = self.has_message(W::ENCODING);
        let outer = self.outer.map(|outer| outer.root(W::ENCODING));
        match &mut self.content {
            Content::Captured { fields, spans, .. } => {
                let captured = Captured { line: text, spans, ascii, now_ms };
                let CapturedFields { plan, dates, .. } = &mut **fields;
                match outer {
                    None => plan.write(writer, &captured, dates, tags),
                    Some(outer) => plan.write_enveloped(outer, writer, &captured, dates, tags),
                }
            }
            Content::Object { object, text, .. } => {
                object.prepare(W::ENCODING, text);
                let (view, names) = object.parts(W::ENCODING, text);
                let except = replaced.filter(|&at| !view.is_joined(at));
                match outer {
                    None => view.write_members(except, writer),
                    Some(outer) => write_merged(outer, view, except, names, writer),
                }
            }
            Content::Message => {
                if let Some(outer) = outer {
                    outer.write_members(None, writer);
                }
                if has_message {
                    writer.key(&TextPlace::Message.keys()[0]);
                    write_text(whole, writer, whole.is_ascii(), tags);
                }
            }
            Content::Nothing => {}
        }
    }
}
