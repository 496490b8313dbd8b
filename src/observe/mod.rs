//! Everything that people and programs are told about a job: messages and progress, counters and the receipt, debug messages,
//! notifications for the service manager.

pub mod console;
pub mod counters;
pub mod details;
pub mod receipt;
pub mod service_manager;
