//! One followed file: the bytes that were read, and the bytes that were delivered.

mod handover;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use super::changing::Changing;
use super::copies::View;
use super::file_table::{ContentCheck, check_content};
use super::naming::{self, NamingRules};
pub use super::open_file::{OpenFile, Status};
use crate::core::context::Origin;
use crate::core::error::Result;
use crate::source::binary::Binary;
use crate::source::block_pool::BlockPool;
use crate::source::cutter::{Content, Cutter};
use crate::source::encodings::{Carrier, EncodingRule};
use crate::source::joiner::RecordEnd;
use crate::source::joint::Joint;
use crate::source::origin::{FINGERPRINT_BYTES, OriginRule};
use crate::source::outlet::Outlet;
use crate::source::receiver::BatchSize;
use crate::source::record_rules::RecordRules;
use crate::source::resume::Resuming;

/// The values that all tails share.
pub struct ReadContext<'a> {
    /// The limits of batches and lines.
    pub size: &'a BatchSize,
    /// How contents get their origins.
    pub naming: NamingRules<'a>,
    /// The pool that blocks are taken from.
    pub pool: &'a Arc<BlockPool>,
    /// The receiver of the batches.
    pub receiver: &'a dyn Outlet,
    /// How long to wait for the end of the last line before it is delivered without its line end.
    pub timeout: Duration,
    /// How lines become records.
    pub rules: &'a RecordRules,
    /// The logs that the files belong to, if their names change.
    pub changing: Option<&'a dyn Changing>,
    /// How the encodings of contents are found.
    pub encoding: EncodingRule,
    /// Takes the files that are binary, once each.
    pub binary: &'a dyn Fn(&Path, Binary),
}

/// The longest time that lines are held back at the end of a file while it is unknown whether they are settled.
const MAX_HOLD: Duration = Duration::from_secs(1);

/// The longest time that lines are held back if no data comes. It is shorter, because a program that copies a file does
/// not pause.
const MAX_HOLD_QUIET: Duration = Duration::from_millis(100);

/// The maximum number of bytes that are read of a file in one turn.
const TURN_BYTES: u64 = 8 << 20;

/// The number of bytes that are kept of the beginning of a content. A new content has other bytes there.
const BEGINNING_BYTES: usize = 256;

/// The number of bytes that are kept of the bytes read last. A new content has other bytes there.
const LATEST_BYTES: usize = 64;

/// The result of a turn.
#[derive(Debug, PartialEq, Eq)]
pub enum TurnResult {
    /// All bytes of the file were read.
    All,
    /// The file holds more bytes, and other files have their turn first.
    More,
    /// The file may hold more bytes, but it is closed or the queue is full.
    Paused,
    /// The file was truncated in the middle of a line. A copy of the file may have the whole line. The caller must
    /// check that and call [`Tail::begin_new_content`].
    Truncated,
    /// The receiver wants no more.
    Unwanted,
}

/// See the [module](self).
pub struct Tail<'a, S> {
    /// The open file. `None` while it is closed because file descriptors are missing.
    source: Option<S>,
    path: PathBuf,
    memory: &'a View,
    resuming: Resuming<'a>,
    content: Content,
    /// The number of bytes that were read of the content. The content begins with the file.
    read: u64,
    beginning: Vec<u8>,
    latest: Vec<u8>,
    /// The time at which bytes were last read.
    last_growth: Duration,
    /// Whether the last line was delivered without its line end.
    cut: bool,
    /// The time since which lines are held back although all bytes were read, and the offset of the first such line.
    held: Option<(Duration, u64)>,
    /// The fingerprint of the file, if another file has its first bytes.
    skipped: Option<u64>,
    /// What the content is, if it is binary. It is then not read.
    known_binary: Option<Binary>,
}

impl<'a, S: OpenFile> Tail<'a, S> {
    /// Creates a tail of a file of which no byte was read. `memory` knows the settled lines.
    pub fn new(source: S, path: PathBuf, context: &ReadContext<'a>, memory: &'a View, now: Duration) -> Self {
        Tail {
            source: Some(source),
            path,
            memory,
            resuming: Resuming::new(context.receiver, memory, None),
            content: Content::default(),
            read: 0,
            beginning: Vec::new(),
            latest: Vec::new(),
            last_growth: now,
            cut: false,
            held: None,
            skipped: None,
            known_binary: None,
        }
    }

    /// The open file, if it is open.
    pub fn source(&self) -> Option<&S> {
        self.source.as_ref()
    }

    /// Closes the file. The state is kept.
    pub fn close(&mut self) -> Option<S> {
        self.source.take()
    }

    /// Sets the file after it was opened again.
    pub fn reopen(&mut self, source: S) {
        self.source = Some(source);
    }

