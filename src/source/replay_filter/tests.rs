//! Compares the filter with a simple implementation of the rule in `doc/state.md`.

use proptest::prelude::*;

use super::*;
use crate::core::batch::Origin;
use crate::core::context::Context;
use crate::core::record::Key;
use crate::core::records::{CLOSED, count};
use crate::state::extents::{Entry, Extent, Extents, JOINED_BYTES};

fn origin() -> Arc<Origin> {
    Arc::new(Origin::new(1, "x"))
}

/// The hand-out that every line belongs to.
const TICKET: Ticket = Ticket { source: 1, stream: 2, sequence: 3 };

fn batch(content: &[u8], start: usize, end: usize) -> Batch {
    let data = content[start..end].to_vec();
    let batch = Batch::new(origin(), start as u64, lines::count(&data) as u32, data.into());
    Batch { ticket: Some(TICKET), ..batch }
}

/// A batch of records that begin at `starts`; the last element is the end of the last record.
fn joined(content: &[u8], starts: &[usize]) -> Batch {
    let lengths = starts.windows(2).flat_map(|pair| ((pair[1] - pair[0]) as u32).to_be_bytes());
    let (first, last) = (starts[0], starts[starts.len() - 1]);
    let batch = batch(content, first, last).framed(Framing::Lengths(lengths.collect::<Vec<u8>>().into()));
    Batch { records: starts.len() as u32 - 1, ..batch }
}

fn long(content: &[u8], start: usize, end: usize) -> LongLine {
    let line = &content[start..end];
    LongLine {
        context: Context::new(origin()),
        offset: start as u64,
        beginning: Vec::new(),
        length: 0,
        length_with_end: line.len() as u64,
        hash: 0,
        checksum: checksum::of(line),
        closed: line.ends_with(b"\n"),
        partial: false,
        key: Key::Offset(start as u64),
        ticket: Some(TICKET),
        line: None,
    }
}

/// The decision that lines are settled. `records` is the number of those whose ends are settled.
fn settled_lines(start: u64, bytes: u64, lines: u64, records: u32) -> Decision {
    Decision::Settled { start, amount: Amount { lines, bytes }, ticket: Some((TICKET, records)) }
}

fn extent(content: &[u8], start: usize, end: usize) -> Extent {
    let bytes = &content[start..end];
    let (start, length) = (start as u64, bytes.len() as u64);
    Extent { start, length, checksum: checksum::of(bytes), closed: bytes.ends_with(b"\n"), cut: false }
}

fn known(extents: &[(u32, Extent)]) -> Arc<[Known]> {
    let mut known: Vec<Known> = extents.iter().map(|&(lineage, extent)| Known { extent, lineage }).collect();
    known.sort_by_key(|known| known.extent);
    known.into()
}

/// The offset of each line of `content`, and the length of `content`.
fn borders(content: &[u8]) -> Vec<usize> {
    let mut borders = vec![0];
    borders.extend(memchr::memchr_iter(b'\n', content).map(|at| at + 1));
    borders.extend((borders.last() != Some(&content.len())).then_some(content.len()));
    borders
}

/// The decision for each line: its offset, and whether it is delivered. The function also checks that no line is
/// missing, doubled or changed, and that each belongs to the hand-out once.
fn fates(content: &[u8], out: &[Decision]) -> Vec<(usize, bool)> {
    let (mut fates, mut position) = (Vec::new(), 0);
    let handed_on = |decision: &Decision| match decision {
        Decision::Deliver(batch) => batch.ticket.map_or(0, |_| batch.records),
        Decision::SetAside(line) => line.ticket.map_or(0, |_| 1),
        Decision::Settled { ticket, .. } => ticket.map_or(0, |(_, records)| records),
    };
    assert_eq!(out.iter().map(handed_on).sum::<u32>() as usize, lines::count(content));
    for decision in out {
        let (start, length, count, delivered) = match decision {
            Decision::Deliver(batch) => {
                let start = batch.offset as usize;
                assert_eq!(batch.data[..], content[start..start + batch.data.len()]);
                (batch.offset, batch.data.len() as u64, u64::from(batch.records), true)
            }
            Decision::SetAside(line) => (line.offset, line.length_with_end, 1, true),
            Decision::Settled { start, amount, .. } => (*start, amount.bytes, amount.lines, false),
        };
        assert_eq!(start as usize, position, "in order, without gap or overlap");
        assert!(length > 0);
        let part = &content[position..position + length as usize];
        assert_eq!(lines::count(part) as u64, count);
        fates.extend(lines::lines(part).map(|line| (position + line.start, delivered)));
        position += length as usize;
    }
    assert_eq!(position, content.len());
    fates
}

