//! What one round does: everything is drawn from its seed, before anything is started.

use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;

use super::oracle::Fate;

/// Lines that begin with `row` match; all others do not.
pub const PATTERN: &str = "^(?<line>row .*)$";

/// A database that refuses documents refuses those that hold this word.
pub const UNWELCOME: &str = "unwelcome";

/// Which program does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `logator run` on files.
    Run,
    /// `logator run` on standard input: a pipe, or a file.
    Input { file: bool },
    /// `logator-queue` and workers beside it.
    Queue,
    /// `logator-queue --spawn`.
    Spawn,
    /// `logator run --follow`.
    Follow { poll: bool },
    /// `logator-push` and `logator-pull`.
    Pull,
    /// `logator run syslog+tcp://…`.
    Syslog,
}

impl Mode {
    /// Whether its inputs have an end.
    pub fn ends(self) -> bool {
        matches!(self, Mode::Run | Mode::Input { .. } | Mode::Queue | Mode::Spawn)
    }
}

/// How a content lies on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// As it is.
    Plain,
    /// One gzip member, or several.
    Gzip { members: usize },
    /// One zstd frame.
    Zstd,
    /// A symbolic link to a file elsewhere.
    Link,
    /// Plain, and these bytes are appended while it is read.
    Growing { later: Vec<u8> },
}

/// An input, or what one sender sends.
#[derive(Debug, Clone)]
pub struct File {
    /// Its name below the folder of inputs.
    pub name: String,
    /// What it holds at the start.
    pub bytes: Vec<u8>,
    /// How it lies there.
    pub shape: Shape,
}

/// What is done to followed files; each names its file by its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Whole lines are appended; the file is made if it is not there.
    Append(usize, Vec<u8>),
    /// The beginning of a line is appended. It is waited for until it was delivered without its end, then the rest
    /// follows.
    Halves(usize, Vec<u8>, Vec<u8>),
    /// The first line of a file that is new, in two parts: `--follow-timeout` passes between them.
    FirstLineInHalves(usize, Vec<u8>, Vec<u8>),
    /// The file gets another name that is followed too, and a new file has its own from then on.
    Rename(usize),
    /// The same, and the renamed file is compressed and removed.
    Compress(usize),
    /// The file is copied to another name, then truncated.
    CopyTruncate(usize),
    /// The file is removed. It was read from before; what was appended last may not have been.
    Remove(usize),
    /// A file with these lines is made, and removed as soon as the program has it open.
    Vanish(Vec<u8>),
    /// The beginning of a line is appended, and its end never comes.
    Unended(usize, Vec<u8>),
    /// Everything that was written is waited for.
    Settle,
    /// The program ends by SIGTERM and is started again.
    Restart,
    /// The program is killed and started again.
    Kill,
}

/// Where documents go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkKind {
    /// A file of JSON lines.
    Ndjson,
    /// The same, compressed.
    Gzip,
    /// A database.
    Sqlite,
    /// A named pipe whose reader stands still for a while.
    Pipe,
}

/// What is broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Another connection holds the write lock of the database.
    Locked,
    /// A trigger of the database refuses some documents.
    Refusing,
    /// A unique index of the database refuses some documents.
    Colliding,
    /// Nobody reads the pipe for a while.
    Slow,
    /// The disk of the first sink has little room.
    DiskFull,
    /// The disk of the state directory is full for a while.
    StateFull,
    /// Somebody else has locked the dead letters.
    LettersLocked,
    /// `kill -9` of a worker; another one takes its place.
    WorkerKilled,
    /// `kill -9` of the queue, or of `run`; the same command is started again.
    Killed,
}

/// A fault, and when.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// What is broken.
    pub fault: Fault,
    /// After so many documents.
    pub after: u64,
    /// For how long, if it is something that passes.
    pub hold: Duration,
    /// It lasts until the program has ended.
    pub to_the_end: bool,
}

/// How often a signal is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Once.
    Once,
    /// Twice at once, as `timeout` does; that counts as one.
    Twice,
    /// Twice, with more than half a second between: the second ends the program at once.
    TwiceApart,
    /// Once, as soon as the process is there.
    Early,
}

/// A signal, and when.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    /// Which.
    pub signal: Signal,
    /// How often.
    pub manner: Manner,
    /// After so many documents.
    pub after: u64,
    /// While the fault lasts, if there is one that lasts.
    pub in_trouble: bool,
}

/// `--unmatched`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    Keep,
    DeadLetter,
    Drop,
}

/// All of a round.
#[derive(Debug, Clone)]
pub struct Plan {
    pub seed: u64,
    pub mode: Mode,
    pub files: Vec<File>,
    pub steps: Vec<Step>,
    pub sinks: Vec<SinkKind>,
    pub state: bool,
    pub jobs: usize,
    pub workers: usize,
    pub batch_lines: usize,
    pub max_memory: Option<&'static str>,
    pub max_line: usize,
    pub unmatched: Unmatched,
    pub by_path: bool,
    pub trouble: Option<Trouble>,
    pub signal: Option<Kill>,
    /// The job's own files lie among its inputs.
    pub own_inside: bool,
    /// SIGHUP or SIGUSR1, after so many documents: nobody ends by it.
    pub harmless: Option<(Signal, u64)>,
}

impl Plan {
    /// What must become of a line.
    pub fn fate(&self, line: &[u8]) -> Fate {
        if line.len() > self.max_line {
            return Fate::Letter;
        }
        let refused = || memchr::memmem::find(line, UNWELCOME.as_bytes()).is_some();
        if line.starts_with(b"row ") {
            return if self.refuses() && refused() { Fate::Refused } else { Fate::Stored };
        }
        match self.unmatched {
            Unmatched::Keep => Fate::Stored,
            Unmatched::DeadLetter => Fate::Letter,
            Unmatched::Drop => Fate::Filtered,
        }
    }

    /// The kind of fault, if there is one.
    pub fn fault(&self) -> Option<Fault> {
        self.trouble.map(|trouble| trouble.fault)
    }

    /// Whether the first database among the sinks refuses documents.
    pub fn refuses(&self) -> bool {
        matches!(self.fault(), Some(Fault::Refusing | Fault::Colliding))
    }

    /// The number of the first database among the sinks.
    pub fn database(&self) -> Option<usize> {
        self.sinks.iter().position(|sink| *sink == SinkKind::Sqlite)
    }

    /// Whether documents are told apart by their text: what came over the network has no place in a file.
    pub fn by_text(&self) -> bool {
        matches!(self.mode, Mode::Pull | Mode::Syslog)
    }

    /// The plan of a seed.
    pub fn draw(seed: u64) -> Plan {
        super::draw::plan(&mut Rng::with_seed(seed), seed)
    }
}
