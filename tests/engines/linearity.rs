//! Checks that the work grows linearly with the length of the line, on every kind of line. It counts the work and does
//! not measure time.

use super::golden_lines::well_known;
use super::{Library, Pattern};

/// The lengths of the lines, in bytes. Each is ten times the previous one.
const LENGTHS: [usize; 4] = [1_000, 10_000, 100_000, 1_000_000];
/// The most growth of the work from one length to the next. It is more than ten, because the memo table of runs is a
/// tree.
const GROWTH: u64 = 13;
/// The largest memo table, in bytes: per byte of the line, plus a constant.
const MEMORY_EACH: usize = 64;
const MEMORY_ANY: usize = 1 << 20;

/// Patterns, and a line that is hard for each: its start, the text that is repeated, its end.
const HARD: &[(&str, &str, &str, &str)] = &[
    ("%{GREEDYDATA} %{GREEDYDATA} %{GREEDYDATA}x", "", "a ", ""),
    ("%{GREEDYDATA:a} %{GREEDYDATA:b} %{GREEDYDATA:c} %{GREEDYDATA:d}x", "", "a ", ""),
    ("^%{DATA:a} %{DATA:b} %{DATA:c} %{DATA:d}x$", "", "a ", ""),
    ("%{DATA:a}=%{DATA:b},%{GREEDYDATA:c};$", "", "a=,", ""),
    ("(?:a+)+b", "", "a", ""),
    ("(?<x>(?:(?<y>a+))+)b", "", "a", "c"),
    ("(?:a|a)*b", "", "a", ""),
    ("(?:a|ab|b)*c", "", "ab", ""),
    ("(?<x>(?:(?<y>a)|(?<z>ab)|b)*)c", "", "ab", ""),
    ("(?:%{INT}[, ]*)+;", "", "1", ""),
    ("(?:%{INT:n}[, ]*)+;", "", "12, 345", ""),
    ("(?:.*?a)*b", "", "a", ""),
    ("(?:(?<x>.*?)a)*b", "", "aac", ""),
    ("(?:(?:a*)*)*b", "", "a", ""),
    ("(?:(?:(?<x>a*)b?)*c?)*d", "", "ab", ""),
    ("^(?:%{WORD} ?)+$", "", "a", "!"),
    ("(?:%{WORD:w} ?)+$", "", "ab ", "!"),
    ("%{HOSTNAME:h}!", "", "a", " !"),
    ("%{HOSTNAME:h}!", "", "a.", " !"),
    ("%{EMAILADDRESS:m}!", "", "a", " @!"),
    ("%{EMAILADDRESS:m}!", "", "a.", "@ !"),
    ("%{QUOTEDSTRING:q}!", "", "\"", " !"),
    ("%{QUOTEDSTRING:q}!", "", "\"\\", " !"),
    ("%{URI:u}!", "", "a", "://!"),
    ("%{URI:u}!", "http://", "a:", " !"),
    ("%{PATH:p}!", "", "/a", " !"),
    ("%{NUMBER:n}x", "", "1.", " x"),
    ("%{IPV6:i}x", "", "a:", " x"),
    ("[a-z]+@", "", "a", " @"),
    ("(?<x>[a-z]+)(?<y>[a-y]+)@", "", "a", " @"),
    ("\\S+ x", "", "a", "  x"),
    ("(?<x>\\S+) (?<y>\\S+)x", "", "a", " "),
    ("(?<x>a{1,64})(?<y>a{1,64})b", "", "a", "cb"),
    ("(?:(?<x>a{1,9}){1,9}){1,9}b", "", "a", ""),
    ("(?:(?<x>a{1,9}?)*?){2,}b", "", "a", ""),
    ("(?<x>.{0,64}?)(?<y>.{0,64})b", "", "é", ""),
    ("(?:(?>a*b|a))*c", "", "a", "dc"),
    ("(?:(?>a+|b)(?<x>a|b)?)*c", "", "ab", ""),
    ("(?:a(?=.*?c))*d", "", "a", ""),
    ("(?:a(?!.*?c))*d", "", "a", ""),
    ("(?:a(?=(?:ab?)*c))*d", "", "a", ""),
    ("(?:(?<=a|bc)a|b|c)*d", "", "abc", "ed"),
    // Each look-ahead succeeds far ahead.
    ("(?:a(?=.*?c))*d", "", "a", "cd"),
    ("(?:a(?=.*c))*d", "", "a", "cd"),
    ("(?:a(?=(?:a|b)*c))*d", "", "a", "cd"),
    ("(?:a(?=(?:ab?)*c))*d", "", "a", "cd"),
    ("(?:a(?=(?:a*b?)*c))*d", "", "a", "cd"),
    ("(?:a(?=(?:.{1,9}?)*c))*d", "", "a", "cd"),
    ("(?:a|b(?!(?:a|b)*c))*d", "", "ab", "cd"),
    ("(?:(?>a(?:b|a)*c)x|a)*d", "", "a", "cd"),
    ("(?:(?>.*?c)x|a)*d", "", "a", "cd"),
    ("(?:(?>.*c)x|a)*d", "", "a", "cd"),
    ("(?:(?>(?:a|ab)+?c)x|a|b)*d", "", "ab", "cd"),
    ("(?<x>(?>(?:a|ab)+c)x|a|b)*d", "", "ab", "cd"),
    ("(?:a(?=(?>(?:a|b)*)c))*d", "", "a", "cd"),
    ("(?:(?>(?<x>a)(?:b|a)*c)x|a)*d", "", "a", "cd"),
    ("(?:(?>(?<x>.)(?<y>.).*c)x|a)*d", "", "a", "cd"),
    ("(?:(?=(?<x>a)(?:b|a)*?c)a)*d", "", "a", "cd"),
    ("(?:(?!(?<x>a)(?:b|a)*d)a|a)*d", "", "a", "ce"),
    ("(?:a(?=(?=.*c)(?:a|c)*d))*e", "", "a", "cde"),
    ("(?<x>\\b.*\\b)+!", "", "a ", ""),
    ("%{COMBINEDAPACHELOG}", "", "a ", " [] \"\" "),
    ("%{COMBINEDAPACHELOG}", "1.2.3.4 - - [10/Oct/2000:13:55:36 -0700] \"", "GET / ", "\" 200 1 \"- \"\""),
    ("%{SYSLOGLINE}", "Oct 10 13:55:36 ", "a", " : "),
    ("%{SYSLOGLINE}", "", "Oct 10 13:55:36 ", ": "),
    ("%{SYSLOGLINE}", "Oct 10 13:55:36 host ", "a-", " : "),
    ("%{NAGIOSLOGLINE}", "[1] CURRENT HOST STATE: ", "a;", ""),
    ("%{NAGIOSLOGLINE}", "[1] EXTERNAL COMMAND: ", "DISABLE_HOST_CHECK;", ""),
    ("%{CLOUDFRONT_ACCESS_LOG}", "2014-05-23\t01:13:11\tA\t1\t1.1.1.1\tGET\t", "a\t", ""),
];

