//! The processes of a round: they are started, disturbed when the plan says so, and waited for.

use std::path::Path;
use std::time::{Duration, Instant};

use logator::observe::receipt::Receipt;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::oracle::{Attempt, NOTHING_READ};
use super::plan::{Fault, Kill, Manner, Mode, Plan};
use super::world::{Broken, World};
use crate::kit::workspace::Running;
use crate::kit::{PATIENCE, wait_for};

/// A job hangs if it has not ended this long after it should have.
pub const BOUND: Duration = Duration::from_secs(45);

/// Longer than the time between two signals that count as one.
const APART: Duration = Duration::from_millis(700);

/// The programs of a round and their results.
pub struct Job<'a> {
    pub world: &'a World,
    pub attempts: Vec<Attempt>,
    /// Faults besides the accounts.
    pub faults: Vec<String>,
    /// Something was killed, or failed between two sinks, so files may hold documents twice.
    pub may_double: bool,
    /// The running workers, each with the file of its receipt.
    workers: Vec<(Running, String)>,
    started: usize,
}

/// The disturbances of one attempt.
#[derive(Clone, Copy, Default)]
pub struct Disturbance {
    pub trouble: bool,
    pub signal: Option<Kill>,
    pub harmless: Option<(Signal, u64)>,
}

/// A running attempt.
pub struct Going {
    pub main: Running,
    /// The number of documents when the attempt began.
    pub from: u64,
    pub attempt: Attempt,
    receipt: String,
}

impl<'a> Job<'a> {
    pub fn new(world: &'a World) -> Job<'a> {
        Job { world, attempts: Vec::new(), faults: Vec::new(), may_double: false, workers: Vec::new(), started: 0 }
    }

    pub fn plan(&self) -> &'a Plan {
        &self.world.plan
    }

    /// Starts the program. Its receipt goes to a file of its own.
    pub fn start(&mut self, name: &str, arguments: &[String], input: Option<&str>, behind: &[String]) -> Going {
        let receipt = self.world.own("receipt.log");
        let own = ["--receipt".to_owned(), receipt.clone()];
        let from = self.world.documents();
        let command = self.world.command(name, &[arguments, &own, behind].concat(), input);
        // Workers of a killed queue may store lines that the next queue hands out again.
        let may_double = self.plan().mode == Mode::Queue && self.attempts.last().is_some_and(|last| last.killed);
        Going { main: Running::start(command), from, attempt: Attempt { may_double, ..Attempt::default() }, receipt }
    }

    /// Starts workers until there are as many as the plan says.
    pub fn have_workers(&mut self, arguments: &[String]) {
        for worker in std::mem::take(&mut self.workers) {
            self.end_worker(worker, false);
        }
        // Only one process may write a file. So a worker that waits for its queue is kept, and no second one is
        // started.
        for _ in self.workers.len()..self.plan().workers {
            self.add_worker(arguments);
        }
    }

    fn add_worker(&mut self, arguments: &[String]) {
        self.started += 1;
        let receipt = format!("worker{}", self.started);
        let own = ["--receipt".to_owned(), receipt.clone()];
        let command = self.world.command("logator-worker", &[arguments, &own].concat(), None);
        self.workers.push((Running::start(command), receipt));
    }

    /// Removes a worker that has ended. A worker that goes on is kept, unless `all` workers end.
    fn end_worker(&mut self, (mut worker, receipt): (Running, String), all: bool) {
        let mut early = false;
        if !worker.has_ended() {
            if !all {
                self.workers.push((worker, receipt));
                return;
            }
            early = !is_ready(worker.id());
            worker.signal(Signal::SIGTERM);
        }
        if !ends(&mut worker, BOUND) {
            self.faults.push(format!("a worker does not end; it said: {}", tail(&worker.stderr())));
            return;
        }
        let ran = worker.end();
        let text = std::fs::read_to_string(self.world.place.path(&receipt)).unwrap_or_default();
        let holds = match (ran.code, serde_json::from_str::<Receipt>(&text)) {
            (Some(code), Ok(receipt)) => matches!(code, 0 | 1 | 3) && i32::from(receipt.exit_code()) == code,
            (Some(3), Err(_)) => ran.stderr.contains(NOTHING_READ),
            (None, Err(_)) => early,
            _ => false,
        };
        if !holds {
            self.faults.push(format!("a worker ended with {:?}: {}\n{text}", ran.code, tail(&ran.stderr)));
        }
    }

