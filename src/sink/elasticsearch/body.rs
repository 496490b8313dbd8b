//! The bodies of `_bulk` requests: which documents share a request, and how it is written and compressed.
//!
//! The index stands in the path of a request, so the documents of one index share a request. Written into each action, the
//! name would add a quarter of the bytes of an access log. The price: a batch with documents of many days is as many
//! requests.

use std::collections::HashMap;
use std::io;

use flate2::{Compress, Compression, FlushCompress, Status};

use super::index::IndexName;
use crate::core::record::RecordId;
use crate::document::{Documents, TimeSource};
use crate::sink::retry::Pending;

/// The largest body in bytes before compression, if the server does not ask for smaller ones.
pub(super) const MAX_BODY: usize = 8 << 20;

/// The smallest limit that is learnt from a server that refuses bodies as too large.
pub(super) const MIN_BODY: usize = 64 << 10;

/// The largest number of documents of one request. A reply that refuses all of them has some kilobytes for each.
const MAX_DOCUMENTS: usize = 10_000;

const ACTION_START: &[u8; 18] = b"{\"create\":{\"_id\":\"";
const ACTION_END: &[u8; 4] = b"\"}}\n";

/// The bytes that each document needs besides its own: the line with its action, and its line end.
const OVERHEAD: usize = ACTION_START.len() + RecordId::DIGITS + ACTION_END.len() + 1;

/// Level 1 takes half the time of the usual level 6, and the bodies stay small: an access log shrinks to a seventh.
const LEVEL: u32 = 1;

/// So many bytes are compressed at a time.
const PART: usize = 64 << 10;

/// The room that each call of the compressor finds at least.
const MIN_ROOM: usize = 16 << 10;

/// The window of the compression as a power of two, the largest.
const WINDOW_BITS: u8 = 15;

/// Returns the time of a document that chooses its index. A time of arrival does not: another run would give another one.
pub(super) fn time(documents: &Documents, index: usize) -> Option<i64> {
    match documents.beside().time(index)? {
        (_, TimeSource::Arrival) => None,
        (ms, TimeSource::Record | TimeSource::Envelope | TimeSource::Stage) => Some(ms),
    }
}

/// Divides documents into requests: each has documents of one index, and a body of at most `limit` bytes unless it has a
/// single document. The order of the documents of an index stays the same.
pub(super) fn requests(documents: &Documents, index: &IndexName, limit: usize) -> Vec<Vec<Pending>> {
    let mut requests: Vec<(Vec<usize>, usize)> = Vec::new();
    let mut open: HashMap<Option<i64>, usize> = HashMap::new();
    let mut last = None;
    for (number, document) in documents.iter().enumerate() {
        let period = index.period(time(documents, number));
        let size = document.bytes.len() + OVERHEAD;
        let at = match last {
            Some((known, at)) if known == period => Some(at),
            _ => open.get(&period).copied(),
        };
        let has_room = |at: &usize| {
            let (members, used) = &requests[*at];
            used + size <= limit && members.len() < MAX_DOCUMENTS
        };
        let at = at.filter(has_room).unwrap_or_else(|| {
            requests.push((Vec::new(), 0));
            open.insert(period, requests.len() - 1);
            requests.len() - 1
        });
        last = Some((period, at));
        requests[at].0.push(number);
        requests[at].1 += size;
    }
    requests.into_iter().map(|(members, _)| Pending::of(members)).collect()
}

/// The memory of one request and its reply. It is used again.
#[derive(Default)]
pub(super) struct Buffers {
    /// The body, or the part of it that is not compressed yet.
    body: Vec<u8>,
    compressed: Vec<u8>,
    compress: Option<Compress>,
    /// The bytes of the body before compression.
    pub size: usize,
    pub is_compressed: bool,
    /// The reply of the server.
    pub reply: Vec<u8>,
}

impl Buffers {
    /// Writes the body for `group`. With `gzip`, it is compressed part by part as one gzip member, so that it never stands in
    /// memory as a whole.
    ///
    /// # Errors
    /// The compressor fails.
    pub fn write(&mut self, documents: &Documents, group: &[Pending], gzip: bool) -> io::Result<()> {
        let Buffers { body, compressed, compress, .. } = self;
        body.clear();
        compressed.clear();
        let sizes = group.iter().map(|pending| documents.get(pending.index).bytes.len() + OVERHEAD);
        (self.size, self.is_compressed) = (sizes.sum(), gzip);
        let mut compress = gzip.then(|| {
            let compress = compress.get_or_insert_with(|| Compress::new_gzip(Compression::new(LEVEL), WINDOW_BITS));
            compress.reset();
            compress
        });
        body.reserve(if gzip { PART + OVERHEAD } else { self.size });
        for pending in group {
            let document = documents.get(pending.index);
            body.extend_from_slice(ACTION_START);
            body.extend_from_slice(document.id.digits().as_bytes());
            body.extend_from_slice(ACTION_END);
            body.extend_from_slice(document.bytes);
            body.push(b'\n');
            if let Some(compress) = &mut compress
                && body.len() >= PART
            {
                deflate(compress, body, FlushCompress::None, compressed)?;
                body.clear();
            }
        }
        match compress {
            Some(compress) => deflate(compress, body, FlushCompress::Finish, compressed),
            None => Ok(()),
        }
    }

    /// Takes a body that is sent as it is.
    pub fn set_plain(&mut self, body: Vec<u8>) {
        (self.size, self.is_compressed) = (body.len(), false);
        self.body = body;
    }

    /// Returns the bytes to send.
    pub fn sent(&self) -> &[u8] {
        if self.is_compressed { &self.compressed } else { &self.body }
    }
}

