//! The tally: the number of lines by their fate.

use serde::{Deserialize, Serialize};

/// The number of lines by their fate. Each line is counted in exactly one field.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Lines that matched and whose document is new in the sink. The receipt for people calls them *parsed*.
    pub stored: u64,
    /// Lines whose document was in the sink already.
    pub duplicate: u64,
    /// Lines that matched no pattern and whose document, tagged `_grokparsefailure`, is new in the sink. The receipt for
    /// people calls them *unparsed*.
    pub unmatched: u64,
    /// Lines that were written to the dead letters, with a reason.
    pub dead_lettered: u64,
    /// Lines that were dropped because the user asked for it.
    pub filtered: u64,
    /// Lines that a peer of the line dialogue received, and after which it asked for the next line. The queue does not
    /// know whether the peer stored them.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub delivered: u64,
}

// serde passes the field by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Tally {
    /// Returns the number of lines whose document is new in the sink, parsed or not.
    pub fn newly_stored(&self) -> u64 {
        self.stored.saturating_add(self.unmatched)
    }

    /// Returns the number of lines that are accounted for.
    pub fn total(&self) -> u64 {
        let Tally { stored, duplicate, unmatched, dead_lettered, filtered, delivered } = *self;
        stored
            .saturating_add(duplicate)
            .saturating_add(unmatched)
            .saturating_add(dead_lettered)
            .saturating_add(filtered)
            .saturating_add(delivered)
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.stored += other.stored;
        self.duplicate += other.duplicate;
        self.unmatched += other.unmatched;
        self.dead_lettered += other.dead_lettered;
        self.filtered += other.filtered;
        self.delivered += other.delivered;
    }
}
