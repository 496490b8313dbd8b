//! [`Retry`]: the loop of a sink whose store may be away or locked for a while.
//!
//! It repeats attempts with growing delays until each document has an outcome or the deadline of the job has passed. It
//! also knows the documents of earlier attempts that got no answer: the store may have written them, so a document that
//! the next attempt finds there is *stored* and not a duplicate.

use std::time::{Duration, Instant};

use super::api::Outcome;
use super::attempts::{Attempts, NOTED};
use crate::core::backoff::Backoff;
use crate::core::error::Result;
use crate::core::wait::{Patience, Wait};
use crate::observe::counters::{CounterSpec, Counters};
use crate::observe::details::Seldom;

/// The settings of the loop.
pub(super) struct Retry<'a> {
    /// The patience of the job with the store.
    pub patience: &'a Patience,
    /// The delay after the first failure; it doubles up to `max_delay`.
    pub first_delay: Duration,
    /// The longest delay.
    pub max_delay: Duration,
    /// Whether the user is told of trouble at once, and not after a second.
    pub aloud: bool,
    /// The counters of the sink, and the one of repeated attempts.
    pub counters: (&'a Counters, &'static CounterSpec),
    /// The limit of debug messages.
    pub told: &'static Seldom,
}

/// A document that has no outcome yet.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    /// The index of the document in its batch.
    pub index: usize,
    /// Whether an earlier attempt of this call wrote the document, or may have.
    may_be_ours: bool,
}

/// The result of one attempt for one document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The outcome is known.
    Settled(Outcome),
    /// The store has a document with this id from before. It is a duplicate, unless it may be from an earlier attempt.
    Exists,
    /// Another attempt is needed. `written` says that the store may have the document by now.
    Again {
        /// Whether the store may have the document.
        written: bool,
    },
}

/// The result of one attempt.
#[derive(Debug)]
pub(super) enum Attempt {
    /// The store has answered.
    Answered {
        /// A verdict for each document, in order.
        verdicts: Vec<Verdict>,
        /// The reason why some documents need another attempt.
        trouble: Option<String>,
    },
    /// The store gave no answer, or an answer that concerns no single document. Another attempt may succeed.
    Lost {
        /// The reason.
        words: String,
        /// Whether the store may have written the documents.
        maybe_written: bool,
    },
    /// The store cannot read one of the documents. The attempt is repeated with each half, down to that document.
    Unreadable {
        /// The message of the store.
        words: String,
        /// Whether the size is the reason.
        too_large: bool,
    },
    /// The time was over before the store answered. The text is the sentence for the user.
    #[cfg_attr(
        not(any(feature = "mongodb", feature = "elasticsearch")),
        expect(dead_code, reason = "only a server answers too late")
    )]
    Ended(String),
}

impl Pending {
    /// Returns the documents with these indexes, which no attempt has sent yet.
    pub fn of(indexes: impl IntoIterator<Item = usize>) -> Vec<Pending> {
        indexes.into_iter().map(|index| Pending { index, may_be_ours: false }).collect()
    }
}

impl Retry<'_> {
    /// Makes attempts for each group of documents in turn, until all have an outcome in `outcomes` or the time is over.
    /// `attempt` gets the documents, the wait, and the reason why the attempt before it failed.
    ///
    /// # Errors
    /// The error of an attempt: no further attempt can succeed.
    pub fn run(
        &self,
        mut groups: Vec<Vec<Pending>>,
        outcomes: &mut [Outcome],
        mut attempt: impl FnMut(&[Pending], &Wait<'_>, Option<&str>) -> Result<Attempt>,
    ) -> Result<()> {
        let wait = self.patience.begin();
        let mut backoff = Backoff::new(self.first_delay, self.max_delay);
        let mut before: Option<String> = None;
        groups.reverse();
        while let Some(mut group) = groups.pop() {
            let started = Instant::now();
            let trouble = match attempt(&group, &wait, before.as_deref())? {
                Attempt::Answered { verdicts, trouble } => {
                    let again = settle(group, verdicts, outcomes);
                    match &trouble {
                        None => note_answer(started.elapsed()),
                        Some(_) => note_refusal(again.len()),
                    }
                    groups.extend(Some(again).filter(|again| !again.is_empty()));
                    trouble
                }
                Attempt::Lost { words, maybe_written } => {
                    group.iter_mut().for_each(|pending| pending.may_be_ours |= maybe_written);
                    note_refusal(group.len());
                    groups.push(group);
                    Some(words)
                }
                Attempt::Unreadable { words, too_large } => {
                    match group.as_slice() {
                        [pending] => {
                            let refused = if too_large { Outcome::Oversize } else { Outcome::Rejected };
                            outcomes[pending.index] = refused(words);
                        }
                        _ => {
                            let second = group.split_off(group.len() / 2);
                            groups.extend([second, group]);
                        }
                    }
                    None
                }
                Attempt::Ended(words) => {
                    note_refusal(0);
                    groups.push(group);
                    give_up(groups, outcomes, &words);
                    return Ok(());
                }
            };
            let Some(words) = trouble else {
                self.patience.over();
                before = None;
                backoff.reset();
                continue;
            };
            let delay = backoff.next_delay();
            let (name, ms) = (self.patience.name(), delay.as_millis());
            self.counters.0.add(self.counters.1, 1);
            self.told.tell(1, |times, _| format!("{name}: {times} tries failed, the next in {ms} ms: {words}"));
            let said = if self.aloud { wait.check_aloud(&words) } else { Ok(()) };
            if let Err(ended) = said.and_then(|()| wait.pause(&words, delay)) {
                give_up(groups, outcomes, &ended.0);
                return Ok(());
            }
            before = Some(words);
        }
        Ok(())
    }
}

