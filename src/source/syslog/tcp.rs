//! Receives messages over TCP and TLS, with one thread, one `epoll` and one read buffer for all connections. A
//! connection holds memory only for an unfinished message. While the queue is full, no connection is read, and senders
//! have to wait. At the limit of connections, the connection that was idle for the longest time is closed for a new
//! one.

use std::io::{self, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags};
use nix::sys::socket::{setsockopt, sockopt};
use rustls::ServerConfig;

use super::frame::{Broken, Framer};
use super::outbox::{LimitedWarning, Outbox, SourceEnd};
use super::source::{CONNECTIONS, DRAIN_TIME, IDLE, REFUSED, Source, WRONG_COUNTS};
use super::tls::{Step, Tls};
use crate::core::error::{Error, Result};
use crate::core::numbers::human_bytes;
use crate::observe::details;
use crate::source::batching_delay::timeout;
use crate::source::live::Live;

/// The size of the read buffer, in bytes.
const BUFFER: usize = 128 << 10;

/// The maximum number of events that one wait returns.
const EVENTS: usize = 256;

/// How long a TLS handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long no connection is accepted after the system could not accept one.
const PAUSE: Duration = Duration::from_secs(1);

/// The maximum number of bytes of unfinished messages, of all connections together.
const PARTIAL: usize = 64 << 20;

static CAME: details::Seldom = details::Seldom::new();

const LISTENER: u64 = 0;
const STOP: u64 = 1;
const FIRST: u64 = 2;

pub(super) fn receive(
    listener: &TcpListener,
    tls: Option<&Arc<ServerConfig>>,
    source: &Source,
    live: &Live,
    max_line: usize,
    outbox: &mut Outbox<'_>,
) -> Result<()> {
    let failed = |errno: Errno| Error::system(format!("{}: cannot wait for connections", source.name)).because(errno);
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC).map_err(failed)?;
    epoll.add(listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER)).map_err(failed)?;
    epoll.add(live.stop.as_fd(), EpollEvent::new(EpollFlags::EPOLLIN, STOP)).map_err(failed)?;
    let mut receiver = Receiver {
        listener,
        tls,
        source,
        max_line,
        epoll,
        slots: Vec::new(),
        free: Vec::new(),
        handshakes: 0,
        partial: 0,
        paused: None,
        buffer: vec![0; BUFFER],
        refused: LimitedWarning::default(),
        broken: LimitedWarning::default(),
        idle: LimitedWarning::default(),
        unable: LimitedWarning::default(),
        misframed: LimitedWarning::default(),
    };
    match receiver.work(outbox) {
        Ok(()) | Err(SourceEnd::Enough) => Ok(()),
        Err(SourceEnd::Failed(error)) => Err(error),
    }
}

struct Receiver<'a> {
    listener: &'a TcpListener,
    tls: Option<&'a Arc<ServerConfig>>,
    source: &'a Source,
    max_line: usize,
    epoll: Epoll,
    slots: Vec<Option<Connection>>,
    /// The indices of free slots.
    free: Vec<usize>,
    /// The number of connections whose TLS handshake is not finished.
    handshakes: usize,
    /// The bytes of all unfinished messages.
    partial: usize,
    /// The time since which no connection is accepted.
    paused: Option<Instant>,
    buffer: Vec<u8>,
    refused: LimitedWarning,
    broken: LimitedWarning,
    idle: LimitedWarning,
    unable: LimitedWarning,
    misframed: LimitedWarning,
}

struct Connection {
    stream: TcpStream,
    peer: SocketAddr,
    framer: Framer,
    /// The state is in a box because it takes some kilobytes, which a connection without TLS does not need.
    tls: Option<Box<Tls>>,
    /// The time of the last bytes, or of the start if none came.
    last_heard: Instant,
    /// The start of the TLS handshake, until it is finished.
    handshake: Option<Instant>,
    /// Whether `epoll` also waits until the connection can be written to.
    writing: bool,
}

/// Why a connection is closed.
enum CloseReason {
    /// The peer closed it.
    ByPeer,
    /// It broke a rule, which the text names.
    Broken(String),
    /// The whole socket is not read any longer.
    Source(SourceEnd),
}

