//! Envelopes: how the lines of a source are wrapped. A *message* is within, *fields* are around it.
//!
//! A source says which envelope its lines have ([`Origin::envelope`](crate::core::batch::Origin)); batches and dead letters
//! carry that. Workers [open](Opener::open) each line, match their patterns on the message, and put the fields around it
//! into the document.
//!
//! | envelope | a line | fields |
//! |---|---|---|
//! | [`Json`](Envelope::Json) | a JSON object with a member `message` | the other members, typed as they are |
//! | [`Syslog`](Envelope::Syslog) | a message as RFC 3164 or RFC 5424 have it | priority, time, host, program, … |
//!
//! A line that is none keeps all of itself as its message, and is tagged `_jsonparsefailure` or
//! `_grokparsefailure_sysloginput`, Logstash's names for it.
//!
//! Where a field around the message and one of the message have the same name, the latter counts; objects are merged.

mod fields;
mod structured;
pub mod syslog;
#[cfg(test)]
mod tests;

use crate::core::error::Result;
use crate::document::OuterFields;
use crate::document::date::Formats;

pub use crate::core::envelope::Envelope;

use fields::Names;

/// Opens lines, one thread's own. Opening one allocates nothing once the buffers have grown to what lines need.
#[derive(Debug, Clone)]
pub struct Opener {
    outer: OuterFields,
    names: &'static Names,
    /// Formats of the times in RFC 3164's headers, and of those in JSON objects and RFC 5424's.
    bsd_dates: Formats,
    dates: Formats,
}

/// A line that was opened.
#[derive(Debug, Clone, Copy)]
pub struct Opened<'a> {
    /// What is within; the whole line when it could not be opened.
    pub message: &'a [u8],
    /// The fields around it.
    pub outer: &'a OuterFields,
    /// Whether the line was such an envelope.
    pub is_enveloped: bool,
}

impl Opener {
    /// An opener that calls fields as Logstash's syslog input does; with `ecs`, as it does in its ECS mode.
    ///
    /// # Errors
    /// None but that of date formats of our own that are wrong.
    pub fn new(ecs: bool) -> Result<Opener> {
        let names = if ecs { &fields::ECS } else { &fields::PLAIN };
        let bsd_dates = Formats::new(&syslog::BSD_DATES)?;
        Ok(Opener { outer: OuterFields::default(), names, bsd_dates, dates: Formats::new(&["ISO8601"])? })
    }

    /// Opens `line`. `now_ms` is the time in milliseconds since 1970: of a time without a year, the year is taken that
    /// brings it nearest to now.
    pub fn open<'a>(&'a mut self, envelope: Envelope, line: &'a [u8], now_ms: i64) -> Opened<'a> {
        let is_enveloped = match envelope {
            Envelope::None => {
                self.outer.clear();
                true
            }
            Envelope::Json => {
                let is_enveloped = self.outer.read_json(line, &mut self.dates, now_ms);
                if is_enveloped {
                    return Opened { message: self.outer.message(), outer: &self.outer, is_enveloped };
                }
                self.outer.tag_no_json();
                is_enveloped
            }
            Envelope::Syslog => {
                let header = syslog::read(line, &mut self.bsd_dates, &mut self.dates, now_ms);
                if let Some(header) = header {
                    self.outer.clear();
                    self.names.put(&header, &mut self.outer);
                    return Opened { message: header.message, outer: &self.outer, is_enveloped: true };
                }
                self.outer.clear();
                self.outer.tag_no_syslog();
                false
            }
        };
        Opened { message: line, outer: &self.outer, is_enveloped }
    }
}
