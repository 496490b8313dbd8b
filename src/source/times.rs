//! [`Times`]: the times of the bytes of a content, where they change within a block.
//!
//! A gzip file may be made of the files of several days, with the time of each. A record has the time of the member in which it
//! begins, however the content is cut into batches.

use crate::core::batch::Batch;
use crate::core::records::NO_CUT;

/// The offsets at which the time changes, in the content, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Times(Vec<(u64, i64)>);

impl Times {
    /// Notes that the bytes from `offset` on have the time `new`. `old` is the time of the bytes before them.
    #[inline]
    pub fn note(&mut self, offset: u64, old: i64, new: i64) {
        if old != new {
            if self.0.is_empty() {
                self.0.push((0, old));
            }
            self.0.push((offset, new));
        }
    }

    /// Returns the time of the byte at `offset`; `None` if the time is the same for all bytes.
    #[inline]
    pub fn at(&self, offset: u64) -> Option<i64> {
        if self.0.is_empty() {
            return None;
        }
        self.0.iter().rev().find(|(from, _)| *from <= offset).map(|(_, time)| *time)
    }

    /// Returns the times of the bytes before `end`, and forgets those that only concern them.
    #[inline]
    pub fn take_until(&mut self, end: u64) -> Times {
        if self.0.is_empty() {
            return Times::default();
        }
        let all = self.clone();
        let needed = self.0.iter().rposition(|(from, _)| *from <= end).unwrap_or(0);
        self.0.drain(..needed);
        if self.0.len() == 1 {
            self.0.clear();
        }
        all
    }

    /// Divides `batch` so that the records of each part have one time, which the part gets.
    pub fn divide(&self, batch: Batch) -> Vec<Batch> {
        if self.0.is_empty() {
            return vec![batch];
        }
        let mut parts = Vec::new();
        let mut rest = batch;
        loop {
            let time = self.at(rest.offset).unwrap_or(rest.context.time_ms);
            let next = self.0.iter().map(|(from, _)| *from).find(|from| *from > rest.offset);
            let cut = next.and_then(|next| first_at(&rest, next));
            let first = cut.and_then(|(records, bytes)| rest.cut_off(records, bytes));
            let is_last = first.is_none();
            let part = first.unwrap_or_else(|| rest.clone());
            let context = part.context.clone().at(time);
            parts.push(Batch { context, ..part });
            if is_last {
                return parts;
            }
        }
    }
}

/// Returns the number of records of `batch` that begin before the byte `offset` of the content, and the number of their bytes.
/// `None` if all do. Records that must stay together count as one.
fn first_at(batch: &Batch, offset: u64) -> Option<(usize, usize)> {
    use crate::core::records::Framing;
    let from = usize::try_from(offset.checked_sub(batch.offset)?).ok()?;
    match &batch.framing {
        Framing::Lines => {
            let (before, after) = batch.data.split_at_checked(from)?;
            let to_end = match before.last() {
                Some(b'\n') | None => 0,
                Some(_) => memchr::memchr(b'\n', after)? + 1,
            };
            let bytes = from + to_end;
            let records = memchr::memchr_iter(b'\n', &batch.data[..bytes]).count();
            (bytes < batch.data.len() && records > 0).then_some((records, bytes))
        }
        Framing::Lengths(table) => {
            let lengths = table.as_chunks::<4>().0.iter().map(|length| u32::from_be_bytes(*length));
            let mut bytes = 0;
            for (index, length) in lengths.enumerate() {
                if bytes >= from && length & NO_CUT == 0 && index > 0 {
                    return Some((index, bytes));
                }
                bytes += (length & !NO_CUT) as usize;
            }
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use bytes::Bytes;

    use super::*;
    use crate::core::context::Origin;

    #[test]
    fn each_record_has_the_time_of_the_bytes_that_it_begins_with() {
        let batch = Batch::new(Arc::new(Origin::new(1, "x")), 100, 4, Bytes::from_static(b"a\nbb\nccc\nd\n"));
        let mut times = Times::default();
        times.note(104, 10, 20); // in the middle of the second record
        times.note(109, 20, 0); // at the beginning of the fourth
        let shown: Vec<_> =
            times.divide(batch.clone()).iter().map(|part| (part.records, part.context.time_ms)).collect();
        assert_eq!(shown, [(2, 10), (1, 20), (1, 0)]);
        let one = times.divide(Batch { offset: 200, ..batch.clone() });
        assert_eq!(one.iter().map(|part| part.context.time_ms).collect::<Vec<_>>(), [0]);
        assert_eq!(
            Times::default().divide(batch),
            [Batch::new(Arc::new(Origin::new(1, "x")), 100, 4, Bytes::from_static(b"a\nbb\nccc\nd\n"))]
        );
    }

    #[test]
    fn what_was_delivered_is_forgotten() {
        let mut times = Times::default();
        times.note(0, 5, 5);
        assert_eq!(times, Times::default());
        times.note(10, 5, 6);
        times.note(20, 6, 7);
        assert_eq!((times.at(9), times.at(10), times.at(25)), (Some(5), Some(6), Some(7)));
        assert_eq!(times.take_until(15).0.len(), 3);
        assert_eq!((times.at(15), times.at(20)), (Some(6), Some(7)));
        times.take_until(30);
        assert_eq!(times.at(30), None);
    }
}
