//! The files of each program: what its flags name, and those of the workers that a queue starts.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::{CommandFactory, FromArgMatches};

use super::args::{BenchArgs, GrokArgs, QueueArgs, ReplayArgs, RunArgs, WorkerArgs, says_receipt};
use super::pull::{FromArg, PullArgs};
use super::push::{PushArgs, SocketArgs};
use super::report::ReportArgs;
use super::source::SourceArgs;
use super::with_file;
use crate::core::error::Result;
use crate::net::endpoint::Endpoint;
use crate::process::job_files::JobFiles;
use crate::sink::spec::SinkSpec;
use crate::source::inputs;

/// How files are called by what they are for.
#[derive(Clone, Copy)]
struct Roles {
    sink: &'static str,
    dead_letters: &'static str,
    receipt: &'static str,
}

const OWN: Roles = Roles { sink: "sink", dead_letters: "dead-letters file", receipt: "receipt" };

const OF_WORKERS: Roles = Roles {
    sink: "sink of the started workers",
    dead_letters: "dead-letters file of the started workers",
    receipt: "receipt of the started workers",
};

/// Whether the files of this process have been checked. Until then none is written, not even a receipt: it could be an input.
static CHECKED: AtomicBool = AtomicBool::new(false);

/// See [`CHECKED`].
pub(super) fn are_checked() -> bool {
    CHECKED.load(Ordering::Relaxed)
}

/// What is collected.
struct Collected {
    files: JobFiles,
    roles: Roles,
    /// Whether documents or lines go to standard output.
    documents: bool,
}

impl Default for Collected {
    fn default() -> Collected {
        Collected { files: JobFiles::default(), roles: OWN, documents: false }
    }
}

impl Collected {
    fn given(flag: &str, path: &Path) -> String {
        format!("{flag} {}", path.display())
    }

    fn sinks(&mut self, sinks: &[SinkSpec]) {
        let role = self.roles.sink;
        for sink in sinks {
            let given = format!("--to {sink}");
            match sink {
                SinkSpec::Stdout => self.documents = true,
                SinkSpec::Ndjson(file) => self.files.writes(role, given, file),
                SinkSpec::Sqlite { file, table } => {
                    // SQLite takes addresses of files as well.
                    let path = file.to_str().and_then(|text| text.strip_prefix("file:"));
                    let path = path.map(|rest| rest.strip_prefix("//").unwrap_or(rest));
                    self.files.database(role, given, path.map_or(file, Path::new), table);
                }
                SinkSpec::MongoDb(address) => {
                    for file in address.files() {
                        self.files.reads("secret of a sink", Self::given("--to mongodb with", &file), &file);
                    }
                }
                SinkSpec::Null => {}
            }
        }
    }

    fn dead_letters(&mut self, path: &Path) {
        self.files.appends(self.roles.dead_letters, Self::given("--dead-letters", path), path);
    }

    fn report(&mut self, report: &ReportArgs) {
        self.receipt(report.receipt.as_deref());
        self.config(report.config.as_deref());
    }

    fn receipt(&mut self, path: Option<&Path>) {
        if let Some(path) = path {
            self.files.writes(self.roles.receipt, Self::given("--receipt", path), path);
        }
    }

    fn config(&mut self, path: Option<&Path>) {
        if let Some(path) = path {
            self.files.reads("configuration file", Self::given("--config", path), path);
        }
    }

    fn source(&mut self, source: &SourceArgs) {
        let SourceArgs { tls_cert, tls_key, tls_client_ca, state, .. } = source;
        let tls = [("--tls-cert", tls_cert), ("--tls-key", tls_key), ("--tls-client-ca", tls_client_ca)];
        for (flag, path) in tls {
            self.key_file(flag, path.as_deref());
        }
        if let Some(path) = state {
            self.files.directory("state directory", Self::given("--state", path), path);
        }
    }

    fn key_file(&mut self, flag: &str, path: Option<&Path>) {
        if let Some(path) = path {
            self.files.reads("key file", Self::given(flag, path), path);
        }
    }

    fn keys(&mut self, own: &Option<PathBuf>, authorized: &Option<PathBuf>, others: &[String]) {
        self.key_file("--curve-key", own.as_deref());
        self.key_file("--authorized-keys", authorized.as_deref());
        // Each is a key or a file.
        let files = others.iter().map(Path::new).filter(|path| path.is_file());
        files.for_each(|path| self.key_file("--queue-key", Some(path)));
    }

    fn sockets(&mut self, endpoints: &[Endpoint]) {
        for endpoint in endpoints {
            if let Some(path) = endpoint.path() {
                self.files.writes("socket", format!("--bind {endpoint}"), path);
            }
        }
    }

