//! Compares the linear engine with PCRE2, Oniguruma and itself: on random expressions, on every definition, on golden
//! lines and their mutations, and on logs. Two properties are tested as well: the work grows linearly with the length
//! of the line, and results do not depend on earlier lines.

mod definitions;
mod differential;
mod doubts;
mod engines;
mod generate;
#[path = "../../src/grok/tests/golden_lines.rs"]
mod golden_lines;
mod linearity;
mod traces;

use rayon::prelude::*;

use self::golden_lines::Case;
use super::{Library, Pattern};

/// Each golden line with its pattern, which is compiled once for all of its lines.
fn golden_lines_with_patterns() -> Vec<(Pattern, Case)> {
    let libraries = [Library::builtin(), Library::builtin_ecs()];
    let compiled = |cases: Vec<(String, Case)>| {
        let (_, first) = &cases[0];
        let library = &libraries[usize::from(first.ecs)];
        let pattern = library.compile(&first.pattern).unwrap_or_else(|error| panic!("{error}"));
        cases.into_iter().map(|(_, case)| (pattern.clone(), case)).collect::<Vec<_>>()
    };
    golden_lines::by_pattern().into_par_iter().flat_map_iter(compiled).collect()
}
