//! The receipt as data: the fields of its JSON, and the exit code that follows from them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::core::numbers::grouped;
use crate::observe::counters::{
    BYTES, JOB, LEFT, LINES, READ, RESUMED_BYTES, RESUMED_LINES, Row, Scope, Shown, Snapshot, Tally, Words,
};

/// The counts of one pattern, stage, sink or source: one entry of a list of the receipt.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counted {
    /// The format or pattern as the user gave it, or the address of the source or sink.
    pub name: String,
    /// The values by the [names of the counters](crate::observe::counters::CounterSpec::name). A value is `None` if it is
    /// not known.
    #[serde(flatten)]
    pub counts: BTreeMap<String, Option<u64>>,
    /// The words for the counts in the text of the receipt.
    #[serde(skip)]
    pub(super) words: String,
}

impl Counted {
    /// Returns the value of the counter called `name`; 0 if it is not known.
    pub fn get(&self, name: &str) -> u64 {
        self.counts.get(name).copied().flatten().unwrap_or(0)
    }
}

impl From<&Row> for Counted {
    fn from(row: &Row) -> Counted {
        let shown = row.counts.iter().filter(|(spec, value)| match spec.shown {
            Shown::Always => true,
            Shown::NotZero => value.is_some_and(|value| value > 0),
            Shown::Elsewhere(_) => false,
        });
        let counts = shown.map(|(spec, value)| (spec.name.to_owned(), *value)).collect();
        let mut words = String::new();
        for (spec, value) in &row.counts {
            let template = match (spec.words, value) {
                (Words::Always(template), Some(_)) | (Words::NotZero(template), Some(1..)) => template,
                _ => continue,
            };
            words.push_str(match template.starts_with(';') {
                true => "",
                false if words.is_empty() => ": ",
                false => ", ",
            });
            words.push_str(&template.replace("{}", &grouped(value.unwrap_or(0))));
        }
        Counted { name: row.label.clone(), counts, words }
    }
}

/// The account of one run of a queue, of `logator run`, or of one worker process.
///
/// Its two sides must be equal: `read` = `parsed` + `unparsed` + `duplicate` + `dead_lettered` + `filtered` + `joined` +
/// `delivered`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Receipt {
    /// Lines that were taken in and worked on: the left side.
    pub read: u64,
    /// The lines of the records in `read`. A record may have several lines.
    #[serde(default)]
    pub lines: u64,
    /// Lines that were read ahead and given back because the work ended early. They are not part of `read`.
    pub left: u64,
    /// Lines that an earlier run settled (`--state`) and that this run did not deliver again. They are not part of `read`.
    #[serde(default)]
    pub resumed_lines: u64,
    /// The bytes of the lines in `resumed_lines`.
    #[serde(default)]
    pub resumed_bytes: u64,
    /// The fate of the lines in `read`: the right side. Its fields are keys of the receipt itself. The key `stored` does not
    /// include `unmatched`.
    #[serde(flatten)]
    pub tally: Tally,
    /// Lines that a format or pattern matched and whose document is new in the sink. The same number as `stored`.
    #[serde(default)]
    pub parsed: u64,
    /// Lines that nothing matched and whose document is new in the sink. The same number as `unmatched`.
    #[serde(default)]
    pub unparsed: u64,
    /// Bytes of the lines taken in, decompressed, with their newlines.
    pub bytes: u64,
    /// Wall-clock seconds from the start of the work to the last ack.
    pub seconds: f64,
    /// `read / seconds`.
    pub lines_per_second: f64,
    /// Whether the two sides are equal.
    pub agrees: bool,
    /// Whether the work came to its end; `false` after a signal, damaged input or a failed sink.
    pub finished: bool,
    /// Processor seconds of this process, user and system.
    pub cpu_seconds: f64,
    /// The peak resident memory of this process, in bytes.
    pub peak_memory_bytes: u64,
    /// The counts of each pattern, in the order of the patterns. A queue has those that its workers report. A line counts
    /// twice if it was worked on twice because a worker was lost.
    #[serde(default)]
    pub patterns: Vec<Counted>,
    /// The counts of each stage.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stages: Vec<Counted>,
    /// The counts of the times of records, by the zone of times that name none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<Counted>,
    /// The number of documents with each tag.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<Counted>,
    /// The counts of each sink.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sinks: Vec<Counted>,
    /// The counts of each input without an end.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<Counted>,
    /// Counters of the job that have no field above.
    #[serde(flatten, skip_deserializing)]
    pub others: BTreeMap<&'static str, u64>,
    /// Inputs with an end that were not read to that end, because of a signal or a failure.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub stopped: Vec<StoppedInput>,
    /// Followed files that held unread bytes at the end. Another run reads these bytes; with `--state` it reads only them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unread: Vec<UnreadFile>,
    /// The containers whose logs were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub containers: Vec<ReadContainer>,
    /// Files and directories that were left out because of what they are: binary or hidden.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutFile>,
    /// The errors, one sentence each.
    pub errors: Vec<String>,
}

/// A file or directory that was left out because of what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOutFile {
    /// Its name.
    pub name: String,
    /// What it is, and which command helps.
    pub why: String,
}

