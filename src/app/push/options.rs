//! The options of `logator-push`.

use std::sync::Arc;
use std::time::Duration;

use crate::core::option_spec::OptionValues;
use crate::net::socket::SocketOptions;
use crate::process::job_files::JobFiles;
use crate::source::encodings::EncodingRule;

/// How lines are sent.
#[derive(Debug, Clone)]
pub struct PushOptions {
    /// The inputs, as the user names them. An empty list means standard input.
    pub inputs: Vec<String>,
    /// The values of the options of all kinds of sources.
    pub values: OptionValues,
    /// The files of the job itself, which are never read as inputs.
    pub files: Arc<JobFiles>,
    /// The endpoints and keys.
    pub socket: SocketOptions,
    /// The `type` in the envelope of each line; `None` sends lines as they are.
    pub kind: Option<String>,
    /// The time to send the remaining lines at the end.
    pub linger: Duration,
    /// The maximum number of lines that wait while no peer takes any.
    pub queue: usize,
    /// Whether new lines are dropped while the queue is full. Otherwise they are not read.
    pub drops: bool,
    /// When a line is answered on standard output, as rsyslog's omprog needs it.
    pub confirm: Confirm,
    /// The longest line, in bytes.
    pub max_line: usize,
    /// How the encodings of inputs are found. Messages are UTF-8.
    pub encoding: EncodingRule,
}

/// When a line is answered with `OK`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confirm {
    /// Never.
    No,
    /// When the line is in the queue.
    Queued,
    /// When a connection has taken the line from libzmq.
    Delivered,
}
