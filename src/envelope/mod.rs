//! Opens envelopes: takes the *message* out of a wrapped line, and the *outer fields* that stand beside it.
//!
//! A source says which envelope its lines have ([`Origin::envelope`](crate::core::batch::Origin)); batches and dead
//! letters carry this. A worker [opens](Opener::open) each line, matches its patterns against the message, and adds the
//! outer fields to the document.
//!
//! | envelope | a line | fields |
//! |---|---|---|
//! | [`Json`](Envelope::Json) | a JSON object with a member `message` | the other members, typed as they are |
//! | [`Syslog`](Envelope::Syslog) | a message as RFC 3164 or RFC 5424 defines it | priority, time, host, program, … |
//! | [`DockerJson`](Envelope::DockerJson) | a JSON object of Docker's `json-file` | time, `stream`, `docker.attrs` |
//! | [`DockerTime`](Envelope::DockerTime) | `TIME text` | time |
//! | [`Cri`](Envelope::Cri) | `TIME stdout F text` | time, `stream` |
//! | [`Compose`](Envelope::Compose) | `web-1  \| text` | `container.name` |
//! | [`Pushed`](Envelope::Pushed) | the object of zmqpush, which is JSON; or a line as it is | as JSON, or none |
//!
//! A line without the expected envelope becomes the message as a whole. It is tagged `_jsonparsefailure` or
//! `_grokparsefailure_sysloginput`, which are the names that Logstash uses, or `_containerparsefailure`.
//!
//! If an outer field and a field of the message have the same name, the field of the message counts. Objects are
//! merged.

pub mod container;
mod fields;
mod identity;
pub mod pushed;
pub mod roles;
mod structured;
pub mod syslog;
#[cfg(test)]
mod tests;

use serde_json::{Map, Value};

use std::sync::Arc;

use crate::core::error::Result;
use crate::document::date::{Date, Formats, Notes, Reading, Rules};
use crate::event::OuterFields;

pub use crate::core::envelope::Envelope;

use container::Part;
use fields::Names;
pub use identity::{Identified, Identifier};

/// Opens lines. Each thread has its own opener. Opening a line allocates nothing once the buffers are large enough.
#[derive(Debug, Clone)]
pub struct Opener {
    outer: OuterFields,
    names: &'static Names,
    /// The formats of times in RFC 3164 headers; `dates` are those in JSON objects and RFC 5424 headers.
    bsd_dates: Formats,
    dates: Formats,
    template: Template,
    /// The text of a container's line, if it is not a part of the line.
    text: Vec<u8>,
}

/// The fields that many records of a container have in common, as a JSON object.
#[derive(Debug, Clone)]
struct Template {
    /// What `json` was made from.
    attrs: Vec<u8>,
    json: String,
}

impl Default for Template {
    fn default() -> Template {
        Template { attrs: Vec::new(), json: "{}".to_owned() }
    }
}

impl Template {
    /// Returns the attributes of a line as fields, in a JSON object.
    fn get(&mut self, attrs: &[u8]) -> &str {
        if self.attrs != attrs {
            let read =
                if attrs.is_empty() { Ok(Map::new()) } else { serde_json::from_slice::<Map<String, Value>>(attrs) };
            self.json = match read {
                Ok(attrs) if attrs.is_empty() => "{}".to_owned(),
                Ok(attrs) => {
                    // A label `a` and a label `a.b` would be a value and an object in one place.
                    let undotted = attrs.into_iter().map(|(name, value)| (name.replace('.', "_"), value));
                    let attrs = Value::Object(undotted.collect());
                    format!("{{\"docker\":{{\"attrs\":{attrs}}}}}")
                }
                // The line is then no line of this envelope.
                Err(_) => String::new(),
            };
            self.attrs = attrs.to_vec();
        }
        &self.json
    }
}

/// A line whose envelope was opened.
#[derive(Debug, Clone, Copy)]
pub struct Opened<'a> {
    /// The message; the whole line if it does not have the envelope.
    pub message: &'a [u8],
    /// The outer fields.
    pub outer: &'a OuterFields,
    /// Whether the line has the expected envelope.
    pub is_enveloped: bool,
    /// The time in the envelope, in nanoseconds since 1970; 0 if there is none.
    pub time_ns: u64,
    /// The stream that the envelope names; empty if it names none.
    pub stream: &'a [u8],
}

impl Opened<'_> {
    /// Whether the record can have an id that is made from its time. A line of a container that does not have the envelope has
    /// no time; its id is made from its offset.
    pub fn has_key(&self) -> bool {
        self.is_enveloped || !self.outer.is_tagged_no_container()
    }
}

impl Opener {
    /// Returns an opener that names fields as Logstash's syslog input does; with `ecs`, as that input does in its ECS
    /// mode.
    ///
    /// # Errors
    /// One of our own date formats is invalid. That would be a bug.
    pub fn new(ecs: bool) -> Result<Opener> {
        Opener::with(ecs, &Arc::default())
    }

    /// Returns an opener that reads times by `rules`.
    ///
    /// # Errors
    /// Those of [`new`](Opener::new).
    pub fn with(ecs: bool, rules: &Arc<Rules>) -> Result<Opener> {
        let names = if ecs { &fields::ECS } else { &fields::PLAIN };
        let bsd_dates = Formats::with(&syslog::BSD_DATES, rules)?;
        Ok(Opener {
            outer: OuterFields::default(),
            names,
            bsd_dates,
            dates: Formats::with(&["ISO8601"], rules)?,
            template: Template::default(),
            text: Vec::new(),
        })
    }

