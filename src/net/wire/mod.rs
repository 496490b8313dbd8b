//! The batch dialogue in bytes, as `doc/protocol.md` defines it. This module uses no socket.

mod bytes;

use std::sync::Arc;
use std::time::Duration;

use ::bytes::Bytes;

pub use self::bytes::Malformed;
use self::bytes::{Input, Output, number, text};
use crate::core::batch::{Batch, Framing, Ids};
use crate::core::context::{Context, MAX_HEADER, Origin};
use crate::core::printable;
use crate::core::record::IdRule;
use crate::core::records;
use crate::envelope::Envelope;
use crate::queue::{Ack, LeaseId};

#[cfg(test)]
mod tests;

/// Frame 0 of every message of the batch dialogue.
pub const MAGIC: &[u8; 8] = b"logator2";

/// The first bytes of frame 0 in any version of the dialogue.
pub const MAGIC_ANY_VERSION: &[u8] = b"logator";

/// The largest length of a request frame in bytes.
pub const MAX_REQUEST: usize = 64 << 10;

/// The largest length of the counters of a [`Report`] in bytes.
pub const MAX_COUNTERS: usize = 16 << 10;

/// A request of a worker, and what the worker says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What is asked.
    pub ask: Ask,
    /// How many leases this connection can hold; `None` leaves it as it was.
    pub leases: Option<u16>,
    /// The report of the worker's process.
    pub report: Option<Report>,
}

/// What a request asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ask {
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

impl From<Ask> for Request {
    fn from(ask: Ask) -> Request {
        Request { ask, leases: None, report: None }
    }
}

/// The report of a worker's process. It replaces the earlier reports of the same process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The name of the worker's machine.
    pub host: String,
    /// The number of the process.
    pub pid: u32,
    /// The counters of the process, as [`Snapshot`](crate::observe::counters::Snapshot) encodes them.
    pub counters: Vec<u8>,
}

/// A reply of the queue, and what the queue says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The answer to the request.
    pub answer: Answer,
    /// The state of the queue; `None` in the reply to a peer of another version.
    pub queue: Option<QueueState>,
}

/// What a queue says about itself in each reply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueState {
    /// The identity of the queue: that of its state directory, else a random number.
    pub identity: u64,
    /// The number of bytes of records that wait to be handed out.
    pub backlog: u64,
    /// The number of leases that this connection may hold.
    pub leases: u16,
}

/// The answer to a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// A batch, under a lease.
    Batch {
        /// The number of the lease.
        lease: LeaseId,
        /// The time to run of the lease.
        ttr: Duration,
        /// The records.
        batch: Batch,
    },
    /// The peer is to ask again after this time.
    Wait(Duration),
    /// The input has ended, and every record is acknowledged.
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

const RESERVE: u8 = 0x01;
const TOUCH: u8 = 0x02;
const RELEASE: u8 = 0x03;
const BYE: u8 = 0x04;
const BATCH: u8 = 0x81;
const WAIT: u8 = 0x82;
const END: u8 = 0x83;
const OK: u8 = 0x84;
const ERROR: u8 = 0x85;

/// The tags of fields in requests.
mod ask_tag {
    pub const LEASES: u8 = 0x01;
    pub const REPORT: u8 = 0x02;
}

/// The tags of fields in replies.
mod tag {
    pub const NAME: u8 = 0x01;
    pub const PATH: u8 = 0x02;
    pub const HOST: u8 = 0x03;
    pub const COMPRESSION: u8 = 0x04;
    pub const ENCODING: u8 = 0x05;
    pub const TIME: u8 = 0x06;
    pub const HEADER: u8 = 0x07;
    pub const FIELDS: u8 = 0x08;
    pub const OFFSETS: u8 = 0x09;
    pub const LINE: u8 = 0x0c;
    pub const QUEUE: u8 = 0x20;
    pub const ENVELOPE: u8 = 0x80;
    pub const RULE: u8 = 0x81;
    pub const IDS: u8 = 0x82;
    pub const LENGTHS: u8 = 0x83;
    pub const PARTIAL: u8 = 0x84;
    pub const CONTINUES: u8 = 0x85;
}

