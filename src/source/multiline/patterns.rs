//! [`Patterned`]: a grok pattern tells which lines begin a record.

use crate::grok::{Matcher, Pattern};
use crate::source::joiner::Joiner;

/// See the [module](self). The pattern may match anywhere in the beginning of a line. A match that is given up counts as none.
pub struct Patterned {
    matcher: Matcher,
    continues: bool,
}

impl Patterned {
    /// Creates the joiner. With `continues`, lines that match `pattern` continue a record, and the others begin one.
    pub fn new(pattern: &Pattern, continues: bool) -> Patterned {
        Patterned { matcher: pattern.matcher(), continues }
    }
}

impl Joiner for Patterned {
    fn begins_record(&mut self, beginning: &[u8]) -> bool {
        let matches = self.matcher.captures(beginning).is_ok_and(|captures| captures.is_some());
        matches != self.continues
    }
}
