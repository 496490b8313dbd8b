//! One file that is followed: what has been read of it, and what has not been handed out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::copies::View;
use super::file_table::{ContentCheck, check_content};
use crate::core::batch::Origin;
use crate::core::error::Result;
use crate::source::block_pool::BlockPool;
use crate::source::cutter::{Content, Cutter};
use crate::source::inputs::Input;
use crate::source::origin::{FINGERPRINT_BYTES, OriginRule};
use crate::source::receiver::{BatchReceiver, BatchSize};
use crate::source::resume::Resuming;

/// A file that was opened, whatever becomes of its name.
pub trait OpenFile {
    /// Reads at a place; 0 at the end.
    ///
    /// # Errors
    /// Those of the system.
    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize>;

    /// Its bytes, and whether it was deleted.
    ///
    /// # Errors
    /// Those of the system.
    fn look(&self) -> io::Result<(u64, bool)>;
}

impl OpenFile for std::fs::File {
    fn read_at(&self, room: &mut [u8], at: u64) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, room, at)
    }

    fn look(&self) -> io::Result<(u64, bool)> {
        let data = self.metadata()?;
        Ok((data.len(), std::os::unix::fs::MetadataExt::nlink(&data) == 0))
    }
}

/// What all tails share.
pub struct Reader<'a> {
    /// How to cut.
    pub size: &'a BatchSize,
    /// How to name.
    pub origin: &'a OriginRule,
    /// Where blocks come from.
    pub pool: &'a Arc<BlockPool>,
    /// Where batches go.
    pub receiver: &'a dyn BatchReceiver,
    /// How long a last line without its end is waited for.
    pub timeout: Duration,
}

/// How long lines are held back at most, at the end of a file, until it is known whether they are settled; and how long
/// when nothing comes: whoever copies a file does not pause.
const MAX_HOLD: Duration = Duration::from_secs(1);
const MAX_HOLD_QUIET: Duration = Duration::from_millis(100);

/// What is read of one file before others have their turn.
const TURN_BYTES: u64 = 8 << 20;

/// Bytes kept of a content's beginning, and of what was read last: a content that begins anew has others there.
const BEGINNING_BYTES: usize = 256;
const LATEST_BYTES: usize = 64;

/// What came of reading.
#[derive(Debug, PartialEq, Eq)]
pub enum TurnResult {
    /// All that is there was read.
    All,
    /// There is more, and others have their turn.
    More,
    /// There may be more, but the file is closed, or nobody takes lines at the moment.
    Paused,
    /// The file was truncated amid a line, which a copy may have whole: [`Tail::begin_anew`] is to be told.
    Truncated,
    /// No more is wanted.
    Unwanted,
}

/// See the [module](self).
pub struct Tail<'a, S> {
    /// `None` while it is closed for want of descriptors.
    source: Option<S>,
    path: PathBuf,
    memory: &'a View,
    resuming: Resuming<'a>,
    content: Content,
    /// Bytes read of the content, which begins with the file.
    read: u64,
    beginning: Vec<u8>,
    latest: Vec<u8>,
    /// When something came last.
    last_growth: Duration,
    /// The last line was handed out without its end.
    cut: bool,
    /// Since when lines are held back although all is read, and from where on.
    held: Option<(Duration, u64)>,
}

impl<'a, S: OpenFile> Tail<'a, S> {
    /// A file of which nothing is read. `memory` knows what of it is settled.
    pub fn new(source: S, path: PathBuf, reader: &Reader<'a>, memory: &'a View, now: Duration) -> Self {
        Tail {
            source: Some(source),
            path,
            memory,
            resuming: Resuming::new(reader.receiver, memory, None),
            content: Content::default(),
            read: 0,
            beginning: Vec::new(),
            latest: Vec::new(),
            last_growth: now,
            cut: false,
            held: None,
        }
    }

    /// The file, if it is open.
    pub fn source(&self) -> Option<&S> {
        self.source.as_ref()
    }

    /// Closes the file. What is known of it is kept.
    pub fn close(&mut self) -> Option<S> {
        self.source.take()
    }

    /// The file is open again.
    pub fn reopen(&mut self, source: S) {
        self.source = Some(source);
    }

