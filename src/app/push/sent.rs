//! The account of `logator-push`.

use serde::Serialize;

use super::inbox::Added;
use super::replies::Replies;
use crate::observe::counters::counter_struct;

/// The number of bytes of messages that libzmq gathers for one write (`zmq-sys/patches.rs`).
const WRITTEN_AT_ONCE: usize = 64 << 10;

/// The minimum number of bytes that a message needs on the wire besides its content.
const FRAME: usize = 2;

counter_struct! {
    /// The number of lines by their fate: the receipt of `logator-push`.
    #[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
    pub struct Sent;
    /// The counters of `logator-push`.
    PUSH of Push;
    read = 192, "lines", Always, "Lines read.";
    sent = 193, "lines", Always, "Lines that libzmq has taken.";
    dropped = 194, "lines", Always, "Lines that were dropped because the queue was full.";
    refused = 195, "lines", Always, "Lines that were not taken, and whose sender got an error instead of `OK`.";
    too_long = 196, "lines", Always, "Lines that were too long.";
    unsent = 197, "lines", Always, "Lines that no peer took in time.";
    unsure = 198, "lines", Always, "The maximum number of `sent` lines that libzmq may still hold at the end.";
    + /// The time from the start to the end.
    pub milliseconds: u64;
    + /// Errors of inputs that were not read to their end.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<String>;
    + /// The length of the shortest message that libzmq has taken.
    #[serde(skip)]
    pub(super) shortest: Option<usize>;
}

impl Sent {
    /// Returns how many messages libzmq may hold for one peer: its queue, and the messages that it gathers for one write.
    pub(super) fn held_for_a_peer(&self, high_water: usize) -> u64 {
        let length = self.shortest.unwrap_or_default() + FRAME;
        (high_water + WRITTEN_AT_ONCE / length + 1) as u64
    }

    /// Counts lines that were read, and resets their count. A line that is too long is answered with `OK`, because a second
    /// attempt would not help. Returns the number of the other lines.
    pub(super) fn take(&mut self, added: &mut Added, replies: &mut Replies) -> usize {
        let Added { lines, too_long } = std::mem::take(added);
        self.read += (lines + too_long) as u64;
        self.too_long += too_long as u64;
        replies.ok(too_long);
        lines
    }

    /// Returns the exit code: 0 if all lines are sent, 1 if some were dropped or too long, 3 if some could not be read or
    /// sent.
    pub fn exit_code(&self) -> u8 {
        match self {
            Sent { unsent: 1.., .. } | Sent { unsure: 1.., .. } => 3,
            Sent { errors, .. } if !errors.is_empty() => 3,
            Sent { dropped: 1.., .. } | Sent { too_long: 1.., .. } => 1,
            _ => 0,
        }
    }
}
