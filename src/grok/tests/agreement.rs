//! Compares the captures of the built-in definitions with those of the well-known definitions of the same names.

use rayon::prelude::*;
use serde_json::Value;

use super::definitions::well_known;
use super::golden::{document, golden_cases, references};

/// Leaves out golden lines that use a definition which the other set lacks.
#[test]
#[ignore = "needs the well-known definitions: run ./test"]
fn golden_lines_give_what_the_well_known_definitions_give_unless_they_say_why_not() {
    let known = well_known().expect("LOGATOR_TEST_PATTERNS is set").map(|(_, library)| library);
    let cases = golden_cases();
    let compared: Vec<Option<String>> = cases
        .par_iter()
        .filter_map(|(file, case)| {
            let known = &known[usize::from(case.ecs)];
            if references(&case.pattern).any(|name| known.definition(name).is_none()) {
                return None;
            }
            let theirs = known.compile(&case.pattern).unwrap_or_else(|error| panic!("{error}"));
            // `golden.rs` checks that the built-in definition gives `expected`.
            let (found, wanted) = (document(&theirs, &case.line), case.expected());
            Some(match (found == wanted, case.differs.is_some()) {
                (true, false) | (false, true) => None,
                (true, true) => Some(format!("{file}: {} on {}: does not differ", case.pattern, case.line)),
                (false, false) => {
                    let [found, wanted] =
                        [found, wanted].map(|it| it.as_ref().map_or("no match".into(), Value::to_string));
                    Some(format!("{file}: {} on {}\n  ours   {wanted}\n  theirs {found}", case.pattern, case.line))
                }
            })
        })
        .collect();
    let faults: Vec<&String> = compared.iter().flatten().collect();
    println!("{} of {} golden lines compared with the well-known definitions", compared.len(), cases.len());
    assert!(compared.len() > 1500, "only {} golden lines were compared", compared.len());
    let shown: String = faults.iter().map(|fault| format!("{fault}\n")).collect();
    assert!(faults.is_empty(), "{} disagree:\n{shown}", faults.len());
}
