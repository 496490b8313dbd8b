//! [`Reading`]: the loop that reads a topic.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::fd::BorrowedFd;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, poll};
use rdkafka::error::RDKafkaErrorCode as Code;

use super::counters::PAUSES;
use super::ending::Ending;
use super::flow::{Flow, Step};
use super::gathering::Gathering;
use super::group::{Event, Group, Polled};
use super::handover::Handover;
use super::options::Options;
use super::outbox::{Outbox, Sent};
use super::partition::Partition;
use super::payload::Payloads;
use super::stuck::Stuck;
use crate::core::error::{Error, Result};
use crate::core::stop::{Stop, Waker};
use crate::kafka::Address;
use crate::kafka::trouble::{Meaning, Trouble};
use crate::observe::counters::Counters;
use crate::source::api::RunContext;
use crate::source::batching_delay::{BatchingDelay, timeout};
use crate::source::settlement::Streams;

/// The number of records between two looks at anything else.
const ROUND: usize = 1000;

/// The longest wait. A client that is not asked for minutes loses its partitions.
const IDLE: Duration = Duration::from_secs(1);

/// The number of records that were handed on and are not settled, at which no more are taken.
const MOST_OPEN: u64 = 500_000;

/// How long workers that end may still settle something after the queue was closed.
const LATE: Duration = Duration::from_secs(1);

/// How the reading of a topic ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// Every partition is settled to its end.
    Complete,
    /// Before that.
    Stopped,
}

/// What is ready to read.
pub struct Ready {
    /// The client, which is not yet a member of the group.
    pub group: Group,
    /// Reads values.
    pub payloads: Payloads,
    /// Where the run ends; `None` if it has no end.
    pub ending: Option<Ending>,
    /// The offsets that the group had committed.
    pub committed: HashMap<i32, i64>,
}

/// A partition of this consumer.
pub(super) struct Held {
    pub(super) state: Partition,
    pub(super) gathering: Gathering,
    /// When the broker was asked last whether records are gone.
    pub(super) asked_for_gone: Option<Instant>,
}

/// See the [module](self).
pub struct Reading<'a> {
    pub(super) context: &'a RunContext<'a>,
    pub(super) address: &'a Address,
    pub(super) options: &'a Options,
    pub(super) counts: &'a Counters,
    pub(super) group: Rc<Group>,
    pub(super) payloads: Payloads,
    pub(super) ending: Option<Ending>,
    /// The offsets that the group had committed at the start.
    pub(super) committed: HashMap<i32, i64>,
    pub(super) streams: Arc<Streams>,
    /// Is awake when something was settled.
    pub(super) settled: Arc<Waker>,
    pub(super) partitions: BTreeMap<i32, Held>,
    pub(super) outbox: Outbox,
    pub(super) flow: Flow,
    /// The partitions that are being given up.
    pub(super) leaving: Option<Handover>,
    /// Events that wait until they are given up.
    pub(super) later: VecDeque<Event>,
    /// The record that cannot be read now. No other is taken meanwhile.
    pub(super) stuck: Option<Stuck>,
    /// How long records wait for others.
    pub(super) delay: BatchingDelay,
    /// The number of bytes that wait for others.
    pub(super) gathered: usize,
    pub(super) next_commit: Instant,
    /// Whether the last commit failed, and the user knows it.
    pub(super) has_commit_trouble: bool,
    /// Whether the last commit failed while the group divided its partitions anew.
    pub(super) has_passing_trouble: bool,
    /// When the other members of the group are asked about next.
    pub(super) next_look: Instant,
    pub(super) waits_for_others: bool,
    /// Whether more records are wanted.
    is_wanted: bool,
}

