//! A hand-written peer of a queue. It sends every message that a test needs, valid or not.

use std::time::Duration;

use logator::net::wire::{Answer, Ask, MAGIC, Reply, Request};

use super::PATIENCE;

/// A REQ socket.
pub struct Peer {
    socket: zmq::Socket,
    _context: zmq::Context,
}

impl Peer {
    /// Connects to `endpoint`.
    pub fn connect(endpoint: &str) -> Self {
        Peer::of(zmq::REQ, endpoint)
    }

    /// Connects a socket of another type.
    pub fn of(kind: zmq::SocketType, endpoint: &str) -> Self {
        let context = zmq::Context::new();
        let socket = context.socket(kind).unwrap();
        socket.set_linger(1000).unwrap();
        socket.set_rcvtimeo(PATIENCE.as_millis() as i32).unwrap();
        socket.connect(endpoint).unwrap();
        Peer { socket, _context: context }
    }

    /// Sends frames unchanged.
    pub fn send(&self, frames: &[&[u8]]) {
        self.socket.send_multipart(frames, 0).unwrap();
    }

    /// Returns the frames of the next reply.
    pub fn receive(&self) -> Vec<Vec<u8>> {
        self.socket.recv_multipart(0).expect("a reply")
    }

    /// Returns the frames of the reply that comes within `time`, if there is one.
    pub fn receive_within(&self, time: Duration) -> Option<Vec<Vec<u8>>> {
        match self.socket.poll(zmq::POLLIN, time.as_millis() as i64) {
            Ok(1..) => Some(self.receive()),
            _ => None,
        }
    }

    /// Makes one step of the line dialogue: the next line, or `None` at the end.
    pub fn line(&self) -> Option<String> {
        self.send(&[b""]);
        let reply = self.receive();
        assert_eq!(reply.len(), 1, "one frame a line");
        let line = String::from_utf8(reply.into_iter().next().unwrap()).expect("UTF-8");
        (!line.is_empty()).then_some(line)
    }

    /// Makes one step of the batch dialogue.
    pub fn ask(&self, ask: Ask) -> Answer {
        self.request(&ask.into()).answer
    }

    /// Sends a whole request, and returns the whole reply.
    pub fn request(&self, request: &Request) -> Reply {
        self.send(&[MAGIC, &request.encode()]);
        let mut frames = self.receive().into_iter();
        assert_eq!(frames.next().as_deref(), Some(&MAGIC[..]));
        let body = frames.next().expect("a body");
        Reply::decode(&body, frames.next().map(Into::into)).expect("a reply of the protocol")
    }

    /// Reserves until there is a batch.
    pub fn reserve(&self) -> Answer {
        loop {
            match self.ask(Ask::Reserve { wait: Duration::from_secs(5), acks: Vec::new() }) {
                Answer::Wait(_) => {}
                answer => return answer,
            }
        }
    }

    /// Acknowledges a batch of `lines` lines as stored, and waits for the answer. The answer may be another batch.
    pub fn ack_stored(&self, lease: u64, lines: u32) {
        let tally = logator::observe::receipt::Tally { stored: lines.into(), ..Default::default() };
        let acks = vec![logator::queue::Ack { lease, tally }];
        self.ask(Ask::Reserve { wait: Duration::ZERO, acks });
    }
}
