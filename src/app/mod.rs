//! Jobs: what one process does from start to receipt, put together from the other modules.
//!
//! | job | sources | queue | workers |
//! |---|---|---|---|
//! | [`run`] | here | in memory | here |
//! | [`serve`] | here | here, on a socket | elsewhere |
//! | [`work`] | – | elsewhere | here |
//! | [`bench`](mod@bench) | `run` again and again | | |
//! | [`grok`] | here, one after the other | – | – |
//! | [`keygen`](mod@keygen) | – | – | – |
//! | [`replay`] | dead letters | in memory | here |
//! | [`push`] | standard input | – | – |
//! | [`pull`] | pushed lines | in memory, if they are stored | here |

pub mod bench;
pub mod grok;
pub mod keygen;
pub mod pull;
pub mod push;
mod reading;
pub mod replay;
pub mod run;
pub mod serve;
pub mod spawn;
pub mod spawned;
pub mod work;

use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use self::reading::{Reading, stop_input};
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::core::wait::{Deadline, Waits};
use crate::grok::{Format, Library};
use crate::net::auth::Security;
use crate::observe::console::Console;
use crate::observe::receipt::Receipt;
use crate::observe::service_manager::Manager;
use crate::process::job_files::JobFiles;
use crate::process::signals;
use crate::queue::Limits;
use crate::queue::shared::SharedQueue;
use crate::sink::Sink;
use crate::sink::spec::SinkSpec;
use crate::source::ReadOptions;
use crate::source::inputs::{self, Inputs};
use crate::source::live::Live;
use crate::source::origin::OriginRule;
use crate::source::say::Say;
use crate::state::store::Store;
use crate::worker::parser::{Formats, Unmatched};

/// Reads the list of those who may come in again at each SIGHUP from here on.
fn reload_keys_on_hangup(security: Option<&Security>, console: &Console) -> Result<()> {
    let Some(Security { authorized, .. }) = security else { return Ok(()) };
    let (authorized, console) = (Arc::clone(authorized), console.clone());
    signals::on_hangup(move || match authorized.reload() {
        Ok(count) => {
            console
                .answer(format!("SIGHUP: {} has {count} keys, which count from now on", authorized.path().display()));
        }
        Err(error) => console.error(format!("SIGHUP: the keys stay as they were: {error}")),
    })
}

/// At a signal: requests `stop`, and tells the service manager and the user what is done until the end.
fn stop_on_signals(stop: &Stop, manager: &Manager, console: &Console, until_the_end: &'static str) -> Result<()> {
    let (console, manager) = (console.clone(), manager.clone());
    signals::request_stop(stop, move |signal| {
        manager.stopping(until_the_end);
        console.say(format!("{signal}: {until_the_end}; a second signal ends at once"));
    })
}

/// Where dead letters go unless told otherwise. The file is made when there is a first one.
pub const DEAD_LETTERS: &str = "dead-letters.ndjson";

/// The same for letters that were replayed and failed again: they never go to the file that is being read.
pub const DEAD_LETTERS_AGAIN: &str = "dead-letters-again.ndjson";

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct SourceOptions {
    /// As the user names them; none means standard input.
    pub inputs: Vec<String>,
    /// How.
    pub read: ReadOptions,
    /// Where it is remembered what is settled.
    pub state: Option<PathBuf>,
    /// Bytes of lines that may wait or be in work; `None` for what each job takes otherwise.
    pub max_memory: Option<usize>,
    /// The files of the job, which are never among the inputs.
    pub files: Arc<JobFiles>,
}

/// Says which files and links were met and are not read.
pub(crate) fn say_what_is_left_out(found: &Inputs, console: &Console) {
    found.notes.iter().for_each(|sentence| console.say(sentence.clone()));
    found.warnings.iter().for_each(|sentence| console.warn(sentence.clone()));
}

/// For readers, which know no console.
fn say_on(console: &Console) -> Say {
    let console = console.clone();
    Say::to(move |sentence, warns| if warns { console.warn(sentence) } else { console.say(sentence) })
}

impl SourceOptions {
    /// The bounds of a queue, `usual` unless the user has set some: then a third is for what waits.
    pub(crate) fn limits(&self, usual: Limits) -> Limits {
        let usual = Limits { block_bytes: self.read.size.bytes, ..usual };
        match self.max_memory {
            Some(most) => Limits { ready_bytes: most / 3, leased_bytes: most - most / 3, ..usual },
            None => usual,
        }
    }

    /// A name stands for one input: under it, the same offset of two inputs would be one place.
    fn check_origin(&self, inputs: usize) -> Result<()> {
        match &self.read.origin {
            OriginRule::Name(name) if inputs > 1 => Err(Error::usage(format!(
                "--origin {name}: a name is for one input, and there are {inputs}; use --origin path"
            ))),
            _ => Ok(()),
        }
    }

    /// Finds what is to be read. The job's own files are left out where they are met, which is said on `console`.
    pub(crate) fn find(&self, console: &Console) -> Result<Inputs> {
        let (found, count) = match self.read.follow {
            Some(_) => inputs::find_followed(&self.inputs, &self.files)?,
            None => {
                let found = inputs::find(&self.inputs, &self.files)?;
                let count = found.inputs.len();
                (found, count)
            }
        };
        self.check_origin(count)?;
        say_what_is_left_out(&found, console);
        Ok(found)
    }

    /// How to read, for readers that heed `live` and say things on `console`.
    pub(crate) fn read_options(&self, live: &Live, console: &Console) -> ReadOptions {
        let mut read = ReadOptions { live: Some(live.clone()), ..self.read.clone() };
        if let Some(follow) = &mut read.follow {
            follow.say = say_on(console);
        }
        read
    }

