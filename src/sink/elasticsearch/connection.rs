//! [`Connection`]: everything that the calls of `store` on one sink share, and how they ask a server.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::answer::{Answer, Failure};
use super::body::Buffers;
use super::client::{Ask, Client, NoAnswer};
use super::counters::{COUNTERS, FAILOVERS};
use super::courier::Couriers;
use super::hosts::Hosts;
use super::target::Target;
use crate::core::error::Result;
use crate::core::wait::{Ended, Wait};
use crate::observe::counters::Counters;

/// The largest number of buffers that are kept for later requests.
const MAX_KEPT: usize = 64;

pub(super) struct Connection {
    pub target: Target,
    pub counters: Counters,
    client: Arc<Client>,
    couriers: Couriers,
    hosts: Mutex<Hosts>,
    /// Memory of earlier requests.
    free: Mutex<Vec<Buffers>>,
}

/// What a request asks for. Its body stands in [`Buffers`].
#[derive(Debug, Clone)]
pub(super) struct Asked {
    pub method: &'static str,
    pub path: String,
    /// The type of the body; empty without one.
    pub content: &'static str,
}

/// The end of a request.
pub(super) struct Asking {
    /// The host that was asked.
    pub host: String,
    pub answer: Result<Answer, NoAnswer>,
    /// The buffers, with the reply.
    pub buffers: Buffers,
}

impl Connection {
    /// Prepares the connection. Nothing is sent yet.
    ///
    /// # Errors
    /// The errors of [`Client::new`].
    pub fn new(target: &Target) -> Result<Connection> {
        Ok(Connection {
            client: Arc::new(Client::new(target)?),
            hosts: Mutex::new(Hosts::new(target.hosts.len())),
            target: target.clone(),
            counters: Counters::new(COUNTERS),
            couriers: Couriers::new(),
            free: Mutex::default(),
        })
    }

    /// Sends a request to the host whose turn it is. `before` is the reason why an attempt before this one failed.
    ///
    /// # Errors
    /// The outer error ends the job. The inner one says that the time was over before the server answered.
    pub fn ask(
        &self,
        wait: &Wait<'_>,
        before: Option<&str>,
        asked: Asked,
        mut buffers: Buffers,
    ) -> Result<Result<Asking, Ended>> {
        let (number, changed) = self.hosts().choose(Instant::now());
        self.counters.add(&FAILOVERS, u64::from(changed));
        let Some(host) = self.target.hosts.get(number).cloned() else {
            return Err(crate::core::error::Error::internal("an address has no such host"));
        };
        let client = Arc::clone(&self.client);
        let reason = || match before {
            Some(words) => format!("no answer yet; before that: {words}"),
            None => "no answer yet".to_owned(),
        };
        let carried = self.couriers.carry(wait, reason, {
            let host = host.clone();
            move || {
                let mut reply = std::mem::take(&mut buffers.reply);
                let Asked { method, path, content } = &asked;
                let (body, is_compressed) = (buffers.sent(), buffers.is_compressed);
                let answer = client.send(&host, &Ask { method, path, content, is_compressed, body }, &mut reply);
                buffers.reply = reply;
                (answer, buffers)
            }
        })?;
        Ok(carried.map(|(answer, buffers)| {
            let has_failed = match &answer {
                Err(_) => true,
                Ok(answer) if answer.is_success(&buffers.reply) => false,
                Ok(answer) => {
                    matches!(answer.failure(&buffers.reply), Failure::Transient { host_failed: true, .. })
                }
            };
            match has_failed {
                true => self.hosts().failed(number, Instant::now()),
                false => self.hosts().answered(number),
            }
            Asking { host, answer, buffers }
        }))
    }

    /// Returns buffers for a request.
    pub fn buffers(&self) -> Buffers {
        self.free.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default()
    }

    /// Keeps the buffers of a request for later ones.
    pub fn give_back(&self, buffers: Buffers) {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        if free.len() < MAX_KEPT {
            free.push(buffers);
        }
    }

    /// Names the host in front of `words` if there are several, and hides secrets.
    pub fn words(&self, host: &str, words: &str) -> String {
        let words = self.target.mask(words);
        if self.target.hosts.len() > 1 { format!("{host}: {words}") } else { words }
    }

    fn hosts(&self) -> MutexGuard<'_, Hosts> {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
