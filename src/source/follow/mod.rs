//! Files that are followed (`--follow`): what is written to them is read as it comes, whatever becomes of their names.
//! `doc/follow.md` says what is promised.
//!
//! One thread follows all files. `file_table` says what looks at names mean, `tail` is one file, `follower` all of them, `copies`
//! knows what was delivered; all of that is pure but for the files it is given. `watch` waits, and this module puts
//! them together.

mod arrivals;
pub mod copies;
pub mod file_table;
mod follow_loop;
pub mod follower;
mod losses;
mod options;
mod outbox;
pub mod tail;
mod unpack;
mod watch;

pub(super) use self::follow_loop::follow;
pub use self::options::FollowOptions;
