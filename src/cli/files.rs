//! The files of each program: the files that its options name, and the files of the workers that a queue starts.
//!
//! A job must not read its own files as inputs, and must not use one file for two purposes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::FromArgMatches;

use super::bench::BenchArgs;
use super::grok::GrokArgs;
use super::options::{DataArgs, OptionSet};
#[cfg(feature = "probe")]
use super::probe::ProbeArgs;
use super::pull::PullArgs;
use super::push::PushArgs;
use super::queue::QueueArgs;
use super::replay::ReplayArgs;
use super::report::ReportArgs;
use super::run::RunArgs;
use super::socket::SocketArgs;
use super::source::SourceArgs;
use super::values::FromArg;
use super::worker::{WorkerArgs, names_receipt};
use super::{commands, receipt_file};
use crate::app::SOURCES;
use crate::core::error::Result;
use crate::net::endpoint::Endpoint;
use crate::process::job_files::JobFiles;
use crate::sink::{SinkFile, SinkSpec};
use crate::source::kind::Place;

/// The names of files in messages, by the purpose of the file.
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

/// The files of a program, as they are collected from its arguments.
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
    /// Returns how the command line names a file.
    fn given(flag: &str, path: &Path) -> String {
        format!("{flag} {}", path.display())
    }

    fn sinks(&mut self, sinks: &[SinkSpec]) {
        let role = self.roles.sink;
        for (sink, file) in sinks.iter().flat_map(|sink| sink.files().into_iter().map(move |file| (sink, file))) {
            let given = format!("--to {sink}");
            match file {
                SinkFile::StandardOutput => self.documents = true,
                SinkFile::Written(file) => self.files.writes(role, given, &file),
                SinkFile::Table { database, table } => self.files.database(role, given, &database, &table),
                SinkFile::Read(file) => {
                    let flag = format!("--to {} with", sink.kind().name);
                    self.files.reads("secret of a sink", Self::given(&flag, &file), &file);
                }
            }
        }
    }

    /// Adds the files of a job that stores documents: sinks, dead letters, receipt and configuration.
    fn storing_job(&mut self, sinks: &[SinkSpec], dead_letters: &Path, report: &ReportArgs) {
        self.sinks(sinks);
        self.dead_letters(dead_letters);
        self.report(report);
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
        self.data(&source.options);
        if let Some(path) = &source.state {
            self.files.directory("state directory", Self::given("--state", path), path);
        }
    }

    /// Adds the files that options name.
    fn data<S: OptionSet>(&mut self, options: &DataArgs<S>) {
        for spec in S::specs() {
            for path in options.values.paths(spec.name) {
                let given = Self::given(&format!("--{}", spec.name), &path);
                if let Some(role) = spec.reads {
                    self.files.reads(role, given, &path);
                } else if let Some(role) = spec.writes {
                    self.files.writes(role, given, &path);
                }
            }
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
        // Each value is a key or the name of a file.
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

    /// Adds the files of a worker. `receipt` is the file of the worker's own receipt.
    fn worker(&mut self, worker: &WorkerArgs, receipt: Option<&Path>) {
        self.sinks(&worker.sinks);
        self.data(&worker.parse.sink_options);
        self.dead_letters(&worker.dead_letters.dead_letters);
        self.receipt(receipt);
        self.config(worker.report.config.as_deref());
        self.keys(&worker.keys.curve_key, &None, &worker.keys.queue_key);
    }

    /// Adds the files that the address of a topic names.
    fn topic(&mut self, topic: &SinkSpec) {
        for file in topic.files() {
            if let SinkFile::Read(file) = file {
                self.files.reads("secret of Kafka", Self::given("--connect kafka:// with", &file), &file);
            }
        }
    }

    /// Checks the files before any of them is read or created.
    ///
    /// # Errors
    /// Two files that are the same, or a file that cannot be created.
    fn checked(mut self) -> Result<Arc<JobFiles>> {
        self.files.standard_streams(self.documents)?;
        self.files.check()?;
        self.files.check_folder(OWN.receipt)?;
        self.files.check_folder(OWN.dead_letters)?;
        receipt_file::set_files_checked();
        Ok(Arc::new(self.files))
    }
}

impl RunArgs {
    /// Returns the files of the job.
    ///
    /// # Errors
    /// Two files that are the same, or a file that cannot be created.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        collected.source(&self.source);
        collected.storing_job(&self.store.sinks, &self.dead_letters.dead_letters, &self.report);
        collected.data(&self.parse.sink_options);
        collected.checked()
    }
}

