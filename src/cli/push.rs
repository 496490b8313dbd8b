//! The arguments of `logator-push`.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, ValueEnum};

use super::options::{DataArgs, OptionSet};
use super::report::ReportArgs;
use super::size;
use super::socket::SocketArgs;
use super::source::description;
use super::store::DeadLetterArgs;
use super::values::PeerArg;
use super::wait::{SINK_DEADLINE, WaitArgs};
use crate::app::push::{Confirm, PushOptions, TopicOptions};
use crate::app::{DEAD_LETTERS, SOURCES, SourceOptions};
use crate::core::error::{Error, Result};
use crate::core::option_spec::{OptionSpec, OptionValues};
use crate::core::quantity;
use crate::process::job_files::JobFiles;
use crate::sink::SinkSpec;
use crate::source::encodings::EncodingRule;
use crate::source::kind::Place;
use crate::source::{self, ReadOptions};

/// The sentence of the help of INPUT.
const INPUT: &str = "Input to send in place of standard input (repeatable)";

/// The type of lines, unless the user names one.
const TYPE: &str = "syslog";

/// `logator-push`
#[derive(Parser, Debug)]
#[command(
    name = "logator-push",
    version,
    about = "Sends the lines of standard input, or of other inputs, over a ZeroMQ PUSH socket or to a topic of Kafka"
)]
pub struct PushArgs {
    /// Type of the lines, in their envelope
    ///
    /// With --connect kafka://… it has no effect, because lines have no envelope there.
    #[arg(value_name = "TYPE", id = "type", index = 1, default_value = TYPE)]
    pub kind: String,
    /// The names of inputs.
    #[arg(value_name = "INPUT", id = "input", index = 2, help = INPUT, long_help = format!("{INPUT}\n\n{}", description(Place::Input)))]
    pub inputs: Vec<String>,
    /// More names of inputs.
    #[arg(long = "from", value_name = "INPUT", id = "from", help = "The same as INPUT (repeatable)")]
    pub more_inputs: Vec<String>,
    /// The options of all kinds of sources.
    #[command(flatten)]
    pub sources: DataArgs<PushedOptions>,
    /// The endpoints and keys.
    #[command(flatten)]
    pub socket: SocketArgs,
    /// Send each line in an envelope, as zmqpush does (the default)
    ///
    /// The envelope is {"message":LINE,"type":TYPE,"@pid":PID}. Messages of Kafka have no envelope.
    #[arg(long, conflicts_with = "raw")]
    pub json: bool,
    /// Send each line unchanged, without an envelope
    #[arg(long)]
    pub raw: bool,
    /// Time to send the remaining lines at the end
    #[arg(long, value_name = "MS", default_value = LINGER, value_parser = quantity::milliseconds)]
    pub linger: Duration,
    /// Maximum number of lines that wait in memory while no peer takes any (64 MiB at most)
    #[arg(long, value_name = "N", default_value = QUEUE, value_parser = quantity::count)]
    pub queue: usize,
    /// What to do with new lines when the queue is full
    #[arg(long, value_name = "block|drop", default_value = "block")]
    pub on_full: OnFull,
    /// Answer OK on standard output at the start and for each line
    ///
    /// rsyslog's omprog needs these answers with confirmMessages="on".
    #[arg(long, value_name = "queued|delivered", num_args = 0..=1, require_equals = true, default_missing_value = "queued")]
    pub confirm: Option<ConfirmArg>,
    /// Longest line; longer lines are not sent
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = quantity::message)]
    pub max_line: usize,
    /// Directory that records the lines that are in the topic, so that another run sends only the others (for kafka://)
    #[arg(long, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Maximum number of bytes of lines that wait or are on their way (for kafka://)
    #[arg(long, value_name = "BYTES", value_parser = quantity::memory)]
    pub max_memory: Option<usize>,
    /// The dead letters of lines that a topic does not take.
    #[command(flatten)]
    pub dead_letters: DeadLetterArgs,
    /// The deadline for Kafka.
    #[command(flatten)]
    pub wait: WaitArgs,
    /// The messages and the receipt.
    #[command(flatten)]
    pub report: ReportArgs,
}

/// The default of `--linger`, in milliseconds.
const LINGER: &str = "5000";

/// The default of `--queue`.
const QUEUE: &str = "100000";

