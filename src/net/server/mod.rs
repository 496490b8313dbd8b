//! The queue's side of the wire: a ROUTER socket in front of a [`SharedQueue`]. It speaks both dialogues of
//! `doc/protocol.md`.

mod authenticator;
pub mod burials;
mod hand_out;
mod report;
mod session;
mod workers;

use std::time::{Duration, Instant};

use self::authenticator::Authenticator;
use self::burials::Burials;
pub use self::hand_out::{HandedOut, hand_out};
pub use self::report::Event;
use self::session::{LONGEST_LINGER, Session};
pub use self::workers::Workers;
use crate::core::error::{Error, Result};
use crate::core::stop::{Stop, Waker};
use crate::net::auth::Security;
use crate::net::bound::Bound;
use crate::net::endpoint::Endpoint;
use crate::net::wire;
use crate::observe::counters::Snapshot;
use crate::queue::shared::SharedQueue;

/// The number of replies that libzmq may hold for one peer that does not read them. libzmq checks about once a
/// millisecond whether earlier replies were taken. No peer sends so many requests in a millisecond. The number of large
/// replies is limited by the leases.
const MAX_REPLIES_PER_PEER: i32 = 256;

/// How long a handshake may take. After this time libzmq closes the connection.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How long the end of the work is not told while workers may still send their last reports. They send them at once.
const LAST_REPORTS: Duration = Duration::from_millis(250);

/// The number of connections that the kernel accepts before libzmq takes them.
const BACKLOG: i32 = 1024;

/// A bound socket.
pub struct Server {
    bound: Bound,
    // This field, which holds the socket, is dropped before the context.
    auth: Authenticator,
    _context: zmq::Context,
}

impl Server {
    /// Listens on `endpoints`. Sockets in the file system get mode 0600. With `security`, connections are encrypted,
    /// and only peers with an authorized key are let in.
    ///
    /// # Errors
    /// An endpoint is in use or cannot be bound.
    pub fn bind(endpoints: &[Endpoint], security: Option<&Security>) -> Result<Server> {
        let context = zmq::Context::new();
        let failed = |error: zmq::Error| Error::system("libzmq cannot make a socket").because(error);
        let socket = context.socket(zmq::ROUTER).map_err(failed)?;
        // Sending a reply to a peer that is gone or does not read fails. The server then takes the lease back.
        socket.set_router_mandatory(true).map_err(failed)?;
        socket.set_sndhwm(MAX_REPLIES_PER_PEER).map_err(failed)?;
        socket.set_rcvhwm(MAX_REPLIES_PER_PEER).map_err(failed)?;
        socket.set_maxmsgsize(wire::MAX_REQUEST as i64).map_err(failed)?;
        socket.set_handshake_ivl(HANDSHAKE_TIMEOUT.as_millis() as i32).map_err(failed)?;
        socket.set_backlog(BACKLOG).map_err(failed)?;
        socket.set_linger(1000).map_err(failed)?;
        let auth = Authenticator::new(&context, socket, security)?;
        let mut bound = Bound::default();
        endpoints.iter().try_for_each(|endpoint| bound.bind(&auth.socket, endpoint))?;
        Ok(Server { bound, auth, _context: context })
    }

    /// Returns the endpoints of this server, with their port numbers.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.bound.endpoints
    }

    /// Answers requests until every line is accounted for, every known peer knows that, and `linger` is over. A request
    /// of `abort` ends it at once. `on_event` gets the events. The queue's notify function must wake `waker`.
    ///
    /// `burials` writes the dead letters of poison lines. While a write fails, the line stays in the queue, and the
    /// other lines go on. The server itself touches no file.
    ///
    /// `identity` is the identity of the queue, which each reply carries. `workers` gets the reports of worker processes.
    ///
    /// Returns the counts of the messages and connections that were rejected.
    ///
    /// # Errors
    /// The socket fails, or nothing is left but lines whose dead letters cannot be written.
    #[expect(clippy::too_many_arguments, reason = "each is another part of the job")]
    pub fn serve(
        &self,
        queue: &SharedQueue,
        waker: &Waker,
        abort: &Stop,
        linger: Duration,
        on_event: &mut dyn FnMut(Event),
        burials: &Burials,
        identity: u64,
        workers: &Workers,
    ) -> Result<Snapshot> {
        let mut session = Session::new(&self.auth, queue, identity, workers);
        let (mut finished_at, mut said) = (None, false);
        loop {
            if abort.is_requested() {
                return Ok(session.counts());
            }
            queue.expire();
            if queue.has_poison() {
                burials.request();
            }
            if let Some(error) = burials.failure() {
                return Err(error);
            }
            session.answer_pending()?;
            let now = Instant::now();
            if finished_at.is_none() && queue.is_finished() {
                finished_at = Some(now);
            }
            if let Some(finished) = finished_at {
                let elapsed = now - finished;
                if !said && (elapsed >= LAST_REPORTS || !session.awaits_reports()) {
                    said = true;
                    on_event(Event::Finished);
                }
                if said && (elapsed >= LONGEST_LINGER.max(linger) || (elapsed >= linger && session.all_know_end())) {
                    return Ok(session.counts());
                }
            }
            session.forget_silent_peers(now);
            let mut timeout = session.timeout(finished_at.map(|finished| (finished, linger)));
            if let Some(finished) = finished_at.filter(|_| !said) {
                let rest = LAST_REPORTS.saturating_sub(now - finished);
                timeout = Some(timeout.map_or(rest, |timeout| timeout.min(rest)));
            }
            self.wait(waker, abort, timeout)?;
            waker.clear();
            session.serve_auth(on_event)?;
            session.answer_messages()?;
        }
    }

    fn wait(&self, waker: &Waker, abort: &Stop, timeout: Option<Duration>) -> Result<()> {
        // The time is rounded up, because a time-out that ends just before the deadline would be followed by another
        // one at once.
        let timeout = timeout.map_or(-1, |timeout| i64::try_from(timeout.as_millis()).map_or(i64::MAX, |ms| ms + 1));
        let own = [
            self.auth.socket.as_poll_item(zmq::POLLIN),
            zmq::PollItem::from_fd(waker.descriptor(), zmq::POLLIN),
            zmq::PollItem::from_fd(abort.descriptor(), zmq::POLLIN),
        ];
        let mut items: Vec<zmq::PollItem> = own.into_iter().chain(self.auth.poll_items()).collect();
        match zmq::poll(&mut items, timeout) {
            Ok(_) | Err(zmq::Error::EINTR) => Ok(()),
            Err(error) => Err(Error::wire("waiting for workers failed").because(error)),
        }
    }
}
