//! Checks that the result for a line does not depend on the lines before it. Their failures decide which proof the
//! engine runs on a line, and when.

use fastrand::Rng;
use rayon::prelude::*;

use super::definitions::{seed, seed_of};
use super::engines::captured_once;
use super::generate::mutate;
use super::golden_lines_with_patterns;

/// The share of golden lines that are tested: one in two. The seed selects them.
const SOME: u64 = 2;
/// Number of variants of each golden line, and number of lines in each phase.
const KINDS: usize = 5;
const PHASE: usize = 60;
/// The share of variants in each phase. For example, 20 means that one line in 20 is a variant; the others are the
/// golden line.
const PHASES: [usize; 6] = [20, 4, 2, 1, 3, 10];

#[test]
fn a_line_gives_the_same_whichever_lines_have_failed_before_it() {
    let seed = seed();
    let counts: Vec<Result<[usize; 2], String>> = golden_lines_with_patterns()
        .par_iter()
        .filter(|(_, case)| seed_of(seed, &case.line).is_multiple_of(SOME))
        .map(|(pattern, case)| {
            let mut random = Rng::with_seed(seed_of(seed, &case.line));
            let mut lines = vec![case.line.clone().into_bytes()];
            // One variant is truncated, and the others are mutated.
            lines.push(case.line.as_bytes()[..case.line.len().saturating_sub(1)].to_vec());
            while lines.len() < KINDS {
                let mut line = lines[0].clone();
                mutate(&mut line, &mut random);
                lines.push(line);
            }
            let slots = pattern.slots();
            let expected: Vec<_> =
                lines.iter().map(|line| captured_once(&mut pattern.matcher(), slots, line)).collect();
            let mut matcher = pattern.matcher();
            let mut counts = [0; 2];
            for (index, one_of) in PHASES.into_iter().flat_map(|one_of| [one_of; PHASE]).enumerate() {
                let kind = if random.usize(..one_of) == 0 { random.usize(1..KINDS) } else { 0 };
                let found = captured_once(&mut matcher, slots, &lines[kind]);
                if found != expected[kind] {
                    let (line, wanted) = (lines[kind].escape_ascii(), &expected[kind]);
                    return Err(format!(
                        "{} on b\"{line}\", line {index}\n wanted {wanted:?}\n found {found:?}",
                        case.pattern
                    ));
                }
                counts[usize::from(matches!(found, Ok(Some(_))))] += 1;
            }
            Ok(counts)
        })
        .collect();
    let faults: Vec<&String> = counts.iter().filter_map(|count| count.as_ref().err()).collect();
    assert!(faults.is_empty(), "{} of {} (seed {seed}), first:\n{}", faults.len(), counts.len(), faults[0]);
    let [failed, matched] = counts.iter().flatten().fold([0, 0], |sum, count| [sum[0] + count[0], sum[1] + count[1]]);
    println!("{failed} lines failed and {matched} matched, in turns (seed {seed})");
    assert!(failed > counts.len() * PHASE && matched > counts.len() * PHASE);
}