    fn socket(&mut self, socket: &SocketArgs) {
        self.keys(&socket.curve_key, &socket.authorized_keys, &socket.queue_key);
        self.sockets(&socket.bind);
    }

    /// `receipt` is where the worker's own receipt goes.
    fn worker(&mut self, worker: &WorkerArgs, receipt: Option<&Path>) {
        self.sinks(&worker.sinks);
        self.dead_letters(&worker.dead_letters);
        self.receipt(receipt);
        self.config(worker.report.config.as_deref());
        self.keys(&worker.keys.curve_key, &None, &worker.keys.queue_key);
    }

    /// Refuses what cannot be, before anything is read or made.
    fn checked(mut self) -> Result<Arc<JobFiles>> {
        self.files.standard_streams(self.documents)?;
        self.files.check()?;
        self.files.check_folder(OWN.receipt)?;
        self.files.check_folder(OWN.dead_letters)?;
        CHECKED.store(true, Ordering::Relaxed);
        Ok(Arc::new(self.files))
    }
}

impl RunArgs {
    /// The files of the job.
    ///
    /// # Errors
    /// Two of them that are one, and those that cannot be made.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        collected.source(&self.source);
        collected.sinks(&self.sinks);
        collected.dead_letters(&self.dead_letters);
        collected.report(&self.report);
        collected.checked()
    }
}

impl ReplayArgs {
    /// The files of the job.
    ///
    /// # Errors
    /// Two of them that are one, and those that cannot be made.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        collected.sinks(&self.sinks);
        collected.dead_letters(&self.dead_letters);
        collected.report(&self.report);
        collected.checked()
    }
}

impl BenchArgs {
    /// The files of the job.
    ///
    /// # Errors
    /// Two of them that are one.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        collected.sinks(&self.sinks);
        collected.config(self.config.as_deref());
        // Each run has a standard output of its own; this one's is for the table.
        collected.documents = false;
        collected.checked()
    }
}

impl GrokArgs {
    /// The files of the job.
    ///
    /// # Errors
    /// Two of them that are one.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected { documents: true, ..Collected::default() };
        collected.config(self.config.as_deref());
        collected.checked()
    }
}

impl QueueArgs {
    /// The files of the job, those of the workers that it starts included.
    ///
    /// # Errors
    /// Two of them that are one, and those that cannot be made.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        collected.source(&self.source);
        collected.dead_letters(&self.dead_letters);
        collected.report(&self.report);
        collected.keys(&self.keys.curve_key, &self.keys.authorized_keys, &[]);
        collected.sockets(&self.bind);
        if let Some(workers) = self.spawned() {
            collected.roles = OF_WORKERS;
            let receipt = workers.report.receipt.as_deref().filter(|_| says_receipt(self.worker_arguments.iter()));
            collected.worker(&workers, receipt);
        }
        collected.checked()
    }

    /// What the workers that it starts will make of their arguments, of the configuration and of the environment. `None`
    /// when they will refuse them.
    fn spawned(&self) -> Option<WorkerArgs> {
        self.spawn?;
        let program = std::iter::once("logator-worker".into());
        let arguments: Vec<_> = program.chain(self.spawn_arguments()).collect();
        let command = with_file(WorkerArgs::command(), "worker", &arguments).ok()?;
        let matches = command.try_get_matches_from(arguments).ok()?;
        WorkerArgs::from_arg_matches(&matches).ok()
    }
}

impl WorkerArgs {
    /// The files of the job.
    ///
    /// # Errors
    /// Two of them that are one, and those that cannot be made.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        collected.worker(self, self.receipt());
        let sockets = self.from.iter().map(FromArg::endpoint).filter_map(Endpoint::path);
        sockets.for_each(|path| collected.files.reads("socket", Collected::given("--from", path), path));
        collected.checked()
    }
}

impl PullArgs {
    /// The files of the job.
    ///
    /// # Errors
    /// Two of them that are one, and those that cannot be made.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        match self.work_options() {
            Some(work) => {
                collected.sinks(&work.sinks);
                collected.dead_letters(&self.dead_letters);
            }
            None => collected.documents = true,
        }
        collected.report(&self.report);
        collected.socket(&self.socket);
        collected.checked()
    }
}

impl PushArgs {
    /// The files of the job.
    ///
    /// # Errors
    /// Two of them that are one, and those that cannot be made.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected { documents: self.confirm.is_some(), ..Collected::default() };
        collected.report(&self.report);
        collected.socket(&self.socket);
        let files = collected.checked()?;
        let input = inputs::find(&[], &files)?;
        input.errors.into_iter().next().map_or(Ok(files), Err)
    }
}