    /// Bytes that were handed out.
    pub fn bytes_handed_out(&self) -> u64 {
        self.content.offset()
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// It has another name.
    pub fn rename(&mut self, path: PathBuf) {
        self.path = path;
    }

    /// Bytes read.
    pub fn bytes_read(&self) -> u64 {
        self.read
    }

    /// When something came last.
    pub fn last_growth(&self) -> Duration {
        self.last_growth
    }

    /// Reads what has come, as much as one turn takes, and hands out whole lines.
    ///
    /// # Errors
    /// A read error as [`io::Error`] within; those of [`BatchReceiver::long_line`] without.
    pub fn read(&mut self, reader: &Reader<'a>, now: Duration) -> Result<io::Result<TurnResult>> {
        match self.read_turn(reader, now) {
            Ok(result) => result.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    fn read_turn(&mut self, reader: &Reader<'a>, now: Duration) -> io::Result<Result<TurnResult>> {
        let Some(source) = self.source.take() else { return Ok(Ok(TurnResult::Paused)) };
        let come = self.read_from(&source, reader, now);
        self.source = Some(source);
        come
    }

    fn read_from(&mut self, source: &S, reader: &Reader<'a>, now: Duration) -> io::Result<Result<TurnResult>> {
        let (size, _) = source.look()?;
        if check_content(self.read, size, || self.agrees(source)) == ContentCheck::Replaced {
            if self.content.has_pending() && !self.cut {
                return Ok(Ok(TurnResult::Truncated));
            }
            match self.begin_new_content(reader, false) {
                Ok(TurnResult::Unwanted) => return Ok(Ok(TurnResult::Unwanted)),
                Ok(_) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        let turn = self.read + TURN_BYTES;
        let mut result = TurnResult::All;
        let name = name(reader.origin, &self.path);
        let cutter = Cutter { size: reader.size, pool: reader.pool, receiver: &self.resuming, name: &name };
        while self.read < size {
            if !reader.receiver.has_room() {
                result = TurnResult::Paused;
                break;
            }
            let room = self.content.room(&cutter);
            let length = match source.read_at(room, self.read) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.content.return_block(&cutter);
                    return Err(error);
                }
            };
            let new = &room[..length];
            if self.beginning.len() < BEGINNING_BYTES {
                self.beginning.extend_from_slice(&new[..length.min(BEGINNING_BYTES - self.beginning.len())]);
            }
            self.latest.extend_from_slice(&new[length.saturating_sub(LATEST_BYTES)..]);
            self.latest.drain(..self.latest.len().saturating_sub(LATEST_BYTES));
            self.read += length as u64;
            self.last_growth = now;
            self.content.advance(length);
            if self.cut {
                match self.content.pending() {
                    [b'\r'] => continue,
                    [b'\n', ..] => self.content.skip_bytes(1),
                    [b'\r', b'\n', ..] => self.content.skip_bytes(2),
                    _ => self.content.continue_line(),
                }
                self.cut = false;
            }
            if self.content.is_full() {
                match self.content.hand_out(&cutter) {
                    Ok(true) => {}
                    Ok(false) => return Ok(self.unwanted()),
                    Err(error) => return Ok(Err(error)),
                }
            }
            if self.read >= turn {
                result = TurnResult::More;
                break;
            }
        }
        let handed_out = self.content.has_pending() && !self.cut;
        let wanted = match handed_out {
            true => self.content.hand_out(&cutter),
            false => Ok(true),
        };
        if result == TurnResult::All && self.resuming.holds() {
            self.resuming.look_ahead(self.content.pending());
        }
        self.content.return_block(&cutter);
        let from = self.resuming.held_from().filter(|_| result == TurnResult::All);
        self.held = from.map(|from| self.held.filter(|(_, before)| *before == from).unwrap_or((now, from)));
        Ok(match wanted {
            Ok(true) => Ok(result),
            Ok(false) => self.unwanted(),
            Err(error) => Err(error),
        })
    }

    /// When something is to be done although nothing has come.
    pub fn deadline(&self, reader: &Reader) -> Option<Duration> {
        let unfinished = self.may_cut(reader).then(|| self.last_growth.saturating_add(reader.timeout));
        unfinished.into_iter().chain(self.hold_deadline()).min()
    }

    /// Whether the last line may be handed out without its end. A first line that is not whole may not while it gives the
    /// content its origin: when its end came, the same content would have another one.
    fn may_cut(&self, reader: &Reader) -> bool {
        let unfinished = self.content.unfinished();
        let has_origin = self.content.is_named()
            || unfinished >= FINGERPRINT_BYTES as u64
            || *reader.origin != OriginRule::Fingerprint;
        unfinished > 0 && !self.cut && has_origin
    }

    /// When what is held back is delivered at the latest.
    fn hold_deadline(&self) -> Option<Duration> {
        self.held.map(|(since, _)| (since + MAX_HOLD).min(self.last_growth + MAX_HOLD_QUIET))
    }

    /// Does what is due: a line whose end did not come is handed out as it is, and what was held back long enough.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`].
    pub fn wake(&mut self, reader: &Reader<'a>, now: Duration) -> Result<TurnResult> {
        if self.hold_deadline().is_some_and(|at| at <= now) {
            self.held = None;
            self.deliver_held()?;
        }
        let due = self.last_growth.saturating_add(reader.timeout) <= now;
        if due && self.may_cut(reader) && !self.hand_out_rest(reader)? {
            return self.unwanted();
        }
        Ok(TurnResult::All)
    }

    /// Hands out what is left, if `all` the last line without its end too, and tells the memory that nothing more comes.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`].
    pub fn end(&mut self, reader: &Reader<'a>, all: bool) -> Result<()> {
        if all && !self.cut && !self.hand_out_rest(reader)? {
            self.unwanted()?;
        }
        self.deliver_held()?;
        self.resuming.end(None);
        Ok(())
    }

    /// The last line, as it is.
    fn hand_out_rest(&mut self, reader: &Reader<'a>) -> Result<bool> {
        let name = name(reader.origin, &self.path);
        let cutter = Cutter { size: reader.size, pool: reader.pool, receiver: &self.resuming, name: &name };
        self.cut = self.content.unfinished() > 0;
        self.content.end(&cutter, true)
    }

    fn deliver_held(&self) -> Result<()> {
        self.resuming.deliver_held();
        self.resuming.failure().map_or(Ok(()), Err)
    }

    /// Why the receiver wants no more.
    fn unwanted(&self) -> Result<TurnResult> {
        self.resuming.failure().map_or(Ok(TurnResult::Unwanted), Err)
    }

    /// Whether it begins as what was read of `other`, as far as that was kept.
    pub fn begins_like(&self, other: &Self) -> bool {
        self.beginning.starts_with(&other.beginning)
    }

    /// Whether `other` holds what was read, its last line included, which may go on there.
    pub fn is_copied_to(&self, other: &S) -> bool {
        let stands = |bytes: &[u8], at: u64| stands(other, bytes, at).unwrap_or(false);
        stands(&self.beginning, 0) && stands(self.content.pending(), self.content.offset())
    }

    /// The file was truncated: what it holds from here on is another content. What was read of its last line is handed out
    /// if nobody else has it.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`].
    pub fn begin_new_content(&mut self, reader: &Reader<'a>, copied: bool) -> Result<TurnResult> {
        if !self.cut && !copied && !self.hand_out_rest(reader)? {
            return self.unwanted();
        }
        self.deliver_held()?;
        self.resuming.end(None);
        self.resuming = Resuming::new(reader.receiver, self.memory, None);
        self.content = Content::default();
        self.read = 0;
        self.beginning.clear();
        self.latest.clear();
        self.cut = false;
        self.held = None;
        Ok(TurnResult::All)
    }

    /// Whether what was read still stands where it stood, as far as it was kept.
    fn agrees(&self, source: &S) -> bool {
        // Reading on meets what is wrong again, and says it.
        let stands = |bytes: &[u8], at: u64| stands(source, bytes, at).unwrap_or(true);
        stands(&self.beginning, 0) && stands(&self.latest, self.read - self.latest.len() as u64)
    }
}

/// Whether `bytes` stand at `at`.
fn stands(source: &impl OpenFile, bytes: &[u8], at: u64) -> io::Result<bool> {
    let mut buffer = [0; BEGINNING_BYTES];
    let mut done = 0;
    while done < bytes.len() {
        let most = (bytes.len() - done).min(buffer.len());
        match source.read_at(&mut buffer[..most], at + done as u64) {
            Ok(0) => return Ok(false),
            Ok(length) if buffer[..length] != bytes[done..done + length] => return Ok(false),
            Ok(length) => done += length,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}

fn name<'n>(rule: &'n OriginRule, path: &'n Path) -> impl Fn(&[u8]) -> Origin + 'n {
    move |beginning| {
        let id = rule.id(&Input::File(path.to_owned()), beginning);
        Origin::new(id, path.display().to_string())
    }
}
