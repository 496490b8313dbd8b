//! The messages have exactly the bytes that the document gives them, and no other bytes are accepted.

use proptest::prelude::*;

use super::*;

const DOCUMENT: &str = include_str!("../../../doc/protocol.md");

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// The messages of the document's example: `true` for a request, and the frames.
fn example() -> Vec<(bool, Vec<Vec<u8>>)> {
    let section = DOCUMENT.split("## Example, byte by byte").nth(1).expect("the example's heading");
    let block = section.split("```").nth(1).expect("the example's block");
    let mut messages: Vec<(bool, Vec<Vec<u8>>)> = Vec::new();
    for line in block.lines().filter(|line| !line.trim().is_empty()) {
        let start = [("→", true), ("←", false)]
            .into_iter()
            .find_map(|(arrow, request)| line.strip_prefix(arrow).map(|rest| (request, rest)));
        match start {
            Some((request, first)) => messages.push((request, vec![unhex(first)])),
            None => messages.last_mut().expect("an arrow first").1.push(unhex(line)),
        }
    }
    messages
}

fn stored(lease: LeaseId, stored: u64) -> Ack {
    Ack { lease, tally: Tally { stored, ..Tally::default() } }
}

#[test]
fn the_document_s_example_is_what_is_sent_and_understood() {
    enum Message {
        Asks(Request),
        Answers(Reply),
    }
    let wait = Duration::from_secs(5);
    let origin = Arc::new(Origin::new(0xff, "x"));
    let batch = Batch::new(origin, 0, 2, Bytes::from_static(b"a\nbc\n"));
    let expected = [
        Message::Asks(Request::Reserve { wait, acks: vec![] }),
        Message::Answers(Reply::Batch { lease: 7, ttr: Duration::from_secs(10), batch }),
        Message::Asks(Request::Reserve { wait, acks: vec![stored(7, 2)] }),
        Message::Answers(Reply::End),
    ];
    let example = example();
    let mut checked = 0;
    assert_eq!(example.len(), expected.len(), "the document's example has other messages than this test");
    for ((is_request, frames), message) in example.into_iter().zip(expected) {
        assert_eq!(frames[0], MAGIC);
        let data = frames.get(2).cloned().map(Bytes::from);
        match message {
            Message::Asks(request) => {
                assert!(is_request);
                assert_eq!(request.encode(), frames[1]);
                assert_eq!(Request::decode(&frames[1]), Ok(request));
                assert_eq!(frames.len(), 2);
            }
            Message::Answers(reply) => {
                assert!(!is_request);
                assert_eq!(reply.encode(), frames[1]);
                if let Reply::Batch { batch, .. } = &reply {
                    assert_eq!(Some(&batch.data), data.as_ref());
                }
                assert_eq!(Reply::decode(&frames[1], data), Ok(reply));
            }
        }
        checked += 1;
    }
    assert!(checked >= 4, "only {checked} messages of the document were checked");
}

#[test]
fn every_op_has_the_bytes_that_the_document_s_tables_give_it() {
    let ack = Ack {
        lease: 0x0102030405060708,
        tally: Tally { stored: 1, duplicate: 2, unmatched: 3, dead_lettered: 4, filtered: 5, delivered: 0 },
    };
    let ack_bytes = "0102030405060708 00000001 00000002 00000003 00000004 00000005";
    let requests = [
        (
            Request::Reserve { wait: Duration::from_millis(258), acks: vec![ack] },
            format!("01 00000102 0001 {ack_bytes}"),
        ),
        (Request::Touch(vec![1, 2]), "02 0002 0000000000000001 0000000000000002".into()),
        (Request::Release(vec![u64::MAX]), "03 0001 ffffffffffffffff".into()),
        (Request::Bye(vec![ack]), format!("04 0001 {ack_bytes}")),
    ];
    for (request, bytes) in requests {
        assert_eq!(request.encode(), unhex(&bytes), "{request:?}");
        assert_eq!(Request::decode(&unhex(&bytes)), Ok(request));
    }
    let replies = [
        (Reply::Wait(Duration::from_millis(250)), "82 000000fa"),
        (Reply::End, "83"),
        (Reply::Ok(258), "84 0102"),
        (Reply::Error(ErrorCode::Version, "é".into()), "85 0001 0002 c3a9"),
        (Reply::Error(ErrorCode::Malformed, String::new()), "85 0002 0000"),
    ];
    for (reply, bytes) in replies {
        assert_eq!(reply.encode(), unhex(bytes), "{reply:?}");
        assert_eq!(Reply::decode(&unhex(bytes), None), Ok(reply));
    }
}

