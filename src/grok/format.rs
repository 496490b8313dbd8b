//! Formats: a pattern with types and a date, as written in `formats.toml`.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::core::error::{Error, Result};
use crate::grok::engine::Pattern;
use crate::grok::fault::did_you_mean;
use crate::grok::field::{parse_path, parse_type};
use crate::grok::{Field, FieldType};

/// A compiled format, which a user names with `--format`.
#[derive(Debug, Clone)]
pub struct Format {
    /// The name of the format. For a pattern given with `-p`, it is the name of that pattern.
    pub name: String,
    /// The rule that turns a line into fields.
    pub rule: Rule,
    /// The field that becomes `@timestamp`; `None` for patterns given with `-p`.
    pub date: Option<DateRule>,
    /// The levels of the field that gets the lines of a record after its first one; `None` if the format names none.
    pub rest: Option<Vec<String>>,
    /// Whether its lines are syslog messages. The reader of headers reads them, so that they have the same fields as messages from
    /// the network; the pattern only tells them.
    pub syslog: bool,
}

impl Format {
    /// Returns its pattern, if it has one.
    pub fn pattern(&self) -> Option<&Pattern> {
        match &self.rule {
            Rule::Pattern(pattern) => Some(pattern),
            Rule::JsonObject => None,
        }
    }
}

/// The rule that turns a line into fields.
#[derive(Debug, Clone)]
pub enum Rule {
    /// A pattern captures the fields.
    Pattern(Pattern),
    /// The line is a JSON object, and its members are the fields.
    JsonObject,
}

impl Rule {
    /// Whether the rule reads the whole of a record of several lines. A JSON object may have several lines. A pattern reads the
    /// first line, unless it names a newline itself ([`Pattern::names_newline`]).
    pub fn may_span_lines(&self) -> bool {
        match self {
            Rule::Pattern(pattern) => pattern.names_newline(),
            Rule::JsonObject => true,
        }
    }
}

/// The field that holds the time of the line and becomes `@timestamp`, and the formats of that time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateRule {
    /// The candidate fields, each as the levels of its name. The first that is present and can be parsed is used.
    pub paths: Vec<Vec<String>>,
    /// The formats of the time. They are tried in order, and the first that fits is used. A format consists of
    /// `strftime`'s letters (`%Y %y %m %d %e %b %B %a %A %H %M %S %z %Z %p %I %j`). In addition, `%f` stands for the
    /// digits of a fraction, and `%s` for Unix seconds. The word `ISO8601` stands for any ISO 8601 time.
    pub formats: Vec<String>,
}

/// A format as it is written, not compiled yet.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) name: String,
    /// The file that contains it.
    pub(crate) file: String,
    /// `None` for JSON objects.
    pub(crate) pattern: Option<String>,
    pub(crate) sign: Option<String>,
    types: Vec<(Vec<String>, FieldType)>,
    /// Whether only a user who names the format gets it. `--format auto` leaves it out.
    pub(crate) by_name: bool,
    /// Whether its lines are syslog messages.
    pub(crate) syslog: bool,
    pub(crate) date: Option<DateRule>,
    pub(crate) rest: Option<Vec<String>>,
    #[cfg_attr(not(test), allow(dead_code, reason = "the goldens are checked by the tests"))]
    pub(crate) golden: Vec<Golden>,
    #[cfg_attr(not(test), allow(dead_code, reason = "the goldens are checked by the tests"))]
    pub(crate) no_match: Vec<String>,
}

/// A line and the fields that it must give.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(not(test), allow(dead_code, reason = "the goldens are checked by the tests"))]
pub(crate) struct Golden {
    pub(crate) line: String,
    pub(crate) expect: toml::Table,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(rename = "about")]
    _about: Option<String>,
    pattern: Option<String>,
    #[serde(default)]
    json: bool,
    #[serde(default)]
    by_name: bool,
    #[serde(default)]
    syslog: bool,
    #[serde(default)]
    types: BTreeMap<String, String>,
    date: Option<RawDate>,
    rest: Option<String>,
    sign: Option<String>,
    #[serde(default)]
    golden: Vec<Golden>,
    #[serde(default)]
    no_match: Vec<String>,
    ecs: Option<RawEcs>,
}

/// The ECS variant of a format: fields have the names of the Elastic Common Schema.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEcs {
    pattern: String,
    #[serde(default)]
    types: BTreeMap<String, String>,
    date: Option<RawDate>,
    rest: Option<String>,
    #[serde(default)]
    golden: Vec<Golden>,
}

