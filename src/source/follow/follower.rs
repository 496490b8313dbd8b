//! Decides which of the followed files are read, when, and until when. Files and time are arguments.

mod beginning;
mod ending;
mod logs;
mod opening;
mod reading;
mod scanning;
mod sequences;
mod state;
#[cfg(test)]
mod tests;
mod waking;

pub use self::ending::Remainder;
pub use self::state::{Follower, Open};
pub use self::waking::SETTLED;
