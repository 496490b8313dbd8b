//! Random faults of every kind, for as long as the user wants.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::networks::behind;
use super::strangers::make_keys;
use super::{DATABASE, Trial, clocks, networks};
use crate::kit::disk::Disk;
use crate::kit::noise::Noise;
use crate::kit::proxy::Network;
use crate::kit::table::{number, tell};

/// The open descriptors and the memory (kB) of one queue, noted besides each fault.
#[derive(Default)]
struct Life {
    files: Vec<usize>,
    memory: Vec<u64>,
}

/// The most memory that a queue may have, in kB.
const MEMORY: u64 = 160 << 10;

impl Life {
    fn look(&mut self, trial: &mut Trial) {
        let queue = trial.queue();
        if let Some(memory) = queue.memory() {
            self.files.push(queue.open_files());
            self.memory.push(memory);
            assert!(memory < MEMORY, "the queue has {memory} kB");
        }
    }

    /// A leak shows in the smallest values: the later half of a life must need no more than the earlier half.
    fn judge(&self) {
        // By then, workers and strangers have connected, and buffers have their final size.
        let settled = self.files.len() / 4;
        let (files, memory) = (&self.files[settled..], &self.memory[settled..]);
        if files.len() < 12 {
            return;
        }
        let (early, late) = files.split_at(files.len() / 2);
        let (first, then) = (early.iter().min().unwrap(), late.iter().min().unwrap());
        // Nonsense connections come and go.
        assert!(*then <= first + 24, "descriptors: {:?}", self.files);
        let (early, late) = memory.split_at(memory.len() / 2);
        let (most, then) = (early.iter().max().unwrap(), late.iter().min().unwrap());
        assert!(*then <= most + (16 << 10), "kB of memory: {:?}", self.memory);
    }
}