impl Raw {
    /// Returns the format with the keys of its ECS variant in place of the plain ones.
    fn into_ecs(mut self) -> Raw {
        if let Some(ecs) = self.ecs.take() {
            self.pattern = Some(ecs.pattern);
            self.types = ecs.types;
            self.date = ecs.date.or(self.date);
            self.rest = ecs.rest.or(self.rest);
            self.golden = ecs.golden;
        }
        self
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawDate {
    field: OneOrMore,
    formats: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMore {
    One(String),
    More(Vec<String>),
}

/// Parses a `formats.toml`. Returns its formats in their order in the file, in their ECS variants if `ecs` is set.
/// `file` is the file's name in errors.
pub(crate) fn parse_formats(file: &str, text: &str, ecs: bool) -> Result<Vec<Spec>> {
    let raw: BTreeMap<Spanned<String>, Raw> =
        toml::from_str(text).map_err(|error| Error::usage(file.to_owned()).because(error))?;
    let mut raw: Vec<_> = raw.into_iter().collect();
    raw.sort_by_key(|(name, _)| name.span().start);
    raw.into_iter().map(|(name, raw)| spec(file, name.into_inner(), raw, ecs)).collect()
}

fn spec(file: &str, name: String, raw: Raw, ecs: bool) -> Result<Spec> {
    if raw.json && raw.ecs.is_some() {
        return Err(Error::usage(format!(
            "{file}, {name}.ecs: a format with json = true has no ECS variant, because the JSON object names the fields"
        )));
    }
    let raw = if ecs { raw.into_ecs() } else { raw };
    let wrong = |key: &str, message: &str| Error::usage(format!("{file}, {name}.{key}: {message}"));
    if name == "auto" {
        return Err(Error::usage(format!("{file}: a format cannot be called auto")));
    }
    if raw.pattern.is_some() == raw.json {
        return Err(Error::usage(format!("{file}, {name}: a format has either a pattern or json = true")));
    }
    let path = |key: &str, field: &str| parse_path(field).map_err(|(_, message)| wrong(key, &message));
    let mut types = Vec::new();
    for (field, kind) in &raw.types {
        let key = format!("types.{field}");
        types.push((path(&key, field)?, parse_type(kind).map_err(|message| wrong(&key, &message))?));
    }
    if raw.json && !types.is_empty() {
        return Err(wrong("types", "a format with json = true has no types, because the JSON object defines them"));
    }
    let date = match raw.date {
        None => None,
        Some(date) if date.formats.is_empty() => return Err(wrong("date.formats", "no format is given")),
        Some(date) => {
            let fields = match date.field {
                OneOrMore::One(field) => vec![field],
                OneOrMore::More(fields) => fields,
            };
            let paths = fields.iter().map(|field| path("date.field", field)).collect::<Result<_>>()?;
            Some(DateRule { paths, formats: date.formats })
        }
    };
    let rest = raw.rest.as_deref().map(|field| path("rest", field)).transpose()?;
    let (file, by_name, syslog) = (file.to_owned(), raw.by_name, raw.syslog);
    let (pattern, sign, golden, no_match) = (raw.pattern, raw.sign, raw.golden, raw.no_match);
    Ok(Spec { name, file, pattern, sign, types, by_name, syslog, date, rest, golden, no_match })
}

impl Spec {
    /// Returns the type that the key `types` gives to the field, if there is one.
    pub(crate) fn type_of(&self, path: &[String]) -> Option<FieldType> {
        self.types.iter().find(|(known, _)| known == path).map(|(_, kind)| *kind)
    }

    /// Checks that the pattern has the fields that the keys `types` and `date` name.
    pub(crate) fn check_fields(&self, fields: &[Field]) -> Result<()> {
        let types = self.types.iter().map(|(path, _)| ("types", path));
        let date = self.date.iter().flat_map(|date| &date.paths).map(|path| ("date.field", path));
        for (key, path) in types.chain(date) {
            if !fields.iter().any(|field| field.path == *path) {
                let names: Vec<String> = fields.iter().map(|field| shown(&field.path)).collect();
                let hint = did_you_mean(&shown(path), names.iter().map(String::as_str));
                let (file, name, field) = (&self.file, &self.name, shown(path));
                let message = format!("{file}, {name}.{key}: the pattern has no field \"{field}\"{hint}");
                return Err(Error::usage(message));
            }
        }
        Ok(())
    }
}

/// Returns a field name as it is written.
fn shown(path: &[String]) -> String {
    match path {
        [name] => name.clone(),
        levels => levels.iter().map(|level| format!("[{level}]")).collect(),
    }
}

/// Returns whether `line` is one JSON object.
pub fn is_json_object(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}
