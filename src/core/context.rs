//! [`Origin`] and [`Context`]: where records came from, and what was in force when they were read.

use std::sync::Arc;

use serde_json::{Map, Value};

use crate::core::envelope::Envelope;
use crate::core::record::IdRule;

/// The longest header in bytes. A longer one is cut at the end of a line.
pub const MAX_HEADER: usize = 64 << 10;

/// The source of records: everything that stays the same while one content is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// The stable name as a number: a fingerprint of the first bytes of the content, or of the name given with
    /// `--origin`.
    pub id: u64,
    /// The name for people: the path as given, or `-` for standard input. It is no part of any identity.
    pub name: String,
    /// The number of the content in this process, for the state directory; 0 if there is no state directory. It is not
    /// sent over the wire, and is no part of any identity.
    pub content: u32,
    /// The number under which the state directory keeps what is settled of the content, if it is not [`id`](Origin::id): a
    /// source whose contents have one id together has a fingerprint for each of them. It is not sent over the wire.
    pub fingerprint: Option<u64>,
    /// The absolute path of the file; `None` for anything else.
    pub path: Option<String>,
    /// The name of the machine that reads; `None` if it is unknown.
    pub host: Option<String>,
    /// The compression of the content, such as `gzip`; `None` if it is not compressed.
    pub compression: Option<String>,
    /// The encoding of the bytes of the content, as the Encoding Standard of WHATWG names it; `None` for UTF-8. The bytes are
    /// as they were read.
    pub encoding: Option<String>,
    /// Fields that each document of the source has, such as the name of its container: a JSON object as `serde_json` writes
    /// it. A field of the record with the same name counts instead. They are no part of any identity.
    pub fields: Option<Arc<str>>,
    /// The envelope of each record.
    pub envelope: Envelope,
    /// The rule that makes the ids of the records.
    pub rule: IdRule,
}

impl Origin {
    /// Creates the origin of plain records whose ids are made from offsets.
    pub fn new(id: u64, name: impl Into<String>) -> Origin {
        Origin {
            id,
            name: name.into(),
            content: 0,
            fingerprint: None,
            path: None,
            host: None,
            compression: None,
            encoding: None,
            fields: None,
            envelope: Envelope::None,
            rule: IdRule::Offset,
        }
    }

    /// Returns the same origin with records that are wrapped in `envelope`.
    pub fn wrapped(self, envelope: Envelope) -> Origin {
        Origin { envelope, ..self }
    }

    /// Returns the same origin whose documents have these `fields`. An empty object is the same as none.
    pub fn with_fields(self, fields: &Map<String, Value>) -> Origin {
        // A map with names that are texts can always be written.
        let text = (!fields.is_empty()).then(|| serde_json::to_string(fields).unwrap_or_default());
        Origin { fields: text.filter(|text| !text.is_empty()).map(Arc::from), ..self }
    }

    /// Returns the same origin of a content whose first line has told the `envelope`, which decides the rule of its ids.
    pub fn told_by(self, envelope: Envelope) -> Origin {
        Origin { envelope, rule: envelope.rule(), ..self }
    }

    /// Returns the same origin with ids that `rule` makes.
    pub fn ruled(self, rule: IdRule) -> Origin {
        Origin { rule, ..self }
    }
}

/// What is in force at a record: with the record's bytes, it determines the document. Cloning copies no text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The source.
    pub origin: Arc<Origin>,
    /// The lines that say how the records after them are to be read, with their line ends; `None` if there are none. It has
    /// at most [`MAX_HEADER`] bytes.
    pub header: Option<Arc<[u8]>>,
    /// The time that the source knew when it read the bytes, in milliseconds since 1970: for a file, the time of its last
    /// change; for a message, the time of its arrival. A time without a year gets its year from it. 0 means that no time is
    /// known; the year is then not later than 1970.
    pub time_ms: i64,
}

impl Context {
    /// Creates a context without a header and without a time.
    pub fn new(origin: Arc<Origin>) -> Context {
        Context { origin, header: None, time_ms: 0 }
    }

    /// Returns the same context at another time.
    pub fn at(self, time_ms: i64) -> Context {
        Context { time_ms, ..self }
    }
}
