//! Follows files (`--follow`): reads new data as it is written, even if files are renamed. `doc/follow.md` states the
//! promises.
//!
//! One thread follows all files. These modules are pure, except for the files that they are given: `file_table`
//! interprets the scans of names, `tail` reads one file, `follower` manages all files, and `copies` remembers the
//! delivered extents. `watch` waits for events, `unpack` reads compressed files, `outbox` keeps what finds no room in the queue,
//! `follow_loop` connects all of them, and `source` is the source.

mod arrivals;
pub mod copies;
pub mod file_table;
mod follow_loop;
mod followed;
pub mod follower;
mod losses;
mod outbox;
mod source;
pub mod tail;
mod unpack;
mod watch;

pub use self::source::KIND;
