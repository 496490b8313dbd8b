//! Faults that do not come from the input: endpoints, strangers, signals, full disks, and processes that die.

#[cfg(feature = "mongodb")]
mod databases;
mod disks;
mod endpoints;
mod floods;
mod poison;
#[cfg(feature = "sqlite")]
mod refusals;
mod scaling;
mod signals;
mod spawn;
mod standstills;
mod stopped;
mod strangers;
mod unread;
mod waits;
mod workers;
