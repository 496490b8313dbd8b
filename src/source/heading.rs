//! Stamps batches with the header that is in force at their first record.
//!
//! A header is a run of header lines. It is in force from the first record after it to the next header. Header lines are
//! records with a mark ([`HEADER`]); the header before them is in force at them, and they have no document.

use std::fmt;
use std::sync::Arc;

use super::outlet::Outlet;
use super::receiver::LongLine;
use crate::core::batch::Batch;
use crate::core::context::MAX_HEADER;
use crate::core::records::HEADER;

/// A line that may be a header line.
#[derive(Debug, Clone, Copy)]
pub struct HeaderLine<'a> {
    /// The line without its end, or its first [`SEEN_BYTES`](super::joiner::SEEN_BYTES) bytes.
    pub beginning: &'a [u8],
    /// Whether it is the first line of its content.
    pub is_first: bool,
    /// Whether the line before it is a header line.
    pub after_header: bool,
}

/// Decides which lines are header lines. It is asked about the first line of a content, about lines after header lines, and
/// about lines that begin with `#`.
pub trait HeaderRule: fmt::Debug + Send + Sync {
    /// Returns whether a line is a header line.
    fn is_header(&self, line: &HeaderLine<'_>) -> bool;

    /// Returns the header that is in force after the run of header lines `run`. `before` is the header that was in force.
    fn join(&self, _before: Option<&[u8]>, run: Vec<u8>) -> Vec<u8> {
        run
    }
}

/// The header of one content, while it is read.
#[derive(Debug, Default)]
pub struct Heading {
    /// The header in force.
    header: Option<Arc<[u8]>>,
    /// The header lines of the run that has not ended yet.
    run: Vec<u8>,
    /// Whether the last line was a header line.
    in_run: bool,
}

impl Heading {
    /// Takes a record with its line end. Returns whether another header is in force from this record on.
    fn take(&mut self, rule: &dyn HeaderRule, record: &[u8], is_header: bool) -> bool {
        if is_header {
            if !std::mem::replace(&mut self.in_run, true) {
                self.run.clear();
            }
            // A header that is too long is cut at the end of a line.
            if self.run.len() + record.len() <= MAX_HEADER {
                self.run.extend_from_slice(record);
            }
        } else if std::mem::take(&mut self.in_run) {
            let mut header = rule.join(self.header.as_deref(), std::mem::take(&mut self.run));
            if header.len() > MAX_HEADER {
                let end = memchr::memrchr(b'\n', &header[..MAX_HEADER]);
                header.truncate(end.map_or(0, |newline| newline + 1));
            }
            self.header = Some(Arc::from(header));
            return true;
        }
        false
    }

    /// Stamps a batch with the header in force, and passes it on to `outlet`. The batch is cut where the header changes.
    /// Returns `false` if the outlet wants no more.
    pub fn batch(&mut self, rule: &dyn HeaderRule, mut batch: Batch, outlet: &dyn Outlet) -> bool {
        if !self.in_run && !batch.framing.has_any(HEADER) {
            batch.context.header.clone_from(&self.header);
            return outlet.batch(batch);
        }
        loop {
            let before = self.header.clone();
            let mut records = batch.records().enumerate().peekable();
            let mut cut = None;
            while let Some((index, record)) = records.next() {
                let end = records.peek().map_or(batch.data.len(), |(_, next)| next.start);
                if self.take(rule, &batch.data[record.start..end], batch.framing.has(HEADER, index)) {
                    cut = Some((index, record.start));
                    break;
                }
            }
            let Some((records, start)) = cut else {
                batch.context.header = before;
                return outlet.batch(batch);
            };
            // The record that ended the header is taken once more with the rest, and changes nothing then.
            if let Some(mut first) = batch.cut_off(records, start) {
                first.context.header = before;
                if !outlet.batch(first) {
                    return false;
                }
            }
        }
    }

