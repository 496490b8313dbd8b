//! A syslog address as a source: one socket.

use std::io;
use std::net::{TcpListener, UdpSocket};

use super::address::{Address, Transport};
use super::options::{OPTIONS, Options};
use super::outbox::Outbox;
use super::source::{COUNTERS, DROPPED, RECEIVED, Socket, Source};
use super::{tcp, tls, udp};
use crate::core::error::{Error, Result};
use crate::core::numbers::grouped;
use crate::envelope::Envelope;
use crate::observe::counters::{Counters, Row};
use crate::source::api::{self, Opened, RunContext};
use crate::source::kind::{Place, SourceKind};
use crate::source::messages::{self, Messages};
use crate::source::multiline;
use crate::source::options::ReadOptions;
use crate::source::outcome::ReadOutcome;
use crate::source::say::Say;

/// Addresses at which syslog is received.
pub const KIND: SourceKind = SourceKind {
    help: "syslog+udp://HOST:PORT, syslog+tcp://HOST:PORT and syslog+tls://HOST:PORT receive syslog. HOST may be *. The \
           default ports are 514, 514 and 6514.",
    places: &[Place::Input, Place::Push],
    elsewhere: "this command needs inputs that have an end",
    options: OPTIONS,
    schemes: &["syslog+udp", "syslog+tcp", "syslog+tls"],
    counters: COUNTERS,
    claims: |name, _| Address::is_one(name),
    find: |names, context, found| {
        let options = Options::of(context.values)?;
        multiline::refuse(context.values, "messages of syslog")?;
        names.iter().try_for_each(|name| {
            let address = Address::parse(name.text)?;
            found.add_once(name.index, Listening { address, options: options.clone(), source: None });
            Ok(())
        })
    },
    ..SourceKind::NONE
};

/// A syslog address, and its socket when it is open.
struct Listening {
    address: Address,
    options: Options,
    source: Option<Source>,
}

impl api::Source for Listening {
    fn name(&self) -> String {
        self.address.to_string()
    }

    fn has_end(&self) -> bool {
        false
    }

    fn open(&mut self, options: &ReadOptions) -> Result<Opened> {
        let source = open(&self.address, &self.options, &options.say)?;
        let places = vec![source.name.clone()];
        self.source = Some(source);
        Ok(Opened { activity: "messages are received", addresses: places.clone(), places, ready: None })
    }

    fn run(&self, context: &RunContext) -> ReadOutcome {
        let (Some(source), Some(live)) = (&self.source, &context.options.live) else {
            return Error::internal(format!("{}: nobody listens there", self.address)).into();
        };
        let (size, receiver) = (&context.options.size, context.receiver);
        let origin = messages::origin(&source.name, context.options.encoding).wrapped(Envelope::Syslog);
        let origin = context.options.describing.complete(origin, None);
        let mut outbox = Outbox::new(Messages::new(receiver, size, origin), &source.counts);
        let received = match &source.socket {
            Socket::Udp(socket) => udp::receive(socket, source, live, size.max_line, &mut outbox),
            Socket::Tcp(listener, tls) => {
                tcp::receive(listener, tls.as_ref(), source, live, size.max_line, &mut outbox)
            }
        };
        let lost = source.counts.get(&RECEIVED) - outbox.handed();
        match received {
            Err(error) => error.into(),
            Ok(()) if lost == 0 => ReadOutcome::default(),
            Ok(()) => Error::input(format!(
                "{}: {} messages were received but not delivered before the end",
                source.name,
                grouped(lost)
            ))
            .into(),
        }
    }

    fn count(&self) -> Option<Row> {
        self.source.as_ref().map(|source| source.counts.row(&source.name))
    }
}

fn open(address: &Address, options: &Options, say: &Say) -> Result<Source> {
    let tls = match (address.transport, &options.tls) {
        (Transport::Tls, Some(files)) => Some(tls::config(files)?),
        (Transport::Tls, None) => {
            return Err(Error::usage(format!("{address}: TLS needs --tls-cert FILE and --tls-key FILE")));
        }
        _ => None,
    };
    let failed = |error: io::Error| Error::input(format!("{address}: cannot listen there")).because(error);
    let (socket, bound) = match address.transport {
        Transport::Udp => {
            let socket = address.bind(|host, port| UdpSocket::bind((host, port)))?;
            udp::enlarge(&socket, address, options.udp_buffer, say);
            let bound = socket.local_addr().map_err(failed)?;
            (Socket::Udp(socket), bound)
        }
        Transport::Tcp | Transport::Tls => {
            let listener = address.bind(|host, port| TcpListener::bind((host, port)))?;
            listener.set_nonblocking(true).map_err(failed)?;
            let bound = listener.local_addr().map_err(failed)?;
            (Socket::Tcp(listener, tls), bound)
        }
    };
    let name = Address { port: bound.port(), ..address.clone() }.to_string();
    say.say(format!("{name}: listening"));
    let Options { connections, idle, .. } = *options;
    let counts = Counters::new(COUNTERS).without(&DROPPED);
    Ok(Source { name, socket, connections, idle, counts, say: say.clone() })
}