/// The largest number of acks or leases in one request. They fit into [`MAX_REQUEST`] together with a report.
pub const MAX_ITEMS: usize = 1024;

/// Says that `other` speaks another version of the dialogue than we do. `magic` is the first frame of its message.
pub(super) fn versions(we: &str, other: &str, magic: &[u8]) -> String {
    let magic = String::from_utf8_lossy(&magic[..magic.len().min(2 * MAGIC.len())]);
    let (ours, theirs) = (String::from_utf8_lossy(MAGIC), printable::line(&magic));
    format!("{we} speaks {ours}, and {other} speaks {theirs}; install the same version on both machines")
}

/// Returns milliseconds in 32 bits. A longer time becomes the largest number.
fn millis(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}

impl Request {
    /// Returns frame 1 of the request.
    pub fn encode(&self) -> Vec<u8> {
        let mut out;
        match &self.ask {
            Ask::Reserve { wait, acks } => {
                out = Output::new(RESERVE);
                out.u32(millis(*wait));
                out.acks(acks);
            }
            Ask::Touch(leases) => {
                out = Output::new(TOUCH);
                out.leases(leases);
            }
            Ask::Release(leases) => {
                out = Output::new(RELEASE);
                out.leases(leases);
            }
            Ask::Bye(acks) => {
                out = Output::new(BYE);
                out.acks(acks);
            }
        }
        if let Some(leases) = self.leases {
            out.field(ask_tag::LEASES, &leases.to_be_bytes());
        }
        if let Some(Report { host, pid, counters }) = &self.report {
            let value =
                [&pid.to_be_bytes()[..], &(host.len() as u16).to_be_bytes(), host.as_bytes(), counters].concat();
            out.field(ask_tag::REPORT, &value);
        }
        out.0
    }

    /// Reads frame 1 of a request.
    ///
    /// # Errors
    /// The frame is not a request.
    pub fn decode(frame: &[u8]) -> Result<Request, Malformed> {
        if frame.len() > MAX_REQUEST {
            return Err(Malformed(format!("the request has {} bytes, and {MAX_REQUEST} are allowed", frame.len())));
        }
        let mut input = Input(frame);
        let ask = match input.u8()? {
            RESERVE => Ask::Reserve { wait: Duration::from_millis(u64::from(input.u32()?)), acks: input.acks()? },
            TOUCH => Ask::Touch(input.leases()?),
            RELEASE => Ask::Release(input.leases()?),
            BYE => Ask::Bye(input.acks()?),
            op => return Err(Malformed(format!("no request has the op {op:#04x}"))),
        };
        let mut request = Request::from(ask);
        input.fields(|tag, value| {
            match tag {
                ask_tag::LEASES => request.leases = Some(u16::from_be_bytes(number(value)?)),
                ask_tag::REPORT => request.report = Some(report(value)?),
                _ => return Ok(false),
            }
            Ok(true)
        })?;
        Ok(request)
    }
}

fn report(value: &[u8]) -> Result<Report, Malformed> {
    let mut input = Input(value);
    let pid = input.u32()?;
    let length = usize::from(input.u16()?);
    let host = text(input.take(length)?)?;
    if input.0.len() > MAX_COUNTERS {
        return Err(Malformed(format!("the counters have {} bytes, and {MAX_COUNTERS} are allowed", input.0.len())));
    }
    Ok(Report { host, pid, counters: input.0.to_vec() })
}

