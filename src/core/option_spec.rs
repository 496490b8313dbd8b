//! Options as data. A kind of source or sink declares its options here, and `cli` builds the command line, the environment
//! variables and the keys of the configuration file from them.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

use super::error::{Error, Result};

/// The heading of the help under which an option stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// What is read, and how.
    Input,
    /// How lines are parsed.
    Patterns,
    /// Where documents go.
    Output,
    /// Limits of time and memory.
    Delivery,
    /// Sockets, keys and certificates.
    Network,
    /// Messages and the receipt.
    Logging,
}

impl Group {
    /// Returns the heading.
    pub fn heading(self) -> &'static str {
        match self {
            Group::Input => "Input",
            Group::Patterns => "Patterns",
            Group::Output => "Output",
            Group::Delivery => "Delivery",
            Group::Network => "Network",
            Group::Logging => "Logging",
        }
    }
}

/// What the user writes after the name of an option. The texts are the names of the value in the help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Nothing: the option is a switch.
    Nothing,
    /// A text.
    Text(&'static str),
    /// A path, which may hold any bytes.
    Path(&'static str),
}

/// One of the values that an option allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Choice {
    /// The value.
    pub name: &'static str,
    /// Another way to write the value, which the help does not show.
    pub alias: Option<&'static str>,
    /// The meaning of the value.
    pub help: &'static str,
}

/// A function that checks a value. The error is a sentence for the user.
pub type Check = fn(&str) -> Result<(), String>;

/// One option. [`switch`](OptionSpec::switch), [`text`](OptionSpec::text) and [`path`](OptionSpec::path) begin the
/// declaration of an option, and the other functions complete it.
///
/// ```
/// use logator::core::option_spec::{Group, OptionSpec, OptionValues};
/// use logator::core::quantity;
///
/// const PAUSE: OptionSpec = OptionSpec::text("pause", "SECONDS", Group::Network, "Time between two requests")
///     .default("0.5")
///     .check(|text| quantity::seconds(text).map(drop));
///
/// let values = OptionValues::defaults(&[PAUSE]);
/// assert_eq!(values.get("pause", quantity::seconds).unwrap().as_millis(), 500);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct OptionSpec {
    /// The long name without `--`. It is also the key in the configuration file.
    pub name: &'static str,
    /// The short name.
    pub short: Option<char>,
    /// The heading of the help.
    pub group: Group,
    /// What the user writes after the name.
    pub takes: Takes,
    /// The value of an option that is given without a value: `--NAME` or `--NAME=VALUE`.
    pub if_bare: Option<&'static str>,
    /// All allowed values. An empty list allows every value that the check accepts.
    pub choices: &'static [Choice],
    /// The value of an option that is not given.
    pub default: Option<&'static str>,
    /// The check of a value.
    pub check: Check,
    /// The sentence of the help.
    pub help: &'static str,
    /// More sentences, which only `--help` shows.
    pub more: &'static str,
    /// Whether the option may be given several times.
    pub repeatable: bool,
    /// Whether only `--help` shows the option, and `-h` does not.
    pub rare: bool,
    /// Whether no help shows the option.
    pub hidden: bool,
    /// The names of options that must be given as well.
    pub requires: &'static [&'static str],
    /// The role of the file that a [path](Takes::Path) names, if the job reads it. Such a file is never an input.
    pub reads: Option<&'static str>,
    /// The role of the file that a [path](Takes::Path) names, if the job writes it. Such a file is never an input either, and
    /// has no other purpose.
    pub writes: Option<&'static str>,
}

impl OptionSpec {
    const fn new(name: &'static str, takes: Takes, group: Group, help: &'static str) -> OptionSpec {
        OptionSpec {
            name,
            short: None,
            group,
            takes,
            if_bare: None,
            choices: &[],
            default: None,
            check: |_| Ok(()),
            help,
            more: "",
            repeatable: false,
            rare: false,
            hidden: false,
            requires: &[],
            reads: None,
            writes: None,
        }
    }

    /// Declares an option without a value.
    pub const fn switch(name: &'static str, group: Group, help: &'static str) -> OptionSpec {
        OptionSpec::new(name, Takes::Nothing, group, help)
    }

