//! [`DateOptions`]: what the user says about dates, and [`Rules`], the part of it that every reader of dates follows.

use std::sync::Arc;

use super::zone::Zone;
use crate::core::error::{Error, Result};

/// The order of day, month and year in dates of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Day, month, year.
    Dmy,
    /// Month, day, year.
    Mdy,
    /// Year, month, day, for years of two digits.
    Ymd,
}

/// What every reader of dates follows.
#[derive(Debug, Clone, Default)]
pub struct Rules {
    /// The zone of dates that name none; `None` for UTC.
    pub zone: Option<Zone>,
    /// The order of numbers; `None` if only dates are read that have one order.
    pub order: Option<Order>,
    /// The year of dates that name none; `None` for the year that follows from the time of the context.
    pub base_year: Option<i64>,
}

impl Rules {
    /// Returns the name of the zone of dates that name none.
    pub fn zone_name(&self) -> &str {
        self.zone.as_ref().map_or("UTC", Zone::name)
    }
}

/// What the user says about dates.
#[derive(Debug, Clone, Default)]
pub struct DateOptions {
    /// What every reader follows.
    pub rules: Arc<Rules>,
    /// The field that becomes `@timestamp`, as the levels of its name; `None` for the field that the format names.
    pub timestamp: Option<Vec<String>>,
    /// The formats of fields, by the levels of their names, in the order of the command line.
    pub formats: Vec<(Vec<String>, Vec<String>)>,
}

impl DateOptions {
    /// Returns the formats of the field `path`; none if the user names none.
    pub fn formats_of(&self, path: &[String]) -> &[String] {
        self.formats.iter().find(|(known, _)| known == path).map_or(&[], |(_, formats)| formats)
    }

    /// Adds a format of the field `path`. Formats of one field are tried in the order in which they are added.
    pub fn add_format(&mut self, path: Vec<String>, format: String) {
        match self.formats.iter_mut().find(|(known, _)| *known == path) {
            Some((_, formats)) => formats.push(format),
            None => self.formats.push((path, vec![format])),
        }
    }
}

/// Reads the value of `--base-year`.
///
/// # Errors
/// A usage error when it is no year of four digits.
pub fn base_year(text: &str) -> Result<i64> {
    let year = text.parse().ok().filter(|year| text.len() == 4 && (0..=9999).contains(year));
    year.ok_or_else(|| Error::usage(format!("{text:?} is not a year of four digits, such as 2005")))
}
