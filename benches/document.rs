//! Measures the encoding of documents from spans, and the reading of dates. The lines are generated, in the form of an
//! Apache access log.

use divan::counter::{BytesCount, ItemsCount};
use divan::{Bencher, black_box};
use logator::core::batch::Origin;
use logator::core::record::RecordId;
use logator::document::date::Formats;
use logator::event::decoder::JsonDecoder;
use logator::event::{CapturedFields, Changes, Event, Fields};
use logator::grok::{DateRule, Field, FieldSlot, FieldType, Span};
use logator::sink::Encoding;

fn main() {
    divan::main();
}

const LINES: usize = 1000;
const AGENT: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) \
                     Chrome/32.0.1700.77 Safari/537.36";

/// A line, its spans and its id. The pattern captures twelve fields; `ident` and `auth` are `-`.
fn lines() -> Vec<(Vec<u8>, Vec<Span>, RecordId)> {
    let origin = Origin::new(1, "bench");
    let mut random = fastrand::Rng::with_seed(1);
    let line = |number: usize| {
        let time = format!("17/May/2015:10:{:02}:{:02} +0000", number / 600 % 60, number / 10 % 60);
        let pieces = [
            ("", format!("198.51.{}.{}", random.u8(..), random.u8(..))),
            (" ", "-".into()),
            (" ", "-".into()),
            (" [", time),
            ("] \"", "GET".into()),
            (" ", format!("/presentations/logs-on-every-core-2026/images/chart-{}.png", random.u16(..))),
            (" HTTP/", "1.1".into()),
            ("\" ", ["200", "304", "404"][random.usize(..3)].into()),
            (" ", random.u32(..200_000).to_string()),
            (" \"", "http://www.example.com/presentations/logs-on-every-core-in-2026/".into()),
            ("\" \"", AGENT.into()),
        ];
        let (mut line, mut spans) = (String::new(), Vec::new());
        for (between, text) in pieces {
            line.push_str(between);
            let start = line.len() as u32;
            line.push_str(&text);
            spans.push(Span { start, end: line.len() as u32 });
        }
        line.push('"');
        spans.insert(7, Span::NONE);
        let id = RecordId::at(origin.id, number as u64 * 240, line.as_bytes());
        (line.into_bytes(), spans, id)
    };
    (0..LINES).map(line).collect()
}

fn fields() -> CapturedFields {
    let fields: Vec<_> = [
        ("clientip", FieldType::Ip),
        ("ident", FieldType::Text),
        ("auth", FieldType::Text),
        ("timestamp", FieldType::Text),
        ("verb", FieldType::Text),
        ("request", FieldType::Text),
        ("httpversion", FieldType::Text),
        ("rawrequest", FieldType::Text),
        ("response", FieldType::Int),
        ("bytes", FieldType::Int),
        ("referrer", FieldType::Text),
        ("agent", FieldType::Text),
    ]
    .into_iter()
    .enumerate()
    .map(|(slot, (name, kind))| Field { path: vec![name.into()], slots: vec![FieldSlot { slot, kind, again: false }] })
    .collect();
    let date = DateRule { paths: vec![vec!["timestamp".into()]], formats: vec!["%d/%b/%Y:%H:%M:%S %z".into()] };
    CapturedFields::new(&fields, Some(&date)).expect("the plan compiles")
}

#[divan::bench(args = ["json", "bson"])]
fn access_log(bencher: Bencher<'_, '_>, name: &str) {
    let encoding = if name == "json" { Encoding::Json } else { Encoding::Bson };
    let (lines, mut fields, mut changes) = (lines(), fields(), Changes::default());
    let mut out = Vec::with_capacity(1 << 20);
    let bytes: usize = lines.iter().map(|(line, ..)| line.len()).sum();
    bencher.counter(ItemsCount::new(LINES)).counter(BytesCount::new(bytes)).bench_local(|| {
        out.clear();
        for (line, spans, id) in black_box(&lines) {
            Event::decoded(line, Fields::captured(&mut fields, spans), None, &mut changes, 0)
                .encode(encoding, id, &mut out);
        }
        black_box(out.len())
    });
}

#[divan::bench(args = ["json", "bson"])]
fn json_lines(bencher: Bencher<'_, '_>, name: &str) {
    let encoding = if name == "json" { Encoding::Json } else { Encoding::Bson };
    let (mut fields, mut changes) = (fields(), Changes::default());
    let lines: Vec<_> = lines()
        .into_iter()
        .map(|(line, spans, id)| {
            let mut object = Vec::new();
            let mut event = Event::decoded(&line, Fields::captured(&mut fields, &spans), None, &mut changes, 0);
            event.encode(Encoding::Json, &id, &mut object);
            (object, id)
        })
        .collect();
    let date = DateRule { paths: vec![vec!["@timestamp".into()]], formats: vec!["ISO8601".into()] };
    let mut decoder = JsonDecoder::new(Some(&date)).expect("the rule compiles");
    let mut out = Vec::with_capacity(1 << 20);
    let bytes: usize = lines.iter().map(|(line, _)| line.len()).sum();
    bencher.counter(ItemsCount::new(LINES)).counter(BytesCount::new(bytes)).bench_local(|| {
        out.clear();
        for (line, id) in black_box(&lines) {
            let fields = decoder.decode(line).expect("a JSON object");
            Event::decoded(line, fields, None, &mut changes, 0).encode(encoding, id, &mut out);
        }
        black_box(out.len())
    });
}

#[divan::bench]
fn ids(bencher: Bencher<'_, '_>) {
    let origin = Origin::new(1, "bench");
    let lines = lines();
    bencher.counter(ItemsCount::new(LINES)).bench_local(|| {
        for (line, ..) in &lines {
            black_box(RecordId::at(origin.id, 12, black_box(line)));
        }
    });
}

/// Reads two texts in turn, so that the cached date of the previous text never helps.
#[divan::bench(args = ["%d/%b/%Y:%H:%M:%S %z", "ISO8601", "%b %e %H:%M:%S"])]
fn dates(bencher: Bencher<'_, '_>, format: &str) {
    let texts = match format {
        "ISO8601" => ["2015-05-17T10:05:03.123Z", "2015-05-17T10:05:04.123Z"],
        "%b %e %H:%M:%S" => ["May 17 10:05:03", "May 17 10:05:04"],
        _ => ["17/May/2015:10:05:03 +0000", "17/May/2015:10:05:04 +0000"],
    };
    let mut formats = Formats::new(&[format]).expect("it compiles");
    bencher.counter(ItemsCount::new(2_u32 * 500)).bench_local(|| {
        for _ in 0..500 {
            for text in texts {
                let _ = black_box(formats.read(black_box(text.as_bytes()), 1_710_028_800_000));
            }
        }
    });
}
