//! `logator replay`: parses and stores dead letters again, under the ids that their documents would have had.
//!
//! | a letter | becomes |
//! |---|---|
//! | with a whole line | a line for the workers, as if it were read from its source |
//! | with only the beginning of its line (`too_long`) | the same letter in the new file, because its id is the id of the whole line |
//! | with a reason that the user did not ask for | the same letter in the new file |
//! | that is damaged, or whose id is not the id of its line | an error with file and line; the run is not finished |
//!
//! After a finished replay, every letter of the old file is stored or in the new file.

use std::collections::{HashMap, VecDeque};
use std::os::fd::BorrowedFd;
use std::sync::{Arc, Mutex, PoisonError};

use super::local::{limits, work_through};
use super::messages::say_what_is_left_out;
use super::options::WorkOptions;
use super::reading::Reading;
use super::sources::SOURCES;
use crate::core::batch::{Batch, Position};
use crate::core::context::{Context, Origin};
use crate::core::error::{Error, Result};
use crate::core::lines::{self, Line};
use crate::core::numbers::grouped;
use crate::core::offered::Offered;
use crate::core::stop::Stop;
use crate::dead_letter::{DeadLetter, DeadLetters, Reason};
use crate::envelope::Identifier;
use crate::observe::console::Console;
use crate::observe::receipt::{Receipt, StoppedInput};
use crate::process::job_files::JobFiles;
use crate::queue::shared::SharedQueue;
use crate::source::api::{RunContext, Source};
use crate::source::live::Live;
use crate::source::outlet::wait_for_room;
use crate::source::receiver::{BatchReceiver, BatchSize, LongLine};
use crate::source::{Progress, ReadOptions, ReadOutcome};

/// Returns the length of the longest letter of a line of `max_line` bytes. In the worst case each byte is written as `\u0000`.
/// The other fields of a letter, such as the message of a store, get 1 MiB.
fn longest_letter(max_line: usize) -> usize {
    max_line.saturating_mul(6).saturating_add(1 << 20)
}

/// The number of damaged letters of a file that get an error of their own. The others are only counted.
const NAMED: u64 = 10;

/// The number of origins that are kept for sharing.
const ORIGINS: usize = 10_000;

/// The options of a replay: its files, its reasons and its limits.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// Files of dead letters, as the user names them.
    pub inputs: Vec<String>,
    /// The reasons of letters that are replayed. An empty list means all reasons except [`Reason::Poison`], because a poison line
    /// could end this process.
    pub reasons: Vec<Reason>,
    /// The longest line that a letter may hold, in bytes. It limits the memory for a line of the files.
    pub max_line: usize,
    /// The files of the job itself, which are never read as inputs.
    pub files: Arc<JobFiles>,
}

impl ReplayOptions {
    fn wants(&self, reason: Reason) -> bool {
        match &self.reasons[..] {
            [] => !matches!(reason, Reason::Poison | Reason::Undecodable),
            reasons => reasons.contains(&reason),
        }
    }
}

/// Replays the letters. Letters that fail again go to `work.dead_letters`.
///
/// # Errors
/// The job cannot start: a wrong pattern, a missing file, a sink that cannot be opened, or a file that is both an input and an
/// output.
pub fn replay(options: &ReplayOptions, work: &WorkOptions, console: Console) -> Result<Receipt> {
    let formats = work.formats(&console)?;
    let found = SOURCES.find_whole(&options.inputs, &options.files)?;
    say_what_is_left_out(&found, &console);
    let (options, sentences, detects) = (options.clone(), console.clone(), work.rules.is_empty());
    let queue = Arc::new(SharedQueue::new(limits(), None)?);
    let live = Live::new(Stop::new()?);
    work_through(work, formats, console, queue, None, &live, move |queue, dead_letters, _| {
        let (sources, errors) = found.into_parts();
        let sources: Vec<Arc<dyn Source>> = sources.into_iter().map(Arc::from).collect();
        let position = Arc::new(Progress::of(sources.iter().map(|source| source.size())));
        let (counted, to) = (Arc::clone(&position), Arc::clone(&queue));
        let identifier = Mutex::new(Identifier::new()?);
        let end = move || queue.end_input();
        Reading::of(position, &sources.clone(), end, move || {
            let replay = Replay { queue: to, dead_letters, options, detects, state: Mutex::default(), identifier };
            replay.read(&sources, errors, &counted, &sentences)
        })
    })
}

