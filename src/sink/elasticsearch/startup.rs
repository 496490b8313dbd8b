//! The start: asks who the server is and what it takes, finds out about data streams, and installs the template.

use std::time::Duration;

use serde_json::Value;

use super::answer::Answer;
use super::body::{MAX_BODY, MIN_BODY};
use super::connection::{Asked, Asking, Connection};
use super::options::TEMPLATE;
use super::server::{NoServer, Server};
use super::template::{self, Template};
use crate::core::calendar::now_ms;
use crate::core::error::{Error, Result};
use crate::core::percent;
use crate::core::wait::{Ended, Patience, Words};
use crate::observe::details::Seldom;
use crate::sink::kind::Opening;

static STARTED: Seldom = Seldom::new();

/// The time between two attempts to find a server.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// What was found at the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// Whether each request demands that the index is a data stream.
    pub require_data_stream: bool,
    /// The largest body in bytes before compression.
    pub limit: usize,
}

/// An answer and its body.
type Answered = (Answer, Vec<u8>);

/// The start of one sink.
struct Start<'a> {
    connection: &'a Connection,
    with: &'a Opening<'a>,
    patience: Patience,
}

/// Finds a server and everything that has to be known about it.
///
/// # Errors
/// A usage error when `--es-template` does not fit the index; otherwise an error of the kind
/// [`sink`](crate::core::error::Kind::Sink): no server answers in time, it refuses the login, or it is no server that the
/// sink can work with.
pub(super) fn start(connection: &Connection, with: &Opening<'_>) -> Result<Found> {
    let target = &connection.target;
    let patience = with.waits.patience(&target.hosts_name, Words::OPENED);
    let patience = match with.waits.has_no_deadline() {
        true => patience,
        false => patience.with_deadline(target.selection_timeout, "serverSelectionTimeoutMS"),
    };
    let start = Start { connection, with, patience };
    let server = start.server()?;
    let limit = start.limit()?;
    let is_data_stream = match target.data_stream {
        Some(false) => false,
        asked => start.is_data_stream(server, asked == Some(true))?,
    };
    if is_data_stream {
        with.waits.say(&format!(
            "{}: {} is a data stream; it knows the ids of its newest backing index only, so a second delivery after a \
             rollover is stored twice",
            target.name, target.index
        ));
    }
    if with.options.is_on(TEMPLATE.name) {
        let made = template::template(&target.index, with.formats, server, is_data_stream);
        start.install(&made.map_err(|why| Error::usage(format!("{}: {why}", target.name)))?)?;
    }
    start.patience.over();
    STARTED.tell(1, |_, _| format!("{}: {server}, bodies of up to {limit} bytes", target.name));
    Ok(Found { require_data_stream: is_data_stream && server.knows_require_data_stream(), limit })
}