    /// Declares an option with a text.
    pub const fn text(name: &'static str, value: &'static str, group: Group, help: &'static str) -> OptionSpec {
        OptionSpec::new(name, Takes::Text(value), group, help)
    }

    /// Declares an option with a path.
    pub const fn path(name: &'static str, value: &'static str, group: Group, help: &'static str) -> OptionSpec {
        OptionSpec::new(name, Takes::Path(value), group, help)
    }

    /// Sets the [short name](OptionSpec::short).
    pub const fn short(self, short: char) -> OptionSpec {
        OptionSpec { short: Some(short), ..self }
    }

    /// Sets the [default](OptionSpec::default).
    pub const fn default(self, default: &'static str) -> OptionSpec {
        OptionSpec { default: Some(default), ..self }
    }

    /// Lets the value be left out, and sets its [meaning](OptionSpec::if_bare) then.
    pub const fn if_bare(self, value: &'static str) -> OptionSpec {
        OptionSpec { if_bare: Some(value), ..self }
    }

    /// Sets the [allowed values](OptionSpec::choices).
    pub const fn choices(self, choices: &'static [Choice]) -> OptionSpec {
        OptionSpec { choices, ..self }
    }

    /// Sets the [check](OptionSpec::check).
    pub const fn check(self, check: Check) -> OptionSpec {
        OptionSpec { check, ..self }
    }

    /// Sets the [sentences that only `--help` shows](OptionSpec::more).
    pub const fn more(self, more: &'static str) -> OptionSpec {
        OptionSpec { more, ..self }
    }

    /// Makes the option [repeatable](OptionSpec::repeatable).
    pub const fn repeatable(self) -> OptionSpec {
        OptionSpec { repeatable: true, ..self }
    }

    /// Makes the option [rare](OptionSpec::rare).
    pub const fn rare(self) -> OptionSpec {
        OptionSpec { rare: true, ..self }
    }

    /// [Hides](OptionSpec::hidden) the option.
    pub const fn hidden(self) -> OptionSpec {
        OptionSpec { hidden: true, ..self }
    }

    /// Sets the [options that must be given as well](OptionSpec::requires).
    pub const fn requires(self, requires: &'static [&'static str]) -> OptionSpec {
        OptionSpec { requires, ..self }
    }

    /// Sets the [role of the file that the job reads](OptionSpec::reads).
    pub const fn reads(self, role: &'static str) -> OptionSpec {
        OptionSpec { reads: Some(role), ..self }
    }

    /// Sets the [role of the file that the job writes](OptionSpec::writes).
    pub const fn writes(self, role: &'static str) -> OptionSpec {
        OptionSpec { writes: Some(role), ..self }
    }
}

/// The values of options: those that the user gave, and the defaults of the others.
///
/// The getters name an option by its [long name](OptionSpec::name).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionValues(BTreeMap<&'static str, Vec<OsString>>);

impl OptionValues {
    /// Returns the defaults of `specs`.
    pub fn defaults(specs: &[OptionSpec]) -> OptionValues {
        let defaults = specs.iter().filter_map(|spec| Some((spec.name, vec![spec.default?.into()])));
        OptionValues(defaults.collect())
    }

    /// Sets the values of an option. A switch that is on has the value `true`. An [alias](Choice::alias) becomes the value
    /// that it stands for.
    pub fn set(&mut self, spec: &OptionSpec, values: impl IntoIterator<Item = OsString>) {
        let canonical = |value: OsString| {
            let choice = spec.choices.iter().find(|choice| choice.alias.is_some_and(|alias| value == alias));
            choice.map_or(value, |choice| choice.name.into())
        };
        self.insert(spec.name, values.into_iter().map(canonical));
    }

    /// Sets the values of an option that is not declared as data.
    pub fn insert(&mut self, name: &'static str, values: impl IntoIterator<Item = OsString>) {
        self.0.insert(name, values.into_iter().collect());
    }

