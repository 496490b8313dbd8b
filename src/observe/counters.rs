//! The table of counters: number, name, unit, labels, help and place of every counter.
//!
//! | file | content |
//! |---|---|
//! | this file | [`CounterSpec`], the macros that declare counters, the table |
//! | `snapshot` | [`Snapshot`]: the values of counters at one moment; its encoding for other programs |
//! | `live` | [`Counters`]: counters that threads share and count up |
//!
//! The receipt, the progress bar, the status of the service manager and reports of workers are made from snapshots. A
//! source or a sink declares further counters in its own file, with the same macros. Numbers are sent over the wire, so
//! a number never changes and is never used again:
//!
//! | numbers | counters |
//! |---|---|
//! | 1 to 63 | of a job; they have no label |
//! | 64 to 95 | of each pattern |
//! | 96 to 111 | of each stage |
//! | 112 to 119 | of each tag |
//! | 120 to 127 | of the dates of records, by the zone of dates that name none |
//! | 128 to 191 | of each sink, whatever its kind |
//! | 192 to 255 | of `logator-push` (from 192), `logator-pull` (from 208) and `logator-probe` (from 224) |
//! | from 256 | of sources of one kind, 32 for each kind: syslog has 256 to 287 |
//! | from 1024 | of sinks of one kind, 32 for each kind |

mod live;
mod snapshot;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use self::live::Counters;
pub use self::snapshot::{Malformed, Row, Snapshot};

/// The things that a counter has a value for. The name of the thing is the counter's label.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// The whole job: there is no label.
    Job,
    /// Each format or pattern.
    Pattern,
    /// Each step that changes or drops events.
    Stage,
    /// The zone of dates that name none.
    Zone,
    /// Each tag of documents.
    Tag,
    /// Each sink.
    Sink,
    /// Each input without an end.
    Source,
    /// The whole job of `logator-push`, which has a receipt of its own.
    Push,
    /// The whole job of `logator-pull` without a sink, which has a receipt of its own.
    Pull,
    /// The whole job of `logator-probe`, which has a receipt of its own.
    Probe,
}

impl Scope {
    /// Returns the label's name; `None` if the counter has no label.
    pub fn label(self) -> Option<&'static str> {
        match self {
            Scope::Job | Scope::Push | Scope::Pull | Scope::Probe => None,
            Scope::Pattern => Some("pattern"),
            Scope::Stage => Some("stage"),
            Scope::Zone => Some("zone"),
            Scope::Tag => Some("tag"),
            Scope::Sink => Some("sink"),
            Scope::Source => Some("source"),
        }
    }

    /// Returns the key of the JSON receipt that lists the things; `None` if the counters are keys of the receipt itself.
    pub fn list(self) -> Option<&'static str> {
        match self {
            Scope::Job | Scope::Push | Scope::Pull | Scope::Probe => None,
            Scope::Pattern => Some("patterns"),
            Scope::Stage => Some("stages"),
            Scope::Zone => Some("dates"),
            Scope::Tag => Some("tags"),
            Scope::Sink => Some("sinks"),
            Scope::Source => Some("sources"),
        }
    }
}

/// Where people and programs find the value of a counter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shown {
    /// The JSON receipt always has it.
    Always,
    /// The JSON receipt has it unless it is 0.
    NotZero,
    /// The JSON receipt does not have it. The text names the place that does.
    Elsewhere(&'static str),
}

/// The words for a counter in the text of the receipt. `{}` stands for the value. Words that do not begin with `;` are
/// separated from the words before them by a comma.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// The text has no words for the counter alone.
    None,
    /// The text has the counter whenever its value is known.
    Always(&'static str),
    /// The text has the counter unless it is 0.
    NotZero(&'static str),
}

/// One counter. Values only grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CounterSpec {
    /// The number on the wire.
    pub number: u16,
    /// What the label names.
    pub scope: Scope,
    /// The key in the JSON receipt.
    pub name: &'static str,
    /// What is counted, in the plural.
    pub unit: &'static str,
    /// The place of the value.
    pub shown: Shown,
    /// The words in the text of the receipt.
    pub words: Words,
    /// The meaning, for people.
    pub help: &'static str,
}

impl CounterSpec {
    /// Creates a counter that the JSON receipt always has.
    pub const fn new(number: u16, scope: Scope, name: &'static str, unit: &'static str, help: &'static str) -> Self {
        CounterSpec { number, scope, name, unit, shown: Shown::Always, words: Words::None, help }
    }

    /// Sets the place of the value.
    pub const fn shown(self, shown: Shown) -> Self {
        CounterSpec { shown, ..self }
    }

    /// Sets the words in the text of the receipt.
    pub const fn words(self, words: Words) -> Self {
        CounterSpec { words, ..self }
    }

