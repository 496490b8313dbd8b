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
//!
//! A line without the expected envelope becomes the message as a whole. It is tagged `_jsonparsefailure` or
//! `_grokparsefailure_sysloginput`, which are the names that Logstash uses.
//!
//! If an outer field and a field of the message have the same name, the field of the message counts. Objects are
//! merged.

mod fields;
mod identity;
mod structured;
pub mod syslog;
#[cfg(test)]
mod tests;

use crate::core::error::Result;
use crate::document::date::{Formats, nanoseconds};
use crate::event::OuterFields;

pub use crate::core::envelope::Envelope;

use fields::Names;
pub use identity::Identifier;

/// Opens lines. Each thread has its own opener. Opening a line allocates nothing once the buffers are large enough.
#[derive(Debug, Clone)]
pub struct Opener {
    outer: OuterFields,
    names: &'static Names,
    /// The formats of times in RFC 3164 headers; `dates` are those in JSON objects and RFC 5424 headers.
    bsd_dates: Formats,
    dates: Formats,
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

impl Opener {
    /// Returns an opener that names fields as Logstash's syslog input does; with `ecs`, as that input does in its ECS
    /// mode.
    ///
    /// # Errors
    /// One of our own date formats is invalid. That would be a bug.
    pub fn new(ecs: bool) -> Result<Opener> {
        let names = if ecs { &fields::ECS } else { &fields::PLAIN };
        let bsd_dates = Formats::new(&syslog::BSD_DATES)?;
        Ok(Opener { outer: OuterFields::default(), names, bsd_dates, dates: Formats::new(&["ISO8601"])? })
    }

    /// Opens `line`. `now_ms` is the time of the line's [context](crate::core::context::Context). A time without a year gets
    /// the latest year that puts it at most a day after this time.
    pub fn open<'a>(&'a mut self, envelope: Envelope, line: &'a [u8], now_ms: i64) -> Opened<'a> {
        let header = match envelope {
            Envelope::None | Envelope::DockerJson | Envelope::DockerTime | Envelope::Cri | Envelope::Compose => {
                self.outer.clear();
                None
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
        let time_ns = header.and_then(|header| Some(nanoseconds(header.timestamp, header.date?))).unwrap_or_default();
        let is_enveloped = envelope.is_none() || header.is_some();
        Opened { message, outer: &self.outer, is_enveloped, time_ns, stream: &[] }
    }
}