impl LeftOutFile {
    /// The sentence about it.
    pub fn sentence(&self) -> String {
        format!("{}: left out, {}", self.name, self.why)
    }
}

/// An input with an end that was not read to that end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoppedInput {
    /// The name of the input, as messages show it.
    pub name: String,
    /// The number of bytes of the decompressed content that were handed on; `None` if this number is unknown.
    pub offset: Option<u64>,
}

/// A followed file that held unread bytes at the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UnreadFile {
    /// The name of the file.
    pub name: String,
    /// The number of unread bytes. For a compressed file, these are compressed bytes.
    pub bytes: u64,
}

/// The way in which the log of a container was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Way {
    /// From the files that the Engine writes.
    Files,
    /// Through the API of the Engine.
    Api,
}

/// Whether records of a container were lost before they could be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Loss {
    /// None was lost.
    None,
    /// Nobody can know.
    Unknown,
    /// Some were skipped or are gone.
    Detected,
}

impl Loss {
    /// Returns the word for it.
    pub fn word(self) -> &'static str {
        match self {
            Loss::None => "none",
            Loss::Unknown => "unknown",
            Loss::Detected => "detected",
        }
    }
}

/// A container whose log was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadContainer {
    /// The name of the container.
    pub name: String,
    /// Its full ID.
    pub id: String,
    /// The way in which its log was read.
    pub way: Way,
    /// Whether records of it were lost before they could be read.
    pub loss: Loss,
}

impl Receipt {
    /// Returns the receipt of a job that did not start. `sentence` is the reason.
    pub fn of_nothing(sentence: String) -> Self {
        Receipt::new(&Snapshot::default(), Duration::ZERO, vec![sentence])
    }

    /// Closes the account of a job that has counted `counts`.
    pub fn new(counts: &Snapshot, elapsed: Duration, errors: Vec<String>) -> Self {
        let (tally, left) = (counts.tally(), counts.get(&LEFT));
        let read = counts.get(&READ).saturating_sub(left);
        let seconds = elapsed.as_secs_f64();
        let (cpu_seconds, peak_memory_bytes) = resource_usage();
        let list = |scope| counts.rows(scope).map(Counted::from).collect();
        let others = JOB.iter().filter(|spec| spec.shown == Shown::NotZero);
        Receipt {
            read,
            lines: counts.get(&LINES),
            left,
            resumed_lines: counts.get(&RESUMED_LINES),
            resumed_bytes: counts.get(&RESUMED_BYTES),
            tally,
            parsed: tally.stored,
            unparsed: tally.unmatched,
            bytes: counts.get(&BYTES),
            seconds,
            lines_per_second: if seconds > 0.0 { read as f64 / seconds } else { 0.0 },
            agrees: read == tally.total(),
            finished: errors.is_empty(),
            cpu_seconds,
            peak_memory_bytes,
            patterns: list(Scope::Pattern),
            stages: list(Scope::Stage),
            dates: list(Scope::Zone),
            tags: list(Scope::Tag),
            sinks: list(Scope::Sink),
            sources: list(Scope::Source),
            others: others.map(|spec| (spec.name, counts.get(spec))).filter(|(_, value)| *value > 0).collect(),
            stopped: Vec::new(),
            unread: Vec::new(),
            containers: Vec::new(),
            left_out: Vec::new(),
            errors,
        }
    }

    /// Adds the inputs and files that were not read to their end. A stopped input means that the work is not finished.
    pub fn with_rest(self, stopped: Vec<StoppedInput>, unread: Vec<UnreadFile>) -> Self {
        let finished = self.finished && stopped.is_empty();
        Receipt { stopped, unread, finished, ..self }
    }

    /// Adds the containers whose logs were read. What an Engine skipped changes no exit code, because no other run can bring
    /// it back.
    pub fn with_containers(self, containers: Vec<ReadContainer>) -> Self {
        Receipt { containers, ..self }
    }

    /// Adds the files that were left out. They change no exit code.
    pub fn with_left_out(self, left_out: Vec<LeftOutFile>) -> Self {
        Receipt { left_out, ..self }
    }

    /// Returns the exit code: 0 if all lines are accounted for and none is dead-lettered, 1 if some are dead-lettered, 3 if
    /// the work is unfinished or the two sides differ.
    pub fn exit_code(&self) -> u8 {
        if !self.agrees || !self.finished {
            3
        } else if self.tally.dead_lettered > 0 {
            1
        } else {
            0
        }
    }
}

/// Returns the processor seconds and the peak resident bytes of this process.
pub fn resource_usage() -> (f64, u64) {
    use nix::sys::resource::{UsageWho, getrusage};
    use nix::sys::time::TimeValLike;
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else { return (0.0, 0) };
    let micros = usage.user_time().num_microseconds() + usage.system_time().num_microseconds();
    // Linux keeps ru_maxrss across exec: the value may belong to the process that started this program. Its unit is KiB.
    let peak = peak_of_this_program().unwrap_or(usage.max_rss().unsigned_abs() * 1024);
    (micros as f64 / 1e6, peak)
}

/// Returns `VmHWM` of `/proc/self/status`, in bytes.
fn peak_of_this_program() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}