impl Start<'_> {
    /// Asks the hosts until one of them says who it is.
    fn server(&self) -> Result<Server> {
        let target = &self.connection.target;
        loop {
            let (words, is_final) = match self.ask("GET", "/", None)? {
                Err((words, is_fatal)) => (words, is_fatal),
                Ok((answer, body)) => match Server::read(&answer, &body) {
                    Ok(server) => return Ok(server),
                    Err(NoServer::NotYet(words)) => (words, false),
                    Err(NoServer::Wrong(words)) => (words, true),
                },
            };
            let words = target.mask(&words);
            if is_final {
                return Err(Error::sink(format!("{}: {words}", target.name)));
            }
            self.patience.begin().pause(&words, RETRY_INTERVAL).map_err(|ended| self.no_server(ended, &words))?;
        }
    }

    fn no_server(&self, ended: Ended, words: &str) -> Error {
        let target = &self.connection.target;
        if self.with.waits.is_stopped() || self.with.waits.has_no_deadline() {
            return ended.error(&target.hosts_name);
        }
        let seconds = target.selection_timeout.as_secs_f64();
        Error::sink(format!("{}: nobody answers within {seconds} s ({words})", target.hosts_name))
    }

    /// Sends a request. The inner error is the reason why no answer came, and whether waiting cannot help.
    fn ask(&self, method: &'static str, path: &str, body: Option<&Value>) -> Result<Result<Answered, (String, bool)>> {
        let mut buffers = self.connection.buffers();
        buffers.set_plain(body.map(|body| body.to_string().into_bytes()).unwrap_or_default());
        let content = if body.is_some() { "application/json" } else { "" };
        let asked = Asked { method, path: path.to_owned(), content };
        match self.connection.ask(&self.patience.begin(), None, asked, buffers)? {
            Err(ended) => Err(self.no_server(ended, "no answer")),
            Ok(Asking { host, answer: Err(no_answer), .. }) => {
                Ok(Err((self.connection.words(&host, &no_answer.words), no_answer.is_fatal)))
            }
            Ok(Asking { answer: Ok(answer), mut buffers, .. }) => {
                let body = std::mem::take(&mut buffers.reply);
                self.connection.give_back(buffers);
                Ok(Ok((answer, body)))
            }
        }
    }

    /// Looks something up that the login may not be allowed to see. There is no value if the server does not tell it.
    fn look_up(&self, path: &str) -> Result<Option<Value>> {
        let answered = self.ask("GET", path, None)?;
        Ok(match answered {
            Ok((answer, body)) if answer.is_success(&body) => serde_json::from_slice(&body).ok(),
            _ => None,
        })
    }

    /// Returns the largest body.
    fn limit(&self) -> Result<usize> {
        let path = "/_cluster/settings?include_defaults=true&flat_settings=true&filter_path=*.http*";
        let settings = self.look_up(path)?;
        let known = settings.as_ref().and_then(max_content_length);
        Ok(known.map_or(MAX_BODY, |most| most.clamp(MIN_BODY, MAX_BODY)))
    }

    /// Returns whether the index of documents with a time of today is, or will be, a data stream. `is_asked` says that the
    /// user demands it.
    fn is_data_stream(&self, server: Server, is_asked: bool) -> Result<bool> {
        let target = &self.connection.target;
        let name = target.index.at(Some(now_ms()));
        if !server.has_index_templates() {
            return match is_asked {
                true => Err(Error::sink(format!("{}: {server} has no data streams", target.name))),
                false => Ok(false),
            };
        }
        let encoded = percent::encode(&name);
        let streams = self.look_up(&format!("/_data_stream/{encoded}"))?;
        let is_stream =
            streams.is_some_and(|streams| streams["data_streams"].as_array().is_some_and(|all| !all.is_empty()));
        let settings = self.look_up(&format!("/{encoded}/_settings/index.translog.durability?flat_settings=true"))?;
        if settings.as_ref().is_some_and(is_async) {
            self.with.waits.say(&format!(
                "{}: the index {name} has index.translog.durability=async, so what it has confirmed may be lost when its \
                 node fails; logator cannot know that",
                target.name
            ));
        }
        if is_stream {
            return Ok(true);
        }
        let path = "/_index_template?filter_path=index_templates.index_template.index_patterns,\
                    index_templates.index_template.priority,index_templates.index_template.data_stream";
        // An index that exists is no data stream, whatever the templates say.
        let will_be = match settings.is_some() {
            true => Some(false),
            false => self.look_up(path)?.map(|templates| makes_data_stream(&templates, &name)),
        };
        match (is_asked, will_be) {
            (true, Some(false)) => Err(Error::sink(format!(
                "{}: {name} is no data stream, and no index template makes it one",
                target.name
            ))),
            (true, None) if !server.knows_require_data_stream() => Err(Error::sink(format!(
                "{}: the server does not tell whether {name} is a data stream, and {server} cannot be told to demand it",
                target.name
            ))),
            (true, None) => Ok(true),
            (_, will_be) => Ok(will_be.unwrap_or(false)),
        }
    }

    /// Installs the template.
    fn install(&self, made: &Template) -> Result<()> {
        let target = &self.connection.target;
        let path = format!("/_index_template/{}", percent::encode(&made.name));
        let words = match self.ask("PUT", &path, Some(&made.content))? {
            Ok((answer, body)) if answer.is_success(&body) => return Ok(()),
            Ok((answer, body)) => answer.words(&body),
            Err((words, _)) => words,
        };
        let words = target.mask(&words);
        Err(Error::sink(format!("{}: the index template {} cannot be installed: {words}", target.name, made.name)))
    }
}