/// Compresses all of `part`, and ends the member if `flush` says so.
fn deflate(compress: &mut Compress, part: &[u8], flush: FlushCompress, out: &mut Vec<u8>) -> io::Result<()> {
    let start = compress.total_in();
    loop {
        let done = usize::try_from(compress.total_in() - start).unwrap_or(usize::MAX).min(part.len());
        if done == part.len() && flush == FlushCompress::None {
            return Ok(());
        }
        // Without room there is no progress.
        out.reserve(MIN_ROOM);
        if compress.compress_vec(&part[done..], out, flush)? == Status::StreamEnd {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;
    use crate::document::Encoding;

    /// Returns documents with these bodies and times.
    fn documents(bodies: &[(&str, Option<(i64, TimeSource)>)]) -> Documents {
        let mut documents = Documents::new(Encoding::Json);
        for (number, (body, time)) in bodies.iter().enumerate() {
            documents.push(number as u32, RecordId::at(7, number as u64, body.as_bytes()), |out| {
                out.extend_from_slice(body.as_bytes());
                true
            });
            documents.beside_mut().push_time(*time);
        }
        documents
    }

    fn indexes(requests: &[Vec<Pending>]) -> Vec<Vec<usize>> {
        requests.iter().map(|request| request.iter().map(|pending| pending.index).collect()).collect()
    }

    const DAY: i64 = 86_400_000;

    #[test]
    fn documents_of_one_index_share_a_request_and_only_times_that_come_again_choose_it() {
        let name = IndexName::parse("l-%{+yyyy.MM.dd}").unwrap();
        let mixed = documents(&[
            ("{}", Some((0, TimeSource::Record))),
            ("{}", Some((DAY, TimeSource::Envelope))),
            ("{}", None),
            ("{}", Some((DAY - 1, TimeSource::Stage))),
            ("{}", Some((DAY, TimeSource::Arrival))),
            ("{}", Some((DAY + 5, TimeSource::Record))),
        ]);
        assert_eq!(indexes(&requests(&mixed, &name, MAX_BODY)), [vec![0, 3], vec![1, 5], vec![2, 4]]);
        let plain = IndexName::parse("plain").unwrap();
        assert_eq!(indexes(&requests(&mixed, &plain, MAX_BODY)), [vec![0, 1, 2, 3, 4, 5]]);
        assert!(requests(&documents(&[]), &plain, MAX_BODY).is_empty());
    }

    #[test]
    fn a_request_keeps_below_the_limit_unless_it_has_one_document() {
        let name = IndexName::parse("plain").unwrap();
        let long = "x".repeat(500);
        let sizes = documents(&[("{}", None), (&long, None), ("{}", None), ("{}", None), ("{}", None)]);
        let small = 2 + OVERHEAD;
        assert_eq!(indexes(&requests(&sizes, &name, 2 * small)), [vec![0], vec![1], vec![2, 3], vec![4]]);
        let many: Vec<_> = vec![("{}", None); MAX_DOCUMENTS + 1];
        let counts: Vec<usize> = requests(&documents(&many), &name, MAX_BODY).iter().map(Vec::len).collect();
        assert_eq!(counts, [MAX_DOCUMENTS, 1]);
    }

    /// Writes the body for `group` in both ways, and returns it.
    fn written(buffers: &mut Buffers, documents: &Documents, group: &[Pending]) -> Vec<u8> {
        buffers.write(documents, group, true).unwrap();
        let (mut read, size) = (Vec::new(), buffers.size);
        flate2::read::GzDecoder::new(buffers.sent()).read_to_end(&mut read).unwrap();
        assert!(buffers.is_compressed);
        buffers.write(documents, group, false).unwrap();
        assert_eq!((buffers.sent() == read, buffers.is_compressed), (true, false));
        assert_eq!((size, buffers.size), (read.len(), read.len()));
        read
    }

    #[test]
    fn a_body_has_an_action_with_the_id_before_each_document_compressed_or_not() {
        let three = documents(&[("{\"a\":1}", None), ("{\"b\":\"\u{e9}\"}", None), ("{\"c\":3}", None)]);
        let (first, third) = (three.get(0).id, three.get(2).id);
        let expected = format!(
            "{{\"create\":{{\"_id\":\"{first}\"}}}}\n{{\"a\":1}}\n{{\"create\":{{\"_id\":\"{third}\"}}}}\n{{\"c\":3}}\n"
        );
        assert_eq!(expected.len(), 2 * (66 + 7 + 1));
        let mut buffers = Buffers::default();
        for _ in 0..3 {
            assert_eq!(written(&mut buffers, &three, &Pending::of([0, 2])), expected.as_bytes());
            assert_eq!(written(&mut buffers, &three, &[]), b"");
        }
    }

    #[test]
    fn bodies_of_every_size_and_content_are_the_same_after_decompression() {
        let mut buffers = Buffers::default();
        let mut random = fastrand::Rng::with_seed(4);
        for (count, size) in [(1, 0), (1, 1), (1, PART), (3, 2 * PART), (700, 400), (64, PART - OVERHEAD), (1, 3 << 20)]
        {
            let bodies: Vec<String> = (0..count)
                .map(|_| std::iter::repeat_with(|| random.char(' '..'\u{3000}')).take(size / 3).collect())
                .collect();
            let bodies: Vec<_> = bodies.iter().map(|body| (body.as_str(), None)).collect();
            let documents = documents(&bodies);
            let body = written(&mut buffers, &documents, &Pending::of(0..count));
            assert_eq!(body.iter().filter(|byte| **byte == b'\n').count(), 2 * count, "{count} {size}");
        }
    }
}