/// Reads letters, puts their lines into the queue, and keeps the other letters.
struct Replay {
    queue: Arc<SharedQueue>,
    /// The file for letters that are not replayed, and for letters that fail again.
    dead_letters: Arc<DeadLetters>,
    options: ReplayOptions,
    /// Whether formats are detected from the lines. Then the lines of one source must stand together.
    detects: bool,
    state: Mutex<State>,
    /// Checks the ids of letters.
    identifier: Mutex<Identifier>,
}

/// The counts of a replay.
#[derive(Default)]
struct State {
    /// The number of lines of this file that were read.
    line: u64,
    /// The number of damaged letters of this file.
    damaged: u64,
    errors: Vec<Error>,
    /// The number of letters with only the beginning of their line.
    cut: u64,
    /// The number of letters with a reason that the user did not ask for.
    unwanted: u64,
    /// The error that ended the reading.
    failure: Option<Error>,
    origins: HashMap<u64, Arc<Origin>>,
    /// Batches that found no room in the queue, in their order.
    refused: VecDeque<Batch>,
}

/// The decision about a letter.
enum Use {
    /// It is replayed.
    Send(Box<DeadLetter>),
    /// It is kept, because it holds only the beginning of its line, which has this length.
    Cut(u64),
    /// It is kept, because the user did not ask for its reason. Its line has this length.
    Unwanted(u64),
}

