//! Both framings, wrong counts, and streams that arrive in any pieces.

use super::*;
use crate::state::checksum;
use proptest::prelude::*;

/// The messages of a stream that arrives in `reads`. Each is returned with its length; the second value is the
/// error that ended the stream.
fn told(max_line: usize, reads: &[&[u8]]) -> (Vec<(Vec<u8>, u64)>, Option<Garbage>) {
    let mut framer = Framer::new(max_line);
    let mut messages = Vec::new();
    let mut take = |frame: Frame<'_>| {
        messages.push(match frame {
            Frame::Message(message) => (message.to_vec(), message.len() as u64),
            Frame::Long(long) => {
                assert_eq!(long.beginning.len(), max_line);
                assert!(long.length > max_line as u64);
                (long.beginning, long.length)
            }
        });
        Ok::<(), ()>(())
    };
    for read in reads {
        match framer.push(read, &mut take) {
            Ok(()) => assert!(framer.partial.len() <= max_line.max(HEAD)),
            Err(Broken::Garbage(garbage)) => return (messages, Some(garbage)),
            Err(Broken::Taker(())) => panic!("it takes all"),
        }
    }
    framer.finish(&mut take).unwrap();
    (messages, None)
}

fn texts(stream: &str) -> Vec<String> {
    let (messages, garbage) = told(100, &[stream.as_bytes()]);
    assert_eq!(garbage, None, "{stream:?}");
    messages.into_iter().map(|(message, _)| String::from_utf8(message).unwrap()).collect()
}

#[test]
fn both_framings_are_told_message_by_message() {
    for (stream, expected) in [
        ("<1>a\n<2>b\n", &["<1>a", "<2>b"][..]),
        ("<1>a\r\n<2>b", &["<1>a", "<2>b"]),
        ("<1>a\0<2>b\0", &["<1>a", "<2>b"]),
        ("4 <1>a4 <2>b", &["<1>a", "<2>b"]),
        ("4 <1>a\n<2>b\n4 <3>c", &["<1>a", "<2>b", "<3>c"]),
        ("8 <1>a\nb\nc", &["<1>a\nb\nc"]),
        ("5 <1>a\n5 <2>b\n", &["<1>a", "<2>b"]),
        ("\n\n\0\r\n", &[]),
        ("2024 was a year\n<1>a\n", &["2024 was a year", "<1>a"]),
        ("2024-02-03 a\n", &["2024-02-03 a"]),
        ("1234567890123 <1>a\n", &["1234567890123 <1>a"]),
        ("9", &["9"]),
        ("9 ", &["9 "]),
        ("9 <1>a", &["<1>a"]),
        ("no priority\n", &["no priority"]),
        ("grüße\n", &["grüße"]),
    ] {
        assert_eq!(texts(stream), expected, "{stream:?}");
    }
}

#[test]
fn garbage_ends_a_stream_and_what_came_before_is_told() {
    let (messages, garbage) = told(100, &[b"<1>a\n\x16\x03\x01"]);
    assert_eq!((messages.len(), garbage), (1, Some(Garbage::Control(0x16))));
}

/// The messages of a stream, and the number of wrong counts.
fn found(max_line: usize, stream: &str) -> (Vec<String>, u64) {
    let mut framer = Framer::new(max_line);
    let mut messages = Vec::new();
    let mut take = |frame: Frame<'_>| {
        messages.push(match frame {
            Frame::Message(message) => String::from_utf8_lossy(message).into_owned(),
            Frame::Long(long) => format!("{} bytes", long.length),
        });
        Ok::<(), ()>(())
    };
    framer.push(stream.as_bytes(), &mut take).unwrap();
    framer.finish(&mut take).unwrap();
    (messages, framer.take_wrong_counts())
}

