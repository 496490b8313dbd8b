//! What may go wrong besides the input: endpoints, strangers, signals, full disks, and processes that die.

mod endpoints;

mod strangers;
mod workers;
