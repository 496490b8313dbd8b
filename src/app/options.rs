//! The options that several jobs share: what to read, how to parse, where to store.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::messages::{say_on, say_what_is_left_out};
use super::sources::SOURCES;
use crate::core::error::{Error, Result};
use crate::core::option_spec::OptionValues;
use crate::core::wait::{Deadline, Waits};
use crate::document::date::DateOptions;
use crate::document::display_path;
use crate::event::MessageRule;
use crate::grok::{Format, Library};
use crate::observe::console::Console;
use crate::process::job_files::JobFiles;
use crate::queue::Limits;
use crate::sink::{AnySink, InFlight, Opening, SinkSpec};
use crate::source::ReadOptions;
use crate::source::kind::{FindContext, Found, Place};
use crate::source::live::Live;
use crate::source::origin::OriginRule;
use crate::state::store::Store;
use crate::worker::parser::{Formats, Unmatched};
use crate::worker::scaling::{Bounds, Settings};
use crate::worker::{Requests, Storing};

/// The default file of dead letters. The first dead letter creates it.
pub const DEAD_LETTERS: &str = "dead-letters.ndjson";

/// The default file of letters that fail again in a replay. It differs from [`DEAD_LETTERS`], which the replay may read.
pub const DEAD_LETTERS_AGAIN: &str = "dead-letters-again.ndjson";

/// The inputs of a job, and how they are read.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// The inputs, as the user names them. An empty list means standard input.
    pub inputs: Vec<String>,
    /// The values of the options of all kinds of sources.
    pub values: OptionValues,
    /// How the inputs are read.
    pub read: ReadOptions,
    /// The directory that records settled lines.
    pub state: Option<PathBuf>,
    /// The maximum number of bytes of lines that wait or are in work; `None` for the default of the job.
    pub max_memory: Option<usize>,
    /// The files of the job itself, which are never read as inputs.
    pub files: Arc<JobFiles>,
}

impl SourceOptions {
    /// Returns the limits of a queue. They are `usual` if the user set no `max_memory`. Otherwise a third of
    /// `max_memory` is for lines that wait, and the rest is for lines in work.
    pub(super) fn limits(&self, usual: Limits) -> Limits {
        let usual = Limits { block_bytes: self.read.size.bytes, ..usual };
        match self.max_memory {
            Some(most) => Limits { ready_bytes: most / 3, leased_bytes: most - most / 3, ..usual },
            None => usual,
        }
    }

    /// Refuses a name for several inputs: the lines at the same offset of two inputs would get the same id.
    fn check_origin(&self, inputs: usize) -> Result<()> {
        match &self.read.origin {
            OriginRule::Name(name) if inputs > 1 => Err(Error::usage(format!(
                "--origin {name}: a name is for one input, and there are {inputs}; use --origin path"
            ))),
            _ => Ok(()),
        }
    }

    /// Finds the inputs. It leaves out the job's own files, and prints which files it leaves out.
    pub(super) fn find(&self, console: &Console) -> Result<Found> {
        let context = FindContext { values: &self.values, own: &self.files, place: Place::Input };
        let found = SOURCES.find(&self.inputs, &context)?;
        self.check_origin(found.contents)?;
        say_what_is_left_out(&found, console);
        Ok(found)
    }

    /// Returns the options of readers that stop with `live` and print messages on `console`.
    pub(super) fn read_options(&self, live: &Live, console: &Console) -> ReadOptions {
        ReadOptions { live: Some(live.clone()), say: say_on(console), ..self.read.clone() }
    }

    /// Opens the state directory, if the user named one.
    pub(super) fn open_state(&self, console: &Console) -> Result<Option<Arc<Store>>> {
        let Some(directory) = &self.state else { return Ok(None) };
        let console = console.clone();
        Store::open(directory, Box::new(move |sentence| console.error(sentence))).map(|store| Some(Arc::new(store)))
    }
}

/// How workers parse lines, and where they store documents.
#[derive(Debug, Clone, Default)]
pub struct WorkOptions {
    /// Formats and patterns, in order. With an empty list, the format is detected from the lines.
    pub rules: Vec<RuleSpec>,
    /// The definitions that patterns may use.
    pub library: LibraryOptions,
    /// What the user says about dates.
    pub dates: DateOptions,
    /// What to do with lines that no rule matches.
    pub unmatched: Unmatched,
    /// Whether sequences that control a terminal, such as colours, stay.
    pub keep_ansi: bool,
    /// When documents have the text of their records.
    pub message: MessageRule,
    /// The sinks. Each document goes to each sink.
    pub sinks: Vec<SinkSpec>,
    /// Whether the sinks get records as they were read, and not documents. Nothing is parsed then.
    pub as_read: bool,
    /// The options of the kinds of sinks.
    pub sink_options: OptionValues,
    /// The file of dead letters.
    pub dead_letters: PathBuf,
    /// The number of worker threads.
    pub workers: Workers,
    /// How the number of worker threads follows the load.
    pub scaling: Settings,
    /// How many batches are stored at a time; `None` if the sinks decide it.
    pub in_flight: Option<Requests>,
    /// The maximum number of bytes of batches that are being stored; `None` for the default.
    pub max_memory: Option<usize>,
    /// The time between two lines on the state of the job; `None` for no such lines.
    pub status_interval: Option<Duration>,
    /// The longest wait for a sink or file that does not respond.
    pub deadline: Deadline,
}

