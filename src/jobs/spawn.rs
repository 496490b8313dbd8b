//! Workers that a queue starts on its own machine, each a process, so that one that dies takes nothing with it.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::console::Console;
use crate::endpoint::Endpoint;
use crate::error::{Error, Result};
use crate::keys::PublicKey;
use crate::notify;
use crate::sink::backoff::Backoff;
use crate::stop::Stop;

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

/// Tells how many lines are accounted for.
pub type Done = Box<dyn Fn() -> u64 + Send + Sync>;

/// How long workers may take to end after the queue has, and again after each signal.
const PATIENCE: Duration = Duration::from_secs(5);

/// Running workers.
pub struct Spawned {
    shared: Arc<Shared>,
    /// Disconnected when the last worker has ended.
    ended: Receiver<()>,
}

struct Shared {
    program: PathBuf,
    arguments: Vec<OsString>,
    console: Console,
    abort: Stop,
    done: Done,
    state: Mutex<State>,
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
    /// Starts workers for the queue at `endpoint`. When they cannot be kept running, `abort` is requested: when they die
    /// and die again while `done` does not grow. A line that workers are lost on takes some, and the queue gets rid of it.
    pub fn start(
        options: &SpawnOptions,
        endpoint: &Endpoint,
        queue_key: Option<PublicKey>,
        abort: &Stop,
        console: &Console,
        done: Done,
    ) -> Result<Spawned> {
        let here = std::env::current_exe().map_err(|error| Error::system("where am I?").because(error))?;
        let program = here.with_file_name("logator-worker");
        let mut arguments: Vec<OsString> =
            ["--from", &endpoint.to_string(), "--jobs", "1", "--log-level", "error"].map(OsString::from).into();
        if let (Some(file), Some(key)) = (&options.curve_key, queue_key) {
            arguments.extend(["--curve-key".into(), file.clone().into_os_string()]);
            // In one word: a key may begin with a hyphen.
            arguments.push(format!("--queue-key={key}").into());
        }
        arguments.extend(options.arguments.iter().cloned());
        let shared = Arc::new(Shared {
            program,
            arguments,
            console: console.clone(),
            abort: abort.clone(),
            done,
            state: Mutex::default(),
        });
        let (watching, ended): (Sender<()>, _) = channel();
        for index in 0..options.workers {
            let child = shared.spawn()?;
            let (shared, watching) = (Arc::clone(&shared), watching.clone());
            let watch = move || {
                shared.watch(child);
                drop(watching);
            };
            std::thread::Builder::new()
                .name(format!("watch {index}"))
                .spawn(watch)
                .map_err(|error| Error::system("no thread to watch a worker").because(error))?;
        }
        Ok(Spawned { shared, ended })
    }

    /// Waits for the workers, which were told the end, and tells what went wrong with them. Those that were not told,
    /// or do not end, are signalled.
    pub fn finish(self) -> Option<Error> {
        self.shared.state().ending = true;
        let signals = match self.shared.abort.is_requested() {
            true => &[Signal::SIGTERM, Signal::SIGKILL][..],
            false => &[Signal::SIGCONT, Signal::SIGTERM, Signal::SIGKILL],
        };
        for &signal in signals {
            for &worker in &self.shared.state().running {
                // A worker that has ended meanwhile was not waited for yet by more than a moment.
                let _ = kill(Pid::from_raw(worker as i32), signal);
            }
            if self.ended.recv_timeout(PATIENCE) == Err(RecvTimeoutError::Disconnected) {
                break;
            }
        }
        self.shared.state().failure.take()
    }
}

impl Shared {
    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn spawn(&self) -> Result<Child> {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).stdin(Stdio::null()).env_remove(notify::SOCKET);
        let child = command.spawn().map_err(|error| {
            Error::system(format!("{}: a worker cannot be started", self.program.display())).because(error)
        })?;
        self.state().running.push(child.id());
        Ok(child)
    }

    /// Waits for a worker, and starts it again if it died.
    fn watch(&self, mut child: Child) {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(5));
        loop {
            let Ok(status) = child.wait() else { return };
            self.state().running.retain(|&worker| worker != child.id());
            // 0 and 1: it was told the end; dead letters are counted by the queue.
            if matches!(status.code(), Some(0 | 1)) {
                return;
            }
            let done = (self.done)();
            let mut state = self.state();
            if done > state.done {
                (state.done, state.restarts) = (done, 0);
            }
            if state.ending || self.abort.is_requested() {
                return;
            }
            if status.code() == Some(2) || state.restarts >= RESTARTS {
                state.failure = Some(Error::wire(format!("a worker ended with {}; no other is started", said(status))));
                self.abort.request();
                return;
            }
            state.restarts += 1;
            drop(state);
            self.console.error(format!("a worker ended with {}; another is started", said(status)));
            std::thread::sleep(backoff.next_delay());
            match self.spawn() {
                Ok(next) => child = next,
                Err(error) => {
                    self.state().failure = Some(error);
                    self.abort.request();
                    return;
                }
            }
        }
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
