//! [`Layout`]: how a sink wants its documents, and [`DocumentEncoder`]: an encoder that a sink brings.

use std::fmt;
use std::sync::Arc;

use super::event::Event;
use super::value::FieldPath;
use crate::core::calendar::now_ms;
use crate::core::context::Context;
use crate::core::error::Result;
use crate::core::record::RecordId;
use crate::document::{Documents, Encoding, Refusal};

/// How a sink wants its documents. Documents are made once for all sinks that want the same layout.
#[derive(Debug, Clone)]
pub struct Layout {
    /// The encoding of the body. It decides about the names: JSON keeps all, BSON renames some.
    pub body: Body,
    /// The place of `_id`.
    pub id: IdPlace,
    /// The values that the sink wants beside the body.
    pub beside: Wanted,
    /// The `@timestamp` of a document whose record has no time.
    pub undated: Undated,
}

/// The encoding of the bodies of documents.
#[derive(Debug, Clone)]
pub enum Body {
    /// JSON or BSON.
    Encoded(Encoding),
    /// The encoding of an encoder that the sink brings.
    Own(Arc<dyn DocumentEncoderSpec>),
}

/// Where the `_id` of a document stands. The sink gets it in any case.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IdPlace {
    /// The first member of the body.
    #[default]
    Inside,
    /// Not in the body. An encoder of the sink's own decides itself.
    Outside,
}

/// What becomes of a record without a time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Undated {
    /// Its document has no `@timestamp`.
    #[default]
    Without,
    /// Its document has the time at which the record arrived, and the tag `_arrival_time`.
    Arrival,
}

/// The values that a sink wants beside the body of each document. They are kept in
/// [`Documents::beside`](Documents::beside).
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// `@timestamp`, and where it came from.
    pub time: bool,
    /// Where the record comes from, and what was in force when it was read.
    pub context: bool,
    /// The values of these fields, such as a key or a part of the name of an index.
    pub fields: Arc<[FieldPath]>,
}

/// The description of an encoder that a sink brings, made from the formats that the sink was opened with. All threads
/// share it, and each makes its own encoder from it.
pub trait DocumentEncoderSpec: fmt::Debug + Send + Sync {
    /// Makes the encoder of one thread.
    ///
    /// # Errors
    /// What the encoder needs cannot be had.
    fn encoder(&self) -> Result<Box<dyn DocumentEncoder>>;
}

/// An encoder of one thread. It applies the sink's rule for names.
pub trait DocumentEncoder: Send {
    /// Appends the body of the document of `event` to `out`.
    ///
    /// # Errors
    /// The store could never accept the document. The record becomes a dead letter with these words.
    fn encode(&mut self, event: &mut Event<'_>, id: &RecordId, out: &mut Vec<u8>) -> Result<(), Refusal>;
}

impl Layout {
    /// Returns the encoding; `None` if the sink brings its own.
    pub fn encoding(&self) -> Option<Encoding> {
        match self.body {
            Body::Encoded(encoding) => Some(encoding),
            Body::Own(_) => None,
        }
    }

    /// Returns the layout whose bodies an encoder of the sink makes.
    pub fn own(encoder: Arc<dyn DocumentEncoderSpec>) -> Layout {
        Layout { body: Body::Own(encoder), id: IdPlace::Outside, beside: Wanted::default(), undated: Undated::Without }
    }

    /// Sets the place of `_id`.
    pub fn with_id(self, id: IdPlace) -> Layout {
        Layout { id, ..self }
    }

    /// Sets what becomes of a record without a time.
    pub fn with_undated(self, undated: Undated) -> Layout {
        Layout { undated, ..self }
    }

    /// Sets the values beside the body.
    pub fn with_beside(self, beside: Wanted) -> Layout {
        Layout { beside, ..self }
    }
}

impl From<Encoding> for Layout {
    fn from(encoding: Encoding) -> Layout {
        Layout {
            body: Body::Encoded(encoding),
            id: IdPlace::Inside,
            beside: Wanted::default(),
            undated: Undated::Without,
        }
    }
}

impl From<&Encoding> for Layout {
    fn from(encoding: &Encoding) -> Layout {
        Layout::from(*encoding)
    }
}

impl PartialEq for Layout {
    fn eq(&self, other: &Layout) -> bool {
        let same_body = match (&self.body, &other.body) {
            (Body::Encoded(one), Body::Encoded(another)) => one == another,
            (Body::Own(one), Body::Own(another)) => Arc::ptr_eq(one, another),
            _ => false,
        };
        let (one, another) = (&self.beside, &other.beside);
        let same_fields =
            (one.fields.is_empty() && another.fields.is_empty()) || Arc::ptr_eq(&one.fields, &another.fields);
        same_body
            && same_fields
            && self.id == other.id
            && self.undated == other.undated
            && (one.time, one.context) == (another.time, another.context)
    }
}

/// Returns when a record arrived, as its source knows it. If no time is known, this is now.
fn arrival(context: &Context) -> i64 {
    match context.time_ms {
        0 => now_ms(),
        known => known,
    }
}

/// Makes the documents of one layout, in one thread.
pub struct LayoutWriter {
    layout: Layout,
    /// The encoder that the sink brings.
    own: Option<Box<dyn DocumentEncoder>>,
    wants_beside: bool,
}

impl LayoutWriter {
    /// Creates the writer of one thread.
    ///
    /// # Errors
    /// The encoder that the sink brings cannot be made.
    pub fn new(layout: Layout) -> Result<LayoutWriter> {
        let own = match &layout.body {
            Body::Encoded(_) => None,
            Body::Own(spec) => Some(spec.encoder()?),
        };
        let Wanted { time, context, fields } = &layout.beside;
        let wants_beside = *time || *context || !fields.is_empty();
        Ok(LayoutWriter { layout, own, wants_beside })
    }

