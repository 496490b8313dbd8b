//! Lines from 1 kB to 1 MB on which backtracking engines try every way. The cost must grow linearly. Some patterns end
//! with a class instead of a literal, so that no missing literal rejects the line at once.

use divan::Bencher;
use divan::counter::BytesCount;

use crate::lines::LIBRARY;

/// A pattern, and a function that returns a line that does not match. Its argument is the approximate length of the
/// line.
struct Case {
    name: &'static str,
    pattern: &'static str,
    line: fn(usize) -> String,
}

const CASES: [Case; 9] = [
    Case {
        name: "three GREEDYDATA, no x at the end",
        pattern: "%{GREEDYDATA} %{GREEDYDATA} %{GREEDYDATA}x",
        line: |size| "a ".repeat(size / 2),
    },
    Case {
        name: "the same before a class",
        pattern: "%{GREEDYDATA:a} %{GREEDYDATA:b} %{GREEDYDATA:c}[xy]",
        line: |size| "a ".repeat(size / 2),
    },
    Case {
        name: "four GREEDYDATA, no comma at the end",
        pattern: "%{GREEDYDATA:a},%{GREEDYDATA:b},%{GREEDYDATA:c},%{GREEDYDATA:d};",
        line: |size| "a,".repeat(size / 2),
    },
    Case { name: "numbers in a loop in a loop", pattern: "(?:%{INT}[, ]*)+[;:]", line: |size| "1".repeat(size) },
    Case { name: "(a+)+[bc]", pattern: "(?<x>(?:a+)+[bc])", line: |size| "a".repeat(size) },
    Case { name: "(a|a)*[bc], anchored", pattern: "^(?<x>(?:a|a)*)[bc]", line: |size| "a".repeat(size) },
    Case {
        name: "DATA before what never comes",
        pattern: "%{DATA:a} %{DATA:b} %{INT:c}$",
        line: |size| "word ".repeat(size / 5),
    },
    Case {
        name: "a host name without an end",
        pattern: "%{SYSLOGLINE}",
        line: |size| format!("Feb  3 04:05:06 {}", "a.".repeat(size / 2)),
    },
    Case {
        name: "an access line with a long request",
        pattern: "%{COMBINEDAPACHELOG}",
        line: |size| {
            let request = "/a?b=".repeat(size / 5);
            format!(r#"192.0.2.4 - - [03/Feb/2024:04:05:06 +0100] "GET {request} HTTP/1.1" 200 17 "-" "agent"#)
        },
    },
];

fn arguments() -> impl Iterator<Item = String> {
    CASES.iter().flat_map(|case| [1_000, 10_000, 100_000, 1_000_000].map(|size| format!("{}: {size}", case.name)))
}

#[divan::bench(args = arguments(), max_time = 1, sample_size = 1)]
fn growth(bencher: Bencher<'_, '_>, argument: &str) {
    let (name, size) = argument.rsplit_once(": ").expect("a name and a size");
    let case = CASES.iter().find(|case| case.name == name).expect("it is one of them");
    let line = (case.line)(size.parse().expect("a number"));
    let pattern = LIBRARY.compile(case.pattern).expect("it is well formed");
    assert!(pattern.is_linear());
    let mut matcher = pattern.matcher();
    let mut run = || matcher.captures(line.as_bytes()).expect("no line is given up").is_some();
    assert!(!run(), "{name}");
    bencher.counter(BytesCount::new(line.len())).bench_local(run);
}
