//! Reads one file or pipe to its end.

use std::cell::Cell;
use std::fs::{File, Metadata};
use std::io::{BufReader, Read};
use std::os::fd::{AsFd, BorrowedFd};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use super::api::RunContext;
use super::batching_delay::{self, BatchingDelay};
use super::cutter::Cutter;
use super::decompress::{self, Compression, MAGIC_BYTES, Tracked};
use super::encodings::{Carrier, KNOWN_UTF_8};
use super::gzip::MemberTime;
use super::joint::Joint;
use super::journald_export::{self, ExportReader};
use super::origin::fingerprint;
use super::outcome::InputEnd;
use super::outlet::Outlet;
use super::reader::{BatchReader, End};
use super::resume::Resuming;
use crate::core::calendar::now_ms;
use crate::core::context::Origin;
use crate::core::error::{Error, Result};
use crate::envelope::container::detect;
use crate::process::host::host_name;
use crate::state::Stamp;

/// The size of the buffer for compressed bytes.
const FILE_BUFFER: usize = 128 << 10;

/// The longest time that lines of a live input are held back while it is unknown whether they are settled.
const MAX_HOLD: Duration = Duration::from_secs(1);

/// If a file changed less than this time before its end was read, it may have changed once more without a new
/// timestamp.
const TIMESTAMP_DOUBT: Duration = Duration::from_secs(2);

/// Reads `file`, which is called `name` in messages, into `outlet`. Standard input has no `path`.
///
/// `log` is the origin of a log that the file is a part of, without its envelope.
pub(super) fn read_file(
    file: &File,
    path: Option<&Path>,
    name: &str,
    log: Option<Origin>,
    context: &RunContext,
    outlet: &dyn Outlet,
) -> Result<InputEnd> {
    let &RunContext { options, pool, progress, .. } = context;
    log::debug!("{name}: reading begins");
    // The bytes of this input alone, for messages. The shared progress adds up all inputs.
    let consumed = Arc::new(AtomicU64::new(0));
    // The file can be opened again by its name. Standard input has no stamp, because its start position is unknown.
    let stamp = || file.metadata().ok().filter(|_| path.is_some()).and_then(|data| Stamp::of(&data));
    let resuming = options.memory.as_deref().map(|memory| Resuming::new(outlet, memory, stamp()));
    let receiver = resuming.as_ref().map_or(outlet, |resuming| resuming);
    let mut raw = CountedFile { file, total: Arc::clone(&progress.read), resuming: None, held_since: None };
    let magic = beginning(&mut raw).map_err(|error| Error::input(format!("{name}: cannot be read")).because(error))?;
    let compression = Compression::of(&magic);
    let is_export = magic == journald_export::MAGIC;
    let live = compression == Compression::None && !file.metadata().is_ok_and(|data| data.is_file());
    raw.resuming = resuming.as_ref().filter(|_| live);
    let buffered = BufReader::with_capacity(FILE_BUFFER, Rejoined { beginning: magic, rest: raw });
    let tracked = Tracked::new(buffered, Arc::clone(&consumed));
    let damaged = |error: std::io::Error, lines: u64, offset: u64| {
        let at = consumed.load(Ordering::Relaxed);
        let what = match compression {
            Compression::None if is_export => "damaged journal export".to_owned(),
            Compression::None => "cannot be read further".to_owned(),
            _ if decompress::wants_too_much(&error) => format!(
                "the {} data needs more than {} MiB of memory; decompress it with another program and pipe it in; stopped",
                compression.name(),
                decompress::MOST_MEMORY_MIB
            ),
            _ => format!("damaged {} data", compression.name()),
        };
        Error::input(format!(
            "{name}: {what} at byte {at}; the {lines} lines before it (content bytes 0 to {offset}) were delivered, \
             the rest was not"
        ))
        .because(error)
    };
    let member = MemberTime::default();
    let mut content = match is_export {
        true => Box::new(ExportReader::new(tracked)),
        false => compression.timed_reader(tracked, member.clone()).map_err(|error| damaged(error, 0, 0))?,
    };
    let patience = Cell::new(BatchingDelay::default());
    let absolute = path.and_then(|path| std::path::absolute(path).ok());
    let shown = name;
    let name = |beginning: &[u8]| {
        let origin = match &log {
            Some(log) => Origin { fingerprint: Some(fingerprint(beginning)), ..log.clone() },
            None => Origin::new(options.origin.id(path, beginning), name.to_owned()),
        };
        let origin = Origin {
            path: absolute.as_ref().map(|path| path.display().to_string()),
            host: path.and_then(|_| host_name()),
            compression: (compression != Compression::None).then(|| compression.name().to_owned()),
            ..origin
        };
        let origin = match log {
            Some(_) => origin.told_by(detect(beginning)),
            None => options.wrapping.complete(origin, absolute.as_deref(), beginning),
        };
        options.describing.complete(origin, path)
    };
    let joint = Joint::of(path.filter(|_| log.is_none()));
    // An export of the journal is converted to lines in UTF-8.
    let encoding = if is_export { KNOWN_UTF_8 } else { options.encoding };
    let rules = &options.records;
    let carrier = Carrier::of(compression);
    let cutter = Cutter { size: &options.size, pool, receiver, name: &name, rules, joint, encoding, carrier };
    // A pipe or a terminal has no time of its last change, so its bytes have the time of their arrival.
    let modified = file.metadata().ok().filter(Metadata::is_file).map(|data| modified_ms(&data));
    // Each member of a gzip file may be a file of another day, and says so.
    let time = || member.ms().or(modified).unwrap_or_else(now_ms);
    let exact = compression == Compression::Gzip;
    let idle = || live && is_due(&patience, file.as_fd());
    let quiet = |time| live && is_quiet(file.as_fd(), time);
    let reader = BatchReader { cutter, idle: &idle, quiet: &quiet, time: &time, exact };
    let end = reader.read(&mut content);
    if let Some(resuming) = &resuming {
        if !matches!(end, Ok(End::Stopped { .. })) {
            resuming.deliver_held();
        }
        if let Some(failure) = resuming.failure() {
            return Err(failure);
        }
        if matches!(end, Ok(End::Complete)) {
            resuming.end(stamp().filter(|stamp| is_older_than(stamp, TIMESTAMP_DOUBT)));
        }
    }
    match end? {
        End::Complete => Ok(InputEnd::Complete),
        End::Binary(binary) => Ok(InputEnd::Binary(binary.words(shown))),
        End::Stopped { .. } if resuming.as_ref().is_some_and(Resuming::is_settled_whole) => Ok(InputEnd::Complete),
        // Lines that are held back were not delivered either.
        End::Stopped { offset } => {
            Ok(InputEnd::Stopped(resuming.as_ref().and_then(Resuming::held_from).unwrap_or(offset)))
        }
        End::Damaged { error, lines, offset } => Err(damaged(error, lines, offset)),
    }
}

