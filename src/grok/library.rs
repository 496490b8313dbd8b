//! The library: pattern definitions and formats, both the built-in ones and the user's.

use std::path::Path;
use std::sync::Arc;

use crate::core::error::{Error, Result};
use crate::core::lines::first_line;
use crate::grok::builtin;
use crate::grok::engine::Pattern;
use crate::grok::fault::{Written, did_you_mean};
use crate::grok::format::{Format, Rule, Spec, is_json_object, parse_formats};
use crate::grok::parse::{Definitions, parse};
use crate::grok::pattern_file::{self, Definition};

/// The file name of the formats in a patterns directory.
const FORMATS_FILE: &str = "formats.toml";

/// Pattern definitions and formats by name. A compiled [`Pattern`] does not need the library any more.
#[derive(Clone)]
pub struct Library {
    definitions: Definitions,
    /// The formats, in the order in which `--format auto` prefers them.
    formats: Vec<Spec>,
    /// Whether formats are used in their ECS variants.
    ecs: bool,
}

impl Library {
    /// Returns the built-in definitions and formats.
    pub fn builtin() -> Library {
        Library::of(builtin::PLAIN, false)
    }

    /// Returns the built-in definitions and formats with the field names of the Elastic Common Schema (version 1).
    /// Definitions in `patterns/ecs` replace plain definitions of the same name. All formats are used in their ECS
    /// variants, also those of directories added later.
    pub fn builtin_ecs() -> Library {
        Library::of(&[builtin::PLAIN, builtin::ECS].concat(), true)
    }

    /// Returns an empty library.
    #[cfg(test)]
    pub(crate) fn empty() -> Library {
        Library { definitions: Definitions::new(), formats: Vec::new(), ecs: false }
    }

    fn of(files: &[(&str, &str)], ecs: bool) -> Library {
        let mut library = Library { definitions: Definitions::new(), formats: Vec::new(), ecs };
        for (name, content) in files {
            library
                .add_definitions(&format!("built-in {name}"), content.as_bytes())
                .expect("a test reads the built-in definitions");
        }
        let (file, text) = builtin::FORMATS;
        library.formats = parse_formats(file, text, ecs).expect("a test reads the built-in formats");
        library
    }

    /// Returns whether field names are those of the Elastic Common Schema.
    pub fn is_ecs(&self) -> bool {
        self.ecs
    }

