//! Builds clap's arguments from options that are data, and reads their values.

use std::ffi::OsString;
use std::marker::PhantomData;

use clap::builder::{OsStringValueParser, PossibleValue, PossibleValuesParser, TypedValueParser, ValueParser};
use clap::{Arg, ArgAction, ArgMatches, Args, Command, Error, FromArgMatches, ValueHint};

use crate::core::option_spec::{OptionSpec, OptionValues, Takes};

/// A list of options that a program takes.
pub trait OptionSet {
    /// Returns the options.
    fn specs() -> Vec<OptionSpec>;
}

/// The values of the options of a set.
#[derive(Debug, Clone)]
pub struct DataArgs<S> {
    /// The values.
    pub values: OptionValues,
    set: PhantomData<S>,
}

impl<S: OptionSet> Args for DataArgs<S> {
    fn augment_args(command: Command) -> Command {
        command.args(S::specs().iter().map(argument))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl<S: OptionSet> FromArgMatches for DataArgs<S> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, Error> {
        let mut values = OptionValues::default();
        for spec in S::specs() {
            match spec.takes {
                Takes::Nothing => values.set(&spec, [matches.get_flag(spec.name).to_string().into()]),
                _ => {
                    if let Some(given) = matches.get_many::<OsString>(spec.name) {
                        values.set(&spec, given.cloned());
                    }
                }
            }
        }
        Ok(DataArgs { values, set: PhantomData })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

/// Returns clap's argument for an option. The id of the argument is the name of the option.
fn argument(spec: &OptionSpec) -> Arg {
    let arg = Arg::new(spec.name).long(spec.name).short(spec.short).help(spec.help).hide(spec.hidden);
    let arg = if spec.more.is_empty() { arg } else { arg.long_help(format!("{}\n\n{}", spec.help, spec.more)) };
    let arg = arg.requires_all(spec.requires).default_value(spec.default);
    let arg = match spec.if_bare {
        Some(value) => arg.num_args(0..=1).require_equals(true).default_missing_value(value),
        None => arg,
    };
    let action = if spec.repeatable { ArgAction::Append } else { ArgAction::Set };
    match spec.takes {
        Takes::Nothing => arg.action(ArgAction::SetTrue),
        Takes::Text(name) => arg.action(action).value_name(name).value_parser(parser(spec)),
        Takes::Path(name) => {
            arg.action(action).value_name(name).value_hint(ValueHint::AnyPath).value_parser(OsStringValueParser::new())
        }
    }
}

/// Returns the parser of a text: it takes one of the choices, or what the check of the option accepts.
fn parser(spec: &OptionSpec) -> ValueParser {
    if spec.choices.is_empty() {
        let check = spec.check;
        return ValueParser::new(move |text: &str| check(text).map(|()| OsString::from(text)));
    }
    let value = |name, help| PossibleValue::new(name).help(help);
    let choices = spec.choices.iter().map(|choice| value(choice.name, choice.help).aliases(choice.alias));
    PossibleValuesParser::new(choices).map(OsString::from).into()
}
