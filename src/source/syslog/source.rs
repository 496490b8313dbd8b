//! One syslog socket, and the counts of what it received.

use std::net::{TcpListener, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::address::Address;
use crate::observe::receipt::SourceCount;
use crate::source::live::ReaderGuard;
use crate::source::say::Say;

/// How long messages that the kernel already has are still read after the stop was requested.
pub(super) const DRAIN_TIME: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub(super) struct Source {
    pub(super) address: Address,
    /// The address with the real port.
    pub(super) name: String,
    pub(super) socket: Socket,
    pub(super) connections: usize,
    pub(super) idle: Duration,
    pub(super) account: Account,
    pub(super) say: Say,
    /// Counts the socket as a reader from the moment it is open. The guard moves to the thread that reads.
    pub(super) entered: Mutex<Option<ReaderGuard>>,
}

#[derive(Debug)]
pub(super) enum Socket {
    Udp(UdpSocket),
    Tcp(TcpListener, Option<Arc<rustls::ServerConfig>>),
}

/// The counts of a socket.
#[derive(Debug, Default)]
pub(super) struct Account {
    pub(super) received: AtomicU64,
    pub(super) dropped: AtomicU64,
    pub(super) drops_known: AtomicBool,
    pub(super) connections: AtomicU64,
    pub(super) refused: AtomicU64,
    pub(super) idle: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Source {
    pub(super) fn enter(&self) -> Option<ReaderGuard> {
        self.entered.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    pub(super) fn count(&self) -> SourceCount {
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let Account { received, dropped, drops_known, connections, refused, idle } = &self.account;
        SourceCount {
            name: self.name.clone(),
            received: get(received),
            dropped: drops_known.load(Ordering::Relaxed).then(|| get(dropped)),
            connections: get(connections),
            refused: get(refused),
            idle: get(idle),
        }
    }
}
