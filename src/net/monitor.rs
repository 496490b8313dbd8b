//! libzmq's reports about the connections of a socket.

use std::sync::atomic::{AtomicU64, Ordering};

use zmq::SocketEvent;

/// The events in the life of a connection: reached, accepted, refused, closed.
pub(crate) const CONNECTIONS: &[SocketEvent] = &[
    SocketEvent::CONNECTED,
    SocketEvent::DISCONNECTED,
    SocketEvent::HANDSHAKE_SUCCEEDED,
    SocketEvent::HANDSHAKE_FAILED_AUTH,
    SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
    SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
];

/// The receiver of the reports about one socket.
pub(crate) struct Monitor(zmq::Socket);

/// A report of libzmq.
pub(crate) struct Report {
    pub(crate) event: SocketEvent,
    /// A number whose meaning depends on the event: a descriptor, an error number, or a code of the protocol.
    pub(crate) value: u32,
    /// The endpoint.
    pub(crate) place: String,
}

impl Monitor {
    /// Lets libzmq report `events` of `socket`. A socket can have only one monitor.
    pub(crate) fn new(context: &zmq::Context, socket: &zmq::Socket, events: &[SocketEvent]) -> zmq::Result<Monitor> {
        // Each monitor needs a name that is unique in the process.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("inproc://monitor-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        socket.monitor(&name, events.iter().fold(0, |mask, event| mask | i32::from(event.to_raw())))?;
        let reports = context.socket(zmq::PAIR)?;
        reports.set_linger(0)?;
        reports.connect(&name)?;
        Ok(Monitor(reports))
    }

    /// Returns the poll item for reports.
    pub(crate) fn poll_item(&self) -> zmq::PollItem<'_> {
        self.0.as_poll_item(zmq::POLLIN)
    }

    /// Returns the next report; `None` if there is none now.
    pub(crate) fn next(&self) -> Option<Report> {
        // A socket that was closed reports nothing more.
        while let Ok(frames) = self.0.recv_multipart(zmq::DONTWAIT) {
            let Some((event, value)) = frames.first().and_then(|frame| frame.split_first_chunk()) else { continue };
            return Some(Report {
                event: SocketEvent::from_raw(u16::from_ne_bytes(*event)),
                value: value.first_chunk().map_or(0, |value| u32::from_ne_bytes(*value)),
                place: frames.get(1).map_or_else(String::new, |place| String::from_utf8_lossy(place).into_owned()),
            });
        }
        None
    }
}
