//! [`Describing`]: what the documents of a source say of it. These are its path and host, and the fields of `--add-field`.

use std::path::{Component, Path};

use serde_json::{Map, Value};

use crate::core::context::Origin;
use crate::core::error::{Error, Result};
use crate::core::option_spec::{Group, OptionSpec, OptionValues};
use crate::grok::parse_path;

/// The options of every source whose records become documents.
pub const OPTIONS: [OptionSpec; 2] = [
    OptionSpec::text("add-field", "NAME=VALUE", Group::Input, "Add a field to each document (repeatable)")
        .repeatable()
        .more(
            "NAME is written as in patterns: team, or [service][name]. In VALUE, ${NAME} is a variable of the environment, and \
             {path.1} is what the first star of a glob stood for. A field of the record with this name counts instead. For the lines of a queue, it is an option of logator-queue.",
        ),
    OptionSpec::switch("no-source", Group::Input, "Leave path and host of the source out of documents").rare(),
];

/// The names that no user may give to a field.
const RESERVED: [&str; 3] = ["_id", "@timestamp", "tags"];

/// What the documents of the sources of a job say of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Describing {
    fields: Vec<AddedField>,
    is_hidden: bool,
    /// The inputs as the user named them. The stars of globs are numbered by them.
    names: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct AddedField {
    path: Vec<String>,
    value: Vec<Part>,
}

/// A part of a value.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    /// What a star stands for. The first has the number 1.
    Star(usize),
}

impl Describing {
    /// Returns what the user asked for. `inputs` are the names of the inputs, and `variable` reads the environment.
    ///
    /// # Errors
    /// A usage error for a wrong name or value, for an unknown variable, and for a star that an input does not have.
    pub fn of(
        values: &OptionValues,
        inputs: &[String],
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Describing> {
        let mut describing =
            Describing { fields: Vec::new(), is_hidden: values.is_on("no-source"), names: inputs.to_vec() };
        for text in values.texts("add-field") {
            let wrong = |why: String| Error::usage(format!("--add-field {text}: {why}"));
            let (name, value) = text.split_once('=').ok_or_else(|| wrong("NAME=VALUE is expected".to_owned()))?;
            let path = parse_path(name).map_err(|(_, why)| wrong(why))?;
            if path.first().is_some_and(|first| RESERVED.contains(&first.as_str())) {
                return Err(wrong(format!("the field {name} belongs to logator; choose another name")));
            }
            let value = split(value, &variable).map_err(wrong)?;
            for star in value.iter().filter_map(Part::star) {
                if let Some(input) = inputs.iter().find(|input| stars_of(input) < star) {
                    return Err(wrong(match stars_of(input) {
                        0 => format!("{{path.{star}}} needs a glob, and {input} is none; a glob stands in quotes"),
                        count => format!("{{path.{star}}}: {input} has {count} of these stars"),
                    }));
                }
                if inputs.is_empty() {
                    return Err(wrong(format!("{{path.{star}}} needs a glob, and standard input is read")));
                }
            }
            describing.fields.push(AddedField { path, value });
        }
        Ok(describing)
    }

    /// Completes the origin of a content, whose file is at `path` as it was found.
    pub fn complete(&self, origin: Origin, path: Option<&Path>) -> Origin {
        let mut origin = origin;
        if self.is_hidden {
            (origin.path, origin.host) = (None, None);
        }
        if self.fields.is_empty() {
            return origin;
        }
        let known = origin.fields.as_deref().and_then(|fields| serde_json::from_str(fields).ok());
        let mut fields: Map<String, Value> = known.unwrap_or_default();
        let stars = path.and_then(|path| self.names.iter().find_map(|name| stars(name, path))).unwrap_or_default();
        for AddedField { path, value } in &self.fields {
            let text: String = value.iter().map(|part| part.text(&stars)).collect();
            set(&mut fields, path, text);
        }
        origin.with_fields(&fields)
    }
}

impl Part {
    fn star(&self) -> Option<usize> {
        match self {
            Part::Text(_) => None,
            Part::Star(number) => Some(*number),
        }
    }

