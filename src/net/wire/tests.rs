//! The messages have exactly the bytes that the document gives them, and no other bytes are accepted.

use proptest::prelude::*;

use super::*;
use crate::observe::receipt::Tally;

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

fn in_document_state(answer: Answer) -> Reply {
    Reply { answer, queue: Some(QueueState { identity: 0xa5, backlog: 0, leases: 2 }) }
}

#[test]
fn the_document_s_example_is_what_is_sent_and_understood() {
    enum Message {
        Asks(Request),
        Answers(Reply),
    }
    let wait = Duration::from_secs(5);
    let context = Context::new(Arc::new(Origin::new(0xff, "x"))).at(1_431_857_103_000);
    let batch = Batch::of(context, 0, 2, Bytes::from_static(b"a\nbc\n"));
    let first = Request { leases: Some(2), ..Ask::Reserve { wait, acks: vec![] }.into() };
    let expected = [
        Message::Asks(first),
        Message::Answers(in_document_state(Answer::Batch { lease: 7, ttr: Duration::from_secs(10), batch })),
        Message::Asks(Ask::Reserve { wait, acks: vec![stored(7, 2)] }.into()),
        Message::Answers(in_document_state(Answer::End)),
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
                assert_eq!(data_of(&reply), data);
                assert_eq!(Reply::decode(&frames[1], data), Ok(reply));
            }
        }
        checked += 1;
    }
    assert!(checked >= 4, "only {checked} messages of the document were checked");
}

#[test]
fn every_op_and_every_field_has_the_bytes_that_the_document_s_tables_give_it() {
    let ack = Ack {
        lease: 0x0102030405060708,
        tally: Tally { stored: 1, duplicate: 2, unmatched: 3, dead_lettered: 4, filtered: 5, joined: 6, delivered: 0 },
    };
    let ack_bytes = "0102030405060708 00000001 00000002 00000003 00000004 00000005 00000006";
    let report = Report { host: "é".into(), pid: 258, counters: vec![7, 8] };
    let requests = [
        (
            Ask::Reserve { wait: Duration::from_millis(258), acks: vec![ack] }.into(),
            format!("01 00000102 0001 {ack_bytes}"),
        ),
        (Ask::Touch(vec![1, 2]).into(), "02 0002 0000000000000001 0000000000000002".into()),
        (Ask::Release(vec![u64::MAX]).into(), "03 0001 ffffffffffffffff".into()),
        (
            Request { ask: Ask::Bye(vec![ack]), leases: Some(3), report: Some(report) },
            format!("04 0001 {ack_bytes} 01 00000002 0003 02 0000000a 00000102 0002 c3a9 0708"),
        ),
    ];
    for (request, bytes) in requests {
        assert_eq!(request.encode(), unhex(&bytes), "{request:?}");
        assert_eq!(Request::decode(&unhex(&bytes)), Ok(request));
    }
    let state = QueueState { identity: 1, backlog: 2, leases: 3 };
    let replies = [
        (Answer::Wait(Duration::from_millis(250)), None, "82 000000fa"),
        (Answer::End, Some(state), "83 20 00000012 0000000000000001 0000000000000002 0003"),
        (Answer::Ok(258), None, "84 0102"),
        (Answer::Error(ErrorCode::Version, "é".into()), None, "85 0001 0002 c3a9"),
        (Answer::Error(ErrorCode::Malformed, String::new()), None, "85 0002 0000"),
    ];
    for (answer, queue, bytes) in replies {
        let reply = Reply { answer, queue };
        assert_eq!(reply.encode(), unhex(bytes), "{reply:?}");
        assert_eq!(Reply::decode(&unhex(bytes), None), Ok(reply));
    }
    let origin = Origin {
        name: "n".into(),
        path: Some("p".into()),
        host: Some("h".into()),
        compression: Some("c".into()),
        encoding: Some("e".into()),
        fields: Some(Arc::from(r#"{"a":1}"#)),
        envelope: Envelope::Syslog,
        rule: IdRule::Number,
        ..Origin::new(9, "")
    };
    let context = Context { origin: Arc::new(origin), header: Some(Arc::from(&b"#"[..])), time_ms: -1 };
    let batch = Batch::of(context, 8, 1, Bytes::from_static(b"a\nb"))
        .framed(Framing::Lengths(Bytes::from_static(&[0x80, 0, 0, 3])))
        .identified(Ids::Numbers(Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 5])))
        .numbered(Bytes::from_static(&[0, 0, 0, 0, 0, 0, 0, 8]))
        .with_partial(true);
    let batch = Batch { continues: true, ..batch };
    let reply = Reply { answer: Answer::Batch { lease: 1, ttr: Duration::from_millis(2), batch }, queue: None };
    let bytes = unhex(
        "81 0000000000000001 00000002 0000000000000009 0000000000000008 00000001
         01 00000001 6e 02 00000001 70 03 00000001 68 04 00000001 63 05 00000001 65 08 00000007 7b2261223a317d 06 00000008 ffffffffffffffff
         07 00000001 23 80 00000001 02 81 00000001 01 82 00000008 0000000000000005 09 00000008 0000000000000008 83 00000004 80000003 84 00000000
         85 00000000",
    );
    assert_eq!(reply.encode(), bytes);
    assert_eq!(Reply::decode(&bytes, data_of(&reply)), Ok(reply));
}