    pub fn end_workers(&mut self) {
        for worker in std::mem::take(&mut self.workers) {
            self.end_worker(worker, true);
        }
    }

    /// Waits until `more` documents have come since the attempt began, or the attempt has ended, or `limit` has passed.
    pub fn until(&self, going: &mut Going, more: u64, limit: Duration) {
        self.until_there_are(going, going.from.saturating_add(more), limit);
    }

    /// Waits for a total number of documents in the same way. Returns whether they are there.
    pub fn until_there_are(&self, going: &mut Going, count: u64, limit: Duration) -> bool {
        let start = Instant::now();
        wait_for("documents", limit + PATIENCE, || {
            let there = self.world.documents() >= count;
            (there || going.main.has_ended() || start.elapsed() > limit).then_some(there)
        })
    }

    /// Sends the signal that must end the attempt.
    pub fn signal(&self, going: &mut Going, kill: Kill) {
        if going.main.has_ended() {
            return;
        }
        let early = !is_ready(going.main.id());
        self.world.tell(format!("# {} {:?}, after {} documents", kill.signal, kill.manner, self.world.documents()));
        going.attempt.early |= early;
        going.attempt.undisturbed = false;
        going.main.signal(kill.signal);
        match kill.manner {
            Manner::Twice => going.main.signal(kill.signal),
            Manner::TwiceApart => {
                pass(APART, || going.main.has_ended());
                if !going.main.has_ended() {
                    going.attempt.at_once = true;
                    going.main.signal(kill.signal);
                }
            }
            _ => {}
        }
    }

    /// Sends a signal that must not end the attempt.
    pub fn signal_in_vain(&self, going: &mut Going, signal: Signal) {
        if !going.main.has_ended() {
            self.world.tell(format!("# {signal}"));
            going.main.signal(signal);
        }
    }

    /// Disturbs an attempt that has begun. `worker` has the arguments of the workers, if some may be killed.
    pub fn disturb(&mut self, going: &mut Going, how: Disturbance, worker: &[String]) {
        let mut signal = how.signal;
        going.attempt.undisturbed = true;
        if let Some(kill) = signal.filter(|kill| kill.manner == Manner::Early) {
            self.signal(going, kill);
            return;
        }
        if let Some((harmless, after)) = how.harmless {
            self.until(going, after, BOUND / 8);
            self.signal_in_vain(going, harmless);
        }
        let trouble = self.plan().trouble.filter(|_| how.trouble);
        if let Some(trouble) = trouble {
            self.until(going, trouble.after, BOUND / 4);
            going.attempt.failing = self.may_fail();
            match trouble.fault {
                Fault::Killed => {
                    self.world.tell(format!("# kill -9 after {} documents", self.world.documents()));
                    self.may_double = true;
                    // Other workers may have ended the attempt meanwhile.
                    going.attempt.killed = !going.main.has_ended();
                    going.main.kill();
                    return;
                }
                Fault::WorkerKilled => {
                    self.world.tell(format!("# kill -9 a worker after {} documents", self.world.documents()));
                    going.attempt.may_double = true;
                    self.workers.swap_remove(0).0.kill();
                    self.add_worker(worker);
                }
                _ => {
                    let broken = self.world.breaks();
                    let kill = signal.filter(|kill| kill.in_trouble || trouble.to_the_end);
                    let ended = |going: &mut Going| going.main.has_ended();
                    pass(trouble.hold / 2, || ended(going));
                    if let Some(kill) = kill {
                        self.signal(going, kill);
                        signal = None;
                    }
                    pass(trouble.hold / 2, || ended(going));
                    if trouble.to_the_end {
                        ends(&mut going.main, BOUND);
                    }
                    drop(broken);
                }
            }
        }
        if let Some(kill) = signal {
            self.until(going, kill.after, BOUND / 4);
            self.signal(going, kill);
        }
    }

    /// Returns whether the plan's fault may make a job fail.
    pub fn may_fail(&self) -> bool {
        let trouble = self.plan().trouble;
        trouble.is_some_and(|trouble| {
            let full = matches!(trouble.fault, Fault::DiskFull | Fault::StateFull);
            full || trouble.to_the_end
        })
    }