    fn text<'a>(&'a self, stars: &'a [String]) -> &'a str {
        match self {
            Part::Text(text) => text,
            Part::Star(number) => stars.get(number - 1).map_or("", String::as_str),
        }
    }
}

/// Sets the field `path`. A value in the place of an object gives way.
fn set(fields: &mut Map<String, Value>, path: &[String], text: String) {
    let Some((name, rest)) = path.split_first() else { return };
    if rest.is_empty() {
        fields.insert(name.clone(), Value::String(text));
        return;
    }
    let inner = fields.entry(name.clone()).or_insert(Value::Null);
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        set(inner, rest, text);
    }
}

/// Splits a value into its parts. An error is a sentence for the user.
fn split(value: &str, variable: &impl Fn(&str) -> Option<String>) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut text = String::new();
    let mut rest = value;
    while let Some(at) = rest.find(['$', '{']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        let inside = |begin: &str| rest.strip_prefix(begin)?.split_once('}');
        if rest.starts_with("${") {
            let (name, after) = inside("${").ok_or("a ${ is not closed by a }")?;
            text += &variable(name).ok_or_else(|| format!("the environment has no variable {name}"))?;
            rest = after;
        } else if let Some((number, after)) = inside("{path.") {
            let number = number.parse().ok().filter(|number| *number > 0);
            let number = number.ok_or("a star is written {path.1}, {path.2} and so on")?;
            parts.extend([Part::Text(std::mem::take(&mut text)), Part::Star(number)]);
            rest = after;
        } else {
            text.push_str(&rest[..1]);
            rest = &rest[1..];
        }
    }
    text.push_str(rest);
    parts.push(Part::Text(text));
    Ok(parts)
}

/// Returns the number of stars of a name; `**` is one. Only files have a path with stars.
fn stars_of(name: &str) -> usize {
    if name.contains("://") || name.starts_with("docker:") {
        return 0;
    }
    name.replace("**", "*").matches('*').count()
}

/// Returns the parts of a path that a glob is compared with.
fn parts(path: &Path) -> Vec<String> {
    let part = |component: Component<'_>| match component {
        Component::CurDir => None,
        component => Some(component.as_os_str().to_string_lossy().into_owned()),
    };
    path.components().filter_map(part).collect()
}

/// Returns what the stars of `glob` stand for in `path`; `None` if it does not match. The path may lead further, because a
/// glob may mean directories.
fn stars(glob: &str, path: &Path) -> Option<Vec<String>> {
    if stars_of(glob) == 0 {
        return None;
    }
    let mut found = Vec::new();
    match_parts(&parts(Path::new(glob)), &parts(path), &mut found).then_some(found)
}

fn match_parts(glob: &[String], path: &[String], found: &mut Vec<String>) -> bool {
    let Some((first, rest)) = glob.split_first() else { return true };
    let before = found.len();
    if first == "**" {
        // The fewest directories come first, as with the shell.
        for taken in 0..=path.len() {
            found.push(path[..taken].join("/"));
            if match_parts(rest, &path[taken..], found) {
                return true;
            }
            found.truncate(before);
        }
        return false;
    }
    let Some((part, others)) = path.split_first() else { return false };
    let (glob, part): (Vec<char>, Vec<char>) = (first.chars().collect(), part.chars().collect());
    if match_part(&glob, &part, found) && match_parts(rest, others, found) {
        return true;
    }
    found.truncate(before);
    false
}

/// Matches one part. A star takes as little as possible.
fn match_part(glob: &[char], part: &[char], found: &mut Vec<String>) -> bool {
    match glob {
        [] => part.is_empty(),
        ['*', rest @ ..] => {
            let before = found.len();
            (0..=part.len()).any(|taken| {
                found.truncate(before);
                found.push(part[..taken].iter().collect());
                match_part(rest, &part[taken..], found)
            })
        }
        ['?', rest @ ..] => !part.is_empty() && match_part(rest, &part[1..], found),
        ['[', rest @ ..] => {
            // A bracket directly after the opening one, or after its `!`, is a member of the class.
            let from = usize::from(rest.first() == Some(&'!')) + 1;
            let Some(end) = rest.iter().skip(from).position(|c| *c == ']').map(|at| at + from) else {
                return part.first() == Some(&'[') && match_part(rest, &part[1..], found);
            };
            part.first().is_some_and(|c| is_in_class(&rest[..end], *c))
                && match_part(&rest[end + 1..], &part[1..], found)
        }
        [c, rest @ ..] => part.first() == Some(c) && match_part(rest, &part[1..], found),
    }
}

