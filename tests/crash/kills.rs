//! `kill -9` of workers, queues and databases.

use super::{APART, ROUND, Trial};
use crate::kit::table::times;

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn workers_that_are_killed_in_mid_batch_lose_and_double_nothing() {
    let mut trial = Trial::new("kill -9 a worker", ROUND);
    trial.disturb(times(6), APART, 2, |trial| {
        // One worker, or both.
        match trial.random.usize(..3) {
            2 => trial.kill_workers(),
            nth => trial.kill_worker(nth),
        }
    });
    assert!(trial.redelivered > 0, "they were killed in the middle of batches");
    trial.close();
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_queue_that_is_killed_and_goes_on_by_its_state_loses_and_doubles_nothing() {
    let mut trial = Trial::new("kill -9 the queue", ROUND);
    trial.disturb(times(6), APART, 2, Trial::kill_queue);
    trial.close();
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_database_that_is_killed_in_mid_write_loses_and_doubles_nothing() {
    let mut trial = Trial::new("kill -9 mongod", ROUND);
    trial.disturb(times(4), APART, 2, Trial::kill_server);
    trial.close();
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn all_of_them_killed_at_once_lose_and_double_nothing() {
    let mut trial = Trial::new("kill -9 all at once", ROUND);
    trial.disturb(times(12) / 4, APART, 2, |trial| {
        trial.queue().kill();
        trial.workers.iter_mut().for_each(|worker| worker.kill());
        trial.kill_server();
        trial.start_queue();
        trial.workers = (0..2).map(|_| trial.new_worker()).collect();
    });
    trial.close();
}
