//! Splits the records of a block into batches.

use bytes::{BufMut, Bytes, BytesMut};

use super::receiver::BatchSize;
use crate::core::batch::{Batch, Framing};
use crate::core::lines;

/// Splits `whole` into batches of about equal size within the limits. Its data are a slice of a block of `block` bytes; its
/// number of records and its framing are not known yet. `lengths` are the lengths of its records; `None` if each line is a
/// record.
pub(super) fn split<'a>(
    size: &'a BatchSize,
    whole: &'a Batch,
    mut lengths: Option<&'a [usize]>,
    block: usize,
) -> impl Iterator<Item = Batch> + 'a {
    // A record that is longer than a block has made this block larger.
    let large = block > size.bytes;
    let data = &whole.data;
    let records = lengths.map_or_else(|| lines::count(data), <[usize]>::len);
    let parts = records.div_ceil(size.lines).max(data.len().div_ceil(size.bytes));
    let per_part = records.div_ceil(parts.max(1));
    let mut start = 0;
    std::iter::from_fn(move || {
        if start == data.len() {
            return None;
        }
        let (length, count) = match (parts, lengths) {
            (1, _) => (data.len(), records),
            (_, None) => next_lines(&data[start..], per_part, size.bytes),
            (_, Some(lengths)) => next_records(lengths.iter().copied(), per_part, size.bytes),
        };
        let mut part = data.slice(start..start + length);
        if large && part.len() < block / 2 {
            // The queue assumes that a batch is a slice of a block of the usual size.
            part = Bytes::copy_from_slice(&part);
        }
        // The number of records fits into 32 bits, because a block is far smaller than 4 GiB.
        let batch = Batch::of(whole.context.clone(), whole.offset + start as u64, count as u32, part);
        start += length;
        let batch = batch.with_partial(whole.partial && start == data.len());
        Some(match lengths.and_then(|lengths| lengths.split_at_checked(count)) {
            Some((first, rest)) => {
                lengths = Some(rest);
                batch.framed(framing(first))
            }
            None => batch,
        })
    })
}

/// The framing of records with these lengths. They fit into 31 bits, because a block is far smaller than 2 GiB.
fn framing(lengths: &[usize]) -> Framing {
    let mut table = BytesMut::with_capacity(4 * lengths.len());
    lengths.iter().for_each(|length| table.put_u32(*length as u32));
    Framing::Lengths(table.freeze())
}

/// The length and the number of lines of the next batch.
fn next_lines(data: &[u8], lines: usize, bytes: usize) -> (usize, usize) {
    let newlines = memchr::memchr_iter(b'\n', data).map(|newline| newline + 1);
    let last = (data.last() != Some(&b'\n')).then_some(data.len());
    let mut start = 0;
    next_records(newlines.chain(last).map(|end| end - std::mem::replace(&mut start, end)), lines, bytes)
}

/// The length and the number of records of the next batch: the longest run of records that has at most `records` records
/// and `bytes` bytes. If the first record is longer than `bytes`, the batch is that record.
fn next_records(lengths: impl Iterator<Item = usize>, records: usize, bytes: usize) -> (usize, usize) {
    let (mut length, mut count) = (0, 0);
    for next in lengths.take(records) {
        if count > 0 && length + next > bytes {
            break;
        }
        (length, count) = (length + next, count + 1);
    }
    (length, count)
}
