//! Measures the sinks that need no server: one and two threads store batches of 1000 access-log documents, each batch durably.

use std::sync::atomic::{AtomicU64, Ordering};

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use logator::core::batch::Origin;
use logator::core::record::RecordId;
use logator::core::wait::Waits;
use logator::document::Documents;
use logator::sink::{AnySink, Encoding, Opening, SinkSpec};

fn main() {
    divan::main();
}

const DOCUMENTS: usize = 1000;

/// A batch that no sink has seen. Its documents are numbered from `first`.
fn batch(first: u64) -> Documents {
    let origin = Origin::new(1, "bench");
    let mut documents = Documents::new(Encoding::Json);
    for line in 0..DOCUMENTS as u32 {
        let number = first + u64::from(line);
        let id = RecordId::at(origin.id, number * 240, &number.to_le_bytes());
        documents.push(line, id, |out| {
            let document = format!(
                "{{\"_id\":\"{id}\",\"@timestamp\":\"2015-05-17T10:05:03.000Z\",\"clientip\":\"192.0.2.{}\",\
                 \"ident\":\"-\",\"auth\":\"-\",\"timestamp\":\"17/May/2015:10:05:03 +0000\",\"verb\":\"GET\",\
                 \"request\":\"/presentations/logs-on-every-core-2026/images/chart-{number}.png\",\
                 \"httpversion\":\"1.1\",\"response\":200,\"bytes\":{},\
                 \"referrer\":\"http://www.example.com/presentations/logs-on-every-core-in-2026/\",\
                 \"agent\":\"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_9_1) AppleWebKit/537.36 (KHTML, like Gecko) \
                 Chrome/32.0.1700.77 Safari/537.36\"}}",
                number % 255,
                number * 7919 % 200_000,
            );
            out.extend_from_slice(document.as_bytes());
            true
        });
    }
    documents
}

#[divan::bench(
    args = ["null:", "ndjson:/dev/null", "ndjson:out.ndjson", "ndjson:out.gz", "ndjson:out.zst", "sqlite:out.db"],
    threads = [1, 2],
    sample_count = 200,
    sample_size = 1
)]
fn store(bencher: Bencher<'_, '_>, spec: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let spec = spec.replace(":out", &format!(":{}/out", folder.path().display()));
    let waits = Waits::default();
    let opened = SinkSpec::parse(&spec).and_then(|spec| spec.open(&Opening::new(&waits))).expect("it opens");
    let AnySink::Documents(sink) = opened else { panic!("{spec} takes documents") };
    let next = AtomicU64::new(0);
    let bytes = batch(0).bytes().len();
    bencher
        .counter(ItemsCount::new(DOCUMENTS))
        .counter(BytesCount::new(bytes))
        .with_inputs(|| batch(next.fetch_add(DOCUMENTS as u64, Ordering::Relaxed)))
        .bench_values(|documents| {
            let mut outcomes = Vec::new();
            sink.store(&documents, &mut outcomes).expect("it stores");
            outcomes.len()
        });
}