impl Receiver<'_> {
    fn work(&mut self, outbox: &mut Outbox<'_>) -> Result<(), SourceEnd> {
        let mut events = [EpollEvent::empty(); EVENTS];
        loop {
            let patience = [
                outbox.patience(),
                (self.handshakes > 0).then_some(PAUSE),
                self.paused.map(|since| PAUSE.saturating_sub(since.elapsed())),
            ];
            let ready = match self.epoll.wait(&mut events, timeout(patience.into_iter().flatten().min())) {
                Ok(ready) => ready,
                Err(Errno::EINTR) => 0,
                Err(errno) => {
                    let error = Error::system(format!("{}: cannot wait for messages", self.source.name));
                    return Err(SourceEnd::Failed(error.because(errno)));
                }
            };
            for event in &events[..ready] {
                match event.data() {
                    LISTENER => self.accept(outbox)?,
                    STOP => return self.end(outbox),
                    token => {
                        self.serve((token - FIRST) as usize, outbox)?;
                    }
                }
            }
            outbox.hand_out(ready == 0)?;
            self.do_timed_work(outbox)?;
        }
    }

    /// Accepts all connections that wait.
    fn accept(&mut self, outbox: &mut Outbox<'_>) -> Result<(), SourceEnd> {
        loop {
            match self.listener.accept() {
                // The address of an IPv4 peer of an IPv6 socket is written as an IPv4 address.
                Ok((stream, peer)) => {
                    self.admit(stream, SocketAddr::new(peer.ip().to_canonical(), peer.port()), outbox)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                // The peer has already closed the connection.
                Err(error) if matches!(error.kind(), io::ErrorKind::Interrupted | io::ErrorKind::ConnectionAborted) => {
                }
                Err(error) => {
                    let full = matches!(error.raw_os_error().map(Errno::from_raw), Some(Errno::EMFILE | Errno::ENFILE));
                    if full && self.close_idle("no more files can be opened", outbox)? {
                        continue;
                    }
                    let name = &self.source.name;
                    self.unable.warn(&self.source.say, || {
                        format!("{name}: no more connections for now: {error} (ulimit -n is the limit of open files)")
                    });
                    // The next attempt would fail at once and block the loop, so the loop pauses.
                    if self.epoll.delete(self.listener).is_ok() {
                        self.paused = Some(Instant::now());
                    }
                    return Ok(());
                }
            }
        }
    }

    fn admit(&mut self, stream: TcpStream, peer: SocketAddr, outbox: &mut Outbox<'_>) -> Result<(), SourceEnd> {
        let taken = self.slots.len() - self.free.len();
        if taken >= self.source.connections
            && !self.close_idle(&format!("there are {taken} (--max-connections)"), outbox)?
        {
            self.source.counts.add(&REFUSED, 1);
            let name = &self.source.name;
            self.refused.warn(&self.source.say, || {
                format!("{name}: the connection of {peer} was refused: there are {taken} (--max-connections)")
            });
            return Ok(());
        }
        // TCP keep-alive detects a peer that vanished without closing the connection.
        let _ = setsockopt(&stream, sockopt::KeepAlive, &true);
        let opened = stream
            .set_nonblocking(true)
            .and_then(|()| self.tls.map(|config| Tls::new(config).map(Box::new)).transpose());
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            self.slots.len() - 1
        });
        let added = opened.and_then(|tls| {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, FIRST + slot as u64);
            self.epoll.add(&stream, event).map_err(io::Error::from)?;
            Ok(tls)
        });
        match added {
            Ok(tls) => {
                self.source.counts.add(&CONNECTIONS, 1);
                CAME.tell(1, |times, _| {
                    format!("{}: {times} connections so far, the last from {peer}", self.source.name)
                });
                self.handshakes += usize::from(tls.is_some());
                let handshake = tls.as_ref().map(|_| Instant::now());
                let framer = Framer::new(self.max_line);
                let last_heard = Instant::now();
                self.slots[slot] =
                    Some(Connection { stream, peer, framer, tls, last_heard, handshake, writing: false });
            }
            Err(error) => {
                self.source.counts.add(&REFUSED, 1);
                self.free.push(slot);
                let name = &self.source.name;
                self.unable.warn(&self.source.say, || format!("{name}: the connection of {peer} was refused: {error}"));
            }
        }
        Ok(())
    }

    /// Closes the connection that was idle for the longest time, if it was idle for long enough. Returns `false` if
    /// there is none. `why` says which limit is reached.
    fn close_idle(&mut self, why: &str, outbox: &mut Outbox<'_>) -> Result<bool, SourceEnd> {
        loop {
            let connections = self.slots.iter().enumerate();
            let last_heard = connections.filter_map(|(slot, connection)| Some((connection.as_ref()?.last_heard, slot)));
            let Some((last_heard, slot)) = last_heard.min() else { return Ok(false) };
            if last_heard.elapsed() < self.source.idle {
                return Ok(false);
            }
            // While the queue was full, no connection was read. A connection may seem idle although data waits, so it
            // is read first.
            let still =
                |receiver: &Self| receiver.slots[slot].as_ref().is_some_and(|there| there.last_heard == last_heard);
            while still(self) && self.serve(slot, outbox)? {}
            match &self.slots[slot] {
                None => return Ok(true),
                Some(connection) if connection.last_heard != last_heard => continue,
                // The peer may send more until it learns that the connection closes. These bytes are read as well.
                Some(connection) => drop(connection.stream.shutdown(Shutdown::Write)),
            }
            let start = Instant::now();
            while self.serve(slot, outbox)? && start.elapsed() < DRAIN_TIME {}
            if let Some(connection) = &self.slots[slot] {
                let (name, peer) = (&self.source.name, connection.peer);
                let seconds = last_heard.elapsed().as_secs();
                self.source.counts.add(&IDLE, 1);
                self.idle.warn(&self.source.say, || {
                    format!("{name}: {why}; the connection of {peer}, idle for {seconds} s, was closed for another one")
                });
                self.close(slot, None, outbox)?;
            }
            return Ok(true);
        }
    }

    /// Reads once from the connection in `slot`, and closes the connection at its end. Returns `true` if more data may
    /// be there. Returns `false` if there is no data now, the connection is closed, or the slot is free.
    fn serve(&mut self, slot: usize, outbox: &mut Outbox<'_>) -> Result<bool, SourceEnd> {
        let Some(Some(connection)) = self.slots.get_mut(slot) else { return Ok(false) };
        let before = connection.framer.memory();
        let step = connection.read(&mut self.buffer, outbox);
        self.partial = self.partial + connection.framer.memory() - before;
        let (wrong, peer) = (connection.framer.take_wrong_counts(), connection.peer);
        if connection.handshake.is_some() && connection.tls.as_ref().is_none_or(|tls| !tls.is_handshaking()) {
            connection.handshake = None;
            self.handshakes -= 1;
        }
        note_wrong_counts(self.source, &mut self.misframed, wrong, peer);
        match step {
            Ok(step) => {
                let writing = connection.tls.as_ref().is_some_and(|tls| tls.wants_write());
                if writing != connection.writing {
                    connection.writing = writing;
                    let out = if writing { EpollFlags::EPOLLOUT } else { EpollFlags::empty() };
                    let mut event = EpollEvent::new(EpollFlags::EPOLLIN | out, FIRST + slot as u64);
                    // If this fails, the connection is closed when the peer closes it.
                    let _ = self.epoll.modify(&connection.stream, &mut event);
                }
                if self.partial > PARTIAL {
                    self.make_room(outbox)?;
                }
                Ok(matches!(step, Step::More))
            }
            Err(CloseReason::Source(ended)) => Err(ended),
            Err(CloseReason::ByPeer) => self.close(slot, None, outbox).map(|()| false),
            Err(CloseReason::Broken(why)) => self.close(slot, Some(why), outbox).map(|()| false),
        }
    }

    /// Closes a connection. The rest of an unfinished message will not come, so the message is delivered as it is.
    fn close(&mut self, slot: usize, why: Option<String>, outbox: &mut Outbox<'_>) -> Result<(), SourceEnd> {
        let Some(mut connection) = self.slots.get_mut(slot).and_then(Option::take) else { return Ok(()) };
        self.free.push(slot);
        self.partial -= connection.framer.memory();
        self.handshakes -= usize::from(connection.handshake.is_some());
        if let Some(why) = why {
            self.source.counts.add(&REFUSED, 1);
            let (name, peer) = (&self.source.name, connection.peer);
            self.broken.warn(&self.source.say, || format!("{name}: the connection of {peer} was closed: {why}"));
        }
        self.resume();
        let finished = connection.framer.finish(|frame| outbox.add(frame));
        let wrong = connection.framer.take_wrong_counts();
        note_wrong_counts(self.source, &mut self.misframed, wrong, connection.peer);
        finished
    }

    /// Closes the connection whose unfinished message holds the most memory.
    fn make_room(&mut self, outbox: &mut Outbox<'_>) -> Result<(), SourceEnd> {
        let memory = |slot: &usize| self.slots[*slot].as_ref().map_or(0, |connection| connection.framer.memory());
        let Some(largest) = (0..self.slots.len()).max_by_key(memory) else { return Ok(()) };
        let why = format!(
            "unfinished messages hold {} in total, and the one of this connection is the largest",
            human_bytes(PARTIAL as u64)
        );
        self.close(largest, Some(why), outbox)
    }

    /// Accepts connections again.
    fn resume(&mut self) {
        if self.paused.is_some() {
            let event = EpollEvent::new(EpollFlags::EPOLLIN, LISTENER);
            self.paused = match self.epoll.add(self.listener, event) {
                Ok(()) => None,
                Err(_) => Some(Instant::now()),
            };
        }
    }

    /// Does the work that depends on the time: it ends the pause and closes connections whose handshake takes too long.
    fn do_timed_work(&mut self, outbox: &mut Outbox<'_>) -> Result<(), SourceEnd> {
        if self.paused.is_some_and(|since| since.elapsed() >= PAUSE) {
            self.resume();
        }
        if self.handshakes == 0 {
            return Ok(());
        }
        let late = |slot: &Option<Connection>| {
            slot.as_ref()
                .is_some_and(|connection| connection.handshake.is_some_and(|since| since.elapsed() > HANDSHAKE))
        };
        while let Some(slot) = self.slots.iter().position(late) {
            self.close(slot, Some(format!("the TLS handshake took more than {} s", HANDSHAKE.as_secs())), outbox)?;
        }
        Ok(())
    }

    /// Reads the data that the kernel already has, and closes all connections.
    fn end(&mut self, outbox: &mut Outbox<'_>) -> Result<(), SourceEnd> {
        let start = Instant::now();
        self.accept(outbox)?;
        let mut more = true;
        while more && start.elapsed() < DRAIN_TIME {
            more = false;
            for slot in 0..self.slots.len() {
                more |= self.serve(slot, outbox)?;
            }
        }
        for slot in 0..self.slots.len() {
            self.close(slot, None, outbox)?;
        }
        outbox.hand_out(true)
    }
}