/// Whether `c` is in a class, which is what stands between the brackets: `abc`, `a-z`, or `!a-z`.
fn is_in_class(class: &[char], c: char) -> bool {
    let (is_negated, mut members) = match class {
        ['!', members @ ..] => (true, members),
        members => (false, members),
    };
    let mut found = false;
    loop {
        members = match members {
            [] => return found != is_negated,
            [first, '-', last, rest @ ..] => {
                found |= (*first..=*last).contains(&c);
                rest
            }
            [member, rest @ ..] => {
                found |= *member == c;
                rest
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn described(fields: &[&str], inputs: &[&str]) -> Result<Describing> {
        let mut values = OptionValues::default();
        values.set(&OPTIONS[0], fields.iter().map(Into::into));
        let inputs: Vec<String> = inputs.iter().map(ToString::to_string).collect();
        Describing::of(&values, &inputs, |name| (name == "TEAM").then(|| "shop".to_owned()))
    }

    #[test]
    fn a_star_of_a_glob_is_what_it_stood_for() {
        for (glob, path, expected) in [
            ("logs/*/x-*.log", "logs/web/x-17.log", Some(&["web", "17"][..])),
            ("./logs/*/x-*.log", "logs/web/x-.log", Some(&["web", ""])),
            ("logs/*", "logs/web/deep/a.log", Some(&["web"])),
            ("logs/**/a*.log", "logs/one/two/ab.log", Some(&["one/two", "b"])),
            ("logs/**/a*.log", "logs/a.log", Some(&["", ""])),
            ("/v/[a-c]?*.log", "/v/bxy.log", Some(&["y"])),
            ("/v/[!a]*.log", "/v/axy.log", None),
            ("*-*", "a-b-c", Some(&["a", "b-c"])),
            ("logs/*.log", "other/a.log", None),
            ("logs/a.log", "logs/a.log", None),
        ] {
            let expected = expected.map(|stars| stars.iter().map(ToString::to_string).collect::<Vec<_>>());
            assert_eq!(stars(glob, Path::new(path)), expected, "{glob} {path}");
        }
    }

    #[test]
    fn fields_are_added_with_variables_and_stars() {
        let fields = ["team=${TEAM}", "[service][name]=web-{path.1}", "odd={x}$ {", "vhost={path.2}/{path.1}"];
        let describing = described(&fields, &["/logs/*/*.log"]).unwrap();
        let origin = Origin { path: Some("/logs/a/b.log".into()), ..Origin::new(1, "x") };
        let origin = describing.complete(origin, Some(Path::new("/logs/a/b.log")));
        let fields: Value = serde_json::from_str(origin.fields.as_deref().unwrap()).unwrap();
        let expected = serde_json::json!({
            "team": "shop", "service": { "name": "web-a" }, "odd": "{x}$ {", "vhost": "b/a",
        });
        assert_eq!((fields, origin.path.as_deref()), (expected, Some("/logs/a/b.log")));
    }

    #[test]
    fn what_cannot_be_known_is_refused_at_the_start() {
        for (field, inputs, words) in [
            ("team", &["a.log"][..], "NAME=VALUE is expected"),
            ("=x", &["a.log"], "a field name is missing"),
            ("[a=x", &["a.log"], "not closed"),
            ("tags=x", &["a.log"], "belongs to logator"),
            ("a=${NOBODY}", &["a.log"], "the environment has no variable NOBODY"),
            ("a=${TEAM", &["a.log"], "not closed by a }"),
            ("a={path.0}", &["*.log"], "a star is written {path.1}"),
            ("a={path.1}", &["a.log"], "needs a glob, and a.log is none"),
            ("a={path.2}", &["*/*.log", "*.log"], "{path.2}: *.log has 1 of these stars"),
            ("a={path.1}", &[], "standard input is read"),
        ] {
            let error = described(&[field], inputs).unwrap_err();
            assert!(error.to_string().contains(words) && error.exit_code() == 2, "{field}: {error}");
        }
    }
}
