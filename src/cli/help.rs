//! The help texts: the headings under which `--help` lists the options, their order, examples, and exit codes.
//!
//! An option that is declared as data says itself where it stands. Other options stand in [`GROUPS`]. A test fails for an option
//! that stands nowhere.

use clap::{Arg, ArgAction, Command};

use crate::app::SOURCES;
use crate::core::option_spec::OptionSpec;
use crate::sink::registry::{self, KINDS};
use crate::source::{self, describing};

/// The options under one heading of the help.
struct Group {
    heading: &'static str,
    /// Ids of options that `-h` and `--help` show, in this order.
    common: &'static [&'static str],
    /// Ids of options that only `--help` shows, after the common options.
    rare: &'static [&'static str],
}

/// All options of all programs. A program shows the options that it has.
const GROUPS: [Group; 8] = [
    Group { heading: "Input", common: &["input", "from", "reason", "envelope", "strict"], rare: &["max_line"] },
    Group {
        heading: "Requests",
        common: &["once", "workers", "waiting", "timeout", "redirects", "reuse", "fail"],
        rare: &["proxy", "ca_file"],
    },
    Group {
        heading: "Patterns",
        common: &["grok-pattern", "format", "pattern", "timezone", "unmatched", "message", "explain"],
        rare: &[
            "date-order",
            "date-format",
            "timestamp",
            "base-year",
            "patterns-dir",
            "pattern-definition",
            "ecs",
            "keep_ansi",
        ],
    },
    Group { heading: "Output", common: &["sinks", "dead_letters", "key-file", "type", "raw", "page"], rare: &["json"] },
    Group {
        heading: "Delivery",
        common: &["jobs", "in_flight", "runs", "state", "spawn", "confirm", "on_full"],
        rare: &["sink_deadline", "max_memory", "scale_backlog", "scale_step", "lease", "linger", "drain", "queue"],
    },
    Group {
        heading: "Network",
        common: &["bind", "connect", "curve_key", "queue_key", "authorized_keys"],
        rare: &["insecure", "hwm"],
    },
    Group {
        heading: "Logging",
        common: &["receipt", "quiet", "verbose"],
        rare: &["status_interval", "log_level", "log_format"],
    },
    Group { heading: "Options", common: &["config", "help", "version"], rare: &[] },
];

/// The text below the options of a program or command.
struct Footer {
    /// Comments and command lines.
    examples: &'static [(&'static str, &'static str)],
    /// Sentences on the program as a whole.
    notes: &'static str,
    exit_codes: &'static str,
    /// Whether the options can also be set by variables and by a file.
    configurable: bool,
}

/// The one sentence about variables.
const CONFIGURATION: &str = "\
Every option can also be set by an environment variable, such as
LOGATOR_MAX_LINE for --max-line, or in the --config file. The command line
overrides the variable, and the variable overrides the file.";

const JOB_EXIT_CODES: &str = "  0  Every line is accounted for, and no line is a dead letter.
  1  The work is finished, and some lines are dead letters.
  2  An option or the configuration is wrong. Nothing was started.
  3  The work is not finished. Unacknowledged lines can be read again.
     There is no message if the reader of standard output has ended, as head does.";

const PUSH_NOTES: &str = "\
PUSH and PULL sockets have no acknowledgements, so lines can be lost
(doc/push-pull.md). For delivery without loss, use logator-queue, or a topic of
Kafka, which confirms each message. Options of sockets are refused with a topic,
and those of a topic with sockets.";

