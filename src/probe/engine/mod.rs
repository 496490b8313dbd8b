//! [`Engine`]: many requests at a time, in the thread that owns it.
//!
//! libcurl makes the requests. The engine waits for its sockets with epoll, so that a socket on which nothing happens
//! costs nothing, however many there are. Each redirect is a request of its own with times of its own.
//!
//! Without `reuse`, every request is measured as if it were the first: it looks the name up, makes a connection, and
//! makes a new TLS session.

mod flight;
mod handle;
mod options;
#[cfg(test)]
mod tests;
mod waker;

use std::sync::Arc;
use std::time::Instant;

use curl::multi::{Events, Multi};
use logator_libcurl::multi::{end_without_look_ups, look_up_at_a_time, watch};
use logator_libcurl::tls::Certificates;
use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use self::flight::{Connections, Flight, Landed};
use self::handle::{Handle, broken};
pub use self::options::{EngineOptions, Proxy};
use self::waker::Timer;
pub use self::waker::Waker;
use super::outcome::Finished;
use super::request::Request;
use crate::core::error::{Error, Result};

/// The data of the waker's events. Sockets have their own numbers as data.
const WAKER: u64 = u64::MAX;

/// The largest number of names that are looked up at a time, each in a thread of its own.
const MOST_LOOK_UPS: u16 = 512;

/// Makes many requests at a time, in the thread that owns it.
///
/// ```
/// use std::sync::Arc;
/// use std::time::{Duration, Instant};
/// use logator::probe::engine::{Engine, EngineOptions};
/// use logator::probe::request::Request;
///
/// let mut engine = Engine::new(&EngineOptions { timeout: Duration::from_secs(5), ..EngineOptions::default() })?;
/// engine.start(Arc::new(Request::get("http://127.0.0.1:1/")?), 7)?;
/// let mut finished = Vec::new();
/// while finished.is_empty() {
///     engine.wait(None, &mut finished)?;
/// }
/// assert_eq!(finished[0].tag, 7);
/// let error = finished[0].hops[0].error.as_ref().expect("nobody listens on port 1");
/// assert_eq!(error.class.keyword(), "refused");
/// # Ok::<(), logator::core::error::Error>(())
/// ```
pub struct Engine {
    // libcurl's functions for sockets live in `multi`. So the handles, which call them when they leave, are dropped first.
    flights: Vec<Option<Flight>>,
    free: Vec<usize>,
    idle: Vec<Handle>,
    certificates: Arc<Certificates>,
    multi: Multi,
    epoll: Arc<Epoll>,
    events: Vec<EpollEvent>,
    timer: Arc<Timer>,
    waker: Waker,
    options: EngineOptions,
    connections: Connections,
}

impl Engine {
    /// Creates an engine.
    pub fn new(options: &EngineOptions) -> Result<Self> {
        let failed = |why: Errno| Error::system("cannot wait for requests").because(why);
        let epoll = Arc::new(Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?);
        let waker = Waker::new().map_err(failed)?;
        epoll.add(&waker, EpollEvent::new(EpollFlags::EPOLLIN, WAKER)).map_err(failed)?;
        let timer = Arc::new(Timer::default());
        let mut multi = Multi::new();
        watch(&mut multi, Arc::clone(&epoll)).map_err(broken)?;
        let set = Arc::clone(&timer);
        multi.timer_function(move |time| set.set(time)).map_err(broken)?;
        let certificates = handle::certificates(options)?;
        let workers = options.workers.max(1);
        // A request looks two kinds of addresses up. Threads start when they are needed.
        look_up_at_a_time(&mut multi, u16::try_from(2 * workers).unwrap_or(MOST_LOOK_UPS).min(MOST_LOOK_UPS))
            .map_err(broken)?;
        end_without_look_ups(&mut multi).map_err(broken)?;
        let engine = Engine {
            flights: (0..workers).map(|_| None).collect(),
            free: (0..workers).rev().collect(),
            idle: vec![handle::create(options, &certificates)?],
            certificates,
            multi,
            epoll,
            events: vec![EpollEvent::empty(); 256],
            timer,
            waker,
            options: options.clone(),
            connections: Connections::new(),
        };
        Ok(engine)
    }

