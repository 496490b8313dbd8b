//! Lines that are pushed: all of them, once, to whoever pulls; and what is said when nobody does.

mod confirm;
mod flow;
#[cfg(feature = "sqlite")]
mod held;
mod keys;
mod python;

pub use self::flow::stop_after;
