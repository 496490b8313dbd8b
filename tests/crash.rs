//! Nothing is lost and nothing is doubled, whatever breaks. Real processes and a real MongoDB are broken again and again at random
//! moments. At the end, the stored documents are compared one by one with those of an undisturbed run.
//!
//! `LOGATOR_CRASHES` sets how often (a few times by default), `LOGATOR_SOAK` sets the seconds of the soak, and `LOGATOR_TEST_SEED`
//! repeats the random choices. Each test prints its row of the table in `benches/record/faults.md`.

mod clocks;
mod disks;
mod kills;
mod networks;
mod pauses;
mod soak;
mod strangers;
mod twice;

use std::collections::BTreeMap;
use std::process::Command;
use std::time::{Duration, Instant};

use mongodb::bson::doc;
use nix::sys::signal::Signal;

use crate::kit::logs::access_line;
use crate::kit::mongod::{Admin, Mongod};
use crate::kit::table::{Row, seed};
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, program, wait_for};

const DATABASE: &str = "crash";
const LINES_IN_BATCH: &str = "100";

/// The lease of a batch in seconds: the time after which the batch of a lost worker goes to another worker.
const LEASE: &str = "1";

/// Returns the lines of a log with the numbers in `range`. Some lines match nothing, and some of these are not UTF-8. Each line
/// begins a record, as a line without a date does if it begins with a brace.
fn content(range: std::ops::Range<usize>) -> Vec<u8> {
    let mut content = Vec::new();
    for index in range {
        match index % 97 {
            13 => content.extend_from_slice(format!("{{nothing of the kind, {index}").as_bytes()),
            14 => content.extend_from_slice(&[b"{\xff\xfe ", index.to_string().as_bytes()].concat()),
            _ => content.extend_from_slice(access_line(index).as_bytes()),
        }
        content.push(b'\n');
    }
    content
}

/// A trial of one kind of fault: a log, a server, the documents of an undisturbed run, a queue and workers that do the
/// same job with disturbances, and the results.
struct Trial {
    place: Workspace,
    server: Mongod,
    admin: Admin,
    random: fastrand::Rng,
    row: Row,
    lines: usize,
    expected: BTreeMap<String, u64>,
    round: usize,
    /// More arguments of queues and workers.
    queue_arguments: Vec<String>,
    worker_arguments: Vec<String>,
    /// A command in front of the queue's and workers' commands, and their environment.
    enter: Vec<String>,
    environment: Vec<(&'static str, String)>,
    /// The folder of the state directories, if it is not the usual one.
    state_in: Option<String>,
    /// The endpoint where workers ask; the default is the queue's own endpoint.
    from: Option<String>,
    /// Whether the queue reads its standard input instead of the file.
    from_stdin: bool,
    queue: Option<Running>,
    workers: Vec<Running>,
    /// The time of the latest fault, and the number of documents at that time.
    broken: (Instant, u64),
    /// The number of batches that were handed out again.
    redelivered: u64,
    late_acks: u64,
}

impl Trial {
    /// Makes a trial whose queue reads the log from its file.
    fn new(fault: &'static str, lines: usize) -> Self {
        Trial::of(fault, lines, false)
    }

    /// Makes a trial whose queue reads the log from its standard input, so that no document has a path or a host.
    fn from_stdin(fault: &'static str, lines: usize) -> Self {
        Trial::of(fault, lines, true)
    }

    /// Makes the log and runs it undisturbed.
    fn of(fault: &'static str, lines: usize, from_stdin: bool) -> Self {
        let random = seed(fault);
        let place = Workspace::new();
        let server = Mongod::standalone();
        let admin = server.admin();
        let log = content(0..lines);
        place.write("access.log", &log);
        let (from, input) = if from_stdin { ("-", &log[..]) } else { ("access.log", &b""[..]) };
        let to = server.uri("crash.reference");
        let ran = place.run("logator", &["run", from, "-f", "combined", "--to", &to, "-q"], input);
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let expected = admin.contents(DATABASE, "reference");
        assert_eq!(expected.len(), lines, "each line is a document");
        Trial {
            place,
            server,
            admin,
            random,
            row: Row::new(fault),
            lines,
            expected,
            round: 0,
            queue_arguments: Vec::new(),
            worker_arguments: Vec::new(),
            enter: Vec::new(),
            environment: Vec::new(),
            state_in: None,
            from: None,
            from_stdin,
            queue: None,
            workers: Vec::new(),
            broken: (Instant::now(), 0),
            redelivered: 0,
            late_acks: 0,
        }
    }

    fn collection(&self) -> String {
        format!("round{}", self.round)
    }