#[test]
fn a_wrong_count_is_counted_and_the_next_message_is_found() {
    for (stream, expected, wrong) in [
        // Too small: the rest of the message is a message of its own.
        ("6 <1>abcd4 <2>b4 <3>c", &["<1>abc", "d", "<2>b", "<3>c"][..], 1),
        ("4 <1>a bc 4 <2>b", &["<1>a", " bc ", "<2>b"], 1),
        ("4 <1>a\nb\nc4 <2>b", &["<1>a", "b", "c", "<2>b"], 1),
        ("4 <1>a\x1b[0m4 <2>b", &["<1>a", "\x1b[0m", "<2>b"], 1),
        // Too large, by less than a message.
        ("5 <1>a4 <2>b4 <3>c", &["<1>a4", " <2>b", "<3>c"], 1),
        ("6 <1>a14 <2>bcdefghijkl4 <3>c", &["<1>a14", " <2>bcdefghijkl", "<3>c"], 1),
        // Too large, by several messages: they are found in it.
        ("30 <1>a4 <2>b4 <3>c4 <4>d4 <5>e4 <6>f4 <7>g", &["<1>a", "<2>b", "<3>c", "<4>d", "<5>e", "<6>f", "<7>g"], 1),
        ("999 <1>a4 <2>b4 <3>c", &["<1>a", "<2>b", "<3>c"], 1),
        // Beyond the limit, zero, or smaller than its own priority: no count, but a message.
        ("999999999 <1>a4 <2>b", &["<1>a", "<2>b"], 1),
        ("0 <1>a4 <2>b", &["<1>a", "<2>b"], 1),
        ("4 <1>a2 <2>b4 <3>c", &["<1>a", "<2>b", "<3>c"], 1),
        ("4 <1>a2 <2>b\n<3>c\n<4>d 1\n", &["<1>a", "<2>b", "<3>c", "<4>d 1"], 1),
        // No number.
        ("4 <1>a-4 <2>b4 <3>c", &["<1>a", "-", "<2>b", "<3>c"], 1),
        ("4 <1>a4x4 <2>b4 <3>c", &["<1>a", "4x", "<2>b", "<3>c"], 1),
        ("4 <1>a99999999999 <2>b4 <3>c", &["<1>a", "99", "<2>b", "<3>c"], 2),
        ("4 <1>a 4 <2>b", &["<1>a", " ", "<2>b"], 1),
        // The text before a count ends with digits.
        (
            "12 <0>abcdefghi12 <1>took 10 ms 40012 <2>abcdefghi4 <3>c",
            &["<0>abcdefghi", "<1>took 10 m", "s 400", "<2>abcdefghi", "<3>c"],
            1,
        ),
        // A count is missing.
        ("4 <1>a<2>b4 <3>c4 <4>d\n", &["<1>a", "<2>b", "<3>c", "<4>d"], 1),
        // Two wrong counts, one after the other, and one after a long time.
        ("3 <1>a3 <2>b4 <3>c4 <4>d3 <5>e4 <6>f", &["<1>", "a", "<2>", "b", "<3>c", "<4>d", "<5>", "e", "<6>f"], 3),
        // Right counts, of messages that look like wrong ones.
        ("15 <1>see 123 <34>4 <2>b", &["<1>see 123 <34>", "<2>b"], 0),
        ("15 <1>has 4 <2>a b4 <2>b", &["<1>has 4 <2>a b", "<2>b"], 0),
        ("004 <1>a4 <2>b", &["<1>a", "<2>b"], 0),
        ("004 <1>a004 <2>b", &["<1>a", "<2>b"], 0),
        ("4 <0>a4 <1>a004 <2>b4 <3>c", &["<0>a", "<1>a", "00", "<2>b", "<3>c"], 1),
        ("5 <1>a\n5 <2>b\n", &["<1>a", "<2>b"], 0),
        ("4 <1>a\n4 <2>b\r\n<3>c\nplain\n4 <4>d", &["<1>a", "<2>b", "<3>c", "plain", "<4>d"], 0),
        ("<1>a 4 <2>b4 <3>c\n<4>d\n", &["<1>a 4 <2>b4 <3>c", "<4>d"], 0),
    ] {
        let (messages, counted) = found(1000, stream);
        assert_eq!(messages, expected, "{stream:?}");
        assert_eq!(counted, wrong, "{stream:?}");
    }
}

#[test]
fn a_count_beyond_the_longest_line_does_not_swallow_what_is_in_the_first_bytes() {
    let stream = format!("9000 <1>a{}", "5 <2>bb".repeat(40));
    let (messages, wrong) = found(100, &stream);
    assert_eq!((messages.len(), wrong), (41, 1), "{messages:?}");
    // A count that is right is not looked into.
    let stream = format!("300 <1>{}4 <2>b", "x".repeat(297));
    assert_eq!(found(100, &stream), (vec!["300 bytes".to_owned(), "<2>b".to_owned()], 0));
}

#[test]
fn one_wrong_count_among_many_costs_no_other_message() {
    let message = |index: usize| format!("<13>1 2024-02-03T04:05:06Z h app - - - message {index}");
    for wrong in [1_usize, 3, 30, 47, 49, 60, 100, 5_000, 70_000, 900_000] {
        let mut stream = String::new();
        for index in 0..2_001 {
            let text = message(index);
            let count = if index == 1_000 { wrong } else { text.len() };
            stream.push_str(&format!("{count} {text}"));
        }
        let (messages, counted) = found(1 << 20, &stream);
        assert!(counted >= 1, "{wrong}");
        let whole = (0..2_001).filter(|index| messages.contains(&message(*index))).count();
        // The message itself is cut, and the next one may have lost its beginning to it.
        assert!(whole >= 1_999, "{wrong}: {whole}");
        let bytes = |messages: &[String]| messages.iter().map(String::len).sum::<usize>();
        let all: Vec<String> = (0..2_001).map(message).collect();
        // Digits at the end of its text may be taken for a part of the next count.
        assert!(bytes(&messages) + 4 >= bytes(&all), "{wrong}: nothing else is lost");
    }
}

