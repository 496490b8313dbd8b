//! [`Delivery`]: gives messages to the client, and waits until all their reports are in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rdkafka::message::{Header, OwnedHeaders};
use rdkafka::producer::BaseRecord;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::counters::{FULL, MESSAGE_BYTES, MESSAGES, POSSIBLY_STORED, RETRIES, SMALLER_BATCHES, STALLS};
use super::producing;
use super::reports::{Call, Report, Status};
use super::session::{Session, Sessions};
use super::target::Target;
use super::verdict::{Judged, judge};
use crate::core::error::{Error, Result};
use crate::core::record::RecordId;
use crate::core::wait::{Ended, Patience, Wait};
use crate::kafka::headers;
use crate::kafka::notices::Notices;
use crate::kafka::trouble::{Meaning, Trouble};
use crate::observe::counters::Counters;
use crate::observe::details::Seldom;
use crate::sink::api::Outcome;
use crate::sink::retry::{Attempt, Pending, Retry, Verdict};

static RETRIED: Seldom = Seldom::new();

/// The delays between attempts. The client has its own between its requests.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const MAX_DELAY: Duration = Duration::from_secs(2);

/// The time between two looks at a call that waits.
const LOOK: Duration = Duration::from_millis(50);

/// After so long without any report, the brokers count as away.
const STALLED: Duration = Duration::from_millis(500);

/// After so long without a report of its own, a call counts as stalled although the client makes progress: its partition may
/// have no leader.
const STARVED: Duration = Duration::from_secs(30);

/// The time in which the client has to give back what it was told to forget.
const FORGETTING: Duration = Duration::from_secs(2);

/// The size of the headers and of the frame of a message in a batch, in bytes, about.
const FRAME: usize = 128;

/// A message.
pub(super) struct Message<'a> {
    pub value: &'a [u8],
    pub key: Option<&'a [u8]>,
    pub id: RecordId,
    /// The number of the origin.
    pub origin: u64,
}

/// The messages of one call.
pub(super) trait Messages {
    /// Returns the number of messages.
    fn len(&self) -> usize;

    /// Calls `take` with message number `index`.
    fn with<T>(&self, index: usize, take: impl FnOnce(Message<'_>) -> T) -> T;
}

/// What both kinds of sinks have in common. Several threads may deliver at once: their messages share the batches of the client.
pub(super) struct Delivery {
    pub target: Target,
    /// The name for people.
    pub name: String,
    pub sessions: Sessions,
    pub patience: Patience,
    pub notices: Arc<Notices>,
    pub counters: Arc<Counters>,
}

impl Delivery {
    /// Delivers `messages`, and sets an outcome for each.
    ///
    /// # Errors
    /// The cluster refuses all messages.
    pub fn deliver(&self, messages: &impl Messages, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        outcomes.resize(messages.len(), Outcome::Stored);
        if messages.len() == 0 {
            return Ok(());
        }
        let retry = Retry {
            patience: &self.patience,
            first_delay: FIRST_DELAY,
            max_delay: MAX_DELAY,
            aloud: false,
            counters: (&self.counters, &RETRIES),
            told: &RETRIED,
        };
        let all = vec![Pending::of(0..messages.len())];
        let delivered = retry.run(all, outcomes, |group, wait, _| self.attempt(messages, group, wait));
        delivered.inspect_err(|_| outcomes.clear())
    }

    fn attempt(&self, messages: &impl Messages, group: &[Pending], wait: &Wait<'_>) -> Result<Attempt> {
        let session = self.sessions.current();
        let call = Arc::new(Call::new(group.len()));
        let mut watch = Watch::new(self, &session, &call, wait);
        let mut too_large = Vec::new();
        let (mut sent, mut ended) = (0, None);
        for (at, pending) in group.iter().enumerate() {
            match messages.with(pending.index, |message| watch.send(message, at)) {
                Ok(None) => {}
                Ok(Some(Code::MessageSizeTooLarge)) => too_large.push(at),
                Ok(Some(code)) => {
                    call.report(at as u32, Some(code));
                }
                Err(at_the_deadline) => {
                    ended = Some(at_the_deadline);
                    break;
                }
            }
            sent = at + 1;
        }
        call.expect_only(sent);
        for &at in &too_large {
            call.report(at as u32, None);
        }
        while ended.is_none() && !call.wait(LOOK) {
            ended = watch.look().err();
        }
        if ended.is_some() {
            session.forget_all();
            call.wait(FORGETTING);
        }
        self.verdicts(messages, group, &session, &call.statuses(sent), &too_large)
    }

    /// Reads the reports of the messages of `group`. `too_large` are those that the client did not take.
    fn verdicts(
        &self,
        messages: &impl Messages,
        group: &[Pending],
        session: &Arc<Session>,
        statuses: &[Status],
        too_large: &[usize],
    ) -> Result<Attempt> {
        let (mut written, mut bytes, mut unsure) = (0, 0, 0);
        let (mut needs_smaller, mut failed) = (false, None);
        let mut verdicts = Vec::with_capacity(group.len());
        for (pending, status) in group.iter().zip(statuses) {
            let size = || messages.with(pending.index, |message| message.size());
            verdicts.push(match status {
                Status::Written => {
                    written += 1;
                    bytes += size() as u64;
                    Verdict::Settled(Outcome::Stored)
                }
                Status::Unsent => Verdict::Again { written: false },
                Status::Open => {
                    unsure += 1;
                    Verdict::Again { written: true }
                }
                Status::Failed(code) => match judge(*code) {
                    Judged::TooLarge if size() + FRAME >= session.batch_size() => {
                        let words = format!("the topic takes no message of {} bytes: {code}", size());
                        Verdict::Settled(Outcome::Oversize(words))
                    }
                    Judged::TooLarge => {
                        needs_smaller = true;
                        Verdict::Again { written: false }
                    }
                    Judged::Refused => Verdict::Settled(Outcome::Rejected(format!("the broker refuses it: {code}"))),
                    Judged::Settings => return Err(self.settings(*code)),
                    Judged::Again { written } => {
                        unsure += u64::from(written);
                        failed = failed.or(written.then_some(*code));
                        Verdict::Again { written }
                    }
                },
            });
        }
        for &at in too_large {
            let size = messages.with(group[at].index, |message| message.size());
            let words =
                format!("a message of {size} bytes is larger than message.max.bytes; --max-memory limits it too");
            verdicts[at] = Verdict::Settled(Outcome::Oversize(words));
            (written, bytes) = (written - 1, bytes - size as u64);
        }
        self.counters.add(&MESSAGES, written);
        self.counters.add(&MESSAGE_BYTES, bytes);
        self.counters.add(&POSSIBLY_STORED, unsure);
        if let Some((code, trouble)) = session.end() {
            if trouble.meaning == Meaning::Right {
                return Err(self.settings(code));
            }
            self.sessions.replace(session, session.batch_size())?;
        } else if needs_smaller && self.sessions.replace(session, producing::smaller(session.batch_size()))? {
            self.counters.add(&SMALLER_BATCHES, 1);
        }
        let is_open = |verdict: &Verdict| matches!(verdict, Verdict::Again { .. });
        // What is sent again in smaller batches needs no pause.
        let trouble = (verdicts.iter().any(is_open) && !(needs_smaller && unsure == 0)).then(|| self.reason(failed));
        if trouble.is_none() {
            self.notices.over();
        }
        Ok(Attempt::Answered { verdicts, trouble })
    }

    /// Returns the reason why messages are not confirmed.
    fn reason(&self, code: Option<Code>) -> String {
        match (self.notices.last(), code) {
            (Some(Trouble { words, .. }), _) => words,
            (None, Some(code)) if !matches!(code, Code::PurgeQueue | Code::PurgeInflight) => code.to_string(),
            (None, _) => "the brokers confirm nothing".to_owned(),
        }
    }

    /// Returns the error that ends the run, because the cluster refuses all messages.
    fn settings(&self, code: Code) -> Error {
        let why = match self.sessions.current().end() {
            Some((_, trouble)) => self.target.address.mask(&trouble.words),
            None => code.to_string(),
        };
        Error::sink(format!(
            "{}: the brokers refuse all messages for the topic: {why}; change that and run it again, nothing acknowledged is lost",
            self.name
        ))
    }
}

impl Message<'_> {
    /// Returns the number of bytes of value and key.
    fn size(&self) -> usize {
        self.value.len() + self.key.map_or(0, <[u8]>::len)
    }
}

/// Watches one call: whether its messages are confirmed, and how long it may go on.
struct Watch<'a> {
    delivery: &'a Delivery,
    session: &'a Session,
    call: &'a Arc<Call>,
    wait: &'a Wait<'a>,
    /// The number of reports of the client, and when it last changed.
    reports: (u64, Instant),
    /// The number of reports that the call waits for, and when it last changed.
    open: (usize, Instant),
    is_stalled: bool,
}