    /// Starts a round: the same log goes into a new collection.
    fn begin(&mut self, workers: usize) {
        self.round += 1;
        self.start_queue();
        self.workers = (0..workers).map(|_| self.new_worker()).collect();
    }

    /// Starts the queue, or starts it again.
    fn start_queue(&mut self) {
        let endpoint = self.place.endpoint();
        let state = format!("{}/state{}", self.state_in.as_deref().unwrap_or("."), self.round);
        let mut arguments = vec!["--bind", &endpoint, "--receipt", "queue.json", "--state", &state, "--linger", "1"];
        for usual in [["--lease", LEASE], ["--batch-lines", LINES_IN_BATCH]] {
            if !self.queue_arguments.iter().any(|argument| argument == usual[0]) {
                arguments.extend(usual);
            }
        }
        arguments.extend((!self.from_stdin).then_some("access.log"));
        arguments.extend(self.queue_arguments.iter().map(String::as_str));
        let mut queue = self.start("logator-queue", &arguments);
        queue.wait_ready();
        self.queue = Some(queue);
    }

    fn start(&self, name: &str, arguments: &[&str]) -> Running {
        let mut command = self.place.command(name, arguments);
        if let Some((first, others)) = self.enter.split_first() {
            command = Command::new(first);
            command.args(others).arg(program(name)).args(arguments).current_dir(self.place.path("."));
        }
        command.envs(self.environment.iter().map(|(name, value)| (name, value)));
        Running::start(command)
    }

    fn new_worker(&self) -> Running {
        self.new_worker_from(self.from.as_deref().unwrap_or(&self.place.endpoint()))
    }

    fn new_worker_from(&self, from: &str) -> Running {
        let to = self.server.uri(&format!("{DATABASE}.{}", self.collection()));
        let mut arguments = vec!["--from", from, "-j", "1", "-f", "combined", "--to", &to];
        arguments.extend(self.worker_arguments.iter().map(String::as_str));
        self.start("logator-worker", &arguments)
    }

    fn queue(&mut self) -> &mut Running {
        self.queue.as_mut().expect("a round has begun")
    }

    /// Returns the approximate number of documents; `None` when the server does not answer.
    fn count(&self) -> Option<u64> {
        self.admin.rough_count(DATABASE, &self.collection())
    }

    /// Waits until `more` documents have arrived. Returns false when the job has ended before.
    fn advance(&mut self, more: u64) -> bool {
        let mut from = None;
        wait_for("documents to arrive", 2 * PATIENCE, || {
            if self.queue().has_ended() {
                return Some(false);
            }
            let count = self.count()?;
            (count >= *from.get_or_insert(count) + more).then_some(true)
        })
    }

    /// Waits for a random moment within the next `most` documents.
    fn advance_at_random(&mut self, most: u64) -> bool {
        let more = self.random.u64(1..=most);
        self.advance(more)
    }

    /// Notes that something is broken now.
    fn breaks(&mut self) {
        self.row.times += 1;
        self.broken = (Instant::now(), self.count().unwrap_or(0));
    }

    /// Notes that the database is back. Its count may differ from before.
    fn counts_anew(&mut self) {
        self.admin = self.server.admin();
        self.broken.1 = wait_for("the number of documents", PATIENCE, || self.count());
    }

    /// Waits until documents arrive again or the job is done.
    fn recovers(&mut self) {
        let (when, count) = self.broken;
        let arrived = wait_for("documents to arrive again", 2 * PATIENCE, || {
            self.replace_workers_that_have_ended();
            let done = self.queue().has_ended();
            (done || self.count()? > count).then_some(!done)
        });
        if arrived {
            self.row.recovered(when.elapsed());
        }
    }

    /// A finished queue that had no room to note its end may be killed after it told its workers the end. When this queue is
    /// started again, it needs other workers.
    fn replace_workers_that_have_ended(&mut self) {
        for nth in 0..self.workers.len() {
            if self.workers[nth].has_ended() {
                let other = self.new_worker();
                let ended = std::mem::replace(&mut self.workers[nth], other).end();
                assert_eq!(ended.code, Some(0), "{}", ended.stderr);
            }
        }
    }

    /// Breaks something `times` times, in as many rounds as that takes, each time within the next `most` documents.
    fn disturb(&mut self, times: usize, most: u64, workers: usize, mut harm: impl FnMut(&mut Trial)) {
        while self.row.times < times {
            self.begin(workers);
            while self.row.times < times && self.advance_at_random(most) {
                harm(self);
                self.recovers();
            }
            self.finish();
        }
    }

    /// Kills a worker with `kill -9`; another worker takes its place.
    fn kill_worker(&mut self, nth: usize) {
        self.workers[nth].kill();
        self.breaks();
        self.workers[nth] = self.new_worker();
    }

