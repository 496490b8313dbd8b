//! `logator-push`: lines of standard input become messages.

mod delivered;

use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant};

use serde::Serialize;

use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::net::push::Pusher;
use crate::net::push::backlog::{Added, Backlog};
use crate::net::push::envelope::Wrapping;
use crate::net::socket::SocketOptions;
use crate::observe::console::Console;
use crate::observe::receipt::grouped;
use crate::observe::service_manager::Manager;
use crate::source::inputs::open_stdin;

/// Bytes of lines that wait at most, however many lines that is.
const MOST_BYTES: usize = 64 << 20;

/// What is read at a time.
const READ: usize = 128 << 10;

/// What libzmq puts together of messages to be written at once (`zmq-sys/patches.rs`).
const WRITTEN_AT_ONCE: usize = 64 << 10;

/// What a message is longer on the wire, at least.
const FRAME: usize = 2;

/// What a service manager is told when the sockets are open.
const READY: &str = "lines of standard input are sent";

/// How lines are sent.
#[derive(Debug, Clone)]
pub struct PushOptions {
    /// To whom.
    pub socket: SocketOptions,
    /// The `type` in the envelope of each line; `None` sends lines as they are.
    pub kind: Option<String>,
    /// How long what is left at the end may take.
    pub linger: Duration,
    /// Lines that wait while nobody takes any.
    pub queue: usize,
    /// Whether what is beyond that is thrown away; otherwise it is not read.
    pub drops: bool,
    /// What is answered on standard output, as rsyslog's omprog wants it.
    pub confirm: Confirm,
    /// The longest line.
    pub max_line: usize,
}

/// When `OK` is said for a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// Never.
    No,
    /// When it is in the queue.
    Queued,
    /// When libzmq has given it to a connection.
    Delivered,
}

/// What became of the lines.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sent {
    /// Lines read.
    pub read: u64,
    /// Lines given to libzmq.
    pub sent: u64,
    /// Lines thrown away because the queue was full.
    pub dropped: u64,
    /// Lines that were not taken, which whoever sent them was told instead of `OK`.
    pub refused: u64,
    /// Lines longer than allowed.
    pub too_long: u64,
    /// Lines that nobody took in time.
    pub unsent: u64,
    /// How many of those that libzmq got it may not have got rid of, at most.
    pub unsure: u64,
    /// From the start to the end.
    pub milliseconds: u64,
    /// The shortest message given to libzmq.
    #[serde(skip)]
    shortest: Option<usize>,
}

impl Sent {
    /// How many messages libzmq may hold for one peer: those of its queue, and what it has put together to be written.
    fn held_for_a_peer(&self, high_water: usize) -> u64 {
        let length = self.shortest.unwrap_or_default() + FRAME;
        (high_water + WRITTEN_AT_ONCE / length + 1) as u64
    }

    /// Counts what was read. A line that is too long will be so for ever: it is answered like one that is sent.
    fn take(&mut self, added: Added, replies: &mut Replies) {
        self.read += (added.lines + added.too_long) as u64;
        self.too_long += added.too_long as u64;
        replies.ok(added.too_long);
    }

    /// 0 when all lines are sent, 1 when some were left out as told, 3 when some should have been sent.
    pub fn exit_code(&self) -> u8 {
        match self {
            Sent { unsent: 1.., .. } | Sent { unsure: 1.., .. } => 3,
            Sent { dropped: 1.., .. } | Sent { too_long: 1.., .. } => 1,
            _ => 0,
        }
    }
}

/// Sends what comes in on standard input, until it ends or a signal comes.
///
/// # Errors
/// An endpoint that cannot be used, input that cannot be read.
pub fn push(options: &PushOptions, console: Console) -> Result<Sent> {
    let started = Instant::now();
    let stop = Stop::new()?;
    let manager = Manager::of_environment();
    super::stop_on_signals(&stop, &manager, &console, "what was read is sent")?;
    super::reload_keys_on_hangup(options.socket.security.as_ref(), &console)?;
    let input = Input::open()?;
    let pid = std::process::id();
    let encoding = Encoding(options.kind.as_deref().map(|kind| Wrapping::new(kind, pid)));
    let mut sent = match options.confirm {
        Confirm::Delivered => delivered::push(options, encoding, input, &stop, &console, &manager)?,
        _ => {
            let pushing = Pushing::new(options, encoding, input, &stop, &console)?;
            manager.ready(READY, &pushing.addresses());
            pushing.run()?
        }
    };
    sent.milliseconds = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    say(&sent, options, &console, pid);
    Ok(sent)
}

