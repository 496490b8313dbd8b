//! A TCP proxy that can lose an answer: the server has done the work, and the client will never know.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Passes bytes on, until it is told to lose an answer.
pub struct Proxy {
    port: u16,
    to_lose: Arc<AtomicUsize>,
}

impl Proxy {
    /// Listens on a free port of 127.0.0.1 and passes everything on to `server`. Its threads end with the process.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let to_lose = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&to_lose);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(server) else { continue };
                pass(client, server, Arc::clone(&counter));
            }
        });
        Proxy { port, to_lose }
    }

    /// The port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The answers to the next `count` requests that contain `insert` are lost, and their connections closed.
    pub fn lose_answers_to_inserts(&self, count: usize) {
        self.to_lose.store(count, Ordering::SeqCst);
    }

    /// How many answers are still to be lost.
    pub fn left_to_lose(&self) -> usize {
        self.to_lose.load(Ordering::SeqCst)
    }
}

fn pass(client: TcpStream, server: TcpStream, to_lose: Arc<AtomicUsize>) {
    let (from_client, to_client) = (client.try_clone().expect("a second handle"), client);
    let (from_server, to_server) = (server.try_clone().expect("a second handle"), server);
    let doomed = Arc::new(AtomicUsize::new(0));
    let mark = Arc::clone(&doomed);
    thread::spawn(move || {
        copy(from_client, to_server, |bytes| {
            let insert = bytes.windows(8).any(|window| window == b"\x02insert\0");
            if insert && take_one(&to_lose) {
                mark.store(1, Ordering::SeqCst);
            }
            true
        });
    });
    thread::spawn(move || copy(from_server, to_client, |_| doomed.load(Ordering::SeqCst) == 0));
}

/// Copies until an end, or until `keep` says that these bytes are not to arrive.
fn copy(mut from: TcpStream, mut to: TcpStream, mut keep: impl FnMut(&[u8]) -> bool) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match from.read(&mut buffer) {
            Ok(count) if count > 0 && keep(&buffer[..count]) => {
                if to.write_all(&buffer[..count]).is_err() {
                    break;
                }
            }
            _ => break,
        }
    }
    // An error means that the other side has closed it already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// Takes one off, if there is one.
fn take_one(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}
