//! The batch dialogue in bytes, as `doc/protocol.md` defines it. This module uses no socket.
//!
//! Decoding trusts no input: it checks every length against the bytes that are there before it allocates memory.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use crate::core::batch::{Batch, Origin};
use crate::envelope::Envelope;
use crate::observe::receipt::Tally;
use crate::queue::{Ack, LeaseId};

#[cfg(test)]
mod tests;

/// Frame 0 of every message of the batch dialogue.
pub const MAGIC: &[u8; 8] = b"logator1";

/// The first bytes of frame 0 in any version of the dialogue.
pub const MAGIC_ANY_VERSION: &[u8] = b"logator";

/// The largest length of a request frame in bytes.
pub const MAX_REQUEST: usize = 64 << 10;

/// A request of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Acknowledges leases, then asks for a batch.
    Reserve {
        /// How long the peer agrees to wait for a batch.
        wait: Duration,
        /// The leases that the peer has finished.
        acks: Vec<Ack>,
    },
    /// Starts the time to run of these leases anew.
    Touch(Vec<LeaseId>),
    /// Gives these leases back.
    Release(Vec<LeaseId>),
    /// Acknowledges leases, and ends the connection.
    Bye(Vec<Ack>),
}

/// A reply of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// A batch, under a lease.
    Batch {
        /// The number of the lease.
        lease: LeaseId,
        /// The time to run of the lease.
        ttr: Duration,
        /// The lines.
        batch: Batch,
    },
    /// The peer is to ask again after this time.
    Wait(Duration),
    /// The input has ended, and every line is acknowledged.
    End,
    /// The number of leases or acks that were accepted.
    Ok(u16),
    /// The request was refused: a code, and a sentence.
    Error(ErrorCode, String),
}

/// The reason why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum ErrorCode {
    /// The queue does not speak this version of the dialogue.
    Version = 1,
    /// The request is malformed.
    Malformed = 2,
}

/// The error for bytes that are not a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed message: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

const RESERVE: u8 = 0x01;
const TOUCH: u8 = 0x02;
const RELEASE: u8 = 0x03;
const BYE: u8 = 0x04;
const BATCH: u8 = 0x81;
const WAIT: u8 = 0x82;
const END: u8 = 0x83;
const OK: u8 = 0x84;
const ERROR: u8 = 0x85;

/// The bit of the envelope byte that says that the batch's last line is a part of a line. A peer that does not know the
/// bit finds an unknown envelope number, and refuses the reply.
const PARTIAL: u8 = 0x80;

/// The length of one ack in bytes.
const ACK_BYTES: usize = 8 + 5 * 4;

/// The largest number of acks or leases in one request. They fit into [`MAX_REQUEST`].
pub const MAX_ITEMS: usize = 1024;

/// Returns milliseconds in 32 bits. A longer time becomes the largest number.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

impl Request {
    /// Returns frame 1 of the request.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Request::Reserve { wait, acks } => {
                out.push(RESERVE);
                out.extend_from_slice(&millis(*wait).to_be_bytes());
                put_acks(&mut out, acks);
            }
            Request::Touch(leases) => {
                out.push(TOUCH);
                put_leases(&mut out, leases);
            }
            Request::Release(leases) => {
                out.push(RELEASE);
                put_leases(&mut out, leases);
            }
            Request::Bye(acks) => {
                out.push(BYE);
                put_acks(&mut out, acks);
            }
        }
        out
    }

    /// Reads frame 1 of a request.
    pub fn decode(frame: &[u8]) -> Result<Request, Malformed> {
        if frame.len() > MAX_REQUEST {
            return Err(Malformed(format!("the request has {} bytes, and {MAX_REQUEST} are allowed", frame.len())));
        }
        let mut input = Input(frame);
        let request = match input.u8()? {
            RESERVE => Request::Reserve { wait: Duration::from_millis(u64::from(input.u32()?)), acks: input.acks()? },
            TOUCH => Request::Touch(input.leases()?),
            RELEASE => Request::Release(input.leases()?),
            BYE => Request::Bye(input.acks()?),
            op => return Err(Malformed(format!("no request has the op {op:#04x}"))),
        };
        input.finish()?;
        Ok(request)
    }
}

fn put_acks(out: &mut Vec<u8>, acks: &[Ack]) {
    debug_assert!(acks.len() <= MAX_ITEMS);
    out.extend_from_slice(&(acks.len() as u16).to_be_bytes());
    for Ack { lease, tally } in acks {
        out.extend_from_slice(&lease.to_be_bytes());
        for count in [tally.stored, tally.duplicate, tally.unmatched, tally.dead_lettered, tally.filtered] {
            // A batch has at most u32::MAX lines.
            out.extend_from_slice(&(count as u32).to_be_bytes());
        }
    }
}

fn put_leases(out: &mut Vec<u8>, leases: &[LeaseId]) {
    debug_assert!(leases.len() <= MAX_ITEMS);
    out.extend_from_slice(&(leases.len() as u16).to_be_bytes());
    for lease in leases {
        out.extend_from_slice(&lease.to_be_bytes());
    }
}

