//! libzmq's reports of what becomes of a socket's connections.

use std::sync::atomic::{AtomicU64, Ordering};

use zmq::SocketEvent;

/// What tells a peer's story: when it is reached, accepted, refused, gone.
pub(crate) const CONNECTIONS: &[SocketEvent] = &[
    SocketEvent::CONNECTED,
    SocketEvent::DISCONNECTED,
    SocketEvent::HANDSHAKE_SUCCEEDED,
    SocketEvent::HANDSHAKE_FAILED_AUTH,
    SocketEvent::HANDSHAKE_FAILED_PROTOCOL,
    SocketEvent::HANDSHAKE_FAILED_NO_DETAIL,
];

/// Where the reports of one socket come in.
pub(crate) struct Monitor(zmq::Socket);

/// One of them.
pub(crate) struct Report {
    pub(crate) event: SocketEvent,
    /// What it means depends on the event: a descriptor, an error's number, a code of the protocol.
    pub(crate) value: u32,
    /// The endpoint.
    pub(crate) place: String,
}

impl Monitor {
    /// Lets `events` of `socket` be reported. A socket can have one monitor only.
    pub(crate) fn new(context: &zmq::Context, socket: &zmq::Socket, events: &[SocketEvent]) -> zmq::Result<Monitor> {
        // Numbered: a name is one monitor's, in all of the process.
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let name = format!("inproc://monitor-{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        socket.monitor(&name, events.iter().fold(0, |mask, event| mask | i32::from(event.to_raw())))?;
        let reports = context.socket(zmq::PAIR)?;
        reports.set_linger(0)?;
        reports.connect(&name)?;
        Ok(Monitor(reports))
    }

    /// What to wait for.
    pub(crate) fn poll_item(&self) -> zmq::PollItem<'_> {
        self.0.as_poll_item(zmq::POLLIN)
    }

    /// The next report, if there is one.
    pub(crate) fn next(&self) -> Option<Report> {
        // A socket that was closed meanwhile reports nothing more.
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
