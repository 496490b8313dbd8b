//! The arguments of `logator-probe`.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use super::options::DataArgs;
use super::parse::SinkOptions;
use super::report::ReportArgs;
use super::store::DeadLetterArgs;
use super::values;
use super::wait::WaitArgs;
use crate::app::probe::ProbeOptions;
use crate::core::quantity;
use crate::core::secrets::{self, masked};
use crate::probe::engine::{EngineOptions, Proxy};
use crate::probe::prober::Repeat;
use crate::sink::SinkSpec;

/// The name of the program.
const PROBE: &str = "logator-probe";

/// The other name under which the program is installed.
const LATENCY_LOGGER: &str = "latency-logger";

/// Returns the name under which the program was started.
pub fn probe_name() -> &'static str {
    let first = std::env::args_os().next().unwrap_or_default();
    if Path::new(&first).file_name().is_some_and(|name| name == LATENCY_LOGGER) { LATENCY_LOGGER } else { PROBE }
}

/// `logator-probe`
#[derive(Parser, Debug)]
#[command(name = "logator-probe", version, about = "Requests URLs on a schedule and stores how long each phase took")]
pub struct ProbeArgs {
    /// File of lines DELAY_SECONDS,URL
    ///
    /// The delay is the time from the start of a request to the start of the next; it may have a fraction. Empty lines, and
    /// lines that begin with #, are skipped. A first line with the word url names the columns: delay_seconds, url, method,
    /// name, status (the expected one). SIGHUP reads the file again.
    #[arg(value_name = "FILE", id = "input")]
    pub file: PathBuf,
    /// Do not start if a line of FILE cannot be read
    #[arg(long)]
    pub strict: bool,
    /// Request each URL once, at once
    #[arg(long)]
    pub once: bool,
    /// Maximum number of requests in the air
    #[arg(short = 'W', long, value_name = "N", default_value = "64", value_parser = quantity::count)]
    pub workers: usize,
    /// Maximum number of URLs that wait for a request
    ///
    /// A URL that is due while it waits already, or while the queue is full, is missed: it is counted, and not requested.
    #[arg(short = 'Q', long = "queue", id = "waiting", value_name = "N", default_value = "10000", value_parser = quantity::count)]
    pub queue: usize,
    /// Longest time of a request, with its redirects
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = timeout)]
    pub timeout: Duration,
    /// Maximum number of redirects that are followed; each has a document of its own
    #[arg(long, value_name = "N", default_value = "0")]
    pub redirects: u32,
    /// Keep connections, TLS sessions and looked-up names for later requests
    ///
    /// By default each request looks the name up, connects and makes a TLS session, as a new visitor does.
    #[arg(long)]
    pub reuse: bool,
    /// Exit with code 1 if a request failed
    #[arg(long)]
    pub fail: bool,
    /// Proxy of all requests: a URL, env for the one of http_proxy and https_proxy, or none
    #[arg(long, value_name = "URL|env|none", default_value = "none", value_parser = proxy)]
    pub proxy: Proxy,
    /// File of certificates that are trusted, in place of those of the system
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
    /// Sink for the documents (repeatable; each document goes to each sink)
    #[arg(long = "to", value_name = "SINK", id = "sinks", value_parser = sink, default_value = "-")]
    pub sinks: Vec<SinkSpec>,
    /// The options of the sinks.
    #[command(flatten)]
    pub sink_options: DataArgs<SinkOptions>,
    /// Write a page with the latencies of each URL to this file at the end (HTML)
    #[arg(long = "report", id = "page", value_name = "FILE")]
    pub page: Option<PathBuf>,
    /// Maximum number of bytes of documents that wait for the sinks
    ///
    /// At this limit, documents are dropped and counted. Requests go on.
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = quantity::memory)]
    pub max_memory: usize,
    /// The dead letters.
    #[command(flatten)]
    pub dead_letters: DeadLetterArgs,
    /// The deadline.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// Print a line for each request
    #[arg(short = 'v', long)]
    pub verbose: bool,
    /// The messages and the receipt.
    #[command(flatten)]
    pub report: ReportArgs,
}

impl ProbeArgs {
    /// Returns the options of the job.
    pub fn options(&self) -> ProbeOptions {
        ProbeOptions {
            file: self.file.clone(),
            strict: self.strict,
            engine: EngineOptions {
                workers: self.workers,
                timeout: self.timeout,
                redirects: self.redirects,
                reuse: self.reuse,
                proxy: self.proxy.clone(),
                ca_file: self.ca_file.clone(),
                ..EngineOptions::default()
            },
            queue: self.queue,
            repeat: if self.once { Repeat::Once } else { Repeat::Always },
            verbose: self.verbose,
            sinks: self.sinks.clone(),
            sink_options: self.sink_options.values.clone(),
            max_memory: self.max_memory,
            dead_letters: self.dead_letters.dead_letters.clone(),
            deadline: self.wait.sink_deadline,
        }
    }
}

/// Parses the address of a sink. Documents of probes have a schema, so Kafka gets Avro unless the address says otherwise.
fn sink(text: &str) -> Result<SinkSpec, String> {
    values::sink(&with_avro(text))
}

/// Returns the address of a sink, with `format=avro` if it is one of Kafka and names no format.
fn with_avro(text: &str) -> Cow<'_, str> {
    let query = text.split_once('?').map(|(_, query)| query);
    let names_format = query.unwrap_or_default().split('&').any(|option| option.starts_with("format="));
    if !text.starts_with("kafka://") || names_format {
        return Cow::Borrowed(text);
    }
    let between = if query.is_some() { '&' } else { '?' };
    Cow::Owned(format!("{text}{between}format=avro"))
}

/// Parses the longest time of a request.
fn timeout(text: &str) -> Result<Duration, String> {
    let timeout = quantity::seconds(text)?;
    let day = Duration::from_secs(24 * 3600);
    match timeout >= Duration::from_millis(1) && timeout <= day {
        true => Ok(timeout),
        false => Err("a time from 0.001 seconds to a day is expected".to_owned()),
    }
}

/// Parses `--proxy`.
fn proxy(text: &str) -> Result<Proxy, String> {
    match text {
        "none" => Ok(Proxy::None),
        "env" => Ok(Proxy::Environment),
        url => {
            let schemes = ["http", "https", "socks4", "socks4a", "socks5", "socks5h"];
            let scheme = url.split_once("://").map(|(scheme, _)| scheme);
            if !scheme.is_some_and(|scheme| schemes.contains(&scheme)) {
                return Err(format!("{}: a proxy is none, env, or a URL such as http://proxy:3128", masked(url)));
            }
            secrets::learn_value("proxy", url);
            Ok(Proxy::At(url.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kafka_gets_avro_unless_the_address_names_a_format() {
        for (given, read) in [
            ("kafka://b/t", "kafka://b/t?format=avro"),
            ("kafka://b/t?registry=http://r", "kafka://b/t?registry=http://r&format=avro"),
            ("kafka://b/t?key=url&format=json", "kafka://b/t?key=url&format=json"),
            ("ndjson:out?", "ndjson:out?"),
            ("-", "-"),
        ] {
            assert_eq!(with_avro(given), read);
        }
    }
}