/// The footer of the program or command with this name.
fn footer(name: &str) -> Footer {
    let job = Footer { examples: &[], notes: "", exit_codes: JOB_EXIT_CODES, configurable: true };
    match name {
        "logator" => Footer {
            examples: &[
                (
                    "Store an access log in SQLite. The format is detected.",
                    "logator run access.log.gz --to sqlite:access.db",
                ),
                ("Try a pattern on a file.", "logator grok '%{IP:client} %{GREEDYDATA:rest}' access.log"),
            ],
            ..job
        },
        "run" => Footer {
            examples: &[
                (
                    "Store an access log in SQLite. The format is detected.",
                    "logator run access.log.gz --to sqlite:access.db",
                ),
                (
                    "Follow files as they grow, and remember the stored lines in the directory st.",
                    "logator run /var/log/nginx --follow --state st --to mongodb://localhost/logs.nginx",
                ),
            ],
            ..job
        },
        "bench" => Footer {
            examples: &[
                (
                    "Measure the parsing alone, with one worker and with one worker a core.",
                    "logator bench access.log -f combined",
                ),
                (
                    "Measure with a sink and three numbers of workers.",
                    "logator bench access.log -j 1,2,4 --to sqlite:bench.db",
                ),
            ],
            exit_codes: "  0  All runs are measured.\n  2  An option or the configuration is wrong.\n  3  A run failed.",
            ..job
        },
        "grok" => Footer {
            examples: &[
                ("Try a pattern on a file.", "logator grok '%{IP:client} %{GREEDYDATA:rest}' access.log"),
                (
                    "Show how far the pattern matches the lines that do not match.",
                    "logator grok --explain '^%{TIMESTAMP_ISO8601:time} %{LOGLEVEL:level} ' app.log",
                ),
            ],
            notes: "\
The output for a line that does not match is
  {\"tags\":[\"_grokparsefailure\"]}
The output for a line whose match takes too many steps is
  {\"tags\":[\"_groktimeout\"]}
With --explain, a line that does not match also gets \"explain\": the longest
beginning of the pattern that matches, the byte of the line at which this match
ends, and the next part of the pattern, which does not match there.",
            exit_codes: "  0  All lines were read.
  2  An option or the pattern is wrong.
  3  An input could not be read to its end, or standard output could not be written.",
            ..job
        },
        "keygen" => Footer {
            examples: &[
                ("Make the keys of a queue and of a worker.", "logator keygen queue.key"),
                ("The worker's public key goes into the list of --authorized-keys.", "logator keygen worker.key"),
            ],
            notes: "\
FILE gets both keys, for --curve-key. Only the owner of FILE can read it.
FILE.pub gets the public key, for --queue-key and --authorized-keys.
Standard output also gets the public key.",
            exit_codes: "  0  The keys are made.\n  2  A file exists already, or cannot be written.",
            configurable: false,
        },
        "replay" => Footer {
            examples: &[
                (
                    "Store dead letters with a corrected pattern.",
                    "logator replay dead-letters.ndjson -p '%{IP:client} %{GREEDYDATA:rest}' --to sqlite:logs.db",
                ),
                (
                    "Send only the documents that the store refused.",
                    "logator replay dead-letters.ndjson --reason rejected --to mongodb://localhost/logs.nginx",
                ),
            ],
            notes: "A replayed line gets the id that its document would have had.\nA second replay stores nothing twice.",
            ..job
        },
        "logator-queue" => Footer {
            examples: &[
                (
                    "Read files, with local workers that store in MongoDB.",
                    "logator-queue /var/log/nginx --spawn -- --to mongodb://localhost/logs.nginx",
                ),
                (
                    "Follow files, for workers on other machines.",
                    "logator-queue /var/log/nginx --follow --state st --bind 'tcp://*:7700'\n\
                     --curve-key queue.key --authorized-keys workers.txt",
                ),
            ],
            ..job
        },
        "logator-worker" => Footer {
            examples: &[
                ("Work for the queue on this machine.", "logator-worker --to mongodb://localhost/logs.nginx"),
                (
                    "Work for a queue on another machine.",
                    "logator-worker --from tcp://logs.example:7700 --curve-key worker.key --queue-key queue.key.pub\n\
                     --to sqlite:logs.db",
                ),
            ],
            ..job
        },
        "logator-push" => Footer {
            examples: &[
                (
                    "Send the lines of a program to a collector on this machine.",
                    "app | logator-push app --connect ipc:///run/logs/collector",
                ),
                (
                    "Send lines to another machine, and answer rsyslog's omprog when a line is delivered.",
                    "logator-push --connect tcp://logs.example:7800 --curve-key push.key --queue-key pull.key.pub\n\
                     --confirm=delivered",
                ),
                (
                    "Send files to a topic of Kafka, and remember in the directory st what is there.",
                    "logator-push nginx /var/log/nginx --follow --state st --connect kafka://kafka1/lines",
                ),
            ],
            notes: PUSH_NOTES,
            exit_codes: "  0  Every line is sent.
  1  Some lines were too long, or a topic does not take them, or they were
     dropped because of --on-full drop.
  2  An option or the configuration is wrong.
  3  Some lines could not be sent.",
            ..job
        },
        "logator-probe" => Footer {
            examples: &[
                (
                    "Request each URL of a file again and again, and print a document for each request.",
                    "logator-probe urls.csv",
                ),
                (
                    "Request each URL once, and fail if one of them fails.",
                    "logator-probe urls.csv --once --fail --to sqlite:latencies.db",
                ),
            ],
            notes: "\
A table of all URLs is printed at the end. Its times are milliseconds from the
start of a request, and from the time at which it was due. The program is also
installed as latency-logger.",
            exit_codes: "  0  A signal ended the program, or --once is done. Every document is stored.
  1  Some documents are dead letters; or, with --fail, a request failed.
  2  An option or the configuration is wrong. Nothing was started.
  3  Some documents were dropped or not stored, or the program could not go on.",
            ..job
        },
        "logator-pull" => Footer {
            examples: &[
                ("Print the lines that come in.", "logator-pull --bind ipc:///run/logs/collector"),
                (
                    "Unwrap the lines of logator-push, and store them in SQLite.",
                    "logator-pull --bind tcp://127.0.0.1:7800 --envelope json -f combined --to sqlite:access.db",
                ),
            ],
            notes: "\
Without --to, --format, --pattern and --envelope, lines are written to standard
output unchanged. PUSH and PULL sockets have no acknowledgements, so lines can
be lost (doc/push-pull.md). For delivery without loss, use logator-queue.",
            exit_codes: "  0  A signal ended the program, and every line that came in is written or stored.
  1  The same, and some lines are dead letters.
  2  An option or the configuration is wrong.
  3  Some lines that came in could not be stored.
     There is no message if the reader of standard output has ended.",
            ..job
        },
        _ => job,
    }
}

impl Footer {
    /// Returns the text below the options of `--help`.
    fn text(&self) -> String {
        let mut text = "Examples:\n".to_owned();
        for (comment, line) in self.examples {
            // A long command goes on in the next line, as a shell reads it.
            text += &format!("  # {comment}\n  {}\n", line.replace('\n', " \\\n    "));
        }
        if !self.notes.is_empty() {
            text += &format!("\n{}\n", self.notes);
        }
        if self.configurable {
            text += &format!("\n{CONFIGURATION}\n");
        }
        text + &format!("\nExit codes:\n{}", self.exit_codes)
    }
}

/// Returns the heading and id of each option in the order of the help, and whether `-h` leaves the option out.
fn places() -> Vec<(&'static str, &'static str, bool)> {
    let kinds = SOURCES.0.iter().flat_map(|kind| kind.options).copied();
    let declared: Vec<OptionSpec> =
        kinds.chain(source::OPTIONS).chain(describing::OPTIONS).chain(registry::options()).collect();
    let is_listed = |spec: &OptionSpec| GROUPS.iter().any(|group| group.common.contains(&spec.name));
    let mut places = Vec::new();
    for Group { heading, common, rare } in GROUPS {
        for (ids, is_rare) in [(common, false), (rare, true)] {
            let here = |spec: &&OptionSpec| {
                spec.group.heading() == heading && spec.rare == is_rare && !spec.hidden && !is_listed(spec)
            };
            let ids = ids.iter().copied().chain(declared.iter().filter(here).map(|spec| spec.name));
            places.extend(ids.map(|id| (heading, id, is_rare)));
        }
    }
    places
}

/// Gives a program's command, or a command of `logator`, its headings, the order of its options, and its footer.
pub fn arrange(command: Command) -> Command {
    let name = command.get_name().to_owned();
    let footer = footer(&name);
    let program = if name.starts_with("logator") { name } else { format!("logator {name}") };
    let mut command = with_own_help(command)
        .after_help(format!("{program} --help lists all options, with examples and exit codes."))
        .after_long_help(footer.text());
    let places = places();
    for (order, (heading, id, rare)) in places.iter().enumerate() {
        if command.get_arguments().any(|arg| arg.get_id() == id) {
            // mut_arg puts the option behind all others. clap lists the headings in the order of the options.
            command = command.mut_arg(id, |arg| {
                let arg = if *id == "sinks" { with_sinks(arg) } else { arg };
                arg.help_heading(*heading).display_order(order).hide_short_help(*rare)
            });
        }
    }
    // Hidden arguments come last, so that the arguments after `--` keep their place.
    let is_placed = |id: &str| places.iter().any(|(_, placed, _)| *placed == id);
    let ids: Vec<String> = command.get_arguments().map(|arg| arg.get_id().to_string()).collect();
    ids.iter().filter(|id| !is_placed(id)).fold(command, |command, id| command.mut_arg(id, |arg| arg))
}

/// Returns the command of a program that was started under another name.
pub(super) fn under_name(command: Command, name: &'static str) -> Command {
    command.display_name(name).after_help(format!("{name} --help lists all options, with examples and exit codes."))
}

/// Adds the list of all kinds of sinks after the first paragraph of the help of `--to`.
fn with_sinks(arg: Arg) -> Arg {
    let own = arg.get_long_help().or(arg.get_help()).map(ToString::to_string).unwrap_or_default();
    let (first, rest) = own.split_once("\n\n").unwrap_or((&own, ""));
    let kinds = KINDS.iter().map(|kind| format!("* {}: {}", kind.syntax.join(", "), kind.help));
    let kinds: Vec<String> = kinds.collect();
    arg.long_help([first, &kinds.join("\n"), rest].join("\n\n").trim_end().to_owned())
}

/// Replaces clap's own `--help` and `--version`, which cannot be put under a heading.
fn with_own_help(command: Command) -> Command {
    let help = Arg::new("help").short('h').long("help").action(ArgAction::Help);
    let help =
        help.help("Print an overview; --help prints all options").long_help("Print all options; -h prints an overview");
    let version = command.get_version().is_some();
    let command = command.disable_help_flag(true).disable_version_flag(true).arg(help);
    match version {
        true => {
            let flag = Arg::new("version").short('V').long("version").action(ArgAction::Version);
            command.arg(flag.help("Print the version"))
        }
        false => command,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::commands;

    /// The programs and the commands of `logator`, with the words that call them.
    fn all() -> Vec<(String, Command)> {
        let programs = commands::programs();
        let inner =
            programs[0].get_subcommands().cloned().map(|command| (format!("logator {}", command.get_name()), command));
        let inner: Vec<_> = inner.collect();
        programs.into_iter().map(|program| (program.get_name().to_owned(), program)).chain(inner).collect()
    }

    #[test]
    fn every_option_has_a_group_and_every_group_has_its_place() {
        for (name, command) in all() {
            for arg in command.get_arguments().filter(|arg| !arg.is_hide_set()) {
                assert!(arg.get_help_heading().is_some(), "{name}: {} is missing in GROUPS", arg.get_id());
            }
            let text = command.clone().render_long_help().to_string();
            let lines: Vec<&str> = text.lines().collect();
            let places = GROUPS.map(|group| lines.iter().position(|line| *line == format!("{}:", group.heading)));
            let places: Vec<usize> = places.into_iter().flatten().collect();
            assert!(places.is_sorted() && !places.is_empty(), "{name}: {places:?}\n{text}");
        }
    }

    #[test]
    fn variables_are_named_once_and_the_overview_is_shorter() {
        for (name, mut command) in all() {
            let (long, short) = (command.render_long_help().to_string(), command.render_help().to_string());
            assert!(!long.contains("[env"), "{long}");
            assert_eq!(long.matches("LOGATOR_").count(), usize::from(name != "logator keygen"), "{name}: {long}");
            assert!(short.lines().count() < long.lines().count(), "{name}");
            assert!(short.contains("--help lists all options") && long.contains("Examples:"), "{name}");
        }
    }

    #[test]
    fn the_help_of_to_shows_every_kind_of_sink_of_the_registry() {
        let with_sinks: Vec<(String, Command)> = all()
            .into_iter()
            .filter(|(_, command)| command.get_arguments().any(|arg| arg.get_id() == "sinks"))
            .collect();
        let programs = 5 + usize::from(cfg!(feature = "probe"));
        assert_eq!(with_sinks.len(), programs, "run, replay, bench, logator-worker, logator-pull and logator-probe");
        for (name, mut command) in with_sinks {
            let help = command.render_long_help().to_string().split_whitespace().collect::<Vec<_>>().join(" ");
            for kind in KINDS {
                assert!(help.contains(kind.help), "{name}: {}", kind.name);
                assert!(kind.syntax.iter().all(|form| help.contains(form)), "{name}: {}", kind.name);
            }
        }
    }

    /// The words of a command line, as a shell splits them.
    fn words(line: &str) -> Vec<String> {
        let mut words = vec![String::new()];
        let mut quoted = false;
        for letter in line.chars() {
            match letter {
                '\'' => quoted = !quoted,
                ' ' | '\n' if !quoted => words.push(String::new()),
                letter => words.last_mut().unwrap().push(letter),
            }
        }
        words
    }

    #[test]
    fn every_example_is_a_command_line_that_its_program_takes() {
        for (name, command) in all() {
            let examples = footer(command.get_name()).examples;
            assert!(examples.len() >= 2, "{name}");
            for (_, line) in examples {
                let words = words(line.rsplit(" | ").next().unwrap());
                let program = commands::programs().into_iter().find(|program| program.get_name() == words[0]).unwrap();
                assert!(line.contains(&name), "{name}: {line}");
                program.try_get_matches_from(&words).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
        }
    }
}
