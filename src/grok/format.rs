//! Formats: a pattern with types and a date, as `formats.toml` has them.
//!
//! ```toml
//! [combined]
//! about = "one line for `logator patterns list`"
//! pattern = '^%{IPORHOST:clientip} …'     # or: json = true, for lines that already are JSON objects
//! types = { response = "int" }            # fields by name, [a][b] for nested ones
//! date = { field = "timestamp", formats = ["%d/%b/%Y:%H:%M:%S %z"] }   # or: field = ["a", "b"], the first there
//! sign = '…'                              # --format auto counts only lines that match this as well
//! no_match = ["a line that must not match"]
//! [[combined.golden]]
//! line = '…'
//! expect = { clientip = "192.0.2.1", response = 200 }
//! [combined.ecs]                          # with --ecs; what is left out here is as above, but for the types
//! pattern = '^%{IPORHOST:[source][address]} …'
//! types = { "[http][response][status_code]" = "int" }
//! [[combined.ecs.golden]]
//! line = '…'
//! expect = { source = { address = "192.0.2.1" }, http = { response = { status_code = 200 } } }
//! ```

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::core::error::{Error, Result};
use crate::grok::engine::Pattern;
use crate::grok::fault::did_you_mean;
use crate::grok::field::{parse_path, parse_type};
use crate::grok::{Field, FieldType};

/// What a user names with `--format`, ready to work.
#[derive(Debug, Clone)]
pub struct Format {
    /// Its name; of a pattern given with `-p`, that pattern's.
    pub name: String,
    /// How a line becomes fields.
    pub rule: Rule,
    /// Which field becomes `@timestamp`; none for patterns given with `-p`.
    pub date: Option<DateRule>,
}

impl Format {
    /// Its pattern, if it has one.
    pub fn pattern(&self) -> Option<&Pattern> {
        match &self.rule {
            Rule::Pattern(pattern) => Some(pattern),
            Rule::JsonObject => None,
        }
    }
}

/// How a line becomes fields.
#[derive(Debug, Clone)]
pub enum Rule {
    /// By a pattern.
    Pattern(Pattern),
    /// The line is a JSON object, and its members are the fields.
    JsonObject,
}

/// The field that holds the line's own time and becomes `@timestamp`, and how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DateRule {
    /// The candidates, each a field's name with one part a level; the first that is present and reads is taken.
    pub paths: Vec<Vec<String>>,
    /// How the time is written: tried in order, the first that fits counts. `strftime`'s letters
    /// (`%Y %y %m %d %e %b %B %a %A %H %M %S %z %Z %p %I %j`), `%f` for the digits of a fraction, `%s` for Unix seconds,
    /// or the word `ISO8601` for any ISO 8601 time.
    pub formats: Vec<String>,
}

/// A format as it was written, not compiled yet.
#[derive(Debug, Clone)]
pub(crate) struct Spec {
    pub(crate) name: String,
    /// The file it stands in.
    pub(crate) file: String,
    /// `None` for JSON objects.
    pub(crate) pattern: Option<String>,
    pub(crate) sign: Option<String>,
    types: Vec<(Vec<String>, FieldType)>,
    pub(crate) date: Option<DateRule>,
    #[cfg_attr(not(test), allow(dead_code, reason = "the goldens are checked by the tests"))]
    pub(crate) golden: Vec<Golden>,
    #[cfg_attr(not(test), allow(dead_code, reason = "the goldens are checked by the tests"))]
    pub(crate) no_match: Vec<String>,
}

/// A line and the fields it must give.
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
    types: BTreeMap<String, String>,
    date: Option<RawDate>,
    sign: Option<String>,
    #[serde(default)]
    golden: Vec<Golden>,
    #[serde(default)]
    no_match: Vec<String>,
    ecs: Option<RawEcs>,
}

/// What a format is when fields are to be called as in the Elastic Common Schema.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEcs {
    pattern: String,
    #[serde(default)]
    types: BTreeMap<String, String>,
    date: Option<RawDate>,
    #[serde(default)]
    golden: Vec<Golden>,
}

impl Raw {
    /// The format with its ECS variant in the place of what that replaces.
    fn into_ecs(mut self) -> Raw {
        if let Some(ecs) = self.ecs.take() {
            self.pattern = Some(ecs.pattern);
            self.types = ecs.types;
            self.date = ecs.date.or(self.date);
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

/// The formats of a `formats.toml`, in the order in which they stand there, in their ECS variants if `ecs` asks for
/// them; `file` is what errors call it.
pub(crate) fn parse_formats(file: &str, text: &str, ecs: bool) -> Result<Vec<Spec>> {
    let raw: BTreeMap<Spanned<String>, Raw> =
        toml::from_str(text).map_err(|error| Error::usage(file.to_owned()).because(error))?;
    let mut raw: Vec<_> = raw.into_iter().collect();
    raw.sort_by_key(|(name, _)| name.span().start);
    raw.into_iter().map(|(name, raw)| spec(file, name.into_inner(), raw, ecs)).collect()
}

fn spec(file: &str, name: String, raw: Raw, ecs: bool) -> Result<Spec> {
    if raw.json && raw.ecs.is_some() {
        return Err(Error::usage(format!("{file}, {name}.ecs: the members of a JSON object have names of their own")));
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
        return Err(wrong("types", "the members of a JSON object have types of their own"));
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
    let file = file.to_owned();
    let (pattern, sign, golden, no_match) = (raw.pattern, raw.sign, raw.golden, raw.no_match);
    Ok(Spec { name, file, pattern, sign, types, date, golden, no_match })
}

impl Spec {
    /// The type that `types` gives the field, if it does.
    pub(crate) fn type_of(&self, path: &[String]) -> Option<FieldType> {
        self.types.iter().find(|(known, _)| known == path).map(|(_, kind)| *kind)
    }

    /// Whether the fields that `types` and `date` name are there.
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

/// A field name as it is written.
fn shown(path: &[String]) -> String {
    match path {
        [name] => name.clone(),
        levels => levels.iter().map(|level| format!("[{level}]")).collect(),
    }
}

/// Whether `line` is one JSON object.
pub(crate) fn is_json_object(line: &[u8]) -> bool {
    line.trim_ascii_start().starts_with(b"{") && serde_json::from_slice::<serde::de::IgnoredAny>(line).is_ok()
}