/// Appends the length of `text` in 16 bits, and `text`. A longer text is cut between two characters.
fn put_text(out: &mut Vec<u8>, text: &str) {
    let mut end = text.len().min(usize::from(u16::MAX));
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    out.extend_from_slice(&(text.len() as u16).to_be_bytes());
    out.extend_from_slice(text.as_bytes());
}

impl Reply {
    /// Returns frame 1 of the reply. Frame 2 of [`Reply::Batch`] is the batch's data.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Reply::Batch { lease, ttr, batch } => {
                out.push(BATCH);
                out.extend_from_slice(&lease.to_be_bytes());
                out.extend_from_slice(&millis(*ttr).to_be_bytes());
                out.extend_from_slice(&batch.context.origin.id.to_be_bytes());
                out.extend_from_slice(&batch.offset.to_be_bytes());
                out.extend_from_slice(&batch.records.to_be_bytes());
                out.push(batch.context.origin.envelope.code() | if batch.partial { PARTIAL } else { 0 });
                put_text(&mut out, &batch.context.origin.name);
            }
            Reply::Wait(wait) => {
                out.push(WAIT);
                out.extend_from_slice(&millis(*wait).to_be_bytes());
            }
            Reply::End => out.push(END),
            Reply::Ok(count) => {
                out.push(OK);
                out.extend_from_slice(&count.to_be_bytes());
            }
            Reply::Error(code, text) => {
                out.push(ERROR);
                out.extend_from_slice(&(*code as u16).to_be_bytes());
                put_text(&mut out, text);
            }
        }
        out
    }

    /// Reads frame 1 and, for a batch, frame 2 of a reply.
    pub fn decode(frame: &[u8], data: Option<Bytes>) -> Result<Reply, Malformed> {
        let mut input = Input(frame);
        let reply = match input.u8()? {
            BATCH => {
                let lease = input.u64()?;
                let ttr = Duration::from_millis(u64::from(input.u32()?));
                let id = input.u64()?;
                let offset = input.u64()?;
                let lines = input.u32()?;
                let code = input.u8()?;
                let (partial, envelope) = (code & PARTIAL != 0, code & !PARTIAL);
                let envelope = Envelope::of_code(envelope)
                    .ok_or_else(|| Malformed(format!("no envelope has the number {envelope:#04x}")))?;
                let name = input.text()?;
                let data = data.ok_or_else(|| Malformed("the frame with the batch's lines is missing".into()))?;
                let counted = crate::core::lines::count(&data);
                if lines == 0 || counted != lines as usize {
                    return Err(Malformed(format!("the batch should have {lines} lines, but has {counted}")));
                }
                let origin = Arc::new(Origin::new(id, name).wrapped(envelope));
                let batch = Batch::new(origin, offset, lines, data).with_partial(partial);
                Reply::Batch { lease, ttr, batch }
            }
            WAIT => Reply::Wait(Duration::from_millis(u64::from(input.u32()?))),
            END => Reply::End,
            OK => Reply::Ok(input.u16()?),
            ERROR => {
                let code = match input.u16()? {
                    1 => ErrorCode::Version,
                    _ => ErrorCode::Malformed,
                };
                Reply::Error(code, input.text()?)
            }
            op => return Err(Malformed(format!("no reply has the op {op:#04x}"))),
        };
        input.finish()?;
        Ok(reply)
    }
}

/// The rest of a frame.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        match self.0.split_at_checked(length) {
            Some((taken, rest)) => {
                self.0 = rest;
                Ok(taken)
            }
            None => Err(Malformed(format!("{} bytes are missing", length - self.0.len()))),
        }
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_be_bytes)
    }

    fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    fn text(&mut self) -> Result<String, Malformed> {
        let length = usize::from(self.u16()?);
        let bytes = self.take(length)?;
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(Malformed("a text is not UTF-8".into())),
        }
    }

    fn acks(&mut self) -> Result<Vec<Ack>, Malformed> {
        let count = usize::from(self.u16()?);
        let mut rest = Input(self.take(count * ACK_BYTES)?);
        (0..count)
            .map(|_| {
                let lease = rest.u64()?;
                let mut count = || rest.u32().map(u64::from);
                let tally = Tally {
                    stored: count()?,
                    duplicate: count()?,
                    unmatched: count()?,
                    dead_lettered: count()?,
                    filtered: count()?,
                    // Only the line dialogue counts delivered lines, and it has no acks.
                    delivered: 0,
                };
                Ok(Ack { lease, tally })
            })
            .collect()
    }

    fn leases(&mut self) -> Result<Vec<LeaseId>, Malformed> {
        let count = usize::from(self.u16()?);
        let mut rest = Input(self.take(count * 8)?);
        (0..count).map(|_| rest.u64()).collect()
    }

    fn finish(self) -> Result<(), Malformed> {
        if self.0.is_empty() { Ok(()) } else { Err(Malformed(format!("{} bytes are left over", self.0.len()))) }
    }
}