    /// Stamps a line that is too long for a batch with the header in force. Such a line is no header line.
    pub fn long_line(&mut self, rule: Option<&dyn HeaderRule>, mut line: LongLine) -> LongLine {
        if let Some(rule) = rule {
            self.take(rule, &[], false);
            line.context.header.clone_from(&self.header);
        }
        line
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use bytes::{BufMut, BytesMut};
    use proptest::prelude::*;

    use super::*;
    use crate::core::batch::{Framing, Origin};
    use crate::core::error::Result;
    use crate::core::lines;

    #[derive(Debug)]
    struct Hash;

    impl HeaderRule for Hash {
        fn is_header(&self, line: &HeaderLine<'_>) -> bool {
            line.beginning.starts_with(b"#")
        }
    }

    /// A batch of lines, in which those that begin with `#` are marked.
    fn batch(offset: u64, lines: &[&str]) -> Batch {
        let data: String = lines.iter().map(|line| format!("{line}\n")).collect();
        let mut table = BytesMut::new();
        let bits = |line: &str| if line.starts_with('#') { HEADER } else { 0 };
        lines.iter().for_each(|line| table.put_u32((line.len() as u32 + 1) | bits(line)));
        Batch::new(Arc::new(Origin::new(1, "x")), offset, lines.len() as u32, data.into())
            .framed(Framing::Lengths(table.freeze()))
    }

    #[derive(Default)]
    struct Kept(Mutex<Vec<(String, u64, String)>>);

    impl Outlet for Kept {
        fn batch(&self, batch: Batch) -> bool {
            let header = batch.context.header.as_deref().unwrap_or_default();
            let header = String::from_utf8_lossy(header).into_owned();
            for record in batch.records() {
                let text = String::from_utf8_lossy(record.bytes).into_owned();
                self.0.lock().unwrap().push((text, batch.offset + record.start as u64, header.clone()));
            }
            true
        }

        fn long_line(&self, line: LongLine) -> Result<()> {
            panic!("{line:?}")
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: proptest::test_runner::RngSeed::Fixed(1), ..ProptestConfig::default() })]

        /// However the lines are cut into batches, each has the run of header lines before it.
        #[test]
        fn each_line_has_the_last_whole_header_before_it(
            texts in prop::collection::vec(prop_oneof![Just("#a"), Just("#b"), Just("x"), Just(""), Just("y")], 1..30),
            sizes in prop::collection::vec(1_usize..6, 30),
        ) {
            let (kept, mut heading) = (Kept::default(), Heading::default());
            let (mut rest, mut offset) = (&texts[..], 0);
            for size in sizes {
                let (now, later) = rest.split_at(size.min(rest.len()));
                rest = later;
                if !now.is_empty() {
                    let batch = batch(offset, now);
                    offset += batch.data.len() as u64;
                    prop_assert!(heading.batch(&Hash, batch, &kept));
                }
            }
            let (mut header, mut run, mut expected) = (String::new(), String::new(), Vec::new());
            let content: String = texts.iter().map(|text| format!("{text}\n")).collect();
            for line in lines::lines(content.as_bytes()) {
                let text = String::from_utf8_lossy(line.bytes).into_owned();
                if text.starts_with('#') {
                    run += &format!("{text}\n");
                } else if !run.is_empty() {
                    header = std::mem::take(&mut run);
                }
                expected.push((text, line.start as u64, header.clone()));
            }
            prop_assert_eq!(kept.0.into_inner().unwrap(), expected);
        }
    }

    #[test]
    fn a_header_that_is_too_long_is_cut_at_the_end_of_a_line() {
        let (kept, mut heading) = (Kept::default(), Heading::default());
        let line = format!("#{}", "h".repeat(1022));
        let mut lines = vec![line.as_str(); 65];
        lines.push("x");
        assert!(heading.batch(&Hash, batch(0, &lines), &kept));
        let (text, _, header) = kept.0.into_inner().unwrap().pop().unwrap();
        assert_eq!((text.as_str(), header), ("x", format!("{line}\n").repeat(64)));
    }
}