fn millis() -> impl Strategy<Value = Duration> {
    any::<u32>().prop_map(|millis| Duration::from_millis(u64::from(millis)))
}

fn acks(most: usize) -> impl Strategy<Value = Vec<Ack>> {
    let counts = prop::array::uniform6(any::<u32>().prop_map(u64::from));
    let ack =
        (any::<u64>(), counts).prop_map(|(lease, [stored, duplicate, unmatched, dead_lettered, filtered, joined])| {
            Ack { lease, tally: Tally { stored, duplicate, unmatched, dead_lettered, filtered, joined, delivered: 0 } }
        });
    prop::collection::vec(ack, 0..most)
}

fn leases() -> impl Strategy<Value = Vec<LeaseId>> {
    prop::collection::vec(any::<u64>(), 0..20)
}

fn request() -> impl Strategy<Value = Request> {
    let ask = prop_oneof![
        (millis(), acks(20)).prop_map(|(wait, acks)| Ask::Reserve { wait, acks }),
        leases().prop_map(Ask::Touch),
        leases().prop_map(Ask::Release),
        acks(20).prop_map(Ask::Bye),
    ];
    let report = (".{0,9}", any::<u32>(), prop::collection::vec(any::<u8>(), 0..30));
    let report = report.prop_map(|(host, pid, counters)| Report { host, pid, counters });
    let some = (ask, any::<Option<u16>>(), prop::option::of(report));
    some.prop_map(|(ask, leases, report)| Request { ask, leases, report })
}

fn text() -> impl Strategy<Value = Option<String>> {
    prop::option::of(".{0,20}")
}

fn context() -> impl Strategy<Value = Context> {
    let codes = (0_u8..7, 0_u8..4);
    let texts = (".{0,20}", text(), text(), text(), text(), text(), text());
    (any::<u64>(), codes, texts, any::<i64>()).prop_map(|(id, codes, texts, time_ms)| {
        let (name, path, host, compression, encoding, header, field) = texts;
        let envelope = Envelope::of_code(codes.0).expect("one of seven");
        let rule = IdRule::of_code(codes.1).expect("one of four");
        let fields = field.into_iter().map(|field| (field.clone(), serde_json::Value::from(field))).collect();
        let origin = Origin { path, host, compression, encoding, envelope, rule, ..Origin::new(id, name) };
        let origin = origin.with_fields(&fields);
        let header = header.map(|header| Arc::from(header.into_bytes()));
        Context { origin: Arc::new(origin), header, time_ms }
    })
}

/// Batches of every framing and every rule.
fn batch() -> impl Strategy<Value = Batch> {
    let records = prop::collection::vec((prop::collection::vec(any::<u8>(), 0..9), any::<bool>()), 1..8);
    (context(), records, any::<[u8; 22]>(), any::<(u64, bool, bool, bool)>()).prop_map(
        |(context, records, seed, (offset, partial, framed, numbered))| {
            let mut data = Vec::new();
            let mut lengths = Vec::new();
            for (record, together) in &records {
                data.extend_from_slice(record);
                data.push(b'\n');
                let length = record.len() as u32 + 1;
                lengths.extend_from_slice(&(length | if *together { records::NO_CUT } else { 0 }).to_be_bytes());
            }
            let framing = if framed { Framing::Lengths(lengths.into()) } else { Framing::Lines };
            let count = records::count(&data, &framing).unwrap();
            let table = |width: usize| Bytes::from(seed.repeat(count)[..width * count].to_vec());
            let ids = match context.origin.rule {
                IdRule::Offset => Ids::Offsets,
                IdRule::Time => Ids::Times,
                IdRule::Number => Ids::Numbers(table(8)),
                IdRule::Given => Ids::Given(table(22)),
            };
            let batch = Batch::of(context, offset, count as u32, data.into());
            let batch = batch.framed(framing).identified(ids).with_partial(partial);
            Batch { continues: partial && framed, offsets: numbered.then(|| table(8)), ..batch }
        },
    )
}

