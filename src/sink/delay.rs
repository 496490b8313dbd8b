//! A sink for tests, `delay:MS`: it counts documents and drops them, and takes its time, as a server does. It exists only with the
//! feature `contract-tests`.
//!
//! `delay:MS,refuse=FROM..TO` refuses every attempt between two times, in seconds after it was opened.

use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::api::{AnySink, Outcome, Sink};
use super::kind::{self, AddressText, InFlight, OpenSink, Opening, SinkAddress, SinkKind};
use super::retry::{Attempt, Pending, Retry, Verdict};
use crate::core::error::{Error, Result};
use crate::core::wait::{Patience, Words};
use crate::document::{Documents, Encoding};
use crate::event::Layout;
use crate::observe::counters::{Counters, counters};
use crate::observe::details::Seldom;

counters! {
    /// The counters of delaying sinks.
    COUNTERS of Sink;
    RETRIES = 1121, "delayed_again", "attempts", "Attempts that were refused.";
}

static TOLD: Seldom = Seldom::new();

/// The kind `delay:`.
pub static KIND: SinkKind = SinkKind {
    name: "delay",
    schemes: &["delay"],
    words: &[],
    syntax: &["delay:MS[,refuse=FROM..TO]"],
    help: "nothing is stored, and every request takes its time",
    options: &[],
    has_login: false,
    public_options: &[],
    counters: COUNTERS,
    in_flight: InFlight::Adaptive,
    knows_duplicates: false,
    parse: |address: &AddressText<'_>| match parse(address.rest) {
        Some((delay, refuses)) => Ok(Box::new(DelayAddress { delay, refuses, text: address.text.to_owned() })),
        None => Err(kind::wrong(&KIND, "needs milliseconds")),
    },
};

fn parse(text: &str) -> Option<(Duration, Range<f64>)> {
    let (delay, refuses) = match text.split_once(",refuse=") {
        Some((delay, refuses)) => (delay, refuses.split_once("..")?),
        None => (text, ("0", "0")),
    };
    let delay = Duration::from_millis(delay.parse::<u32>().ok()?.into());
    Some((delay, refuses.0.parse().ok()?..refuses.1.parse().ok()?))
}

pub(super) struct DelayAddress {
    delay: Duration,
    refuses: Range<f64>,
    text: String,
}

impl fmt::Display for DelayAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl SinkAddress for DelayAddress {}

impl OpenSink for DelayAddress {
    fn open(&self, with: &Opening<'_>) -> Result<AnySink> {
        let name = self.to_string();
        let patience = with.waits.patience(&name, Words::STORED);
        let (delay, refuses, counters, opened) =
            (self.delay, self.refuses.clone(), Counters::new(COUNTERS), Instant::now());
        Ok(Arc::new(DelaySink { name, delay, refuses, patience, counters, opened }).into())
    }
}

struct DelaySink {
    name: String,
    delay: Duration,
    /// The seconds after it was opened in which every attempt is refused.
    refuses: Range<f64>,
    patience: Patience,
    counters: Counters,
    opened: Instant,
}

impl Sink for DelaySink {
    fn name(&self) -> &str {
        &self.name
    }

    fn layout(&self) -> Layout {
        Encoding::Json.into()
    }

    fn store(&self, documents: &Documents, outcomes: &mut Vec<Outcome>) -> Result<()> {
        outcomes.clear();
        outcomes.resize(documents.len(), Outcome::Stored);
        let retry = Retry {
            patience: &self.patience,
            first_delay: Duration::from_millis(20),
            max_delay: Duration::from_millis(500),
            aloud: false,
            counters: (&self.counters, &RETRIES),
            told: &TOLD,
        };
        retry.run(vec![Pending::of(0..documents.len())], outcomes, |group, _, _| {
            // A request has a body of its own.
            let body: Vec<u8> = documents.bytes().to_vec();
            if self.refuses.contains(&self.opened.elapsed().as_secs_f64()) {
                let verdicts = vec![Verdict::Again { written: false }; group.len()];
                return Ok(Attempt::Answered { verdicts, trouble: Some("refused for now".to_owned()) });
            }
            std::thread::sleep(self.delay);
            match body.len() == documents.bytes().len() {
                true => {
                    let verdicts = vec![Verdict::Settled(Outcome::Stored); group.len()];
                    Ok(Attempt::Answered { verdicts, trouble: None })
                }
                false => Err(Error::internal("the body of a request has another length")),
            }
        })
    }

    fn counters(&self) -> Option<&Counters> {
        Some(&self.counters)
    }
}
