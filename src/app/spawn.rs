//! The workers that a queue starts on its own machine (`--spawn`). Each worker is a process, so that a worker that dies does not
//! end the queue or another worker.
//!
//! The workers ask at a private socket of this queue, so they never work for another queue. They end when this queue ends,
//! even if it is killed: see [`spawned`](super::spawned).

pub(crate) mod folder;

use std::ffi::OsString;
use std::io::{PipeReader, PipeWriter, Write};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use self::folder::QueueFolder;
use super::spawned::{LEAVE, Note, was_leaving};
use crate::core::backoff::Backoff;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::net::keys::PublicKey;
use crate::observe::console::Console;
use crate::observe::service_manager;
use crate::queue::shared::SharedQueue;
use crate::worker::scaling::{Bounds, Change, INTERVAL, Sample, Scaler, Settings};

/// The workers to start.
#[derive(Debug, Clone)]
pub struct SpawnOptions {
    /// The number of processes. It follows the load between these bounds.
    pub workers: Bounds,
    /// How the number follows the load.
    pub scaling: Settings,
    /// The arguments of each worker, without the endpoint: format, sink, and so on.
    pub arguments: Vec<OsString>,
    /// The key file of the queue, with which the workers connect. The command line shows only its name.
    pub curve_key: Option<PathBuf>,
}

/// The number of times that dead workers are replaced while no further line is accounted for.
const RESTARTS: usize = 5;

/// The time in which workers must end after the queue has ended. They have this time again after each further step to
/// end them. A worker whose pipe is closed ends by itself within five seconds.
const PATIENCE: Duration = Duration::from_secs(6);

/// The minimum time that a queue stays after all workers that it started have ended, for workers at its other
/// endpoints. The queue cannot tell such a worker from one of its own workers that was killed: the queue has told
/// neither of them that there is no more work.
const STAY: Duration = Duration::from_secs(1);

/// The workers that run.
pub struct Spawned {
    shared: Arc<Shared>,
    /// This channel disconnects when the last worker has ended.
    ended: Receiver<()>,
}

/// The data that the watching threads share.
struct Shared {
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
    /// The number of workers at the start.
    least: usize,
    /// The read end of the pipe, which is the standard input of each worker.
    pipe: PipeReader,
    /// The write end. No other process ever has it. It is closed to end the workers.
    requests: Mutex<Option<PipeWriter>>,
    console: Console,
    abort: Stop,
    queue: Arc<SharedQueue>,
    /// The time that the queue stays after its workers have ended.
    stay: Duration,
    state: Mutex<State>,
    /// Notified when the queue is about to end.
    ending: Condvar,
}

/// The state of the workers.
#[derive(Default)]
struct State {
    /// The process ids of the workers that run.
    running: Vec<u32>,
    /// The number of workers that run, or that ended and will be started again.
    watched: usize,
    /// The number of workers that were asked to leave and have not left.
    leaving: usize,
    /// The number of workers that were started in all.
    started: usize,
    /// Whether the system or the sinks allow no further worker.
    full: bool,
    /// The number of restarts since the last line that was accounted for.
    restarts: usize,
    /// The number of lines that were accounted for at the last restart.
    done: u64,
    /// Whether the queue has ended. Workers that end now are not replaced.
    ending: bool,
    /// The reason why no more workers are started.
    failure: Option<Error>,
}

/// What the workers must know of their queue.
pub(crate) struct WorkersQueue<'a> {
    /// The queue.
    pub queue: &'a Arc<SharedQueue>,
    /// It listens at the endpoint of this folder.
    pub folder: &'a QueueFolder,
    /// Its key, if it has one.
    pub key: Option<PublicKey>,
    /// How long it stays after its last line.
    pub linger: Duration,
}

