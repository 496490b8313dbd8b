//! The files that are followed, as the user names them.

use std::path::Path;
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::changing::Changing;
use super::naming::NamingRules;
use super::tail::ReadContext;
use crate::process::job_files::JobFiles;
use crate::source::api::RunContext;
use crate::source::binary::Binary;
use crate::source::file::Exclude;
use crate::source::outlet::Outlet;

/// The files that are followed.
#[derive(Debug)]
pub(super) struct Followed {
    /// The names that the user gave: files, directories, globs.
    pub(super) names: Vec<String>,
    /// What is followed instead, if the names change.
    pub(super) changing: Option<Arc<dyn Changing>>,
    /// Whether the files are only read as far as they go now.
    pub(super) to_the_end: bool,
    /// The job's own files. They may be in the same directories, but they are not logs.
    pub(super) own: Arc<JobFiles>,
    /// The files that the user excludes.
    pub(super) exclude: Exclude,
    /// Whether to check the files once a second instead of using inotify.
    pub(super) poll: bool,
    /// How long to wait for the end of the last line before it is delivered without its line end.
    pub(super) timeout: Duration,
    /// Is dropped when the names were scanned and all files that were found are watched.
    pub(super) ready: Mutex<Option<SyncSender<()>>>,
}

impl Followed {
    /// What all files are read with. `outlet` takes the batches, and `binary` the files that are binary.
    pub(super) fn read_context<'a>(
        &'a self,
        context: &RunContext<'a>,
        outlet: &'a dyn Outlet,
        binary: &'a dyn Fn(&Path, Binary),
    ) -> ReadContext<'a> {
        let &RunContext { options, pool, .. } = context;
        ReadContext {
            size: &options.size,
            naming: NamingRules::of(options),
            pool,
            receiver: outlet,
            timeout: self.timeout,
            rules: &options.records,
            changing: self.changing.as_deref(),
            encoding: options.encoding,
            binary,
        }
    }

    /// Records that the files are watched.
    pub(super) fn set_ready(&self) {
        self.ready.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
}
