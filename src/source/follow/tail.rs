//! One file that is followed: what has been read of it, and what has not been handed out.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::copies::View;
use super::file_table::{Meaning, meaning};
use crate::core::batch::Origin;
use crate::core::error::Result;
use crate::source::block_pool::BlockPool;
use crate::source::cutter::{Content, Cutter};
use crate::source::inputs::Input;
use crate::source::origin::{FINGERPRINT_BYTES, OriginRule};
use crate::source::receiver::{BatchReceiver, BatchSize};
use crate::source::resume::Resuming;

/// A file that was opened, whatever becomes of its name.
pub trait Source {
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

impl Source for std::fs::File {
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
const HELD: Duration = Duration::from_secs(1);
const QUIET: Duration = Duration::from_millis(100);

/// What is read of one file before others have their turn.
const TURN: u64 = 8 << 20;

/// Bytes kept of a content's beginning, and of what was read last: a content that begins anew has others there.
const BEGINNING: usize = 256;
const LATEST: usize = 64;

/// What came of reading.
#[derive(Debug, PartialEq, Eq)]
pub enum Came {
    /// All that is there was read.
    All,
    /// There is more, and others have their turn.
    More,
    /// There may be more, but the file is closed, or nobody takes lines at the moment.
    NotNow,
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
    grown: Duration,
    /// The last line was handed out without its end.
    cut: bool,
    /// Since when lines are held back although all is read, and from where on.
    held: Option<(Duration, u64)>,
}

impl<'a, S: Source> Tail<'a, S> {
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
            grown: now,
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
    pub fn grown(&self) -> Duration {
        self.grown
    }