impl Spawned {
    /// Starts workers for `queue`. `waiting` returns how many workers waited since its last call.
    ///
    /// `abort` is requested in two cases: all workers have ended, so that the queue need not stay; or the workers end again
    /// and again while no line is accounted for. A poison line ends a few workers before the queue sets it aside.
    pub(crate) fn start(
        options: &SpawnOptions,
        queue: WorkersQueue<'_>,
        abort: &Stop,
        console: &Console,
        waiting: impl Fn() -> f64 + Send + 'static,
    ) -> Result<Spawned> {
        let WorkersQueue { queue, folder, key, linger } = queue;
        let here = std::env::current_exe()
            .map_err(|error| Error::system("the path of this program is unknown").because(error))?;
        let program = here.with_file_name("logator-worker");
        let endpoint = folder.endpoint().to_string();
        let mut arguments: Vec<OsString> =
            ["--from", &endpoint, "--jobs", "1", "--log-level", "error"].map(OsString::from).into();
        arguments.extend(["--spawned-by".into(), folder.path().into()]);
        if let (Some(file), Some(key)) = (&options.curve_key, key) {
            arguments.extend(["--curve-key".into(), file.clone().into_os_string()]);
            // Option and value are one argument, because a key may begin with a hyphen.
            arguments.push(format!("--queue-key={key}").into());
        }
        arguments.extend(options.arguments.iter().cloned());
        let (reader, writer) =
            std::io::pipe().map_err(|error| Error::system("the pipe for the workers cannot be made").because(error))?;
        let shared = Arc::new(Shared {
            program,
            arguments,
            folder: folder.path().to_owned(),
            least: options.workers.least,
            pipe: reader,
            requests: Mutex::new(Some(writer)),
            console: console.clone(),
            abort: abort.clone(),
            queue: Arc::clone(queue),
            stay: linger.max(STAY),
            state: Mutex::default(),
            ending: Condvar::new(),
        });
        let (watching, ended): (Sender<()>, _) = channel();
        let spawned = Spawned { shared, ended };
        for _ in 0..options.workers.least {
            if let Err(error) = spawned.shared.begin(watching.clone()) {
                // The workers that run already see the end of their pipe, and are not replaced.
                spawned.shared.state().ending = true;
                return Err(error);
            }
        }
        if !options.workers.is_fixed() {
            start_scaling(&spawned.shared, options, watching, waiting)?;
        }
        Ok(spawned)
    }

    /// Waits until the workers have ended, and returns the reason if they could not be kept running. If the workers
    /// were not told that there is no more work, or do not end in time, their pipe is closed. Workers that do not end
    /// even then are killed.
    pub fn finish(self) -> Option<Error> {
        let Spawned { shared, ended } = self;
        shared.state().ending = true;
        shared.ending.notify_all();
        let all_ended = || ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected);
        let told = !shared.abort.is_requested();
        // A worker that was stopped with SIGSTOP can end only after SIGCONT.
        shared.signal(Signal::SIGCONT);
        if !(told && all_ended()) {
            drop(shared.requests().take());
            if !all_ended() {
                shared.signal(Signal::SIGKILL);
                all_ended();
            }
        }
        shared.state().failure.take()
    }
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn requests(&self) -> MutexGuard<'_, Option<PipeWriter>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the number of workers that were not asked to leave.
    fn staying(&self) -> usize {
        let state = self.state();
        state.watched.saturating_sub(state.leaving)
    }

    /// Sends a signal to all workers.
    fn signal(&self, signal: Signal) {
        for &worker in &self.state().running {
            // If the worker has just ended, its process id is not yet in use again.
            let _ = kill(Pid::from_raw(worker as i32), signal);
        }
    }

    /// Starts a worker and a thread that watches it. The thread drops `watching` when its worker is not replaced any more.
    fn begin(self: &Arc<Self>, watching: Sender<()>) -> Result<()> {
        let mut state = self.state();
        let (child, index) = (self.spawn(&mut state)?, state.started);
        (state.watched, state.started) = (state.watched + 1, index + 1);
        drop(state);
        let shared = Arc::clone(self);
        let watch = move || {
            shared.watch(child);
            shared.state().watched -= 1;
            drop(watching);
        };
        let thread = std::thread::Builder::new().name(format!("watch {index}")).spawn(watch);
        thread
            .map(drop)
            .map_err(|error| Error::system("the thread that watches a worker cannot be started").because(error))
    }

    /// Starts a worker process.
    fn spawn(&self, state: &mut State) -> Result<Child> {
        let failed =
            |error| Error::system(format!("{}: a worker cannot be started", self.program.display())).because(error);
        let pipe = self.pipe.try_clone().map_err(failed)?;
        let mut command = Command::new(&self.program);
        // The worker is in another process group, so that Ctrl-C reaches only the queue, which lets its workers finish.
        command.args(&self.arguments).stdin(Stdio::from(pipe)).process_group(0).env_remove(service_manager::SOCKET);
        let child = command.spawn().map_err(failed)?;
        state.running.push(child.id());
        Ok(child)
    }

    /// Waits for a worker to end, and starts another one if the queue has not ended.
    fn watch(&self, mut child: Child) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let Ok(status) = child.wait() else { return };
            let note = Note::take(&self.folder, child.id());
            let left = was_leaving(&self.folder, child.id());
            let mut state = self.state();
            state.running.retain(|&worker| worker != child.id());
            state.leaving = state.leaving.saturating_sub(usize::from(left));
            if self.is_ending(&state) {
                return;
            }
            if self.queue.is_finished() {
                // Exit codes 0 and 1 are normal: the queue has told the worker that there is no more work. The queue
                // counts the dead letters.
                if !matches!(status.code(), Some(0 | 1)) {
                    self.console.error(format!("a worker ended with {} after the last line", in_words(status)));
                }
                if state.running.is_empty() {
                    let stay = self.ending.wait_timeout_while(state, self.stay, |state| !self.is_ending(state));
                    if !stay.unwrap_or_else(PoisonError::into_inner).0.ending {
                        self.abort.request();
                    }
                }
                return;
            }
            if left {
                return;
            }
            let done = self.queue.counts().tally().total();
            if done > state.done {
                (state.done, state.restarts) = (done, 0);
            }
            let hopeless = status.code() == Some(2) || note.as_ref().is_some_and(|note| !note.started);
            let reason = note.map(|note| format!(": {}", note.reason)).unwrap_or_default();
            if hopeless && state.watched > self.least && done > 0 {
                // The first workers do the work. A sink may allow no further process.
                state.full = true;
                let words = in_words(status);
                self.console.warn(format!("a worker ended with {words}; no further worker is started{reason}"));
                return;
            }
            if hopeless || state.restarts >= RESTARTS {
                let sentence = format!("a worker ended with {}; no other worker is started{reason}", in_words(status));
                state.failure.get_or_insert(Error::wire(sentence));
                self.abort.request();
                return;
            }
            state.restarts += 1;
            self.console.error(format!("a worker ended with {}; another worker is started", in_words(status)));
            let delay = backoff.next_delay();
            let waited = self.ending.wait_timeout_while(state, delay, |state| !self.is_ending(state));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            if self.is_ending(&state) {
                return;
            }
            match self.spawn(&mut state) {
                Ok(next) => child = next,
                Err(error) => {
                    state.failure.get_or_insert(error);
                    self.abort.request();
                    return;
                }
            }
        }
    }

    /// Whether the queue needs no more workers.
    fn is_ending(&self, state: &State) -> bool {
        state.ending || self.abort.is_requested()
    }
}

