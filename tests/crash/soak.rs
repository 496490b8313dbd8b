//! Everything that can break, at random, for as long as one likes.

use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::networks::behind;
use super::strangers::Noise;
use super::{Trial, networks};
use crate::kit::proxy::Network;
use crate::kit::table::{number, tell};

/// What one life of a queue has cost: its descriptors and its memory (kB), looked at beside each fault.
#[derive(Default)]
struct Life {
    files: Vec<usize>,
    memory: Vec<u64>,
}

/// The most memory a queue may have, in kB.
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

    /// What leaks is there at the least of moments: a later half of a life needs no more than the earlier one.
    fn judge(&self) {
        if self.files.len() < 16 {
            return;
        }
        let (early, late) = self.files.split_at(self.files.len() / 2);
        let (first, then) = (early.iter().min().unwrap(), late.iter().min().unwrap());
        // Connections of nonsense come and go.
        assert!(*then <= first + 16, "descriptors: {:?}", self.files);
        let (early, late) = self.memory.split_at(self.memory.len() / 2);
        let (most, then) = (early.iter().max().unwrap(), late.iter().min().unwrap());
        assert!(*then <= most + (16 << 10), "kB of memory: {:?}", self.memory);
    }
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_soak_with_every_fault_at_random_loses_and_doubles_nothing_and_the_queue_leaks_nothing() {
    let seconds = number("LOGATOR_SOAK").unwrap_or(20);
    // As many as ten minutes take, but in rounds that a queue can live through.
    let lines = (seconds as usize * 1700).clamp(10_000, 200_000);
    let mut trial = Trial::new("soak: all of these at random", lines);
    trial.queue_arguments = ["--lease", "1"].map(String::from).to_vec();
    let network = behind(&mut trial);
    let port: u16 = trial.queue_arguments.last().and_then(|tcp| tcp.rsplit(':').next()?.parse().ok()).unwrap();
    let until = Instant::now() + Duration::from_secs(seconds);
    let mut kinds = [0; 6];
    let mut most = Life::default();
    while Instant::now() < until {
        trial.begin(2);
        let noise = Noise::at(port, trial.random.u64(..));
        let mut life = Life::default();
        while Instant::now() < until && trial.advance_at_random(2500) {
            life.look(&mut trial);
            let kind = match trial.random.u8(..100) {
                0..25 => 0,
                25..50 => 1,
                50..70 => 2,
                70..85 => 3,
                85..96 => 4,
                _ => 5,
            };
            kinds[kind] += 1;
            harm(&mut trial, &network, kind);
            if kind == 5 {
                life.judge();
                most.files.append(&mut life.files);
                most.memory.append(&mut life.memory);
            }
            trial.recovers();
        }
        life.judge();
        most.files.append(&mut life.files);
        most.memory.append(&mut life.memory);
        trial.finish();
        drop(noise);
    }
    let [workers, networks, stops, databases, both, queues] = kinds;
    tell(&format!(
        "soak: {workers} workers killed, {networks} troubles of the network, {stops} workers stopped, {databases} \
         databases killed, {both} workers killed with the database hanging, {queues} queues killed; a queue had at most \
         {} descriptors and {} kB",
        most.files.iter().max().unwrap_or(&0),
        most.memory.iter().max().unwrap_or(&0),
    ));
    trial.close();
}

fn harm(trial: &mut Trial, network: &Network, kind: usize) {
    let nth = trial.random.usize(..2);
    match kind {
        0 => trial.kill_worker(nth),
        1 => networks::trouble(trial, network),
        2 => {
            trial.workers[nth].freeze();
            trial.breaks();
            trial.advance_at_random(2000);
            trial.workers[nth].signal(Signal::SIGCONT);
        }
        3 => trial.kill_server(),
        4 => {
            // The server stands still, and a worker dies in the middle of a write.
            trial.breaks();
            trial.server.process().freeze();
            trial.workers[nth].kill();
            trial.server.process().signal(Signal::SIGCONT);
            trial.workers[nth] = trial.new_worker();
        }
        _ => trial.kill_queue(),
    }
}
