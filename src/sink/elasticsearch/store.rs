//! [`EsSink`]: sends documents in `_bulk` requests, and reads the replies as verdicts on documents.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::answer::Failure;
use super::body::{self, MIN_BODY};
use super::client::NoAnswer;
use super::connection::{Asked, Asking, Connection};
use super::counters::{BODY_BYTES, FAILURE_STORE, HALVED, REQUESTS, RESENT_DOCUMENTS, RETRIES, SENT_BYTES, UNDATED};
use super::reply::{self, Answers};
use super::startup;
use super::target::Target;
use super::verdict::{Judged, judge};
use crate::core::error::{Error, Result};
use crate::core::percent;
use crate::core::wait::{Ended, Patience, Wait, Words};
use crate::document::{Documents, Encoding};
use crate::event::{IdPlace, Layout, Undated, Wanted};
use crate::observe::counters::Counters;
use crate::observe::details::Seldom;
use crate::sink::api::{AnySink, Outcome, Sink};
use crate::sink::kind::Opening;
use crate::sink::retry::{Attempt, Pending, Retry, Verdict};

static RETRIED: Seldom = Seldom::new();

/// The delays between attempts.
const FIRST_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(5);

/// After so many connections that broke while the same documents were sent, the request counts as too large. Some servers
/// and proxies do not say that it is.
const MAX_BROKEN: u32 = 3;

/// Asks the server of `target` who it is, and checks that it accepts the login.
///
/// # Errors
/// A usage error when a certificate cannot be used, or `--es-template` does not fit the index;
/// [`Kind::Sink`](crate::core::error::Kind::Sink) when no server answers within 5 seconds (`serverSelectionTimeoutMS` in the
/// address sets another time), the login is refused, TLS fails, or another server answers. No message shows a secret.
pub(super) fn open(target: &Target, with: &Opening<'_>) -> Result<AnySink> {
    let connection = Connection::new(target)?;
    let found = startup::start(&connection, with)?;
    let patience = with.waits.patience(&target.name, Words::STORED);
    let patience = match target.deadline {
        Some(deadline) => patience.with_deadline(deadline, "sinkDeadlineMS"),
        None => patience,
    };
    let parameters = if found.require_data_stream { "&require_data_stream=true" } else { "" };
    let limit = AtomicUsize::new(found.limit);
    Ok(Arc::new(EsSink { connection, patience, parameters, limit }).into())
}

struct EsSink {
    connection: Connection,
    patience: Patience,
    /// What stands at the end of the path of every request.
    parameters: &'static str,
    /// The largest body before compression, in bytes. It shrinks when a server refuses a body as too large.
    limit: AtomicUsize,
}

impl Sink for EsSink {
    fn name(&self) -> &str {
        &self.connection.target.name
    }

    fn layout(&self) -> Layout {
        let time = Wanted { time: true, ..Wanted::default() };
        Layout::from(Encoding::Json).with_id(IdPlace::Outside).with_beside(time).with_undated(Undated::Arrival)
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        outcomes.resize(documents.len(), Outcome::Stored);
        let Connection { target, counters, .. } = &self.connection;
        let undated = (0..documents.len()).filter(|&index| body::time(documents, index).is_none()).count();
        counters.add(&UNDATED, undated as u64);
        let requests = body::requests(documents, &target.index, self.limit.load(Ordering::Relaxed));
        let retry = Retry {
            patience: &self.patience,
            first_delay: FIRST_DELAY,
            max_delay: MAX_DELAY,
            aloud: true,
            counters: (counters, &RETRIES),
            told: &RETRIED,
        };
        let mut broken = 0;
        let stored = retry.run(requests, outcomes, |group, wait, before| {
            let attempt = self.attempt(documents, group, wait, before, &mut broken)?;
            match &attempt {
                Attempt::Lost { .. } => counters.add(&RESENT_DOCUMENTS, group.len() as u64),
                Attempt::Unreadable { .. } => counters.add(&HALVED, u64::from(group.len() > 1)),
                Attempt::Answered { verdicts, .. } => {
                    let again = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Again { .. })).count();
                    counters.add(&RESENT_DOCUMENTS, again as u64);
                }
                Attempt::Ended(_) => {}
            }
            Ok(attempt)
        });
        stored.inspect_err(|_| outcomes.clear())
    }

    fn counters(&self) -> Option<&Counters> {
        Some(&self.connection.counters)
    }
}

