//! The frames of both dialogues, on a worker's side: what is sent, and what has arrived.

use bytes::Bytes;

use crate::core::error::{Error, Result};
use crate::net::endpoint::Endpoint;
use crate::net::wire::{self, Answer, Ask, Reply, Request};

/// What a worker sends.
pub(super) enum Message<'a> {
    /// A request of the batch dialogue.
    Request(&'a Request),
    /// The request of the line dialogue. It acknowledges the line that this connection has got before.
    Line,
}

impl Message<'_> {
    /// Returns the frames, which begin with an empty one.
    pub(super) fn frames(&self) -> Vec<Vec<u8>> {
        match self {
            Message::Request(request) => vec![Vec::new(), wire::MAGIC.to_vec(), request.encode()],
            Message::Line => vec![Vec::new(), Vec::new()],
        }
    }

    /// Whether the reply may hold work.
    pub(super) fn asks_for_work(&self) -> bool {
        match self {
            Message::Request(request) => matches!(request.ask, Ask::Reserve { .. }),
            Message::Line => true,
        }
    }

    /// Whether the queue may let the message wait for work.
    pub(super) fn may_wait(&self) -> bool {
        match self {
            Message::Request(request) => matches!(request.ask, Ask::Reserve { wait, .. } if !wait.is_zero()),
            Message::Line => true,
        }
    }
}

/// What a queue sends.
pub(super) enum Received {
    /// A reply of the batch dialogue.
    Reply(Box<Reply>),
    /// A reply of the line dialogue: a line, or nothing at the end of the work.
    Line(Vec<u8>),
}

impl Received {
    /// Whether this cannot be the reply to a request that gives leases back or acknowledges them, because such replies hold a
    /// number.
    pub(super) fn holds_work(&self) -> bool {
        match self {
            Received::Reply(reply) => !matches!(reply.answer, Answer::Ok(_) | Answer::Error(..)),
            Received::Line(_) => true,
        }
    }
}

/// Returns the error for a peer that does not speak the dialogue.
pub(super) fn strange(endpoint: &Endpoint, why: &str) -> Error {
    Error::wire(format!("{endpoint}: the peer is no logator queue ({why})"))
}

/// Returns what has arrived, if anything has.
pub(super) fn receive(socket: &zmq::Socket, endpoint: &Endpoint) -> Result<Option<Received>> {
    let mut frames = Vec::with_capacity(4);
    loop {
        match socket.recv_msg(if frames.is_empty() { zmq::DONTWAIT } else { 0 }) {
            Ok(message) => {
                let more = message.get_more();
                frames.push(message);
                if !more {
                    break;
                }
            }
            Err(zmq::Error::EAGAIN | zmq::Error::EINTR) if frames.is_empty() => return Ok(None),
            Err(zmq::Error::EINTR) => {}
            Err(error) => return Err(Error::wire(format!("{endpoint}: receiving failed")).because(error)),
        }
    }
    if !frames[0].is_empty() {
        return Err(strange(endpoint, "its replies do not begin with an empty frame"));
    }
    let frames = &mut frames.into_iter().skip(1);
    match (frames.next(), frames.next()) {
        (None, _) => Err(strange(endpoint, "its reply is too short")),
        (Some(line), None) => Ok(Some(Received::Line(line.to_vec()))),
        (Some(magic), Some(body)) if *magic == *wire::MAGIC => {
            let data = frames.next().map(|message| Bytes::from_owner(Data(message)));
            let reply = Reply::decode(&body, data);
            reply
                .map(|reply| Some(Received::Reply(Box::new(reply))))
                .map_err(|error| strange(endpoint, &error.to_string()))
        }
        (Some(magic), _) if magic.starts_with(wire::MAGIC_ANY_VERSION) => {
            let versions = wire::versions("this worker", "the queue", &magic);
            Err(Error::wire(format!("{endpoint}: {versions}")))
        }
        _ => Err(strange(endpoint, NO_MAGIC)),
    }
}

/// The fault of replies that are not of the batch dialogue.
pub(super) const NO_MAGIC: &str = "its replies do not begin with logator2";

/// A received frame as the owner of a batch's bytes. The batch is used in libzmq's memory, without a copy.
struct Data(zmq::Message);

impl AsRef<[u8]> for Data {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}
