//! TCP proxies. One proxy can lose an answer: the server has done the work, and the client never learns that. The other
//! one is a network between a queue and its workers, which fails in every way that networks fail.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// A proxy that passes all bytes on, and loses an answer on request.
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

    /// Returns the port to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Loses the answers to the next `count` requests that contain `insert`, and closes their connections.
    pub fn lose_answers_to_inserts(&self, count: usize) {
        self.to_lose.store(count, Ordering::SeqCst);
    }

    /// Returns how many answers are still to be lost.
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

/// Copies to the end of the data, or until `keep` returns that these bytes must not arrive.
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
    // An error means that the other side has closed the connection already.
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// Subtracts one, if the number is not zero.
fn take_one(count: &AtomicUsize) -> bool {
    count.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |count| count.checked_sub(1)).is_ok()
}

/// A network that can be cut. Its connections can be dropped, stopped, slow, doubled, or late.
pub struct Network {
    port: u16,
    server: SocketAddr,
    weather: Arc<Weather>,
}

#[derive(Default)]
struct Weather {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// Whether no bytes pass. The connections stay open.
    stalled: bool,
    /// The longest delay of bytes that are sent.
    delay: Duration,
    /// New connections reach the server twice: the client's bytes arrive over two connections.
    doubled: bool,
    /// The number of the next parts from clients that are held back until later connections have sent theirs.
    late: usize,
    /// For each connection in order: the number of parts that the client has sent.
    passed: Vec<usize>,
    open: Vec<TcpStream>,
}

/// The number of parts that later connections send before the late bytes arrive: their greeting, and requests.
const OVERTAKEN_BY: usize = 4;

impl Weather {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no thread of the proxy panics")
    }
}

impl Network {
    /// Listens on a free port of 127.0.0.1 and passes everything on to `server`. Its threads end with the process.
    pub fn start(server: SocketAddr) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("its address").port();
        let weather = Arc::new(Weather::default());
        let shared = Arc::clone(&weather);
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                // The queue is not there, so the client's connection is closed.
                let Ok(stream) = TcpStream::connect(server) else { continue };
                let ghost = match shared.state().doubled {
                    true => TcpStream::connect(server).ok(),
                    false => None,
                };
                connect(client, stream, ghost, &shared);
            }
        });
        Network { port, server, weather }
    }

    /// Returns the address where the network leads.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Returns the endpoint to connect to.
    pub fn endpoint(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }

    /// Closes every connection.
    pub fn cut(&self) {
        for stream in self.weather.state().open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Lets nothing pass in either direction. No connection is closed.
    pub fn stall(&self) {
        self.weather.state().stalled = true;
    }

    /// Delays all later bytes by up to `delay`.
    pub fn delay(&self, delay: Duration) {
        self.weather.state().delay = delay;
    }

    /// Makes new connections reach the server twice. All connections are cut, so that there are new ones.
    pub fn double(&self) {
        self.weather.state().doubled = true;
        self.cut();
    }

    /// Holds back the next bytes of a client and cuts its connection. The server gets those bytes after other bytes
    /// that came over a later connection.
    pub fn make_late(&self) {
        self.weather.state().late += 1;
    }

    /// Lets everything pass at once.
    pub fn clear(&self) {
        let mut state = self.weather.state();
        (state.stalled, state.doubled, state.delay) = (false, false, Duration::ZERO);
        self.weather.changed.notify_all();
    }
}

fn connect(client: TcpStream, server: TcpStream, ghost: Option<TcpStream>, weather: &Arc<Weather>) {
    let second = |stream: &TcpStream| stream.try_clone().expect("a second handle");
    let number = {
        let mut state = weather.state();
        state.open.extend([second(&client), second(&server)]);
        state.open.extend(ghost.as_ref().map(second));
        state.passed.push(0);
        state.passed.len() - 1
    };
    if let Some(ghost) = &ghost {
        let mut ghost = second(ghost);
        // Nobody waits for the answers to the second connection.
        thread::spawn(move || std::io::copy(&mut ghost, &mut std::io::sink()));
    }
    let (from_client, to_client, from_server) = (second(&client), client, second(&server));
    let forecast = Arc::clone(weather);
    thread::spawn(move || send(number, from_client, server, ghost, &forecast));
    let forecast = Arc::clone(weather);
    thread::spawn(move || copy(from_server, to_client, |_| forecast.wait()));
}

impl Weather {
    /// Waits until bytes may pass. Returns true.
    fn wait(&self) -> bool {
        let state = self.changed.wait_while(self.state(), |state| state.stalled).expect("no thread panics");
        let delay = state.delay.mul_f64(fastrand::f64());
        drop(state);
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        true
    }
}

/// Whether the bytes go from a client to the server.
fn send(number: usize, mut from: TcpStream, mut to: TcpStream, mut ghost: Option<TcpStream>, weather: &Weather) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        weather.wait();
        let late = {
            let mut state = weather.state();
            state.passed[number] += 1;
            weather.changed.notify_all();
            // A late greeting would have no effect, so the first parts of a connection are never held back.
            let late = state.late > 0 && state.passed[number] > 2;
            state.late -= usize::from(late);
            late
        };
        if late {
            let _ = from.shutdown(Shutdown::Both);
            let overtaken = |state: &mut State| state.passed[number + 1..].iter().sum::<usize>() < OVERTAKEN_BY;
            let waited = weather.changed.wait_timeout_while(weather.state(), Duration::from_secs(10), overtaken);
            drop(waited);
            let _ = to.write_all(&buffer[..count]);
            break;
        }
        if let Some(ghost) = &mut ghost {
            let _ = ghost.write_all(&buffer[..count]);
        }
        if to.write_all(&buffer[..count]).is_err() {
            break;
        }
    }
    for stream in [Some(from), Some(to), ghost].into_iter().flatten() {
        let _ = stream.shutdown(Shutdown::Both);
    }
}