impl Replay {
    /// Reads one file after the other. The outcome has the errors.
    fn read(
        &self,
        files: &[Arc<dyn Source>],
        errors: Vec<Error>,
        progress: &Progress,
        console: &Console,
    ) -> ReadOutcome {
        let mut outcome = ReadOutcome { errors, ..ReadOutcome::default() };
        let size = BatchSize { max_line: longest_letter(self.options.max_line), ..BatchSize::default() };
        let options = ReadOptions { size, ..ReadOptions::default() };
        let pool = Arc::default();
        let context = RunContext { options: &options, pool: &pool, receiver: self, progress };
        for source in files {
            let mut read = source.run(&context);
            if !self.finish() && read.stopped.is_empty() {
                read.stopped.push(StoppedInput { name: source.name(), offset: None });
            }
            let mut state = self.lock();
            outcome.errors.append(&mut state.errors);
            if state.damaged > NAMED {
                let more = grouped(state.damaged - NAMED);
                outcome.errors.push(Error::input(format!("{}: {more} more lines are no dead letters", source.name())));
            }
            outcome.add(read);
            (state.line, state.damaged) = (0, 0);
            if let Some(failure) = state.failure.take() {
                outcome.errors.push(failure);
                break;
            }
        }
        let state = self.lock();
        let path = self.dead_letters.path().display();
        if state.cut > 0 {
            let count = grouped(state.cut);
            console.say(format!(
                "{count} letters hold only the beginning of a line that was too long, and stay letters, in {path}; read \
                 their source again with a greater --max-line"
            ));
        }
        if state.unwanted > 0 {
            let count = grouped(state.unwanted);
            let why = match self.options.reasons.is_empty() {
                true => "workers were lost on their lines; --reason poison sends them",
                false => "their reasons were not asked for",
            };
            console.say(format!("{count} letters were not sent and are in {path}: {why}"));
        }
        outcome
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts the refused batches into the queue, as far as there is room. Returns `false` if the queue wants no more.
    fn pass_on(&self) -> bool {
        let mut state = self.lock();
        while let Some(next) = state.refused.pop_front() {
            match self.queue.offer(next) {
                Offered::Taken => {}
                Offered::Full(next) => {
                    state.refused.push_front(next);
                    break;
                }
                Offered::Stopped => return false,
            }
        }
        true
    }

    /// Waits until the queue has taken the refused batches. Returns `false` if the queue wants no more.
    fn finish(&self) -> bool {
        while self.pass_on() {
            if self.lock().refused.is_empty() {
                return true;
            }
            wait_for_room(self, None);
        }
        false
    }

    /// Decides what is done with the letter on this line of a file. `torn` means that the line is the last one, which a crash
    /// may have cut.
    fn judge(&self, line: &[u8], file: &str, number: u64, torn: bool) -> Result<Use> {
        let letter = DeadLetter::read(line, file, number).map_err(|error| match torn {
            true => Error::input(format!("{file}: line {number} is half a letter, as a crash leaves it")),
            false => error,
        })?;
        let wrong = |what: &str| Err(Error::input(format!("{file}: line {number} is damaged: {what}")));
        if letter.truncated || (letter.raw.len() as u64) < letter.length {
            return Ok(Use::Cut(letter.length));
        }
        let id = self.identifier.lock().unwrap_or_else(PoisonError::into_inner).check(
            &letter.context,
            letter.offset,
            letter.key,
            &letter.raw,
        );
        if id != letter.id {
            return wrong(&format!("its _id is not that of its line, {id}"));
        }
        Ok(if self.options.wants(letter.reason) { Use::Send(Box::new(letter)) } else { Use::Unwanted(letter.length) })
    }

    /// Reads the letters of a batch. Returns the letters to replay, and counts and keeps the others.
    fn sort(&self, batch: &Batch) -> Result<Vec<DeadLetter>> {
        let mut state = self.lock();
        let (mut letters, mut kept, mut kept_lengths) = (Vec::new(), Vec::new(), Vec::new());
        for Line { start, bytes } in lines::lines(&batch.data) {
            state.line += 1;
            let torn = start + bytes.len() == batch.data.len();
            let used = self.judge(bytes, &batch.context.origin.name, state.line, torn);
            match used {
                Ok(Use::Send(letter)) => {
                    letters.push(*letter);
                    continue;
                }
                Ok(Use::Cut(length)) => {
                    state.cut += 1;
                    kept_lengths.push(length);
                }
                Ok(Use::Unwanted(length)) => {
                    state.unwanted += 1;
                    kept_lengths.push(length);
                }
                Err(error) => {
                    state.damaged += 1;
                    if state.damaged <= NAMED {
                        state.errors.push(error);
                    }
                    continue;
                }
            }
            kept.extend_from_slice(bytes);
            kept.push(b'\n');
        }
        drop(state);
        self.dead_letters.append(&kept)?;
        kept_lengths.into_iter().for_each(|length| self.queue.count_dead_letter(length));
        Ok(letters)
    }

    /// Returns a batch with the lines of `letters`, each with its position.
    fn gather(&self, mut letters: Vec<DeadLetter>) -> Option<Batch> {
        if self.detects {
            letters.sort_by_key(|letter| letter.context.origin.id);
        }
        let mut state = self.lock();
        let position = |letter: &DeadLetter| {
            let context = Context { origin: state.origin(&letter.context.origin), ..letter.context.clone() };
            Position { context, offset: letter.offset, key: letter.key, id: letter.id, line: letter.line }
        };
        let positions: Vec<Position> = letters.iter().map(position).collect();
        let records = letters.iter().zip(positions);
        Batch::gathered(records.map(|(letter, position)| (&letter.raw[..], letter.multiline_cut, position)))
    }
}

impl State {
    /// Returns a shared copy of `origin`.
    fn origin(&mut self, origin: &Arc<Origin>) -> Arc<Origin> {
        match self.origins.get(&origin.id) {
            Some(known) if known == origin => Arc::clone(known),
            _ => {
                if self.origins.len() >= ORIGINS {
                    self.origins.clear();
                }
                self.origins.insert(origin.id, Arc::clone(origin));
                Arc::clone(origin)
            }
        }
    }
}

impl BatchReceiver for Replay {
    fn offer(&self, batch: Batch) -> Offered {
        if !self.pass_on() {
            return Offered::Stopped;
        }
        if !self.lock().refused.is_empty() {
            return Offered::Full(batch);
        }
        match self.sort(&batch) {
            Ok(letters) => {
                // Only the last line of a batch can be marked as partial, so each partial line gets its own batch.
                let (partial, whole): (Vec<_>, Vec<_>) = letters.into_iter().partition(|letter| letter.partial);
                let mut batches: Vec<Batch> = self.gather(whole).into_iter().collect();
                let partial = partial.into_iter().filter_map(|letter| self.gather(vec![letter]));
                batches.extend(partial.map(|batch| batch.with_partial(true)));
                self.lock().refused.extend(batches);
                if self.pass_on() { Offered::Taken } else { Offered::Stopped }
            }
            Err(error) => {
                self.lock().failure = Some(error);
                Offered::Stopped
            }
        }
    }

    fn room(&self) -> Option<BorrowedFd<'_>> {
        Some(self.queue.room())
    }

    fn is_open(&self) -> bool {
        self.queue.is_open()
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        let mut state = self.lock();
        state.line += 1;
        state.damaged += 1;
        let (name, number, length) = (&line.context.origin.name, state.line, line.length);
        if state.damaged <= NAMED {
            let most = longest_letter(self.options.max_line);
            state.errors.push(Error::input(format!(
                "{name}: line {number} has {length} bytes, and a letter has {most} at most; if the line is a letter, \
                 give replay the --max-line of the run that wrote it"
            )));
        }
        Ok(())
    }
}
