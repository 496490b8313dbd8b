//! Compares the captures of the built-in definitions with those of the well-known definitions of the same names.

use rayon::prelude::*;
use serde_json::Value;

use super::Pattern;
use super::golden::{document, references};
use super::golden_lines::{Case, by_pattern, well_known};

/// Leaves out golden lines that use a definition that the other set lacks.
#[test]
#[ignore = "needs the well-known definitions: run ./test"]
fn golden_lines_give_what_the_well_known_definitions_give_unless_they_say_why_not() {
    let known = well_known().map(|(_, library)| library);
    let golden = by_pattern();
    let compared: Vec<Option<String>> = golden
        .par_iter()
        .flat_map_iter(|cases| {
            let (_, first) = &cases[0];
            let known = &known[usize::from(first.ecs)];
            let comparable = references(&first.pattern).all(|name| known.definition(name).is_some());
            let theirs = comparable.then(|| known.compile(&first.pattern).unwrap_or_else(|error| panic!("{error}")));
            theirs.into_iter().flat_map(|theirs| cases.iter().map(move |(file, case)| difference(&theirs, file, case)))
        })
        .collect();
    let faults: Vec<&String> = compared.iter().flatten().collect();
    println!(
        "{} of {} golden lines compared with the well-known definitions",
        compared.len(),
        golden.iter().map(Vec::len).sum::<usize>()
    );
    assert!(compared.len() > 1500, "only {} golden lines were compared", compared.len());
    let shown: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    assert!(faults.is_empty(), "{} disagree:\n{shown}", faults.len());
}

/// Returns the fault of a golden line: `theirs` gives another document and the case does not say so, or the reverse.
fn difference(theirs: &Pattern, file: &str, case: &Case) -> Option<String> {
    // `golden.rs` checks that our definitions give what the case expects.
    let (found, wanted) = (document(theirs, &case.line), case.expected());
    match (found == wanted, case.differs.is_some()) {
        (true, false) | (false, true) => None,
        (true, true) => Some(format!("{file}: {} on {}: does not differ", case.pattern, case.line)),
        (false, false) => {
            let [found, wanted] = [found, wanted].map(|it| it.as_ref().map_or("no match".into(), Value::to_string));
            Some(format!("{file}: {} on {}\n  ours   {wanted}\n  theirs {found}", case.pattern, case.line))
        }
    }
}