    /// Returns the name for Prometheus: program, label, name, unit, `total`.
    pub fn metric(&self) -> String {
        let scope = match self.scope {
            Scope::Push => "push_".to_owned(),
            Scope::Pull => "pull_".to_owned(),
            Scope::Probe => "probe_".to_owned(),
            scope => scope.label().map(|label| format!("{label}_")).unwrap_or_default(),
        };
        let unit = if self.name.ends_with(self.unit) { String::new() } else { format!("_{}", self.unit) };
        format!("logator_{scope}{}{unit}_total", self.name)
    }
}

/// Declares counters: a constant for each, and a list of all of them.
macro_rules! counters {
    (
        $(#[$meta:meta])* $vis:vis $list:ident of $scope:ident;
        $($constant:ident = $number:literal, $name:literal, $unit:literal, $help:literal $(, $change:ident($value:expr))*;)*
    ) => {
        $(
            #[doc = $help]
            $vis const $constant: $crate::observe::counters::CounterSpec = $crate::observe::counters::CounterSpec::new(
                $number, $crate::observe::counters::Scope::$scope, $name, $unit, $help,
            )$(.$change($value))*;
        )*
        $(#[$meta])*
        $vis const $list: &[$crate::observe::counters::CounterSpec] = &[$($constant),*];
    };
}
pub(crate) use counters;

/// Declares counters as the fields of a struct, and a list of them in the order of the fields.
macro_rules! counter_struct {
    (
        $(#[$meta:meta])* $vis:vis struct $type:ident;
        $(#[$list_meta:meta])* $list:ident of $scope:ident;
        $($(#[$attribute:meta])* $field:ident = $number:literal, $unit:literal, $shown:ident, $help:literal;)*
        $(+ $(#[$other_meta:meta])* $other_vis:vis $other:ident: $other_type:ty;)*
    ) => {
        $(#[$meta])*
        $vis struct $type {
            $(#[doc = $help] $(#[$attribute])* pub $field: u64,)*
            $($(#[$other_meta])* $other_vis $other: $other_type,)*
        }

        $(#[$list_meta])*
        $vis const $list: &[$crate::observe::counters::CounterSpec] = &[$({
            use $crate::observe::counters::{CounterSpec, Scope, Shown};
            CounterSpec::new($number, Scope::$scope, stringify!($field), $unit, $help).shown(Shown::$shown)
        }),*];

        impl $type {
            /// Returns the values in the order of the list.
            #[allow(dead_code, reason = "the counters of some structs are only read by their names")]
            $vis fn values(&self) -> [u64; $list.len()] {
                [$(self.$field),*]
            }

            #[allow(dead_code, reason = "the counters of some structs are only changed by their names")]
            fn values_mut(&mut self) -> [&mut u64; $list.len()] {
                [$(&mut self.$field),*]
            }
        }
    };
}
pub(crate) use counter_struct;

counter_struct! {
    /// The number of lines by their fate. Each line is counted in exactly one field.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
    pub struct Tally;
    /// The fates of lines.
    FATES of Job;
    stored = 1, "lines", Always, "Lines that matched and whose document is new in the sink. The text of the receipt calls them *parsed*.";
    duplicate = 2, "lines", Always, "Lines whose document was in the sink already.";
    unmatched = 3, "lines", Always, "Lines that matched no pattern and whose document, tagged `_grokparsefailure`, is new in the sink. The text of the receipt calls them *unparsed*.";
    dead_lettered = 4, "lines", Always, "Lines that were written to the dead letters, with a reason.";
    filtered = 5, "lines", Always, "Lines that were dropped because the user asked for it.";
    #[serde(default, skip_serializing_if = "is_zero")]
    delivered = 6, "lines", NotZero, "Lines that a peer of the line dialogue received, and after which it asked for the next line. The queue does not know whether the peer stored them.";
    #[serde(default, skip_serializing_if = "is_zero")]
    joined = 7, "lines", NotZero, "Lines that are pieces of a longer line of a container, or lines of a record of a container. The last one has another fate, which is that of the whole record.";
}

counters! {
    /// The other counters of a job.
    pub JOB of Job;
    READ = 10, "read", "lines", "Lines that were taken in and worked on.";
    BYTES = 11, "bytes", "bytes", "Bytes of the lines taken in, decompressed, with their line ends.";
    LEFT = 12, "left", "lines", "Lines that were read ahead and given back because the work ended early. They are not part of `read`.";
    RESUMED_LINES = 13, "resumed_lines", "lines", "Lines that an earlier run settled (`--state`) and that this run did not deliver again. They are not part of `read`.";
    RESUMED_BYTES = 14, "resumed_bytes", "bytes", "The bytes of the lines in `resumed_lines`.";
    REDELIVERED = 15, "redelivered", "batches", "Leases that expired, and leases that were given back. Their batches are handed out again.", shown(Shown::NotZero);
    BURIED = 16, "buried", "lines", "Lines that workers were lost on. They are among the dead-lettered lines.", shown(Shown::NotZero);
    LATE_ACKS = 17, "late_acks", "acks", "Acks of leases that had expired or were given back.", shown(Shown::NotZero);
    DROPPED_MESSAGES = 18, "dropped_messages", "messages", "Messages to the queue that belong to no dialogue, and messages of peers that are not authorized any more. They were dropped.", shown(REJECTED);
    REFUSED_REQUESTS = 19, "refused_requests", "requests", "Requests to the queue that were answered with an error.", shown(REJECTED);
    UNAUTHORIZED = 20, "unauthorized", "connections", "Connections to the queue with a key that is not on the list.", shown(REJECTED);
    FAILED_HANDSHAKES = 21, "failed_handshakes", "connections", "Connections to the queue whose handshake failed: the peer speaks no ZeroMQ, has no key, or has the key of another queue.", shown(REJECTED);
    LINES = 30, "lines", "lines", "The lines of the records in `read`. A record may have several lines (`--multiline`).";
    FILTERED_HEADER = 31, "filtered_header", "lines", "Header lines, such as `#Fields:`. They have no document, and are among the filtered lines.", shown(Shown::NotZero);
    UNREPORTED = 22, "unreported", "rows", "Patterns, stages and sinks that a worker did not report to its queue, because their names were too long for one message.", shown(Shown::NotZero);
    NULS = 34, "nul_bytes", "bytes", "NUL bytes between records, which a truncated file or a loss of power leaves. They were left out and are part of no record.", shown(Shown::NotZero);
}

/// The receipt is closed before the queue stops serving late workers.
const REJECTED: Shown = Shown::Elsewhere("a warning of `logator-queue` at its end");

counters! {
    /// The counters of each pattern.
    pub PATTERN of Pattern;
    TRIED = 64, "tried", "lines", "Lines that the pattern was tried on. With several patterns, a pattern is not tried on a line that lacks a literal which the pattern needs.";
    MATCHED = 65, "matched", "lines", "Lines that the pattern matched.";
    NANOSECONDS = 66, "nanoseconds", "nanoseconds", "Time spent on all these lines, summed over threads. It is an estimate: about one line in 32 is timed.";
    LIMIT_HITS = 67, "limit_hits", "lines", "Lines that were given up, because the match took too many steps.";
}

counters! {
    /// The counters of each stage.
    pub STAGE of Stage;
    HANDLED = 96, "handled", "events", "Events that the stage handled.";
    KEPT = 97, "kept", "events", "Events that the stage did not drop.";
    STAGE_NANOSECONDS = 98, "nanoseconds", "nanoseconds", "Time spent on all these events, summed over threads. It is an estimate: about one event in 32 is timed.";
}

counters! {
    /// The counters of each tag.
    pub TAG of Tag;
    TAGGED = 112, "documents", "documents", "Documents that were made with the tag. A document counts again if its batch came back. A process counts 100 tags by their names, and all others together.", words(Words::Always("{} documents"));
}

counters! {
    /// The counters of the times of records.
    pub DATES of Zone;
    ZONELESS = 120, "zoneless", "records", "Records whose time names no zone. It was read in this zone.", shown(Shown::NotZero);
    GUESSED_YEARS = 121, "guessed_years", "records", "Records whose time names no year. The year follows from the time of the source, or is that of `--base-year`.", shown(Shown::NotZero);
    FOLDS = 122, "folds", "records", "Records whose time the clock of the zone showed twice, because it was put back. They are tagged `_datefold`.", shown(Shown::NotZero);
    AMBIGUOUS = 123, "ambiguous", "records", "Records whose time may be several times: the order of its numbers or the meaning of its zone is not known. They are tagged `_dateambiguous`.", shown(Shown::NotZero);
}

/// The counters that no source or sink declares.
pub const TABLE: [&[CounterSpec]; 6] = [FATES, JOB, PATTERN, STAGE, TAG, DATES];

/// Returns the counter with this number among `lists`.
pub fn find(lists: &[&'static [CounterSpec]], number: u16) -> Option<&'static CounterSpec> {
    lists.iter().copied().flatten().find(|spec| spec.number == number)
}

// serde passes the field by reference.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Tally {
    /// Returns the tally whose fields have these values, in the order of [`FATES`].
    pub fn of(values: [u64; FATES.len()]) -> Tally {
        let mut tally = Tally::default();
        tally.values_mut().into_iter().zip(values).for_each(|(field, value)| *field = value);
        tally
    }

    /// Returns the number of lines whose document is new in the sink, parsed or not.
    pub fn newly_stored(&self) -> u64 {
        self.stored.saturating_add(self.unmatched)
    }

    /// Returns the number of lines that are accounted for.
    pub fn total(self) -> u64 {
        self.values().into_iter().fold(0, u64::saturating_add)
    }
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Tally) {
        self.values_mut().into_iter().zip(other.values()).for_each(|(sum, more)| *sum += more);
    }
}
