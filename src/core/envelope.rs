//! [`Envelope`]: how the lines of a source are wrapped.

use serde::{Deserialize, Serialize};

/// How the lines of a source are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// They are not.
    #[default]
    None,
    /// Each is a JSON object: `{"message":…,"type":…,"@pid":…}`.
    Json,
    /// Each is a syslog message with its priority, of RFC 3164 or RFC 5424.
    Syslog,
}

impl Envelope {
    /// Its number on the wire.
    pub fn code(self) -> u8 {
        match self {
            Envelope::None => 0,
            Envelope::Json => 1,
            Envelope::Syslog => 2,
        }
    }

    /// The envelope with that number.
    pub fn of_code(code: u8) -> Option<Envelope> {
        match code {
            0 => Some(Envelope::None),
            1 => Some(Envelope::Json),
            2 => Some(Envelope::Syslog),
            _ => None,
        }
    }

    /// Whether lines are not wrapped.
    pub fn is_none(&self) -> bool {
        *self == Envelope::None
    }

    /// What is said of a line that is no such envelope.
    pub fn mismatch(self) -> &'static str {
        match self {
            Envelope::None => "the line is not wrapped",
            Envelope::Json => "the line is not a JSON object",
            Envelope::Syslog => "the line is not a syslog message: it does not begin with a priority, <0> to <999>",
        }
    }
}