/// Starts the thread that starts and ends workers, so that their number follows the load. `waiting` returns how many workers have waited for lines since its last call. The new workers are watched
/// with `watching`.
fn start_scaling(
    shared: &Arc<Shared>,
    options: &SpawnOptions,
    watching: Sender<()>,
    waiting: impl Fn() -> f64 + Send + 'static,
) -> Result<()> {
    let shared = Arc::clone(shared);
    let mut scaler = Scaler::new(options.workers, options.scaling);
    let least = options.workers.least;
    let scale = move || {
        let started = Instant::now();
        let mut wanted = least;
        while goes_on(&shared) {
            let (workers, lines) = (shared.staying(), shared.queue.counts().tally().total());
            let sample = Sample {
                at: started.elapsed(),
                backlog: shared.queue.held_bytes().0 as u64,
                lines,
                // Workers of other machines may wait at the same queue.
                waiting: waiting().min(workers as f64),
                workers,
            };
            if let Some(Change { workers: number, reason }) = scaler.decide(&sample) {
                if number > workers && shared.state().full {
                    continue;
                }
                shared.console.say(format!("worker processes: {number} now, {workers} before; {reason}"));
                wanted = number;
            }
            reconcile(&shared, wanted, &watching);
        }
    };
    let thread = std::thread::Builder::new().name("scale".into()).spawn(scale);
    thread
        .map(drop)
        .map_err(|error| Error::system("the thread that starts and ends workers cannot be started").because(error))
}

/// Waits for the next sample. Returns whether the queue still needs workers.
fn goes_on(shared: &Shared) -> bool {
    let state = shared.state();
    let waited = shared.ending.wait_timeout_while(state, INTERVAL, |state| !shared.is_ending(state));
    let is_ending = shared.is_ending(&waited.unwrap_or_else(PoisonError::into_inner).0);
    !is_ending && !shared.queue.is_finished()
}

/// Starts workers, or asks some to leave, until their number is `wanted`.
fn reconcile(shared: &Arc<Shared>, wanted: usize, watching: &Sender<()>) {
    let grows = !shared.state().full;
    for _ in shared.staying()..if grows { wanted } else { 0 } {
        if let Err(error) = shared.begin(watching.clone()) {
            // The workers that there are go on.
            log::debug!("{error}");
            return;
        }
    }
    for _ in wanted..shared.staying() {
        let asked = shared.requests().as_mut().is_some_and(|pipe| pipe.write_all(&[LEAVE]).is_ok());
        shared.state().leaving += usize::from(asked);
        if !asked {
            return;
        }
    }
}

/// Returns the exit code or signal as words.
fn in_words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}
