//! Compares all engines on every definition: on lines generated from the definition's tree, and on mutations of its
//! golden lines.
//!
//! | variable | meaning |
//! |---|---|
//! | `PROPTEST_CASES` | number of lines for each definition, and of mutations of each golden line |
//! | `LOGATOR_TEST_SEED` | the seed of the random numbers |
//! | `LOGATOR_TEST_PATTERNS` | a folder with the folders `legacy` and `ecs-v1` of well-known pattern files |
//! | `LOGATOR_TEST_LOGS` | a folder of more logs (`*.log`), on every line of which the engines are compared |

use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::process::Command;

use fastrand::Rng;
use rayon::prelude::*;

use super::Library;
use super::engines::{Counts, Engines};
use super::generate::{generate, mutate};
use super::golden_lines::{by_pattern, root, well_known};

/// The most faults of one test that are printed.
const SHOWN: usize = 10;

pub(super) fn cases(few: usize) -> usize {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(few)
}

pub(super) fn seed() -> u64 {
    let given = std::env::var("LOGATOR_TEST_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| RandomState::new().hash_one(0))
}

/// Returns a number that depends on `seed` and `text`.
pub(super) fn seed_of(seed: u64, text: &str) -> u64 {
    text.bytes().fold(seed, |sum, byte| sum.wrapping_mul(0x0100_0000_01b3) ^ u64::from(byte))
}

fn report(what: &str, seed: u64, results: &[(Counts, Vec<String>)]) {
    let counts = results.iter().fold(Counts::default(), |sum, (counts, _)| sum.add(*counts));
    let Counts { lines, matches, pcre2, oniguruma } = counts;
    println!(
        "{what}: {} patterns, {lines} lines, {matches} of them matched, {pcre2} compared with PCRE2, \
         {oniguruma} with Oniguruma (seed {seed})",
        results.len()
    );
    let faults: Vec<&String> = results.iter().flat_map(|(_, faults)| faults).collect();
    assert!(lines > 0, "no line was compared");
    let shown: String = faults.iter().take(SHOWN).map(|fault| format!("{fault}\n")).collect();
    assert!(faults.is_empty(), "{} disagreements (seed {seed}):\n{shown}", faults.len());
}

/// Compares all engines on lines generated from the tree, some of them mutated.
fn on_generated(library: &Library, text: &str, count: usize, seed: u64) -> (Counts, Vec<String>) {
    let mut random = Rng::with_seed(seed_of(seed, text));
    let mut engines = Engines::new(library, text);
    let mut faults = Vec::new();
    for _ in 0..count {
        let mut line = generate(engines.pattern.tree(), &mut random);
        if random.bool() {
            (0..random.u8(1..4)).for_each(|_| mutate(&mut line, &mut random));
        }
        faults.extend(engines.compare(&line).err());
    }
    (engines.counts, faults)
}

/// Compares all engines on every definition of `library`: alone, captured as a whole, and as a whole line.
fn definitions(what: &str, library: &Library, count: usize, is_linear: bool) {
    let seed = seed();
    let names: Vec<&str> = library.names().collect();
    let results: Vec<(Counts, Vec<String>)> = names
        .par_iter()
        .flat_map(|name| {
            let pattern = library.compile(&format!("%{{{name}}}")).unwrap_or_else(|error| panic!("{error}"));
            assert!(!is_linear || pattern.is_linear(), "{name} is not linear");
            let mut texts = vec![format!("%{{{name}:all}}"), format!("^%{{{name}:all}}$")];
            if pattern.slots() > 0 {
                texts.push(format!("%{{{name}}}"));
            }
            texts.into_par_iter().map(|text| on_generated(library, &text, count, seed))
        })
        .collect();
    report(what, seed, &results);
}

#[test]
fn engines_agree_on_lines_made_from_every_built_in_definition() {
    definitions("built-in", &Library::builtin(), cases(8), true);
    definitions("built-in ECS", &Library::builtin_ecs(), cases(8), true);
}

#[test]
fn engines_agree_on_golden_lines_and_mutations_of_them() {
    let libraries = [Library::builtin(), Library::builtin_ecs()];
    let (seed, count) = (seed(), cases(4));
    let results: Vec<(Counts, Vec<String>)> = by_pattern()
        .par_iter()
        .map(|golden| {
            let (_, first) = &golden[0];
            let mut engines = Engines::new(&libraries[usize::from(first.ecs)], &first.pattern);
            let mut faults = Vec::new();
            for (_, case) in golden {
                let mut random = Rng::with_seed(seed_of(seed, &case.line));
                for index in 0..=count {
                    let mut line = case.line.clone().into_bytes();
                    (0..index.min(3)).for_each(|_| mutate(&mut line, &mut random));
                    faults.extend(engines.compare(&line).err());
                }
            }
            (engines.counts, faults)
        })
        .collect();
    report("golden lines", seed, &results);
}

#[test]
#[ignore = "needs the well-known definitions: run ./test"]
fn engines_agree_on_lines_made_from_every_well_known_definition() {
    for (name, library) in well_known() {
        let count = library.names().count();
        assert!(count > 250, "only {count} definitions in {name}");
        definitions(name, &library, cases(4), true);
    }
}

/// Returns the definitions of `library` that match some of the sampled lines and capture something.
fn fitting(library: &Library, lines: &[&[u8]]) -> Vec<String> {
    let fits = |name: &&str| {
        let pattern = library.compile(&format!("%{{{name}}}")).unwrap_or_else(|error| panic!("{error}"));
        let mut matcher = pattern.matcher();
        let some = lines.iter().step_by(lines.len() / 40 + 1);
        pattern.slots() > 1 && some.clone().any(|line| matches!(matcher.captures(line), Ok(Some(_))))
    };
    library.names().filter(fits).map(|name| format!("%{{{name}}}")).collect()
}

/// Compares the engines on each line of a log with the definitions that fit it, and returns how many definitions do.
fn on_log(what: &str, content: &[u8], libraries: &[(&str, Library)]) -> usize {
    let lines: Vec<&[u8]> = content.split(|&byte| byte == b'\n').collect();
    let mut fitted = 0;
    for (name, library) in libraries {
        let results: Vec<(Counts, Vec<String>)> = fitting(library, &lines)
            .par_iter()
            .map(|text| {
                let mut engines = Engines::new(library, text);
                let faults = lines.iter().filter_map(|line| engines.compare(line).err()).collect();
                (engines.counts, faults)
            })
            .collect();
        if !results.is_empty() {
            report(&format!("{what} on {name}"), 0, &results);
        }
        fitted += results.len();
    }
    fitted
}

/// The logs in `folder`: each file `*.log`, with its path.
fn logs_in(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let entries = std::fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.expect("it can be listed").path());
    let logs = paths.filter(|path| path.extension().is_some_and(|extension| extension == "log"));
    logs.map(|path| (path.display().to_string(), std::fs::read(&path).expect("the log can be read"))).collect()
}