impl WorkOptions {
    /// Compiles the formats and patterns.
    pub(super) fn formats(&self, console: &Console) -> Result<Arc<Formats>> {
        let library = self.library.open()?;
        let compile = |rule: &RuleSpec| match rule {
            RuleSpec::Format(name) => library.format(name),
            RuleSpec::Pattern(text) => library.pattern(text),
        };
        let formats: Vec<Format> = self.rules.iter().map(compile).collect::<Result<_>>()?;
        self.check_timestamp(&formats)?;
        let console = console.clone();
        let formats = Formats::new(formats, library, self.unmatched, move |sentence| console.say(sentence));
        Ok(Arc::new(formats.with_dates(self.dates.clone()).keeping_ansi(self.keep_ansi).with_message(self.message)))
    }

    /// Refuses a name for `@timestamp` that no pattern captures.
    fn check_timestamp(&self, formats: &[Format]) -> Result<()> {
        let Some(path) = &self.dates.timestamp else { return Ok(()) };
        let has_it = |format: &Format| {
            format.pattern().is_none_or(|pattern| pattern.fields().iter().any(|field| field.path == *path))
        };
        if formats.is_empty() || formats.iter().any(has_it) {
            return Ok(());
        }
        let known = formats.iter().filter_map(Format::pattern).flat_map(|pattern| pattern.fields());
        let known: Vec<String> = known.map(|field| display_path(&field.path)).collect();
        let (name, known) = (display_path(path), known.join(", "));
        Err(Error::usage(format!("--timestamp {name}: no pattern captures this field; they capture {known}")))
    }

    /// Opens the sinks, which wait with `waits` and store the documents of `formats`.
    pub(super) fn open_sinks(&self, waits: &Waits, formats: &Formats) -> Result<Vec<AnySink>> {
        let memory = self.storing().bytes;
        let options = self.sink_options.clone();
        let ecs = self.library.ecs;
        let with = Opening { waits, formats: formats.given(), fields: None, ecs, options, memory };
        let open = |spec: &SinkSpec| if self.as_read { spec.open_for_records(&with) } else { spec.open(&with) };
        self.sinks.iter().map(open).collect()
    }
}

/// The number of requests in flight, if the user does not set bounds.
pub const AUTO_IN_FLIGHT: Bounds = Bounds { least: 1, most: 128 };

/// The bytes of batches that are being stored, if requests are sent to servers. A batch with its documents and the body of
/// its request has about 1 MiB, and a server that answers in 200 ms needs 100 of them at a time.
const BYTES_IN_FLIGHT: usize = 192 << 20;

impl WorkOptions {
    /// Returns how the process stores.
    pub(super) fn storing(&self) -> Storing {
        let adaptive = self.sinks.iter().any(|sink| sink.kind().in_flight == InFlight::Adaptive);
        let own = if adaptive { Requests::Adaptive(AUTO_IN_FLIGHT) } else { Requests::Workers };
        let requests = self.in_flight.unwrap_or(own);
        let usual = match requests {
            Requests::Adaptive(_) => BYTES_IN_FLIGHT,
            Requests::Workers | Requests::Fixed(_) => Storing::default().bytes,
        };
        Storing { requests, bytes: self.max_memory.map_or(usual, |most| most - most / 3) }
    }
}

/// A format or a pattern, as the user gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSpec {
    /// `--format NAME`. `--format auto` adds no rule.
    Format(String),
    /// `--pattern PATTERN`.
    Pattern(String),
}

/// The definitions that patterns may use.
#[derive(Debug, Clone, Default)]
pub struct LibraryOptions {
    /// Whether fields have the names of the Elastic Common Schema.
    pub ecs: bool,
    /// Directories of pattern files, in order. A definition overrides those of earlier directories and the built-in ones.
    pub directories: Vec<PathBuf>,
    /// Definitions, each `NAME=REGEX`. They override the definitions of all files.
    pub definitions: Vec<String>,
}

impl LibraryOptions {
    /// Returns the built-in definitions together with those of the user.
    pub(super) fn open(&self) -> Result<Library> {
        let mut library = if self.ecs { Library::builtin_ecs() } else { Library::builtin() };
        self.directories.iter().try_for_each(|directory| library.add_dir(directory))?;
        self.definitions.iter().try_for_each(|definition| library.add_definition(definition))?;
        Ok(library)
    }
}

/// The number of worker threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// The number at the start, and the smallest one.
    pub first: usize,
    /// The largest number.
    pub most: usize,
}

impl From<Workers> for Bounds {
    fn from(workers: Workers) -> Bounds {
        Bounds { least: workers.first, most: workers.most }
    }
}

impl Workers {
    /// Returns a constant number of threads.
    pub fn fixed(count: usize) -> Workers {
        Workers { first: count, most: count }
    }

    /// Returns a constant number of threads: one for each core.
    pub fn one_a_core() -> Workers {
        Workers::fixed(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Default for Workers {
    fn default() -> Self {
        Workers::one_a_core()
    }
}
