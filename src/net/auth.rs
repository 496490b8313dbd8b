//! Authentication: libzmq asks about the key of each new connection (ZAP, RFC 27), and this handler answers.
//!
//! The callers report a refused key: `app::serve` for a queue, `net::socket` for push and pull.
//!
//! The thread that serves the peers also serves the ZAP handler, and closes it after the peers' socket. While no socket
//! listens at the ZAP address, libzmq accepts every key. Therefore the peers' socket must never be open without the
//! handler.

use std::sync::Arc;

use crate::core::error::{Error, Result};
use crate::net::keys::{Authorized, KeyPair, PublicKey};

/// The address at which libzmq asks.
const ZAP: &str = "inproc://zeromq.zap.01";

/// The largest number of refused keys that are reported one by one. The limit stops a peer that makes many keys in
/// order to fill the log.
pub(crate) const MAX_REPORTED_KEYS: usize = 100;

/// The largest number of questions or reports that are handled before the thread does other work.
pub(crate) const MAX_PER_ROUND: usize = 256;

/// The own key pair of a socket that listens, and the list of authorized keys.
#[derive(Debug, Clone)]
pub struct Security {
    /// The key pair that proves to peers that they have reached the right socket.
    pub pair: KeyPair,
    /// The keys of the peers that are let in.
    pub authorized: Arc<Authorized>,
}

/// Answers libzmq's questions about keys. Without keys libzmq asks no questions.
pub(crate) struct ZapHandler {
    zap: Option<(zmq::Socket, Arc<Authorized>)>,
}

impl ZapHandler {
    /// Prepares `socket`, which must not be bound yet. The ZAP handler must be closed after `socket`.
    pub(crate) fn new(context: &zmq::Context, socket: &zmq::Socket, security: Option<&Security>) -> Result<ZapHandler> {
        let Some(Security { pair, authorized }) = security else { return Ok(ZapHandler { zap: None }) };
        let failed = |error: zmq::Error| Error::system("libzmq cannot set up keys for its sockets").because(error);
        let zap = context.socket(zmq::REP).map_err(failed)?;
        zap.set_linger(0).map_err(failed)?;
        zap.bind(ZAP).map_err(failed)?;
        socket.set_curve_server(true).map_err(failed)?;
        socket.set_curve_publickey(pair.public().as_bytes()).map_err(failed)?;
        socket.set_curve_secretkey(pair.secret()).map_err(failed)?;
        socket.set_zap_domain("logator").map_err(failed)?;
        Ok(ZapHandler { zap: Some((zap, Arc::clone(authorized))) })
    }

    /// Returns the poll item for libzmq's questions.
    pub(crate) fn poll_item(&self) -> Option<zmq::PollItem<'_>> {
        self.zap.as_ref().map(|(zap, _)| zap.as_poll_item(zmq::POLLIN))
    }

    /// Returns whether the sender of `message` is still authorized. After the list was read again, the key of an open
    /// connection may be missing.
    pub(crate) fn still_allows(&self, message: &mut zmq::Message) -> bool {
        match &self.zap {
            Some((_, authorized)) if authorized.edition() > 0 => {
                let key = message.gets("User-Id").and_then(PublicKey::parse);
                key.is_some_and(|key| authorized.allows(&key))
            }
            _ => true,
        }
    }

    /// Answers libzmq's questions. `refused` gets each refused key, or `None` if the peer has no CURVE key, and the
    /// peer's network address.
    pub(crate) fn serve(&self, refused: &mut dyn FnMut(Option<PublicKey>, &[u8])) -> Result<()> {
        let Some((zap, authorized)) = &self.zap else { return Ok(()) };
        for _ in 0..MAX_PER_ROUND {
            let frames = match zap.recv_multipart(zmq::DONTWAIT) {
                Ok(frames) => frames,
                Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => break,
                Err(error) => return Err(Error::wire("receiving libzmq's questions about keys failed").because(error)),
            };
            let question = Question::read(&frames);
            let key = question.key.filter(|key| authorized.allows(key));
            if key.is_none() {
                refused(question.key, question.address);
            }
            zap.send_multipart(question.answer(key), zmq::DONTWAIT)
                .map_err(|error| Error::wire("answering libzmq's question about a key failed").because(error))?;
        }
        Ok(())
    }
}

/// A question of libzmq.
struct Question<'a> {
    id: &'a [u8],
    address: &'a [u8],
    /// `None` if the mechanism is not CURVE, or the message is no question.
    key: Option<PublicKey>,
}

impl<'a> Question<'a> {
    fn read(frames: &'a [Vec<u8>]) -> Self {
        match frames {
            [version, id, _domain, address, _identity, mechanism, key]
                if version == b"1.0" && mechanism == b"CURVE" =>
            {
                Question { id, address, key: PublicKey::from_bytes(key) }
            }
            _ => Question { id: frames.get(1).map_or(&[], Vec::as_slice), address: &[], key: None },
        }
    }

    /// Returns the answer. If `key` is given, the peer with this key is accepted. If it is `None`, the connection is
    /// refused.
    fn answer(&self, key: Option<PublicKey>) -> [Vec<u8>; 6] {
        let (code, text) = match key {
            Some(_) => ("200", "OK"),
            None => ("400", "this key is not authorized"),
        };
        // libzmq attaches the user id to each message of the connection.
        let user = key.map(|key| key.to_string()).unwrap_or_default();
        ["1.0".into(), self.id.to_vec(), code.into(), text.into(), user.into(), Vec::new()]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(frames: &[&[u8]]) -> Option<PublicKey> {
        let frames: Vec<Vec<u8>> = frames.iter().map(|frame| frame.to_vec()).collect();
        Question::read(&frames).key
    }

    #[test]
    fn only_a_curve_key_is_a_key() {
        let key = &[7; 32][..];
        assert_eq!(asked(&[b"1.0", b"1", b"logator", b"::1", b"", b"CURVE", key]), PublicKey::from_bytes(key));
        for wrong in [
            &[&b"1.0"[..], b"1", b"logator", b"::1", b"", b"NULL"][..],
            &[b"1.0", b"1", b"logator", b"::1", b"", b"PLAIN", b"user", b"password"],
            &[b"1.0", b"1", b"logator", b"::1", b"", b"PLAIN", key],
            &[b"2.0", b"1", b"logator", b"::1", b"", b"CURVE", key],
            &[b"1.0", b"1", b"logator", b"::1", b"", b"CURVE", &key[1..]],
            &[b"1.0"],
            &[],
        ] {
            assert_eq!(asked(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn an_answer_names_its_question_and_the_key() {
        let key = PublicKey::from_bytes(&[7; 32]);
        let question = Question { id: b"42", address: b"", key };
        let text = |frames: [Vec<u8>; 6]| frames.map(|frame| String::from_utf8(frame).unwrap());
        let name = key.unwrap().to_string();
        assert_eq!(text(question.answer(key)), ["1.0", "42", "200", "OK", name.as_str(), ""]);
        assert_eq!(text(question.answer(None)), ["1.0", "42", "400", "this key is not authorized", "", ""]);
    }
}
