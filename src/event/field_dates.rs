//! [`FieldDates`]: the readers of the dates of a pattern's fields.

use crate::core::error::Result;
use crate::document::date::{ANY, DateOptions, Formats};

/// The readers of dates: one for all fields, and one for each field whose formats the user names.
#[derive(Debug, Clone)]
pub(super) struct FieldDates {
    readers: Vec<Formats>,
}

/// The index of the reader for all fields.
pub(super) const COMMON: u32 = 0;

impl FieldDates {
    /// Compiles the readers: `formats` for all fields, then any shape that is known, and those of `options`.
    ///
    /// # Errors
    /// A usage error when a format is invalid.
    pub fn new(formats: &[String], options: &DateOptions) -> Result<FieldDates> {
        let common: Vec<&str> = formats.iter().map(String::as_str).chain([ANY]).collect();
        let common = Formats::with(&common, &options.rules)?;
        let own = options.formats.iter().map(|(_, formats)| Formats::with(formats, &options.rules));
        Ok(FieldDates { readers: [Ok(common)].into_iter().chain(own).collect::<Result<_>>()? })
    }

    /// Returns the index of the reader for the field `path`.
    pub fn index_of(path: &[String], options: &DateOptions) -> u32 {
        let own = options.formats.iter().position(|(known, _)| known == path);
        own.map_or(COMMON, |own| own as u32 + 1)
    }

    /// Returns the reader with this index.
    #[inline]
    pub fn at(&mut self, index: u32) -> &mut Formats {
        &mut self.readers[index as usize]
    }

    /// Returns the reader with this index.
    pub fn peek(&self, index: u32) -> &Formats {
        &self.readers[index as usize]
    }
}