    /// Opens a record of a container: one line, or several ones, which are the pieces of a long line.
    fn open_container<'a>(&'a mut self, envelope: Envelope, record: &'a [u8]) -> Opened<'a> {
        let Some((part, is_kept)) = self.read_parts(envelope, record) else { return self.misfit(record) };
        if !self.outer.begin(self.template.get(part.attrs)) {
            return self.misfit(record);
        }
        let stream = part.stream.name();
        if !stream.is_empty() && !self.outer.has("stream") {
            self.outer.name("stream");
            self.outer.text(stream);
        }
        if !part.name.is_empty() && !self.outer.has("container") {
            self.outer.name("container");
            let container = self.outer.open();
            self.outer.name("name");
            self.outer.text(part.name);
            self.outer.close(container);
        }
        if let Some(ns) = part.time_ns {
            self.outer.set_date(Reading { date: Date::of_ns(ns), notes: Notes::default() });
        }
        self.outer.finish();
        let message = if is_kept { &self.text[..] } else { part.text };
        let time_ns = part.time_ns.unwrap_or_default();
        Opened { message, outer: &self.outer, is_enveloped: true, time_ns, stream }
    }

    /// Reads the pieces of `record`. Returns the first one, and whether the whole text is in `self.text`.
    fn read_parts<'a>(&mut self, envelope: Envelope, record: &'a [u8]) -> Option<(Part<'a>, bool)> {
        let is_json = envelope == Envelope::DockerJson;
        let newline = memchr::memchr(b'\n', record);
        let first = container::part(envelope, &record[..newline.unwrap_or(record.len())])?;
        if newline.is_none() && !(is_json && memchr::memchr(b'\\', first.text).is_some()) {
            return Some((first, false));
        }
        self.text.clear();
        let add = |part: &[u8], text: &mut Vec<u8>| {
            if is_json {
                return container::unescape(part, text);
            }
            text.extend_from_slice(part);
            Some(())
        };
        // One carriage return belongs to the line end.
        let end_line = |text: &mut Vec<u8>| {
            text.pop_if(|last| *last == b'\r');
        };
        add(first.text, &mut self.text)?;
        let mut has_ended = first.ends;
        for line in newline.into_iter().flat_map(|newline| record[newline + 1..].split(|byte| *byte == b'\n')) {
            let part = container::part(envelope, line)?;
            // After a whole line, another line of the record follows.
            if std::mem::replace(&mut has_ended, part.ends) {
                end_line(&mut self.text);
                self.text.push(b'\n');
            }
            add(part.text, &mut self.text)?;
        }
        end_line(&mut self.text);
        Some((first, true))
    }

    /// The line does not have the envelope of its container.
    fn misfit<'a>(&'a mut self, record: &'a [u8]) -> Opened<'a> {
        self.outer.begin(self.template.get(&[]));
        self.outer.tag_no_container();
        self.outer.finish();
        Opened { message: record, outer: &self.outer, is_enveloped: false, time_ns: 0, stream: &[] }
    }

    /// Opens `message`, which is the message of the record that was opened last, as a syslog message. The fields of its header are
    /// added to the outer fields. A field of the outer envelope with the same name gives way. With `tags`, the document of another
    /// message is tagged.
    pub fn open_within<'a>(&'a mut self, message: &'a [u8], now_ms: i64, tags: bool) -> Opened<'a> {
        let header = syslog::read(message, &mut self.bsd_dates, &mut self.dates, now_ms);
        match &header {
            Some(header) => self.names.add(header, &mut self.outer),
            None if tags => self.outer.tag_no_syslog(),
            None => {}
        }
        let is_enveloped = header.is_some();
        let message = header.map_or(message, |header| header.message);
        Opened { message, outer: &self.outer, is_enveloped, time_ns: 0, stream: &[] }
    }

    /// Opens `line`. `now_ms` is the time of the line's [context](crate::core::context::Context). A time without a year gets
    /// the latest year that puts it at most a day after this time.
    pub fn open<'a>(&'a mut self, envelope: Envelope, line: &'a [u8], now_ms: i64) -> Opened<'a> {
        let header = match envelope {
            Envelope::Pushed => return self.open(pushed::envelope(line), line, now_ms),
            Envelope::None => {
                self.outer.clear();
                None
            }
            Envelope::DockerJson | Envelope::DockerTime | Envelope::Cri | Envelope::Compose => {
                return self.open_container(envelope, line);
            }
            Envelope::Json => {
                if self.outer.read_json(line, &mut self.dates, now_ms) {
                    let outer = &self.outer;
                    let (message, time_ns, stream) = (outer.message(), outer.time_ns(), outer.stream());
                    return Opened { message, outer, is_enveloped: true, time_ns, stream };
                }
                self.outer.tag_no_json();
                None
            }
            Envelope::Syslog => syslog::read(line, &mut self.bsd_dates, &mut self.dates, now_ms),
        };
        if envelope == Envelope::Syslog {
            self.outer.clear();
            match &header {
                Some(header) => self.names.put(header, &mut self.outer),
                None => self.outer.tag_no_syslog(),
            }
        }
        let message = header.map_or(line, |header| header.message);
        let time_ns = header.and_then(|header| header.date).map(|reading| reading.date.ns()).unwrap_or_default();
        let is_enveloped = envelope.is_none() || header.is_some();
        Opened { message, outer: &self.outer, is_enveloped, time_ns, stream: &[] }
    }
}
