//! The options of reading: inputs, following, syslog.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use crate::app::SourceOptions;
use crate::core::quantity;
use crate::process::job_files::JobFiles;
use crate::source::ReadOptions;
use crate::source::follow::FollowOptions;
use crate::source::origin::OriginRule;
use crate::source::receiver::BatchSize;
use crate::source::say::Say;
use crate::source::syslog::{self, TlsFiles};

/// The inputs of a job, and how they are read.
#[derive(Args, Debug)]
pub struct SourceArgs {
    /// Files, directories, globs, or - for standard input (the default)
    ///
    /// Files with gzip, zstd, bzip2 or xz are decompressed. syslog+udp://HOST:PORT, syslog+tcp://HOST:PORT and
    /// syslog+tls://HOST:PORT receive syslog. HOST may be *. The default ports are 514, 514 and 6514.
    #[arg(value_name = "INPUT", id = "input")]
    pub inputs: Vec<String>,
    /// Maximum number of lines in a batch
    #[arg(long, value_name = "N", default_value = "2000", value_parser = quantity::count)]
    pub batch_lines: usize,
    /// Maximum number of bytes in a batch
    #[arg(long, value_name = "BYTES", default_value = "256KiB", value_parser = quantity::bytes)]
    pub batch_bytes: usize,
    /// Longest line; longer lines become dead letters
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = quantity::bytes)]
    pub max_line: usize,
    /// Maximum number of bytes of lines that wait or are in work [default of logator-queue: 24MiB]
    ///
    /// Read buffers, connections and documents need more memory.
    #[arg(long, value_name = "BYTES", value_parser = quantity::memory)]
    pub max_memory: Option<usize>,
    /// Name of an input in the ids of its documents
    ///
    /// fingerprint is a hash of the beginning of the content, so that a renamed file keeps its ids. path is the path of the
    /// file. NAME is any other name, for a single input.
    #[arg(long, value_name = "fingerprint|path|NAME", default_value = "fingerprint")]
    pub origin: String,
    /// Read files as they grow, and files that appear or are rotated later
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "events")]
    pub follow: Option<FollowArg>,
    /// Time after which a last line without a newline is read as a whole line
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = quantity::seconds)]
    pub follow_timeout: Duration,
    /// Certificate of syslog+tls:// inputs in PEM, followed by the certificates of its issuers
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Private key of the --tls-cert in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Accept a TLS sender only with a certificate that one of these certificates signed (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
    /// Maximum number of open connections of a syslog input
    #[arg(long, value_name = "N", default_value = "1000", value_parser = quantity::count)]
    pub max_connections: usize,
    /// Idle time after which a syslog connection may be closed to accept another one at --max-connections
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = quantity::seconds, hide = true)]
    pub idle_connection: Duration,
    /// Kernel buffer for unread datagrams of a syslog+udp:// input, in bytes
    #[arg(long, value_name = "BYTES", default_value = "8MiB", value_parser = quantity::bytes)]
    pub udp_buffer: usize,
    /// Directory that records the settled lines, so that another run delivers only the others
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// `--follow`
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowArg {
    /// Wait for events of the file system (default); poll where there are no events
    #[value(alias = "true")]
    Events,
    /// Look once a second
    Poll,
    /// Do not follow
    #[value(alias = "false")]
    Off,
}

impl SourceArgs {
    /// Returns the options of the source. `files` are the files of the job.
    pub fn options(&self, files: Arc<JobFiles>) -> SourceOptions {
        let size = BatchSize { lines: self.batch_lines, bytes: self.batch_bytes, max_line: self.max_line };
        let follow = self.follow.filter(|how| *how != FollowArg::Off).map(|how| FollowOptions {
            poll: how == FollowArg::Poll,
            timeout: self.follow_timeout,
            say: Say::default(),
            watching: None,
        });
        let tls = self.tls_cert.clone().zip(self.tls_key.clone()).map(|(certificate, key)| TlsFiles {
            certificate,
            key,
            client_ca: self.tls_client_ca.clone(),
        });
        let syslog = syslog::Options {
            connections: self.max_connections,
            idle: self.idle_connection,
            udp_buffer: self.udp_buffer,
            tls,
            ..syslog::Options::default()
        };
        SourceOptions {
            inputs: self.inputs.clone(),
            read: ReadOptions {
                size,
                origin: OriginRule::parse(&self.origin),
                follow,
                syslog,
                ..ReadOptions::default()
            },
            state: self.state.clone(),
            max_memory: self.max_memory,
            files,
        }
    }
}
