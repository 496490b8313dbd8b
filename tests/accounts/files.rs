//! Inputs with an end: `run`, a queue with workers, and a queue that starts its workers.

use std::process::Command;

use super::job::{BOUND, Disturbance, Job};
use super::oracle::{Account, Dues, lines_of};
use super::plan::{Fault, Mode, Shape, SinkKind};
use super::world::World;
use crate::kit::process::Process;

/// Plays a round. Returns its account, and other faults that were noticed.
pub fn play(world: &World) -> (Account, Vec<String>) {
    let plan = &world.plan;
    let mut job = Job::new(world);
    let mut how = Disturbance { trouble: plan.trouble.is_some(), signal: plan.signal, harmless: plan.harmless };
    for number in 0..4 {
        attempt(&mut job, how);
        let last = job.last();
        let knows = plan.sinks.iter().all(|sink| *sink == SinkKind::Sqlite);
        let torn = plan.sinks[0] == SinkKind::Pipe && (last.at_once || last.killed);
        if last.hung || matches!(last.code, Some(0 | 1)) || !(plan.state || knows) || torn || last.undisturbed {
            break;
        }
        // The job that follows a killed job gets the signal. The job that follows a stopped job is not disturbed.
        let again = number == 0 && plan.fault() == Some(Fault::Killed);
        how = Disturbance { signal: plan.signal.filter(|_| again), ..Disturbance::default() };
        world.calm();
    }
    job.end_workers();
    account(job)
}

fn attempt(job: &mut Job, how: Disturbance) {
    let world = job.world;
    let plan = job.plan();
    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let (source, work) = (world.source_arguments(), world.work_arguments());
    let endpoint = world.place.endpoint();
    let queue = [words(&["in", "--bind", &endpoint, "--lease", "1", "--linger", "1", "--drain", "20"]), source.clone()];
    let worker = [words(&["--from", &endpoint]), work.clone()].concat();
    let mut feeder = None;
    let mut going = match plan.mode {
        Mode::Queue => {
            let going = job.start("logator-queue", &queue.concat(), None, &[]);
            job.have_workers(&worker);
            going
        }
        Mode::Spawn => {
            let behind = [words(&["--spawn=1", "--"]), work].concat();
            job.start("logator-queue", &queue.concat(), None, &behind)
        }
        Mode::Input { file } => {
            let name = format!("in/{}", plan.files[0].name.replace(' ', "\\ "));
            if !file {
                feeder = Some(feed(world, &name));
            }
            let input = if file { &name } else { "fifo" };
            job.start("logator", &[words(&["run", "-"]), source, work].concat(), Some(input), &[])
        }
        _ => job.start("logator", &[words(&["run", "in"]), source, work].concat(), None, &[]),
    };
    let grows = plan.files.iter().any(|file| matches!(file.shape, Shape::Growing { .. }));
    if grows && job.attempts.is_empty() {
        job.until(&mut going, 1, BOUND / 10);
        world.grow();
    }
    job.disturb(&mut going, how, &worker);
    job.finish(going);
    drop(feeder);
}

/// Writes a file into a pipe.
fn feed(world: &World, name: &str) -> Process {
    let fifo = world.place.path("fifo");
    let _ = std::fs::remove_file(&fifo);
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec cat {name} > fifo")]).current_dir(world.place.path("."));
    Process::start_quiet(&command)
}

fn account(job: Job) -> (Account, Vec<String>) {
    let (world, plan) = (job.world, job.plan());
    let (stores, letters) = (world.stores(), world.letters());
    let mut dues = Dues::new();
    let seen = |id: &str| letters.contains_key(id) || stores.iter().any(|store| store.found.contains_key(id));
    // A second attempt finds all bytes that were appended during the first one.
    for content in world.contents(job.attempts.len() > 1) {
        lines_of(&content, seen, |line| plan.fate(line), &mut dues);
    }
    let account = Account {
        dues,
        beside: Vec::new(),
        stores,
        letters,
        again: !plan.state && job.attempts.len() > 1,
        may_double: job.may_double,
        attempts: job.attempts,
        partly: false,
        dropped_in_parts: 0,
    };
    (account, job.faults)
}