/// The rule: a line is settled if it lies in bytes that equal an extent, or if only its line end lies outside of them.
fn expected(content: &[u8], extents: &[(u32, Extent)]) -> Vec<(usize, bool)> {
    let equal: Vec<(usize, usize)> = extents
        .iter()
        .map(|(_, extent)| (extent.start as usize, (extent.start + extent.length) as usize, extent.checksum))
        .filter(|&(start, end, checksum)| end <= content.len() && checksum::of(&content[start..end]) == checksum)
        .map(|(start, end, _)| (start, end))
        .collect();
    let line = |pair: &[usize]| {
        let (start, end) = (pair[0], pair[1]);
        let within = |&(from, to): &(usize, usize)| {
            from <= start && (end <= to || (start < to && matches!(&content[to..end], b"\n" | b"\r\n")))
        };
        (start, !equal.iter().any(within))
    };
    borders(content).windows(2).map(line).collect()
}

/// Contents that begin alike and have few variants, so that they agree often and differ often.
fn contents() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let line = prop_oneof![Just("a"), Just("a"), Just("b"), Just(""), Just("ab"), Just("c\r")];
    let lines = || prop::collection::vec(line.clone(), 1..9);
    (lines(), prop::collection::vec((0usize..9, lines(), any::<bool>()), 1..4)).prop_map(|(first, others)| {
        let make = |lines: &[&str], closed: bool| {
            let text = lines.join("\n");
            (if closed { text + "\n" } else { text }).into_bytes()
        };
        let mut contents = vec![make(&first, true)];
        for (common, more, closed) in others {
            contents.push(make(&[&first[..common.min(first.len())], &more].concat(), closed));
        }
        contents
    })
}

