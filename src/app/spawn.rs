//! Workers that a queue starts on its own machine, each a process, so that one that dies takes nothing with it.
//!
//! They ask at a socket of this run alone, so that they never work for another queue, and they end with this one, however
//! it ends: see [`spawned`](super::spawned).

pub(crate) mod folder;

use std::ffi::OsString;
use std::io::{PipeReader, PipeWriter};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use self::folder::QueueFolder;
use super::spawned::Note;
use crate::core::backoff::Backoff;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::net::keys::PublicKey;
use crate::observe::console::Console;
use crate::observe::service_manager;
use crate::queue::shared::SharedQueue;

/// What to start.
#[derive(Debug, Clone)]
pub struct SpawnOptions {
    /// How many processes.
    pub workers: usize,
    /// Their arguments besides the endpoint: format, sink, and so on.
    pub arguments: Vec<OsString>,
    /// The queue's own key file: they come in with it. Its name is all that the command line shows.
    pub curve_key: Option<PathBuf>,
}

/// Workers that died are started again this many times while no line is accounted for between.
const RESTARTS: usize = 5;

/// How long workers may take to end after the queue has, and again after each further step to end them. A worker whose
/// pipe is closed ends within five seconds by itself.
const PATIENCE: Duration = Duration::from_secs(6);

/// How long a queue stays at least, when all its workers have ended with it, for others that ask at its other endpoints.
/// Those of its own that were killed are known to it as peers that were never told the end, and nobody else can be told
/// from them.
const STAY: Duration = Duration::from_secs(1);

/// Running workers.
pub struct Spawned {
    shared: Arc<Shared>,
    /// The end of the pipe that workers wait for. No other process ever has it.
    pipe: PipeWriter,
    /// Disconnected when the last worker has ended.
    ended: Receiver<()>,
}

struct Shared {
    program: PathBuf,
    arguments: Vec<OsString>,
    folder: PathBuf,
    /// The standard input of each worker.
    pipe: PipeReader,
    console: Console,
    abort: Stop,
    queue: Arc<SharedQueue>,
    /// How long the queue stays when its workers have ended with it.
    stay: Duration,
    state: Mutex<State>,
    /// Notified when the end of the queue is near.
    ending: Condvar,
}

#[derive(Default)]
struct State {
    running: Vec<u32>,
    restarts: usize,
    /// Lines that were accounted for at the latest restart.
    done: u64,
    /// The queue has ended: workers that end now are not missed.
    ending: bool,
    failure: Option<Error>,
}

impl Spawned {
    /// Starts workers for `queue`, which listens at the endpoint of `folder` and stays for `linger` after its last line.
    /// `abort` is requested when the queue need not stay any longer because all of them have ended, and when they cannot be
    /// kept running: they end again and again while no line is accounted for. A line that workers are lost on takes some,
    /// and the queue gets rid of it.
    pub(crate) fn start(
        options: &SpawnOptions,
        folder: &QueueFolder,
        queue_key: Option<PublicKey>,
        abort: &Stop,
        console: &Console,
        queue: &Arc<SharedQueue>,
        linger: Duration,
    ) -> Result<Spawned> {
        let here = std::env::current_exe().map_err(|error| Error::system("where am I?").because(error))?;
        let program = here.with_file_name("logator-worker");
        let endpoint = folder.endpoint().to_string();
        let mut arguments: Vec<OsString> =
            ["--from", &endpoint, "--jobs", "1", "--log-level", "error"].map(OsString::from).into();
        arguments.extend(["--spawned-by".into(), folder.path().into()]);
        if let (Some(file), Some(key)) = (&options.curve_key, queue_key) {
            arguments.extend(["--curve-key".into(), file.clone().into_os_string()]);
            // In one word: a key may begin with a hyphen.
            arguments.push(format!("--queue-key={key}").into());
        }
        arguments.extend(options.arguments.iter().cloned());
        let (reader, writer) =
            std::io::pipe().map_err(|error| Error::system("no pipe for the workers").because(error))?;
        let shared = Arc::new(Shared {
            program,
            arguments,
            folder: folder.path().to_owned(),
            pipe: reader,
            console: console.clone(),
            abort: abort.clone(),
            queue: Arc::clone(queue),
            stay: linger.max(STAY),
            state: Mutex::default(),
            ending: Condvar::new(),
        });
        let (watching, ended): (Sender<()>, _) = channel();
        let spawned = Spawned { shared, pipe: writer, ended };
        for index in 0..options.workers {
            if let Err(error) = spawned.shared.begin(index, watching.clone()) {
                // Those that run already see the end of their pipe, and are not missed.
                spawned.shared.state().ending = true;
                return Err(error);
            }
        }
        Ok(spawned)
    }