impl Reply {
    /// Returns frame 1 of the reply. Frame 2 of [`Answer::Batch`] is the batch's data.
    pub fn encode(&self) -> Vec<u8> {
        let mut out;
        match &self.answer {
            Answer::Batch { lease, ttr, batch } => {
                out = Output::new(BATCH);
                out.u64(*lease);
                out.u32(millis(*ttr));
                out.u64(batch.context.origin.id);
                out.u64(batch.offset);
                out.u32(batch.records);
                put_batch(&mut out, batch);
            }
            Answer::Wait(wait) => {
                out = Output::new(WAIT);
                out.u32(millis(*wait));
            }
            Answer::End => out = Output::new(END),
            Answer::Ok(count) => {
                out = Output::new(OK);
                out.u16(*count);
            }
            Answer::Error(code, sentence) => {
                // The layout of an error is the same in all versions of the dialogue.
                out = Output::new(ERROR);
                out.u16(*code as u16);
                // Our own sentences are far shorter than 64 KiB.
                let length = u16::try_from(sentence.len()).unwrap_or_default();
                out.u16(length);
                out.0.extend_from_slice(&sentence.as_bytes()[..usize::from(length)]);
            }
        }
        if let Some(QueueState { identity, backlog, leases }) = self.queue {
            let value = [&identity.to_be_bytes()[..], &backlog.to_be_bytes(), &leases.to_be_bytes()].concat();
            out.field(tag::QUEUE, &value);
        }
        out.0
    }

    /// Reads frame 1 and, for a batch, frame 2 of a reply.
    ///
    /// # Errors
    /// The frames are not a reply.
    pub fn decode(frame: &[u8], data: Option<Bytes>) -> Result<Reply, Malformed> {
        let mut input = Input(frame);
        let mut queue = None;
        let mut take = |tag: u8, value: &[u8]| {
            if tag == tag::QUEUE {
                let mut input = Input(value);
                let (identity, backlog, leases) = (input.u64()?, input.u64()?, input.u16()?);
                queue = Some(QueueState { identity, backlog, leases });
            }
            Ok(tag == tag::QUEUE)
        };
        let answer = match input.u8()? {
            BATCH => {
                let lease = input.u64()?;
                let ttr = Duration::from_millis(u64::from(input.u32()?));
                let batch = batch(input, data, &mut take)?;
                return Ok(Reply { answer: Answer::Batch { lease, ttr, batch }, queue });
            }
            WAIT => Answer::Wait(Duration::from_millis(u64::from(input.u32()?))),
            END => Answer::End,
            OK => Answer::Ok(input.u16()?),
            ERROR => {
                let code = match input.u16()? {
                    1 => ErrorCode::Version,
                    _ => ErrorCode::Malformed,
                };
                let length = usize::from(input.u16()?);
                Answer::Error(code, text(input.take(length)?)?)
            }
            op => return Err(Malformed(format!("no reply has the op {op:#04x}"))),
        };
        input.fields(&mut take)?;
        Ok(Reply { answer, queue })
    }
}

/// Appends the fields of a batch. A value that is the usual one has no field.
fn put_batch(out: &mut Output, batch: &Batch) {
    let Context { origin, header, time_ms } = &batch.context;
    out.text(tag::NAME, Some(&origin.name));
    out.text(tag::PATH, origin.path.as_deref());
    out.text(tag::HOST, origin.host.as_deref());
    out.text(tag::COMPRESSION, origin.compression.as_deref());
    out.text(tag::ENCODING, origin.encoding.as_deref());
    out.text(tag::FIELDS, origin.fields.as_deref());
    out.field(tag::TIME, &time_ms.to_be_bytes());
    if let Some(header) = header {
        out.field(tag::HEADER, header);
    }
    if !origin.envelope.is_none() {
        out.field(tag::ENVELOPE, &[origin.envelope.code()]);
    }
    if !origin.rule.is_offset() {
        out.field(tag::RULE, &[origin.rule.code()]);
    }
    if let Ids::Numbers(table) | Ids::Given(table) = &batch.ids {
        out.field(tag::IDS, table);
    }
    if let Some(table) = &batch.offsets {
        out.field(tag::OFFSETS, table);
    }
    if let Some(line) = batch.line {
        out.field(tag::LINE, &line.to_be_bytes());
    }
    if let Framing::Lengths(table) = &batch.framing {
        out.field(tag::LENGTHS, table);
    }
    if batch.partial {
        out.field(tag::PARTIAL, &[]);
    }
    if batch.continues {
        out.field(tag::CONTINUES, &[]);
    }
}