/// Extents of contents as runs settle them: whole lines, some of them joined.
fn settled(contents: &[Vec<u8>], random: &mut fastrand::Rng) -> Vec<(u32, Extent)> {
    let mut extents = Extents::default();
    for (lineage, content) in contents.iter().enumerate() {
        let borders = borders(content);
        let mut at = 0;
        while at + 1 < borders.len() {
            let to = random.usize(at + 1..borders.len());
            if random.u8(..) < 150 {
                let extent = extent(content, borders[at], borders[to]);
                extents.insert(Entry { origin: 1, lineage: lineage as u32, extent });
            }
            at = to;
        }
    }
    extents.iter().map(|entry| (entry.lineage, entry.extent)).filter(|(_, extent)| extent.length > 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn a_line_is_settled_when_and_only_when_the_rule_says_so(contents in contents(), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let extents = settled(&contents, &mut random);
        for content in contents.iter().filter(|content| !content.is_empty()) {
            let mut filter = ReplayFilter::new(known(&extents));
            let (mut out, borders, mut at) = (Vec::new(), borders(content), 0);
            while at + 1 < borders.len() {
                let to = random.usize(at + 1..borders.len());
                filter.batch(batch(content, borders[at], borders[to]), &mut out);
                at = to;
                if let Some(&next) = borders.get(to + 1).filter(|_| random.bool()) {
                    // The unfinished line is shown to the filter once or twice.
                    let unfinished = &content[borders[to]..next - 1];
                    filter.look_ahead(&unfinished[..random.usize(..=unfinished.len())], &mut out);
                    filter.look_ahead(unfinished, &mut out);
                }
            }
            filter.emit_all(&mut out);
            prop_assert!(filter.held_from().is_none());
            prop_assert_eq!(fates(content, &out), expected(content, &extents), "{:?} with {:?}", content, extents);
        }
    }

    #[test]
    fn a_record_is_cut_only_where_settled_lines_begin_or_end(contents in contents(), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let extents = settled(&contents, &mut random);
        for content in contents.iter().filter(|content| !content.is_empty()) {
            let lines = borders(content);
            let begins = |random: &mut fastrand::Rng, &line: &usize| line == 0 || line == content.len() || random.bool();
            let starts: Vec<usize> = lines.iter().copied().filter(|line| begins(&mut random, line)).collect();
            let mut filter = ReplayFilter::new(known(&extents));
            let (mut out, mut at) = (Vec::new(), 0);
            while at + 1 < starts.len() {
                let to = random.usize(at + 1..starts.len());
                filter.batch(joined(content, &starts[at..=to]), &mut out);
                at = to;
                if let Some(&next) = starts.get(to + 1) {
                    // The open record and the unfinished line are shown to the filter.
                    filter.look_ahead(&content[starts[to]..random.usize(starts[to]..next)], &mut out);
                }
            }
            filter.emit_all(&mut out);
            let (mut position, mut records) = (0, Vec::new());
            for decision in &out {
                let (start, length) = match decision {
                    Decision::Deliver(batch) => {
                        prop_assert_eq!(count(&batch.data, &batch.framing), Ok(batch.records as usize));
                        records.extend(batch.records().map(|record| batch.offset as usize + record.start));
                        (batch.offset, batch.data.len() as u64)
                    }
                    Decision::Settled { start, amount, .. } => (*start, amount.bytes),
                    Decision::SetAside(_) => unreachable!("no line is long"),
                };
                prop_assert_eq!(start, position);
                position += length;
            }
            prop_assert_eq!(position, content.len() as u64);
            let fates = expected(content, &extents);
            let is_first = |index: usize| starts.contains(&fates[index].0) || !fates[index - 1].1;
            let delivered = (0..fates.len()).filter(|&index| fates[index].1);
            let due: Vec<usize> = delivered.filter(|&index| is_first(index)).map(|index| fates[index].0).collect();
            prop_assert_eq!(records, due, "{:?} with {:?}", content, extents);
        }
    }

    #[test]
    fn what_is_let_go_early_is_delivered_and_never_lost(contents in contents(), seed in any::<u64>()) {
        let mut random = fastrand::Rng::with_seed(seed);
        let extents = settled(&contents, &mut random);
        for content in contents.iter().filter(|content| !content.is_empty()) {
            let mut filter = ReplayFilter::new(known(&extents));
            let mut out = Vec::new();
            for pair in borders(content).windows(2) {
                filter.batch(batch(content, pair[0], pair[1]), &mut out);
                if random.bool() {
                    filter.emit_all(&mut out);
                    prop_assert!(filter.held_from().is_none());
                }
            }
            filter.emit_all(&mut out);
            for (got, rule) in fates(content, &out).iter().zip(expected(content, &extents)) {
                prop_assert!(got.1 || !rule.1, "a line that is not settled is delivered");
            }
        }
    }
}

#[test]
fn what_has_come_of_a_line_decides_about_a_extent_that_ends_there() {
    let content = b"one\ntwo\npart";
    let run = |unfinished: &[u8]| {
        let (mut filter, mut out) = (ReplayFilter::new(known(&[(1, extent(content, 0, 12))])), Vec::new());
        filter.batch(batch(content, 0, 8), &mut out);
        filter.look_ahead(unfinished, &mut out);
        out
    };
    assert_eq!(run(b"par"), []);
    for unfinished in [&b"part"[..], b"partial"] {
        assert_eq!(run(unfinished), [settled_lines(0, 8, 2, 2)]);
    }
    assert_eq!(run(b"pant"), [Decision::Deliver(batch(content, 0, 8))]);
}

#[test]
fn a_gap_is_filled_exactly() {
    let content = b"1\n2\n3\n4\n5\n6\n";
    let extents = [(1, extent(content, 0, 4)), (1, extent(content, 8, 10))];
    let mut out = Vec::new();
    let mut filter = ReplayFilter::new(known(&extents));
    filter.batch(batch(content, 0, 12), &mut out);
    let expected = [
        settled_lines(0, 4, 2, 2),
        Decision::Deliver(batch(content, 4, 8)),
        settled_lines(8, 2, 1, 1),
        Decision::Deliver(batch(content, 10, 12)),
    ];
    assert_eq!(out, expected);
    assert!(filter.is_exhausted());
    assert_eq!(filter.lineage(), Some(1));
}

#[test]
fn long_lines_are_settled_like_others_and_a_border_inside_of_one_counts_for_nothing() {
    let content = b"one\ntwenty-two\nthree\n";
    let run = |extents: &[(u32, Extent)]| {
        let (mut filter, mut out) = (ReplayFilter::new(known(extents)), Vec::new());
        filter.batch(batch(content, 0, 4), &mut out);
        filter.long_line(long(content, 4, 15), &mut out);
        filter.batch(batch(content, 15, 21), &mut out);
        filter.emit_all(&mut out);
        fates(content, &out).iter().map(|&(_, delivered)| delivered).collect::<Vec<_>>()
    };
    assert_eq!(run(&[(1, extent(content, 0, 15))]), [false, false, true]);
    assert_eq!(run(&[(1, extent(content, 4, 15))]), [true, false, true]);
    assert_eq!(run(&[(1, extent(content, 0, 21))]), [false, false, false]);
    assert_eq!(run(&[(1, extent(content, 0, 7)), (1, extent(content, 7, 15))]), [true, true, true]);
}

#[test]
fn a_content_goes_on_with_a_lineage_only_if_all_of_it_agrees() {
    let (a, b) = (b"h\naaa\nbbb\nnew\n", b"h\naaa\nxxx\n");
    let extents = [(3, extent(b, 0, 6)), (3, extent(b, 6, 10)), (5, extent(a, 0, 2)), (5, extent(a, 2, 10))];
    let lineage = |content: &[u8]| {
        let (mut filter, mut out) = (ReplayFilter::new(known(&extents)), Vec::new());
        filter.batch(batch(content, 0, content.len()), &mut out);
        filter.lineage()
    };
    assert_eq!(lineage(a), Some(5), "3 agrees at first, and then does not");
    assert_eq!(lineage(b), Some(3));
    assert_eq!(lineage(b"h\nccc\nddd\n"), None);
}

#[test]
fn no_more_is_held_back_than_a_joined_extent_and_a_batch() {
    let line = |index: usize| format!("{index:0>99}\n");
    let content: Vec<u8> = (0..200_000).flat_map(|index| line(index).into_bytes()).collect();
    let mut other = content.clone();
    let (mut extents, step) = (Extents::default(), 100_000);
    // Extents of two contents, each of which overlaps half of the next.
    for start in (0..content.len()).step_by(step) {
        extents.insert(Entry { origin: 1, lineage: 1, extent: extent(&content, start, start + step) });
    }
    other[50] = b'x';
    for start in (step / 2..content.len() - step).step_by(step) {
        extents.insert(Entry { origin: 1, lineage: 2, extent: extent(&other, start, start + step) });
    }
    let extents: Vec<(u32, Extent)> = extents.iter().map(|entry| (entry.lineage, entry.extent)).collect();
    let (mut filter, mut out, mut most) = (ReplayFilter::new(known(&extents)), Vec::new(), 0);
    for start in (0..content.len()).step_by(step) {
        filter.batch(batch(&content, start, start + step), &mut out);
        let held: usize = filter.held.iter().map(|held| matches!(held, Held::Batch(b) if !b.data.is_empty())).count();
        most = most.max(held * step);
    }
    filter.emit_all(&mut out);
    assert!(most > step && most <= JOINED_BYTES as usize + step, "{most} bytes were held");
    assert!(fates(&content, &out).iter().all(|&(_, delivered)| !delivered));
}

/// A line was cut by a time-out while its file was followed. Its parts are two extents that touch inside of the line.
#[test]
fn a_line_that_was_cut_is_settled_by_the_extents_of_its_parts() {
    let content = b"one\ntwo three four\nfive\n";
    let parts = |lineages: [u32; 3]| {
        known(&[
            (lineages[0], extent(content, 0, 8)),
            (lineages[1], extent(content, 8, 14)),
            (lineages[2], extent(content, 14, 19)),
        ])
    };
    let decide = |known: Arc<[Known]>, steps: &[(usize, usize)]| {
        let mut filter = ReplayFilter::new(known);
        let mut out = Vec::new();
        for &(start, end) in steps {
            filter.batch(batch(content, start, end), &mut out);
        }
        filter.emit_all(&mut out);
        fates(content, &out)
    };
    let settled = [(0, false), (4, false), (19, true)];
    assert_eq!(decide(parts([1, 1, 1]), &[(0, 24)]), settled);
    assert_eq!(decide(parts([1, 1, 1]), &[(0, 4), (4, 19), (19, 24)]), settled);
    // If the extents belong to different contents, or the last part is missing, the line was never settled as it is
    // now.
    let line = [(0, false), (4, true), (19, true)];
    assert_eq!(decide(parts([1, 2, 1]), &[(0, 24)]), line);
    assert_eq!(decide(known(&[(1, extent(content, 0, 8)), (1, extent(content, 8, 14))]), &[(0, 24)]), line);
}

/// The first part of a line was delivered and settled because its end did not come. Then came a restart or a
/// truncation.
#[test]
fn of_a_line_whose_beginning_was_handed_out_the_rest_is_delivered_and_is_partial() {
    let content = b"one\ntwo three four\nfive\n";
    let cut = |start, end| Extent { cut: true, ..extent(content, start, end) };
    let rest = |start, end| Decision::Deliver(batch(content, start, end).with_partial(true));
    let decide = |extents: &[(u32, Extent)]| {
        let (mut filter, mut out) = (ReplayFilter::new(known(extents)), Vec::new());
        filter.batch(batch(content, 0, 24), &mut out);
        filter.emit_all(&mut out);
        fates(content, &out);
        out
    };
    let five = Decision::Deliver(batch(content, 19, 24));
    assert_eq!(decide(&[(1, cut(0, 8))]), [settled_lines(0, 8, 2, 1), rest(8, 19), five.clone()]);
    // The line was settled in three parts, in one lineage or in several.
    for lineages in [[1, 1], [1, 2]] {
        let extents = [(lineages[0], cut(0, 8)), (lineages[1], cut(8, 14))];
        assert_eq!(decide(&extents), [settled_lines(0, 14, 2, 1), rest(14, 19), five.clone()]);
        let extents = [(lineages[0], cut(0, 8)), (lineages[1], extent(content, 8, 19))];
        assert_eq!(decide(&extents), [settled_lines(0, 19, 2, 2), five.clone()]);
    }
    // A content that ended there was complete. The line as it is now is another line.
    assert_eq!(
        decide(&[(1, extent(content, 0, 8))])[..2],
        [settled_lines(0, 4, 1, 1), Decision::Deliver(batch(content, 4, 24))]
    );
}

/// The record `b` ended because no byte came, and was settled. A line that continues it came later.
#[test]
fn the_rest_of_a_record_that_ended_by_time_is_delivered_as_a_record() {
    let content = b"a\nb\n c\n d\ne\n";
    let run = |extents: &[(u32, Extent)]| {
        let (mut filter, mut out) = (ReplayFilter::new(known(extents)), Vec::new());
        filter.batch(joined(content, &[0, 2, 10, 12]), &mut out);
        filter.emit_all(&mut out);
        out
    };
    let deliver = |starts: &[usize]| Decision::Deliver(joined(content, starts));
    // A record whose rest was settled already is marked.
    let closed = |starts: &[usize]| {
        let batch = joined(content, starts);
        let Framing::Lengths(table) = &batch.framing else { panic!("a table") };
        let mut table = table.to_vec();
        let last = table.len() - 4;
        table[last] |= (CLOSED >> 24) as u8;
        Decision::Deliver(batch.framed(Framing::Lengths(table.into())))
    };
    assert_eq!(run(&[(1, extent(content, 0, 4))]), [settled_lines(0, 4, 2, 1), deliver(&[4, 10, 12])]);
    assert_eq!(
        run(&[(1, extent(content, 4, 7))]),
        [closed(&[0, 2, 4]), settled_lines(4, 3, 1, 0), deliver(&[7, 10, 12])]
    );
    // The extent is that of another content, so the record is whole.
    assert_eq!(run(&[(1, extent(b"a\nb\n x\n", 4, 7))]), [deliver(&[0, 2, 10, 12])]);
}
