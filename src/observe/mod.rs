//! What people and programs learn of a job: sentences and progress, the receipt, details for debugging, the service manager.

pub mod console;
pub mod details;
pub mod receipt;
pub mod service_manager;