/// The options of inputs. `--max-line` is an option of the program.
#[derive(Debug, Clone)]
pub struct PushedOptions;

impl OptionSet for PushedOptions {
    fn specs() -> Vec<OptionSpec> {
        // One batch is on its way to a topic at a time, so larger batches are faster.
        let own = source::OPTIONS.into_iter().filter_map(|spec| match spec.name {
            MAX_LINE => None,
            "batch-lines" => Some(spec.default("20000")),
            "batch-bytes" => Some(spec.default("1MiB")),
            _ => Some(spec),
        });
        SOURCES.options(Place::Input).into_iter().chain(own).collect()
    }
}

const MAX_LINE: &str = "max-line";

const ENCODING: &str = "encoding";

/// `--on-full`
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnFull {
    /// Stop reading until there is room
    Block,
    /// Drop them and count them
    Drop,
}

/// `--confirm`
#[derive(ValueEnum, Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfirmArg {
    /// When the line is in the queue
    Queued,
    /// When a connection has taken the line from libzmq, or when Kafka has reported its delivery
    Delivered,
}

impl PushArgs {
    /// Whether lines go to a topic of Kafka.
    pub fn is_for_topic(&self) -> bool {
        self.socket.connect.iter().any(|peer| matches!(peer, PeerArg::Topic(_)))
    }

    /// Returns the inputs. Only the lines of standard input can be answered.
    fn all_inputs(&self) -> Result<Vec<String>> {
        let inputs: Vec<String> = self.inputs.iter().chain(&self.more_inputs).cloned().collect();
        match self.confirm.is_some() && !inputs.is_empty() {
            true => Err(Error::usage("--confirm and INPUT: only lines of standard input are answered")),
            false => Ok(inputs),
        }
    }

    /// Returns the topic to which lines go; `None` if they go to a socket.
    ///
    /// # Errors
    /// An address that is wrong, or more than one.
    pub(super) fn topic(&self) -> Result<Option<SinkSpec>> {
        let text = self.socket.connect.iter().find_map(|peer| match peer {
            PeerArg::Topic(text) => Some(text),
            PeerArg::Socket(_) => None,
        });
        match text {
            Some(_) if self.socket.connect.len() > 1 => {
                Err(Error::usage("--connect kafka://…: give one address; it may name several brokers"))
            }
            Some(text) => SinkSpec::parse(&with_linger(text, self.confirm == Some(ConfirmArg::Delivered))).map(Some),
            None => Ok(None),
        }
    }

    /// Returns the options of the job that writes to a topic. `files` are the files of the job.
    ///
    /// # Errors
    /// Options that contradict each other or mean nothing for a topic, or a wrong address.
    pub fn topic_options(&self, files: Arc<JobFiles>) -> Result<TopicOptions> {
        let topic = self.topic()?.ok_or_else(|| Error::internal("there is no topic"))?;
        let refuse = |name: &str, why: &str| Err(Error::usage(format!("{name} and kafka://: {why}")));
        if let Some((name, why)) = self.socket.foreign_to_topics() {
            return refuse(name, why);
        }
        let is_linger = Ok(self.linger) == quantity::milliseconds(LINGER);
        let is_queue = Ok(self.queue) == quantity::count(QUEUE);
        match self {
            _ if self.json => {
                return refuse("--json", "messages of Kafka are the lines as they are, with ids in headers");
            }
            _ if !is_linger => return refuse("--linger", "--sink-deadline is the time for the remaining lines"),
            _ if !is_queue => return refuse("--queue", "--max-memory bounds what waits for Kafka"),
            _ if self.on_full == OnFull::Drop => return refuse("--on-full drop", "no line is dropped; reading waits"),
            _ if self.confirm.is_some() && self.state.is_some() => {
                return refuse("--confirm with --state", "the program that waits for answers knows what is left");
            }
            _ => {}
        }
        let mut values = self.sources.values.clone();
        values.insert(MAX_LINE, [self.max_line.to_string().into()]);
        let mut read = ReadOptions::of(&values)?;
        // A message is a line as it is, header lines too.
        read.records.header = None;
        let (state, max_memory) = (self.state.clone(), self.max_memory);
        Ok(TopicOptions {
            source: SourceOptions { inputs: self.all_inputs()?, values, read, state, max_memory, files },
            topic,
            confirm: match self.confirm {
                None => Confirm::No,
                Some(ConfirmArg::Queued) => Confirm::Queued,
                Some(ConfirmArg::Delivered) => Confirm::Delivered,
            },
            dead_letters: self.dead_letters.dead_letters.clone(),
            deadline: self.wait.sink_deadline,
        })
    }

