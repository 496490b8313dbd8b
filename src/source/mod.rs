//! Sources: from what a user names to batches of lines.
//!
//! `inputs` finds what to read, `decompress` (with `gzip`) undoes compressions told by their first bytes, `journald_export` makes lines
//! of systemd's journal, `reader` and `cutter` cut contents into batches, `origin` names them; `follow` reads files that grow;
//! `resume` (with `replay filter`) leaves out what earlier runs settled; `live` is what inputs without an end have in common, `syslog`
//! one of them. [`read_all`] puts them together, several contents side by side.

pub mod cutter;
pub mod decompress;
pub mod follow;
mod gzip;
pub mod inputs;
mod journald_export;
pub mod live;
pub mod origin;
mod overlong;
pub mod reader;
pub mod replay_filter;
pub mod resume;
mod symlinks;
pub mod syslog;
#[cfg(test)]
mod tests;

use std::cell::Cell;
use std::fs::File;
use std::io::{BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use self::cutter::{BlockPool, Cutter};
use self::decompress::{Compression, MAGIC_BYTES, Tracked};
use self::follow::FollowOptions;
use self::inputs::Input;
use self::journald_export::ExportReader;
use self::live::{Live, Patience};
use self::origin::OriginRule;
use self::reader::{BatchReader, BatchReceiver, BatchSize, End};
use self::resume::Resuming;
use crate::core::batch::Origin;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::observe::receipt::{StoppedInput, UnreadFile, grouped};
use crate::state::{Memory, Stamp};

/// What is read before it is decompressed, at a time.
const FILE_BUFFER: usize = 128 << 10;

/// How long lines of a live input are held back at most, until it is known whether they are settled.
const HELD: Duration = Duration::from_secs(1);

/// A file that changed later than this before its end was read may have changed once more without its times showing it.
const TICK: Duration = Duration::from_secs(2);

/// How to read.
#[derive(Debug, Clone, Default)]
pub struct ReadOptions {
    /// How contents are cut.
    pub size: BatchSize,
    /// How contents are named.
    pub origin: OriginRule,
    /// What earlier runs settled, which is not delivered again.
    pub memory: Option<Arc<dyn Memory>>,
    /// What ends the readers of inputs without an end.
    pub live: Option<Live>,
    /// How files are followed, if they are.
    pub follow: Option<FollowOptions>,
    /// How syslog is received.
    pub syslog: syslog::Options,
    /// The sockets it is received at.
    pub listening: syslog::Listening,
}

/// How far all readers together have come.
#[derive(Debug, Default)]
pub struct Position {
    /// Bytes of files read, as they stand on the disk.
    pub read: Arc<AtomicU64>,
    /// Bytes of all files; 0 while unknown, as for standard input.
    pub total: u64,
}

impl Position {
    /// A position in `inputs`. The total is unknown as soon as one of them is not a regular file.
    pub fn of(inputs: &[Input]) -> Self {
        let size = |input: &Input| match input {
            Input::Stdin | Input::Followed(_) | Input::Syslog(_) => None,
            Input::File(path) => path.metadata().ok().filter(|data| data.is_file()).map(|data| data.len()),
        };
        let total = inputs.iter().map(size).sum::<Option<u64>>().unwrap_or(0);
        Position { read: Arc::default(), total }
    }

    /// Bytes read, and bytes in all if known.
    pub fn get(&self) -> (u64, Option<u64>) {
        (self.read.load(Ordering::Relaxed), (self.total > 0).then_some(self.total))
    }
}

/// How reading ended.
#[derive(Debug, Default)]
pub struct ReadOutcome {
    /// What could not be read.
    pub errors: Vec<Error>,
    /// Inputs that have an end and were left before it, because no more was wanted.
    pub stopped: Vec<StoppedInput>,
    /// Followed files that held more than was read of them when they were left.
    pub unread: Vec<UnreadFile>,
}

impl ReadOutcome {
    /// Adds what became of another input.
    pub fn add(&mut self, other: ReadOutcome) {
        self.errors.extend(other.errors);
        self.stopped.extend(other.stopped);
        self.unread.extend(other.unread);
    }

    /// What there is to say of the inputs that were left before their end; `None` where there are none.
    pub fn stopped_sentence(&self) -> Option<Error> {
        let first = self.stopped.first()?;
        let place = first.offset.map(|offset| format!(" at byte {} of its content", grouped(offset)));
        let name = format!("{}: stopped{}", first.name, place.unwrap_or_default());
        Some(Error::input(match self.stopped.len() {
            1 => format!("{name}; the rest of the input was not read"),
            more => format!("{name}; {} inputs were not read to their end", grouped(more as u64)),
        }))
    }

    /// Whether every input was read to its end, as far as it has one.
    pub fn is_complete(&self) -> bool {
        self.errors.is_empty() && self.stopped.is_empty()
    }
}

impl From<Error> for ReadOutcome {
    fn from(error: Error) -> ReadOutcome {
        ReadOutcome { errors: vec![error], ..ReadOutcome::default() }
    }
}

/// How reading one input ended.
enum InputEnd {
    /// At its end, or where everything that follows is settled.
    Complete,
    /// Before its end, behind so many bytes of its content.
    Stopped(u64),
}

/// Reads `inputs` into `receiver`, as many side by side as there are processors, each in its own order; those without an
/// end in threads of their own.
///
/// An input that cannot be read is an error in what is returned. The other inputs are read all the same.
pub fn read_all(
    inputs: &[Input],
    options: &ReadOptions,
    receiver: &dyn BatchReceiver,
    position: &Position,
) -> ReadOutcome {
    let pool = Arc::new(BlockPool::default());
    let read = |input: &Input| match input {
        Input::Followed(followed) => {
            let outcome = follow::follow(followed, options, &pool, receiver, position);
            // A follower that failed watches nothing, but the job is not to wait for the watch any longer.
            options.follow.iter().for_each(FollowOptions::tell_that_it_watches);
            outcome
        }
        input => match read_input(input, options, &pool, receiver, position) {
            Ok(InputEnd::Stopped(offset)) if input.has_end() => {
                let stopped = vec![StoppedInput { name: input.name(), offset: Some(offset) }];
                ReadOutcome { stopped, ..ReadOutcome::default() }
            }
            Ok(_) => ReadOutcome::default(),
            Err(error) => error.into(),
        },
    };
    if let [input] = inputs {
        return read(input);
    }
    let outcome = Mutex::new(ReadOutcome::default());
    let note = |other: ReadOutcome| outcome.lock().unwrap_or_else(PoisonError::into_inner).add(other);
    let read = |input: &Input| note(read(input));
    let (live, finite): (Vec<&Input>, Vec<&Input>) = inputs.iter().partition(|input| !input.has_end());
    std::thread::scope(|scope| {
        // A live input keeps its thread, so it is none of those that the others take turns on.
        for input in live {
            let builder = std::thread::Builder::new().name("reader".into());
            if let Err(error) = builder.spawn_scoped(scope, || read(input)) {
                note(Error::system(format!("{}: no thread to read with", input.name())).because(error).into());
                if let Input::Syslog(address) = input {
                    options.listening.leave(address);
                }
            }
        }
        if !finite.is_empty() {
            let threads = std::thread::available_parallelism().map_or(1, usize::from).min(finite.len());
            match rayon::ThreadPoolBuilder::new().num_threads(threads).build() {
                Ok(workers) => workers.scope_fifo(|scope| {
                    for input in finite {
                        let read = &read;
                        scope.spawn_fifo(move |_| read(input));
                    }
                }),
                Err(error) => note(Error::system("no threads to read with").because(error).into()),
            }
        }
    });
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn read_input(
    input: &Input,
    options: &ReadOptions,
    pool: &Arc<BlockPool>,
    receiver: &dyn BatchReceiver,
    position: &Position,
) -> Result<InputEnd> {
    let name = input.name();
    match input {
        Input::Stdin => {
            // Read without a buffer between, so that `idle` can ask the descriptor.
            let file = inputs::open_stdin()?;
            read_file(&file, input, &name, options, pool, receiver, position)
        }
        Input::File(path) => {
            let file =
                File::open(path).map_err(|error| Error::input(format!("{name}: cannot be opened")).because(error))?;
            read_file(&file, input, &name, options, pool, receiver, position)
        }
        Input::Followed(_) => Err(Error::internal(format!("{name}: has no end to be read to"))),
        Input::Syslog(address) => {
            let live = match &options.live {
                Some(live) => live.clone(),
                None => Live::new(Stop::new()?),
            };
            options.listening.read(address, &live, &options.size, receiver).map(|()| InputEnd::Complete)
        }
    }
}

fn read_file(
    file: &File,
    input: &Input,
    name: &str,
    options: &ReadOptions,
    pool: &Arc<BlockPool>,
    receiver: &dyn BatchReceiver,
    position: &Position,
) -> Result<InputEnd> {
    log::debug!("{name}: reading begins");
    // Bytes of this input alone, for messages; the shared position adds up all inputs.
    let consumed = Arc::new(AtomicU64::new(0));
    // What can be opened again by its name; of standard input nobody knows where reading began.
    let stamp = || file.metadata().ok().filter(|_| *input != Input::Stdin).and_then(|data| Stamp::of(&data));
    let resuming = options.memory.as_deref().map(|memory| Resuming::new(receiver, memory, stamp()));
    let receiver = resuming.as_ref().map_or(receiver, |resuming| resuming);
    let mut raw = Shared { file, total: Arc::clone(&position.read), resuming: None, held_since: None };
    let magic = beginning(&mut raw).map_err(|error| Error::input(format!("{name}: cannot be read")).because(error))?;
    let compression = Compression::of(&magic);
    let is_export = magic == journald_export::MAGIC;
    let live = compression == Compression::None && !file.metadata().is_ok_and(|data| data.is_file());
    raw.resuming = resuming.as_ref().filter(|_| live);
    let buffered = BufReader::with_capacity(FILE_BUFFER, std::io::Cursor::new(magic).chain(raw));
    let tracked = Tracked::new(buffered, Arc::clone(&consumed));
    let damaged = |error: std::io::Error, lines: u64, offset: u64| {
        let at = consumed.load(Ordering::Relaxed);
        let what = match compression {
            Compression::None if is_export => "damaged journal export".to_owned(),
            Compression::None => "cannot be read further".to_owned(),
            _ if decompress::wants_too_much(&error) => format!(
                "the {} data wants more than {} MiB of memory; unpack it with a program that may have as much, and pipe \
                 it in; stopped",
                compression.name(),
                decompress::MOST_MEMORY_MIB
            ),
            _ => format!("damaged {} data", compression.name()),
        };
        Error::input(format!(
            "{name}: {what} at byte {at}; the {lines} lines before it (content bytes 0 to {offset}) were delivered, \
             the rest was not"
        ))
        .because(error)
    };
    let mut content = match is_export {
        true => Box::new(ExportReader::new(tracked)),
        false => compression.reader(tracked).map_err(|error| damaged(error, 0, 0))?,
    };
    let patience = Cell::new(Patience::default());
    let name = |beginning: &[u8]| Origin::new(options.origin.id(input, beginning), name.to_owned());
    let cutter = Cutter { size: &options.size, pool, receiver, name: &name };
    let reader = BatchReader { cutter, idle: &|| live && is_over(&patience, file.as_fd()) };
    let end = reader.read(&mut content);
    if let Some(resuming) = &resuming {
        if !matches!(end, Ok(End::Stopped { .. })) {
            resuming.let_go();
        }
        if let Some(failure) = resuming.failure() {
            return Err(failure);
        }
        if matches!(end, Ok(End::Complete)) {
            resuming.end(stamp().filter(|stamp| is_older_than(stamp, TICK)));
        }
    }
    match end? {
        End::Complete => Ok(InputEnd::Complete),
        End::Stopped { .. } if resuming.as_ref().is_some_and(Resuming::is_settled_whole) => Ok(InputEnd::Complete),
        // What is held back was not handed on either.
        End::Stopped { offset } => {
            Ok(InputEnd::Stopped(resuming.as_ref().and_then(Resuming::held_from).unwrap_or(offset)))
        }
        End::Damaged { error, lines, offset } => Err(damaged(error, lines, offset)),
    }
}

/// Reads the first bytes of a stream, only as many as it takes to tell what it is: a live input whose first line is short
/// is not held up.
fn beginning(input: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut magic = Vec::with_capacity(MAGIC_BYTES);
    let mut byte = [0];
    while (Compression::may_begin(&magic) && magic.len() < MAGIC_BYTES) || journald_export::may_begin(&magic) {
        match input.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => magic.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(magic)
}

/// Whether the latest change of a file is longer ago than `age`.
fn is_older_than(stamp: &Stamp, age: Duration) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let latest = i128::from(stamp.modified.max(stamp.changed));
    latest + (age.as_nanos() as i128) < now.as_nanos() as i128
}

/// Whether lines that wait should be handed out: `fd` gives no more for a moment, or has given some for too long.
fn is_over(patience: &Cell<Patience>, fd: BorrowedFd<'_>) -> bool {
    let mut waited = patience.get();
    waited.begin();
    let is_over = waited.is_over() || is_quiet(fd, waited.left());
    if is_over {
        waited.reset();
    }
    patience.set(waited);
    is_over
}

/// Whether `fd` gives nothing for `time`.
fn is_quiet(fd: BorrowedFd<'_>, time: Duration) -> bool {
    use nix::poll::{PollFd, PollFlags, poll};
    matches!(poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], live::timeout(Some(time))), Ok(0))
}

/// A file whose reads are added to a shared count.
struct Shared<'a> {
    file: &'a File,
    total: Arc<AtomicU64>,
    /// Set for a live input: what may not be held back for long.
    resuming: Option<&'a Resuming<'a>>,
    held_since: Option<Instant>,
}

impl Shared<'_> {
    /// Before a live input is waited for: lets go what has been held back for too long.
    fn look_after_held(&mut self) -> std::io::Result<()> {
        let Some(resuming) = self.resuming else { return Ok(()) };
        if !resuming.holds() {
            self.held_since = None;
            return Ok(());
        }
        let left = HELD.saturating_sub(self.held_since.get_or_insert_with(Instant::now).elapsed());
        if left.is_zero() || is_quiet(self.file.as_fd(), left) {
            resuming.let_go();
            self.held_since = None;
        }
        if resuming.has_failed() { Err(std::io::Error::other("a line could not be set aside")) } else { Ok(()) }
    }
}

impl Read for Shared<'_> {
    fn read(&mut self, output: &mut [u8]) -> std::io::Result<usize> {
        self.look_after_held()?;
        let length = self.file.read(output)?;
        self.total.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