fn line((start, middle, end): (&str, &str, &str), length: usize) -> String {
    format!("{start}{}{end}", middle.repeat(length / middle.len()))
}

/// Returns the work for each length. Fails if a line is given up.
fn costs(pattern: &Pattern, parts: (&str, &str, &str)) -> Result<Vec<u64>, String> {
    let mut matcher = pattern.matcher();
    let mut costs = Vec::new();
    for length in LENGTHS {
        let line = line(parts, length);
        matcher.captures(line.as_bytes()).map_err(|stopped| format!("{length} bytes: {}", stopped.reason))?;
        let used = matcher.used();
        if used.failures > MEMORY_ANY + MEMORY_EACH * length {
            return Err(format!("{length} bytes: {} bytes of memory", used.failures));
        }
        costs.push(used.work);
    }
    let grows = |pair: &[u64]| pair[1] > GROWTH * pair[0].max(LENGTHS[0] as u64);
    match costs.windows(2).any(grows) {
        true => Err(format!("work grows faster than the line: {costs:?}")),
        false => Ok(costs),
    }
}

fn check(library: &Library) {
    let mut faults = Vec::new();
    for (text, start, middle, end) in HARD {
        let pattern = library.compile(text).unwrap_or_else(|error| panic!("{error}"));
        assert!(pattern.is_linear(), "{text}");
        let engines = [("fast", pattern.clone()), ("careful", pattern.careful().expect("it is linear"))];
        for (name, pattern) in engines {
            match costs(&pattern, (start, middle, end)) {
                Ok(costs) => {
                    println!("{name:8} {:>6} a byte  {text} on {start:?} {middle:?} {end:?}", costs[3] / 1_000_000)
                }
                Err(fault) => faults.push(format!("{name}: {text} on {start:?} {middle:?} {end:?}: {fault}")),
            }
        }
    }
    assert!(faults.is_empty(), "{} of {}:\n{}", faults.len(), HARD.len(), faults.join("\n"));
}

#[test]
fn work_grows_as_the_line_does_with_the_built_in_definitions() {
    check(&Library::builtin());
}

#[test]
#[ignore = "needs the well-known definitions: run ./test"]
fn work_grows_as_the_line_does_with_the_well_known_definitions() {
    let [(_, library), _] = well_known();
    check(&library);
}

#[test]
fn a_pattern_that_is_large_when_written_out_compiles_in_bounded_time() {
    // Each level unrolls the inner level up to nine times, and the compiler tries to make a token of each copy.
    let _ = Library::builtin().compile("(?:(?:(?:(?:(?:a[ab]){,2}[ab]){3}[ab]){1,9}[ab]){1,9}[ab]){1,9}");
}