    /// Adds every file of `directory` as a pattern file, in the order of their names. A definition replaces an earlier
    /// one of the same name. If there is a `formats.toml`, its formats are added too. Hidden files, files whose names
    /// end with `~`, and folders are ignored.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::core::error::Kind::Usage) if a file cannot be read or is malformed. The error names the
    /// file and the line.
    pub fn add_dir(&mut self, directory: &Path) -> Result<()> {
        let shown = directory.display();
        let unreadable = |error| Error::usage(format!("the patterns directory {shown} cannot be read")).because(error);
        let mut files = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            if !name.starts_with('.') && !name.ends_with('~') && path.is_file() {
                files.push((name, path));
            }
        }
        files.sort();
        for (name, path) in files {
            let shown = path.display().to_string();
            let content = std::fs::read(&path)
                .map_err(|error| Error::usage(format!("the pattern file {shown} cannot be read")).because(error))?;
            if name != FORMATS_FILE {
                self.add_definitions(&shown, &content)?;
                continue;
            }
            let Ok(text) = std::str::from_utf8(&content) else {
                return Err(Error::usage(format!("{shown}: the file is not UTF-8 text")));
            };
            for spec in parse_formats(&shown, text, self.ecs)? {
                self.formats.retain(|known| known.name != spec.name);
                self.formats.push(spec);
            }
        }
        Ok(())
    }

    /// Adds the definitions of one pattern file. `file` is the file's name in errors.
    pub fn add_definitions(&mut self, file: &str, content: &[u8]) -> Result<()> {
        for definition in pattern_file::parse(file, content)? {
            self.definitions.insert(Arc::from(definition.name()), definition);
        }
        Ok(())
    }

    /// Adds the definition of `--pattern-definition NAME=REGEX`. It replaces an earlier one of the same name.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::core::error::Kind::Usage) if the name is not valid or the regex is missing.
    pub fn add_definition(&mut self, text: &str) -> Result<()> {
        let definition = pattern_file::parse_definition("--pattern-definition", text)?;
        self.definitions.insert(Arc::from(definition.name()), definition);
        Ok(())
    }

    /// Returns the names of all definitions, sorted.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.definitions.keys().map(|name| &**name)
    }

    /// Returns the definition of `name`.
    pub fn definition(&self, name: &str) -> Option<&Definition> {
        self.definitions.get(name)
    }

    /// Compiles a pattern given with `-p`.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::core::error::Kind::Usage) if the pattern is wrong. The error shows the text with a caret
    /// under the fault. For a fault in a definition, it names the file and the line.
    pub fn compile(&self, text: &str) -> Result<Pattern> {
        self.compile_from("pattern given with -p", text)
    }

    /// Compiles a pattern that was given elsewhere. `place` describes that place in errors.
    ///
    /// # Errors
    /// Like [`compile`](Library::compile).
    pub fn compile_from(&self, place: &str, text: &str) -> Result<Pattern> {
        self.compile_as(text, Written::new(place, text))
    }

    /// Returns the format `name`, compiled.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::core::error::Kind::Usage) if there is no such format; the error suggests the nearest name
    /// and lists all. The same kind of error is returned if the pattern, the types or the date of the format are wrong.
    pub fn format(&self, name: &str) -> Result<Format> {
        match self.formats.iter().find(|spec| spec.name == name) {
            Some(spec) => self.build(spec),
            None => {
                let hint = did_you_mean(name, self.formats());
                let known: Vec<&str> = self.formats().collect();
                Err(Error::usage(format!("there is no format \"{name}\"{hint} (known: {}, auto)", known.join(", "))))
            }
        }
    }

    /// Compiles a pattern given with `-p` as a format. It has only the types in the pattern, and no date.
    ///
    /// # Errors
    /// Like [`compile`](Library::compile).
    pub fn pattern(&self, text: &str) -> Result<Format> {
        self.pattern_from("pattern given with -p", text)
    }

    /// Compiles a pattern that was given elsewhere as such a format. `place` describes that place in errors.
    ///
    /// # Errors
    /// Like [`compile`](Library::compile).
    pub fn pattern_from(&self, place: &str, text: &str) -> Result<Format> {
        let pattern = self.compile_from(place, text)?;
        let name = pattern.name().to_owned();
        Ok(Format { name, rule: Rule::Pattern(pattern), date: None, rest: None, syslog: false })
    }

    /// Returns the names of all formats, in the order in which [`detect`](Library::detect) prefers them.
    pub fn formats(&self) -> impl Iterator<Item = &str> {
        self.formats.iter().map(|spec| spec.name.as_str())
    }

    /// Detects the format of `lines` for `--format auto`: the format that matches the most lines, and at least half of
    /// them. Empty lines are ignored. A line may be a record of several lines; see [`Rule::may_span_lines`]. If several formats match equally many lines, the first in `formats.toml` wins.
    pub fn detect(&self, lines: &[&[u8]]) -> Option<Format> {
        let lines: Vec<&[u8]> = lines.iter().copied().filter(|line| !line.is_empty()).collect();
        let mut best: Option<(usize, Format)> = None;
        for spec in self.formats.iter().filter(|spec| !spec.by_name) {
            // A format that does not compile is skipped. A user who names it with `--format` sees the error.
            let Ok(format) = self.build(spec) else { continue };
            let Ok(sign) = spec.sign.as_ref().map(|sign| self.compile(sign)).transpose() else { continue };
            let matched = count_matches(&format.rule, sign.as_ref(), &lines);
            if 2 * matched >= lines.len() && matched > best.as_ref().map_or(0, |(most, _)| *most) {
                best = Some((matched, format));
            }
        }
        best.map(|(_, format)| format)
    }

    fn compile_as(&self, name: &str, written: Written) -> Result<Pattern> {
        let parsed = parse(&written, &self.definitions)?;
        // A pattern that is only one reference has the name of the definition.
        let inner = name.strip_prefix("%{").and_then(|rest| rest.strip_suffix('}'));
        let name = inner.filter(|inner| self.definitions.contains_key(*inner)).unwrap_or(name);
        Pattern::new(name, &written, parsed)
    }

    pub(crate) fn build(&self, spec: &Spec) -> Result<Format> {
        let rule = match &spec.pattern {
            None => Rule::JsonObject,
            Some(text) => {
                let place = format!("{}, {}.pattern", spec.file, spec.name);
                let pattern = self.compile_as(&spec.name, Written::new(place, text.as_str()))?;
                spec.check_fields(pattern.fields())?;
                Rule::Pattern(pattern.retyped(|field| spec.type_of(&field.path)))
            }
        };
        let (name, date, rest) = (spec.name.clone(), spec.date.clone(), spec.rest.clone());
        Ok(Format { name, rule, date, rest, syslog: spec.syslog })
    }

    /// Returns all definitions.
    pub(crate) fn definitions(&self) -> &Definitions {
        &self.definitions
    }

    #[cfg(test)]
    pub(crate) fn specs(&self) -> &[Spec] {
        &self.formats
    }
}

fn count_matches(rule: &Rule, sign: Option<&Pattern>, lines: &[&[u8]]) -> usize {
    let mut sign = sign.map(Pattern::matcher);
    let mut wanted = lines.iter().filter(|line| match &mut sign {
        Some(matcher) => matches!(matcher.captures(first_line(line)), Ok(Some(_))),
        None => true,
    });
    match rule {
        Rule::JsonObject => wanted.filter(|line| is_json_object(line) || is_json_object(first_line(line))).count(),
        Rule::Pattern(pattern) => {
            let mut matcher = pattern.matcher();
            let spans = rule.may_span_lines();
            let mut count = 0;
            wanted.by_ref().for_each(|line| {
                let seen = if spans { line } else { first_line(line) };
                count += usize::from(matches!(matcher.captures(seen), Ok(Some(_))));
            });
            count
        }
    }
}
