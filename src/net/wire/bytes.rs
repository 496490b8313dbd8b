//! Reads and writes the parts of messages: numbers, and fields of the form tag, length, value.
//!
//! Reading trusts no input: it checks every length against the bytes that are there before it allocates memory.

use std::fmt;

use crate::observe::receipt::Tally;
use crate::queue::{Ack, LeaseId};

/// The error for bytes that are not a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Malformed(pub String);

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "malformed message: {}", self.0)
    }
}

impl std::error::Error for Malformed {}

/// A field whose tag is at least this number changes the meaning of its message. A peer that does not know the tag refuses
/// the message. Fields with other unknown tags are passed over.
pub(super) const CRITICAL: u8 = 0x80;

/// The bytes of an acknowledgement.
const ACK: usize = 8 + 6 * 4;

/// A frame under construction.
pub(super) struct Output(pub(super) Vec<u8>);

impl Output {
    /// Begins a frame with its op.
    pub(super) fn new(op: u8) -> Output {
        let mut out = Vec::with_capacity(128);
        out.push(op);
        Output(out)
    }

    pub(super) fn u16(&mut self, value: u16) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn u32(&mut self, value: u32) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    pub(super) fn u64(&mut self, value: u64) {
        self.0.extend_from_slice(&value.to_be_bytes());
    }

    /// Appends a field.
    pub(super) fn field(&mut self, tag: u8, value: &[u8]) {
        self.0.push(tag);
        // A frame is far shorter than 4 GiB.
        self.u32(value.len() as u32);
        self.0.extend_from_slice(value);
    }

    /// Appends a field with a text, unless there is none.
    pub(super) fn text(&mut self, tag: u8, text: Option<&str>) {
        if let Some(text) = text {
            self.field(tag, text.as_bytes());
        }
    }

    pub(super) fn acks(&mut self, acks: &[Ack]) {
        self.u16(acks.len() as u16);
        for Ack { lease, tally } in acks {
            self.u64(*lease);
            let Tally { stored, duplicate, unmatched, dead_lettered, filtered, joined, .. } = *tally;
            for count in [stored, duplicate, unmatched, dead_lettered, filtered, joined] {
                // A batch has at most u32::MAX records.
                self.u32(count as u32);
            }
        }
    }

    pub(super) fn leases(&mut self, leases: &[LeaseId]) {
        self.u16(leases.len() as u16);
        leases.iter().for_each(|lease| self.u64(*lease));
    }
}

/// The rest of a frame.
pub(super) struct Input<'a>(pub(super) &'a [u8]);

impl<'a> Input<'a> {
    pub(super) fn take(&mut self, length: usize) -> Result<&'a [u8], Malformed> {
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

    pub(super) fn u8(&mut self) -> Result<u8, Malformed> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Malformed> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_be_bytes)
    }

    pub(super) fn acks(&mut self) -> Result<Vec<Ack>, Malformed> {
        let count = usize::from(self.u16()?);
        let mut rest = Input(self.take(count * ACK)?);
        let ack = |_| {
            let lease = rest.u64()?;
            let mut count = || rest.u32().map(u64::from);
            let tally = Tally {
                stored: count()?,
                duplicate: count()?,
                unmatched: count()?,
                dead_lettered: count()?,
                filtered: count()?,
                joined: count()?,
                // Only the line dialogue counts delivered lines, and it has no acks.
                delivered: 0,
            };
            Ok(Ack { lease, tally })
        };
        (0..count).map(ack).collect()
    }

    pub(super) fn leases(&mut self) -> Result<Vec<LeaseId>, Malformed> {
        let count = usize::from(self.u16()?);
        let mut rest = Input(self.take(count * 8)?);
        (0..count).map(|_| rest.u64()).collect()
    }

    /// Reads all fields up to the end of the frame. `take` gets tag and value, and returns `false` for a tag that it does not
    /// know.
    pub(super) fn fields(
        mut self,
        mut take: impl FnMut(u8, &'a [u8]) -> Result<bool, Malformed>,
    ) -> Result<(), Malformed> {
        while !self.0.is_empty() {
            let (tag, length) = (self.u8()?, self.u32()?);
            let value = self.take(length as usize)?;
            if !take(tag, value)? && tag >= CRITICAL {
                return Err(Malformed(format!("the field {tag:#04x} is not known, and the message needs it")));
            }
        }
        Ok(())
    }
}

/// Reads the value of a field as a number of `N` bytes.
pub(super) fn number<const N: usize>(value: &[u8]) -> Result<[u8; N], Malformed> {
    value.try_into().map_err(|_| Malformed(format!("a field has {} bytes, but {N} are needed", value.len())))
}

/// Reads the value of a field as a text.
pub(super) fn text(value: &[u8]) -> Result<String, Malformed> {
    std::str::from_utf8(value).map(str::to_owned).map_err(|_| Malformed("a text is not UTF-8".into()))
}