    /// Waits for the end of an attempt, and notes its result.
    pub fn finish(&mut self, going: Going) {
        let Going { mut main, mut attempt, receipt, .. } = going;
        if self.plan().fault() == Some(Fault::DiskFull) {
            attempt.failing = true;
        }
        attempt.undisturbed &= !attempt.failing && !attempt.killed;
        attempt.hung = !ends(&mut main, BOUND);
        self.end_orphans(attempt.killed);
        if attempt.hung {
            attempt.said = tail(&main.stderr());
            main.kill();
        } else {
            let ran = main.end();
            attempt.code = ran.code.filter(|_| !attempt.killed);
            attempt.said = tail(&ran.stderr);
        }
        let receipt = self.world.place.path(&receipt);
        let text = std::fs::read_to_string(&receipt).unwrap_or_default();
        let _ = std::fs::remove_file(receipt);
        attempt.receipt = serde_json::from_str::<Receipt>(&text).ok().filter(|_| !attempt.killed);
        let over = self.plan().mode != Mode::Queue || !attempt.killed;
        if over {
            // Workers may store lines whose acknowledgement nobody receives.
            self.end_workers();
        }
        attempt.may_double |= attempt.at_once || attempt.killed || attempt.hung;
        // Only this run knows which part of a batch one sink has settled and another sink has not. Also, nobody knows
        // which lines were settled while the state could not be written.
        let several = self.plan().sinks.len() > 1 && self.plan().trouble.is_some();
        let unnoted = several || self.plan().fault() == Some(Fault::StateFull);
        self.may_double |= attempt.may_double || (unnoted && attempt.code == Some(3));
        attempt.places = self.world.stores().into_iter().map(|store| store.found).collect();
        attempt.documents = attempt.places.iter().map(|found| found.values().sum()).collect();
        attempt.places.push(self.world.letters());
        attempt.letters = self.world.letters().values().sum();
        self.world.tell(format!("# {:?}: {}", attempt.code, attempt.said));
        self.attempts.push(attempt);
    }

    /// Workers that a queue started end with the queue, however the queue ended.
    fn end_orphans(&mut self, killed: bool) {
        if self.plan().mode != Mode::Spawn {
            return;
        }
        let place = self.world.place.path(".");
        pass(BOUND / 4, || workers_in(&place).is_empty());
        for worker in workers_in(&place) {
            let how = if killed { "was killed" } else { "has ended" };
            self.faults.push(format!("worker {worker} goes on though the queue that started it {how}"));
            let _ = kill(Pid::from_raw(worker), Signal::SIGKILL);
        }
    }

    /// Returns how the last attempt ended.
    pub fn last(&self) -> &Attempt {
        self.attempts.last().expect("there was one")
    }
}

/// Returns the workers that run in a folder.
fn workers_in(folder: &Path) -> Vec<i32> {
    let folder = folder.canonicalize().expect("it is there");
    let works = |id: &i32| {
        let name = std::fs::read_to_string(format!("/proc/{id}/comm")).unwrap_or_default();
        let there = std::fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|there| there == folder);
        there && name.starts_with("logator-worker")
    };
    let all = std::fs::read_dir("/proc").expect("a Linux").flatten();
    all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(works).collect()
}

/// Returns whether a process has a handler for SIGTERM.
pub fn is_ready(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:"));
    let caught = caught.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    caught >> (Signal::SIGTERM as i32 - 1) & 1 == 1
}

/// Returns whether a program has begun its work: it has a sink or its state open.
pub fn has_begun(id: u32) -> bool {
    let begun = |path: std::path::PathBuf| {
        let path = path.to_string_lossy();
        path.contains("/out0.") || path.contains("/state/")
    };
    let open = std::fs::read_dir(format!("/proc/{id}/fd"));
    open.is_ok_and(|open| open.flatten().any(|entry| std::fs::read_link(entry.path()).is_ok_and(begun)))
}

/// Returns whether a program ends within `limit`.
pub fn ends(running: &mut Running, limit: Duration) -> bool {
    pass(limit, || running.has_ended());
    running.has_ended()
}

/// Waits for `time`, or until `over` is true.
pub fn pass(time: Duration, mut over: impl FnMut() -> bool) {
    let start = Instant::now();
    wait_for("time to pass", time + PATIENCE, || (over() || start.elapsed() >= time).then_some(()));
}

/// Returns the last part of a program's messages.
fn tail(said: &str) -> String {
    let lines: Vec<&str> = said.lines().collect();
    lines[lines.len().saturating_sub(12)..].join("\n    ")
}

/// The thing that is broken for a while, if there is one.
pub type Trouble<'a> = Option<Broken<'a>>;
