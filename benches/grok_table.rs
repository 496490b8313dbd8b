//! Prints a row for each built-in definition: the cost of a line that matches, and of a line that fails near its end.
//!
//! The lines are the golden lines of `tests/grok`. Two failing lines are made from each matching line. One is truncated
//! as late as possible, and one has a byte changed as late as possible. The more expensive one counts. Such a line
//! resembles a matching line as closely as possible, so its length or its start does not reveal the failure. A line of
//! another kind fails sooner.
//!
//! A definition is measured alone (`%{NAME}`) if a failing line can be made by a change in the second half of the
//! matching line. Otherwise it is measured as its golden lines use it (`^%{NAME:x}$`), or not at all.
//!
//! Each line is measured among similar lines, because lines of one kind come together in real logs. When lines have
//! failed, the engine runs a proof on the next line first. The last column is the cost of the failing line when every
//! other line matches.
//!
//! `cargo bench --bench grok_table [-- NAME...] [--lines]`; with `--lines`, each row shows the most expensive failing
//! line. `LOGATOR_BENCH_PATTERNS=DIR` adds the definitions of a directory in place of built-in ones of the same name.
//! Without `--bench`, a few rows are tried once.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use logator::grok::{Library, Pattern};
use serde::Deserialize;

#[derive(Deserialize)]
struct File {
    case: Vec<Case>,
}

#[derive(Deserialize, Clone)]
struct Case {
    pattern: String,
    #[serde(default)]
    ecs: bool,
    line: String,
    expect: Option<toml::Table>,
}

/// A definition, its pattern, and its lines.
struct Row {
    name: String,
    /// The pattern text that is measured.
    text: String,
    pattern: Pattern,
    matching: Vec<u8>,
    failing: Vec<Vec<u8>>,
}

struct Measured {
    row: Row,
    matching: f64,
    failing: f64,
    /// The cost of the failing line if it alternates with the matching line.
    between: f64,
    /// The most expensive failing line.
    line: Vec<u8>,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let whole = arguments.iter().any(|argument| argument == "--bench");
    let lines = arguments.iter().any(|argument| argument == "--lines");
    let wanted: Vec<&String> = arguments.iter().filter(|argument| !argument.starts_with('-')).collect();
    let (mut rows, skipped) = rows();
    rows.retain(|row| wanted.is_empty() || wanted.iter().any(|name| row.name.split(' ').next() == Some(name)));
    if !whole {
        rows.truncate(5);
    }
    let time = if whole { Duration::from_millis(1) } else { Duration::ZERO };
    let mut measured: Vec<Measured> = rows.into_iter().map(|row| measure(row, time)).collect();
    measured.sort_by(|a, b| (b.failing / b.matching).total_cmp(&(a.failing / a.matching)));
    println!("| definition | measured as | bytes | matching ns | failing ns | ratio | taking turns ns |");
    println!("|---|---|---|---|---|---|---|");
    for Measured { row, matching, failing, between, line } in &measured {
        println!(
            "| {} | `{}`{} | {} | {matching:.0} | {failing:.0} | {:.2} | {between:.0} |",
            row.name,
            row.text.replace('|', "\\|"),
            if row.pattern.is_linear() { "" } else { " (backtracking)" },
            row.matching.len(),
            failing / matching,
        );
        if lines {
            println!("  {}", String::from_utf8_lossy(line));
        }
    }
    let sum = |of: fn(&Measured) -> f64| measured.iter().map(of).sum::<f64>();
    println!(
        "\nAll matching lines together: {:.0} ns; all failing ones: {:.0} ns, and {:.0} ns taking turns with matching ones.",
        sum(|row| row.matching),
        sum(|row| row.failing),
        sum(|row| row.between),
    );
    let dear = |limit: f64| measured.iter().filter(|row| row.failing > limit * row.matching).count();
    println!(
        "\n{} definitions; of {skipped} no failing line can be made of a golden one. Failing costs more than matching \
         in {}, more than 1.1 times in {}, more than 1.5 times in {}, more than twice in {}.",
        measured.len(),
        dear(1.0),
        dear(1.1),
        dear(1.5),
        dear(2.0),
    );
}