/// The first lines of the log that the program ships.
fn shipped_log() -> (String, Vec<u8>) {
    const LINES: usize = 500;
    let path = root().join("examples/access.log.gz");
    let unpacked = Command::new("gzip").arg("-cd").arg(&path).output().expect("gzip runs");
    assert!(unpacked.status.success(), "{}", String::from_utf8_lossy(&unpacked.stderr));
    let end = memchr::memchr_iter(b'\n', &unpacked.stdout).nth(LINES - 1).expect("the log has more lines");
    (path.display().to_string(), unpacked.stdout[..end].to_vec())
}

/// Compares the engines on the log that the program ships, and on the logs of `LOGATOR_TEST_LOGS` if it is set.
#[test]
fn engines_agree_on_real_logs() {
    let libraries = [("built-in", Library::builtin()), ("built-in ECS", Library::builtin_ecs())];
    let given = std::env::var_os("LOGATOR_TEST_LOGS").map(|folder| logs_in(Path::new(&folder)));
    assert!(given.as_ref().is_none_or(|logs| !logs.is_empty()), "there is no *.log in LOGATOR_TEST_LOGS");
    for (what, content) in given.into_iter().flatten().chain([shipped_log()]) {
        assert!(on_log(&what, &content, &libraries) > 0, "no definition fits {what}");
    }
}

#[test]
#[ignore = "needs the well-known definitions: run ./test"]
fn engines_agree_on_real_logs_with_the_well_known_definitions() {
    let (what, content) = shipped_log();
    assert!(on_log(&what, &content, &well_known()) > 0, "no definition fits {what}");
}
