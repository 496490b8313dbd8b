//! Tests of the counts and of the text of the receipt.

use std::time::Duration;

use super::*;
use crate::observe::counters::*;

fn tally(stored: u64, dead_lettered: u64) -> Tally {
    Tally { stored, dead_lettered, ..Tally::default() }
}

fn receipt(taken: u64, left: u64, tally: Tally, errors: &[&str]) -> Receipt {
    closed(counts(taken, left, tally), errors)
}

fn counts(taken: u64, left: u64, tally: Tally) -> Snapshot {
    let mut counts = Snapshot::default().with(&READ, taken).with(&LEFT, left).with(&BYTES, 1_234_567);
    counts.add_tally(tally);
    counts
}

fn closed(counts: Snapshot, errors: &[&str]) -> Receipt {
    Receipt::new(&counts, Duration::from_millis(1500), errors.iter().map(|&error| error.into()).collect())
}

#[test]
fn the_exit_code_says_the_same_as_the_receipt() {
    for (taken, left, tally, errors, code) in [
        (3, 0, tally(3, 0), &[][..], 0),
        (0, 0, tally(0, 0), &[], 0),
        (3, 0, tally(2, 1), &[], 1),
        (3, 1, tally(2, 0), &["stopped"], 3),
        (3, 0, tally(2, 1), &["stopped"], 3),
        (3, 0, tally(2, 0), &[], 3),
        (3, 0, tally(4, 0), &[], 3),
        (3, 0, tally(1, 1), &[], 3),
    ] {
        assert_eq!(receipt(taken, left, tally, errors).exit_code(), code, "{taken} {left} {tally:?} {errors:?}");
    }
}

#[test]
fn each_field_of_the_tally_counts() {
    let tally = Tally {
        stored: 1,
        duplicate: 20,
        unmatched: 300,
        dead_lettered: 4000,
        filtered: 50000,
        joined: 7_000_000,
        delivered: 600_000,
    };
    assert_eq!(tally.total(), 7_654_321);
    assert!(receipt(7_654_321, 0, tally, &[]).agrees);
    assert!(!receipt(654_321, 0, tally, &[]).agrees);
    let mut sum = tally;
    sum += tally;
    assert_eq!(sum.total(), 2 * 7_654_321);
}

#[test]
fn people_read_one_account() {
    let tally = Tally {
        stored: 1_000_000,
        duplicate: 200_000,
        unmatched: 30_000,
        dead_lettered: 4_000,
        filtered: 567,
        ..Tally::default()
    };
    let expected = "\
receipt
  read                1,234,567
= stored              1,030,000 (1,000,000 parsed + 30,000 unparsed)
+ duplicate             200,000
+ dead-lettered           4,000
+ filtered                  567
  1.2 MB in 1.500 s: 823,045 lines/s";
    assert_eq!(receipt(1_234_567, 0, tally, &[]).to_string(), expected);
    let unequal = receipt(1_234_570, 0, tally, &[]).to_string();
    assert!(unequal.contains("\n≠ stored"), "{unequal}");
    assert!(unequal.ends_with("\n  the two sides differ by 3: lines are unaccounted for"), "{unequal}");
    let unfinished = receipt(1_235_567, 1_000, tally, &["stopped"]).to_string();
    assert!(unfinished.ends_with("\n  not finished: 1,000 lines were read ahead and not stored"), "{unfinished}");
}

#[test]
fn what_an_earlier_run_settled_is_told_and_not_part_of_the_account() {
    let resumed = |taken| {
        let counts = counts(taken, 0, tally(taken, 0)).with(&RESUMED_LINES, 1_000).with(&RESUMED_BYTES, 50_000);
        closed(counts, &[])
    };
    let (nothing, resumed) = (resumed(0), resumed(3));
    assert!(resumed.agrees && resumed.exit_code() == 0);
    let words = "\n  resumed: 1,000 lines, 50.0 kB, were settled by an earlier run and are not delivered again";
    assert!(resumed.to_string().ends_with(words), "{resumed}");
    let nothing = nothing.to_string();
    assert!(nothing.ends_with(&format!("{words}; nothing was left to do")), "{nothing}");
    assert!(!receipt(3, 0, tally(3, 0), &[]).to_string().contains("resumed"));
}

#[test]
fn pieces_of_long_lines_have_a_place_of_their_own() {
    let closed = receipt(7, 0, Tally { joined: 4, ..tally(3, 0) }, &[]);
    assert!(closed.agrees && closed.exit_code() == 0);
    assert!(
        closed.to_string().contains("+ filtered                    0\n+ joined                      4\n"),
        "{closed}"
    );
}