impl<'a> Reading<'a> {
    /// Prepares the reading of the topic of `address`.
    ///
    /// # Errors
    /// The system gives no pipe, or there are too many sources.
    pub fn new(
        context: &'a RunContext<'a>,
        ready: Ready,
        address: &'a Address,
        options: &'a Options,
        counts: &'a Counters,
    ) -> Result<Reading<'a>> {
        let settled = Arc::new(Waker::new()?);
        let told = Arc::clone(&settled);
        let name = format!("{address} {}", options.group);
        let streams = context.options.settlement.add(&name, Box::new(move |_| told.wake()))?;
        let Ready { group, payloads, ending, committed } = ready;
        let now = Instant::now();
        Ok(Reading {
            context,
            address,
            options,
            counts,
            group: Rc::new(group),
            payloads,
            ending,
            committed,
            streams,
            settled,
            partitions: BTreeMap::new(),
            outbox: Outbox::default(),
            flow: Flow::new(options.hold),
            leaving: None,
            later: VecDeque::new(),
            stuck: None,
            delay: BatchingDelay::default(),
            gathered: 0,
            next_commit: now,
            has_commit_trouble: false,
            has_passing_trouble: false,
            next_look: now,
            waits_for_others: false,
            is_wanted: true,
        })
    }

    fn stop(&self) -> Option<&'a Stop> {
        self.context.options.live.as_ref().map(|live| &live.stop)
    }

    fn is_stopping(&self) -> bool {
        !self.is_wanted || self.stop().is_some_and(Stop::is_requested) || !self.context.receiver.is_open()
    }

    pub(super) fn wrong(&self, words: &str) -> Error {
        Error::input(format!("{}: {}", self.address, self.address.mask(words)))
    }

    pub(super) fn warn(&self, words: &str) {
        self.context.options.say.warn(format!("{}: {}", self.address, self.address.mask(words)));
    }

    pub(super) fn say(&self, words: &str) {
        self.context.options.say.say(format!("{}: {words}", self.address));
    }

    /// Reads until the end, until a stop is requested, or until no more is wanted. Then everything that is settled is committed,
    /// and the client leaves the group.
    ///
    /// # Errors
    /// The client cannot go on, or the last offsets cannot be committed.
    pub fn run(mut self) -> Result<End> {
        for (partition, offset) in &self.committed {
            self.ending.iter_mut().for_each(|ending| ending.settle(*partition, *offset));
        }
        self.group.join().map_err(|error| self.wrong(&error.to_string()))?;
        let read = self.read();
        // Also after an error, what is settled is committed.
        let finished = self.finish();
        let end = read?;
        finished.map(|()| end)
    }

    fn read(&mut self) -> Result<End> {
        let mut is_quiet = false;
        while !self.is_stopping() {
            self.settled.clear();
            self.handle_events()?;
            self.step_handover()?;
            self.retry();
            self.hand_on(std::mem::take(&mut is_quiet))?;
            self.commit_if_due();
            if self.is_over() {
                return Ok(End::Complete);
            }
            let step = self.flow.step(self.is_full(), Instant::now());
            match step {
                Step::Pause => {
                    self.counts.add(&PAUSES, 1);
                    self.group.pause(self.partitions.keys().copied());
                }
                Step::Resume => self.resume(),
                Step::Take | Step::Hold(_) | Step::Serve => {}
            }
            let has_more = match step {
                Step::Hold(_) => false,
                Step::Take | Step::Resume => self.serve(true)?,
                Step::Pause | Step::Serve => self.serve(false)?,
            };
            if !has_more && !self.group.has_events() {
                is_quiet = match step {
                    Step::Hold(until) => self.wait(until, true),
                    _ => self.wait(Instant::now() + IDLE, false),
                };
            }
        }
        Ok(End::Stopped)
    }

    /// Whether there is no room for more records.
    fn is_full(&self) -> bool {
        let open = |held: &Held| self.streams.drained(held.state.stream).open_records;
        self.stuck.is_some() || !self.outbox.is_empty() || self.partitions.values().map(open).sum::<u64>() >= MOST_OPEN
    }

    /// Lets records come again. Partitions that are at the end of this run, or are being given up, stay as they are.
    fn resume(&self) {
        let is_leaving =
            |partition| self.leaving.as_ref().is_some_and(|leaving| leaving.partitions.contains(partition));
        let going =
            self.partitions.iter().filter(|(partition, held)| !held.state.is_at_end() && !is_leaving(partition));
        self.group.resume(going.map(|(partition, _)| *partition));
    }

    /// Takes what the client has. Returns whether it may have more. Without `takes_records`, all partitions are paused, so that
    /// only events come.
    fn serve(&mut self, takes_records: bool) -> Result<bool> {
        // A record borrows the client.
        let group = Rc::clone(&self.group);
        group.attend();
        for _ in 0..ROUND {
            let is_full = self.stuck.is_some() || !self.outbox.is_empty();
            if group.has_events() || takes_records && is_full {
                return Ok(true);
            }
            match group.poll() {
                Polled::Nothing => return Ok(false),
                Polled::Served => {}
                Polled::Record(message) => {
                    self.say_if_back();
                    self.take(&message)?;
                }
                Polled::End(partition) => {
                    if let Some(held) = self.partitions.get_mut(&partition) {
                        held.state.come_to_end();
                    }
                }
                Polled::Trouble(code, is_fatal) => self.trouble(code, is_fatal)?,
            }
        }
        Ok(true)
    }

    /// Tells that brokers that were away answer again.
    pub(super) fn say_if_back(&self) {
        if self.group.is_back() {
            self.group.notices().over();
            self.say("the brokers answer again");
        }
    }

    /// Decides whether an error of the client ends the reading. The client itself goes on after most of them, and has reported
    /// them.
    fn trouble(&self, code: Code, is_fatal: bool) -> Result<()> {
        let reported = self.group.notices().last().map(|last| last.words);
        let Trouble { meaning, words } = Trouble::new(code, &code.to_string());
        let ends = match code {
            Code::InconsistentGroupProtocol => {
                return Err(self.wrong(&format!(
                    "the group {} has members that divide partitions in another way: {words} \
                     (partition.assignment.strategy, group.protocol)",
                    self.options.group
                )));
            }
            Code::InvalidGroupId
            | Code::GroupMaxSizeReached
            | Code::FencedInstanceId
            | Code::UnreleasedInstanceId
            | Code::UnsupportedAssignor
            | Code::UnsupportedVersion
            | Code::UnsupportedFeature
            | Code::AutoOffsetReset => true,
            _ => is_fatal || matches!(meaning, Meaning::Right | Meaning::Fatal),
        };
        // A topic that was deleted does not come to an end.
        if ends || meaning == Meaning::Missing && self.ending.is_some() {
            return Err(self.wrong(reported.as_deref().filter(|_| meaning != Meaning::Right).unwrap_or(&words)));
        }
        Ok(())
    }

    /// Hands on the batches that are due; all of them if `is_quiet`.
    fn hand_on(&mut self, is_quiet: bool) -> Result<()> {
        if is_quiet || self.delay.is_due() {
            self.gather_all();
        }
        let partitions = &mut self.partitions;
        let sent = self.outbox.send(self.context.receiver, &self.streams, |partition, records| {
            if let Some(held) = partitions.get_mut(&partition) {
                held.state.waiting = held.state.waiting.saturating_sub(u64::from(records));
            }
        })?;
        self.is_wanted &= sent != Sent::Unwanted;
        Ok(())
    }

    /// Waits until there is something to do, but not beyond `until`. A held client is not asked whatever it has. Returns whether
    /// records have waited long enough for others.
    fn wait(&self, until: Instant, is_held: bool) -> bool {
        let now = Instant::now();
        let gathers = self.delay.since.is_some() && self.outbox.is_empty();
        let deadline = self.leaving.as_ref().map_or(until, |leaving| leaving.deadline().min(until));
        let deadline = self.stuck.as_ref().map_or(deadline, |stuck| stuck.again.min(deadline));
        let mut most = deadline.min(self.next_commit).saturating_duration_since(now).min(IDLE);
        if gathers {
            most = most.min(self.delay.left());
        }
        let settles = self.leaving.is_some() || self.ending.is_some() || is_held && self.outbox.is_empty();
        let room = self.context.receiver.room().filter(|_| !self.outbox.is_empty());
        let client = (!is_held).then(|| self.group.as_fd());
        let settled = settles.then(|| self.settled.as_fd());
        let stop = self.stop().map(Stop::as_fd);
        let has_something = wait(&[room, client, settled, stop], most);
        gathers && !has_something
    }

    /// Commits what is settled, after workers have finished what they have, and leaves the group.
    ///
    /// Records that no worker has are taken back: they come again.
    fn finish(&mut self) -> Result<()> {
        let all: Vec<i32> = self.partitions.keys().copied().collect();
        self.group.pause(all.iter().copied());
        self.withdraw(&all);
        let mut late = None;
        loop {
            self.settled.clear();
            if !self.context.receiver.is_open() {
                late.get_or_insert_with(|| Instant::now() + LATE);
            }
            let now = Instant::now();
            let is_open = all.iter().any(|partition| self.is_open(*partition));
            if !is_open || late.is_some_and(|late| now >= late) {
                break;
            }
            self.serve_events();
            self.commit_if_due();
            let most = late.map_or(IDLE, |late| late.saturating_duration_since(now).min(IDLE));
            wait(&[Some(self.settled.as_fd()), Some(self.group.as_fd())], most);
        }
        let committed = self.commit_at_end();
        self.answer_the_rest();
        committed
    }

    /// Handles events. Records that were fetched ahead are dropped: they come again.
    pub(super) fn serve_events(&mut self) {
        self.group.attend();
        while !matches!(self.group.poll(), Polled::Nothing) {}
        for event in self.group.events() {
            match event {
                Event::Committed(offsets, error) => self.answer(&offsets, error),
                event => self.later.push_back(event),
            }
        }
    }
}

/// Waits until one of the descriptors is readable, but no longer than `most`. Returns whether one is, or may be.
pub(super) fn wait(descriptors: &[Option<BorrowedFd<'_>>], most: Duration) -> bool {
    let waited = descriptors.iter().flatten().map(|descriptor| PollFd::new(*descriptor, PollFlags::POLLIN));
    // A signal may interrupt the wait.
    poll(&mut waited.collect::<Vec<_>>(), timeout(Some(most))) != Ok(0)
}
