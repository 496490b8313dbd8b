//! Garbage, half frames and wrong keys, while a job is done beside them.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Trial, until};
use crate::kit::free_port;
use crate::kit::place::Place;
use crate::kit::table::times;

/// Connections to a port that say nonsense, one after the other, until it is dropped.
pub struct Noise {
    stop: Arc<AtomicBool>,
    said: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Noise {
    pub fn at(port: u16, seed: u64) -> Self {
        let (stop, said) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (until, count) = (Arc::clone(&stop), Arc::clone(&said));
        let mut random = fastrand::Rng::with_seed(seed);
        let thread = std::thread::spawn(move || {
            // Some stay open, half said.
            let mut open = Vec::new();
            while !until.load(Ordering::Relaxed) {
                let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
                    // The queue is being started again.
                    std::thread::yield_now();
                    continue;
                };
                let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
                let _ = stream.write_all(&nonsense(&mut random));
                // What it answers, or that it closes the connection.
                let _ = stream.read(&mut [0; 512]);
                open.push(stream);
                if open.len() > 16 {
                    open.swap_remove(random.usize(..16));
                }
                count.fetch_add(1, Ordering::Relaxed);
            }
        });
        Noise { stop, said, thread: Some(thread) }
    }

    /// How many connections have said something so far.
    pub fn said(&self) -> usize {
        self.said.load(Ordering::Relaxed)
    }
}

impl Drop for Noise {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

fn greeting(mechanism: &[u8]) -> Vec<u8> {
    let mut greeting = b"\xff\0\0\0\0\0\0\0\x01\x7f\x03\0".to_vec();
    greeting.extend_from_slice(mechanism);
    greeting.resize(64, 0);
    greeting
}

/// The beginning of a conversation, and then anything, cut anywhere.
fn nonsense(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = match random.u8(..5) {
        0 => Vec::new(),
        1 => greeting(b"NULL"),
        2 => greeting(b"CURVE"),
        3 => [greeting(b"NULL"), b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER".to_vec()].concat(),
        // With a request behind it, of which something is missing or wrong.
        _ => {
            let ready = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER";
            let request = b"\x01\0\x01\x08logator1\0\x07\x01\0\0\0\0\0\0";
            [&greeting(b"NULL")[..], ready, request].concat()
        }
    };
    if random.bool() {
        bytes.truncate(random.usize(..=bytes.len()));
    } else if let 1.. = bytes.len() {
        let at = random.usize(..bytes.len());
        bytes[at] = random.u8(..);
    }
    if random.bool() {
        bytes.extend((0..random.usize(..4000)).map(|_| random.u8(..)));
    }
    bytes
}

/// Makes the keys of a queue, a worker and a stranger, and the list that has the worker's.
fn make_keys(place: &Place) {
    for name in ["queue.key", "worker.key", "stranger.key"] {
        assert_eq!(place.run("logator", &["keygen", name], b"").code, Some(0));
    }
    place.write("authorized", place.text("worker.key.pub"));
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
    make_keys(&trial.place);
    let port = free_port();
    let endpoint = format!("tcp://127.0.0.1:{port}");
    let own = |list: &[&str]| list.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    trial.queue_arguments =
        own(&["--bind", &endpoint, "--curve-key", "queue.key", "--authorized-keys", "authorized"]);
    trial.worker_arguments = own(&["--curve-key", "worker.key", "--queue-key", "queue.key.pub"]);
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
        stranger.says("It is tried again and again");
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