    /// Reads what has come, as much as one turn takes, and hands out whole lines.
    ///
    /// # Errors
    /// A read error as [`io::Error`] within; those of [`BatchReceiver::long_line`] without.
    pub fn read(&mut self, reader: &Reader<'a>, now: Duration) -> Result<io::Result<Came>> {
        match self.come(reader, now) {
            Ok(came) => came.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    fn come(&mut self, reader: &Reader<'a>, now: Duration) -> io::Result<Result<Came>> {
        let Some(source) = self.source.take() else { return Ok(Ok(Came::NotNow)) };
        let come = self.come_from(&source, reader, now);
        self.source = Some(source);
        come
    }

    fn come_from(&mut self, source: &S, reader: &Reader<'a>, now: Duration) -> io::Result<Result<Came>> {
        let (size, _) = source.look()?;
        if meaning(self.read, size, || self.agrees(source)) == Meaning::Anew {
            if self.content.has_come() && !self.cut {
                return Ok(Ok(Came::Truncated));
            }
            match self.begin_anew(reader, false) {
                Ok(Came::Unwanted) => return Ok(Ok(Came::Unwanted)),
                Ok(_) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        let turn = self.read + TURN;
        let mut came = Came::All;
        let name = name(reader.origin, &self.path);
        let cutter = Cutter { size: reader.size, pool: reader.pool, receiver: &self.resuming, name: &name };
        while self.read < size {
            if !reader.receiver.has_room() {
                came = Came::NotNow;
                break;
            }
            let room = self.content.room(&cutter);
            let length = match source.read_at(room, self.read) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.content.park(&cutter);
                    return Err(error);
                }
            };
            let new = &room[..length];
            if self.beginning.len() < BEGINNING {
                self.beginning.extend_from_slice(&new[..length.min(BEGINNING - self.beginning.len())]);
            }
            self.latest.extend_from_slice(&new[length.saturating_sub(LATEST)..]);
            self.latest.drain(..self.latest.len().saturating_sub(LATEST));
            self.read += length as u64;
            self.grown = now;
            self.content.came(length);
            if self.cut {
                match self.content.held() {
                    [b'\r'] => continue,
                    [b'\n', ..] => self.content.leave_out(1),
                    [b'\r', b'\n', ..] => self.content.leave_out(2),
                    _ => self.content.go_on_with_line(),
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
                came = Came::More;
                break;
            }
        }
        let handed_out = self.content.has_come() && !self.cut;
        let wanted = match handed_out {
            true => self.content.hand_out(&cutter),
            false => Ok(true),
        };
        if came == Came::All && self.resuming.holds() {
            self.resuming.ahead(self.content.held());
        }
        self.content.park(&cutter);
        let from = self.resuming.held_from().filter(|_| came == Came::All);
        self.held = from.map(|from| self.held.filter(|(_, before)| *before == from).unwrap_or((now, from)));
        Ok(match wanted {
            Ok(true) => Ok(came),
            Ok(false) => self.unwanted(),
            Err(error) => Err(error),
        })
    }

    /// When something is to be done although nothing has come.
    pub fn deadline(&self, reader: &Reader) -> Option<Duration> {
        let unfinished = self.may_cut(reader).then(|| self.grown.saturating_add(reader.timeout));
        unfinished.into_iter().chain(self.lets_go()).min()
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
    fn lets_go(&self) -> Option<Duration> {
        self.held.map(|(since, _)| (since + HELD).min(self.grown + QUIET))
    }

    /// Does what is due: a line whose end did not come is handed out as it is, and what was held back long enough.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`].
    pub fn wake(&mut self, reader: &Reader<'a>, now: Duration) -> Result<Came> {
        if self.lets_go().is_some_and(|at| at <= now) {
            self.held = None;
            self.let_go()?;
        }
        let due = self.grown.saturating_add(reader.timeout) <= now;
        if due && self.may_cut(reader) && !self.hand_out_rest(reader)? {
            return self.unwanted();
        }
        Ok(Came::All)
    }

    /// Hands out what is left, if `all` the last line without its end too, and tells the memory that nothing more comes.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`].
    pub fn end(&mut self, reader: &Reader<'a>, all: bool) -> Result<()> {
        if all && !self.cut && !self.hand_out_rest(reader)? {
            self.unwanted()?;
        }
        self.let_go()?;
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

    fn let_go(&self) -> Result<()> {
        self.resuming.let_go();
        self.resuming.failure().map_or(Ok(()), Err)
    }

    /// Why the receiver wants no more.
    fn unwanted(&self) -> Result<Came> {
        self.resuming.failure().map_or(Ok(Came::Unwanted), Err)
    }

    /// Whether it begins as what was read of `other`, as far as that was kept.
    pub fn begins_like(&self, other: &Self) -> bool {
        self.beginning.starts_with(&other.beginning)
    }

    /// Whether `other` holds what was read, its last line included, which may go on there.
    pub fn is_copied_to(&self, other: &S) -> bool {
        let stands = |bytes: &[u8], at: u64| stands(other, bytes, at).unwrap_or(false);
        stands(&self.beginning, 0) && stands(self.content.held(), self.content.offset())
    }

    /// The file was truncated: what it holds from here on is another content. What was read of its last line is handed out
    /// if nobody else has it.
    ///
    /// # Errors
    /// Those of [`BatchReceiver::long_line`].
    pub fn begin_anew(&mut self, reader: &Reader<'a>, copied: bool) -> Result<Came> {
        if !self.cut && !copied && !self.hand_out_rest(reader)? {
            return self.unwanted();
        }
        self.let_go()?;
        self.resuming.end(None);
        self.resuming = Resuming::new(reader.receiver, self.memory, None);
        self.content = Content::default();
        self.read = 0;
        self.beginning.clear();
        self.latest.clear();
        self.cut = false;
        self.held = None;
        Ok(Came::All)
    }

    /// Whether what was read still stands where it stood, as far as it was kept.
    fn agrees(&self, source: &S) -> bool {
        // Reading on meets what is wrong again, and says it.
        let stands = |bytes: &[u8], at: u64| stands(source, bytes, at).unwrap_or(true);
        stands(&self.beginning, 0) && stands(&self.latest, self.read - self.latest.len() as u64)
    }
}

/// Whether `bytes` stand at `at`.
fn stands(source: &impl Source, bytes: &[u8], at: u64) -> io::Result<bool> {
    let mut buffer = [0; BEGINNING];
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