#[test]
fn what_one_line_peers_were_given_has_a_place_of_its_own() {
    let tally = Tally { delivered: 7, ..tally(3, 0) };
    let closed = receipt(10, 0, tally, &[]);
    assert!(closed.agrees && closed.exit_code() == 0);
    assert!(
        closed.to_string().contains("+ filtered                    0\n+ delivered                   7\n"),
        "{closed}"
    );
    let json = serde_json::to_string(&closed).unwrap();
    assert!(json.contains(r#""delivered":7"#), "{json}");
    // A receipt of an older version has no such key.
    let old: Receipt = serde_json::from_str(&json.replace(r#""delivered":7,"#, "")).unwrap();
    assert_eq!(old.tally.delivered, 0);
}

fn pattern(name: &str, tried: u64, nanoseconds: u64, limit_hits: u64) -> Row {
    let values = [tried, tried / 2, nanoseconds, limit_hits].map(Some);
    Row { label: name.into(), counts: PATTERN.iter().zip(values).collect() }
}

#[test]
fn patterns_are_shown_when_there_are_several_or_one_gave_up_the_most_expensive_first() {
    let shown = |patterns: &[Row]| {
        let receipt = closed(counts(1, 0, tally(1, 0)).with_rows(patterns.to_vec()), &[]).to_string();
        let lines = receipt.lines().skip_while(|line| !line.contains("lines/s")).skip(1);
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(shown(&[]), [""; 0]);
    assert_eq!(shown(&[pattern("combined", 1000, 100_000, 0)]), [""; 0]);
    assert_eq!(
        shown(&[pattern("combined", 1000, 100_000, 7)]),
        ["  combined: 1,000 tried, 500 matched, about 100 ns each, 7 given up"]
    );
    let long = "%{NOTSPACE:a} ".repeat(9);
    let lines = shown(&[pattern("cheap", 10, 10, 0), pattern(&long, 10, 90_000, 0), pattern("untried", 0, 0, 0)]);
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with("%{NOTS…: 10 tried, 5 matched, about 9,000 ns each"), "{lines:?}");
    assert_eq!(lines[1], "  cheap: 10 tried, 5 matched, about 1 ns each");
    let many: Vec<Row> = (0..50).map(|index| pattern("p", 1, index, 0)).collect();
    assert_eq!(shown(&many).len(), 11);
    assert_eq!(shown(&many)[10], "  and 40 more patterns, which the JSON receipt lists");
}

#[test]
fn the_json_splits_the_newly_stored_lines_into_parsed_and_unparsed() {
    let tally = Tally { stored: 5, unmatched: 2, duplicate: 1, ..Tally::default() };
    let value = serde_json::to_value(receipt(8, 0, tally, &[])).unwrap();
    // `stored` keeps its meaning: without the lines that nothing matched.
    for (key, count) in [("stored", 5), ("parsed", 5), ("unmatched", 2), ("unparsed", 2), ("duplicate", 1), ("read", 8)]
    {
        assert_eq!(value[key], count, "{key}");
    }
    assert_eq!(tally.newly_stored(), 7);
}

#[test]
fn a_receipt_is_read_back_as_it_was_written() {
    let receipt = closed(counts(5, 1, tally(3, 1)).with_rows([pattern("a", 5, 9, 1)]), &["the disk is full"]);
    let json = serde_json::to_string(&receipt).unwrap();
    assert_eq!(serde_json::from_str::<Receipt>(&json).unwrap(), receipt);
    let value: serde_json::Value = serde_json::from_str(&json).unwrap();
    for key in [
        "read",
        "stored",
        "parsed",
        "unparsed",
        "duplicate",
        "unmatched",
        "dead_lettered",
        "filtered",
        "agrees",
        "finished",
    ] {
        assert!(value.get(key).is_some(), "{key} is at the top");
    }
}

counters! {
    THINGS of Sink;
    RETRIES = 1024, "retries", "batches", "Batches that were tried again.", words(Words::NotZero("{} tried again"));
    WRITTEN = 1025, "written", "bytes", "Bytes written.", words(Words::Always("{} bytes written"));
    SPARED = 1026, "spared", "batches", "Batches that were spared.", words(Words::NotZero("; {} spared")), shown(Shown::NotZero);
}

#[test]
fn counters_of_sinks_are_words_and_keys_of_the_receipt_as_their_table_says() {
    let row = |label: &str, values: [Option<u64>; 3]| Row {
        label: label.into(),
        counts: THINGS.iter().zip(values).collect(),
    };
    let rows = [row("a\n", [Some(1), Some(2000), Some(3)]), row("b", [Some(0), Some(0), Some(0)]), row("c", [None; 3])];
    let closed = closed(counts(1, 0, tally(1, 0)).with_rows(rows), &[]);
    let text = closed.to_string();
    let lines: Vec<&str> = text.lines().skip_while(|line| !line.contains("lines/s")).skip(1).collect();
    assert_eq!(lines, ["  a\\n: 1 tried again, 2,000 bytes written; 3 spared", "  b: 0 bytes written"]);
    let json = serde_json::to_value(&closed).unwrap();
    let expected = serde_json::json!([
        {"name": "a\n", "retries": 1, "written": 2000, "spared": 3},
        {"name": "b", "retries": 0, "written": 0},
        {"name": "c", "retries": null, "written": null},
    ]);
    assert_eq!(json["sinks"], expected);
    assert_eq!(
        (RETRIES.metric(), WRITTEN.metric()),
        (THINGS[0].metric(), "logator_sink_written_bytes_total".to_owned())
    );
    assert_eq!(SPARED.shown, Shown::NotZero);
}

/// A counter that is added to the table appears in the receipt, or the table names another place.
#[test]
fn each_counter_of_the_table_is_in_the_json_receipt_or_its_place_is_named() {
    let mut counts = Snapshot::default().with(&READ, 1 << 40);
    for spec in TABLE.into_iter().flatten() {
        let value = u64::from(spec.number) + 1000;
        match spec.scope.label() {
            None => counts.add(spec, value),
            Some(_) => counts = counts.with_rows([Row { label: "it".into(), counts: vec![(spec, Some(value))] }]),
        }
    }
    let json = serde_json::to_value(closed(counts.clone(), &[])).unwrap();
    for spec in TABLE.into_iter().flatten() {
        let value = u64::from(spec.number) + 1000;
        let found = match spec.scope.list() {
            None => json[spec.name].as_u64(),
            Some(list) => json[list].as_array().unwrap().iter().find_map(|row| row[spec.name].as_u64()),
        };
        let expected = match spec.shown {
            Shown::Elsewhere(place) => {
                assert!(!place.is_empty());
                None
            }
            // Lines that are left are no part of `read`.
            _ if *spec == READ => Some(counts.get(&READ) - counts.get(&LEFT)),
            _ => Some(value),
        };
        assert_eq!(found, expected, "{}", spec.name);
    }
}
