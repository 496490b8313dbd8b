//! [`Notices`]: what the client reports by itself, as sentences for people, each of them once in a while.
//!
//! A context of librdkafka hands on its errors and its log here. The last error is kept, so that a wait can say its reason.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rdkafka::error::KafkaError;
use rdkafka::types::RDKafkaErrorCode as Code;

use super::address::Address;
use super::trouble::Trouble;
use crate::observe::details::Seldom;

/// The time before a sentence is said again.
const PAUSE: Duration = Duration::from_secs(60);

/// The number of different sentences that are remembered.
const MOST: usize = 64;

static LOGGED: Seldom = Seldom::new();

/// The reports of one client.
pub struct Notices {
    name: String,
    address: Address,
    say: Box<dyn Fn(&str) + Send + Sync>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    repeats: Repeats,
    last: Option<Trouble>,
}

impl Notices {
    /// Creates the reports of a client of `address`, which `say` shows to the user.
    pub fn new(address: &Address, say: impl Fn(&str) + Send + Sync + 'static) -> Notices {
        Notices { name: address.to_string(), address: address.clone(), say: Box::new(say), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an error that the client reports, for `ClientContext::error`. It is said unless it was said a short time ago.
    pub fn error(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(Code::Unknown);
        let trouble = Trouble::new(code, reason);
        let words = self.address.mask(&trouble.words);
        let mut state = self.state();
        // That all brokers are down explains less than the error before it.
        if code != Code::AllBrokersDown || state.last.is_none() {
            state.last = Some(Trouble { words: words.clone(), ..trouble });
        }
        let is_due = state.repeats.is_due(&words, Instant::now());
        drop(state);
        if is_due {
            (self.say)(&format!("{}: {words}", self.name));
        }
    }

    /// Takes a line of the client's log, for `ClientContext::log`. It becomes a debug message.
    pub fn log(&self, facility: &str, message: &str) {
        LOGGED.tell(1, |times, _| {
            let more = if times > 1 { format!(" ({times} messages)") } else { String::new() };
            format!("{}: librdkafka: {facility}: {}{more}", self.name, self.address.mask(message))
        });
    }

    /// Returns the last error, unless the client has made [progress](Notices::over) since.
    pub fn last(&self) -> Option<Trouble> {
        self.state().last.clone()
    }

    /// Notes that the brokers answer: the last error is over.
    pub fn over(&self) {
        self.state().last = None;
    }
}

/// Which sentences were said, and when.
#[derive(Debug, Default)]
struct Repeats(HashMap<String, Instant>);

impl Repeats {
    fn is_due(&mut self, words: &str, now: Instant) -> bool {
        if self.0.len() >= MOST {
            self.0.retain(|_, said| now < *said + PAUSE);
        }
        // With so many different sentences, a further one says little.
        if self.0.len() >= MOST && !self.0.contains_key(words) {
            return false;
        }
        match self.0.get_mut(words) {
            Some(said) if now < *said + PAUSE => false,
            Some(said) => {
                *said = now;
                true
            }
            None => {
                self.0.insert(words.to_owned(), now);
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::kafka::Role;

    #[test]
    fn a_sentence_is_said_once_in_a_while_and_the_last_error_is_kept() {
        let address = Address::parse("kafka://u:hush@h/t", Role::Producer, &[]).unwrap();
        let said = Arc::new(Mutex::new(Vec::new()));
        let notes = Arc::clone(&said);
        let notices = Notices::new(&address, move |words| notes.lock().unwrap().push(words.to_owned()));
        let away = KafkaError::Global(Code::BrokerTransportFailure);
        for _ in 0..3 {
            notices.error(&away, "h:9092/bootstrap: hush is refused");
            notices.error(&KafkaError::Global(Code::AllBrokersDown), "1/1 brokers are down");
        }
        let expected = ["kafka://***@h/t: h:9092/bootstrap: *** is refused", "kafka://***@h/t: 1/1 brokers are down"];
        assert_eq!(*said.lock().unwrap(), expected);
        assert_eq!(notices.last().unwrap().words, "h:9092/bootstrap: *** is refused");
        notices.over();
        assert_eq!(notices.last(), None);
    }

    #[test]
    fn a_sentence_is_due_again_after_a_minute_and_the_memory_is_bounded() {
        let (mut repeats, start) = (Repeats::default(), Instant::now());
        assert!(repeats.is_due("a", start) && !repeats.is_due("a", start + PAUSE / 2));
        assert!(repeats.is_due("a", start + PAUSE));
        for number in 0..2 * MOST {
            repeats.is_due(&number.to_string(), start + PAUSE);
        }
        assert_eq!(repeats.0.len(), MOST);
        assert!(repeats.is_due("new", start + 2 * PAUSE));
    }
}