/// Returns the largest body that the settings of the cluster allow, in bytes.
fn max_content_length(settings: &Value) -> Option<usize> {
    let found = ["transient", "persistent", "defaults"].into_iter();
    let text = found.filter_map(|part| settings.get(part)?.get("http.max_content_length")?.as_str()).next()?;
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: usize = text[..digits].parse().ok()?;
    let unit = match text[digits..].to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1 << 10,
        "m" | "mb" => 1 << 20,
        "g" | "gb" => 1 << 30,
        _ => return None,
    };
    number.checked_mul(unit)
}

/// Returns whether one of the indexes confirms before its journal is on disk.
fn is_async(settings: &Value) -> bool {
    let mut all = settings.as_object().into_iter().flat_map(|indexes| indexes.values());
    all.any(|index| index["settings"]["index.translog.durability"].as_str().is_some_and(|how| how == "async"))
}

/// Returns whether the index template that applies to the name makes a data stream of it.
fn makes_data_stream(templates: &Value, name: &str) -> bool {
    let templates = templates["index_templates"].as_array().into_iter().flatten();
    let matching = templates.map(|entry| &entry["index_template"]).filter(|template| {
        let patterns = &template["index_patterns"];
        let patterns = patterns.as_array().into_iter().flatten().chain(Some(patterns)).filter_map(Value::as_str);
        patterns.into_iter().any(|pattern| matches(pattern, name))
    });
    let winner = matching.max_by_key(|template| template["priority"].as_u64().unwrap_or(0));
    winner.is_some_and(|template| template.get("data_stream").is_some())
}

/// Returns whether `name` fits a pattern in which `*` stands for any text.
fn matches(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(mut left) = name.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    for part in middle.split('*').filter(|part| !part.is_empty()) {
        match left.split_once(part) {
            Some((_, after)) => left = after,
            None => return false,
        }
    }
    left.ends_with(end)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_largest_body_is_read_in_every_unit() {
        for (text, bytes) in [
            ("100mb", Some(100 << 20)),
            ("10485760b", Some(10 << 20)),
            ("1gb", Some(1 << 30)),
            ("64kb", Some(64 << 10)),
            ("5", Some(5)),
            ("much", None),
            ("9999999999999999999gb", None),
            ("", None),
        ] {
            let settings = json!({ "persistent": {}, "defaults": { "http.max_content_length": text } });
            assert_eq!(max_content_length(&settings), bytes, "{text}");
        }
        let both = json!({ "persistent": { "http.max_content_length": "1mb" }, "defaults": { "http.max_content_length": "2mb" } });
        assert_eq!(max_content_length(&both), Some(1 << 20));
        assert_eq!(max_content_length(&json!([])), None);
    }

    #[test]
    fn the_template_with_the_highest_priority_decides_about_data_streams() {
        let template = |pattern: &str, priority: u64, stream: bool| {
            let mut content = json!({ "index_patterns": [pattern], "priority": priority });
            if stream {
                content["data_stream"] = json!({ "hidden": false });
            }
            json!({ "index_template": content })
        };
        let templates = json!({ "index_templates": [
            template("logs-*-*", 100, true), template("logs-plain-*", 200, false), template("metrics-*", 100, true),
        ]});
        for (name, is_stream) in [("logs-a-b", true), ("logs-plain-b", false), ("other", false), ("logs-a", false)] {
            assert_eq!(makes_data_stream(&templates, name), is_stream, "{name}");
        }
        assert!(!makes_data_stream(&json!({}), "logs-a-b"));
    }

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, name, fits) in [
            ("a", "a", true),
            ("a", "ab", false),
            ("a*", "a", true),
            ("*", "", true),
            ("a*b", "ab", true),
            ("a*b", "axb", true),
            ("a*b*c", "axbyc", true),
            ("a*b*c", "axyc", false),
            ("ab*b", "ab", false),
            ("*-x-*", "logs-x-y", true),
        ] {
            assert_eq!(matches(pattern, name), fits, "{pattern} {name}");
        }
    }

    #[test]
    fn an_index_that_confirms_too_early_is_recognised() {
        let index = |how: &str| json!({ "i": { "settings": { "index.translog.durability": how } } });
        assert!(
            is_async(&index("async")) && !is_async(&index("request")) && !is_async(&json!({ "i": { "settings": {} } }))
        );
    }
}