/// Sets the outcomes that `verdicts` tell, and returns the documents that need another attempt.
fn settle(group: Vec<Pending>, verdicts: Vec<Verdict>, outcomes: &mut [Outcome]) -> Vec<Pending> {
    let mut again = Vec::new();
    for (pending, verdict) in group.into_iter().zip(verdicts) {
        outcomes[pending.index] = match verdict {
            Verdict::Settled(outcome) => outcome,
            Verdict::Exists if pending.may_be_ours => Outcome::Stored,
            Verdict::Exists => Outcome::Duplicate,
            Verdict::Again { written } => {
                again.push(Pending { may_be_ours: pending.may_be_ours || written, ..pending });
                continue;
            }
        };
    }
    again
}

/// Ends at the deadline: documents without an outcome have failed.
fn give_up(groups: Vec<Vec<Pending>>, outcomes: &mut [Outcome], words: &str) {
    groups.into_iter().flatten().for_each(|pending| outcomes[pending.index] = Outcome::Failed(words.to_owned()));
}

/// Notes an attempt that was answered in `time`.
fn note_answer(time: Duration) {
    let noted = NOTED.get();
    NOTED.set(Attempts { answered: noted.answered + time, ..noted });
}

/// Notes an attempt that was refused. `retried` is the number of documents that need another attempt.
fn note_refusal(retried: usize) {
    let noted = NOTED.get();
    NOTED.set(Attempts { refused: noted.refused + 1, retried: noted.retried + retried as u64, ..noted });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::error::Error;
    use crate::core::wait::{Deadline, Waits, Words};
    use crate::observe::counters::counters;
    use crate::sink::attempts;

    counters! {
        LIST of Sink;
        RETRIES = 65000, "retries", "attempts", "Attempts.";
    }

    static TOLD: Seldom = Seldom::new();

    /// Stores `groups` with a store that gives these answers in turn. Returns the outcomes, the documents of each attempt,
    /// and the number of repeated attempts.
    fn run(
        groups: &[&[usize]],
        deadline: Duration,
        answers: Vec<Result<Attempt>>,
    ) -> (Result<Vec<Outcome>>, Vec<Vec<usize>>, u64) {
        let waits = Waits::quiet(Deadline::of(deadline));
        let patience = waits.patience("test:", Words::STORED);
        let counters = Counters::new(LIST);
        let (first_delay, max_delay) = (Duration::from_millis(1), Duration::from_millis(2));
        let retry = Retry {
            patience: &patience,
            first_delay,
            max_delay,
            aloud: false,
            counters: (&counters, &RETRIES),
            told: &TOLD,
        };
        let mut outcomes = vec![Outcome::Rejected("no outcome".into()); groups.iter().map(|group| group.len()).sum()];
        let mut sent = Vec::new();
        let mut answers = answers.into_iter();
        let groups = groups.iter().map(|group| Pending::of(group.iter().copied())).collect();
        let result = retry.run(groups, &mut outcomes, |group, _, _| {
            sent.push(group.iter().map(|pending| pending.index).collect());
            answers.next().unwrap_or_else(|| Ok(lost("still away", false)))
        });
        (result.map(|()| outcomes), sent, counters.get(&RETRIES))
    }

    const MINUTE: Duration = Duration::from_secs(60);

    fn lost(words: &str, maybe_written: bool) -> Attempt {
        Attempt::Lost { words: words.into(), maybe_written }
    }

    fn answered(verdicts: impl IntoIterator<Item = Verdict>) -> Attempt {
        Attempt::Answered { verdicts: verdicts.into_iter().collect(), trouble: None }
    }

    const STORED: Verdict = Verdict::Settled(Outcome::Stored);

    #[test]
    fn a_document_that_is_there_after_a_lost_attempt_of_our_own_is_stored_and_otherwise_a_duplicate() {
        for (written, expected) in [(true, Outcome::Stored), (false, Outcome::Duplicate)] {
            let answers = vec![Ok(lost("away", written)), Ok(answered([Verdict::Exists]))];
            let (outcomes, sent, retries) = run(&[&[0]], MINUTE, answers);
            assert_eq!((outcomes.unwrap(), sent, retries), (vec![expected], vec![vec![0], vec![0]], 1));
        }
        let (outcomes, ..) = run(
            &[&[0], &[1]],
            MINUTE,
            vec![Ok(lost("away", true)), Ok(answered([Verdict::Exists])), Ok(answered([Verdict::Exists]))],
        );
        assert_eq!(outcomes.unwrap(), [Outcome::Stored, Outcome::Duplicate], "only the group of the lost attempt");
    }

    #[test]
    fn only_documents_without_an_outcome_are_sent_again() {
        let first = Attempt::Answered {
            verdicts: vec![
                STORED,
                Verdict::Again { written: false },
                Verdict::Exists,
                Verdict::Again { written: true },
            ],
            trouble: Some("busy".into()),
        };
        let (outcomes, sent, _) =
            run(&[&[0, 1, 2, 3]], MINUTE, vec![Ok(first), Ok(answered([Verdict::Exists, Verdict::Exists]))]);
        let expected = [Outcome::Stored, Outcome::Duplicate, Outcome::Duplicate, Outcome::Stored];
        assert_eq!((outcomes.unwrap(), sent), (expected.to_vec(), vec![vec![0, 1, 2, 3], vec![1, 3]]));
    }

    #[test]
    fn a_document_that_cannot_be_read_is_found_by_halves_and_its_neighbours_are_stored() {
        let unreadable = || Ok(Attempt::Unreadable { words: "odd".into(), too_large: false });
        let answers = vec![unreadable(), Ok(answered([STORED])), unreadable(), Ok(answered([STORED])), unreadable()];
        let (outcomes, sent, retries) = run(&[&[0, 1, 2]], MINUTE, answers);
        assert_eq!(sent, [vec![0, 1, 2], vec![0], vec![1, 2], vec![1], vec![2]]);
        assert_eq!(outcomes.unwrap(), [Outcome::Stored, Outcome::Stored, Outcome::Rejected("odd".into())]);
        assert_eq!(retries, 0, "no attempt was repeated");
    }

    #[test]
    fn at_the_deadline_the_documents_without_an_outcome_have_failed_with_the_reason() {
        let (outcomes, sent, retries) = run(&[&[0], &[1, 2]], Duration::from_millis(20), vec![Ok(answered([STORED]))]);
        let outcomes = outcomes.unwrap();
        assert_eq!(outcomes[0], Outcome::Stored);
        for outcome in &outcomes[1..] {
            let Outcome::Failed(words) = outcome else { panic!("{outcomes:?}") };
            assert!(words.contains("not stored within 0.02 s: still away"), "{words}");
        }
        assert!(sent.len() > 2 && retries >= 2, "{sent:?}");
    }

    #[test]
    fn the_attempts_of_a_thread_are_noted() {
        attempts::take();
        let first = Attempt::Answered {
            verdicts: vec![STORED, Verdict::Again { written: false }],
            trouble: Some("busy".into()),
        };
        let answers = vec![Ok(first), Ok(lost("away", false)), Ok(answered([STORED]))];
        let (outcomes, ..) = run(&[&[0, 1]], MINUTE, answers);
        let noted = attempts::take();
        assert_eq!((outcomes.unwrap().len(), noted.refused, noted.retried), (2, 2, 2));
        assert!(noted.answered > Duration::ZERO && attempts::take() == attempts::Attempts::default());
    }

    #[test]
    fn an_error_ends_the_loop() {
        let answers = vec![Ok(lost("away", false)), Err(Error::sink("no permission"))];
        let (outcomes, sent, _) = run(&[&[0]], MINUTE, answers);
        assert_eq!((outcomes.unwrap_err().to_string().as_str(), sent.len()), ("no permission", 2));
    }
}