#[test]
fn a_wrong_count_beyond_the_longest_line_is_found_also_when_its_message_comes_at_once() {
    let stream = b"4 <1>a4 <1>a24 <1>a5 <1>bb4 <1>a5 <1>bb";
    let single: Vec<&[u8]> = stream.chunks(1).collect();
    assert_eq!(told(16, &[&stream[..]]), told(16, &single));
    assert_eq!(told(16, &single).0.len(), 6);
}

#[test]
fn a_stream_that_is_all_wrong_counts_costs_a_bounded_time() {
    // Each count ends one byte behind the bytes that are there.
    let mut stream = Vec::new();
    for index in 0..20_000_usize {
        let inner = format!("4 <1>a4 <1>b{} <1>", 400_000 - 17 * index);
        stream.extend_from_slice(inner.as_bytes());
    }
    let mut framer = Framer::new(1 << 20);
    let (mut count, mut bytes) = (0, 0);
    let mut take = |frame: Frame<'_>| {
        count += 1;
        bytes += match frame {
            Frame::Message(message) => message.len(),
            Frame::Long(long) => long.length as usize,
        };
        Ok::<(), ()>(())
    };
    framer.push(&stream, &mut take).unwrap();
    framer.finish(&mut take).unwrap();
    // The first large count is split, and the next one, which begins in its bytes, is not: each byte is split again once at most.
    // If every count were split, there would be 40,000 messages, and the work would grow with the square of the bytes.
    assert_eq!((count, framer.take_wrong_counts()), (10, 2));
    // The messages that are not found stay in the one that holds them: only the counts of the others are left out.
    assert!(bytes + 40 > stream.len(), "{bytes} of {}", stream.len());
}

#[test]
fn a_message_beyond_the_bound_is_told_by_its_beginning_whatever_its_framing() {
    for stream in ["<1>abcdefgh\n<2>b\n", "11 <1>abcdefgh<2>b\n"] {
        let (messages, _) = told(5, &[stream.as_bytes()]);
        assert_eq!(messages, [(b"<1>ab".to_vec(), 11), (b"<2>b".to_vec(), 4)], "{stream}");
    }
    // The hash is that of the whole message.
    let mut framer = Framer::new(4);
    let mut found = None;
    let mut take = |frame: Frame<'_>| {
        if let Frame::Long(long) = frame {
            found = Some(long);
        }
        Ok::<(), ()>(())
    };
    for part in ["<1>", "abc", "def", "\n"] {
        framer.push(part.as_bytes(), &mut take).unwrap();
    }
    let hash = xxhash_rust::xxh3::xxh3_64(b"<1>abcdef");
    let checksum = checksum::of(b"<1>abcdef");
    assert_eq!(found, Some(LongMessage { beginning: b"<1>a".to_vec(), length: 9, hash, checksum }));
    assert_eq!(framer.memory(), 0, "nothing is kept between messages");
}

proptest! {
    #[test]
    fn every_split_of_a_stream_gives_the_same_messages(
        stream in prop_oneof![
            prop::collection::vec(any::<u8>(), 0..60),
            "(<1>|[0-9]{1,2} |[0-9]{1,2} <|a|\n|\u{0}|\r|é){0,20}".prop_map(String::into_bytes),
            "([0-9]{1,11} <1>|4 <1>a|5 <1>bb|0 <1>|[0-9]|[0-9]{1,2} <|a|\n| ){0,25}".prop_map(String::into_bytes),
        ],
        cuts in prop::collection::vec(0_usize..60, 0..8),
        max_line in 1_usize..20,
    ) {
        let whole = told(max_line, &[&stream]);
        let single: Vec<&[u8]> = stream.chunks(1).collect();
        prop_assert_eq!(&told(max_line, &single), &whole);
        let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let parts: Vec<&[u8]> = cuts.windows(2).map(|pair| &stream[pair[0]..pair[1]]).collect();
        prop_assert_eq!(&told(max_line, &parts), &whole);
    }

    #[test]
    fn what_is_framed_is_told(
        messages in prop::collection::vec(("<[0-9]{1,3}>[ -~é]{1,20}", 0_u8..3), 0..10)
    ) {
        let mut stream = Vec::new();
        for (message, framing) in &messages {
            match framing {
                0 => stream.extend_from_slice(format!("{} {message}", message.len()).as_bytes()),
                1 => stream.extend_from_slice(format!("{message}\n").as_bytes()),
                _ => stream.extend_from_slice(format!("{message}\0").as_bytes()),
            }
        }
        let (found, garbage) = told(1000, &[&stream]);
        let found: Vec<Vec<u8>> = found.into_iter().map(|(message, _)| message).collect();
        let expected: Vec<Vec<u8>> = messages.into_iter().map(|(message, _)| message.into_bytes()).collect();
        prop_assert_eq!((found, garbage), (expected, None));
    }
}
