//! From bytes to batches: splitting, cutting and decompressing, in bytes and lines per second.
//!
//! The benchmark makes its content: a hundred thousand access-log lines of about 190 bytes.

use std::io::Write;
use std::sync::{Arc, OnceLock};

use divan::counter::{BytesCount, ItemsCount};
use logator::core::batch::{Batch, Origin};
use logator::core::lines;
use logator::source::BlockPool;
use logator::source::cutter::Cutter;
use logator::source::decompress::Compression;
use logator::source::encodings::{Carrier, EncodingRule};
use logator::source::joint::Joint;
use logator::source::outlet::Outlet;
use logator::source::reader::BatchReader;
use logator::source::receiver::{BatchSize, LongLine};
use logator::source::record_rules::RecordRules;

fn main() {
    divan::main();
}

const LINES: usize = 100_000;

fn content() -> &'static [u8] {
    static CONTENT: OnceLock<Vec<u8>> = OnceLock::new();
    CONTENT.get_or_init(|| {
        let mut content = Vec::new();
        for number in 0..LINES {
            let (host, page, size) = (number % 251, number % 9973, number % 65_521);
            writeln!(
                content,
                "192.0.2.{host} - - [17/May/2024:10:05:03 +0000] \"GET /pages/{page}/index.html HTTP/1.1\" 200 {size} \
                 \"http://www.example.com/{page}\" \"Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox\""
            )
            .expect("memory");
        }
        content
    })
}

fn gzipped() -> &'static [u8] {
    static GZIPPED: OnceLock<Vec<u8>> = OnceLock::new();
    GZIPPED.get_or_init(|| {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(content()).expect("memory");
        encoder.finish().expect("memory")
    })
}

#[divan::bench]
fn split(bencher: divan::Bencher) {
    let content = content();
    bencher
        .counter(BytesCount::of_slice(content))
        .counter(ItemsCount::new(LINES))
        .bench(|| lines::lines(divan::black_box(content)).map(|line| line.bytes.len()).sum::<usize>());
}

#[divan::bench]
fn count(bencher: divan::Bencher) {
    let content = content();
    bencher
        .counter(BytesCount::of_slice(content))
        .counter(ItemsCount::new(LINES))
        .bench(|| lines::count(divan::black_box(content)));
}

struct Drop;

impl Outlet for Drop {
    fn batch(&self, batch: Batch) -> bool {
        divan::black_box(batch);
        true
    }

    fn long_line(&self, line: LongLine) -> logator::core::error::Result<()> {
        divan::black_box(line);
        Ok(())
    }
}

fn cut(compression: Compression, bytes: &'static [u8]) {
    static POOL: OnceLock<Arc<BlockPool>> = OnceLock::new();
    let name = |_: &[u8]| Origin::new(1, String::new());
    let cutter = Cutter {
        size: &BatchSize::default(),
        pool: POOL.get_or_init(Arc::default),
        receiver: &Drop,
        name: &name,
        rules: &RecordRules::default(),
        joint: Joint::default(),
        encoding: EncodingRule::default(),
        carrier: Carrier::File,
    };
    let reader = BatchReader { cutter, idle: &|| false, time: &|| 0, quiet: &|_| false, exact: false };
    let mut content = compression.reader(bytes).expect("a reader");
    reader.read(&mut content).expect("batches");
}

#[divan::bench]
fn batches_of_plain_content(bencher: divan::Bencher) {
    bencher
        .counter(BytesCount::of_slice(content()))
        .counter(ItemsCount::new(LINES))
        .bench(|| cut(Compression::None, content()));
}

#[divan::bench]
fn batches_of_gzip(bencher: divan::Bencher) {
    gzipped();
    bencher
        .counter(BytesCount::of_slice(content()))
        .counter(ItemsCount::new(LINES))
        .bench(|| cut(Compression::Gzip, gzipped()));
}