    /// Returns a handle with which another thread ends [`Engine::wait`].
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Returns how many requests can be started now.
    pub fn room(&self) -> usize {
        self.free.len()
    }

    /// Returns how many requests are in the air.
    pub fn in_flight(&self) -> usize {
        self.flights.len() - self.free.len()
    }

    /// Starts a request. Its outcome has the tag. There must be [room](Engine::room).
    ///
    /// An error means that the engine cannot go on. A request that fails is no error, but an outcome.
    pub fn start(&mut self, request: Arc<Request>, tag: u64) -> Result<()> {
        let Some(slot) = self.free.pop() else {
            return Err(Error::internal(format!("more than {} requests were started", self.flights.len())));
        };
        let handle = match self.idle.pop() {
            Some(handle) => handle,
            None => handle::create(&self.options, &self.certificates)?,
        };
        let (journey, target) = flight::Journey::new(request, tag, &self.options);
        self.flights[slot] = Some(Flight::start(&self.multi, handle, slot, journey, target)?);
        Ok(())
    }

    /// Waits until a request has ended, another thread wakes this one, or the deadline has come. It appends the
    /// requests that have ended to `finished`.
    ///
    /// An error means that the engine cannot go on.
    pub fn wait(&mut self, deadline: Option<Instant>, finished: &mut Vec<Finished>) -> Result<()> {
        let before = finished.len();
        let mut is_woken = false;
        loop {
            let now = Instant::now();
            if self.timer.take_due(now) {
                self.multi.timeout().map_err(broken)?;
            }
            self.land(finished)?;
            let is_over = deadline.is_some_and(|deadline| deadline <= now);
            if is_woken || is_over || finished.len() > before {
                return Ok(());
            }
            let until = [deadline, self.timer.get()].into_iter().flatten().min();
            let count = match self.epoll.wait(&mut self.events, milliseconds(until)) {
                Ok(count) => count,
                Err(Errno::EINTR) => 0,
                Err(why) => return Err(Error::system("cannot wait for requests").because(why)),
            };
            for event in &self.events[..count] {
                if event.data() == WAKER {
                    self.waker.rest();
                    is_woken = true;
                    continue;
                }
                let flags = event.events();
                let mut ready = Events::new();
                ready.input(flags.intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP | EpollFlags::EPOLLRDHUP));
                ready.output(flags.contains(EpollFlags::EPOLLOUT));
                ready.error(flags.contains(EpollFlags::EPOLLERR));
                let socket = i32::try_from(event.data()).map_err(|_| Error::internal("an event of no socket"))?;
                self.multi.action(socket, &ready).map_err(broken)?;
            }
        }
    }

    /// Takes the requests from libcurl that have ended, and starts those that follow a redirect.
    fn land(&mut self, finished: &mut Vec<Finished>) -> Result<()> {
        let mut ended = Vec::new();
        self.multi.messages(|message| {
            let Ok(slot) = message.token() else { return };
            let Some(flight) = self.flights.get(slot).and_then(Option::as_ref) else { return };
            if let Some(result) = flight.result(&message) {
                ended.push((slot, result));
            }
        });
        for (slot, result) in ended {
            let Some(flight) = self.flights[slot].take() else { continue };
            let (handle, landed) = flight.land(&self.multi, result, &self.options, &mut self.connections)?;
            match landed {
                Landed::Finished(outcome) => {
                    finished.push(outcome);
                    self.idle.push(handle);
                    self.free.push(slot);
                }
                Landed::Redirected(journey, target) => {
                    self.flights[slot] = Some(Flight::start(&self.multi, handle, slot, journey, target)?);
                }
            }
        }
        // libcurl closes the oldest connections when it has too many, and does not say so.
        if self.connections.len() > 4 * self.flights.len() + 1_000 {
            self.connections.clear();
        }
        Ok(())
    }
}

/// Returns the time to wait, rounded up, so that the deadline has come after it.
fn milliseconds(until: Option<Instant>) -> EpollTimeout {
    let Some(until) = until else { return EpollTimeout::NONE };
    let left = until.saturating_duration_since(Instant::now());
    EpollTimeout::try_from(left.as_micros().div_ceil(1_000)).unwrap_or(EpollTimeout::MAX)
}