/// How it ended.
fn say(sent: &Sent, options: &PushOptions, console: &Console, pid: u32) {
    if sent.too_long > 0 {
        let (lines, most) = (grouped(sent.too_long), options.max_line);
        console.error(format!("{lines} lines longer than {most} bytes were not sent (--max-line)"));
    }
    if sent.dropped > 0 {
        let (lines, queue) = (grouped(sent.dropped), grouped(options.queue as u64));
        console.error(format!("{lines} lines were dropped: {queue} waited already (--queue), and nobody took any"));
    }
    if sent.refused > 0 {
        console.say(format!("{} lines were not taken, and answered so", grouped(sent.refused)));
    }
    if sent.unsent > 0 {
        let (lines, ms) = (grouped(sent.unsent), options.linger.as_millis());
        console.error(format!("{lines} lines were not sent: nobody took them within {ms} ms (--linger)"));
    }
    if sent.unsure > 0 {
        let lines = grouped(sent.unsure);
        console.error(format!("of the last {lines} lines sent, some may not have left: the peers did not read on"));
    }
    let (lines, ms) = (sent.sent, sent.milliseconds);
    let tag = options.kind.as_ref().map(|_| format!(" Tagged with @pid:{pid}")).unwrap_or_default();
    console.last_word(&format!("Processed {lines} messages in {ms} ms.{tag}"));
}

/// Lines as messages.
struct Encoding(Option<Wrapping>);

impl Encoding {
    #[inline]
    fn message<'a>(&'a mut self, line: &'a [u8]) -> &'a [u8] {
        match &mut self.0 {
            Some(wrapping) => wrapping.wrap(line),
            None => line,
        }
    }
}

/// Standard input, read without a buffer between: what poll says about the descriptor is true.
struct Input {
    file: File,
    buffer: Vec<u8>,
    ended: bool,
}

impl Input {
    fn open() -> Result<Input> {
        Ok(Input { file: open_stdin()?, buffer: vec![0; READ], ended: false })
    }

    /// What is there; nothing at the end.
    fn read(&mut self) -> Result<&[u8]> {
        loop {
            match self.file.read(&mut self.buffer) {
                Ok(length) => {
                    self.ended = length == 0;
                    return Ok(&self.buffer[..length]);
                }
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::input("-: standard input cannot be read").because(error)),
            }
        }
    }
}

/// Answers to whoever feeds standard input and waits for them.
struct Replies {
    out: Option<Vec<u8>>,
}

impl Replies {
    /// The first `OK` says that lines may come.
    fn new(wanted: bool) -> Replies {
        Replies { out: wanted.then(|| b"OK\n".to_vec()) }
    }

    fn ok(&mut self, count: usize) {
        if let Some(out) = &mut self.out {
            (0..count).for_each(|_| out.extend_from_slice(b"OK\n"));
        }
    }

    fn refuse(&mut self, count: usize, why: &str) {
        if let Some(out) = &mut self.out {
            (0..count).for_each(|_| out.extend_from_slice(format!("{why}\n").as_bytes()));
        }
    }

    /// Whoever wants answers and does not read them is gone; the end of input says that too.
    fn flush(&mut self) {
        if let Some(out) = self.out.as_mut().filter(|out| !out.is_empty()) {
            let mut stdout = std::io::stdout().lock();
            let _ = stdout.write_all(out).and_then(|()| stdout.flush());
            out.clear();
        }
    }
}

const QUEUE_FULL: &str = "the queue is full and nobody takes lines; this one was not taken";

/// Input to backlog to socket, in one thread that sleeps when there is nothing to do.
struct Pushing<'a> {
    options: &'a PushOptions,
    pusher: Pusher,
    encoding: Encoding,
    input: Input,
    stop: &'a Stop,
    backlog: Backlog,
    replies: Replies,
    /// Lines in the backlog that no answer was given for.
    unanswered: usize,
    sent: Sent,
}

