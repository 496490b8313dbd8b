//! Points in time, read from the text of a log line.
//!
//! A [`Formats`] is compiled once from a list of format texts and tries them in order. The word `any` stands for every shape
//! that logs have (`doc/dates.md` lists them). Other format texts are those of `strftime` or those of Joda (`format.rs` tells
//! them apart). Of `strftime`, a text is literal, except for the word `ISO8601` and these items:
//!
//! | item | reads |
//! |---|---|
//! | `%Y`, `%y` | year: four digits; two digits, of the year nearest to the time of the context |
//! | `%m`, `%b`, `%B` | month: one or two digits; a name, short or whole, in any case (both items read both) |
//! | `%d`, `%e` | day of the month: one or two digits, one leading space allowed |
//! | `%j` | day of the year: one to three digits |
//! | `%a`, `%A` | an English weekday, short or whole; it is read but not checked against the date |
//! | `%H`, `%M`, `%S` | hour 0–23, minute, second 0–60: one or two digits |
//! | `%I`, `%p` | hour 1–12 and `AM` or `PM` |
//! | `%f` | a fraction of a second, any number of digits; digits after the ninth are cut off |
//! | `%z` | zone: `Z`, `+hh`, `+hhmm`, `+hh:mm` (or with `-`) |
//! | `%Z` | zone by name: `UTC`, `GMT`, those of the USA and others with one meaning (`zone.rs`), or one of the tables |
//! | `%F`, `%T` | `%Y-%m-%d`, `%H:%M:%S` |
//! | `%s` | Unix time in seconds, perhaps negative, perhaps with a fraction |
//! | `%%` | a percent sign |
//! | `ISO8601` | `2015-05-17T10:05:03.000+02:00`: `T` or a space; colons, seconds, fraction and zone may be missing |
//!
//! A format must read the whole text. A time without a zone is in the zone of the [`Rules`], which is UTC by default. A second of
//! 60 (a leap second) counts as the second after it, as in Unix time. A date that no calendar has (30 February, hour 24) is not
//! read. Years are 0 to 9999.
//!
//! A text without a year (classic syslog) gives the latest year that puts the date at most one day after the time of the
//! record's context (`year_rule.rs`). This time is an argument.

mod epoch;
mod format;
mod items;
mod names;
mod order;
mod parts;
mod point;
mod quick;
mod reading;
mod rules;
mod scan;
mod shapes;
mod year_rule;
mod zone;

use std::sync::Arc;

pub use crate::core::calendar::{MS_PER_DAY, now_ms, write_iso};
use crate::core::error::{Error, Result};
pub use format::ANY;
use format::Format;
use parts::Parts;
pub use point::{Date, MAX_ISO};
use quick::Quick;
pub use reading::{Fault, Notes, Outcome, Reading};
pub use rules::{DateOptions, Order, Rules, base_year};
pub use zone::Zone;

/// Compiled date formats. They are tried in order.
#[derive(Debug, Clone)]
pub struct Formats {
    formats: Vec<Format>,
    /// The shapes that the first format reads, and that are read quickly.
    quick: Quick,
    rules: Arc<Rules>,
    /// The last text that was read; `last` is its date. Many lines of a log have the same second.
    last_text: Vec<u8>,
    last: Reading,
    /// The context's time for which `last` is right; `None` if it is right for every time.
    last_base: Option<i64>,
}

/// The maximum length of a text whose date is remembered, in bytes.
const MAX_REMEMBERED: usize = 64;

impl Formats {
    /// Compiles `formats`. Dates without a zone are in UTC.
    ///
    /// # Errors
    /// A usage error that shows the format and says what is allowed.
    pub fn new<S: AsRef<str>>(formats: &[S]) -> Result<Formats> {
        Formats::with(formats, &Arc::default())
    }

    /// Compiles `formats`, whose dates follow `rules`.
    ///
    /// # Errors
    /// A usage error that shows the format and says what is allowed.
    pub fn with<S: AsRef<str>>(formats: &[S], rules: &Arc<Rules>) -> Result<Formats> {
        let quick = formats.first().map_or(Quick::None, |first| Quick::of(first.as_ref()));
        let formats = formats.iter().map(|text| Format::new(text.as_ref())).collect::<Result<Vec<_>>>()?;
        if formats.is_empty() {
            return Err(Error::usage("a date needs at least one format, for instance ISO8601 or %d/%b/%Y:%H:%M:%S %z"));
        }
        let last = Reading { date: Date::of_ms(0), notes: Notes::default() };
        let (rules, last_text) = (Arc::clone(rules), Vec::with_capacity(MAX_REMEMBERED));
        Ok(Formats { formats, quick, rules, last_text, last, last_base: None })
    }

    /// Returns the reader of any shape that is known.
    pub fn any(rules: &Arc<Rules>) -> Formats {
        let last = Reading { date: Date::of_ms(0), notes: Notes::default() };
        let (rules, last_text) = (Arc::clone(rules), Vec::with_capacity(MAX_REMEMBERED));
        Formats { formats: vec![Format::Any], quick: Quick::All, rules, last_text, last, last_base: None }
    }

    /// Returns the date in `text`. `base_ms` is the time of the context.
    ///
    /// # Errors
    /// No format reads the whole text, or it may be several dates.
    #[inline]
    pub fn read(&mut self, text: &[u8], base_ms: i64) -> Outcome {
        let known = text == self.last_text.as_slice() && !text.is_empty();
        if known && self.last_base.is_none_or(|base| base == base_ms) {
            return Ok(self.last);
        }
        self.read_anew(text, base_ms)
    }

    fn read_anew(&mut self, text: &[u8], base_ms: i64) -> Outcome {
        let reading = match self.quick.read(text, &self.rules, base_ms) {
            Some(reading) => reading,
            None => self.look(text, base_ms)?,
        };
        if text.len() <= MAX_REMEMBERED {
            self.last_text.clear();
            self.last_text.extend_from_slice(text);
            self.last = reading;
            self.last_base = reading.notes.depend_on_context().then_some(base_ms);
        }
        Ok(reading)
    }

    /// Returns the same as [`read`](Formats::read), and remembers nothing.
    ///
    /// # Errors
    /// Those of [`read`](Formats::read).
    pub fn look(&self, text: &[u8], base_ms: i64) -> Outcome {
        let mut fault = Fault::Unread;
        for format in &self.formats {
            let mut parts = Parts::default();
            let read = match format {
                Format::Items(items) => items::read(items, text, &mut parts),
                Format::Any => shapes::read(text, &mut parts),
            };
            if read.is_none() {
                continue;
            }
            match parts.resolve(&self.rules, base_ms) {
                Ok(reading) => return Ok(reading),
                Err(Fault::Ambiguous) => fault = Fault::Ambiguous,
                Err(Fault::Unread) => {}
            }
        }
        Err(fault)
    }
}

#[cfg(test)]
mod tests;