impl ReplayArgs {
    /// Returns the files of the job.
    ///
    /// # Errors
    /// Two files that are the same, or a file that cannot be created.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        collected.storing_job(&self.store.sinks, &self.dead_letters, &self.report);
        collected.data(&self.parse.sink_options);
        collected.checked()
    }
}

impl BenchArgs {
    /// Returns the files of the job.
    ///
    /// # Errors
    /// Two files that are the same.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        collected.sinks(&self.sinks);
        collected.config(self.config.as_deref());
        // The table goes to standard output. Each run is a process with another standard output.
        collected.documents = false;
        collected.checked()
    }
}

impl GrokArgs {
    /// Returns the files of the job.
    ///
    /// # Errors
    /// Two files that are the same.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected { documents: true, ..Collected::default() };
        collected.config(self.config.as_deref());
        collected.checked()
    }
}

impl QueueArgs {
    /// Returns the files of the job and of the workers that it starts.
    ///
    /// # Errors
    /// Two files that are the same, or a file that cannot be created.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        collected.source(&self.source);
        collected.dead_letters(&self.dead_letters);
        collected.report(&self.report);
        collected.keys(&self.keys.curve_key, &self.keys.authorized_keys, &[]);
        collected.sockets(&self.bind);
        if let Some(workers) = self.spawned() {
            collected.roles = OF_WORKERS;
            let receipt = workers.report.receipt.as_deref().filter(|_| names_receipt(self.worker_arguments.iter()));
            collected.worker(&workers, receipt);
        }
        collected.checked()
    }

    /// Parses the arguments of the workers that the queue starts, with the configuration file and the environment. Returns
    /// `None` if the workers will reject these arguments.
    fn spawned(&self) -> Option<WorkerArgs> {
        self.spawn?;
        let program = std::iter::once("logator-worker".into());
        let arguments: Vec<_> = program.chain(self.spawn_arguments()).collect();
        let command = commands::configured("worker", &arguments).ok()?;
        let matches = command.try_get_matches_from(arguments).ok()?;
        WorkerArgs::from_arg_matches(&matches).ok()
    }
}

impl WorkerArgs {
    /// Returns the files of the job.
    ///
    /// # Errors
    /// Two files that are the same, or a file that cannot be created.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        collected.worker(self, self.receipt());
        let socket = |from: &FromArg| match from {
            FromArg::Queue(endpoint) => endpoint.path().map(Path::to_owned),
            FromArg::Source(name) => SOURCES.file(name, Place::From),
        };
        let sockets = self.from.iter().filter_map(socket);
        sockets.for_each(|path| collected.files.reads("socket", Collected::given("--from", &path), &path));
        collected.checked()
    }
}

impl PullArgs {
    /// Returns the files of the job.
    ///
    /// # Errors
    /// Two files that are the same, or a file that cannot be created.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        match self.work_options() {
            Some(work) => collected.storing_job(&work.sinks, &self.dead_letters.dead_letters, &self.report),
            None => {
                collected.documents = true;
                collected.report(&self.report);
            }
        }
        collected.data(&self.parse.sink_options);
        collected.socket(&self.socket);
        collected.checked()
    }
}

#[cfg(feature = "probe")]
impl ProbeArgs {
    /// Returns the files of the job.
    ///
    /// # Errors
    /// Two files that are the same, or a file that cannot be created.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected::default();
        collected.files.reads("list of URLs", self.file.display().to_string(), &self.file);
        collected.storing_job(&self.sinks, &self.dead_letters.dead_letters, &self.report);
        collected.data(&self.sink_options);
        if let Some(path) = &self.page {
            collected.files.writes("report", Collected::given("--report", path), path);
        }
        if let Some(path) = &self.ca_file {
            collected.files.reads("file of certificates", Collected::given("--ca-file", path), path);
        }
        collected.checked()
    }
}

impl PushArgs {
    /// Returns the files of the job.
    ///
    /// # Errors
    /// Two files that are the same, a file that cannot be created, or a wrong address of a topic.
    pub fn files(&self) -> Result<Arc<JobFiles>> {
        let mut collected = Collected { documents: self.confirm.is_some(), ..Collected::default() };
        collected.data(&self.sources);
        collected.report(&self.report);
        collected.socket(&self.socket);
        if let Some(topic) = self.topic()? {
            collected.topic(&topic);
            collected.dead_letters(&self.dead_letters.dead_letters);
            if let Some(path) = &self.state {
                collected.files.directory("state directory", Collected::given("--state", path), path);
            }
        }
        collected.checked()
    }
}
