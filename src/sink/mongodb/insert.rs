//! One call of `store`: it sends commands, reads replies, retries documents without an outcome, and ends at the
//! deadline.

use std::time::Duration;

use mongodb::bson::Document;

use super::connection::Connection;
use super::reply::{self, Failure, Refusal};
use crate::core::backoff::Backoff;
use crate::core::error::{Error, Result};
use crate::core::wait::{Ended, Wait};
use crate::document::Documents;
use crate::observe::details::Seldom;
use crate::sink::api::Outcome;

static RETRIED: Seldom = Seldom::new();

const FIRST_DELAY: Duration = Duration::from_millis(50);
const MAX_DELAY: Duration = Duration::from_secs(3);

/// A document that has no outcome yet.
#[derive(Debug, Clone, Copy)]
struct Pending {
    index: usize,
    /// Whether an earlier attempt of this call wrote the document, or may have. Then a duplicate is our own document.
    may_be_ours: bool,
}

/// The state of one call of `store`.
pub(super) struct Insert<'a> {
    connection: &'a Connection,
    documents: &'a Documents,
    outcomes: &'a mut [Outcome],
    /// The commands that are not sent yet; the next one is the last element.
    commands: Vec<Vec<Pending>>,
    backoff: Backoff,
    wait: Wait<'a>,
    /// The last error, for the message when no time is left for another attempt.
    last_error: Option<String>,
}

impl<'a> Insert<'a> {
    /// Prepares the commands for `documents`. `outcomes` has an entry for each document; its content is overwritten.
    pub(super) fn new(connection: &'a Connection, documents: &'a Documents, outcomes: &'a mut [Outcome]) -> Self {
        let mut insert = Insert {
            connection,
            documents,
            outcomes,
            commands: Vec::new(),
            backoff: Backoff::new(FIRST_DELAY, MAX_DELAY),
            wait: connection.patience.begin(),
            last_error: None,
        };
        insert.split();
        insert
    }