impl EsSink {
    /// Sends one request. All documents of `group` have the same index.
    fn attempt(
        &self,
        documents: &Documents,
        group: &[Pending],
        wait: &Wait<'_>,
        before: Option<&str>,
        broken: &mut u32,
    ) -> Result<Attempt> {
        let Connection { target, counters, .. } = &self.connection;
        let index = target.index.at(group.first().and_then(|first| body::time(documents, first.index)));
        let path = format!("/{}/_bulk?filter_path={}{}", percent::encode(&index), reply::FILTER, self.parameters);
        let asked = Asked { method: "POST", path, content: "application/x-ndjson" };
        let mut buffers = self.connection.buffers();
        let written = buffers.write(documents, group, target.gzip);
        written.map_err(|error| Error::internal("a body cannot be compressed").because(error))?;
        let size = buffers.size;
        counters.add(&REQUESTS, 1);
        counters.add(&BODY_BYTES, size as u64);
        counters.add(&SENT_BYTES, buffers.sent().len() as u64);
        let Asking { host, answer, buffers } = match self.connection.ask(wait, before, asked, buffers)? {
            Ok(asking) => asking,
            Err(Ended(words)) => return Ok(Attempt::Ended(words)),
        };
        let words = |words: &str| self.connection.words(&host, words);
        let lost = |said: &str, maybe_written| Attempt::Lost { words: words(said), maybe_written };
        let was_broken = std::mem::take(broken);
        let attempt = match answer {
            Err(NoAnswer { is_broken: true, .. })
                if was_broken + 1 >= MAX_BROKEN && group.len() > 1 && size > MIN_BODY =>
            {
                self.learn(size);
                Attempt::Unreadable { words: "the connection breaks each time".to_owned(), too_large: true }
            }
            Err(no_answer) => {
                *broken = if no_answer.is_broken { was_broken + 1 } else { 0 };
                lost(&no_answer.words, no_answer.maybe_written)
            }
            Ok(answer) if answer.is_success(&buffers.reply) => {
                let ids = group.iter().map(|pending| documents.get(pending.index).id);
                match reply::read(&buffers.reply, ids) {
                    Ok(answers) => self.verdicts(&index, answers, group.len())?,
                    Err(why) => lost(&why, true),
                }
            }
            Ok(answer) => match answer.failure(&buffers.reply) {
                Failure::Transient { words, maybe_written, .. } => lost(&words, maybe_written),
                Failure::TooLarge(said) => {
                    self.learn(size);
                    let said = format!("the server takes no request of {size} bytes: {}", words(&said));
                    Attempt::Unreadable { words: said, too_large: true }
                }
                Failure::Fatal(said) => return Err(self.settings(&index, &words(&said))),
            },
        };
        self.connection.give_back(buffers);
        Ok(attempt)
    }

    /// Learns from a body of `size` bytes that was too large.
    fn learn(&self, size: usize) {
        self.limit.fetch_min((size / 2).max(MIN_BODY), Ordering::Relaxed);
    }

    fn verdicts(&self, index: &str, answers: Answers, count: usize) -> Result<Attempt> {
        let items = match answers {
            Answers::AllCreated => {
                return Ok(Attempt::Answered {
                    verdicts: vec![Verdict::Settled(Outcome::Stored); count],
                    trouble: None,
                });
            }
            Answers::Items(items) => items,
        };
        let mask = |words: String| self.connection.target.mask(&words);
        let mut trouble = None;
        let mut verdicts = Vec::with_capacity(items.len());
        for item in &items {
            verdicts.push(match judge(item) {
                Judged::Stored => Verdict::Settled(Outcome::Stored),
                Judged::Exists => Verdict::Exists,
                Judged::InFailureStore => {
                    self.connection.counters.add(&FAILURE_STORE, 1);
                    let words = "the server refuses it, and keeps it in the failure store of the data stream";
                    Verdict::Settled(Outcome::Rejected(words.to_owned()))
                }
                Judged::Rejected(words) => Verdict::Settled(Outcome::Rejected(mask(words))),
                Judged::TooLarge(words) => Verdict::Settled(Outcome::Oversize(mask(words))),
                Judged::Again { words, written } => {
                    trouble.get_or_insert(words);
                    Verdict::Again { written }
                }
                Judged::Settings(words) => return Err(self.settings(index, &mask(words))),
            });
        }
        Ok(Attempt::Answered { verdicts, trouble: trouble.map(mask) })
    }

    /// Returns the error that ends the run, because the server refuses all documents of an index.
    fn settings(&self, index: &str, words: &str) -> Error {
        let name = self.name();
        Error::sink(format!(
            "{name}: the server refuses all documents of the index {index}: {words}; change its settings and run it again, \
             nothing acknowledged is lost"
        ))
    }
}
