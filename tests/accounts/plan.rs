//! The plan of one round. Everything is drawn from its seed before anything is started.

use std::time::Duration;

use fastrand::Rng;
use nix::sys::signal::Signal;

use super::oracle::Fate;

/// Lines that begin with `row` match; other lines do not.
pub const PATTERN: &str = "^(?<line>row .*)$";

/// A database that refuses documents refuses those that hold this word.
pub const UNWELCOME: &str = "unwelcome";

/// The program that does the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// `logator run` on files.
    Run,
    /// `logator run` on standard input: a pipe or a file.
    Input { file: bool },
    /// `logator-queue`, and workers that are started separately.
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
    /// Returns whether its inputs have an end.
    pub fn ends(self) -> bool {
        matches!(self, Mode::Run | Mode::Input { .. } | Mode::Queue | Mode::Spawn)
    }
}

/// The form of a content on the disk.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Plain.
    Plain,
    /// One or several gzip members.
    Gzip { members: usize },
    /// One zstd frame.
    Zstd,
    /// A symbolic link to a file in another folder.
    Link,
    /// Plain, and these bytes are appended while the file is read.
    Growing { later: Vec<u8> },
}

/// An input, or the lines of one sender.
#[derive(Debug, Clone)]
pub struct File {
    /// Its name below the folder of inputs.
    pub name: String,
    /// Its content at the start.
    pub bytes: Vec<u8>,
    /// The form of the content on the disk.
    pub shape: Shape,
}

/// A change of followed files. Each change names its file by a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Whole lines are appended. The file is made if it is missing.
    Append(usize, Vec<u8>),
    /// The beginning of a line is appended. When it was delivered without its end, the rest of the line follows.
    Halves(usize, Vec<u8>, Vec<u8>),
    /// The first line of a new file comes in two parts, and `--follow-timeout` passes between them.
    FirstLineInHalves(usize, Vec<u8>, Vec<u8>),
    /// The file gets another name that is followed too, and a new file takes its old name.
    Rename(usize),
    /// The same, and the renamed file is compressed and removed.
    Compress(usize),
    /// The file is copied to another name and then truncated.
    CopyTruncate(usize),
    /// The file is removed. It was read from before, but the latest bytes may not have been read.
    Remove(usize),
    /// A file with these lines is made, and removed as soon as the program has it open.
    Vanish(Vec<u8>),
    /// The beginning of a line is appended, and its end never comes.
    Unended(usize, Vec<u8>),
    /// The test waits for everything that was written.
    Settle,
    /// SIGTERM ends the program, and it is started again.
    Restart,
    /// The program is killed and started again.
    Kill,
}

/// A sink.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SinkKind {
    /// A file of JSON lines.
    Ndjson,
    /// A compressed file of JSON lines.
    Gzip,
    /// A database.
    Sqlite,
    /// A named pipe whose reader stands still for a while.
    Pipe,
}

/// A thing that is broken.
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
    /// Another process has locked the dead letters.
    LettersLocked,
    /// `kill -9` of a worker; another worker takes its place.
    WorkerKilled,
    /// `kill -9` of the queue or of `run`; the same command is started again.
    Killed,
}

/// A fault and its moment.
#[derive(Debug, Clone, Copy)]
pub struct Trouble {
    /// The thing that is broken.
    pub fault: Fault,
    /// The number of documents before the fault.
    pub after: u64,
    /// How long a passing fault lasts.
    pub hold: Duration,
    /// Whether the fault lasts until the program has ended.
    pub to_the_end: bool,
}

/// How often a signal is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Manner {
    /// Once.
    Once,
    /// Twice at once, as `timeout` does; that counts as one signal.
    Twice,
    /// Twice, with more than half a second between; the second signal ends the program at once.
    TwiceApart,
    /// Once, as soon as the process exists.
    Early,
}

/// A signal and its moment.
#[derive(Debug, Clone, Copy)]
pub struct Kill {
    /// The signal.
    pub signal: Signal,
    /// How often the signal is sent.
    pub manner: Manner,
    /// The number of documents before the signal.
    pub after: u64,
    /// Whether the signal comes during the fault, if there is a fault that lasts for some time.
    pub in_trouble: bool,
}

/// `--unmatched`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unmatched {
    Keep,
    DeadLetter,
    Drop,
}

/// The whole plan of a round.
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
    /// Whether the job's own files lie among its inputs.
    pub own_inside: bool,
    /// SIGHUP or SIGUSR1, after so many documents. These signals end no program.
    pub harmless: Option<(Signal, u64)>,
}

impl Plan {
    /// Returns the place where a line must be.
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

    /// Returns the kind of the fault, if there is one.
    pub fn fault(&self) -> Option<Fault> {
        self.trouble.map(|trouble| trouble.fault)
    }

    /// Returns whether the first database among the sinks refuses documents.
    pub fn refuses(&self) -> bool {
        matches!(self.fault(), Some(Fault::Refusing | Fault::Colliding))
    }

    /// Returns the number of the first database among the sinks.
    pub fn database(&self) -> Option<usize> {
        self.sinks.iter().position(|sink| *sink == SinkKind::Sqlite)
    }

    /// Returns whether documents are identified by their text, because a line from the network has no offset in a file.
    pub fn by_text(&self) -> bool {
        matches!(self.mode, Mode::Pull | Mode::Syslog)
    }

    /// Returns the plan of a seed.
    pub fn draw(seed: u64) -> Plan {
        super::draw::plan(&mut Rng::with_seed(seed), seed)
    }
}
