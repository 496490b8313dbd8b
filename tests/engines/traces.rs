//! Checks that traces do not change results. A matcher that has seen a line many times captures the same as a new
//! matcher, from that line and from similar lines. The same is checked for the scout's cache of stretches.

use fastrand::Rng;
use rayon::prelude::*;

use super::definitions::{cases, seed, seed_of};
use super::engines::captured_once;
use super::generate::generate;
use super::golden_lines_with_patterns;
use super::{Library, Pattern};
use crate::grok::linear::Proof;

/// The number of times that a line is matched before similar lines are matched. A trace is recorded when a shape comes
/// up twice, and a line needs several traces one after the other.
const AGAIN: usize = 6;

/// Replaces one or two bytes of `line` so that the shape stays the same. The look-up then finds the same traces, and
/// only their ranges can exclude the line.
fn retouch(line: &mut [u8], random: &mut Rng) {
    const SIGNS: &[u8] = b" \t!\"#%&'()*+,-./";
    const OTHERS: &[u8] = b"0123456789:;<=>?@ABCFGZ[\\]^_`abcfgz{|}~\xc3\xff";
    for _ in 0..random.usize(1..=2) {
        if let Some(at) = (!line.is_empty()).then(|| random.usize(..line.len())) {
            let bytes = if line[at] < b'0' { SIGNS } else { OTHERS };
            // Half of the time, a digit is replaced by a digit.
            let byte = if line[at].is_ascii_digit() && random.bool() {
                random.u8(b'0'..=b'9')
            } else {
                *random.choice(bytes).unwrap_or(&b'x')
            };
            line[at] = byte;
        }
    }
}

/// Compares old matchers with new ones on `count` lines similar to `line`. Both old matchers have seen `line`; one of
/// them runs the scout on every line first. Returns the number of followed traces and of stretches found in the cache.
fn compare(pattern: &Pattern, line: &[u8], count: usize, random: &mut Rng) -> Result<[u64; 2], String> {
    let (mut old, mut doubting) = (pattern.matcher(), pattern.matcher());
    let slots = pattern.slots();
    let mut other = line.to_vec();
    for index in 0..AGAIN + count {
        let expected = captured_once(&mut pattern.matcher(), slots, &other);
        doubting.doubt(Proof::Scout, true);
        for (what, matcher) in [("traces", &mut old), ("doubts", &mut doubting)] {
            let found = captured_once(matcher, slots, &other);
            if found != expected {
                let (pattern, line) = (pattern.name(), line.escape_ascii());
                let other = other.escape_ascii();
                return Err(format!(
                    "{pattern} after b\"{line}\" on b\"{other}\"\n with {what}: {found:?}\n without: {expected:?}"
                ));
            }
        }
        if index + 1 >= AGAIN {
            other.copy_from_slice(line);
            // Every second line is `line` itself, so that its traces stay in use.
            if index % 2 == 0 {
                retouch(&mut other, random);
            }
        }
    }
    Ok([old.used().traces, doubting.used().stretches])
}

fn check(what: &str, pairs: &[(Pattern, Vec<u8>)], count: usize) {
    let seed = seed();
    let results: Vec<Result<[u64; 2], String>> = pairs
        .par_iter()
        .map(|(pattern, line)| {
            let mut random = Rng::with_seed(seed_of(seed, &line.escape_ascii().to_string()));
            compare(pattern, line, count, &mut random)
        })
        .collect();
    let [followed, found] = results.iter().flatten().fold([0, 0], |[a, b], [c, d]| [a + c, b + d]);
    let faults: Vec<&String> = results.iter().filter_map(|result| result.as_ref().err()).collect();
    println!("{what}: {} lines, {followed} traces followed, {found} stretches found (seed {seed})", pairs.len());
    assert!(faults.is_empty(), "{} disagreements (seed {seed}), the first: {}", faults.len(), faults[0]);
    assert!(followed > pairs.len() as u64, "there are hardly any traces");
    assert!(found > pairs.len() as u64, "there are hardly any stretches");
}

#[test]
fn traces_change_nothing_on_golden_lines_and_lines_like_them() {
    let pairs: Vec<(Pattern, Vec<u8>)> =
        golden_lines_with_patterns().into_iter().map(|(pattern, case)| (pattern, case.line.into_bytes())).collect();
    check("golden lines", &pairs, cases(16));
}

#[test]
fn traces_change_nothing_on_lines_made_from_every_built_in_definition() {
    let (library, seed) = (Library::builtin(), seed());
    let names: Vec<&str> = library.names().collect();
    let pairs: Vec<(Pattern, Vec<u8>)> = names
        .par_iter()
        .flat_map_iter(|name| {
            let mut random = Rng::with_seed(seed_of(seed, name));
            // Some patterns start with free text, so that the search has several starting positions.
            let text = if random.bool() {
                format!("%{{{name}:all}}")
            } else {
                format!("%{{NOTSPACE:a}} %{{{name}:all}}%{{GREEDYDATA:b}}")
            };
            let pattern = library.compile(&text).unwrap_or_else(|error| panic!("{error}"));
            let lines: Vec<Vec<u8>> = (0..2).map(|_| generate(pattern.tree(), &mut random)).collect();
            lines.into_iter().map(move |line| (pattern.clone(), line))
        })
        .collect();
    check("made lines", &pairs, cases(16));
}
