//! The batch dialogue in bytes, as `doc/protocol.md` spells it out. Pure: no socket here.
//!
//! Decoding trusts nothing: every length is checked against the bytes that are there before anything is made of it.

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

/// What the first frame of any version begins with.
pub const MAGIC_ANY_VERSION: &[u8] = b"logator";

/// The longest request frame, in bytes.
pub const MAX_REQUEST: usize = 64 << 10;

/// A request of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Acknowledges, then asks for a batch.
    Reserve {
        /// How long the peer agrees to wait.
        wait: Duration,
        /// What it has finished.
        acks: Vec<Ack>,
    },
    /// Starts the time to run of leases anew.
    Touch(Vec<LeaseId>),
    /// Gives leases back.
    Release(Vec<LeaseId>),
    /// Acknowledges and goes.
    Bye(Vec<Ack>),
}

/// A reply of the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Work.
    Batch {
        /// The lease it is under.
        lease: LeaseId,
        /// The lease's time to run.
        ttr: Duration,
        /// The lines.
        batch: Batch,
    },
    /// Ask again after this time.
    Wait(Duration),
    /// Everything is acknowledged.
    End,
    /// How many leases or acks were accepted.
    Ok(u16),
    /// The request was not understood.
    Error(ErrorCode, String),
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u16)]
pub enum ErrorCode {
    /// The version of the dialogue is not spoken here.
    Version = 1,
    /// The request is malformed.
    Malformed = 2,
}

/// Bytes that are not a message.
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

/// Set in the byte of the envelope when the last line of the batch is a part of a line. Who does not know it finds no
/// envelope of that number, and says so.
const PARTIAL: u8 = 0x80;

/// Bytes of one ack.
const ACK_BYTES: usize = 8 + 5 * 4;

/// The most acks or leases one request can carry within [`MAX_REQUEST`].
pub const MAX_ITEMS: usize = 1024;

/// Milliseconds in 32 bits; what is longer counts as the longest.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

impl Request {
    /// Frame 1 of the request.
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
            return Err(Malformed(format!("a request of {} bytes, the most is {MAX_REQUEST}", frame.len())));
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

/// `text` cut at a character so that its length fits 16 bits.
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
    /// Frame 1 of the reply. [`Reply::Batch`] is followed by frame 2, the batch's data.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(64);
        match self {
            Reply::Batch { lease, ttr, batch } => {
                out.push(BATCH);
                out.extend_from_slice(&lease.to_be_bytes());
                out.extend_from_slice(&millis(*ttr).to_be_bytes());
                out.extend_from_slice(&batch.origin.id.to_be_bytes());
                out.extend_from_slice(&batch.offset.to_be_bytes());
                out.extend_from_slice(&batch.lines.to_be_bytes());
                out.push(batch.origin.envelope.code() | if batch.partial { PARTIAL } else { 0 });
                put_text(&mut out, &batch.origin.name);
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
                let data = data.ok_or_else(|| Malformed("a batch without its lines".into()))?;
                let counted = crate::core::lines::count(&data);
                if lines == 0 || counted != lines as usize {
                    return Err(Malformed(format!("a batch said to hold {lines} lines holds {counted}")));
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

/// What is left of a frame.
struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
        match self.0.split_at_checked(length) {
            Some((taken, rest)) => {
                self.0 = rest;
                Ok(taken)
            }
            None => Err(Malformed(format!("it ends {} bytes early", length - self.0.len()))),
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
            Err(_) => Err(Malformed("a text that is not UTF-8".into())),
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
                    // Of the line dialogue, which has no acks.
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
