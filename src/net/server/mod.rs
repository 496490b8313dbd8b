//! The queue's side of the wire: a ROUTER socket in front of a [`SharedQueue`], speaking both dialogues of
//! `doc/protocol.md`.

mod authenticator;
pub mod burials;
mod report;
mod session;

use std::time::{Duration, Instant};

use self::authenticator::Authenticator;
use self::burials::Burials;
pub use self::report::{Event, Rejections};
use self::session::{LONGEST_LINGER, Session};
use crate::core::error::{Error, Result};
use crate::core::stop::{Stop, Waker};
use crate::net::auth::Security;
use crate::net::bound::Bound;
use crate::net::endpoint::Endpoint;
use crate::net::wire;
use crate::queue::shared::SharedQueue;

/// Replies libzmq may hold for one peer that does not read them. Far more than a peer can ask for within the
/// millisecond or so in which libzmq does not look whether earlier ones were taken; leases bound how many are large.
const MAX_REPLIES_PER_PEER: i32 = 256;

/// How long a connection may take to introduce itself; then libzmq closes it.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// Connections that libzmq accepts ahead of being asked to.
const BACKLOG: i32 = 1024;

/// A bound socket.
pub struct Server {
    bound: Bound,
    socket: zmq::Socket,
    // Dropped after the socket, and before the context.
    auth: Authenticator,
    _context: zmq::Context,
}

impl Server {
    /// Listens on `endpoints`. Sockets in the file system get mode 0600. With `security`, connections are encrypted and
    /// only those whose key is on the list come in.
    ///
    /// # Errors
    /// An endpoint that is in use or cannot be bound.
    pub fn bind(endpoints: &[Endpoint], security: Option<&Security>) -> Result<Server> {
        let context = zmq::Context::new();
        let failed = |error: zmq::Error| Error::system("libzmq cannot make a socket").because(error);
        let socket = context.socket(zmq::ROUTER).map_err(failed)?;
        // A reply to a peer that is gone or does not read is an error, so that its lease can be taken back.
        socket.set_router_mandatory(true).map_err(failed)?;
        socket.set_sndhwm(MAX_REPLIES_PER_PEER).map_err(failed)?;
        socket.set_rcvhwm(MAX_REPLIES_PER_PEER).map_err(failed)?;
        socket.set_maxmsgsize(wire::MAX_REQUEST as i64).map_err(failed)?;
        socket.set_handshake_ivl(HANDSHAKE_TIMEOUT.as_millis() as i32).map_err(failed)?;
        socket.set_backlog(BACKLOG).map_err(failed)?;
        socket.set_linger(1000).map_err(failed)?;
        let auth = Authenticator::new(&context, &socket, security)?;
        let mut bound = Bound::default();
        endpoints.iter().try_for_each(|endpoint| bound.bind(&socket, endpoint))?;
        Ok(Server { bound, socket, auth, _context: context })
    }

    /// Where it listens, ports filled in.
    pub fn endpoints(&self) -> &[Endpoint] {
        &self.bound.endpoints
    }

    /// Answers requests until every line is accounted for, every known peer knows it, and `linger` is over; or until
    /// `abort` is requested. `on_event` is told what happens meanwhile. `waker` must be woken by the queue's `service_manager`.
    ///
    /// `burials` writes the dead letters of lines that workers are lost on. While that fails, the line stays in the queue, and
    /// the others go on. Nothing in here touches a file.
    ///
    /// # Errors
    /// When the socket fails; and when nothing is left but lines whose dead letters cannot be written.
    pub fn serve(
        &self,
        queue: &SharedQueue,
        waker: &Waker,
        abort: &Stop,
        linger: Duration,
        on_event: &mut dyn FnMut(Event),
        burials: &Burials,
    ) -> Result<Rejections> {
        let mut session = Session::new(&self.socket, &self.auth, queue);
        let mut finished_at = None;
        loop {
            if abort.is_requested() {
                return Ok(session.rejections());
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
                on_event(Event::Finished);
            }
            if let Some(finished) = finished_at {
                let elapsed = now - finished;
                if elapsed >= LONGEST_LINGER.max(linger) || (elapsed >= linger && session.all_know_end()) {
                    return Ok(session.rejections());
                }
            }
            session.forget_silent_peers(now);
            let timeout = session.timeout(finished_at.map(|finished| (finished, linger)));
            self.wait(waker, abort, timeout)?;
            waker.clear();
            session.serve_auth(on_event)?;
            session.answer_messages()?;
        }
    }

    fn wait(&self, waker: &Waker, abort: &Stop, timeout: Option<Duration>) -> Result<()> {
        // Rounded up: a wait that ends just before its deadline would be done again at once.
        let timeout = timeout.map_or(-1, |timeout| i64::try_from(timeout.as_millis()).map_or(i64::MAX, |ms| ms + 1));
        let own = [
            self.socket.as_poll_item(zmq::POLLIN),
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