impl<'a> Pushing<'a> {
    fn new(
        options: &'a PushOptions,
        encoding: Encoding,
        input: Input,
        stop: &'a Stop,
        console: &Console,
    ) -> Result<Pushing<'a>> {
        let pusher = Pusher::open(&options.socket, {
            let console = console.clone();
            Box::new(move |sentence| console.say(sentence))
        })?;
        for endpoint in pusher.endpoints() {
            console.say(format!("lines are pushed at {endpoint}"));
        }
        Ok(Pushing {
            options,
            pusher,
            encoding,
            input,
            stop,
            backlog: Backlog::new(options.max_line),
            replies: Replies::new(options.confirm == Confirm::Queued),
            unanswered: 0,
            sent: Sent::default(),
        })
    }

    /// Returns the addresses at which it listens, ports filled in.
    fn addresses(&self) -> Vec<String> {
        self.pusher.endpoints().iter().map(ToString::to_string).collect()
    }

    fn run(mut self) -> Result<Sent> {
        let mut deadline = None;
        loop {
            let all_sent = self.send()?;
            if !all_sent && self.options.drops {
                self.drop_newest();
            }
            self.answer();
            if let Some(deadline) = deadline
                && (all_sent || deadline <= Instant::now())
            {
                return self.finish(deadline);
            }
            let bounded = self.backlog.lines() < self.options.queue && self.backlog.bytes() < MOST_BYTES;
            let wants_input = deadline.is_none() && (self.options.drops || bounded);
            let stdin = wants_input.then(|| self.input.file.as_raw_fd());
            // Once requested, it would end every wait at once.
            let stop = deadline.is_none().then(|| self.stop.descriptor());
            let left = deadline.map(|deadline: Instant| deadline.saturating_duration_since(Instant::now()));
            let room = (!all_sent).then_some(zmq::POLLOUT);
            let [readable, _] = self.pusher.socket().wait(room, [stdin, stop], left)?;
            if readable {
                self.read()?;
            }
            if deadline.is_none() && (self.input.ended || self.stop.is_requested()) {
                let added = self.backlog.end();
                self.count(added);
                deadline = Some(Instant::now() + self.options.linger);
            }
        }
    }

    /// Gives libzmq what it takes; answers whether that was all.
    fn send(&mut self) -> Result<bool> {
        let Pushing { backlog, pusher, encoding, sent, .. } = self;
        let shortest = &mut sent.shortest;
        let (all, count) = backlog.send(|line| {
            let message = encoding.message(line);
            let taken = pusher.try_push(message)?;
            if taken && shortest.is_none_or(|shortest| message.len() < shortest) {
                *shortest = Some(message.len());
            }
            Ok::<_, Error>(taken)
        })?;
        sent.sent += count as u64;
        Ok(all)
    }

    fn read(&mut self) -> Result<()> {
        let data = self.input.read()?;
        let added = self.backlog.add(data);
        self.count(added);
        Ok(())
    }

    fn count(&mut self, added: Added) {
        self.sent.take(added, &mut self.replies);
        self.unanswered += added.lines;
    }

    fn drop_newest(&mut self) {
        let dropped = self.backlog.trim(self.options.queue, MOST_BYTES);
        if dropped > 0 {
            match self.options.confirm {
                Confirm::No => self.sent.dropped += dropped as u64,
                _ => self.sent.refused += dropped as u64,
            }
            self.unanswered = self.unanswered.saturating_sub(dropped);
            self.replies.ok(std::mem::take(&mut self.unanswered));
            self.replies.refuse(dropped, QUEUE_FULL);
        }
    }

    /// Says `OK` for what is sent or within the bounds of the queue.
    fn answer(&mut self) {
        let beyond = self.backlog.lines().saturating_sub(self.options.queue);
        let answered = self.unanswered.saturating_sub(beyond);
        self.unanswered -= answered;
        self.replies.ok(answered);
        self.replies.flush();
    }

    fn finish(mut self, deadline: Instant) -> Result<Sent> {
        let mut sent = self.sent;
        sent.unsent = self.backlog.lines() as u64;
        let peers = self.pusher.socket().peers().max(1) as u64;
        let linger = deadline.saturating_duration_since(Instant::now());
        if !self.pusher.close(linger)? {
            // What libzmq holds is not known, only how much it may be.
            let each = sent.held_for_a_peer(self.options.socket.high_water);
            sent.unsure = sent.sent.min(peers.saturating_mul(each));
        }
        Ok(sent)
    }
}