    /// Returns the arguments of a command line that gives the options `specs` these values.
    pub fn arguments(&self, specs: &[OptionSpec]) -> Vec<OsString> {
        let argument = |spec: &OptionSpec, value: &OsString| {
            let mut argument = OsString::from(format!("--{}", spec.name));
            if spec.takes != Takes::Nothing {
                argument.push("=");
                argument.push(value);
            }
            argument
        };
        let is_given = |spec: &OptionSpec| spec.takes != Takes::Nothing || self.is_on(spec.name);
        let given = specs.iter().filter(|spec| is_given(spec));
        given.flat_map(|spec| self.all(spec.name).iter().map(move |value| argument(spec, value))).collect()
    }

    fn all(&self, name: &str) -> &[OsString] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Whether a switch is on.
    pub fn is_on(&self, name: &str) -> bool {
        self.all(name).first().is_some_and(|value| value == "true")
    }

    /// Returns the value of an option that has a default or may be missing.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.all(name).last().and_then(|value| value.to_str())
    }

    /// Returns the values of a repeatable option.
    pub fn texts(&self, name: &str) -> impl Iterator<Item = &str> {
        self.all(name).iter().filter_map(|value| value.to_str())
    }

    /// Returns the path that the user gave.
    pub fn path(&self, name: &str) -> Option<PathBuf> {
        self.all(name).last().map(PathBuf::from)
    }

    /// Returns the paths of a repeatable option.
    pub fn paths(&self, name: &str) -> impl Iterator<Item = PathBuf> {
        self.all(name).iter().map(PathBuf::from)
    }

    /// Returns the parsed value of an option; `None` if it has neither a value nor a default.
    ///
    /// # Errors
    /// A usage error with the sentence of `parse`.
    pub fn parsed<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<Option<T>> {
        let Some(value) = self.all(name).last() else { return Ok(None) };
        let parsed = value.to_str().ok_or_else(|| "not UTF-8".to_owned()).and_then(parse);
        parsed.map(Some).map_err(|sentence| Error::usage(format!("--{name} {}: {sentence}", shown(value))))
    }

    /// Returns the parsed value of an option that has a default.
    ///
    /// # Errors
    /// The errors of [`parsed`](OptionValues::parsed), and an error if there is no value.
    pub fn get<T>(&self, name: &str, parse: impl Fn(&str) -> Result<T, String>) -> Result<T> {
        self.parsed(name, parse)?.ok_or_else(|| Error::usage(format!("--{name}: a value is missing")))
    }
}

fn shown(value: &OsStr) -> String {
    super::secrets::masked(&value.to_string_lossy())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::quantity;

    const HOW: OptionSpec = OptionSpec::text("how", "HOW", Group::Input, "How").choices(&[
        Choice { name: "events", alias: Some("true"), help: "" },
        Choice { name: "off", alias: None, help: "" },
    ]);
    const LINES: OptionSpec = OptionSpec::text("lines", "N", Group::Input, "Lines").default("5");
    const FILE: OptionSpec = OptionSpec::path("file", "FILE", Group::Input, "File").repeatable();

    #[test]
    fn values_are_the_user_s_or_the_defaults_and_an_alias_is_another_word() {
        let mut values = OptionValues::defaults(&[HOW, LINES, FILE]);
        assert_eq!((values.text("how"), values.get("lines", quantity::count).unwrap()), (None, 5));
        assert_eq!((values.paths("file").count(), values.is_on("how")), (0, false));
        values.set(&HOW, ["true".into()]);
        values.set(&LINES, ["x".into()]);
        values.set(&FILE, ["a".into(), "b".into()]);
        assert_eq!(values.text("how"), Some("events"));
        assert_eq!(values.paths("file").collect::<Vec<_>>(), [PathBuf::from("a"), PathBuf::from("b")]);
        assert_eq!(values.arguments(&[HOW, LINES, FILE]), ["--how=events", "--lines=x", "--file=a", "--file=b"]);
        let error = values.get("lines", quantity::count).unwrap_err();
        assert_eq!(
            (error.to_string().as_str(), error.exit_code()),
            ("--lines x: a whole number from 1 on is expected", 2)
        );
        assert!(
            values.get("other", quantity::count).is_err() && values.parsed("other", quantity::count).unwrap().is_none()
        );
    }
}
