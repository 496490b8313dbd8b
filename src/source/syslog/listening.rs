//! The syslog sockets of a process.

use std::io;
use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};

use super::address::{Address, Transport};
use super::options::Options;
use super::outbox::Outbox;
use super::source::{COUNTERS, DROPPED, RECEIVED, Socket, Source};
use super::{tcp, tls, udp};
use crate::core::error::{Error, Result};
use crate::core::numbers::grouped;
use crate::envelope::Envelope;
use crate::observe::counters::{Counters, Row};
use crate::source::inputs::Input;
use crate::source::live::Live;
use crate::source::messages::{self, Messages};
use crate::source::receiver::{BatchReceiver, BatchSize};

/// The syslog sockets of a process, each with its counts.
#[derive(Debug, Clone, Default)]
pub struct Listening {
    sources: Vec<Arc<Source>>,
}

impl Listening {
    /// Opens a socket for each syslog address of `inputs`. Each socket counts as a reader of `live` from now on.
    /// Messages that arrive before the reading starts are not lost.
    ///
    /// # Errors
    /// Fails when a socket cannot be opened, or a TLS file cannot be used.
    pub fn open(inputs: &[Input], options: &Options, live: &Live) -> Result<Listening> {
        let addresses = inputs.iter().filter_map(|input| match input {
            Input::Syslog(address) => Some(address),
            _ => None,
        });
        let sources =
            addresses.map(|address| open_source(address, options, live).map(Arc::new)).collect::<Result<_>>()?;
        Ok(Listening { sources })
    }

    /// Whether there is a socket for TCP or TLS.
    pub fn connects(&self) -> bool {
        self.sources.iter().any(|source| matches!(source.socket, Socket::Tcp(..)))
    }

    /// Returns the addresses at which the sources listen, ports filled in.
    pub fn addresses(&self) -> Vec<String> {
        self.sources.iter().map(|source| source.name.clone()).collect()
    }

    /// The counts of each socket.
    pub fn counts(&self) -> Vec<Row> {
        self.sources.iter().map(|source| source.counts.row(&source.name)).collect()
    }

    /// Receives at `address` until `live` is told to stop or `receiver` wants no more.
    ///
    /// # Errors
    /// Fails when the socket fails, or when a message that is too long cannot be set aside.
    pub(in crate::source) fn read(
        &self,
        address: &Address,
        live: &Live,
        size: &BatchSize,
        receiver: &dyn BatchReceiver,
    ) -> Result<()> {
        let source = self.source(address);
        let source = source.ok_or_else(|| Error::internal(format!("{address}: nobody listens there")))?;
        let _entered = source.enter();
        let origin = messages::origin(&source.name).wrapped(Envelope::Syslog);
        let mut outbox = Outbox::new(Messages::new(receiver, size, origin), &source.counts);
        match &source.socket {
            Socket::Udp(socket) => udp::receive(socket, source, live, size.max_line, &mut outbox),
            Socket::Tcp(listener, tls) => {
                tcp::receive(listener, tls.as_ref(), source, live, size.max_line, &mut outbox)
            }
        }?;
        match source.counts.get(&RECEIVED) - outbox.handed() {
            0 => Ok(()),
            lost => Err(Error::input(format!(
                "{}: {} messages were received but not delivered before the end",
                source.name,
                grouped(lost)
            ))),
        }
    }

    /// Records that the socket for `address` will not be read.
    pub(in crate::source) fn leave(&self, address: &Address) {
        drop(self.source(address).map(|source| source.enter()));
    }

    fn source(&self, address: &Address) -> Option<&Source> {
        self.sources.iter().map(Arc::as_ref).find(|source| source.address == *address)
    }
}

fn open_source(address: &Address, options: &Options, live: &Live) -> Result<Source> {
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
            udp::enlarge(&socket, address, options);
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
    let entered = Mutex::new(Some(live.enter()));
    let name = Address { port: bound.port(), ..address.clone() }.to_string();
    options.say.say(format!("{name}: listening"));
    let (connections, idle, say) = (options.connections, options.idle, options.say.clone());
    let counts = Counters::new(COUNTERS).without(&DROPPED);
    Ok(Source { address: address.clone(), name, socket, connections, idle, counts, say, entered })
}
