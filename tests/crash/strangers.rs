//! Garbage, half frames and wrong keys arrive while a job is done.

use super::{Trial, until};
use crate::kit::free_port;
use crate::kit::noise::Noise;
use crate::kit::table::times;
use crate::kit::workspace::Workspace;

/// The arguments of a queue with keys, of a worker that may come in, and of a worker that may not.
pub struct Keys {
    pub queue: Vec<String>,
    pub worker: Vec<String>,
    pub stranger: Vec<String>,
}

/// Makes the keys of a queue, a worker and a stranger, and the list with the worker's key.
pub fn make_keys(place: &Workspace) -> Keys {
    for name in ["queue.key", "worker.key", "stranger.key"] {
        assert_eq!(place.run("logator", &["keygen", name], b"").code, Some(0));
    }
    place.write("authorized", place.text("worker.key.pub"));
    let own = |list: [&str; 4]| list.map(String::from).to_vec();
    Keys {
        queue: own(["--curve-key", "queue.key", "--authorized-keys", "authorized"]),
        worker: own(["--curve-key", "worker.key", "--queue-key", "queue.key.pub"]),
        stranger: own(["--curve-key", "stranger.key", "--queue-key", "queue.key.pub"]),
    }
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn garbage_and_half_frames_beside_a_job_lose_and_double_nothing() {
    let mut trial = Trial::new("garbage and half frames meanwhile (connections)", 10_000);
    let port = free_port();
    trial.queue_arguments = vec!["--bind".into(), format!("tcp://127.0.0.1:{port}")];
    let wanted = times(100);
    let mut said = 0;
    while said < wanted {
        trial.begin(0);
        let noise = Noise::at(port, trial.random.u64(..));
        until("the first nonsense", || noise.said() > 0);
        trial.workers = (0..2).map(|_| trial.new_worker()).collect();
        until("enough nonsense, or the end", || said + noise.said() >= wanted || trial.queue().has_ended());
        said += noise.said();
        trial.finish();
        drop(noise);
    }
    trial.row.times = said;
    trial.close();
}

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn workers_with_wrong_keys_beside_a_job_lose_and_double_nothing_and_get_nothing() {
    let mut trial = Trial::new("workers with wrong keys meanwhile", 8000);
    let keys = make_keys(&trial.place);
    let port = free_port();
    let endpoint = format!("tcp://127.0.0.1:{port}");
    trial.queue_arguments = [&["--bind".to_owned(), endpoint.clone()], &keys.queue[..]].concat();
    trial.worker_arguments = keys.worker;
    let wrong: [&[&str]; 3] = [
        &["--curve-key", "stranger.key", "--queue-key", "queue.key.pub"],
        &["--curve-key", "worker.key", "--queue-key", "stranger.key.pub"],
        &[],
    ];
    for nth in 0..times(3) {
        trial.begin(0);
        let noise = Noise::at(port, trial.random.u64(..));
        let arguments = ["--from", &endpoint, "-j", "1", "-f", "combined", "--to", "ndjson:stolen"];
        let mut stranger = trial.place.start("logator-worker", &[&arguments[..], wrong[nth % 3]].concat());
        stranger.says("The worker tries again and again");
        trial.row.times += 1;
        trial.workers = (0..2).map(|_| trial.new_worker()).collect();
        trial.finish();
        assert!(!stranger.has_ended(), "it goes on trying");
        stranger.kill();
        drop(noise);
        assert_eq!(trial.place.text("stolen"), "", "it was given nothing");
    }
    trial.close();
}
