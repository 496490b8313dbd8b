//! The options of the command line for Elasticsearch sinks.

use crate::core::option_spec::{Group, OptionSpec};

/// The switch that installs an index template.
pub(super) const TEMPLATE: OptionSpec = OptionSpec::switch(
    "es-template",
    Group::Output,
    "Install an index template for the elasticsearch sink",
)
.more(
    "The template covers the indexes whose names begin like INDEX up to its date, which must begin with logator-. It has the \
     types of the formats' fields, and a priority below 100, so that a template of your own wins.",
)
.rare();
