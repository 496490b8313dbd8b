//! The reports of messages: [`Reports`] takes them from the client, and each [`Call`] waits for those of its own.

use std::sync::atomic::{AtomicU8, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rdkafka::client::ClientContext;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::KafkaError;
use rdkafka::producer::{DeliveryResult, ProducerContext};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::counters::CLIENT_ERRORS;
use crate::kafka::notices::Notices;
use crate::observe::counters::Counters;

/// Calls that wait for room are woken after so many reports. They also look by themselves from time to time.
const WAKE_AFTER: u64 = 64;

/// The context of the client: it gets reports, errors and the log.
pub(super) struct Reports {
    notices: Arc<Notices>,
    counters: Arc<Counters>,
    /// The number of reports.
    number: AtomicU64,
    /// The number of calls that wait for room.
    waiting: AtomicUsize,
    room: Mutex<()>,
    changed: Condvar,
}

impl Reports {
    pub fn new(notices: Arc<Notices>, counters: Arc<Counters>) -> Reports {
        Reports {
            notices,
            counters,
            number: AtomicU64::new(0),
            waiting: AtomicUsize::new(0),
            room: Mutex::new(()),
            changed: Condvar::new(),
        }
    }

    /// Returns the number of reports so far.
    pub fn number(&self) -> u64 {
        self.number.load(Ordering::Relaxed)
    }

    /// Waits until reports have made room, for `most` at the longest.
    pub fn wait_for_room(&self, most: Duration) {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
        drop(self.changed.wait_timeout(room, most));
        self.waiting.fetch_sub(1, Ordering::SeqCst);
    }

    /// Counts a report, and wakes calls that wait for room from time to time. `is_last` says that a call has all its reports.
    fn count(&self, is_last: bool) {
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        if (is_last || number.is_multiple_of(WAKE_AFTER)) && self.waiting.load(Ordering::SeqCst) > 0 {
            let room = self.room.lock().unwrap_or_else(PoisonError::into_inner);
            self.changed.notify_all();
            drop(room);
        }
    }
}

impl ClientContext for Reports {
    fn log(&self, _level: RDKafkaLogLevel, facility: &str, message: &str) {
        self.notices.log(facility, message);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.counters.add(&CLIENT_ERRORS, 1);
        self.notices.error(&error, reason);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<Report>;

    fn delivery(&self, result: &DeliveryResult<'_>, report: Box<Report>) {
        let code = match result {
            Ok(_) => None,
            Err((error, _)) => Some(error.rdkafka_error_code().unwrap_or(Code::Unknown)),
        };
        let Report { call, index } = *report;
        self.count(call.report(index, code));
    }
}

/// What the client gives back with the report of a message.
pub(super) struct Report {
    pub call: Arc<Call>,
    /// The number of the message in its call.
    pub index: u32,
}

/// What is known about a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Status {
    /// Its report is out.
    Open,
    /// It was never given to the client.
    Unsent,
    /// The brokers have confirmed it.
    Written,
    /// It was not written.
    Failed(Code),
}

/// The messages that one call of `store` has given to the client.
pub(super) struct Call {
    /// 0 for a message whose report is out, 1 for one that was written, 2 for one that failed.
    states: Box<[AtomicU8]>,
    /// The number of messages whose reports are out.
    open: AtomicUsize,
    failed: Mutex<Vec<(u32, Code)>>,
    done: Condvar,
}

impl Call {
    /// Creates a call with so many messages.
    pub fn new(messages: usize) -> Call {
        Call {
            states: (0..messages).map(|_| AtomicU8::new(0)).collect(),
            open: AtomicUsize::new(messages),
            failed: Mutex::default(),
            done: Condvar::new(),
        }
    }

    fn failed(&self) -> MutexGuard<'_, Vec<(u32, Code)>> {
        self.failed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes the report of a message, with the reason if it was not written. Returns whether this was the last one.
    pub fn report(&self, index: u32, code: Option<Code>) -> bool {
        if let Some(code) = code {
            self.failed().push((index, code));
        }
        if let Some(state) = self.states.get(index as usize) {
            state.store(if code.is_some() { 2 } else { 1 }, Ordering::Release);
        }
        let is_last = self.open.fetch_sub(1, Ordering::AcqRel) == 1;
        if is_last {
            let failed = self.failed();
            self.done.notify_all();
            drop(failed);
        }
        is_last
    }

    /// Expects no report of the messages from number `sent` on, which are not given to the client.
    pub fn expect_only(&self, sent: usize) {
        let unsent = self.states.len() - sent.min(self.states.len());
        self.open.fetch_sub(unsent, Ordering::AcqRel);
    }

    /// Returns the number of messages whose reports are out.
    pub fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    /// Waits until all reports are in, for `most` at the longest. Returns whether they are.
    pub fn wait(&self, most: Duration) -> bool {
        let failed = self.failed();
        let waited = self.done.wait_timeout_while(failed, most, |_| self.open() > 0);
        drop(waited);
        self.open() == 0
    }

    /// Returns what is known about each message. The messages from number `sent` on were never given to the client.
    pub fn statuses(&self, sent: usize) -> Vec<Status> {
        let mut statuses: Vec<Status> = self
            .states
            .iter()
            .enumerate()
            .map(|(index, state)| match state.load(Ordering::Acquire) {
                _ if index >= sent => Status::Unsent,
                1 => Status::Written,
                _ => Status::Open,
            })
            .collect();
        for &(index, code) in &*self.failed() {
            if let Some(status) = statuses.get_mut(index as usize) {
                *status = Status::Failed(code);
            }
        }
        statuses
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_call_waits_for_all_its_reports_and_knows_each_message() {
        let call = Arc::new(Call::new(4));
        assert!(!call.wait(Duration::from_millis(1)));
        let reporting = Arc::clone(&call);
        thread::scope(|scope| {
            scope.spawn(move || {
                assert!(!reporting.report(1, None));
                assert!(!reporting.report(0, Some(Code::MessageSizeTooLarge)));
            });
        });
        let expected = [Status::Failed(Code::MessageSizeTooLarge), Status::Written, Status::Open, Status::Unsent];
        assert_eq!((call.statuses(3).as_slice(), call.open()), (&expected[..], 2));
        call.expect_only(3);
        assert!(!call.wait(Duration::ZERO) && call.report(2, None) && call.wait(Duration::ZERO));
        assert!(Call::new(0).wait(Duration::ZERO));
    }
}
