//! Decompresses any bytes with any compression and splits them with any limits: no panic, and no line is lost or
//! doubled.
#![no_main]

use std::sync::{Arc, Mutex};

use libfuzzer_sys::fuzz_target;
use logator::core::batch::{Batch, Origin};
use logator::source::cutter::Cutter;
use logator::source::decompress::Compression;
use logator::source::encodings::{Carrier, EncodingRule};
use logator::source::joint::Joint;
use logator::source::outlet::Outlet;
use logator::source::reader::{BatchReader, End};
use logator::source::receiver::{BatchSize, LongLine};
use logator::source::record_rules::RecordRules;

#[derive(Default)]
struct Count(Mutex<(u64, u64)>);

impl Outlet for Count {
    fn batch(&self, batch: Batch) -> bool {
        assert_eq!(logator::core::lines::count(&batch.data), batch.records as usize);
        let mut count = self.0.lock().unwrap();
        assert_eq!(batch.offset, count.1, "batches follow one another");
        count.0 += u64::from(batch.records);
        count.1 += batch.data.len() as u64;
        true
    }

    fn long_line(&self, line: LongLine) -> logator::core::error::Result<()> {
        let mut count = self.0.lock().unwrap();
        assert_eq!(line.offset, count.1);
        count.0 += 1;
        count.1 += line.length_with_end;
        Ok(())
    }
}

fuzz_target!(|input: &[u8]| {
    let [lines, bytes, max_line, content @ ..] = input else { return };
    let bound = |byte: &u8| usize::from(*byte) + 1;
    let size = BatchSize { lines: bound(lines), bytes: bound(bytes), max_line: bound(max_line) };
    let count = Count::default();
    let compression = Compression::of(content);
    // The output of a decompression bomb is cut off, so only its first lines are checked.
    let Ok(reader) = compression.reader(content) else { return };
    let mut limited = std::io::Read::take(reader, 1 << 20);
    let name = |_: &[u8]| Origin::new(0, "");
    let cutter = Cutter {
        size: &size,
        pool: &Arc::default(),
        receiver: &count,
        name: &name,
        rules: &RecordRules::default(),
        joint: Joint::default(),
        encoding: EncodingRule::Told,
        carrier: Carrier::of(compression),
    };
    let reader = BatchReader { cutter, idle: &|| lines % 2 == 0, quiet: &|_| false, time: &|| 0, exact: false };
    let end = reader.read(&mut limited).expect("the receiver does not fail");
    let (lines, bytes) = count.0.into_inner().unwrap();
    let is_plain = !content.contains(&0) && !content.starts_with(b"\xff\xfe") && !content.starts_with(b"\xfe\xff");
    match end {
        End::Damaged { lines: said, offset, .. } => assert_eq!((said, offset), (lines, bytes)),
        End::Stopped { .. } => panic!("nobody stopped it"),
        // NULs between records are left out, and UTF-16 has other line ends.
        End::Complete if is_plain && compression == Compression::None && content.len() <= 1 << 20 => {
            assert_eq!((lines, bytes), (logator::core::lines::count(content) as u64, content.len() as u64));
        }
        End::Complete | End::Binary(_) => {}
    }
});
