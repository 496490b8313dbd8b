//! Authentication at a queue: the ZAP handler, and a count of handshakes that fail before libzmq asks the handler.

use std::collections::HashSet;

use super::report::Event;
use crate::core::error::{Error, Result};
use crate::net::auth::{MAX_PER_ROUND, MAX_REPORTED_KEYS, Security, ZapHandler};
use crate::net::keys::PublicKey;
use crate::net::monitor::MonitoredSocket;
use crate::observe::counters::{FAILED_HANDSHAKES, Snapshot, UNAUTHORIZED};
use crate::observe::details::Seldom;

static FAILED: Seldom = Seldom::new();

/// The socket of a queue, which reports failed handshakes, and its ZAP handler.
pub(super) struct Authenticator {
    pub(super) socket: MonitoredSocket,
    zap: ZapHandler,
}

impl Authenticator {
    /// Prepares `socket`, which must not be bound yet.
    pub(super) fn new(
        context: &zmq::Context,
        socket: zmq::Socket,
        security: Option<&Security>,
    ) -> Result<Authenticator> {
        let failed = |error: zmq::Error| Error::system("libzmq cannot set up keys for its sockets").because(error);
        let zap = ZapHandler::new(context, &socket, security)?;
        let events = [zmq::SocketEvent::HANDSHAKE_FAILED_NO_DETAIL, zmq::SocketEvent::HANDSHAKE_FAILED_PROTOCOL];
        let socket = MonitoredSocket::new(context, socket, &events).map_err(failed)?;
        Ok(Authenticator { socket, zap })
    }

    /// Returns the poll items for questions and reports.
    pub(super) fn poll_items(&self) -> impl Iterator<Item = zmq::PollItem<'_>> {
        self.zap.poll_item().into_iter().chain(std::iter::once(self.socket.poll_report()))
    }

    /// Returns whether the sender of `message` is still authorized.
    pub(super) fn still_allows(&self, message: &mut zmq::Message) -> bool {
        self.zap.still_allows(message)
    }

    /// Answers libzmq's questions and counts the failed handshakes. `on_event` gets each refused key once; `reported`
    /// holds the keys that it got.
    pub(super) fn serve(
        &self,
        reported: &mut HashSet<PublicKey>,
        counts: &mut Snapshot,
        on_event: &mut dyn FnMut(Event),
    ) -> Result<()> {
        self.zap.serve(&mut |key, address| {
            counts.add(&UNAUTHORIZED, 1);
            if let Some(key) = key
                && reported.len() < MAX_REPORTED_KEYS
                && reported.insert(key)
            {
                on_event(Event::Refused { key, address: String::from_utf8_lossy(address).into_owned() });
            }
        })?;
        for _ in 0..MAX_PER_ROUND {
            if self.socket.next_report().is_none() {
                break;
            }
            counts.add(&FAILED_HANDSHAKES, 1);
            FAILED.tell(1, |times, _| format!("{times} connections failed the handshake"));
        }
        Ok(())
    }
}
