//! Finds a topic without creating it: the client asks with `allow.auto.create.topics=false`.

use std::time::{Duration, Instant};

use rdkafka::client::{Client, ClientContext};
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};
use rdkafka::metadata::{Metadata, MetadataTopic};

use super::address::Address;
use super::notices::Notices;
use super::trouble::{Meaning, Trouble};
use crate::core::wait::Patience;

/// The time of the first question. It doubles with each one that gets no answer, up to the longest one. Nothing can interrupt
/// a question, but errors of the client are seen between them.
const QUESTION: Duration = Duration::from_millis(500);
const LONGEST_QUESTION: Duration = Duration::from_secs(4);

/// The time between two questions.
const PAUSE: Duration = Duration::from_millis(100);

/// A topic that was created a moment ago may not be known to every broker yet.
const PROPAGATION: Duration = Duration::from_secs(1);

/// A topic that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Topic {
    /// The numbers of its partitions, in order.
    pub partitions: Vec<i32>,
}

/// What one question brought.
enum Answer {
    Found(Topic),
    /// Another question may bring more. The text is the reason.
    NotYet(String),
    /// No broker knows the topic.
    Missing,
    /// Another question brings nothing else.
    Final(String),
}

/// Asks the brokers for the topic of `address` until one of them tells. `serve` handles the events of the client between two
/// questions; a client whose events are handled by a thread of its own needs nothing.
///
/// # Errors
/// A sentence for the user. The topic does not exist, the login is refused or lacks a right, or nobody answers while `patience`
/// lasts.
pub fn find<C: ClientContext>(
    client: &Client<C>,
    address: &Address,
    notices: &Notices,
    patience: &Patience,
    mut serve: impl FnMut(),
) -> Result<Topic, String> {
    let mut missing_since = None;
    let mut time = QUESTION;
    loop {
        let left = patience.begin().left().unwrap_or(LONGEST_QUESTION).max(PAUSE);
        let answer = ask(client, address, time.min(left));
        serve();
        let reason = match answer {
            Answer::Found(topic) => {
                notices.over();
                patience.over();
                return Ok(topic);
            }
            Answer::Final(words) => return Err(format!("{address}: {}", address.mask(&words))),
            Answer::Missing if missing_since.get_or_insert_with(Instant::now).elapsed() >= PROPAGATION => {
                return Err(missing(client, address));
            }
            Answer::Missing => "the brokers do not know the topic".to_owned(),
            Answer::NotYet(words) => {
                missing_since = None;
                time = (2 * time).min(LONGEST_QUESTION);
                match notices.last() {
                    Some(Trouble { meaning: Meaning::Login | Meaning::Tls | Meaning::Fatal, words }) => {
                        return Err(format!("{address}: {words}"));
                    }
                    Some(Trouble { words, .. }) => words,
                    None => address.mask(&words),
                }
            }
        };
        if let Err(ended) = patience.begin().pause(&reason, PAUSE) {
            return Err(format!("{}: {}", address.brokers_name(), ended.0));
        }
    }
}

fn ask<C: ClientContext>(client: &Client<C>, address: &Address, time: Duration) -> Answer {
    match client.fetch_metadata(Some(&address.topic), time) {
        Ok(metadata) => read(&metadata, &address.topic),
        Err(error) => not_answered(&error),
    }
}

fn read(metadata: &Metadata, name: &str) -> Answer {
    let Some(topic) = metadata.topics().iter().find(|topic| topic.name() == name) else { return Answer::Missing };
    let error = topic.error().map(Code::from);
    let words = |error: Code| format!("topic {name}: {error}");
    match error.map(|error| (Meaning::of(error), error)) {
        Some((Meaning::Missing, Code::InvalidTopic)) => Answer::Final(words(Code::InvalidTopic)),
        Some((Meaning::Missing, _)) => Answer::Missing,
        Some((Meaning::Right, error)) => {
            Answer::Final(format!("the login lacks the right to describe the topic {name}: {error}"))
        }
        // Without a leader, its partitions are known all the same.
        Some((_, error)) if topic.partitions().is_empty() => Answer::NotYet(words(error)),
        None if topic.partitions().is_empty() => Answer::NotYet(format!("topic {name} has no partitions yet")),
        _ => Answer::Found(partitions(topic)),
    }
}

fn partitions(topic: &MetadataTopic) -> Topic {
    let mut partitions: Vec<i32> = topic.partitions().iter().map(|partition| partition.id()).collect();
    partitions.sort_unstable();
    Topic { partitions }
}

fn not_answered(error: &KafkaError) -> Answer {
    let Some(code) = error.rdkafka_error_code() else { return Answer::Final(error.to_string()) };
    match Meaning::of(code) {
        Meaning::Right => Answer::Final(Trouble::new(code, &code.to_string()).words),
        _ => Answer::NotYet(code.to_string()),
    }
}

/// Returns the sentence for a topic that does not exist, with the name of the nearest that does.
fn missing<C: ClientContext>(client: &Client<C>, address: &Address) -> String {
    let all = client.fetch_metadata(None, QUESTION);
    let names = all.as_ref().map(|all| all.topics().iter().map(MetadataTopic::name).collect()).unwrap_or_default();
    let hint = match nearest(&address.topic, names) {
        Some(nearest) => format!("; did you mean {nearest}?"),
        None => String::new(),
    };
    format!(
        "{address}: the topic {} does not exist, and logator creates none{hint} (kafka-topics.sh --create creates topics)",
        address.topic
    )
}

/// Returns the name that is nearest to `topic`, if it is near.
fn nearest<'a>(topic: &str, names: Vec<&'a str>) -> Option<&'a str> {
    let near = names.into_iter().filter(|name| !name.starts_with("__"));
    let nearest = near.map(|name| (strsim::damerau_levenshtein(topic, name), name)).min();
    nearest.filter(|(distance, _)| *distance <= 1 + topic.len() / 4).map(|(_, name)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_with_a_similar_name_is_suggested() {
        for (topic, names, expected) in [
            ("web-logs", vec!["weblogs", "other"], Some("weblogs")),
            ("web-logs", vec!["__consumer_offsets", "other"], None),
            ("web-logs", vec![], None),
        ] {
            assert_eq!(nearest(topic, names), expected);
        }
    }
}
