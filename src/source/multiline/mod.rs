//! The option `--multiline`: which lines begin a record. `doc/multiline.md` has the rules for people.

mod auto;
mod languages;
mod patterns;
mod stamp;

use std::sync::Arc;

use self::auto::Auto;
use self::languages::language;
use self::patterns::Patterned;
use super::joiner::{JoinRule, Joiner};
use crate::core::error::{Error, Result};
use crate::core::option_spec::{Group, OptionSpec, OptionValues};
use crate::grok::{Library, Pattern};

/// The name of the option.
pub const MULTILINE: &str = "multiline";

/// The option.
pub const OPTION: OptionSpec = OptionSpec::text(MULTILINE, "HOW", Group::Input, "Which lines form a record: auto, none, a rule")
    .default("auto")
    .check(|text| Multiline::parse(text).map(drop))
    .more(
        "auto: a line with a date and a time in its first 128 bytes begins a record, and so does a line that begins with { or \
         <N>; other lines continue it. none: each line is a record. start=PATTERN: lines that match this grok pattern begin a \
         record. continue=PATTERN: lines that match continue one. java, python, go, ruby, dotnet, php: stack traces continue a \
         record. indent: lines that begin with a blank or tab continue one.",
    );

/// The meaning of a value of the option.
#[derive(Debug, Clone, Default)]
pub enum Multiline {
    /// Each line is a record.
    #[default]
    None,
    /// A time stamp begins a record.
    Auto,
    /// The stack traces of a language, or indented lines.
    Language(String),
    /// Lines that match the pattern begin a record, or continue one if `continues` is set.
    Pattern {
        /// The pattern as it was written.
        text: String,
        /// Whether lines that match continue a record.
        continues: bool,
    },
}

impl Multiline {
    /// Returns the meaning of a value.
    ///
    /// # Errors
    /// A sentence for a value that means nothing, or for a wrong pattern.
    pub fn parse(text: &str) -> std::result::Result<Multiline, String> {
        let pattern = |text: &str, continues: bool| {
            if text.is_empty() {
                return Err("the pattern is empty".to_owned());
            }
            compile(text).map_err(|error| error.to_string())?;
            Ok(Multiline::Pattern { text: text.to_owned(), continues })
        };
        match text.split_once('=') {
            Some(("start", text)) => pattern(text, false),
            Some(("continue", text)) => pattern(text, true),
            _ => match text {
                "none" => Ok(Multiline::None),
                "auto" => Ok(Multiline::Auto),
                name if language(name).is_some() => Ok(Multiline::Language(name.to_owned())),
                _ => Err("auto, none, start=PATTERN, continue=PATTERN, java, python, go, ruby, dotnet, php or indent is expected"
                    .to_owned()),
            },
        }
    }

    /// Returns the rule that joins lines; `None` if each line is a record.
    ///
    /// # Errors
    /// The pattern is wrong.
    pub fn rule(&self) -> Result<Option<JoinRule>> {
        Ok(match self {
            Multiline::None => None,
            Multiline::Auto => Some(JoinRule::new(|| Box::<Auto>::default())),
            Multiline::Language(name) => {
                let name = name.clone();
                Some(JoinRule::new(move || match language(&name) {
                    Some(language) => Box::new(language) as Box<dyn Joiner>,
                    None => Box::<Auto>::default(),
                }))
            }
            Multiline::Pattern { text, continues } => {
                let (pattern, continues) = (Arc::new(compile(text)?), *continues);
                Some(JoinRule::new(move || Box::new(Patterned::new(&pattern, continues))))
            }
        })
    }
}

fn compile(text: &str) -> Result<Pattern> {
    Library::builtin().compile_from("--multiline", text)
}

