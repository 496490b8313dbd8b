//! [`Finisher`]: the last steps of a record: stages, the text of the record, the fields of its source, and the documents.

use std::sync::Arc;

use super::chain::Chain;
use super::parsed::{Fate, Parsed};
use crate::core::context::{Context, Origin};
use crate::core::error::Result;
use crate::core::record::RecordId;
use crate::event::stage::SinkSet;
use crate::event::{Event, Layout, LayoutWriter, MessageRule, SourceFields, TagCounts};
use crate::worker::parser::Formats;
use crate::worker::pattern_counts::Clock;

/// The index of a record in its batch, its id, and its context.
#[derive(Clone, Copy)]
pub(super) struct LineContext<'a> {
    pub index: u32,
    pub id: RecordId,
    pub context: &'a Context,
    /// Whether the line is only a part of a line.
    pub partial: bool,
    /// Whether the record ended at a limit of time, lines or bytes.
    pub closed: bool,
}

/// Makes the documents of events, in one thread.
pub(super) struct Finisher {
    /// Make the documents, one for each layout that a sink wants.
    writers: Vec<LayoutWriter>,
    stages: Chain,
    message: MessageRule,
    ecs: bool,
    /// The origin of the records that come next, and the fields of their documents.
    origin: Option<Arc<Origin>>,
    source: Option<SourceFields>,
    /// The number of origins so far.
    origins: u64,
    tags: TagCounts,
}

impl Finisher {
    /// Returns the finisher of one thread, for documents of these layouts.
    ///
    /// # Errors
    /// An encoder that a sink brings, or what a stage needs, cannot be had.
    pub fn new(formats: &Formats, layouts: Vec<Layout>) -> Result<Finisher> {
        Ok(Finisher {
            writers: layouts.into_iter().map(LayoutWriter::new).collect::<Result<_>>()?,
            stages: Chain::new(&formats.stages)?,
            message: formats.message,
            ecs: formats.library.is_ecs(),
            origin: None,
            source: None,
            origins: 0,
            tags: TagCounts::default(),
        })
    }

    /// Returns the layouts.
    pub fn layouts(&self) -> impl Iterator<Item = &Layout> {
        self.writers.iter().map(LayoutWriter::layout)
    }

    /// The records that come next are of `origin`. Its fields are encoded if they are not those of the origin before.
    #[inline]
    pub fn begin(&mut self, origin: &Arc<Origin>) {
        if !self.origin.as_ref().is_some_and(|known| Arc::ptr_eq(known, origin)) {
            self.change(origin);
        }
    }

    #[cold]
    fn change(&mut self, origin: &Arc<Origin>) {
        let same = |known: &Arc<Origin>| {
            (&known.path, &known.host, &known.fields) == (&origin.path, &origin.host, &origin.fields)
        };
        if !self.origin.as_ref().is_some_and(same) {
            self.origins += 1;
            self.source = SourceFields::of(origin, self.ecs, self.origins);
        }
        self.origin = Some(Arc::clone(origin));
    }

    /// Lets the stages handle `event`, and makes its documents. Returns `fate`, or that a stage dropped the event.
    #[inline]
    pub fn finish<'e>(
        &'e mut self,
        mut event: Event<'e>,
        at: LineContext<'_>,
        fate: Fate,
        clock: &mut Clock,
        parsed: &mut Parsed,
    ) -> Fate {
        if at.partial {
            event.tag_partial();
        }
        if at.closed {
            event.tag_multiline_cut();
        }
        parsed.dates.add(event.date_notes());
        event.set_source(self.source.as_ref());
        event.set_message(self.message);
        event.count_tags(&mut self.tags);
        let Some(sinks) = self.stages.apply(&mut event, clock) else { return Fate::Filtered };
        if sinks != SinkSet::ALL {
            parsed.limited.push((parsed.made, sinks));
        }
        parsed.made += 1;
        for (writer, documents) in self.writers.iter_mut().zip(&mut parsed.documents) {
            writer.push(&mut event, at.index, at.id, at.context, documents);
        }
        fate
    }

    /// Adds the counts to the shared ones.
    pub fn add_up(&mut self, formats: &Formats) {
        self.stages.add_up(&formats.stage_sums);
        if !self.tags.is_empty() {
            formats.add_tags(&mut self.tags);
        }
    }
}
