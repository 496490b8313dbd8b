//! One call of `store`: it sends commands, and reads their replies as verdicts on documents.

use std::time::Duration;

use mongodb::bson::Document;
use tokio::runtime::Runtime;

use super::connection::Connection;
use super::counters::RETRIES;
use super::reply::{self, Failure, Refusal};
use crate::core::error::{Error, Result};
use crate::core::wait::{Ended, Wait};
use crate::document::Documents;
use crate::observe::details::Seldom;
use crate::sink::api::Outcome;
use crate::sink::retry::{Attempt, Pending, Retry, Verdict};

static RETRIED: Seldom = Seldom::new();

/// The delays between attempts.
const FIRST_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(3);

/// The connection and the documents of one call of `store`.
pub(super) struct Insert<'a> {
    connection: &'a Connection,
    runtime: &'a Runtime,
    documents: &'a Documents,
}

impl<'a> Insert<'a> {
    pub(super) fn new(connection: &'a Connection, runtime: &'a Runtime, documents: &'a Documents) -> Self {
        Insert { connection, runtime, documents }
    }

    fn size(&self, pending: Pending) -> usize {
        self.documents.get(pending.index).bytes.len()
    }

    /// Sends commands until every document has an outcome or the deadline has passed. `outcomes` has an entry for each
    /// document; its content is overwritten.
    pub(super) fn run(&self, outcomes: &mut [Outcome]) -> Result<()> {
        let Connection { patience, counters, .. } = self.connection;
        let retry = Retry {
            patience,
            first_delay: FIRST_DELAY,
            max_delay: MAX_DELAY,
            aloud: true,
            counters: (counters, &RETRIES),
            told: &RETRIED,
        };
        retry.run(self.commands(outcomes), outcomes, |command, wait, before| {
            let sent = self.runtime.block_on(self.send(command, wait, before));
            match sent.unwrap_or_else(|Ended(words)| Ok(Attempt::Ended(words))) {
                Ok(Attempt::Answered { verdicts, trouble }) => {
                    let trouble = trouble.map(|words| self.connection.explain(&words));
                    Ok(Attempt::Answered { verdicts, trouble })
                }
                Ok(other) => Ok(other),
                Err(Failure::Transient { words, maybe_written }) => {
                    Ok(Attempt::Lost { words: self.connection.explain(&words), maybe_written })
                }
                Err(Failure::Unreadable { words, too_large }) => Ok(Attempt::Unreadable { words, too_large }),
                Err(Failure::Fatal(words)) => Err(self.fatal(&words)),
            }
        })
    }

    /// Splits the documents into commands. A document over the limit of the server is refused here.
    fn commands(&self, outcomes: &mut [Outcome]) -> Vec<Vec<Pending>> {
        let limit = self.connection.limits.document;
        let all = Pending::of(0..self.documents.len());
        let (mut rest, refused): (Vec<_>, Vec<_>) = all.into_iter().partition(|pending| self.size(*pending) <= limit);
        for pending in refused {
            let size = self.size(pending);
            outcomes[pending.index] =
                Outcome::Oversize(format!("the document has {size} bytes; the server takes {limit} at most"));
        }
        let mut commands = Vec::new();
        while !rest.is_empty() {
            let count = self.connection.limits.first_command(rest.iter().map(|pending| self.size(*pending)));
            let later = rest.split_off(count);
            commands.push(std::mem::replace(&mut rest, later));
        }
        commands
    }

    /// Sends one command and reads the reply of the server. `Ended` means that no reply came before the deadline.
    async fn send(
        &self,
        command: &[Pending],
        wait: &Wait<'_>,
        before: Option<&str>,
    ) -> Result<Result<Attempt, Failure>, Ended> {
        let size = command.iter().map(|pending| self.size(*pending)).sum();
        let documents = command.iter().map(|pending| self.documents.get(pending.index).bytes);
        let body = match self.connection.head.command(documents, size) {
            Ok(body) => body,
            Err(error) => return Ok(Err(Failure::Unreadable { words: error.to_string(), too_large: false })),
        };
        let before = before.map_or_else(String::new, |words| format!("; before that: {words}"));
        let asked = self.connection.database.run_raw_command(body).into_future();
        let answer = wait.attend(|| self.connection.explain(&format!("no answer{before}")), asked).await?;
        Ok(answer.map_err(|error| reply::judge(&error)).and_then(|reply| verdicts(&reply, command.len())))
    }

    fn fatal(&self, words: &str) -> Error {
        Error::sink(self.connection.target.mask(&format!("{}: {words}", self.connection.target.name)))
    }
}

/// Returns the verdicts of a reply to a command with `documents` documents.
fn verdicts(document: &Document, documents: usize) -> Result<Attempt, Failure> {
    let reply = reply::read(document, documents)?;
    // The document was written, now or before, but may not be durable yet. The same insert is then sent again. It finds the
    // document already there, but the server still waits until everything that it has written so far is durable.
    let is_durable = reply.not_durable.is_none();
    let written = match is_durable {
        true => Verdict::Settled(Outcome::Stored),
        false => Verdict::Again { written: true },
    };
    let mut verdicts = vec![written; documents];
    let mut reason = None;
    for (position, refusal) in reply.refusals {
        verdicts[position] = match refusal {
            Refusal::Permanent(words) => Verdict::Settled(Outcome::Rejected(words)),
            Refusal::TooLarge(words) => Verdict::Settled(Outcome::Oversize(words)),
            Refusal::IdExists if is_durable => Verdict::Exists,
            Refusal::IdExists => Verdict::Again { written: false },
            Refusal::Transient(words) => {
                reason = Some(words);
                Verdict::Again { written: false }
            }
        };
    }
    let not_durable = reply.not_durable.map(|words| format!("the write concern is not satisfied: {words}"));
    Ok(Attempt::Answered { verdicts, trouble: not_durable.or(reason) })
}
