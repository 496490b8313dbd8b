//! `logator-push` without `--confirm=delivered`: lines wait in a queue and are sent as fast as peers take them.

use std::os::fd::AsRawFd;
use std::time::Instant;

use super::input::{Encoding, Input};
use super::options::{Confirm, PushOptions};
use super::replies::Replies;
use super::sent::Sent;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::net::push::Pusher;
use crate::net::push::backlog::{Added, Backlog};
use crate::observe::console::Console;

/// The maximum number of bytes of lines that wait, whatever the number of lines.
const MOST_BYTES: usize = 64 << 20;

/// The answer for a line that finds the queue full.
const QUEUE_FULL: &str = "the queue is full and nobody takes lines; this one was not taken";

/// Moves lines from the input to a backlog and from there to the socket, in one thread that sleeps while it has nothing to do.
pub(super) struct QueuedPush<'a> {
    options: &'a PushOptions,
    pusher: Pusher,
    encoding: Encoding,
    input: Input,
    stop: &'a Stop,
    backlog: Backlog,
    replies: Replies,
    /// Lines in the backlog that are not answered yet.
    unanswered: usize,
    sent: Sent,
}

impl<'a> QueuedPush<'a> {
    /// Opens the socket.
    pub(super) fn new(
        options: &'a PushOptions,
        encoding: Encoding,
        input: Input,
        stop: &'a Stop,
        console: &Console,
    ) -> Result<QueuedPush<'a>> {
        let pusher = Pusher::open(&options.socket, {
            let console = console.clone();
            Box::new(move |sentence| console.say(sentence))
        })?;
        for endpoint in pusher.endpoints() {
            console.say(format!("lines are pushed at {endpoint}"));
        }
        Ok(QueuedPush {
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

    /// Returns the addresses at which the socket listens, with actual ports.
    pub(super) fn addresses(&self) -> Vec<String> {
        self.pusher.endpoints().iter().map(ToString::to_string).collect()
    }

    /// Sends lines until the input ends or a stop is requested, and then the remaining lines.
    pub(super) fn run(mut self) -> Result<Sent> {
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
            // After a request to stop, the descriptor of `stop` stays readable and would end every wait at once.
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

    /// Gives lines to libzmq until it takes no more. Returns whether all lines are sent.
    fn send(&mut self) -> Result<bool> {
        let QueuedPush { backlog, pusher, encoding, sent, .. } = self;
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

    /// Reads data into the backlog.
    fn read(&mut self) -> Result<()> {
        let data = self.input.read()?;
        let added = self.backlog.add(data);
        self.count(added);
        Ok(())
    }

    /// Counts lines that came into the backlog.
    fn count(&mut self, added: Added) {
        self.sent.take(added, &mut self.replies);
        self.unanswered += added.lines;
    }

    /// Drops the newest lines that exceed the limits of the queue.
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

    /// Answers `OK` for each line that is sent or that is within the limits of the queue.
    fn answer(&mut self) {
        let beyond = self.backlog.lines().saturating_sub(self.options.queue);
        let answered = self.unanswered.saturating_sub(beyond);
        self.unanswered -= answered;
        self.replies.ok(answered);
        self.replies.flush();
    }

    /// Closes the socket at the end and counts the lines that may not have left.
    fn finish(mut self, deadline: Instant) -> Result<Sent> {
        let mut sent = self.sent;
        sent.unsent = self.backlog.lines() as u64;
        let peers = self.pusher.socket().peers().max(1) as u64;
        let linger = deadline.saturating_duration_since(Instant::now());
        if !self.pusher.close(linger)? {
            // libzmq does not tell how many messages it holds. Only the maximum is known.
            let each = sent.held_for_a_peer(self.options.socket.high_water);
            sent.unsure = sent.sent.min(peers.saturating_mul(each));
        }
        Ok(sent)
    }
}