/// Returns a row for each definition that can have one, and the number of definitions without a row.
fn rows() -> (Vec<Row>, usize) {
    let mut libraries = [Library::builtin(), Library::builtin_ecs()];
    if let Some(directory) = std::env::var_os("LOGATOR_BENCH_PATTERNS") {
        libraries.iter_mut().for_each(|library| library.add_dir(Path::new(&directory)).expect("it can be read"));
    }
    // For each definition, the cases whose only reference is that definition.
    let mut cases: BTreeMap<(String, bool), Vec<Case>> = BTreeMap::new();
    for case in golden_cases().into_iter().filter(|case| case.expect.is_some()) {
        let mut references = case.pattern.split("%{").skip(1);
        let (Some(reference), None) = (references.next(), references.next()) else { continue };
        let end = reference.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(reference.len());
        cases.entry((reference[..end].to_owned(), case.ecs)).or_default().push(case);
    }
    let mut skipped = 0;
    let mut rows = Vec::new();
    for ((name, ecs), mut cases) in cases {
        // The longest line shows the largest cost.
        cases.sort_by_key(|case| std::cmp::Reverse(case.line.len()));
        let library = &libraries[usize::from(ecs)];
        let alone = cases.iter().map(|case| (format!("%{{{name}}}"), &case.line));
        let written = cases.iter().map(|case| (case.pattern.clone(), &case.line));
        let found = alone.chain(written).find_map(|(text, line)| {
            let pattern = library.compile(&text).ok()?;
            let failing = failing(&pattern, line.as_bytes());
            (matches(&pattern, line.as_bytes()) && !failing.is_empty()).then(|| Row {
                name: if ecs { format!("{name} (ECS)") } else { name.clone() },
                text,
                pattern,
                matching: line.as_bytes().to_vec(),
                failing,
            })
        });
        match found {
            Some(row) => rows.push(row),
            None => skipped += 1,
        }
    }
    (rows, skipped)
}

fn golden_cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/grok");
    let entries = std::fs::read_dir(directory).expect("tests/grok is there");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("it can be listed").path()).collect();
    paths.sort();
    let read = |path| std::fs::read_to_string(path).expect("golden lines can be read");
    paths.into_iter().flat_map(|path| toml::from_str::<File>(&read(path)).expect("a test reads them").case).collect()
}

fn matches(pattern: &Pattern, line: &[u8]) -> bool {
    matches!(pattern.matcher().captures(line), Ok(Some(_)))
}

/// Returns lines that do not match, made from a matching line by a change in its second half: one truncated, one with a
/// changed byte.
fn failing(pattern: &Pattern, line: &[u8]) -> Vec<Vec<u8>> {
    let mut matcher = pattern.matcher();
    let mut fails = |line: &Vec<u8>| matches!(matcher.captures(line), Ok(None));
    let places = || (line.len().div_ceil(2)..line.len()).rev().filter(|&place| line[place].is_ascii());
    let cut = places().map(|place| line[..place].to_vec()).find(&mut fails);
    let changed = places()
        .flat_map(|place| [b'~', b' ', b'x'].map(|byte| [&line[..place], &[byte], &line[place + 1..]].concat()));
    [cut, changed.into_iter().find(&mut fails)].into_iter().flatten().collect()
}

fn measure(row: Row, time: Duration) -> Measured {
    let matching = nanoseconds(&row.pattern, &[&row.matching], time);
    let each = row.failing.iter().map(|line| (nanoseconds(&row.pattern, &[line], time), line.clone()));
    let (failing, line) = each.max_by(|a, b| a.0.total_cmp(&b.0)).expect("a row has a failing line");
    let between = 2.0 * nanoseconds(&row.pattern, &[&row.matching, &line], time) - matching;
    Measured { row, matching, failing, between, line }
}

/// Returns the cost of a line in nanoseconds, as the minimum of several rounds. The copies of `lines` alternate in one
/// buffer, like the lines of a batch.
fn nanoseconds(pattern: &Pattern, lines: &[&[u8]], time: Duration) -> f64 {
    const COPIES: usize = 64;
    const ROUNDS: usize = 7;
    let buffer = lines.concat().repeat(COPIES);
    let mut copies = Vec::new();
    let mut at = 0;
    for line in lines.iter().cycle().take(COPIES * lines.len()) {
        copies.push(&buffer[at..at + line.len()]);
        at += line.len();
    }
    let mut matcher = pattern.matcher();
    let slots = pattern.slots();
    let mut least = f64::INFINITY;
    for _ in 0..ROUNDS {
        let (start, mut lines) = (Instant::now(), 0);
        loop {
            for line in &copies {
                let mut length = 0;
                if let Ok(Some(captures)) = matcher.captures(black_box(line)) {
                    length +=
                        (0..slots).map(|slot| captures.span(slot).text(line).map_or(0, <[u8]>::len)).sum::<usize>();
                }
                black_box(length);
            }
            lines += copies.len();
            if start.elapsed() >= time {
                break;
            }
        }
        least = least.min(start.elapsed().as_nanos() as f64 / lines as f64);
    }
    least
}
