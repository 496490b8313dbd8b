//! Compares the engines on one expression: the cost of a line that matches, and of a line that fails at its last byte.

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use logator::grok::Pattern;

use crate::by_hand;
use crate::lines::{self, FAILING, HALF, Lines, MATCHING, TENTH};

pub fn counted<'a, 'b>(bencher: Bencher<'a, 'b>, lines: &Lines) -> Bencher<'a, 'b> {
    bencher.counter(ItemsCount::new(lines.count())).counter(BytesCount::new(lines.bytes()))
}

/// Runs `lengths` on each line. It returns the total length of the captures, or `None` if the line does not match.
fn each(bencher: Bencher<'_, '_>, lines: &Lines, matching: usize, mut lengths: impl FnMut(&[u8]) -> Option<usize>) {
    let matched = lines.iter().filter(|line| lengths(line).is_some()).count();
    assert_eq!(matched, matching, "the lines do what the bench says");
    counted(bencher, lines).bench_local(|| lines.iter().filter_map(&mut lengths).sum::<usize>());
}

/// Matches every line and reads every span, as the document writer does.
pub fn ours(bencher: Bencher<'_, '_>, pattern: &Pattern, lines: &Lines, matching: usize) {
    let mut matcher = pattern.matcher();
    each(bencher, lines, matching, |line| {
        let captures = matcher.captures(line).expect("no line is given up")?;
        Some((0..pattern.slots()).map(|slot| captures.span(slot).text(line).map_or(0, <[u8]>::len)).sum())
    });
}

/// Defines the benchmarks of an engine. `run` gets the pattern, the lines, and whether they match.
macro_rules! engine {
    ($engine:ident, $run:expr, $($name:ident $what:expr,)*) => {
        mod $engine {
            use super::*;

            $(mod $name {
                use super::*;

                #[divan::bench(max_time = 3)]
                fn matching(bencher: Bencher<'_, '_>) {
                    if let Some(what) = $what {
                        $run(bencher, &what, &MATCHING, MATCHING.count());
                    }
                }

                #[divan::bench(max_time = 3)]
                fn failing(bencher: Bencher<'_, '_>) {
                    if let Some(what) = $what {
                        $run(bencher, &what, &FAILING, 0);
                    }
                }
            })*
        }
    };
}

engine! {
    linear, ours,
    combined Some(lines::combined()),
    builtin Some(lines::builtin()),
    builtin_ecs Some(lines::builtin_ecs()),
    directory lines::directory(),
}

fn backtracking(bencher: Bencher<'_, '_>, pattern: &Pattern, lines: &Lines, matching: usize) {
    ours(bencher, &pattern.backtracking().expect("PCRE2 takes it"), lines, matching);
}

engine! {
    pcre2_jit, backtracking,
    combined Some(lines::combined()),
    builtin Some(lines::builtin()),
    builtin_ecs Some(lines::builtin_ecs()),
    directory lines::directory(),
}

/// Matching and failing lines mixed.
mod mixed {
    use super::*;

    #[divan::bench(max_time = 3)]
    fn every_other_one_fails(bencher: Bencher<'_, '_>) {
        ours(bencher, &lines::builtin(), &HALF, HALF.count() / 2);
    }

    #[divan::bench(max_time = 3)]
    fn one_in_ten_fails(bencher: Bencher<'_, '_>) {
        ours(bencher, &lines::builtin(), &TENTH, TENTH.count() - TENTH.count().div_ceil(10));
    }
}

fn oniguruma(bencher: Bencher<'_, '_>, expression: &str, lines: &Lines, matching: usize) {
    use onig::{Regex, RegexOptions, Region, SearchOptions, Syntax};
    let regex = Regex::with_options(expression, RegexOptions::REGEX_OPTION_MULTILINE, Syntax::ruby());
    let regex = regex.expect("Oniguruma takes it");
    let mut region = Region::with_capacity(regex.captures_len() + 1);
    each(bencher, lines, matching, |line| {
        let line = str::from_utf8(line).expect("the lines are text");
        region.clear();
        regex.search_with_options(line, 0, line.len(), SearchOptions::SEARCH_OPTION_NONE, Some(&mut region))?;
        Some((1..region.len()).filter_map(|group| region.pos(group)).map(|(start, end)| end - start).sum())
    });
}

fn expanded(library: &logator::grok::Library) -> String {
    lines::expanded(library, "%{COMBINEDAPACHELOG}")
}

engine! {
    oniguruma, oniguruma,
    builtin Some(expanded(&lines::LIBRARY)),
    builtin_ecs Some(expanded(&logator::grok::Library::builtin_ecs())),
    directory lines::DIRECTORY.as_ref().map(expanded),
}

/// The format `combined` in the syntax of the crate `regex`: the same fields, without look-around and atomic groups.
const COMBINED: &str = concat!(
    r#"^([!-~]+) ([^ ]+) ([^ ]+) \[([0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4})\] "#,
    r#""(?:([A-Za-z_-]+) ([^ "\\]*(?:\\.[^ "\\]*)*)(?: HTTP/([0-9.]+))?|([^"\\]*(?:\\.[^"\\]*)*))" "#,
    r#"(?:-|([0-9]{3})) (?:-|([0-9]+)) "([^"\\]*(?:\\.[^"\\]*)*)" "([^"\\]*(?:\\.[^"\\]*)*)"$"#,
);

fn regex(bencher: Bencher<'_, '_>, expression: &str, lines: &Lines, matching: usize) {
    let regex = regex::bytes::RegexBuilder::new(expression).unicode(false).build().expect("it is well formed");
    let mut locations = regex.capture_locations();
    each(bencher, lines, matching, |line| {
        regex.captures_read(&mut locations, line)?;
        Some((1..locations.len()).filter_map(|group| locations.get(group)).map(|(start, end)| end - start).sum())
    });
}

engine! {
    regex_with_captures, regex,
    combined Some(COMBINED),
}

fn hand(bencher: Bencher<'_, '_>, _: &(), lines: &Lines, matching: usize) {
    each(bencher, lines, matching, |line| {
        Some(by_hand::combined(line)?.into_iter().flatten().map(|(start, end)| end - start).sum())
    });
}

engine! {
    hand_written, hand,
    combined Some(()),
}
