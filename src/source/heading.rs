//! Finds the header lines of a content, and stamps batches with the header that is in force at their first record.
//!
//! A header is a run of header lines. It is in force from the first record after it to the next header. Header lines are
//! records like any others; the header before them is in force at them.

use std::fmt;
use std::sync::Arc;

use super::joiner::SEEN_BYTES;
use super::outlet::Outlet;
use super::receiver::LongLine;
use crate::core::batch::Batch;
use crate::core::context::MAX_HEADER;

/// Decides which lines are header lines.
pub trait HeaderRule: fmt::Debug + Send + Sync {
    /// Returns whether a line is a header line. `beginning` is the line without its end, or its first
    /// [`SEEN_BYTES`] bytes.
    fn is_header(&self, beginning: &[u8]) -> bool;
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
    /// Takes a line with its end. Returns whether another header is in force from this line on.
    fn take(&mut self, line: &[u8], is_header: bool) -> bool {
        if is_header {
            if !std::mem::replace(&mut self.in_run, true) {
                self.run.clear();
            }
            // A header that is too long is cut at the end of a line.
            if self.run.len() + line.len() <= MAX_HEADER {
                self.run.extend_from_slice(line);
            }
        } else if std::mem::take(&mut self.in_run) {
            self.header = Some(Arc::from(&self.run[..]));
            return true;
        }
        false
    }

    /// Stamps a batch with the header in force, and passes it on to `outlet`. The batch is cut where the header changes.
    /// Returns `false` if the outlet wants no more.
    pub fn batch(&mut self, rule: &dyn HeaderRule, mut batch: Batch, outlet: &dyn Outlet) -> bool {
        loop {
            let before = self.header.clone();
            let mut records = batch.records().enumerate().peekable();
            let mut cut = None;
            while let Some((index, record)) = records.next() {
                let end = records.peek().map_or(batch.data.len(), |(_, next)| next.start);
                if self.take(&batch.data[record.start..end], is_header(rule, record.bytes)) {
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

    /// Stamps a line that is too long for a batch with the header in force.
    pub fn long_line(&mut self, rule: Option<&dyn HeaderRule>, mut line: LongLine) -> LongLine {
        if let Some(rule) = rule {
            self.take(&line.beginning, is_header(rule, &line.beginning));
            line.context.header = self.header.clone();
        }
        line
    }
}

fn is_header(rule: &dyn HeaderRule, line: &[u8]) -> bool {
    rule.is_header(&line[..line.len().min(SEEN_BYTES)])
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use proptest::prelude::*;

    use super::*;
    use crate::core::batch::Origin;
    use crate::core::error::Result;
    use crate::core::lines;

    #[derive(Debug)]
    struct Hash;

    impl HeaderRule for Hash {
        fn is_header(&self, beginning: &[u8]) -> bool {
            beginning.starts_with(b"#")
        }
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
            let origin = Arc::new(Origin::new(1, "x"));
            let (mut rest, mut offset) = (&texts[..], 0);
            for size in sizes {
                let (now, later) = rest.split_at(size.min(rest.len()));
                rest = later;
                let data: String = now.iter().map(|text| format!("{text}\n")).collect();
                if !now.is_empty() {
                    let length = data.len() as u64;
                    let batch = Batch::new(Arc::clone(&origin), offset, now.len() as u32, data.into());
                    prop_assert!(heading.batch(&Hash, batch, &kept));
                    offset += length;
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
        let line = format!("#{}\n", "h".repeat(1022));
        let data = format!("{}x\n", line.repeat(65));
        assert!(heading.batch(&Hash, Batch::new(Arc::new(Origin::new(1, "x")), 0, 66, data.into()), &kept));
        let (text, _, header) = kept.0.into_inner().unwrap().pop().unwrap();
        assert_eq!((text.as_str(), header), ("x", line.repeat(64)));
    }
}
