//! A network between queue and workers that drops connections, stops, delays, doubles and reorders them.

use std::time::Duration;

use super::{MILLI, ROUND, Trial};
use crate::kit::free_port;
use crate::kit::proxy::Network;
use crate::kit::table::times;

/// A queue at a TCP port, and the network that leads there.
pub fn behind(trial: &mut Trial) -> Network {
    let port = free_port();
    trial.queue_arguments.extend(["--bind".to_owned(), format!("tcp://127.0.0.1:{port}")]);
    let network = Network::start(([127, 0, 0, 1], port).into());
    trial.from = Some(network.endpoint());
    network
}

/// One thing that networks do, drawn at random; over when this returns, or soon.
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
            // The second ones go with the first.
            network.cut();
        }
        _ => {
            network.stall();
            // Its own lease runs out meanwhile: the other worker gets what it held.
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

/// The time of the table is from the moment at which the network is whole again.
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
        // Every lease of before is over when a peer that has waited for one longer gets nothing else.
        let start = std::time::Instant::now();
        super::until("the leases to run out", || start.elapsed() > 400 * MILLI);
        trial.breaks();
        network.clear();
    });
    trial.close();
}
