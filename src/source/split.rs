//! Splits the records of a block into batches.

use bytes::{BufMut, Bytes, BytesMut};

use super::dividing::Part;
use super::receiver::BatchSize;
use crate::core::batch::{Batch, Framing};
use crate::core::lines;

/// Splits `whole` into batches of about equal size within the limits. Its data are a slice of a block of `block` bytes; its
/// number of records and its framing are not known yet. `records` are its records; `None` if each line is a record. A batch whose
/// records are lines without a mark has no table.
pub(super) fn split<'a>(
    size: &'a BatchSize,
    whole: &'a Batch,
    mut records: Option<&'a [Part]>,
    block: usize,
) -> impl Iterator<Item = Batch> + 'a {
    // A record that is longer than a block has made this block larger.
    let large = block > size.bytes;
    let data = &whole.data;
    let all = records.map_or_else(|| lines::count(data), <[Part]>::len);
    let parts = all.div_ceil(size.lines).max(data.len().div_ceil(size.bytes));
    let per_part = all.div_ceil(parts.max(1));
    let mut start = 0;
    std::iter::from_fn(move || {
        if start == data.len() {
            return None;
        }
        let (length, count) = match (parts, records) {
            (1, _) => (data.len(), all),
            (_, None) => next_lines(&data[start..], per_part, size.bytes),
            (_, Some(records)) => {
                let lengths = records.iter().map(|record| (record.length as usize, record.is_tied()));
                next_records(lengths, per_part, size.bytes)
            }
        };
        let mut part = data.slice(start..start + length);
        if large && part.len() < block / 2 {
            // The queue assumes that a batch is a slice of a block of the usual size.
            part = Bytes::copy_from_slice(&part);
        }
        // The number of records fits into 32 bits, because a block is far smaller than 4 GiB.
        let batch = Batch::of(whole.context.clone(), whole.offset + start as u64, count as u32, part);
        start += length;
        let is_last = start == data.len();
        let batch = batch.with_partial(whole.partial && is_last);
        // The rule of times needs no table, so every part has the same ids.
        let batch = Batch { continues: whole.continues && is_last, ids: whole.ids.clone(), ..batch };
        let (first, rest) = records.and_then(|records| records.split_at_checked(count)).unzip();
        records = rest;
        let is_marked = |(index, record): (usize, &Part)| !record.is_line || record.marks(index) != 0;
        let has_table = |first: &&[Part]| first.iter().enumerate().any(is_marked);
        Some(match first.filter(has_table) {
            Some(first) => batch.framed(framing(first)),
            None => batch,
        })
    })
}

/// The framing of `records`, which are a batch. The batch begins where it may be cut.
fn framing(records: &[Part]) -> Framing {
    let mut table = BytesMut::with_capacity(4 * records.len());
    for (index, record) in records.iter().enumerate() {
        table.put_u32(record.length | record.marks(index));
    }
    Framing::Lengths(table.freeze())
}

/// The length and the number of lines of the next batch.
fn next_lines(data: &[u8], lines: usize, bytes: usize) -> (usize, usize) {
    let newlines = memchr::memchr_iter(b'\n', data).map(|newline| newline + 1);
    let last = (data.last() != Some(&b'\n')).then_some(data.len());
    let mut start = 0;
    next_records(newlines.chain(last).map(|end| (end - std::mem::replace(&mut start, end), false)), lines, bytes)
}

/// The length and the number of records of the next batch: the longest run of records that has at most `records` records
/// and `bytes` bytes, and that ends where a batch may be cut. If the first record and those tied to it are longer than that,
/// the batch is these records. Each item is the length of a record, and whether it is tied to the record before.
fn next_records(lengths: impl Iterator<Item = (usize, bool)>, records: usize, bytes: usize) -> (usize, usize) {
    let (mut length, mut count) = (0, 0);
    let mut cut = (0, 0);
    for (next, is_tied) in lengths {
        if !is_tied {
            cut = (length, count);
        }
        if cut.1 > 0 && (count >= records || length + next > bytes) {
            return cut;
        }
        (length, count) = (length + next, count + 1);
    }
    (length, count)
}