    /// Returns the options of the job that sends over a socket. `files` are the files of the job.
    ///
    /// # Errors
    /// Options that contradict each other or are for a topic, an endpoint that other machines can reach without keys, or a wrong
    /// key.
    pub fn socket_options(&self, files: Arc<JobFiles>) -> Result<PushOptions> {
        let given = |name: &str| Err(Error::usage(format!("--{name}: that is for --connect kafka://BROKERS/TOPIC")));
        let at_push = SOURCES.options(Place::Push);
        let defaults = OptionValues::defaults(&PushedOptions::specs());
        let is_foreign = |spec: &OptionSpec| spec.name != ENCODING && at_push.iter().all(|at| at.name != spec.name);
        let foreign = PushedOptions::specs().into_iter().filter(is_foreign);
        let mut foreign =
            foreign.filter(|spec| self.sources.values.arguments(&[*spec]) != defaults.arguments(&[*spec]));
        match self {
            _ if self.state.is_some() => return given("state"),
            _ if self.max_memory.is_some() => return given("max-memory"),
            _ if self.dead_letters.dead_letters.as_os_str() != DEAD_LETTERS => return given("dead-letters"),
            _ if self.wait.sink_deadline != size::deadline(SINK_DEADLINE).unwrap_or(self.wait.sink_deadline) => {
                return given("sink-deadline");
            }
            _ => {}
        }
        if let Some(spec) = foreign.next() {
            return given(spec.name);
        }
        let socket = self.socket.options()?;
        if !socket.connect.is_empty() && !socket.bind.is_empty() {
            return Err(Error::usage("--connect and --bind: give only one of the two"));
        }
        let confirm = match self.confirm {
            None => Confirm::No,
            Some(ConfirmArg::Queued) => Confirm::Queued,
            Some(ConfirmArg::Delivered) if socket.connect.is_empty() => {
                return Err(Error::usage(
                    "--confirm=delivered needs --connect: with --bind libzmq does not tell one peer from another",
                ));
            }
            Some(ConfirmArg::Delivered) => Confirm::Delivered,
        };
        Ok(PushOptions {
            inputs: self.all_inputs()?,
            values: self.sources.values.clone(),
            files,
            socket,
            kind: (!self.raw).then(|| self.kind.clone()),
            linger: self.linger,
            queue: self.queue,
            drops: self.on_full == OnFull::Drop,
            confirm,
            max_line: self.max_line,
            encoding: self.sources.values.parsed(ENCODING, EncodingRule::parse)?.unwrap_or_default(),
        })
    }
}

/// Returns the address of a topic, with the time that the client waits for more messages before it sends those that it has. One
/// batch is on its way at a time, so nothing follows while the client waits. If somebody waits for each line, it is sent at once.
fn with_linger(text: &str, at_once: bool) -> String {
    let query = text.split_once('?').map_or("", |(_, query)| query);
    let names = query.split('&').filter_map(|option| option.split_once('='));
    if names.clone().any(|(name, _)| name.eq_ignore_ascii_case(LINGER_SETTING)) {
        return text.to_owned();
    }
    let mark = if text.contains('?') { '&' } else { '?' };
    format!("{text}{mark}{LINGER_SETTING}={}", if at_once { 0 } else { 2 })
}

/// The setting of librdkafka.
const LINGER_SETTING: &str = "linger.ms";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_topic_gets_a_short_linger_and_none_if_somebody_waits_for_each_line() {
        for (given, at_once, expected) in [
            ("kafka://a/t", false, "kafka://a/t?linger.ms=2"),
            ("kafka://a/t", true, "kafka://a/t?linger.ms=0"),
            ("kafka://a/t?client.id=x", true, "kafka://a/t?client.id=x&linger.ms=0"),
            ("kafka://a/t?LINGER.ms=30", true, "kafka://a/t?LINGER.ms=30"),
        ] {
            assert_eq!(with_linger(given, at_once), expected);
        }
    }
}
