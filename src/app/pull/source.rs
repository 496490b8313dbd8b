//! The messages of peers that push lines, as a source.

use std::path::Path;
use std::sync::{Mutex, PoisonError};

use super::farewell::Farewell;
use crate::core::error::{Error, Result};
use crate::core::option_spec::{Choice, Group, OptionSpec};
use crate::core::stop::Stop;
use crate::envelope::Envelope;
use crate::net::address::Address;
use crate::net::endpoint::Endpoint;
use crate::net::pull::Puller;
use crate::net::socket::SocketOptions;
use crate::source::api::{Opened, RunContext, Source};
use crate::source::kind::{Place, SourceKind};
use crate::source::messages::{self, Messages};
use crate::source::say::Say;
use crate::source::{ReadOptions, ReadOutcome, multiline};

/// The number of messages that are received between two looks at the clock.
const ROUND: usize = 1000;

/// Peers that push lines, as the user names them. The keys are those of the program: the options `curve-key`, `queue-key` and
/// `insecure`.
pub const KIND: SourceKind = SourceKind {
    help: "pull+ipc://PATH or pull+tcp://HOST:PORT pulls lines from a peer that pushes them, such as logator-push.",
    places: &[Place::From],
    elsewhere: "logator-worker --from and logator-pull receive the lines that peers push",
    options: &[OptionSpec::text(
        "envelope",
        "auto|none|json",
        Group::Input,
        "Wrapping of the lines from pull+ endpoints",
    )
    .choices(&[
        Choice { name: "auto", alias: None, help: "A message is opened if it is the object of zmqpush (default)" },
        Choice { name: "none", alias: None, help: "A message is a line" },
        Choice { name: "json", alias: None, help: "A message is {\"message\":LINE,\"type\":TYPE,\"@pid\":PID}" },
    ])
    .default("auto")
    .more("logator-push and zmqpush send json. The type and @pid become fields of the document.")],
    schemes: &["pull+ipc", "pull+tcp"],
    file: |name| endpoint(name).ok()?.path().map(Path::to_owned),
    claims: |name, _| name.starts_with("pull+"),
    find: |names, context, found| {
        multiline::refuse(context.values, "messages of peers")?;
        let endpoints: Vec<Endpoint> = names.iter().map(|name| endpoint(name.text)).collect::<Result<_>>()?;
        let (own, queues) = (context.values.path("curve-key"), context.values.texts("queue-key"));
        let queues: Vec<String> = queues.map(str::to_owned).collect();
        let may_reach_out = context.values.is_on("insecure") || own.is_some() || !queues.is_empty();
        endpoints.iter().try_for_each(|endpoint| endpoint.check_reach(may_reach_out))?;
        let connect = Address::with_keys(&endpoints, own.as_deref(), &queues)?;
        let envelope = match context.values.text("envelope") {
            Some("json") => Envelope::Json,
            Some("none") => Envelope::None,
            _ => Envelope::Pushed,
        };
        let socket = SocketOptions { connect, ..SocketOptions::default() };
        found.add(names.first().map_or(0, |name| name.index), PullSource::new(&socket, envelope));
        Ok(())
    },
    ..SourceKind::NONE
};

/// Parses a name of this kind.
fn endpoint(name: &str) -> Result<Endpoint> {
    Endpoint::parse(name.strip_prefix("pull+").unwrap_or(name))
}

/// The messages of peers that push lines. It has no end.
pub(super) struct PullSource {
    socket: SocketOptions,
    envelope: Envelope,
    name: String,
    /// The open socket, until it is read.
    puller: Mutex<Option<Puller>>,
}

impl PullSource {
    /// Creates a source with a socket for `socket`. Each message is wrapped in `envelope`.
    pub(super) fn new(socket: &SocketOptions, envelope: Envelope) -> PullSource {
        PullSource { socket: socket.clone(), envelope, name: "pull".to_owned(), puller: Mutex::default() }
    }
}

impl Source for PullSource {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn has_end(&self) -> bool {
        false
    }

    fn open(&mut self, options: &ReadOptions) -> Result<Opened> {
        let live = options.live.as_ref().ok_or_else(|| Error::internal("pulling lines needs a way to stop"))?;
        let puller = open(&self.socket, &live.stop, &options.say)?;
        let names: Vec<String> = puller.all_endpoints().map(|endpoint| format!("pull+{endpoint}")).collect();
        self.name = names.join(" ");
        let opened = describe(&puller);
        self.puller = Mutex::new(Some(puller));
        Ok(opened)
    }

    fn comes_again(&self) -> bool {
        false
    }

    fn run(&self, context: &RunContext) -> ReadOutcome {
        let puller = self.puller.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(puller), Some(live)) = (puller, &context.options.live) else {
            return Error::internal(format!("{}: the socket is not open", self.name)).into();
        };
        let origin = messages::origin(&self.name, context.options.encoding).wrapped(self.envelope);
        let origin = context.options.describing.complete(origin, None);
        let mut messages = Messages::new(context.receiver, &context.options.size, origin);
        match receive(puller, &mut messages, &live.stop) {
            Err(error) => error.into(),
            Ok(()) if messages.unwanted() == 0 => ReadOutcome::default(),
            Ok(()) => Error::input(format!(
                "{}: {} lines that were received are lost: the workers had ended, and nobody sends them again",
                self.name,
                messages.unwanted()
            ))
            .into(),
        }
    }
}

/// Opens the socket, and says where it listens.
pub(super) fn open(socket: &SocketOptions, stop: &Stop, say: &Say) -> Result<Puller> {
    let told = say.clone();
    let puller = Puller::open(socket, Box::new(move |sentence| told.say(sentence)))?.until(stop.clone());
    for endpoint in puller.endpoints() {
        say.say(format!("lines are pulled at {endpoint}"));
    }
    Ok(puller)
}

/// Returns what `puller` does and the addresses at which it listens.
pub(super) fn describe(puller: &Puller) -> Opened {
    Opened {
        activity: "lines are pulled",
        places: puller.all_endpoints().map(ToString::to_string).collect(),
        addresses: puller.endpoints().iter().map(ToString::to_string).collect(),
        ready: None,
    }
}

/// Receives messages until `stop` is requested. It hands them on when no more messages come for a moment, and also when they
/// keep coming. While the queue has no room, it receives nothing.
fn receive(mut puller: Puller, messages: &mut Messages, stop: &Stop) -> Result<()> {
    let mut farewell = Farewell::default();
    loop {
        let (mut count, mut bytes) = (0, 0);
        while count < ROUND
            && let Some(message) = puller.receive()?
        {
            bytes += message.len() + 1;
            if !messages.add(message)? {
                return Ok(());
            }
            count += 1;
        }
        let ends = stop.is_requested();
        if !messages.hand_out(count == 0) {
            return Ok(());
        }
        if ends {
            if !farewell.go_on(bytes, &mut puller)? {
                messages.flush();
                return Ok(());
            }
        } else if count < ROUND {
            puller.wait(messages.patience())?;
        }
    }
}
