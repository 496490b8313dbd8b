//! Tests of the snapshots and of their encoding.

use proptest::prelude::*;

use super::*;

fn row(label: &str, values: [u64; 4]) -> Row {
    Row { label: label.into(), counts: PATTERN.iter().zip(values.map(Some)).collect() }
}

fn decoded(bytes: &[u8]) -> Result<Snapshot, Malformed> {
    Snapshot::decode(bytes, &TABLE)
}

#[test]
fn the_bytes_of_a_snapshot_are_as_documented() {
    let counts = Snapshot::default().with(&READ, 258).with_rows([row("é", [1, 2, 3, 4])]);
    let mut bytes = vec![0, 0, 0, 1, 0, 10, 0, 0, 0, 0, 0, 0, 1, 2];
    bytes.extend([0, 2, 0xc3, 0xa9, 0, 4]);
    (64..68).zip(1..).for_each(|(number, value)| bytes.extend([0, number, 0, 0, 0, 0, 0, 0, 0, value]));
    assert_eq!(counts.encode(usize::MAX), bytes);
    assert_eq!(decoded(&bytes), Ok(counts));
    // Bytes that end within a row are an error. Bytes that end after a row are that row alone.
    for length in 1..bytes.len() {
        assert_eq!(decoded(&bytes[..length]).is_ok(), length == 14, "{length}");
    }
    assert_eq!(decoded(&[0, 1, 0xff, 0, 0]), Err(Malformed));
}

#[test]
fn counters_that_a_program_does_not_know_are_passed_over() {
    let counts = Snapshot::default().with(&READ, 1).with_rows([row("a", [1, 2, 3, 4])]);
    let bytes = counts.encode(usize::MAX);
    let known: &'static [CounterSpec] = &[TRIED];
    let found = Snapshot::decode(&bytes, &[known]).unwrap();
    assert_eq!(found.get(&READ), 0);
    let rows: Vec<_> = found.rows(Scope::Pattern).map(|row| (row.get(&TRIED), row.counts.len())).collect();
    assert_eq!(rows, [(1, 1)]);
    assert_eq!(Snapshot::decode(&bytes, &[]), Ok(Snapshot::default()));
    // A row has one scope: values of another scope are not put into it.
    let mixed = [0, 1, b'a', 0, 2, 0, 64, 0, 0, 0, 0, 0, 0, 0, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 8];
    counters! { OTHER of Source; SOURCE_COUNTER = 256, "other", "lines", "A counter of a source."; }
    let found = Snapshot::decode(&mixed, &[PATTERN, OTHER]).unwrap();
    assert_eq!((found.rows(Scope::Pattern).count(), found.rows(Scope::Source).count()), (1, 0));
    assert_eq!(SOURCE_COUNTER.scope, Scope::Source);
}

#[test]
fn rows_that_have_no_room_are_counted() {
    let names = ["a", &"b".repeat(3000), &"c".repeat(70_000), "d"];
    let counts = Snapshot::default().with_rows(names.map(|name| row(name, [1; 4])));
    for (most, labels, unreported) in [(usize::MAX, "abd", 1), (3000, "ad", 2), (0, "", 4)] {
        let bytes = counts.encode(most);
        assert!(bytes.len() <= most.max(14), "{} of {most}", bytes.len());
        let found = decoded(&bytes).unwrap();
        let first: String = found.rows(Scope::Pattern).map(|row| &row.label[..1]).collect();
        assert_eq!((first.as_str(), found.get(&UNREPORTED)), (labels, unreported));
    }
}

#[test]
fn rows_of_the_same_name_are_added_the_first_to_the_first() {
    let mut sum = Snapshot::default().with(&READ, 5).with_rows([row("a", [1, 0, 0, 0]), row("b", [2, 0, 0, 0])]);
    let twice = [row("b", [10, 1, 0, 0]), row("b", [100, 0, 0, 0]), row("c", [1000, 0, 0, 0])];
    let other = Snapshot::default().with(&READ, 3).with_rows(twice);
    sum.merge(other.clone());
    sum.merge(other);
    let rows: Vec<_> = sum.rows(Scope::Pattern).map(|row| (row.label.as_str(), row.get(&TRIED))).collect();
    assert_eq!(rows, [("a", 1), ("b", 22), ("b", 200), ("c", 2000)]);
    assert_eq!((sum.get(&READ), sum.clone().without_job().get(&READ)), (11, 0));
    assert_eq!(sum.without_job().rows(Scope::Pattern).count(), 4);
}

#[test]
fn counters_of_threads_become_a_row_and_unknown_values_stay_unknown() {
    let counters = Counters::new(PATTERN).without(&NANOSECONDS);
    std::thread::scope(|scope| {
        (0..4).for_each(|_| drop(scope.spawn(|| (0..1000).for_each(|_| counters.add(&TRIED, 2)))));
    });
    let values: Vec<_> = counters.row("a").counts.iter().map(|(_, value)| *value).collect();
    assert_eq!(values, [Some(8000), Some(0), None, Some(0)]);
    assert_eq!((counters.get(&NANOSECONDS), counters.replace(&NANOSECONDS, 5)), (0, 0));
    assert_eq!((counters.replace(&NANOSECONDS, 7), counters.row("a").get(&NANOSECONDS)), (5, 7));
}

proptest! {
    #[test]
    fn any_snapshot_is_decoded_as_it_was_encoded(
        job in prop::collection::vec((0..JOB.len(), any::<u64>()), 0..9),
        rows in prop::collection::vec(("\\PC{0,9}", any::<[u64; 4]>()), 0..9),
    ) {
        let rows = rows.iter().map(|(label, values)| row(label, *values));
        let counts = job.into_iter().fold(Snapshot::default(), |counts, (at, value)| counts.with(&JOB[at], value));
        let counts = counts.with_rows(rows);
        prop_assert_eq!(decoded(&counts.encode(usize::MAX)), Ok(counts));
    }

    #[test]
    fn any_bytes_are_decoded_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let _ = decoded(&bytes);
    }
}