/// Counts the wrong counts of the octet counting, and says so.
fn note_wrong_counts(source: &Source, said: &mut LimitedWarning, wrong: u64, peer: SocketAddr) {
    if wrong > 0 {
        source.counts.add(&WRONG_COUNTS, wrong);
        let name = &source.name;
        said.warn(&source.say, || {
            format!("{name}: framing error: a count of bytes from {peer} does not end at a message; the next one is looked for")
        });
    }
}

impl Connection {
    /// Reads once.
    fn read(&mut self, buffer: &mut [u8], outbox: &mut Outbox<'_>) -> Result<Step, CloseReason> {
        let (framer, last_heard) = (&mut self.framer, &mut self.last_heard);
        let mut take = |bytes: &[u8]| {
            *last_heard = Instant::now();
            framer.push(bytes, |frame| outbox.add(frame)).map_err(|broken| match broken {
                Broken::Garbage(garbage) => CloseReason::Broken(garbage.to_string()),
                Broken::Taker(ended) => CloseReason::Source(ended),
            })
        };
        let step = match &mut self.tls {
            Some(tls) => {
                let agreed = !tls.is_handshaking();
                let read = tls.read(&self.stream, buffer, &mut take);
                match read {
                    Ok(step) => step?,
                    // If the connection breaks after the handshake, the peer is simply gone. Only errors of TLS itself
                    // are reported.
                    Err(error) if agreed && error.kind() != io::ErrorKind::Other => Step::Ended,
                    Err(error) => return Err(CloseReason::Broken(format!("TLS failed: {error}"))),
                }
            }
            None => match (&self.stream).read(buffer) {
                Ok(0) => Step::Ended,
                Ok(length) => {
                    take(&buffer[..length])?;
                    Step::More
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => Step::Blocked,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => Step::More,
                Err(_) => Step::Ended,
            },
        };
        match step {
            Step::Ended => Err(CloseReason::ByPeer),
            step => Ok(step),
        }
    }
}
