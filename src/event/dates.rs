//! [`Dates`]: where the time of a JSON object may be, and how it is read.

use std::sync::Arc;

use super::members::ObjectView;
use super::tape::Node;
use crate::core::error::Result;
use crate::document::date::{ANY, DateOptions, Fault, Formats, Notes, Outcome, Reading};
use crate::document::keys::display_path;
use crate::document::{Encoding, keys};
use crate::grok::DateRule;

/// The paths from which `@timestamp` may be read, and their formats.
#[derive(Debug, Clone)]
pub(super) struct Dates {
    paths: Vec<TimePath>,
    /// The formats of all paths whose formats the user does not name.
    common: Formats,
    /// Whether other names of a time count if none of the paths is there.
    any_name: bool,
}

#[derive(Debug, Clone)]
struct TimePath {
    /// The levels of the name, as they are stored.
    path: Vec<String>,
    /// The formats that the user names.
    own: Option<Formats>,
    /// The name for tags.
    name: Arc<str>,
}

/// Names under which programs write the time of a record, in the order in which they count. Others use some of these names for
/// other things, so that a value that is no date is no failure.
const OTHER_NAMES: [&[&str]; 15] = [
    // journald, in microseconds.
    &["_SOURCE_REALTIME_TIMESTAMP"],
    &["__REALTIME_TIMESTAMP"],
    // MongoDB from 4.4 on.
    &["t", "$date"],
    // Serilog and NLog.
    &["@t"],
    &["Timestamp"],
    // Log4j 2.
    &["timeMillis"],
    &["datetime"],
    &["DateTime"],
    &["date"],
    // Python.
    &["asctime"],
    // AWS.
    &["eventTime"],
    &["event_time"],
    // nginx.
    &["time_iso8601"],
    &["time_local"],
    &["t"],
];

/// What was found where the time may be.
#[derive(Default)]
pub(super) struct Found {
    /// The time.
    pub reading: Option<Reading>,
    /// Why the first value that is no date gives no time; `None` if there is none, or if another field is a date.
    pub fault: Option<Fault>,
    /// The name of the field that a tag is about.
    pub field: Option<Arc<str>>,
    /// The index of the member `@timestamp_` that the time replaces.
    pub member: Option<usize>,
}

impl Found {
    /// Returns what was found if it is a time.
    #[inline]
    pub fn of(reading: Reading) -> Found {
        Found { reading: Some(reading), ..Found::default() }
    }
}

impl Dates {
    /// Compiles `rule`, with what the user says about dates.
    ///
    /// # Errors
    /// A usage error when a format is invalid.
    pub fn new(rule: Option<&DateRule>, options: &DateOptions) -> Result<Dates> {
        let stored = |path: &Vec<String>| -> Vec<String> {
            let parts = path.iter().enumerate();
            parts.map(|(depth, part)| keys::stored_name(Encoding::Json, part, depth == 0).into_owned()).collect()
        };
        let mut named: Vec<&Vec<String>> = Vec::new();
        let of_rule = rule.iter().flat_map(|rule| &rule.paths);
        match &options.timestamp {
            Some(path) => named.push(path),
            None => named.extend(options.formats.iter().map(|(path, _)| path).chain(of_rule)),
        }
        let mut paths: Vec<TimePath> = Vec::new();
        for path in named.into_iter().filter(|path| !path.is_empty()) {
            let own = match options.formats_of(path) {
                [] => None,
                formats => Some(Formats::with(formats, &options.rules)?),
            };
            let (name, path) = (Arc::from(display_path(path)), stored(path));
            if paths.iter().all(|known| known.path != path) {
                paths.push(TimePath { path, own, name });
            }
        }
        let common: Vec<&str> = rule.iter().flat_map(|rule| &rule.formats).map(String::as_str).chain([ANY]).collect();
        let any_name = rule.is_some_and(|rule| rule.paths.len() > 1) && options.timestamp.is_none();
        Ok(Dates { paths, common: Formats::with(&common, &options.rules)?, any_name })
    }

    /// Finds the time of `object`.
    pub fn find(&mut self, object: ObjectView<'_>, base_ms: i64) -> Found {
        let mut found = Found::default();
        for TimePath { path, own, name } in &mut self.paths {
            let Some(member) = object.at(path) else { continue };
            match read(object, member, own.as_mut().unwrap_or(&mut self.common), base_ms) {
                Some(Ok(reading)) => {
                    let is_own = matches!(&path[..], [name] if name == "@timestamp_");
                    let is_fold = reading.notes.has(Notes::FOLD);
                    let field = is_fold.then(|| Arc::clone(name));
                    return Found { member: is_own.then_some(member), field, ..Found::of(reading) };
                }
                Some(Err(fault)) => found.fail(fault, name),
                None => {}
            }
        }
        if self.any_name
            && found.fault.is_none()
            && let Some(other) = self.find_other(object, base_ms)
        {
            return other;
        }
        found
    }

    /// Finds the time under another name.
    fn find_other(&mut self, object: ObjectView<'_>, base_ms: i64) -> Option<Found> {
        // One walk finds out whether there is such a name at all.
        let is_other = |name: &str| OTHER_NAMES.iter().any(|path| path.first() == Some(&name));
        if !object.members().any(|member| is_other(member.name)) {
            return None;
        }
        OTHER_NAMES.iter().find_map(|path| {
            let levels: Vec<String> = path.iter().map(|part| (*part).to_owned()).collect();
            let reading = read(object, object.at(&levels)?, &mut self.common, base_ms)?.ok()?;
            let field = reading.notes.has(Notes::FOLD).then(|| Arc::from(display_path(&levels)));
            Some(Found { field, ..Found::of(reading) })
        })
    }
}

/// Reads the values of the name at `name`. Returns the first date, or why the first value is none; `None` if all are null.
fn read(object: ObjectView<'_>, name: usize, formats: &mut Formats, base_ms: i64) -> Option<Outcome> {
    let ObjectView { tape, line, .. } = object;
    let mut fault = None;
    for at in tape.joined_with(name) {
        let text = match tape.nodes[at + 1] {
            Node::Text(text) | Node::Int(text, _) | Node::Float(text, _) => text,
            Node::Null => continue,
            _ => {
                fault.get_or_insert(Fault::Unread);
                continue;
            }
        };
        match formats.read(tape.text(line, text).as_bytes(), base_ms) {
            Ok(reading) => return Some(Ok(reading)),
            Err(why) => {
                fault.get_or_insert(why);
            }
        }
    }
    fault.map(Err)
}