/// A fault: its name, its share in percent, and its function.
type Harm = (&'static str, u8, fn(&mut Soak));

const HARMS: [Harm; 10] = [
    ("workers killed", 20, |soak| {
        let nth = soak.trial.random.usize(..2);
        soak.trial.kill_worker(nth);
    }),
    ("troubles of the network", 20, |soak| networks::trouble(&mut soak.trial, &soak.network)),
    ("workers stopped beyond their lease", 12, Soak::stop_a_worker),
    ("databases killed", 12, |soak| soak.trial.kill_server()),
    ("workers killed before a database that hangs", 8, Soak::kill_a_worker_in_mid_write),
    ("second runs of the file, killed", 6, Soak::run_beside),
    ("jumps of the clock", 10, Soak::jump),
    ("full disks", 4, |soak| soak.fill_the_disk(false)),
    ("full disks and the queue killed", 3, |soak| soak.fill_the_disk(true)),
    ("queues killed", 5, |soak| soak.trial.kill_queue()),
];

/// A job and everything that is needed to break it.
struct Soak {
    trial: Trial,
    network: Network,
    disk: Option<Disk>,
    /// The seconds by which clocks are off.
    off: i64,
}

impl Soak {
    fn stop_a_worker(&mut self) {
        let nth = self.trial.random.usize(..2);
        self.trial.workers[nth].freeze();
        self.trial.breaks();
        self.trial.advance_at_random(2000);
        self.trial.workers[nth].signal(Signal::SIGCONT);
    }

    fn kill_a_worker_in_mid_write(&mut self) {
        let nth = self.trial.random.usize(..2);
        self.trial.breaks();
        self.trial.server.process().freeze();
        self.trial.workers[nth].kill();
        self.trial.server.process().signal(Signal::SIGCONT);
        self.trial.workers[nth] = self.trial.new_worker();
    }

    /// Starts another reader that meets stored lines from the beginning, and kills it at a random moment.
    fn run_beside(&mut self) {
        let trial = &mut self.trial;
        trial.breaks();
        let to = trial.server.uri(&format!("{DATABASE}.{}", trial.collection()));
        let arguments = ["run", "access.log", "-f", "combined", "--to", &to, "--batch-lines", "100"];
        let mut run = trial.start("logator", &arguments);
        trial.advance_at_random(2000);
        run.kill();
    }

    fn jump(&mut self) {
        self.off += if self.off > 0 || (self.off == 0 && self.trial.random.bool()) { -3600 } else { 3600 };
        self.trial.breaks();
        clocks::set(&self.trial.place, self.off);
    }

    fn fill_the_disk(&mut self, killing: bool) {
        let Some(disk) = &self.disk else { return };
        disk.fill();
        let killing = self.trial.advance_at_random(2000) && killing;
        if killing {
            self.trial.queue().kill();
        }
        self.trial.breaks();
        disk.empty();
        if killing {
            self.trial.start_queue();
        }
    }
}

#[test]
#[ignore = "needs a mongod of its own and libfaketime: run ./test"]
fn a_soak_with_every_fault_at_random_loses_and_doubles_nothing_and_the_queue_leaks_nothing() {
    let seconds = number("LOGATOR_SOAK").unwrap_or(20);
    // Each round is long enough for a queue to leak something.
    let lines = (seconds as usize * 1000).clamp(10_000, 100_000);
    let mut trial = Trial::new("soak: all of these at random", lines);
    // The batches are small and the disk is small, so the journal soon needs more room while its disk is full.
    trial.queue_arguments = ["--batch-lines", "20"].map(String::from).to_vec();
    let network = behind(&mut trial);
    let (plain, port) = (trial.queue_arguments.clone(), network.server().port());
    let keys = make_keys(&trial.place);
    trial.environment = clocks::environment(&trial.place);
    let disk = Disk::new(&trial.place.path("disk"), 1024);
    if let Some(disk) = &disk {
        trial.state_in = Some(trial.place.path("disk").display().to_string());
        trial.enter = disk.enter(&trial.place.path("."));
    }
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut happened = [0; HARMS.len()];
    let (mut files, mut memory, mut nonsense) = (0, 0, 0);
    let mut soak = Soak { trial, network, disk, off: 0 };
    while Instant::now() < until {
        let with_keys = soak.trial.round.is_multiple_of(2);
        soak.trial.queue_arguments = [&plain[..], if with_keys { &keys.queue } else { &[] }].concat();
        soak.trial.worker_arguments = if with_keys { keys.worker.clone() } else { Vec::new() };
        soak.trial.begin(2);
        let noise = Noise::at(port, soak.trial.random.u64(..));
        // A worker with a wrong key runs all the time.
        let stranger = with_keys.then(|| {
            let from = format!("tcp://127.0.0.1:{port}");
            let arguments = ["--from", &from, "-f", "combined", "--to", "ndjson:stolen"];
            let keys: Vec<&str> = keys.stranger.iter().map(String::as_str).collect();
            soak.trial.place.start("logator-worker", &[&arguments[..], &keys].concat())
        });
        let mut life = Life::default();
        while Instant::now() < until && soak.trial.advance_at_random(2500) {
            life.look(&mut soak.trial);
            let mut drawn = soak.trial.random.u8(..100);
            let kind = HARMS.iter().position(|(_, often, _)| match drawn.checked_sub(*often) {
                Some(rest) => {
                    drawn = rest;
                    false
                }
                None => true,
            });
            let kind = kind.expect("they add up to a hundred");
            let (queue, times) = (soak.trial.queue().id(), soak.trial.row.times);
            HARMS[kind].2(&mut soak);
            happened[kind] += soak.trial.row.times - times;
            if soak.trial.queue().id() != queue {
                life.judge();
                life = Life::default();
            }
            soak.trial.recovers();
            files = files.max(life.files.iter().copied().max().unwrap_or(0));
            memory = memory.max(life.memory.iter().copied().max().unwrap_or(0));
        }
        life.judge();
        soak.trial.finish();
        nonsense += noise.said();
        drop(stranger);
    }
    let happened: Vec<String> =
        HARMS.iter().zip(happened).map(|((what, ..), times)| format!("{times} {what}")).collect();
    let happened = happened.join(", ");
    tell(&format!(
        "soak, {seconds} s: {happened}; {nonsense} connections of nonsense beside it; a queue had at most {files} \
         descriptors and {memory} kB"
    ));
    let stolen = std::fs::read_to_string(soak.trial.place.path("stolen")).unwrap_or_default();
    assert_eq!(stolen, "", "a wrong key was given nothing");
    soak.trial.close();
}
