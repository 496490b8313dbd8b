//! The wire against the bytes of `doc/protocol.md`, and against bytes of nobody.

use proptest::prelude::*;

use super::*;

const PROTOCOL: &str = include_str!("../../doc/protocol.md");

/// The messages of the example: whether it is a request, and its frames.
fn example() -> Vec<(bool, Vec<Vec<u8>>)> {
    let block = PROTOCOL.rsplit("```").nth(1).expect("the example is the last block");
    let mut messages: Vec<(bool, Vec<Vec<u8>>)> = Vec::new();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let hex = line.trim_start_matches(['→', '←', ' ']).replace(' ', "");
        let frame =
            (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hex")).collect();
        match line.chars().next() {
            Some('→') => messages.push((true, vec![frame])),
            Some('←') => messages.push((false, vec![frame])),
            _ => messages.last_mut().expect("a first frame").1.push(frame),
        }
    }
    messages
}

fn batch() -> Batch {
    let origin = Arc::new(Origin { id: 0xff, name: "x".into() });
    Batch { origin, offset: 0, lines: 2, data: Bytes::from_static(b"a\nbc\n") }
}

#[test]
fn the_example_of_the_protocol_is_what_goes_over_the_wire() {
    let wait = Duration::from_secs(5);
    let acks = vec![Ack { lease: 7, tally: Tally { stored: 2, ..Tally::default() } }];
    let requests = [Request::Reserve { wait, acks: vec![] }, Request::Reserve { wait, acks }];
    let replies = [Reply::Batch { lease: 7, ttr: Duration::from_secs(10), batch: batch() }, Reply::End];
    let messages = example();
    assert_eq!(messages.len(), 4, "the example has four messages");
    let (mut requests, mut replies) = (requests.iter(), replies.iter());
    for (is_request, frames) in messages {
        assert_eq!(frames[0], MAGIC);
        if is_request {
            let request = requests.next().expect("two requests");
            assert_eq!(frames[1], request.encode());
            assert_eq!(Request::decode(&frames[1]).as_ref(), Ok(request));
        } else {
            let reply = replies.next().expect("two replies");
            assert_eq!(frames[1], reply.encode());
            let data = frames.get(2).map(|frame| Bytes::copy_from_slice(frame));
            assert_eq!(Reply::decode(&frames[1], data).as_ref(), Ok(reply));
        }
    }
}

fn tally() -> impl Strategy<Value = Tally> {
    any::<[u32; 5]>().prop_map(|[stored, duplicate, unmatched, dead_lettered, filtered]| Tally {
        stored: stored.into(),
        duplicate: duplicate.into(),
        unmatched: unmatched.into(),
        dead_lettered: dead_lettered.into(),
        filtered: filtered.into(),
    })
}

fn requests() -> impl Strategy<Value = Request> {
    let acks = || prop::collection::vec((any::<u64>(), tally()).prop_map(|(lease, tally)| Ack { lease, tally }), 0..20);
    let leases = || prop::collection::vec(any::<u64>(), 0..20);
    prop_oneof![
        (any::<u32>(), acks())
            .prop_map(|(wait, acks)| Request::Reserve { wait: Duration::from_millis(wait.into()), acks }),
        leases().prop_map(Request::Touch),
        leases().prop_map(Request::Release),
        acks().prop_map(Request::Bye),
    ]
}

fn replies() -> impl Strategy<Value = Reply> {
    let lines = prop::collection::vec("[^\n]{0,9}", 1..9);
    let batches =
        (any::<[u64; 3]>(), any::<u32>(), ".{0,9}", lines).prop_map(|([lease, id, offset], ttr, name, lines)| {
            let data: String = lines.iter().map(|line| format!("{line}\n")).collect();
            let batch = Batch {
                origin: Arc::new(Origin { id, name }),
                offset,
                lines: lines.len() as u32,
                data: Bytes::from(data),
            };
            Reply::Batch { lease, ttr: Duration::from_millis(ttr.into()), batch }
        });
    prop_oneof![
        batches,
        any::<u32>().prop_map(|wait| Reply::Wait(Duration::from_millis(wait.into()))),
        Just(Reply::End),
        any::<u16>().prop_map(Reply::Ok),
        ".{0,40}".prop_map(|text| Reply::Error(ErrorCode::Version, text)),
        ".{0,40}".prop_map(|text| Reply::Error(ErrorCode::Malformed, text)),
    ]
}

fn data_of(reply: &Reply) -> Option<Bytes> {
    match reply {
        Reply::Batch { batch, .. } => Some(batch.data.clone()),
        _ => None,
    }
}

proptest! {
    #[test]
    fn every_request_is_read_as_it_was_written(request in requests()) {
        prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
    }

    #[test]
    fn every_reply_is_read_as_it_was_written(reply in replies()) {
        prop_assert_eq!(Reply::decode(&reply.encode(), data_of(&reply)), Ok(reply));
    }

    #[test]
    fn a_request_that_is_cut_or_too_long_is_refused(request in requests(), byte in any::<u8>()) {
        let whole = request.encode();
        for length in 0..whole.len() {
            prop_assert!(Request::decode(&whole[..length]).is_err(), "cut to {length}");
        }
        let longer = [whole, vec![byte]].concat();
        prop_assert!(Request::decode(&longer).is_err());
    }

    #[test]
    fn bytes_of_nobody_are_no_message_and_no_harm(frame in prop::collection::vec(any::<u8>(), 0..200), data: Option<Vec<u8>>) {
        let _ = Request::decode(&frame);
        let _ = Reply::decode(&frame, data.map(Bytes::from));
    }

    #[test]
    fn a_count_that_its_frame_cannot_hold_is_refused(op in 1_u8..=4, count in 1_u16.., wait: u32) {
        let mut frame = vec![op];
        if op == 1 {
            frame.extend_from_slice(&wait.to_be_bytes());
        }
        frame.extend_from_slice(&count.to_be_bytes());
        prop_assert!(Request::decode(&frame).is_err());
    }
}

#[test]
fn a_batch_whose_lines_do_not_add_up_is_refused() {
    let header = Reply::Batch { lease: 1, ttr: Duration::ZERO, batch: batch() }.encode();
    for data in [None, Some(&b""[..]), Some(b"a\n"), Some(b"a\nbc\nd")] {
        assert!(Reply::decode(&header, data.map(Bytes::copy_from_slice)).is_err(), "{data:?}");
    }
}

#[test]
fn a_request_has_at_most_64_kib() {
    let most =
        Request::Reserve { wait: Duration::ZERO, acks: vec![Ack { lease: 0, tally: Tally::default() }; MAX_ITEMS] };
    assert!(most.encode().len() <= MAX_REQUEST);
    assert_eq!(
        Request::decode(&vec![2; MAX_REQUEST + 1]).unwrap_err().0,
        "a request of 65537 bytes, the most is 65536"
    );
}
