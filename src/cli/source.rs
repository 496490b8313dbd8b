//! The flags of what is read, and how.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::size;
use crate::app::SourceOptions;
use crate::process::job_files::JobFiles;
use crate::source::ReadOptions;
use crate::source::follow::FollowOptions;
use crate::source::origin::OriginRule;
use crate::source::receiver::BatchSize;
use crate::source::say::Say;
use crate::source::syslog::{self, TlsFiles};

/// What to read.
#[derive(Args, Debug)]
pub struct SourceArgs {
    /// Files, directories, globs, or - for standard input (the default); gzip, zstd, bzip2 and xz are recognised.
    /// syslog+udp://HOST:PORT, syslog+tcp://… and syslog+tls://… receive syslog (HOST may be *; ports 514, 514, 6514)
    #[arg(value_name = "INPUT", id = "input")]
    pub inputs: Vec<String>,
    /// The most lines in a batch
    #[arg(long, value_name = "N", default_value = "2000", value_parser = size::count)]
    pub batch_lines: usize,
    /// The most bytes in a batch
    #[arg(long, value_name = "BYTES", default_value = "256KiB", value_parser = size::bytes)]
    pub batch_bytes: usize,
    /// The longest line; longer ones are dead letters
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = size::bytes)]
    pub max_line: usize,
    /// The most bytes of lines that wait and are in work (a queue: 24MiB unless said); what is being read, connections
    /// and documents come on top
    #[arg(long, value_name = "BYTES", value_parser = size::memory)]
    pub max_memory: Option<usize>,
    /// What names an input in its documents' ids: fingerprint (how its content begins), path, or a name of yours
    #[arg(long, value_name = "fingerprint|path|NAME", default_value = "fingerprint")]
    pub origin: String,
    /// Go on with what is written to the files, also when they are rotated or appear later; =poll looks once a second
    /// instead of waiting for events
    #[arg(long, value_name = "HOW", num_args = 0..=1, require_equals = true, default_missing_value = "events")]
    pub follow: Option<FollowArg>,
    /// How long a last line that lacks its end is waited for before it is taken as it is
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = size::seconds)]
    pub follow_timeout: Duration,
    /// The certificate of syslog+tls:// in PEM, followed by those it is signed with
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,
    /// Its key in PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
    /// Let senders in over TLS only with a certificate signed by one of these (PEM)
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_client_ca: Option<PathBuf>,
    /// The most connections of a syslog source at a time
    #[arg(long, value_name = "N", default_value = "1000", value_parser = size::count)]
    pub max_connections: usize,
    /// How long a syslog connection must have been idle to be closed for another one at --max-connections
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = size::seconds, hide = true)]
    pub idle_connection: Duration,
    /// How many bytes of unread datagrams the kernel is asked to keep for a syslog+udp:// source
    #[arg(long, value_name = "BYTES", default_value = "8MiB", value_parser = size::bytes)]
    pub udp_buffer: usize,
    /// Remember in this directory what is done: another run delivers only the rest
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

/// `--follow`
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowArg {
    /// Events tell; where they cannot, the clock
    #[value(alias = "true")]
    Events,
    /// The clock alone
    Poll,
    /// Not at all
    #[value(alias = "false")]
    Off,
}

impl SourceArgs {
    /// The options of a source. `files` are those of the job.
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
