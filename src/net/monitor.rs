//! libzmq's reports about the connections of a socket.

use std::ops::Deref;
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

/// A socket, and libzmq's reports about its connections.
///
/// libzmq's own thread writes the reports, and waits for as long as nobody can get one. Therefore the reports end before their
/// receiver is closed, and the socket after both: the thread would wait forever, and with it all sockets of the context.
pub(crate) struct MonitoredSocket {
    reports: zmq::Socket,
    socket: zmq::Socket,
}

/// A report of libzmq.
pub(crate) struct Report {
    pub(crate) event: SocketEvent,
    /// A number whose meaning depends on the event: a descriptor, an error number, or a code of the protocol.
    pub(crate) value: u32,
    /// The endpoint.
    pub(crate) place: String,
}

/// Returns a name for a monitor that is unique in the process.
fn unused_name() -> String {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    format!("inproc://monitor-{}", NUMBER.fetch_add(1, Ordering::Relaxed))
}

impl MonitoredSocket {
    /// Lets libzmq report `events` of `socket`.
    pub(crate) fn new(
        context: &zmq::Context,
        socket: zmq::Socket,
        events: &[SocketEvent],
    ) -> zmq::Result<MonitoredSocket> {
        let name = unused_name();
        let reports = context.socket(zmq::PAIR)?;
        reports.set_linger(0)?;
        // However many reports there are, libzmq does not wait until they are read.
        reports.set_rcvhwm(0)?;
        socket.monitor(&name, events.iter().fold(0, |mask, event| mask | i32::from(event.to_raw())))?;
        reports.connect(&name)?;
        Ok(MonitoredSocket { reports, socket })
    }

    /// Returns the poll item for reports.
    pub(crate) fn poll_report(&self) -> zmq::PollItem<'_> {
        self.reports.as_poll_item(zmq::POLLIN)
    }

    /// Returns the next report; `None` if there is none now.
    pub(crate) fn next_report(&self) -> Option<Report> {
        // A socket that was closed reports nothing more.
        while let Ok(frames) = self.reports.recv_multipart(zmq::DONTWAIT) {
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

impl Deref for MonitoredSocket {
    type Target = zmq::Socket;

    fn deref(&self) -> &zmq::Socket {
        &self.socket
    }
}

impl Drop for MonitoredSocket {
    fn drop(&mut self) {
        // A new monitor, which reports no events, takes the place of the one that reports to `reports`. The call fails only if
        // the context ends, and then libzmq's thread does not wait.
        let _ = self.socket.monitor(&unused_name(), 0);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::os::unix::net::UnixStream;
    use std::sync::atomic::AtomicBool;

    use super::*;

    /// Sockets are closed at any moment, also while libzmq writes reports. A context has one thread that writes them.
    #[test]
    fn a_socket_that_is_closed_amid_its_reports_does_not_hold_up_the_others() {
        let (place, round, done) = (tempfile::tempdir().unwrap(), AtomicU64::new(0), AtomicBool::new(false));
        let path = |round| place.path().join(format!("{round}"));
        let strangers = || {
            while !done.load(Ordering::Relaxed) {
                if let Ok(mut stream) = UnixStream::connect(path(round.load(Ordering::Relaxed))) {
                    let _ = stream.write_all(&[b'x'; 64]);
                }
            }
        };
        std::thread::scope(|scope| {
            (0..4).for_each(|_| drop(scope.spawn(strangers)));
            let context = zmq::Context::new();
            let stopped = (0..300).find(|&number| {
                let socket = context.socket(zmq::ROUTER).unwrap();
                let socket = MonitoredSocket::new(&context, socket, CONNECTIONS).unwrap();
                socket.bind(&format!("ipc://{}", path(number).display())).unwrap();
                round.store(number, Ordering::Relaxed);
                zmq::poll(&mut [socket.poll_report()], 30_000).unwrap() == 0
            });
            done.store(true, Ordering::Relaxed);
            if stopped.is_some() {
                // The end of the context would wait for its thread.
                std::mem::forget(context);
            }
            assert_eq!(stopped, None, "in this round, libzmq reported nothing");
        });
    }
}