fn not_an_object() -> Malformed {
    Malformed("the fields of the origin are not a JSON object".into())
}

/// Takes a field by its tag and value. Returns `false` if it does not know the tag.
type OtherField<'a> = &'a mut dyn FnMut(u8, &[u8]) -> Result<bool, Malformed>;

/// Reads the part of a batch that follows its lease. `other` takes the fields that are not about the batch.
fn batch(mut input: Input<'_>, data: Option<Bytes>, other: OtherField<'_>) -> Result<Batch, Malformed> {
    let mut origin = Origin::new(input.u64()?, "");
    let (offset, records) = (input.u64()?, input.u32()?);
    let (mut time_ms, mut header, mut partial, mut continues) = (0, None, false, false);
    let (mut table, mut offsets, mut framing, mut line) = (Bytes::new(), None, Framing::Lines, None);
    input.fields(|tag, value| {
        let one = || number::<1>(value).map(|[code]| code);
        match tag {
            tag::NAME => origin.name = text(value)?,
            tag::PATH => origin.path = Some(text(value)?),
            tag::HOST => origin.host = Some(text(value)?),
            tag::COMPRESSION => origin.compression = Some(text(value)?),
            tag::ENCODING => origin.encoding = Some(text(value)?),
            tag::FIELDS => {
                let fields = serde_json::from_slice(value);
                origin.fields = Origin::new(0, "").with_fields(&fields.map_err(|_| not_an_object())?).fields;
            }
            tag::TIME => time_ms = i64::from_be_bytes(number(value)?),
            tag::HEADER if value.len() > MAX_HEADER => {
                return Err(Malformed(format!("the header has {} bytes, and {MAX_HEADER} are allowed", value.len())));
            }
            tag::HEADER => header = Some(Arc::from(value)),
            tag::ENVELOPE => {
                let unknown = |code| Malformed(format!("no envelope has the number {code:#04x}"));
                origin.envelope = Envelope::of_code(one()?).ok_or_else(|| unknown(value[0]))?;
            }
            tag::RULE => {
                let unknown = |code| Malformed(format!("no id rule has the number {code:#04x}"));
                origin.rule = IdRule::of_code(one()?).ok_or_else(|| unknown(value[0]))?;
            }
            tag::LINE => line = Some(u64::from_be_bytes(number(value)?)),
            tag::OFFSETS => offsets = Some(Bytes::copy_from_slice(value)),
            tag::IDS => table = Bytes::copy_from_slice(value),
            tag::LENGTHS => framing = Framing::Lengths(Bytes::copy_from_slice(value)),
            tag::PARTIAL => partial = true,
            tag::CONTINUES => continues = true,
            tag => return other(tag, value),
        }
        Ok(true)
    })?;
    let data = data.ok_or_else(|| Malformed("the frame with the batch's records is missing".into()))?;
    let counted = records::count(&data, &framing).map_err(|why| Malformed(why.into()))?;
    if records == 0 || counted != records as usize {
        return Err(Malformed(format!("the batch should have {records} records, but has {counted}")));
    }
    let ids = match origin.rule {
        IdRule::Offset => Ids::Offsets,
        IdRule::Time => Ids::Times,
        IdRule::Number => Ids::Numbers(table),
        IdRule::Given => Ids::Given(table),
    };
    if !ids.fits(counted) {
        return Err(Malformed("the table of ids does not fit the number of records".into()));
    }
    if offsets.as_ref().is_some_and(|table: &Bytes| table.len() != 8 * counted) {
        return Err(Malformed("the table of offsets does not fit the number of records".into()));
    }
    let context = Context { origin: Arc::new(origin), header, time_ms };
    let batch = Batch::of(context, offset, records, data).framed(framing).identified(ids).with_partial(partial);
    Ok(Batch { continues, offsets, line, ..batch })
}
