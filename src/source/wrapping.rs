//! [`Wrapping`]: how the envelope of a content is found. A content is wrapped by a container runtime or not; all its lines are
//! alike, so the first line tells it.

use std::path::Path;

use super::kubernetes;
use crate::core::context::Origin;
use crate::core::envelope::Envelope;
use crate::core::option_spec::{Choice, Group, OptionSpec};
use crate::envelope::container;

/// The values of the option, with the envelope that each means.
const VALUES: [(&str, Wrapping); 7] = [
    ("auto", Wrapping::Told),
    ("none", Wrapping::Given(Envelope::None)),
    ("json-file", Wrapping::Given(Envelope::DockerJson)),
    ("docker-time", Wrapping::Given(Envelope::DockerTime)),
    ("cri", Wrapping::Given(Envelope::Cri)),
    ("compose", Wrapping::Given(Envelope::Compose)),
    ("syslog", Wrapping::Given(Envelope::Syslog)),
];

const CHOICES: [Choice; 7] = [
    Choice { name: "auto", alias: None, help: "The first line of each content tells it (default)" },
    Choice { name: "none", alias: None, help: "A line is a record as it is" },
    Choice { name: "json-file", alias: None, help: "JSON objects of Docker's driver json-file" },
    Choice { name: "docker-time", alias: None, help: "docker logs --timestamps: TIME text" },
    Choice { name: "cri", alias: None, help: "Container runtimes of Kubernetes: TIME stdout F text" },
    Choice { name: "compose", alias: None, help: "docker compose logs: web-1  | text" },
    Choice { name: "syslog", alias: None, help: "Syslog messages, whose text has another format" },
];

/// The option of all inputs that are read for their lines.
pub const OPTION: OptionSpec =
    OptionSpec::text("wrapping", "HOW", Group::Input, "How the lines of containers or of syslog are wrapped")
        .choices(&CHOICES)
        .default("auto")
        .more("The message inside is parsed. Time, stream and names of the container become fields.")
        .rare();

/// How the envelope of a content is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wrapping {
    /// It is not looked for. Paths have no meaning either.
    #[default]
    Ignored,
    /// The first line tells it.
    Told,
    /// The user names it.
    Given(Envelope),
}

impl Wrapping {
    /// Returns the meaning of a value of the option.
    pub fn parse(text: &str) -> Wrapping {
        VALUES.iter().find(|(name, _)| *name == text).map_or(Wrapping::Told, |(_, wrapping)| *wrapping)
    }

    /// Completes the origin of the content that begins with `beginning`, which has the whole first line: with envelope, rule of
    /// ids, and the fields that the path of the file tells.
    pub fn complete(self, origin: Origin, path: Option<&Path>, beginning: &[u8]) -> Origin {
        let envelope = match self {
            Wrapping::Ignored => return origin,
            Wrapping::Told => container::detect(beginning),
            Wrapping::Given(envelope) => envelope,
        };
        let fields =
            path.map(|path| kubernetes::fields(path, |link| std::fs::read_link(link).ok())).unwrap_or_default();
        origin.wrapped(envelope).ruled(envelope.rule()).with_fields(&fields)
    }
}
