//! Tests of the counts and of the text of the receipt.

use std::time::Duration;

use super::*;

fn tally(stored: u64, dead_lettered: u64) -> Tally {
    Tally { stored, dead_lettered, ..Tally::default() }
}

fn receipt(taken: u64, left: u64, tally: Tally, errors: &[&str]) -> Receipt {
    let errors = errors.iter().map(|&error| error.into()).collect();
    Receipt::new(taken, left, 1_234_567, tally, Duration::from_millis(1500), errors)
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
    let tally =
        Tally { stored: 1, duplicate: 20, unmatched: 300, dead_lettered: 4000, filtered: 50000, delivered: 600_000 };
    assert_eq!(tally.total(), 654_321);
    assert!(receipt(654_321, 0, tally, &[]).agrees);
    assert!(!receipt(54_321, 0, tally, &[]).agrees);
    let mut sum = tally;
    sum += tally;
    assert_eq!(sum.total(), 2 * 654_321);
}

#[test]
fn people_read_one_account() {
    let tally = Tally {
        stored: 1_000_000,
        duplicate: 200_000,
        unmatched: 30_000,
        dead_lettered: 4_000,
        filtered: 567,
        delivered: 0,
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
    let resumed = receipt(3, 0, tally(3, 0), &[]).with_resumed(1_000, 50_000);
    assert!(resumed.agrees && resumed.exit_code() == 0);
    let words = "\n  resumed: 1,000 lines, 50.0 kB, were settled by an earlier run and are not delivered again";
    assert!(resumed.to_string().ends_with(words), "{resumed}");
    let nothing = receipt(0, 0, tally(0, 0), &[]).with_resumed(1_000, 50_000).to_string();
    assert!(nothing.ends_with(&format!("{words}; nothing was left to do")), "{nothing}");
    assert!(!receipt(3, 0, tally(3, 0), &[]).to_string().contains("resumed"));
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

fn pattern(name: &str, tried: u64, nanoseconds: u64, limit_hits: u64) -> PatternCount {
    PatternCount { name: name.into(), tried, matched: tried / 2, nanoseconds, limit_hits }
}

#[test]
fn patterns_are_shown_when_there_are_several_or_one_gave_up_the_most_expensive_first() {
    let shown = |patterns: &[PatternCount]| {
        let receipt = receipt(1, 0, tally(1, 0), &[]).with_patterns(patterns.to_vec()).to_string();
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
    let many: Vec<PatternCount> = (0..50).map(|index| pattern("p", 1, index, 0)).collect();
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
    let receipt = receipt(5, 1, tally(3, 1), &["the disk is full"]).with_patterns(vec![pattern("a", 5, 9, 1)]);
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