    /// Returns the layout.
    pub fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Adds the document of `event`, which is that of record number `index` of its batch.
    #[inline]
    pub fn push(
        &mut self,
        event: &mut Event<'_>,
        index: u32,
        id: RecordId,
        context: &Context,
        documents: &mut Documents,
    ) {
        let arrived = self.layout.undated == Undated::Arrival && event.set_arrival(arrival(context));
        match (&mut self.own, &self.layout.body, self.layout.id) {
            (None, Body::Encoded(encoding), IdPlace::Inside) => {
                documents.push(index, id, |out| {
                    event.encode(*encoding, &id, out);
                    true
                });
            }
            (None, Body::Encoded(encoding), IdPlace::Outside) => {
                documents.push(index, id, |out| {
                    event.encode_bare(*encoding, out);
                    true
                });
            }
            (Some(own), ..) => documents.push_encoded(index, id, |out| own.encode(event, &id, out)),
            // A writer is made with the encoder of its layout.
            (None, Body::Own(_), _) => {}
        }
        if self.wants_beside {
            self.push_beside(event, context, documents);
        }
        if arrived {
            event.forget_arrival();
        }
    }

    fn push_beside(&self, event: &Event<'_>, context: &Context, documents: &mut Documents) {
        let Wanted { time, context: wants_context, fields } = &self.layout.beside;
        let beside = documents.beside_mut();
        if *time {
            beside.push_time(event.time());
        }
        if *wants_context {
            beside.push_context(context);
        }
        beside.push_fields(fields.iter().map(|path| event.get(path)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::context::Origin;
    use crate::document::TimeSource;
    use crate::event::Changes;

    /// Returns the document of an event in a layout, and its time.
    fn document(writer: &mut LayoutWriter, event: &mut Event<'_>) -> (String, Option<(i64, TimeSource)>) {
        let context = Context::new(Arc::new(Origin::new(1, "a"))).at(1_431_857_103_000);
        let mut documents = Documents::new(Encoding::Json);
        writer.push(event, 0, RecordId::at(1, 0, b"x"), &context, &mut documents);
        (String::from_utf8_lossy(documents.get(0).bytes).into_owned(), documents.beside().time(0))
    }

    #[test]
    fn only_a_layout_that_asks_for_it_gives_a_record_without_a_time_that_of_its_arrival() {
        let time = Wanted { time: true, ..Wanted::default() };
        let bare = Layout::from(Encoding::Json).with_id(IdPlace::Outside).with_beside(time);
        let mut plain = LayoutWriter::new(bare.clone()).unwrap();
        let mut arrival = LayoutWriter::new(bare.clone().with_undated(Undated::Arrival)).unwrap();
        assert_ne!(plain.layout(), arrival.layout());
        let mut changes = Changes::default();
        let mut event = Event::undecoded(b"odd", true, None, &mut changes);
        let undated = (r#"{"message":"odd","tags":["_grokparsefailure"]}"#.to_owned(), None);
        let arrived = (
            r#"{"@timestamp":"2015-05-17T10:05:03.000Z","message":"odd","tags":["_grokparsefailure","_arrival_time"]}"#
                .to_owned(),
            Some((1_431_857_103_000, TimeSource::Arrival)),
        );
        for _ in 0..2 {
            assert_eq!(document(&mut arrival, &mut event), arrived);
            assert_eq!(document(&mut plain, &mut event), undated);
        }
        event.set(&FieldPath::new("@timestamp").unwrap(), crate::document::Value::Date(0.into()));
        let (body, time) = document(&mut arrival, &mut event);
        assert_eq!((body.contains("_arrival_time"), time), (false, Some((0, TimeSource::Stage))), "{body}");
    }
}