fn reply() -> impl Strategy<Value = Reply> {
    let answer = prop_oneof![
        (any::<u64>(), millis(), batch()).prop_map(|(lease, ttr, batch)| Answer::Batch { lease, ttr, batch }),
        millis().prop_map(Answer::Wait),
        Just(Answer::End),
        any::<u16>().prop_map(Answer::Ok),
        (prop_oneof![Just(ErrorCode::Version), Just(ErrorCode::Malformed)], ".{0,40}")
            .prop_map(|(code, text)| Answer::Error(code, text)),
    ];
    let state = any::<(u64, u64, u16)>();
    let state = state.prop_map(|(identity, backlog, leases)| QueueState { identity, backlog, leases });
    (answer, prop::option::of(state)).prop_map(|(answer, queue)| Reply { answer, queue })
}

fn data_of(reply: &Reply) -> Option<Bytes> {
    match &reply.answer {
        Answer::Batch { batch, .. } => Some(batch.data.clone()),
        _ => None,
    }
}

/// Returns the memory of a decoded request, in bytes, without the request itself.
fn held(request: &Request) -> usize {
    let report = request.report.as_ref().map_or(0, |report| report.host.capacity() + report.counters.capacity());
    report
        + match &request.ask {
            Ask::Reserve { acks, .. } | Ask::Bye(acks) => acks.capacity() * size_of::<Ack>(),
            Ask::Touch(leases) | Ask::Release(leases) => leases.capacity() * size_of::<LeaseId>(),
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
    fn a_message_that_is_cut_short_is_refused_or_has_fewer_fields(request in request(), reply in reply(), more: u8) {
        let whole = request.encode();
        for length in 0..whole.len() {
            if let Ok(cut) = Request::decode(&whole[..length]) {
                prop_assert_eq!(&cut.ask, &request.ask, "cut to {} bytes", length);
                prop_assert_eq!(cut.encode(), &whole[..length]);
            }
        }
        prop_assert!(Request::decode(&[&whole[..], &[more]].concat()).is_err());
        let whole = reply.encode();
        for length in 0..whole.len() {
            if let Ok(cut) = Reply::decode(&whole[..length], data_of(&reply)) {
                let same = std::mem::discriminant(&cut.answer) == std::mem::discriminant(&reply.answer);
                prop_assert!(same, "cut to {} bytes", length);
            }
        }
        prop_assert!(Reply::decode(&[&whole[..], &[more]].concat(), data_of(&reply)).is_err());
    }

    #[test]
    fn a_field_that_nobody_knows_is_passed_over_unless_it_is_critical(
        request in request(), reply in reply(), tag in 0x30_u8.., value in prop::collection::vec(any::<u8>(), 0..9),
    ) {
        prop_assume!(!(0x80..=0x85).contains(&tag));
        let field = [&[tag][..], &(value.len() as u32).to_be_bytes(), &value].concat();
        let critical = tag >= 0x80;
        let read = Request::decode(&[request.encode(), field.clone()].concat());
        prop_assert_eq!(read.ok(), (!critical).then_some(request));
        let read = Reply::decode(&[reply.encode(), field].concat(), data_of(&reply));
        prop_assert_eq!(read.ok(), (!critical).then_some(reply));
    }

    #[test]
    fn any_bytes_are_a_message_or_an_error(
        op in prop_oneof![1u8..5, 0x81u8..0x86, any::<u8>()],
        rest in prop::collection::vec(prop_oneof![3 => 0_u8..9, 1 => any::<u8>()], 0..200),
        data in prop::option::of(prop::collection::vec(any::<u8>(), 0..50)),
    ) {
        let frame = [&[op][..], &rest].concat();
        if let Ok(request) = Request::decode(&frame) {
            prop_assert!(held(&request) <= 2 * frame.len() + 8 * size_of::<Ack>());
            prop_assert_eq!(Request::decode(&request.encode()), Ok(request));
        }
        let data = data.map(Bytes::from);
        if let Ok(reply) = Reply::decode(&frame, data.clone()) {
            prop_assert_eq!(Reply::decode(&reply.encode(), data), Ok(reply));
        }
    }

    #[test]
    fn a_batch_with_another_number_of_records_than_it_says_is_refused(
        data in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..30),
        lines in 0u32..20,
    ) {
        let origin = Arc::new(Origin::new(1, "x"));
        let batch = Batch::new(origin, 0, lines, data.clone().into());
        let answer = Answer::Batch { lease: 1, ttr: Duration::ZERO, batch };
        let frame = Reply { answer, queue: None }.encode();
        let right = lines > 0 && crate::core::lines::count(&data) == lines as usize;
        prop_assert_eq!(Reply::decode(&frame, Some(data.into())).is_ok(), right);
    }
}