    /// Kills all workers with `kill -9`; as many others take their place.
    fn kill_workers(&mut self) {
        self.workers.iter_mut().for_each(Running::kill);
        self.breaks();
        self.workers = self.workers.iter().map(|_| self.new_worker()).collect();
    }

    /// Kills the queue with `kill -9`; the same command is run again.
    fn kill_queue(&mut self) {
        if self.queue().has_ended() {
            return;
        }
        self.queue().kill();
        self.breaks();
        self.start_queue();
    }

    /// Kills the database with `kill -9`; it is started again on the same files and port.
    fn kill_server(&mut self) {
        self.breaks();
        self.server.kill();
        self.server.restart();
        self.counts_anew();
    }

    /// Ends a round: the queue ends by itself, its receipt agrees, and every document is stored once.
    fn finish(&mut self) {
        let mut queue = self.queue.take().expect("a round has begun").end();
        if queue.code == Some(3) && queue.stderr.contains("the journal could not be written completely") {
            // The queue ended while its disk was full, and said so. The same command finishes the rest.
            let workers = self.workers.len();
            self.workers.clear();
            self.start_queue();
            self.workers = (0..workers).map(|_| self.new_worker()).collect();
            queue = self.queue.take().expect("it was started").end();
        }
        assert_eq!(queue.code, Some(0), "{}: {}", self.row.fault, queue.stderr);
        for worker in self.workers.drain(..) {
            // A worker that was started after the end waits for a queue.
            worker.signal(Signal::SIGTERM);
            let worker = worker.end();
            assert!(matches!(worker.code, None | Some(0 | 3)), "{:?}: {}", worker.code, worker.stderr);
        }
        let receipt = self.place.receipt("queue.json");
        assert!(receipt.agrees && receipt.finished, "{receipt:?}");
        assert_eq!((receipt.read + receipt.resumed_lines) as usize, self.lines, "{receipt:?}");
        if let Some(words) = queue.stderr.lines().find(|line| line.contains("batches were handed out again")) {
            let mut numbers = words
                .split(|at: char| !at.is_ascii_digit() && at != ',')
                .filter_map(|word| word.replace(',', "").parse::<u64>().ok());
            self.redelivered += numbers.next().unwrap_or(0);
            self.late_acks += numbers.next().unwrap_or(0);
        }
        self.compare();
    }

    /// Compares the stored documents with those of an undisturbed run.
    fn compare(&mut self) {
        let found = self.admin.contents(DATABASE, &self.collection());
        let lost = self.expected.iter().filter(|&(id, hash)| found.get(id) != Some(hash)).count();
        let doubled = found.keys().filter(|id| !self.expected.contains_key(*id)).count();
        self.row.lines += self.lines;
        self.row.lost += lost;
        self.row.doubled += doubled;
        let collection = self.collection();
        self.admin.run(DATABASE, doc! { "drop": collection });
    }

    /// Prints the row and judges it.
    fn close(self) {
        let Trial { row, redelivered, late_acks, .. } = self;
        let fault = row.fault;
        crate::kit::table::tell(&format!("{fault}: {redelivered} batches handed out again, {late_acks} acks too late"));
        row.close();
    }
}

/// The tests of this module rely on the comparison.
#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn the_comparison_finds_what_is_lost_changed_and_doubled() {
    let mut trial = Trial::new("what the comparison finds", 500);
    trial.begin(1);
    until("all documents", || trial.count() == Some(500));
    let collection = trial.collection();
    let ids: Vec<&String> = trial.expected.keys().collect();
    let change = doc! { "q": { "_id": ids[7] }, "u": { "$set": { "response": "404" } } };
    let (id, other) = (ids[3], doc! { "_id": "another", "message": "once more" });
    trial.admin.run(DATABASE, doc! { "delete": &collection, "deletes": [{ "q": { "_id": id }, "limit": 1 }] });
    trial.admin.run(DATABASE, doc! { "update": &collection, "updates": [change] });
    trial.admin.run(DATABASE, doc! { "insert": &collection, "documents": [other] });
    trial.finish();
    assert_eq!((trial.row.lost, trial.row.doubled), (2, 1));
}

/// Waits until `condition` holds, within the usual patience.
fn until(what: &str, mut condition: impl FnMut() -> bool) {
    wait_for(what, 2 * PATIENCE, || condition().then_some(()));
}

/// The usual maximum of documents that arrive between two faults.
const APART: u64 = 1500;

/// The number of lines of a round.
const ROUND: usize = 12_000;

const MILLI: Duration = Duration::from_millis(1);