    /// The number of bytes that were delivered.
    pub fn bytes_handed_out(&self) -> u64 {
        self.content.offset()
    }

    /// Its name.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Sets a new name.
    pub fn rename(&mut self, path: PathBuf) {
        self.path = path;
    }

    /// The number of bytes that were read.
    pub fn bytes_read(&self) -> u64 {
        self.read
    }

    /// The time at which bytes were last read.
    pub fn last_growth(&self) -> Duration {
        self.last_growth
    }

    /// Reads the new bytes, at most as many as one turn allows, and delivers whole lines.
    ///
    /// # Errors
    /// The inner error is a read error. The outer errors are those of [`Outlet::long_line`].
    pub fn read(&mut self, context: &ReadContext<'a>, now: Duration) -> Result<io::Result<TurnResult>> {
        match self.read_turn(context, now) {
            Ok(result) => result.map(Ok),
            Err(error) => Ok(Err(error)),
        }
    }

    fn read_turn(&mut self, context: &ReadContext<'a>, now: Duration) -> io::Result<Result<TurnResult>> {
        let Some(source) = self.source.take() else { return Ok(Ok(TurnResult::Paused)) };
        let result = self.read_from(&source, context, now);
        self.source = Some(source);
        result
    }

    fn read_from(&mut self, source: &S, context: &ReadContext<'a>, now: Duration) -> io::Result<Result<TurnResult>> {
        let Status { size, modified_ms, .. } = source.status()?;
        if check_content(self.read, size, || self.agrees(source)) == ContentCheck::Replaced {
            if self.content.has_pending() && !self.cut {
                return Ok(Ok(TurnResult::Truncated));
            }
            match self.begin_new_content(context, false) {
                Ok(TurnResult::Unwanted) => return Ok(Ok(TurnResult::Unwanted)),
                Ok(_) => {}
                Err(error) => return Ok(Err(error)),
            }
        }
        // Logs of containers may be rotated many times in a second, so new files are looked for more often.
        let turn = self.read + if context.changing.is_some() { TURN_BYTES / 32 } else { TURN_BYTES };
        let mut result = TurnResult::All;
        let name = name(context, &self.path, self.skipped);
        let cutter = cutter(context, &self.resuming, &name, &self.path);
        while self.read < size {
            if !context.receiver.has_room() {
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
            self.content.advance(length, modified_ms);
            let mut new_bytes = length;
            if self.cut {
                match self.content.line_end_bytes() {
                    None => continue,
                    Some(0) => self.content.continue_line(),
                    Some(bytes) => self.content.skip_bytes(bytes),
                }
                self.cut = false;
                new_bytes = self.content.pending().len();
            }
            match self.content.examine(&cutter, new_bytes) {
                Ok(true) => {}
                Ok(false) => return Ok(self.unwanted()),
                Err(error) => return Ok(Err(error)),
            }
            if let Some(binary) = self.content.binary() {
                if self.known_binary.replace(binary).is_none() {
                    (context.binary)(&self.path, binary);
                }
                self.read = size;
                self.latest.clear();
                break;
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

    /// The time at which there is work even if no bytes come.
    pub fn deadline(&self, context: &ReadContext) -> Option<Duration> {
        let unfinished = self.may_cut(context).then(|| self.last_growth.saturating_add(context.timeout));
        unfinished.into_iter().chain(self.hold_deadline()).chain(self.record_deadline()).min()
    }

    /// The time at which the open record ends if no bytes come.
    fn record_deadline(&self) -> Option<Duration> {
        let quiet = self.content.quiet().filter(|_| self.content.has_open_record());
        quiet.map(|quiet| self.last_growth.saturating_add(quiet))
    }

    /// Whether the last line may be delivered without its line end. This is not allowed for an unfinished first line
    /// that determines the origin. The origin would change when the rest of the line is written.
    fn may_cut(&self, context: &ReadContext) -> bool {
        let unfinished = self.content.unfinished();
        let has_origin = self.content.is_named()
            || unfinished >= FINGERPRINT_BYTES as u64
            || *context.naming.origin != OriginRule::Fingerprint;
        unfinished > 0 && !self.cut && has_origin && !self.content.is_within_unit()
    }

    /// The latest time at which the lines that are held back are delivered.
    fn hold_deadline(&self) -> Option<Duration> {
        self.held.map(|(since, _)| (since + MAX_HOLD).min(self.last_growth + MAX_HOLD_QUIET))
    }

    /// Does the work whose time has come: it delivers an unfinished line, an open record, and lines that were held back for
    /// too long.
    ///
    /// # Errors
    /// The errors of [`Outlet::long_line`].
    pub fn wake(&mut self, context: &ReadContext<'a>, now: Duration) -> Result<TurnResult> {
        if self.hold_deadline().is_some_and(|at| at <= now) {
            self.held = None;
            self.deliver_held()?;
        }
        let due = self.last_growth.saturating_add(context.timeout) <= now;
        let wanted = if due && self.may_cut(context) {
            self.hand_out_rest(context)?
        } else if self.record_deadline().is_some_and(|at| at <= now) {
            let name = name(context, &self.path, self.skipped);
            self.content.end_record(&cutter(context, &self.resuming, &name, &self.path))? != RecordEnd::Unwanted
        } else {
            true
        };
        if wanted { Ok(TurnResult::All) } else { self.unwanted() }
    }

    /// Delivers the remaining lines, and tells the memory that the content ends. If `all` is set, the last line is
    /// delivered even without its line end.
    ///
    /// # Errors
    /// The errors of [`Outlet::long_line`].
    pub fn end(&mut self, context: &ReadContext<'a>, all: bool) -> Result<()> {
        if all && !self.cut && !self.hand_out_rest(context)? {
            self.unwanted()?;
        }
        self.deliver_held()?;
        self.resuming.end(None);
        Ok(())
    }

    /// Delivers the last line as it is.
    fn hand_out_rest(&mut self, context: &ReadContext<'a>) -> Result<bool> {
        let name = name(context, &self.path, self.skipped);
        let cutter = cutter(context, &self.resuming, &name, &self.path);
        self.cut = self.content.unfinished() > 0;
        let is_wanted = self.content.end(&cutter, true)?;
        // A short content is told only at its end.
        if let Some(binary) = self.content.binary()
            && self.known_binary.replace(binary).is_none()
        {
            (context.binary)(&self.path, binary);
        }
        Ok(is_wanted)
    }

    fn deliver_held(&self) -> Result<()> {
        self.resuming.deliver_held();
        self.resuming.failure().map_or(Ok(()), Err)
    }

    /// The error that made the receiver want no more, or [`TurnResult::Unwanted`].
    fn unwanted(&self) -> Result<TurnResult> {
        self.resuming.failure().map_or(Ok(TurnResult::Unwanted), Err)
    }

    /// Whether this file begins with the bytes that were kept of the beginning of `other`.
    pub fn begins_like(&self, other: &Self) -> bool {
        self.beginning.starts_with(&other.beginning)
    }

    /// Whether `other` holds the bytes that were kept of this file, its last line included. That line may continue in
    /// `other`.
    pub fn is_copied_to(&self, other: &S) -> bool {
        let stands = |bytes: &[u8], at: u64| stands(other, bytes, at).unwrap_or(false);
        stands(&self.beginning, 0) && stands(self.content.pending(), self.content.offset())
    }

    /// Starts a new content after the file was truncated. The unfinished last line of the old content is delivered,
    /// unless `copied` says that another file holds it.
    ///
    /// # Errors
    /// The errors of [`Outlet::long_line`].
    pub fn begin_new_content(&mut self, context: &ReadContext<'a>, copied: bool) -> Result<TurnResult> {
        if !self.cut && !copied && !self.hand_out_rest(context)? {
            return self.unwanted();
        }
        self.deliver_held()?;
        self.resuming.end(None);
        self.resuming = Resuming::new(context.receiver, self.memory, None);
        self.content = Content::default();
        self.read = 0;
        self.beginning.clear();
        self.latest.clear();
        self.cut = false;
        self.held = None;
        self.skipped = None;
        self.known_binary = None;
        Ok(TurnResult::All)
    }

    /// Whether the bytes that were kept are still at their places in the file.
    fn agrees(&self, source: &S) -> bool {
        // If the read fails here, the next read fails as well and reports the error.
        let stands = |bytes: &[u8], at: u64| stands(source, bytes, at).unwrap_or(true);
        stands(&self.beginning, 0) && stands(&self.latest, self.read - self.latest.len() as u64)
    }
}

/// Whether the file holds `bytes` at the offset `at`.
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

fn cutter<'c>(
    context: &'c ReadContext,
    receiver: &'c Resuming,
    name: &'c dyn Fn(&[u8]) -> Origin,
    path: &'c Path,
) -> Cutter<'c> {
    let joint = Joint::of(Some(path).filter(|_| context.changing.is_none()));
    let (size, pool, rules, encoding) = (context.size, context.pool, context.rules, context.encoding);
    Cutter { size, pool, receiver, name, rules, joint, encoding, carrier: Carrier::File }
}

fn name<'n>(context: &ReadContext<'n>, path: &'n Path, skipped: Option<u64>) -> impl Fn(&[u8]) -> Origin + 'n {
    naming::name(context.naming, context.changing, path, skipped)
}
