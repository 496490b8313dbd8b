//! Follows files (`--follow`): reads new data as it is written, even if files are renamed. `doc/follow.md` states the
//! promises.
//!
//! One thread follows all files. These modules are pure, except for the files that they are given: `file_table`
//! interprets the scans of names, `tail` reads one file, `follower` manages all files, and `copies` remembers the
//! delivered extents. `changing` is for names that change meanwhile, `logs` follows such files, `ascending` finds them while they are
//! rotated, and `cut_line` is for lines that a rotation cut. `watch` waits for events, `unpack` reads compressed files, `outbox` keeps
//! what finds no room in the queue, `follow_loop` connects all of them, and `source` is the source.

mod arrivals;
mod ascending;
mod binary_files;
pub mod changing;
pub mod copies;
mod cut_line;
pub mod file_table;
mod follow_loop;
mod followed;
pub mod follower;
pub mod logs;
mod losses;
mod naming;
mod open_file;
mod open_limit;
mod outbox;
mod source;
pub mod tail;
mod unpack;
mod watch;

pub use self::source::KIND;
