//! [`Session`]: one client that writes, with the thread that takes its reports. [`Sessions`] replaces it when it cannot go on.
//!
//! What the client writes once, however often it tries, is written once within one session only.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rdkafka::client::Client;
use rdkafka::config::FromClientConfigAndContext;
use rdkafka::error::KafkaError;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer, PurgeConfig};
use rdkafka::types::RDKafkaErrorCode as Code;

use super::producing;
use super::reports::{Report, Reports};
use crate::core::error::{Error, Result};
use crate::kafka::Address;
use crate::kafka::client;
use crate::kafka::notices::Notices;
use crate::kafka::trouble::Trouble;
use crate::observe::counters::Counters;

/// The time of one call for reports. It bounds how long the end of a session takes.
const POLL: Duration = Duration::from_millis(50);

/// A message on its way to the client.
pub(super) type Outgoing<'a> = BaseRecord<'a, [u8], [u8], Box<Report>>;

/// One client.
pub(super) struct Session {
    producer: Arc<BaseProducer<Reports>>,
    is_ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    /// The size of a batch of the client in bytes. A larger message is a batch of its own.
    batch_size: usize,
}

impl Session {
    fn new(settings: &[(String, String)], batch_size: usize, address: &Address, reports: Reports) -> Result<Session> {
        let own = ("batch.size".to_owned(), batch_size.to_string());
        let config = client::config(settings.iter().cloned().chain([own]));
        let producer = BaseProducer::from_config_and_context(&config, reports)
            .map_err(|error| Error::usage(client::not_created(address, &error)))?;
        let (producer, is_ending) = (Arc::new(producer), Arc::new(AtomicBool::new(false)));
        let (polled, ending) = (Arc::clone(&producer), Arc::clone(&is_ending));
        let poll = move || {
            while !ending.load(Ordering::Acquire) {
                polled.poll(POLL);
            }
        };
        let thread = thread::Builder::new().name("kafka".to_owned()).spawn(poll);
        let thread =
            thread.map_err(|error| Error::system("cannot start the thread of a Kafka client").because(error))?;
        Ok(Session { producer, is_ending, thread: Some(thread), batch_size })
    }

    /// Returns the size of a batch in bytes.
    pub fn batch_size(&self) -> usize {
        self.batch_size
    }

    /// Gives a message to the client. If the client does not take it, it is returned with the reason.
    pub fn send<'a>(&self, message: Outgoing<'a>) -> Result<(), (Code, Outgoing<'a>)> {
        self.producer.send(message).map_err(|(error, message)| (code_of(&error), message))
    }

    /// Makes the client forget all messages. Their reports come at once.
    pub fn forget_all(&self) {
        self.producer.purge(PurgeConfig::default().queue().inflight().non_blocking());
    }

    /// Returns the reason why the client cannot go on; `None` if it can.
    pub fn end(&self) -> Option<(Code, Trouble)> {
        let (code, reason) = self.producer.client().fatal_error()?;
        Some((code, Trouble::new(code, &reason)))
    }

    /// Returns the client, for questions.
    pub fn client(&self) -> &Client<Reports> {
        self.producer.client()
    }

    /// Returns the account of reports.
    pub fn reports(&self) -> &Reports {
        self.producer.client().context()
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.is_ending.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// Returns the code of an error.
pub(super) fn code_of(error: &KafkaError) -> Code {
    error.rdkafka_error_code().unwrap_or(Code::Unknown)
}

/// The sessions of a sink, one after the other.
pub(super) struct Sessions {
    address: Address,
    settings: Vec<(String, String)>,
    notices: Arc<Notices>,
    counters: Arc<Counters>,
    current: Mutex<Arc<Session>>,
}

impl Sessions {
    /// Begins the first session. `settings` are all settings of the client; of two with one name, the last one counts.
    ///
    /// # Errors
    /// A usage error when the client refuses a setting; a system error when there is no thread.
    pub fn begin(
        address: &Address,
        settings: Vec<(String, String)>,
        notices: Arc<Notices>,
        counters: Arc<Counters>,
    ) -> Result<Sessions> {
        let batch_size = producing::number(&settings, "batch.size").unwrap_or(producing::BATCH_SIZE);
        let reports = Reports::new(Arc::clone(&notices), Arc::clone(&counters));
        let first = Session::new(&settings, batch_size, address, reports)?;
        let current = Mutex::new(Arc::new(first));
        Ok(Sessions { address: address.clone(), settings, notices, counters, current })
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Session>> {
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the session that messages are given to.
    pub fn current(&self) -> Arc<Session> {
        Arc::clone(&self.lock())
    }

    /// Begins another session with batches of `batch_size`, unless another thread has replaced `old` already. The old one ends
    /// when its last call does. Returns whether there is a new one.
    ///
    /// # Errors
    /// There is no thread.
    pub fn replace(&self, old: &Arc<Session>, batch_size: usize) -> Result<bool> {
        let mut current = self.lock();
        if !Arc::ptr_eq(&current, old) {
            return Ok(false);
        }
        let reports = Reports::new(Arc::clone(&self.notices), Arc::clone(&self.counters));
        *current = Arc::new(Session::new(&self.settings, batch_size, &self.address, reports)?);
        Ok(true)
    }
}
