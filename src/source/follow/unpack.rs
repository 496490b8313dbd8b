//! Compressed files among those that are followed: each is read once, as a whole, beside them.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

use crate::batch::Batch;
use crate::error::{Error, Result};
use crate::source::cut::BlockPool;
use crate::source::inputs::Input;
use crate::source::live::Say;
use crate::source::reader::{Intake, LongLine};
use crate::source::{Position, ReadOptions, read_input};
use crate::stop::Stop;

/// See the [module](self).
pub(super) struct Unpacker<'a> {
    options: ReadOptions,
    pool: &'a Arc<BlockPool>,
    intake: &'a dyn Intake,
    position: &'a Position,
    names: Mutex<VecDeque<PathBuf>>,
    /// Whether a thread takes them from there.
    at_work: AtomicBool,
    errors: &'a Mutex<Vec<Error>>,
    say: &'a Say,
}

impl<'env> Unpacker<'env> {
    /// Nothing is to be read yet. What goes wrong goes to `errors`.
    pub(super) fn new(
        options: ReadOptions,
        pool: &'env Arc<BlockPool>,
        intake: &'env dyn Intake,
        position: &'env Position,
        errors: &'env Mutex<Vec<Error>>,
        say: &'env Say,
    ) -> Self {
        let (names, at_work) = (Mutex::default(), AtomicBool::new(false));
        Unpacker { options, pool, intake, position, names, at_work, errors, say }
    }

    /// Reads these as well.
    pub(super) fn take<'scope>(&'env self, scope: &'scope Scope<'scope, 'env>, paths: Vec<PathBuf>) {
        if paths.is_empty() {
            return;
        }
        self.names().extend(paths);
        if !self.at_work.swap(true, Ordering::SeqCst) {
            let builder = std::thread::Builder::new().name("unpack".into());
            if let Err(error) = builder.spawn_scoped(scope, || self.work()) {
                self.fail(Error::system("no thread to read compressed files with").because(error));
            }
        }
    }

    fn work(&self) {
        loop {
            let path = {
                let mut names = self.names();
                let path = names.pop_front();
                // Under the lock, so that whoever adds one sees that nobody is at work.
                self.at_work.store(path.is_some(), Ordering::SeqCst);
                path
            };
            let Some(path) = path else { return };
            let read = read_input(&Input::File(path), &self.options, self.pool, self.intake, self.position);
            read.map(drop).unwrap_or_else(|error| self.fail(error));
        }
    }

    fn names(&self) -> MutexGuard<'_, VecDeque<PathBuf>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What goes wrong is said at once, because the end may be far.
    pub(super) fn fail(&self, error: Error) {
        self.say.warn(error.to_string());
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }
}

/// Wants no more once a stop is requested.
pub(super) struct Until<'a> {
    pub(super) intake: &'a dyn Intake,
    pub(super) stop: &'a Stop,
}

impl Intake for Until<'_> {
    fn batch(&self, batch: Batch) -> bool {
        !self.stop.is_requested() && self.intake.batch(batch)
    }

    fn is_open(&self) -> bool {
        !self.stop.is_requested() && self.intake.is_open()
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        self.intake.long_line(line)
    }
}