fn millis() -> impl Strategy<Value = Duration> {
    any::<u32>().prop_map(|millis| Duration::from_millis(u64::from(millis)))
}

fn acks(most: usize) -> impl Strategy<Value = Vec<Ack>> {
    let counts = prop::array::uniform5(any::<u32>().prop_map(u64::from));
    let ack = (any::<u64>(), counts).prop_map(|(lease, [stored, duplicate, unmatched, dead_lettered, filtered])| Ack {
        lease,
        tally: Tally { stored, duplicate, unmatched, dead_lettered, filtered, delivered: 0 },
    });
    prop::collection::vec(ack, 0..most)
}

fn leases() -> impl Strategy<Value = Vec<LeaseId>> {
    prop::collection::vec(any::<u64>(), 0..20)
}

fn request() -> impl Strategy<Value = Request> {
    prop_oneof![
        (millis(), acks(20)).prop_map(|(wait, acks)| Request::Reserve { wait, acks }),
        leases().prop_map(Request::Touch),
        leases().prop_map(Request::Release),
        acks(20).prop_map(Request::Bye),
    ]
}

fn reply() -> impl Strategy<Value = Reply> {
    let lines = prop::collection::vec(any::<u8>(), 1..60);
    let batch = (any::<u64>(), millis(), any::<u64>(), any::<u64>(), (0_u8..3, any::<bool>()), ".{0,20}", lines);
    prop_oneof![
        batch.prop_map(|(lease, ttr, id, offset, (envelope, partial), name, data)| {
            let lines = crate::core::lines::count(&data) as u32;
            let origin = Origin::new(id, name).wrapped(Envelope::of_code(envelope).expect("one of three"));
            let batch = Batch::new(Arc::new(origin), offset, lines, data.into()).with_partial(partial);
            Reply::Batch { lease, ttr, batch }
        }),
        millis().prop_map(Reply::Wait),
        Just(Reply::End),
        any::<u16>().prop_map(Reply::Ok),
        (prop_oneof![Just(ErrorCode::Version), Just(ErrorCode::Malformed)], ".{0,40}")
            .prop_map(|(code, text)| Reply::Error(code, text)),
    ]
}

fn data_of(reply: &Reply) -> Option<Bytes> {
    match reply {
        Reply::Batch { batch, .. } => Some(batch.data.clone()),
        _ => None,
    }
}

