//! [`Envelope`]: how the lines of a source are wrapped.

use serde::{Deserialize, Serialize};

use crate::core::record::IdRule;

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
    /// Each line is a JSON object of Docker's driver `json-file`: `{"log":"…\n","stream":"stdout","time":"…"}`.
    #[serde(rename = "json-file")]
    DockerJson,
    /// Each line has its time before it, as `docker logs --timestamps` prints it.
    #[serde(rename = "docker-time")]
    DockerTime,
    /// Each line has time, stream and a tag before it, as container runtimes of Kubernetes write it: `TIME stdout F text`.
    Cri,
    /// Each line has the name of its container before it, as `docker compose logs` prints it: `web-1  | text`.
    Compose,
    /// Each line is the JSON object of zmqpush, which is opened, or else a line as it is.
    Pushed,
}

impl Envelope {
    /// All envelopes.
    pub const ALL: [Envelope; 8] = [
        Envelope::None,
        Envelope::Json,
        Envelope::Syslog,
        Envelope::DockerJson,
        Envelope::DockerTime,
        Envelope::Cri,
        Envelope::Compose,
        Envelope::Pushed,
    ];

    /// Returns the number that stands for the envelope on the wire.
    pub fn code(self) -> u8 {
        match self {
            Envelope::None => 0,
            Envelope::Json => 1,
            Envelope::Syslog => 2,
            Envelope::DockerJson => 3,
            Envelope::DockerTime => 4,
            Envelope::Cri => 5,
            Envelope::Compose => 6,
            Envelope::Pushed => 7,
        }
    }

    /// Returns the envelope with the number `code`; `None` for an unknown number.
    pub fn of_code(code: u8) -> Option<Envelope> {
        Envelope::ALL.into_iter().find(|envelope| envelope.code() == code)
    }

    /// Whether each line was wrapped by a container runtime or its tools.
    pub fn is_container(self) -> bool {
        matches!(self, Envelope::DockerJson | Envelope::DockerTime | Envelope::Cri | Envelope::Compose)
    }

    /// Returns the rule that makes the ids of records with this envelope in a file: the times in the envelope, if it has any.
    pub fn rule(self) -> IdRule {
        match self {
            Envelope::DockerJson | Envelope::DockerTime | Envelope::Cri => IdRule::Time,
            Envelope::None | Envelope::Json | Envelope::Syslog | Envelope::Compose | Envelope::Pushed => IdRule::Offset,
        }
    }

    /// Whether lines are not wrapped.
    pub fn is_none(&self) -> bool {
        *self == Envelope::None
    }

    /// Returns the sentence for a line that does not have this envelope.
    pub fn mismatch(self) -> &'static str {
        match self {
            Envelope::None | Envelope::Pushed => "the line is not wrapped",
            Envelope::Json => "the line is not a JSON object",
            Envelope::Syslog => {
                "the line is not a syslog message: it begins neither with a priority, <0> to <999>, nor with a whole header"
            }
            Envelope::DockerJson => "the line is not a JSON object with the members log and time",
            Envelope::DockerTime => "the line does not begin with a time and a blank",
            Envelope::Cri => "the line does not begin with a time, stdout or stderr, and P or F",
            Envelope::Compose => "the line does not begin with the name of a container and a vertical bar",
        }
    }
}
