//! Reads the compressed files among the followed files. Each is read once, as a whole, in a thread beside the loop.

use std::collections::VecDeque;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::Scope;

use super::binary_files::BinaryFiles;
use super::changing::Changing;
use crate::core::error::{Error, Result};
use crate::observe::receipt::UnreadFile;
use crate::source::api::RunContext;
use crate::source::outcome::InputEnd;
use crate::source::outlet::Outlet;
use crate::source::progress::Progress;
use crate::source::reading::read_file;

/// See the [module](self).
pub(super) struct Unpacker<'a> {
    context: RunContext<'a>,
    outlet: &'a dyn Outlet,
    changing: Option<&'a dyn Changing>,
    names: Mutex<VecDeque<(PathBuf, Option<File>)>>,
    /// The maximum number of files that stay open while they wait to be read.
    most_open: usize,
    unread: Mutex<Vec<UnreadFile>>,
    /// Whether a thread is reading the files in `names`.
    at_work: AtomicBool,
    errors: &'a Mutex<Vec<Error>>,
    binary: &'a BinaryFiles<'a>,
}

impl<'env> Unpacker<'env> {
    /// Creates an unpacker without files. It adds its errors to `errors`.
    pub(super) fn new(
        context: RunContext<'env>,
        outlet: &'env dyn Outlet,
        changing: Option<&'env dyn Changing>,
        errors: &'env Mutex<Vec<Error>>,
        most_open: usize,
        binary: &'env BinaryFiles<'env>,
    ) -> Self {
        let (names, unread, at_work) = (Mutex::default(), Mutex::default(), AtomicBool::new(false));
        Unpacker { context, outlet, changing, names, most_open, unread, at_work, errors, binary }
    }

    /// Adds files, and starts a thread if none is at work.
    pub(super) fn take<'scope>(&'env self, scope: &'scope Scope<'scope, 'env>, files: Vec<(PathBuf, Option<File>)>) {
        if files.is_empty() {
            return;
        }
        let mut names = self.names();
        for (path, file) in files {
            let is_few = names.iter().filter(|(_, file)| file.is_some()).count() < self.most_open;
            names.push_back((path, file.filter(|_| is_few)));
        }
        drop(names);
        if !self.at_work.swap(true, Ordering::SeqCst) {
            let builder = std::thread::Builder::new().name("unpack".into());
            if let Err(error) = builder.spawn_scoped(scope, || self.work()) {
                self.fail(Error::system("the thread that reads compressed files cannot be started").because(error));
            }
        }
    }

    fn work(&self) {
        loop {
            let next = {
                let mut names = self.names();
                let next = names.pop_front();
                // The flag is set under the lock, so that a caller that adds a file sees that no thread is at work.
                self.at_work.store(next.is_some(), Ordering::SeqCst);
                next
            };
            let Some((path, file)) = next else { return };
            self.read(path, file).unwrap_or_else(|error| self.fail(error));
        }
    }

    fn read(&self, path: PathBuf, file: Option<File>) -> Result<()> {
        let name = path.display().to_string();
        let file = match file {
            Some(file) => file,
            None => File::open(&path)
                .map_err(|error| Error::input(format!("{name}: cannot be opened; it was not read")).because(error))?,
        };
        let size = file.metadata().map_or(0, |data| data.len());
        let log = self.changing.and_then(|changing| changing.origin(&path));
        let own = Progress::default();
        let context = RunContext { progress: &own, ..self.context };
        let end = read_file(&file, Some(&path), &name, log, &context, self.outlet);
        let read = own.read.load(Ordering::Relaxed);
        self.context.progress.read.fetch_add(read, Ordering::Relaxed);
        let end = end?;
        if let InputEnd::Binary(why) = &end {
            self.binary.leave_out(&path, why.clone());
        }
        if let InputEnd::Stopped(offset) = end {
            // A small file is read whole before its first batch is delivered.
            let bytes = if offset == 0 { size } else { size.saturating_sub(read).max(1) };
            if file.metadata().is_ok_and(|data| data.nlink() == 0) {
                self.fail(Error::input(format!("{name}: gone before it was read to its end")));
            }
            self.unread.lock().unwrap_or_else(PoisonError::into_inner).push(UnreadFile { name, bytes });
        }
        Ok(())
    }

    /// The files that were not read to their end.
    pub(super) fn unread(&self) -> Vec<UnreadFile> {
        std::mem::take(&mut *self.unread.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn names(&self) -> MutexGuard<'_, VecDeque<(PathBuf, Option<File>)>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reports an error at once, because the job may run for a long time.
    pub(super) fn fail(&self, error: Error) {
        self.context.options.say.warn(error.to_string());
        self.errors.lock().unwrap_or_else(PoisonError::into_inner).push(error);
    }
}