impl<'a> Watch<'a> {
    fn new(delivery: &'a Delivery, session: &'a Session, call: &'a Arc<Call>, wait: &'a Wait<'a>) -> Watch<'a> {
        let now = Instant::now();
        let reports = (session.reports().number(), now);
        Watch { delivery, session, call, wait, reports, open: (call.open(), now), is_stalled: false }
    }

    /// Gives a message to the client, as soon as it has room. Returns the reason if the client never takes it.
    fn send(&mut self, message: Message<'_>, at: usize) -> Result<Option<Code>, Ended> {
        let id = message.id.digits();
        let origin = headers::origin_digits(message.origin);
        let headers = OwnedHeaders::new_with_capacity(2)
            .insert(Header { key: headers::ID, value: Some(&id.as_bytes()[..]) })
            .insert(Header { key: headers::ORIGIN, value: Some(&origin[..]) });
        let report = Box::new(Report { call: Arc::clone(self.call), index: at as u32 });
        let mut record = BaseRecord::with_opaque_to(&self.delivery.target.address.topic, report);
        record.payload = Some(message.value);
        record.key = message.key;
        record.headers = Some(headers);
        let mut is_counted = false;
        loop {
            record = match self.session.send(record) {
                Ok(()) => return Ok(None),
                Err((Code::QueueFull, record)) => record,
                Err((code, _)) => return Ok(Some(code)),
            };
            if !is_counted {
                self.delivery.counters.add(&FULL, 1);
                is_counted = true;
            }
            self.session.reports().wait_for_room(LOOK);
            self.look()?;
        }
    }

    /// Looks whether the brokers confirm messages.
    ///
    /// # Errors
    /// They do not, and the time is over.
    fn look(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        let (reports, open) = (self.session.reports().number(), self.call.open());
        if reports != self.reports.0 {
            self.reports = (reports, now);
        }
        if open != self.open.0 {
            self.open = (open, now);
        }
        let is_stalled = now - self.reports.1 >= STALLED || now - self.open.1 >= STARVED;
        if !is_stalled {
            return Ok(());
        }
        if !self.is_stalled {
            self.is_stalled = true;
            self.delivery.counters.add(&STALLS, 1);
        }
        self.wait.check(&self.delivery.reason(None))
    }
}
