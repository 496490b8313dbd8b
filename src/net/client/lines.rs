//! [`Lines`]: a worker as an iterator over lines.

use super::FAREWELL;
use super::connection::{Connection, Retry};
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::net::address::Address;
use crate::net::endpoint::Endpoint;
use crate::net::wire::{Ask, Request};

/// The lines that a queue hands out to this worker: an iterator that waits for the next one.
///
/// A line is acknowledged when the next one is asked for. A program that is killed, or that leaves the loop, has not
/// acknowledged its last line, and another worker gets it: at once if this value is dropped, and otherwise when the lease has run
/// out. [`finish`](Lines::finish) acknowledges the last line and asks for no other one. The iterator ends when every line of the
/// queue is acknowledged, also by other workers.
///
/// ```
/// use logator::net::client::Lines;
/// use logator::net::server;
///
/// # fn main() -> logator::core::error::Result<()> {
/// # let folder = tempfile::tempdir().unwrap();
/// # let endpoint = format!("ipc://{}/queue", folder.path().display());
/// # let there = endpoint.clone();
/// // The queue is another program, or another thread: `logator-queue access.log --bind ipc:///run/lines`.
/// let queue = std::thread::spawn(move || server::hand_out(&there, ["GET /a", "GET /b", "POST /c"]));
///
/// let mut paths = Vec::new();
/// for line in Lines::connect(&endpoint)? {
///     let line = String::from_utf8(line?).unwrap();
///     paths.extend(line.strip_prefix("GET ").map(str::to_owned));
/// }
/// assert_eq!(paths, ["/a", "/b"]);
/// assert_eq!(queue.join().unwrap()?.delivered, 3);
/// # Ok(())
/// # }
/// ```
///
/// Each line is a message of its own, some ten thousand a second; `logator-worker` gets whole batches. A line that takes longer
/// than the queue's `--lease` goes to another worker as well. Empty lines are not handed out. If the queue is gone, the iterator
/// waits for it, and [`until`](Lines::until) ends the wait.
pub struct Lines {
    connection: Connection,
    stop: Stop,
    /// Whether the queue may have leased a line to this worker that is not acknowledged.
    holds: bool,
    /// Whether no more lines come.
    ended: bool,
}

impl Lines {
    /// Connects to the queue at an endpoint of this machine: `ipc://PATH` or `tcp://127.0.0.1:PORT`. The queue may appear later.
    ///
    /// # Errors
    /// The endpoint is wrong, or on another machine ([`Lines::open`] takes those, with keys).
    pub fn connect(endpoint: &str) -> Result<Lines> {
        let endpoint = Endpoint::parse(endpoint)?;
        endpoint.check_reach(false)?;
        Lines::open(Address { endpoint, keys: None }, drop)
    }

    /// Connects to the queue at `address`. `say` gets sentences for the user, for example that the queue is gone.
    ///
    /// # Errors
    /// The system gives no pipe.
    pub fn open(address: Address, say: impl Fn(String) + Send + 'static) -> Result<Lines> {
        let stop = Stop::new()?;
        let connection = Connection::new(zmq::Context::new(), address, stop.clone(), Box::new(say));
        Ok(Lines { connection, stop, holds: false, ended: false })
    }

    /// Ends the iterator and every wait when `stop` is requested. The line that was given last is then not acknowledged.
    pub fn until(mut self, stop: Stop) -> Lines {
        self.connection.stop_with(stop.clone());
        self.stop = stop;
        self
    }

    /// Acknowledges the last line and leaves the queue.
    ///
    /// # Errors
    /// The queue does not answer. The line may then be handed out again.
    pub fn finish(mut self) -> Result<()> {
        if !self.holds || self.ended {
            return Ok(());
        }
        self.ended = true;
        // In this dialogue, only the request for another line acknowledges one. BYE gives that other line back.
        match self.connection.send_line()? && self.bye()? {
            true => Ok(()),
            false => Err(Error::wire("the queue does not answer; the last line may be handed out again")),
        }
    }

    /// Gives back what this worker holds. Returns whether the queue has answered.
    fn bye(&mut self) -> Result<bool> {
        self.holds = false;
        let bye = Request { ask: Ask::Bye(Vec::new()), leases: None, report: None };
        Ok(self.connection.request(&bye, FAREWELL, Retry::NeverDespiteStop)?.is_some())
    }
}

impl Iterator for Lines {
    type Item = Result<Vec<u8>>;

    fn next(&mut self) -> Option<Result<Vec<u8>>> {
        if self.ended || self.stop.is_requested() {
            return None;
        }
        self.holds = true;
        let line = self.connection.line();
        self.ended = !matches!(&line, Ok(Some(line)) if !line.is_empty());
        match line {
            Ok(Some(line)) if line.is_empty() => {
                self.holds = false;
                None
            }
            line => line.transpose(),
        }
    }
}

impl Drop for Lines {
    fn drop(&mut self) {
        if self.holds && self.connection.is_open() {
            // If the queue cannot be reached, the lease runs out by itself.
            let _ = self.bye();
        }
    }
}
