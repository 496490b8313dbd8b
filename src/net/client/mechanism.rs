//! Which security mechanism a ZeroMQ peer uses, according to its greeting: a side that notices that the mechanisms differ closes the
//! connection at once, so that libzmq often cannot tell the other side why.
//! The greeting is described in <https://rfc.zeromq.org/spec/23/>, "Greeting".

use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use crate::net::endpoint::Endpoint;

/// How long to wait for the connection, and for each part of the greeting.
const PATIENCE: Duration = Duration::from_secs(1);

/// The signature and the major version of our own greeting. Nothing more is sent, so the peer has nothing to refuse before it has
/// told its mechanism.
const BEGINNING: [u8; 11] = [0xff, 0, 0, 0, 0, 0, 0, 0, 1, 0x7f, 3];

/// The size of a greeting in bytes, and where the name of the mechanism stands in it.
const GREETING: usize = 64;
const NAME: std::ops::Range<usize> = 12..32;

/// A security mechanism of ZeroMQ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mechanism {
    /// No keys.
    Null,
    /// Keys.
    Curve,
    /// A mechanism that logator does not use.
    Other,
}

/// Asks the peer at `endpoint` for its mechanism. Returns `None` if the peer cannot be reached, or speaks no ZeroMQ.
pub(super) fn of_peer(endpoint: &Endpoint) -> Option<Mechanism> {
    let greeting = match endpoint {
        Endpoint::Ipc(path) => UnixStream::connect(path).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(stream)
        }),
        Endpoint::Tcp { host, port } => connect(host, port).and_then(|stream| {
            stream.set_read_timeout(Some(PATIENCE))?;
            exchange(stream)
        }),
    };
    of_greeting(&greeting.ok()?)
}

fn connect(host: &str, port: &str) -> io::Result<TcpStream> {
    let mut failure = io::ErrorKind::AddrNotAvailable.into();
    for address in format!("{host}:{port}").to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(stream) => return Ok(stream),
            Err(error) => failure = error,
        }
    }
    Err(failure)
}

fn exchange(mut stream: impl Read + Write) -> io::Result<[u8; GREETING]> {
    let mut greeting = [0; GREETING];
    stream.write_all(&BEGINNING)?;
    stream.read_exact(&mut greeting)?;
    Ok(greeting)
}

fn of_greeting(greeting: &[u8; GREETING]) -> Option<Mechanism> {
    if greeting[0] != BEGINNING[0] || greeting[9] != BEGINNING[9] {
        return None;
    }
    Some(match greeting[NAME].trim_ascii_end().split(|&byte| byte == 0).next() {
        Some(b"NULL") => Mechanism::Null,
        Some(b"CURVE") => Mechanism::Curve,
        _ => Mechanism::Other,
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::net::TcpListener;

    use super::*;

    /// What is learned about a socket of libzmq that `prepare` has prepared.
    fn of_socket(prepare: impl Fn(&zmq::Socket)) -> [Option<Mechanism>; 2] {
        let (context, place) = (zmq::Context::new(), tempfile::tempdir().unwrap());
        let path = format!("ipc://{}/queue", place.path().display());
        [&path, "tcp://127.0.0.1:*"].map(|address| {
            let socket = context.socket(zmq::ROUTER).unwrap();
            prepare(&socket);
            socket.bind(address).unwrap();
            of_peer(&Endpoint::parse(&socket.get_last_endpoint().unwrap().unwrap()).unwrap())
        })
    }

    #[test]
    fn the_mechanism_of_a_queue_is_known_whatever_it_is() {
        let keys = zmq::CurveKeyPair::new().unwrap();
        let curve = |socket: &zmq::Socket| {
            socket.set_curve_server(true).unwrap();
            socket.set_curve_secretkey(&keys.secret_key).unwrap();
        };
        assert_eq!(of_socket(|_| ()), [Some(Mechanism::Null); 2]);
        assert_eq!(of_socket(curve), [Some(Mechanism::Curve); 2]);
        assert_eq!(of_socket(|socket| socket.set_plain_server(true).unwrap()), [Some(Mechanism::Other); 2]);
    }

    #[test]
    fn a_peer_that_is_no_queue_has_no_mechanism_and_a_silent_one_is_not_waited_for() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint::parse(&format!("tcp://{}", listener.local_addr().unwrap())).unwrap();
        let peer = std::thread::spawn(move || {
            let (mut speaking, _) = listener.accept().unwrap();
            speaking.write_all(&[b'x'; 100]).unwrap();
            drop(listener.accept().unwrap());
            listener.accept().unwrap()
        });
        assert_eq!([(); 3].map(|()| of_peer(&endpoint)), [None; 3]);
        drop(peer.join().unwrap());
        assert_eq!(of_peer(&endpoint), None);
    }
}
