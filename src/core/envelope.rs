//! [`Envelope`]: how the lines of a source are wrapped.

use serde::{Deserialize, Serialize};

/// How the lines of a source are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Envelope {
    /// The lines are not wrapped.
    #[default]
    None,
    /// Each line is a JSON object: `{"message":…,"type":…,"@pid":…}`.
    Json,
    /// Each line is a syslog message with its priority, as RFC 3164 or RFC 5424 defines it.
    Syslog,
}

impl Envelope {
    /// Returns the number that stands for the envelope on the wire.
    pub fn code(self) -> u8 {
        match self {
            Envelope::None => 0,
            Envelope::Json => 1,
            Envelope::Syslog => 2,
        }
    }

    /// Returns the envelope with the number `code`; `None` for an unknown number.
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

    /// Returns the sentence for a line that does not have this envelope.
    pub fn mismatch(self) -> &'static str {
        match self {
            Envelope::None => "the line is not wrapped",
            Envelope::Json => "the line is not a JSON object",
            Envelope::Syslog => "the line is not a syslog message: it does not begin with a priority, <0> to <999>",
        }
    }
}