    /// Opens the state directory, if one is asked for.
    pub(crate) fn open_state(&self, console: &Console) -> Result<Option<Arc<Store>>> {
        let Some(directory) = &self.state else { return Ok(None) };
        let console = console.clone();
        Store::open(directory, Box::new(move |sentence| console.error(sentence))).map(|store| Some(Arc::new(store)))
    }
}

/// What waits for all that does not answer in a process, up to `deadline` and heeding `stop`.
pub(crate) fn waits(deadline: Deadline, stop: &Stop, console: &Console) -> Waits {
    let console = console.clone();
    Waits::new(deadline, Some(stop.clone()), Box::new(move |sentence| console.warn(sentence)))
}

/// A queue that tells `state` what is settled.
pub(crate) fn queue_with(state: Option<&Arc<Store>>, queue: SharedQueue) -> Arc<SharedQueue> {
    Arc::new(match state {
        Some(state) => {
            let state = Arc::clone(state);
            queue.settling(Box::new(move |batches| state.settle(batches)))
        }
        None => queue,
    })
}

/// How to parse and where to store.
#[derive(Debug, Clone, Default)]
pub struct WorkOptions {
    /// Formats and patterns, in order; none: told from the lines.
    pub rules: Vec<RuleSpec>,
    /// Which patterns there are.
    pub library: LibraryOptions,
    /// What to do with lines that match none.
    pub unmatched: Unmatched,
    /// Sinks; a document goes to each.
    pub sinks: Vec<SinkSpec>,
    /// The file of dead letters.
    pub dead_letters: PathBuf,
    /// Worker threads.
    pub workers: Workers,
    /// How long is waited for what does not answer.
    pub deadline: Deadline,
}

/// Which patterns there are.
#[derive(Debug, Clone, Default)]
pub struct LibraryOptions {
    /// Whether fields are called as in the Elastic Common Schema.
    pub ecs: bool,
    /// Folders of pattern files, in order; each is stronger than the built-in definitions and those before it.
    pub directories: Vec<PathBuf>,
    /// Definitions, each `NAME=REGEX`; stronger than all files.
    pub definitions: Vec<String>,
}

impl LibraryOptions {
    /// The built-in definitions with what is added to it.
    pub(crate) fn open(&self) -> Result<Library> {
        let mut library = if self.ecs { Library::builtin_ecs() } else { Library::builtin() };
        self.directories.iter().try_for_each(|directory| library.add_dir(directory))?;
        self.definitions.iter().try_for_each(|definition| library.add_definition(definition))?;
        Ok(library)
    }
}

/// How many worker threads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Workers {
    /// At work from the start.
    pub first: usize,
    /// At work once the readers get ahead.
    pub most: usize,
}

impl Workers {
    /// Always `count`.
    pub fn fixed(count: usize) -> Workers {
        Workers { first: count, most: count }
    }

    /// One a core.
    pub fn one_a_core() -> Workers {
        Workers::fixed(std::thread::available_parallelism().map_or(1, usize::from))
    }
}

impl Default for Workers {
    fn default() -> Self {
        Workers::one_a_core()
    }
}

/// A format or a pattern, as the user gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RuleSpec {
    /// `--format NAME`; `auto` is no rule but the absence of one.
    Format(String),
    /// `--pattern PATTERN`.
    Pattern(String),
}

impl WorkOptions {
    /// Compiles the patterns.
    pub(crate) fn formats(&self, console: &Console) -> Result<Arc<Formats>> {
        let library = self.library.open()?;
        let compile = |rule: &RuleSpec| match rule {
            RuleSpec::Format(name) => library.format(name),
            RuleSpec::Pattern(text) => library.pattern(text),
        };
        let formats: Vec<Format> = self.rules.iter().map(compile).collect::<Result<_>>()?;
        let console = console.clone();
        Ok(Arc::new(Formats::new(formats, library, self.unmatched, move |sentence| console.say(sentence))))
    }

    /// Opens the sinks, which wait with `waits`.
    pub(crate) fn open_sinks(&self, waits: &Waits) -> Result<Vec<Arc<dyn Sink>>> {
        self.sinks.iter().map(|spec| spec.open(waits)).collect()
    }
}

/// Lets this process have as many open files, and so connections, as it may; how many that are.
pub(crate) fn raise_limit() -> u64 {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((now, most)) = getrlimit(Resource::RLIMIT_NOFILE) else { return u64::MAX };
    match setrlimit(Resource::RLIMIT_NOFILE, most, most) {
        Ok(()) => most,
        Err(_) => now,
    }
}

/// Says the errors, and gives them back as the sentences of a receipt.
///
/// Whoever left standard output (`logator run … | head`) has what they wanted: neither an error nor a receipt is shown
/// to them. The exit code and the receipt's file still say that the work is not finished.
pub(crate) fn say_errors(errors: &[Error], console: &Console) -> Vec<String> {
    if errors.iter().any(Error::is_broken_pipe) {
        console.hush();
    }
    let sentences: Vec<String> = errors.iter().map(ToString::to_string).collect();
    sentences.iter().for_each(|sentence| console.error(sentence));
    sentences
}

/// Says the errors and closes the account of a queue, after its state was made durable.
pub(crate) fn close_account(
    queue: &SharedQueue,
    state: Option<&Store>,
    waits: &Waits,
    mut errors: Vec<Error>,
    console: &Console,
) -> Receipt {
    errors.extend(state.and_then(|state| state.sync(waits).err()));
    let errors = say_errors(&errors, console);
    let skipped = state.map(Store::skipped).unwrap_or_default();
    let counts = queue.counts();
    let left = queue.outstanding_lines();
    Receipt::new(counts.read, left, counts.bytes, counts.tally, queue.working_time(), errors)
        .with_resumed(skipped.lines, skipped.bytes)
}