    /// Splits the documents into commands. A document over the limit of the server is refused here.
    fn split(&mut self) {
        let limit = self.connection.limits.document;
        let mut pending = Vec::with_capacity(self.documents.len());
        for (index, document) in self.documents.iter().enumerate() {
            let size = document.bytes.len();
            if size > limit {
                self.outcomes[index] =
                    Outcome::Oversize(format!("the document has {size} bytes; the server takes {limit} at most"));
            } else {
                pending.push(Pending { index, may_be_ours: false });
            }
        }
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            let sizes = rest.iter().map(|pending| self.documents.get(pending.index).bytes.len());
            let (command, later) = rest.split_at(self.connection.limits.first_command(sizes));
            self.commands.push(command.to_vec());
            rest = later;
        }
        self.commands.reverse();
    }

    /// Sends commands until every document has an outcome or the deadline has passed.
    pub(super) async fn run(mut self) -> Result<()> {
        while let Some(command) = self.commands.pop() {
            let words = match self.send(&command).await {
                Ok(Ok(reply)) => self.settle(command, &reply)?,
                Err(ended) => {
                    self.commands.push(command);
                    self.give_up(&ended);
                    return Ok(());
                }
                Ok(Err(Failure::Transient { words, maybe_written })) => {
                    let again = command.into_iter();
                    self.commands.push(
                        again
                            .map(|pending| Pending { may_be_ours: pending.may_be_ours || maybe_written, ..pending })
                            .collect(),
                    );
                    Some(words)
                }
                Ok(Err(Failure::Unreadable { words, too_large })) => {
                    self.split_unreadable(command, words, too_large);
                    None
                }
                Ok(Err(Failure::Fatal(words))) => return Err(self.fatal(&words)),
            };
            match words {
                None => {
                    self.connection.patience.over();
                    self.last_error = None;
                    self.backoff = Backoff::new(FIRST_DELAY, MAX_DELAY);
                }
                Some(words) => {
                    let words = self.connection.explain(&words);
                    let delay = self.backoff.next_delay();
                    let (name, ms) = (&self.connection.target.name, delay.as_millis());
                    RETRIED.tell(1, |times, _| format!("{name}: {times} tries failed, the next in {ms} ms: {words}"));
                    if let Err(ended) = self.wait.pause_aloud(&words, delay).await {
                        self.give_up(&ended);
                        return Ok(());
                    }
                    self.last_error = Some(words);
                }
            }
        }
        Ok(())
    }

    /// Sends one command and returns the reply of the server. `Ended` means that no reply came before the deadline.
    async fn send(&self, command: &[Pending]) -> Result<Result<Document, Failure>, Ended> {
        let size = command.iter().map(|pending| self.documents.get(pending.index).bytes.len()).sum();
        let documents = command.iter().map(|pending| self.documents.get(pending.index).bytes);
        let body = match self.connection.head.command(documents, size) {
            Ok(body) => body,
            Err(error) => return Ok(Err(Failure::Unreadable { words: error.to_string(), too_large: false })),
        };
        let before = self.last_error.as_ref().map_or_else(String::new, |words| format!("; before that: {words}"));
        let asked = self.connection.database.run_raw_command(body).into_future();
        let answer = self.wait.attend(|| self.connection.explain(&format!("no answer{before}")), asked).await?;
        Ok(answer.map_err(|error| reply::judge(&error)))
    }

    /// Sets the outcomes that a reply reports. Documents that need another attempt become a command again, and the
    /// reason is returned.
    fn settle(&mut self, command: Vec<Pending>, document: &Document) -> Result<Option<String>> {
        let reply = match reply::read(document, command.len()) {
            Ok(reply) => reply,
            Err(Failure::Fatal(words) | Failure::Unreadable { words, .. }) => return Err(self.fatal(&words)),
            Err(Failure::Transient { words, .. }) => {
                self.commands
                    .push(command.into_iter().map(|pending| Pending { may_be_ours: true, ..pending }).collect());
                return Ok(Some(words));
            }
        };
        let mut again = Vec::new();
        let mut reason = None;
        let mut refusals = vec![None; if reply.refusals.is_empty() { 0 } else { command.len() }];
        for (position, refusal) in reply.refusals {
            refusals[position] = Some(refusal);
        }
        for (position, pending) in command.into_iter().enumerate() {
            match refusals.get_mut(position).and_then(Option::take) {
                Some(Refusal::Permanent(words)) => self.outcomes[pending.index] = Outcome::Rejected(words),
                Some(Refusal::TooLarge(words)) => self.outcomes[pending.index] = Outcome::Oversize(words),
                Some(Refusal::Transient(words)) => {
                    again.push(pending);
                    reason = Some(words);
                }
                // The document was written, now or before, but is not durable yet. The same insert is sent again. It
                // finds the document already there, but the server still waits until everything that it has written so
                // far is durable.
                Some(Refusal::IdExists) if reply.not_durable.is_some() => again.push(pending),
                None if reply.not_durable.is_some() => again.push(Pending { may_be_ours: true, ..pending }),
                Some(Refusal::IdExists) if !pending.may_be_ours => self.outcomes[pending.index] = Outcome::Duplicate,
                Some(Refusal::IdExists) | None => self.outcomes[pending.index] = Outcome::Stored,
            }
        }
        if !again.is_empty() {
            self.commands.push(again);
        }
        Ok(reply.not_durable.map(|words| format!("the write concern is not satisfied: {words}")).or(reason))
    }

    /// Halves a command that the server cannot read, to find the one document that is the cause.
    fn split_unreadable(&mut self, mut command: Vec<Pending>, words: String, too_large: bool) {
        if let [pending] = command.as_slice() {
            let refuse = if too_large { Outcome::Oversize } else { Outcome::Rejected };
            self.outcomes[pending.index] = refuse(words);
            return;
        }
        let second = command.split_off(command.len() / 2);
        self.commands.push(second);
        self.commands.push(command);
    }

    /// Ends at the deadline: documents without an outcome have failed.
    fn give_up(&mut self, Ended(words): &Ended) {
        for pending in self.commands.drain(..).flatten() {
            self.outcomes[pending.index] = Outcome::Failed(words.clone());
        }
    }

    fn fatal(&self, words: &str) -> Error {
        Error::sink(self.connection.target.mask(&format!("{}: {words}", self.connection.target.name)))
    }
}
