//! Nonsense on a queue's port.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// Connections that say nonsense to a port, one after the other, until this value is dropped.
pub struct Noise {
    stop: Arc<AtomicBool>,
    said: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Noise {
    /// Starts the connections.
    pub fn at(port: u16, seed: u64) -> Self {
        let (stop, said) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
        let (until, count) = (Arc::clone(&stop), Arc::clone(&said));
        let mut random = fastrand::Rng::with_seed(seed);
        let thread = std::thread::spawn(move || {
            // Some connections stay open after half a message.
            let mut open = Vec::new();
            while !until.load(Ordering::Relaxed) {
                let Ok(mut stream) = TcpStream::connect(("127.0.0.1", port)) else {
                    // The queue is being started again.
                    std::thread::sleep(Duration::from_millis(5));
                    continue;
                };
                let _ = stream.set_read_timeout(Some(Duration::from_millis(20)));
                let _ = stream.write_all(&nonsense(&mut random));
                // The answer is ignored, and so is the end of the connection.
                let _ = stream.read(&mut [0; 512]);
                open.push(stream);
                if open.len() > 16 {
                    open.swap_remove(random.usize(..16));
                }
                count.fetch_add(1, Ordering::Relaxed);
                // The pause leaves the processor to the job: the noise must not become a flood.
                std::thread::sleep(Duration::from_millis(random.u64(..10)));
            }
        });
        Noise { stop, said, thread: Some(thread) }
    }

    /// Returns the number of connections that have said something so far.
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

/// Returns the beginning of a conversation and then random bytes, cut anywhere.
fn nonsense(random: &mut fastrand::Rng) -> Vec<u8> {
    let mut bytes = match random.u8(..5) {
        0 => Vec::new(),
        1 => greeting(b"NULL"),
        2 => greeting(b"CURVE"),
        3 => [greeting(b"NULL"), b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER".to_vec()].concat(),
        // A request follows in which something is missing or wrong.
        _ => {
            let ready = b"\x04\x1c\x05READY\x0bSocket-Type\0\0\0\x06DEALER";
            let request = b"\x01\0\x01\x08logator2\0\x07\x01\0\0\0\0\0\0";
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