/// The time of the last change of a file's bytes, in milliseconds since 1970.
pub(super) fn modified_ms(data: &Metadata) -> i64 {
    use std::os::unix::fs::MetadataExt;
    data.mtime().saturating_mul(1000).saturating_add(data.mtime_nsec() / 1_000_000)
}

/// Reads the first bytes of a stream, only as many as are needed to detect its format. A live input whose first line is
/// short is not delayed.
pub(super) fn beginning(input: &mut impl Read) -> std::io::Result<Vec<u8>> {
    let mut magic = Vec::with_capacity(MAGIC_BYTES);
    let mut byte = [0];
    while (Compression::may_begin(&magic) && magic.len() < MAGIC_BYTES) || journald_export::may_begin(&magic) {
        match input.read(&mut byte) {
            Ok(0) => break,
            Ok(_) => magic.push(byte[0]),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(magic)
}

/// Whether the latest change of a file is longer ago than `age`.
fn is_older_than(stamp: &Stamp, age: Duration) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let latest = i128::from(stamp.modified.max(stamp.changed));
    latest + (age.as_nanos() as i128) < now.as_nanos() as i128
}

/// Whether the waiting lines should be delivered: `fd` gives no more data for a moment, or the lines have waited for
/// too long.
fn is_due(patience: &Cell<BatchingDelay>, fd: BorrowedFd<'_>) -> bool {
    let mut waited = patience.get();
    waited.begin();
    let is_due = waited.is_due() || is_quiet(fd, waited.left());
    if is_due {
        waited.reset();
    }
    patience.set(waited);
    is_due
}

/// Whether `fd` gives no data for `time`.
fn is_quiet(fd: BorrowedFd<'_>, time: Duration) -> bool {
    use nix::poll::{PollFd, PollFlags, poll};
    matches!(poll(&mut [PollFd::new(fd, PollFlags::POLLIN)], batching_delay::timeout(Some(time))), Ok(0))
}

/// An input of which the first bytes were read already. The first read gives them together with the bytes that are there at
/// once, so what the content is does not depend on how many bytes were read before.
struct Rejoined<'a> {
    beginning: Vec<u8>,
    rest: CountedFile<'a>,
}

impl Read for Rejoined<'_> {
    fn read(&mut self, output: &mut [u8]) -> std::io::Result<usize> {
        if self.beginning.is_empty() {
            return self.rest.read(output);
        }
        let length = self.beginning.len().min(output.len());
        output[..length].copy_from_slice(&self.beginning[..length]);
        self.beginning.drain(..length);
        if length == output.len() || is_quiet(self.rest.file.as_fd(), Duration::ZERO) {
            return Ok(length);
        }
        // The next read meets an error once more.
        Ok(length + self.rest.read(&mut output[length..]).unwrap_or(0))
    }
}

/// A file that adds the bytes read to a shared count.
struct CountedFile<'a> {
    file: &'a File,
    total: Arc<AtomicU64>,
    /// Set for a live input, whose lines must not be held back for long.
    resuming: Option<&'a Resuming<'a>>,
    held_since: Option<Instant>,
}

impl CountedFile<'_> {
    /// Delivers the lines that were held back for too long. This is called before each read of a live input, because
    /// the read may wait.
    fn deliver_overdue(&mut self) -> std::io::Result<()> {
        let Some(resuming) = self.resuming else { return Ok(()) };
        if !resuming.holds() {
            self.held_since = None;
            return Ok(());
        }
        let left = MAX_HOLD.saturating_sub(self.held_since.get_or_insert_with(Instant::now).elapsed());
        if left.is_zero() || is_quiet(self.file.as_fd(), left) {
            resuming.deliver_held();
            self.held_since = None;
        }
        if resuming.has_failed() { Err(std::io::Error::other("a line could not be set aside")) } else { Ok(()) }
    }
}

impl Read for CountedFile<'_> {
    fn read(&mut self, output: &mut [u8]) -> std::io::Result<usize> {
        self.deliver_overdue()?;
        let length = self.file.read(output)?;
        self.total.fetch_add(length as u64, Ordering::Relaxed);
        Ok(length)
    }
}
