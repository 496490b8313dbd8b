//! Who comes in: libzmq's questions about keys (ZAP, RFC 27), and its reports of handshakes that failed.
//!
//! The socket that answers is served by the thread that serves the workers, and closed after theirs: libzmq lets every
//! key in while nobody listens at the ZAP address, so there must be no moment in which only one of the two is there.

use std::sync::Arc;

use crate::core::error::{Error, Result};
use crate::net::keys::{Authorized, KeyPair, PublicKey};

/// Where libzmq asks.
const ZAP: &str = "inproc://zeromq.zap.01";

/// Refused keys that are told one by one. Whoever makes keys to fill a log with them gets no further.
pub(crate) const MAX_REPORTED_KEYS: usize = 100;

/// Questions and reports taken between two looks at anything else.
pub(crate) const MAX_PER_ROUND: usize = 256;

/// The queue's own key and the list of those who may come in.
#[derive(Debug, Clone)]
pub struct Security {
    /// What proves that the queue is the one its workers mean.
    pub pair: KeyPair,
    /// The workers' keys.
    pub authorized: Arc<Authorized>,
}

/// Answers libzmq's questions about keys; without keys there are none.
pub(crate) struct ZapHandler {
    zap: Option<(zmq::Socket, Arc<Authorized>)>,
}

impl ZapHandler {
    /// Prepares `socket`, which is not bound yet. The ZAP handler must be closed after it.
    pub(crate) fn new(context: &zmq::Context, socket: &zmq::Socket, security: Option<&Security>) -> Result<ZapHandler> {
        let Some(Security { pair, authorized }) = security else { return Ok(ZapHandler { zap: None }) };
        let failed = |error: zmq::Error| Error::system("libzmq cannot guard its sockets").because(error);
        let zap = context.socket(zmq::REP).map_err(failed)?;
        zap.set_linger(0).map_err(failed)?;
        zap.bind(ZAP).map_err(failed)?;
        socket.set_curve_server(true).map_err(failed)?;
        socket.set_curve_publickey(pair.public().as_bytes()).map_err(failed)?;
        socket.set_curve_secretkey(pair.secret()).map_err(failed)?;
        socket.set_zap_domain("logator").map_err(failed)?;
        Ok(ZapHandler { zap: Some((zap, Arc::clone(authorized))) })
    }

    /// What to wait for.
    pub(crate) fn poll_item(&self) -> Option<zmq::PollItem<'_>> {
        self.zap.as_ref().map(|(zap, _)| zap.as_poll_item(zmq::POLLIN))
    }

    /// Whether the owner of a connection that is open already may still be there.
    pub(crate) fn still_allows(&self, message: &mut zmq::Message) -> bool {
        match &self.zap {
            Some((_, authorized)) if authorized.edition() > 0 => {
                let key = message.gets("User-Id").and_then(PublicKey::parse);
                key.is_some_and(|key| authorized.allows(&key))
            }
            _ => true,
        }
    }

    /// Answers what is asked. `refused` is told the keys that are kept out, as far as they are keys, and where they came
    /// from.
    pub(crate) fn serve(&self, refused: &mut dyn FnMut(Option<PublicKey>, &[u8])) -> Result<()> {
        let Some((zap, authorized)) = &self.zap else { return Ok(()) };
        for _ in 0..MAX_PER_ROUND {
            let frames = match zap.recv_multipart(zmq::DONTWAIT) {
                Ok(frames) => frames,
                Err(zmq::Error::EAGAIN | zmq::Error::EINTR) => break,
                Err(error) => return Err(Error::wire("libzmq's questions about keys are lost").because(error)),
            };
            let question = Question::read(&frames);
            let key = question.key.filter(|key| authorized.allows(key));
            if key.is_none() {
                refused(question.key, question.address);
            }
            zap.send_multipart(question.answer(key), zmq::DONTWAIT)
                .map_err(|error| Error::wire("libzmq does not take an answer about a key").because(error))?;
        }
        Ok(())
    }
}

/// What libzmq asks.
struct Question<'a> {
    id: &'a [u8],
    address: &'a [u8],
    /// `None` for another mechanism than CURVE, and for a question that is none.
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

    /// The answer: `key` may come in, or nobody.
    fn answer(&self, key: Option<PublicKey>) -> [Vec<u8>; 6] {
        let (code, text) = match key {
            Some(_) => ("200", "OK"),
            None => ("400", "this key is not authorized"),
        };
        // The user id comes back with each message of the connection.
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
