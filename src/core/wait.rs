//! Waiting for something that does not answer: a lock, a server, the reader of a pipe, a disk.
//!
//! All parts of a process that may have to wait share one [`Waits`]: the job's [`Deadline`], the request to stop, and the
//! function that shows sentences to the user. A [`Patience`] belongs to one resource (a sink, the file of dead letters).
//! All threads that use the resource share it. A [`Wait`] is one attempt to use the resource.
//!
//! * The deadline counts from the first failed attempt of the whole job. Another thread, or another attempt, gets no
//!   time of its own. [`Patience::over`] ends the trouble, and the next trouble has the whole time again.
//! * After a second the user is told what the job waits for, once for each trouble. If the user was told, the end of the
//!   trouble is said too.
//! * The reader of standard output is a special case: a pager does not read while a person reads. Without a deadline
//!   of the user's own, the job waits for it without a limit. On a terminal nothing is said about it, because the pager
//!   has the screen.
//! * After a signal a wait may go on for five seconds, or until the deadline if that is sooner.

mod deadline;
mod patience;
mod shared;
mod slow_calls;

pub use self::deadline::Deadline;
pub use self::patience::{Ended, Patience, Wait, Words};
pub use self::shared::{Say, Waits};
