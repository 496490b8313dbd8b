//! Each counter has one number, one name and one row in `doc/counters.md`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use logator::app::counters::lists;
use logator::observe::counters::{CounterSpec, Shown};

/// The numbers that programs send each other. A line is only ever added: a counter that is gone keeps its line, so that
/// its number is not used again.
const NUMBERS: &str = "
    1 stored, 2 duplicate, 3 unmatched, 4 dead_lettered, 5 filtered, 6 delivered, 7 joined,
    10 read, 11 bytes, 12 left, 13 resumed_lines, 14 resumed_bytes, 15 redelivered, 16 buried, 17 late_acks,
    18 dropped_messages, 19 refused_requests, 20 unauthorized, 21 failed_handshakes, 22 unreported,
    30 lines, 31 filtered_header, 34 nul_bytes,
    64 tried, 65 matched, 66 nanoseconds, 67 limit_hits,
    96 handled, 97 kept, 98 nanoseconds,
    112 documents,
    120 zoneless, 121 guessed_years, 122 folds, 123 ambiguous,
    128 stored, 129 duplicate, 130 rejected, 131 failed,
    192 read, 193 sent, 194 dropped, 195 refused, 196 too_long, 197 unsent, 198 unsure,
    208 received,
    224 requests, 225 failed, 226 missed, 227 documents, 228 dropped, 229 unstored, 230 dead_lettered, 231 wrong_lines,
    256 received, 257 dropped, 258 connections, 259 refused, 260 idle, 261 wrong_counts,
    320 tombstones, 321 bad_ids, 322 undecodable, 323 gone, 324 assigned, 325 revoked, 326 lost, 327 undrained,
    328 commits, 329 failed_commits, 330 pauses,
    288 by_files, 289 by_api, 290 reconnected, 291 repeated, 292 recovered, 293 gaps,
    1024 dropped_bytes, 1056 waits_for_lock, 1088 resent,
    1184 requests, 1185 body_bytes, 1186 sent_bytes, 1187 resent, 1188 resent_documents, 1189 halved, 1190 failovers,
    1191 failure_store, 1192 undated,
    1216 messages, 1217 message_bytes, 1218 resent, 1219 possibly_stored, 1220 stalls, 1221 full, 1222 client_errors,
    1223 smaller_batches";

/// The counters of the sinks that exist for tests only.
const OF_TESTS: [&str; 2] = ["refused_for_now", "delayed_again"];

fn all() -> impl Iterator<Item = &'static CounterSpec> {
    lists().into_iter().flatten().filter(|spec| !OF_TESTS.contains(&spec.name))
}

#[test]
fn numbers_are_unique_and_never_change() {
    let listed: Vec<&str> = NUMBERS.split(',').map(str::trim).collect();
    let used: Vec<String> = all().map(|spec| format!("{} {}", spec.number, spec.name)).collect();
    for counter in &used {
        assert!(listed.contains(&&**counter), "{counter} is not in the list of numbers of this test");
    }
    let numbers: BTreeSet<u16> = all().map(|spec| spec.number).collect();
    assert_eq!(numbers.len(), used.len(), "a number is used twice");
    let listed: BTreeSet<&str> = listed.iter().filter_map(|counter| counter.split(' ').next()).collect();
    assert_eq!(listed.len(), NUMBERS.split(',').count(), "a number is listed twice");
}

#[test]
fn names_are_valid_names_for_prometheus_and_unique() {
    let is_word = |name: &str| {
        name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|char| char.is_ascii_lowercase() || char.is_ascii_digit() || char == '_')
    };
    let mut metrics = BTreeSet::new();
    for spec in all() {
        let metric = spec.metric();
        assert!(is_word(&metric) && metric.ends_with("_total") && !metric.contains("__"), "{metric}");
        assert!(is_word(spec.name) && is_word(spec.unit) && spec.name != "name", "{spec:?}");
        assert!(spec.help.ends_with('.'), "{}: {:?} is no sentence", spec.name, spec.help);
        assert!(metrics.insert(metric), "{} is used twice", spec.metric());
    }
}

/// With `LOGATOR_WRITE=1`, this test writes the table into `doc/counters.md`. The table has the counters of all sinks.
#[cfg_attr(not(all(feature = "mongodb", feature = "sqlite")), ignore = "needs the features mongodb and sqlite")]
#[test]
fn the_table_of_the_documents_is_that_of_the_code() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("doc/counters.md");
    let text = fs::read_to_string(&path).unwrap();
    let head = "| key | unit | meaning | name for Prometheus |\n|---|---|---|---|\n";
    let (before, rest) = text.split_once(head).expect("the head of the table");
    let (written, after) = rest.split_once("\n\n").unwrap();
    let rows: Vec<String> = all().map(row).collect();
    let rows = rows.join("\n");
    if std::env::var_os("LOGATOR_WRITE").is_some() {
        fs::write(path, format!("{before}{head}{rows}\n\n{after}")).unwrap();
    } else {
        assert_eq!(written, rows, "LOGATOR_WRITE=1 writes the table anew");
    }
}

fn row(spec: &CounterSpec) -> String {
    let key = match (spec.scope.list(), spec.metric()) {
        (Some(list), _) => format!("`{list}[].{}`", spec.name),
        (None, metric) if metric.starts_with("logator_push_") => format!("`{}` of logator-push", spec.name),
        (None, metric) if metric.starts_with("logator_pull_") => format!("`{}` of logator-pull", spec.name),
        (None, metric) if metric.starts_with("logator_probe_") => format!("`{}` of logator-probe", spec.name),
        (None, _) => format!("`{}`", spec.name),
    };
    let shown = match spec.shown {
        Shown::Always => String::new(),
        Shown::NotZero => " The key is left out if the number is 0.".to_owned(),
        Shown::Elsewhere(place) => format!(" Not in the receipt, but in {place}."),
    };
    let label = spec.scope.label().map(|label| format!("{{{label}}}")).unwrap_or_default();
    format!("| {key} | {} | {}{shown} | `{}{label}` |", spec.unit, spec.help, spec.metric())
}
