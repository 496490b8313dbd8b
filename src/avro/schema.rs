//! [`Schema`]: the schema of a writer, ready for decoding.

/// The schema of a writer. Its types refer to each other by their index, because they may be recursive.
#[derive(Debug)]
pub struct Schema {
    pub(super) nodes: Vec<Node>,
    /// The index of the type of a whole value.
    pub(super) root: usize,
    pub(super) canonical: String,
}

/// A type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    Null,
    Boolean,
    Int(IntKind),
    Long(LongKind),
    Float,
    Double,
    Bytes(BytesKind),
    String,
    Fixed {
        size: usize,
        kind: FixedKind,
    },
    /// The symbols, each as a JSON text.
    Enum(Vec<Box<[u8]>>),
    Array(usize),
    Map(usize),
    Union(Vec<usize>),
    Record(Vec<Member>),
    /// The type is being read. No schema that was read has one.
    Pending,
}

/// A field of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Member {
    pub name: Box<str>,
    /// The name as a JSON text, with the colon.
    pub key: Box<[u8]>,
    pub node: usize,
}

/// The meaning of an `int`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum IntKind {
    Plain,
    Date,
    TimeMillis,
}

/// The meaning of a `long`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LongKind {
    Plain,
    TimeMicros,
    Timestamp { fraction: Fraction, is_local: bool },
}

/// The unit of a timestamp.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fraction {
    Millis,
    Micros,
    Nanos,
}

/// The meaning of `bytes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BytesKind {
    Plain,
    Decimal(Decimal),
}

/// The meaning of a `fixed`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FixedKind {
    Plain,
    Decimal(Decimal),
    Duration,
    Uuid,
}

/// A decimal: the largest number of digits, and how many of them stand after the point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub precision: usize,
    pub scale: usize,
}

impl Schema {
    /// Returns the parsing canonical form: the schema without everything that does not matter for reading a value.
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// Returns the fingerprint of the schema, CRC-64-AVRO of its canonical form.
    pub fn fingerprint(&self) -> u64 {
        super::canonical::fingerprint(&self.canonical)
    }
}