#[test]
fn a_count_or_a_length_that_does_not_fit_its_frame_is_refused() {
    for frame in [
        "01 00000000 ffff",
        "02 ffff",
        "03 0001 00",
        "04 0002",
        "01 00000000 0000 00",
        "02 0000 01 00000001 01",
        "02 0000 01 00000003 000001",
        "02 0000 01 ffffffff 0001",
        "02 0000 02 00000006 00000001 0001",
        "02 0000 02 00000007 00000001 0001 ff",
        "",
        "00",
        "81",
        "ff",
    ] {
        assert!(Request::decode(&unhex(frame)).is_err(), "{frame}");
    }
    assert!(Reply::decode(&unhex("85 0001 ffff"), None).is_err());
    assert!(Reply::decode(&unhex("85 0001 0001 ff"), None).is_err(), "a text is not UTF-8");
    let batch = "81 0000000000000007 00002710 00000000000000ff 0000000000000000 00000002";
    let decode = |fields: &str, data: &'static [u8]| {
        Reply::decode(&unhex(&format!("{batch} {fields}")), Some(Bytes::from_static(data))).map(drop)
    };
    assert!(Reply::decode(&unhex(batch), None).is_err(), "the frame with the batch's records is missing");
    assert_eq!(decode("", b"a\nb"), Ok(()));
    for (fields, why) in [
        ("80 00000001 08", "envelope"),
        ("08 00000002 5b5d", "JSON object"),
        ("80 00000000", "needed"),
        ("81 00000001 04", "id rule"),
        ("09 00000001 01", "table of offsets"),
        ("81 00000001 01", "table of ids"),
        ("81 00000001 01 82 00000008 0000000000000001", "table of ids"),
        ("81 00000001 03 82 00000010 00000000000000010000000000000001", "table of ids"),
        ("83 00000004 00000003", "2 records"),
        ("83 00000008 00000001 00000001", "add up"),
        ("83 00000008 00000003 00000000", "no bytes"),
        ("83 00000007 00000003 000000", "cut"),
        ("01 00000001 ff", "UTF-8"),
        ("06 00000004 00000000", "needed"),
        ("86 00000000", "not known"),
    ] {
        let error = decode(fields, b"a\nb").expect_err(fields);
        assert!(error.to_string().contains(why), "{fields}: {error}");
    }
    let long = format!("07 {:08x} {}", MAX_HEADER + 1, "23".repeat(MAX_HEADER + 1));
    assert!(decode(&long, b"a\nb").expect_err("it is too long").to_string().contains("header"));
}

#[test]
fn a_request_has_at_most_64_kib_and_the_most_items_fit_with_a_report() {
    let fits = (MAX_REQUEST - 3) / 8;
    let frame = |leases: usize| [&[TOUCH][..], &(leases as u16).to_be_bytes(), &vec![0; leases * 8]].concat();
    assert_eq!(Request::decode(&frame(fits)).map(|_| ()), Ok(()));
    let error = Request::decode(&frame(fits + 1)).expect_err("it is too long");
    assert!(error.to_string().contains("65536"), "{error}");
    let report = |length| Report { host: "h".repeat(64), pid: 1, counters: vec![0; length] };
    let ask = Ask::Reserve { wait: Duration::MAX, acks: vec![stored(1, 1); MAX_ITEMS] };
    let most = |length| Request { ask: ask.clone(), leases: Some(1), report: Some(report(length)) }.encode();
    assert!(most(MAX_COUNTERS).len() <= MAX_REQUEST);
    assert!(Request::decode(&most(MAX_COUNTERS)).is_ok());
    assert!(Request::decode(&most(MAX_COUNTERS + 1)).expect_err("too many").to_string().contains("counters"));
}

#[test]
fn a_time_too_long_for_32_bits_is_the_longest_there_is() {
    let longest = Duration::from_millis(u64::from(u32::MAX));
    for time in [Duration::MAX, longest + Duration::from_millis(1), longest] {
        let wait = |time| Reply { answer: Answer::Wait(time), queue: None };
        assert_eq!(Reply::decode(&wait(time).encode(), None), Ok(wait(longest)));
    }
}

#[test]
fn both_versions_are_named_and_nothing_else_of_a_strange_frame() {
    let sentence = versions("this queue", "the worker", b"logator1");
    assert!(sentence.contains("logator2") && sentence.contains("logator1"), "{sentence}");
    let strange = versions("this queue", "the worker", &[&b"logator\x1b[31m"[..], &[b'x'; 1000]].concat());
    assert!(strange.len() < 200 && !strange.contains('\x1b'), "{strange}");
}