/// Refuses a value of the option that the user gave for a source whose messages are whole already. `what` names the source in
/// the plural.
///
/// # Errors
/// The value joins lines, and it is not the default.
pub fn refuse(values: &OptionValues, what: &str) -> Result<()> {
    match values.text(MULTILINE) {
        None | Some("auto" | "none") => Ok(()),
        Some(value) => Err(Error::usage(format!(
            "--multiline {value}: {what} are whole records as they come, and no lines are joined; leave the option out"
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::joiner::SEEN_BYTES;

    /// The records of a text, by a value of the option.
    fn records(value: &str, text: &str) -> Vec<String> {
        let rule = Multiline::parse(value).unwrap().rule().unwrap();
        let mut joiner = rule.map(|rule| (rule.joiner)());
        let mut records: Vec<String> = Vec::new();
        for line in text.lines() {
            let begins = joiner.as_mut().is_none_or(|joiner| joiner.begins_record(line.as_bytes()));
            match records.last_mut().filter(|_| !begins) {
                Some(record) => *record += &format!("|{line}"),
                None => records.push(line.to_owned()),
            }
        }
        records
    }

    #[test]
    fn each_value_has_its_rule() {
        let log = "2024-02-03 04:05:06 a\n  b\nc\n# d\n2024-02-03 04:05:07 e";
        for (value, expected) in [
            ("none", &["2024-02-03 04:05:06 a", "  b", "c", "# d", "2024-02-03 04:05:07 e"][..]),
            ("auto", &["2024-02-03 04:05:06 a|  b|c|# d", "2024-02-03 04:05:07 e"]),
            ("indent", &["2024-02-03 04:05:06 a|  b", "c", "# d", "2024-02-03 04:05:07 e"]),
            ("start=^%{TIMESTAMP_ISO8601}", &["2024-02-03 04:05:06 a|  b|c|# d", "2024-02-03 04:05:07 e"]),
            ("start=^c|^#", &["2024-02-03 04:05:06 a|  b", "c", "# d|2024-02-03 04:05:07 e"]),
            (r"continue=^(?:\s|#)", &["2024-02-03 04:05:06 a|  b", "c|# d", "2024-02-03 04:05:07 e"]),
            ("continue=a=b", &["2024-02-03 04:05:06 a", "  b", "c", "# d", "2024-02-03 04:05:07 e"]),
        ] {
            assert_eq!(records(value, log), expected, "{value}");
        }
    }

    #[test]
    fn a_value_that_means_nothing_is_refused_in_a_sentence() {
        for (value, words) in [
            ("", "auto, none, start=PATTERN"),
            ("perl", "auto, none, start=PATTERN"),
            ("begin=x", "auto, none, start=PATTERN"),
            ("start=", "the pattern is empty"),
            ("start=(", "--multiline"),
            ("start=%{NO_SUCH}", "NO_SUCH"),
        ] {
            let error = Multiline::parse(value).expect_err(value);
            assert!(error.contains(words), "{value}: {error}");
        }
    }

    #[test]
    fn sources_of_whole_messages_refuse_rules_that_join_lines() {
        let mut values = OptionValues::defaults(&[OPTION]);
        assert!(refuse(&values, "messages").is_ok());
        values.set(&OPTION, ["java".into()]);
        let error = refuse(&values, "messages of syslog").unwrap_err().to_string();
        assert!(error.starts_with("--multiline java: messages of syslog are whole records"), "{error}");
    }

    /// Each line of a format stays a record after another line of the format.
    #[test]
    fn golden_lines_of_the_formats_stay_records_under_auto() {
        let seen = |line: &str| line.as_bytes()[..line.len().min(SEEN_BYTES)].to_vec();
        for library in [Library::builtin(), Library::builtin_ecs()] {
            for spec in library.specs() {
                let mut auto = Auto::default();
                // A line that begins with a blank continues a record by the rule, whatever format it has.
                for golden in spec.golden.iter().filter(|golden| !golden.line.starts_with(' ')) {
                    assert!(auto.begins_record(&seen(&golden.line)), "{}: {}", spec.name, golden.line);
                    assert!(!auto.is_complete(), "{}: {}", spec.name, golden.line);
                }
            }
        }
    }
}
