//! A network between queue and workers that drops connections, stops, delays, doubles and reorders them.

use std::time::Duration;

use super::{MILLI, ROUND, Trial};
use crate::kit::free_port;
use crate::kit::proxy::Network;
use crate::kit::table::times;

/// Starts a queue at a TCP port, and the network that leads there.
pub fn behind(trial: &mut Trial) -> Network {
    let port = free_port();
    trial.queue_arguments.extend(["--bind".to_owned(), format!("tcp://127.0.0.1:{port}")]);
    let network = Network::start(([127, 0, 0, 1], port).into());
    trial.from = Some(network.endpoint());
    network
}

/// Causes one random fault of a network. The fault is over when this function returns, or soon after.
pub fn trouble(trial: &mut Trial, network: &Network) {
    trial.breaks();
    match trial.random.u8(..5) {
        0 => network.cut(),
        1 => {
            network.make_late();
            network.make_late();
        }
        2 => {
            network.delay(Duration::from_millis(trial.random.u64(1..40)));
            trial.advance_at_random(300);
        }
        3 => {
            network.double();
            trial.advance_at_random(1000);
            network.clear();
            // When the first connections end, the second ones end too.
            network.cut();
        }
        _ => {
            network.stall();
            // The worker's own lease runs out meanwhile, so the other worker gets its batch.
            let mut local = trial.new_worker_from(&trial.place.endpoint());
            trial.advance_at_random(2000);
            local.kill();
            if trial.random.bool() {
                network.cut();
            }
        }
    }
    network.clear();
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn a_network_that_drops_stops_delays_doubles_and_reorders_connections_loses_and_doubles_nothing() {
    let mut trial = Trial::new("partitions: connections dropped, stopped, delayed, doubled, reordered", ROUND);
    trial.queue_arguments = ["--lease", "0.5"].map(String::from).to_vec();
    let network = behind(&mut trial);
    trial.disturb(times(10), 1000, 2, |trial| trouble(trial, &network));
    trial.close();
}

/// The time in the table counts from the moment at which the network works again.
#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn workers_that_are_cut_off_for_longer_than_their_lease_come_back_by_themselves() {
    let mut trial = Trial::new("partition of all workers beyond their lease, healed", ROUND);
    trial.queue_arguments = ["--lease", "0.3"].map(String::from).to_vec();
    let network = behind(&mut trial);
    trial.disturb(times(4), 1500, 2, |trial| {
        network.stall();
        let mut witness = trial.new_worker_from(&trial.place.endpoint());
        trial.advance(1);
        witness.kill();
        // When a peer has waited longer than a lease and gets nothing else, every earlier lease has expired.
        let start = std::time::Instant::now();
        super::until("the leases to run out", || start.elapsed() > 400 * MILLI);
        trial.breaks();
        network.clear();
    });
    trial.close();
}