/// Returns the memory of a decoded request, in bytes, without the request itself.
fn held(request: &Request) -> usize {
    match request {
        Request::Reserve { acks, .. } | Request::Bye(acks) => acks.capacity() * size_of::<Ack>(),
        Request::Touch(leases) | Request::Release(leases) => leases.capacity() * size_of::<LeaseId>(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

    #[test]
    fn a_request_arrives_as_it_was_sent(request in request()) {
        prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
    }

    #[test]
    fn a_reply_arrives_as_it_was_sent(reply in reply()) {
        prop_assert_eq!(Reply::decode(&reply.encode(), data_of(&reply)), Ok(reply));
    }

    #[test]
    fn a_message_that_is_cut_short_or_continued_is_refused(request in request(), reply in reply(), more: u8) {
        let whole = request.encode();
        for length in 0..whole.len() {
            prop_assert!(Request::decode(&whole[..length]).is_err(), "cut to {} bytes", length);
        }
        prop_assert!(Request::decode(&[&whole[..], &[more]].concat()).is_err());
        let whole = reply.encode();
        for length in 0..whole.len() {
            prop_assert!(Reply::decode(&whole[..length], data_of(&reply)).is_err(), "cut to {} bytes", length);
        }
        prop_assert!(Reply::decode(&[&whole[..], &[more]].concat(), data_of(&reply)).is_err());
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(
        op in prop_oneof![1u8..5, 0x81u8..0x86, any::<u8>()],
        rest in prop::collection::vec(any::<u8>(), 0..200),
        data in prop::option::of(prop::collection::vec(any::<u8>(), 0..50)),
    ) {
        let frame = [&[op][..], &rest].concat();
        if let Ok(request) = Request::decode(&frame) {
            prop_assert_eq!(request.encode(), &frame[..], "there is one way to write a request");
            prop_assert!(held(&request) <= 2 * frame.len() + 8 * size_of::<Ack>());
        }
        if let Ok(reply) = Reply::decode(&frame, data.map(Bytes::from))
            && !matches!(reply, Reply::Error(ErrorCode::Malformed, _))
        {
            prop_assert_eq!(reply.encode(), frame, "there is one way to write a reply");
        }
    }

    #[test]
    fn a_batch_with_another_number_of_lines_than_it_says_is_refused(
        data in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..30),
        lines in 0u32..20,
    ) {
        let origin = Arc::new(Origin::new(1, "x"));
        let batch = Batch::new(origin, 0, lines, data.clone().into());
        let frame = Reply::Batch { lease: 1, ttr: Duration::ZERO, batch }.encode();
        let right = lines > 0 && crate::core::lines::count(&data) == lines as usize;
        prop_assert_eq!(Reply::decode(&frame, Some(data.into())).is_ok(), right);
    }
}

#[test]
fn a_count_that_does_not_fit_its_frame_is_refused() {
    for frame in ["01 00000000 ffff", "02 ffff", "03 0001 00", "04 0002", "01 00000000 0000 00", "", "00", "81", "ff"] {
        assert!(Request::decode(&unhex(frame)).is_err(), "{frame}");
    }
    assert!(Reply::decode(&unhex("85 0001 ffff"), None).is_err());
    assert!(Reply::decode(&unhex("85 0001 0001 ff"), None).is_err(), "a text is not UTF-8");
    let batch = "81 0000000000000007 00002710 00000000000000ff 0000000000000000 00000001 00 0001 78";
    assert!(Reply::decode(&unhex(batch), None).is_err(), "the frame with the batch's lines is missing");
    assert!(Reply::decode(&unhex(batch), Some(Bytes::from_static(b"a"))).is_ok());
    for (envelope, number) in [(Envelope::None, "80"), (Envelope::Json, "81"), (Envelope::Syslog, "82")] {
        let partial = unhex(&batch.replace(" 00 0001", &format!(" {number} 0001")));
        let Ok(Reply::Batch { batch, .. }) = Reply::decode(&partial, Some(Bytes::from_static(b"a"))) else {
            panic!("{number}: a batch whose last line is a part")
        };
        assert!(batch.partial && batch.context.origin.envelope == envelope, "{number}");
    }
    let unknown = batch.replace(" 00 0001", " 03 0001");
    assert!(Reply::decode(&unhex(&unknown), Some(Bytes::from_static(b"a"))).is_err(), "an envelope nobody knows");
}

#[test]
fn a_request_has_at_most_64_kib_and_the_most_items_fit() {
    let fits = (MAX_REQUEST - 3) / 8;
    let frame = |leases: usize| [&[TOUCH][..], &(leases as u16).to_be_bytes(), &vec![0; leases * 8]].concat();
    assert_eq!(Request::decode(&frame(fits)).map(|_| ()), Ok(()));
    let error = Request::decode(&frame(fits + 1)).expect_err("it is too long");
    assert!(error.to_string().contains("65536"), "{error}");
    let most = Request::Reserve { wait: Duration::MAX, acks: vec![stored(1, 1); MAX_ITEMS] };
    assert!(most.encode().len() <= MAX_REQUEST);
    assert!(Request::decode(&most.encode()).is_ok());
}

#[test]
fn a_time_too_long_for_32_bits_is_the_longest_there_is() {
    let longest = Duration::from_millis(u64::from(u32::MAX));
    for time in [Duration::MAX, longest + Duration::from_millis(1), longest] {
        assert_eq!(Reply::decode(&Reply::Wait(time).encode(), None), Ok(Reply::Wait(longest)));
    }
}

#[test]
fn a_text_too_long_for_16_bits_is_cut_between_characters() {
    let long = "é".repeat(40_000);
    let sent = Reply::Error(ErrorCode::Version, long.clone()).encode();
    let Ok(Reply::Error(_, text)) = Reply::decode(&sent, None) else { panic!("an error is expected") };
    assert_eq!(text.len(), 65_534);
    assert!(long.starts_with(&text));
}
