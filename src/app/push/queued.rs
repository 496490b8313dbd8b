//! `logator-push` without `--confirm=delivered`: lines wait in a queue and are sent as fast as peers take them.

use std::os::fd::RawFd;
use std::time::{Duration, Instant};

use super::inbox::{Inbox, InboxGuard, MOST_BYTES};
use super::input::Encoding;
use super::options::{Confirm, PushOptions};
use super::replies::Replies;
use super::sending::{NOTICE, Sending};
use super::sent::Sent;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::net::push::Pusher;
use crate::observe::console::Console;

/// The answer for a line that finds the queue full.
const QUEUE_FULL: &str = "the queue is full and nobody takes lines; this one was not taken";

/// Moves lines from the inbox to the socket, in one thread that sleeps while it has nothing to do.
pub(super) struct QueuedPush<'a> {
    options: &'a PushOptions,
    pusher: Pusher,
    encoding: Encoding,
    inbox: &'a Inbox,
    stop: &'a Stop,
    replies: Replies,
    /// Lines in the inbox that are not answered yet.
    unanswered: usize,
    /// Whether the socket has taken every line of the inbox.
    all_sent: bool,
    sent: Sent,
}

impl<'a> QueuedPush<'a> {
    /// Opens the socket.
    pub(super) fn new(
        options: &'a PushOptions,
        encoding: Encoding,
        inbox: &'a Inbox,
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
        let replies = Replies::new(options.confirm == Confirm::Queued);
        let sent = Sent::default();
        Ok(QueuedPush { options, pusher, encoding, inbox, stop, replies, unanswered: 0, all_sent: true, sent })
    }

    /// Sends what waits as far as peers take it. Returns whether the readers have ended.
    fn send_waiting(&mut self) -> Result<bool> {
        let mut inbox = self.inbox.open();
        self.unanswered += self.sent.take(&mut inbox.added, &mut self.replies);
        self.all_sent = self.send(&mut inbox)?;
        if !self.all_sent && self.options.drops {
            self.drop_newest(&mut inbox);
        }
        let (waiting, ended) = (inbox.backlog.lines(), inbox.ended);
        drop(inbox);
        self.answer(waiting);
        Ok(ended)
    }

    /// Waits until one of the descriptors is readable, or until there is something else to do; at most for `time`.
    fn wait_within(&mut self, descriptors: [Option<RawFd>; 2], time: Option<Duration>) -> Result<[bool; 2]> {
        let room = (!self.all_sent).then_some(zmq::POLLOUT);
        self.pusher.socket().wait(room, descriptors, time)
    }

    /// Gives lines to libzmq until it takes no more. Returns whether all lines are sent.
    fn send(&mut self, inbox: &mut InboxGuard) -> Result<bool> {
        let QueuedPush { pusher, encoding, sent, .. } = self;
        let shortest = &mut sent.shortest;
        let (all, count) = inbox.backlog.send(|line| {
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

    /// Drops the newest lines that exceed the limits of the queue.
    fn drop_newest(&mut self, inbox: &mut InboxGuard) {
        let dropped = inbox.backlog.trim(self.options.queue, MOST_BYTES);
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

    /// Answers `OK` for each line that is sent or that is within the limits of the queue. `waiting` lines are not sent.
    fn answer(&mut self, waiting: usize) {
        let beyond = waiting.saturating_sub(self.options.queue);
        let answered = self.unanswered.saturating_sub(beyond);
        self.unanswered -= answered;
        self.replies.ok(answered);
        self.replies.flush();
    }

    /// Closes the socket at the end and counts the lines that are not sent or may not have left.
    fn finish(mut self, deadline: Instant) -> Result<Sent> {
        let mut sent = self.sent;
        let mut inbox = self.inbox.close();
        sent.take(&mut inbox.added, &mut self.replies);
        sent.unsent = inbox.backlog.lines() as u64;
        drop(inbox);
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

impl Sending for QueuedPush<'_> {
    fn addresses(&self) -> Vec<String> {
        self.pusher.endpoints().iter().map(ToString::to_string).collect()
    }

    fn work(&mut self) -> Result<()> {
        self.send_waiting().map(drop)
    }

    fn wait(&mut self, descriptors: [Option<RawFd>; 2]) -> Result<[bool; 2]> {
        self.wait_within(descriptors, None)
    }

    fn run(mut self) -> Result<Sent> {
        let mut ending: Option<Instant> = None;
        loop {
            let ended = self.send_waiting()?;
            let now = Instant::now();
            if ending.is_none() && (ended || self.stop.is_requested()) {
                ending = Some(now);
                self.inbox.stop();
            }
            let deadline = ending.map(|since| match self.all_sent {
                true if ended => now,
                true => since + NOTICE.min(self.options.linger),
                false => since + self.options.linger,
            });
            if let Some(since) = ending.filter(|_| deadline.is_some_and(|deadline| deadline <= now)) {
                let deadline = since + self.options.linger;
                return self.finish(deadline);
            }
            // After a request to stop, the descriptor of `stop` stays readable and would end every wait at once.
            let stop = ending.is_none().then(|| self.stop.descriptor());
            let left = deadline.map(|deadline| deadline.saturating_duration_since(now));
            self.wait_within([Some(self.inbox.news()), stop], left)?;
        }
    }
}