    /// Waits for the workers, which were told the end, and tells what went wrong with them. Those that were not told, or
    /// do not end, see the end of their pipe, and are killed if that does not help either.
    pub fn finish(self) -> Option<Error> {
        let Spawned { shared, pipe, ended } = self;
        shared.state().ending = true;
        shared.ending.notify_all();
        let all_ended = || ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected);
        let told = !shared.abort.is_requested();
        // One that was stopped by hand can end only when it goes on.
        shared.signal(Signal::SIGCONT);
        if !(told && all_ended()) {
            drop(pipe);
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

    fn signal(&self, signal: Signal) {
        for &worker in &self.state().running {
            // A worker that has ended meanwhile was not waited for yet by more than a moment.
            let _ = kill(Pid::from_raw(worker as i32), signal);
        }
    }

    /// Starts a worker and a thread that watches it, which drops `watching` when no worker is left to watch.
    fn begin(self: &Arc<Self>, index: usize, watching: Sender<()>) -> Result<()> {
        let child = self.spawn(&mut self.state())?;
        let shared = Arc::clone(self);
        let watch = move || {
            shared.watch(child);
            drop(watching);
        };
        let thread = std::thread::Builder::new().name(format!("watch {index}")).spawn(watch);
        thread.map(drop).map_err(|error| Error::system("no thread to watch a worker").because(error))
    }

    fn spawn(&self, state: &mut State) -> Result<Child> {
        let failed =
            |error| Error::system(format!("{}: a worker cannot be started", self.program.display())).because(error);
        let pipe = self.pipe.try_clone().map_err(failed)?;
        let mut command = Command::new(&self.program);
        // A process group of its own: what is typed at the terminal reaches the queue, which lets its workers finish.
        command.args(&self.arguments).stdin(Stdio::from(pipe)).process_group(0).env_remove(service_manager::SOCKET);
        let child = command.spawn().map_err(failed)?;
        state.running.push(child.id());
        Ok(child)
    }

    /// Waits for a worker, and starts it again if it ended before the queue.
    fn watch(&self, mut child: Child) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let Ok(status) = child.wait() else { return };
            let note = Note::take(&self.folder, child.id());
            let mut state = self.state();
            state.running.retain(|&worker| worker != child.id());
            if self.is_ending(&state) {
                return;
            }
            if self.queue.is_finished() {
                // 0 and 1: it was told the end; dead letters are counted by the queue.
                if !matches!(status.code(), Some(0 | 1)) {
                    self.console.error(format!("a worker ended with {} after the last line", said(status)));
                }
                if state.running.is_empty() {
                    let stay = self.ending.wait_timeout_while(state, self.stay, |state| !self.is_ending(state));
                    if !stay.unwrap_or_else(PoisonError::into_inner).0.ending {
                        self.abort.request();
                    }
                }
                return;
            }
            let done = self.queue.counts().tally.total();
            if done > state.done {
                (state.done, state.restarts) = (done, 0);
            }
            let never = status.code() == Some(2) || note.as_ref().is_some_and(|note| !note.started);
            if never || state.restarts >= RESTARTS {
                let reason = note.map(|note| format!(": {}", note.reason)).unwrap_or_default();
                let sentence = format!("a worker ended with {}; no other is started{reason}", said(status));
                state.failure.get_or_insert(Error::wire(sentence));
                self.abort.request();
                return;
            }
            state.restarts += 1;
            self.console.error(format!("a worker ended with {}; another is started", said(status)));
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

    /// Whether the queue needs workers no longer.
    fn is_ending(&self, state: &State) -> bool {
        state.ending || self.abort.is_requested()
    }
}

fn said(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}
