//! Decides which lines of a content are settled. It compares the content with the extents of earlier runs while the
//! content is read.
//!
//! A [`ReplayFilter`] takes the lines of a content in order and returns them in order. Each run of lines is returned as
//! settled or as not settled. Lines in an extent whose end is not reached yet are held back. Extents may overlap in any
//! way, because they may belong to several contents with the same origin.
//!
//! A batch of records is cut between records, and also between lines where an extent begins or ends that equals the content:
//! an earlier run delivered records that began or ended there, because no byte had come for some time, or because it joined
//! other lines to records.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use bytes::Bytes;

use crate::core::batch::{Batch, Framing, Ticket};
use crate::core::line_end::LineEnd;
use crate::core::lines;
use crate::core::records::{CLOSED, CONTINUES, HEADER, LENGTH};
use crate::source::receiver::LongLine;
use crate::state::{Amount, Known, checksum};

/// The decision about a run of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Lines that must be delivered.
    Deliver(Batch),
    /// A long line that must be set aside.
    SetAside(LongLine),
    /// Lines that are settled.
    Settled {
        /// The offset of the first line.
        start: u64,
        /// The number of lines and bytes.
        amount: Amount,
        /// The hand-out that they belong to, and the number of its records that are settled. A line whose second part is
        /// delivered is no settled record.
        ticket: Option<(Ticket, u32)>,
    },
}

/// Lines that wait for a decision.
#[derive(Debug)]
enum Held {
    Batch(Batch),
    Long(LongLine),
}

impl Held {
    fn start(&self) -> u64 {
        match self {
            Held::Batch(batch) => batch.offset,
            Held::Long(line) => line.offset,
        }
    }
}

/// An extent that has begun and has not ended yet.
#[derive(Debug)]
struct Open {
    /// The checksum of the content before the extent.
    before: u64,
    known: Known,
}

/// See the [module](self).
#[derive(Debug)]
pub struct ReplayFilter {
    /// The extents of earlier runs, by start.
    known: Arc<[Known]>,
    /// The index in `known` of the first extent that has not begun yet.
    next: usize,
    /// The extents that have begun and have not ended yet, by start and index.
    open: BTreeMap<(u64, usize), Open>,
    /// The same extents by end, start and index.
    ends: BTreeSet<(u64, u64, usize)>,
    /// The extents that equal the content, and that end after the lines that were returned.
    equal: Vec<Known>,
    /// For each lineage: whether all extents that were compared equal the content.
    lineages: HashMap<u32, bool>,
    /// The number of bytes that were taken, and their checksum.
    position: u64,
    checksum: u64,
    held: VecDeque<Held>,
}

impl ReplayFilter {
    /// A filter for a content that may equal some of the extents `known`, which are ordered by start.
    pub fn new(known: Arc<[Known]>) -> ReplayFilter {
        let mut filter = ReplayFilter {
            known,
            next: 0,
            open: BTreeMap::new(),
            ends: BTreeSet::new(),
            equal: Vec::new(),
            lineages: HashMap::new(),
            position: 0,
            checksum: checksum::EMPTY,
            held: VecDeque::new(),
        };
        filter.begin_extents();
        filter
    }

    /// Whether no later line can be settled and no line is held back. The filter is not needed any more.
    pub fn is_exhausted(&self) -> bool {
        self.held.is_empty() && self.open.is_empty() && self.next == self.known.len() && self.equal.is_empty()
    }

    /// The offset of the first line that is held back, if any.
    pub fn held_from(&self) -> Option<u64> {
        self.held.front().map(Held::start)
    }

    /// The lineage that the content continues: the first one whose extents all equal the content, as far as they were
    /// compared.
    pub fn lineage(&self) -> Option<u32> {
        self.lineages.iter().filter(|(_, agrees)| **agrees).map(|(&lineage, _)| lineage).min()
    }

    /// Takes the next lines of the content.
    pub fn batch(&mut self, batch: Batch, out: &mut Vec<Decision>) {
        self.jump_to(batch.offset);
        let mut rest = &batch.data[..];
        while !rest.is_empty() {
            let to_mark = self
                .next_mark()
                .map_or(rest.len(), |mark| usize::try_from(mark - self.position).unwrap_or(usize::MAX).min(rest.len()));
            let (chunk, behind) = rest.split_at(to_mark);
            self.pass(chunk.len() as u64, checksum::of(chunk));
            rest = behind;
        }
        self.held.push_back(Held::Batch(batch));
        self.emit_decided(out);
    }

    /// Takes a long line as the next line of the content.
    pub fn long_line(&mut self, line: LongLine, out: &mut Vec<Decision>) {
        self.jump_to(line.offset);
        self.pass(line.length_with_end, line.checksum);
        self.held.push_back(Held::Long(line));
        self.emit_decided(out);
    }

    /// Takes the first bytes of a line whose end was not read yet. Extents that end within these bytes are compared.
    pub fn look_ahead(&mut self, unfinished: &[u8], out: &mut Vec<Decision>) {
        while let Some(&(end, start, index)) = self.ends.first()
            && let Ok(within) = usize::try_from(end - self.position)
            && let Some(bytes) = unfinished.get(..within)
        {
            self.ends.pop_first();
            let Some(Open { before, known }) = self.open.remove(&(start, index)) else { continue };
            let checksum = checksum::join(self.checksum, checksum::of(bytes), within as u64);
            self.compared(before, known, checksum);
        }
        self.emit_decided(out);
    }

    /// Returns all lines that are held back. The filter does not wait any longer for extents that began.
    pub fn emit_all(&mut self, out: &mut Vec<Decision>) {
        self.open.clear();
        self.ends.clear();
        self.emit_decided(out);
    }

    /// The next offset at which an extent begins or ends.
    fn next_mark(&self) -> Option<u64> {
        let start = self.known.get(self.next).map(|known| known.extent.start);
        let end = self.ends.first().map(|&(end, ..)| end);
        [start, end].into_iter().flatten().min()
    }

    /// Advances to `offset`. The bytes before it belong to no line, and no extent and no checksum has them.
    fn jump_to(&mut self, offset: u64) {
        if offset > self.position {
            self.position = offset;
            self.reach();
        }
    }

    /// Advances by `length` bytes with the checksum `checksum`. Extents begin or end at the end of these bytes, but not
    /// inside of them.
    fn pass(&mut self, length: u64, checksum: u64) {
        self.checksum = checksum::join(self.checksum, checksum, length);
        self.position += length;
        self.reach();
    }

    /// Ends and begins the extents that end or begin up to the current offset.
    fn reach(&mut self) {
        while let Some(&(end, start, index)) = self.ends.first()
            && end <= self.position
        {
            self.ends.pop_first();
            let Some(Open { before, known }) = self.open.remove(&(start, index)) else { continue };
            // An extent that ends inside of a long line cannot be compared. It was written with a larger limit for
            // lines.
            match end == self.position {
                true => self.compared(before, known, self.checksum),
                false => *self.lineages.entry(known.lineage).or_insert(true) = false,
            }
        }
        self.begin_extents();
    }

    /// Compares an extent whose end was reached. `before` is the checksum of the content before the extent, and
    /// `checksum` that of the content up to its end.
    fn compared(&mut self, before: u64, known: Known, checksum: u64) {
        let equals = checksum::join(before, known.extent.checksum, known.extent.length) == checksum;
        *self.lineages.entry(known.lineage).or_insert(true) &= equals;
        if equals {
            self.equal.push(known);
        }
    }

    /// Opens the extents that begin at the current offset.
    fn begin_extents(&mut self) {
        while let Some(known) = self.known.get(self.next)
            && known.extent.start <= self.position
        {
            let index = self.next;
            self.next += 1;
            if let Some(end) = known.extent.end()
                && known.extent.start == self.position
                && known.extent.length > 0
            {
                self.open.insert((known.extent.start, index), Open { before: self.checksum, known: *known });
                self.ends.insert((end, known.extent.start, index));
            }
        }
    }

    /// Returns the lines that are decided: those that begin before every open extent.
    fn emit_decided(&mut self, out: &mut Vec<Decision>) {
        let decided_until = self.decided_until();
        while let Some(held) = self.held.front()
            && held.start() < decided_until
        {
            match self.held.pop_front() {
                Some(Held::Long(line)) => {
                    let end = line.offset + line.length_with_end;
                    let (start, bytes) = (line.offset, line.length_with_end);
                    out.push(match self.equal_until(start) {
                        Some((until, _)) if until >= end => {
                            let ticket = line.ticket.map(|ticket| (ticket, 1));
                            Decision::Settled { start, amount: Amount { lines: 1, bytes }, ticket }
                        }
                        _ => Decision::SetAside(line),
                    });
                }
                Some(Held::Batch(batch)) => {
                    if let Some(rest) = self.decide_batch(batch, decided_until, out) {
                        self.held.push_front(Held::Batch(rest));
                        break;
                    }
                }
                None => break,
            }
        }
        let base = self.held.front().map_or(self.position, Held::start);
        self.equal.retain(|known| end(known) > base);
    }

    /// The offset before which every line is decided. If an extent ends inside of a line, the extent that continues
    /// there decides about the whole line.
    fn decided_until(&self) -> u64 {
        let mut decided_until = self.open.first_key_value().map_or(u64::MAX, |(&(start, _), _)| start);
        if self.equal.iter().all(|known| known.extent.closed) {
            return decided_until;
        }
        let open: BTreeSet<u64> = self.open.keys().map(|&(start, _)| start).collect();
        let cut = |known: &&Known| !known.extent.closed;
        // The loop goes from the last extent to the first, because a line may have been cut more than once.
        let mut cuts: Vec<&Known> = self.equal.iter().filter(cut).collect();
        cuts.sort_unstable_by_key(|known| std::cmp::Reverse(end(known)));
        for known in cuts {
            if end(known) == decided_until || open.contains(&end(known)) {
                decided_until = decided_until.min(known.extent.start);
            }
        }
        decided_until
    }

    /// The offset up to which the content equals the extent that holds the byte at `position`. If that extent ends
    /// inside of a line, the offset is that of the next extent of the same lineage, which holds the rest of the line.
    /// The second value says whether that offset lies inside of a line whose parts were delivered separately.
    fn equal_until(&self, position: u64) -> Option<(u64, bool)> {
        let holds = |known: &&Known| known.extent.start <= position && position < end(known);
        let mut last = self.equal.iter().filter(holds).max_by_key(|known| (end(known), known.extent.closed))?;
        while !last.extent.closed {
            let continue_lineage = |known: &&Known| {
                // The rest of a line that was delivered in parts is the same in every lineage.
                known.extent.start == end(last) && (known.lineage == last.lineage || last.extent.cut)
            };
            match self.equal.iter().find(continue_lineage) {
                Some(next) => last = next,
                None => break,
            }
        }
        Some((end(last), last.extent.cut))
    }

    /// Returns the lines of `batch` that begin before `decided_until` to `out`, and the other lines to the caller.
    fn decide_batch(&self, mut batch: Batch, decided_until: u64, out: &mut Vec<Decision>) -> Option<Batch> {
        let line_end = batch.line_end();
        // Whether the batch begins with the rest of a line whose first part is settled.
        let mut is_rest = false;
        while !batch.data.is_empty() {
            if batch.offset >= decided_until && !is_rest {
                return Some(batch);
            }
            let is_joined = batch.framing != Framing::Lines;
            let settled = self.equal_until(batch.offset).map_or(0, |(until, cut)| {
                let within = usize::try_from(until - batch.offset).unwrap_or(usize::MAX);
                match whole_lines(line_end, &batch.data, within) {
                    lines if lines < within && within < batch.data.len() && cut => within,
                    lines => lines,
                }
            });
            if settled > 0 {
                is_rest = !line_end.ends(&batch.data[..settled]);
                let records = batch.records;
                let first = cut(&mut batch, settled);
                let ticket = batch.ticket.map(|ticket| (ticket, records - batch.records));
                let amount = Amount { lines: u64::from(first.records), bytes: settled as u64 };
                out.push(Decision::Settled { start: first.offset, amount, ticket });
                continue;
            }
            if std::mem::take(&mut is_rest) {
                let line = line_end.find(&batch.data).unwrap_or(batch.data.len());
                out.push(Decision::Deliver(cut(&mut batch, line).with_partial(true)));
                continue;
            }
            // The lines up to `border` are delivered. The border is the start of the next equal extent, or the offset
            // up to which lines are decided. A line that crosses the border is delivered whole.
            // An extent of another content may begin within a line. A record is cut at the next line of that extent.
            let line_from = |known: &Known| match usize::try_from(known.extent.start - batch.offset) {
                Ok(at) if is_joined && at <= batch.data.len() => {
                    let line = next_line(line_end, &batch.data, at)?;
                    let start = batch.offset + line as u64;
                    (start < end(known)).then_some(start)
                }
                _ => Some(known.extent.start),
            };
            let begins = self.equal.iter().filter(|known| known.extent.start > batch.offset).filter_map(line_from);
            let next = begins.min().unwrap_or(u64::MAX);
            let border = usize::try_from(next.min(decided_until) - batch.offset).unwrap_or(usize::MAX);
            let length = match border {
                border if border >= batch.data.len() => batch.data.len(),
                // Whether a record is cut at `decided_until` is not known yet, so the record is held back.
                border if is_joined && decided_until < next => match whole_records(&batch, border) {
                    0 => return Some(batch),
                    length => length,
                },
                border => next_line(line_end, &batch.data, border).unwrap_or(batch.data.len()),
            };
            let delivered = cut(&mut batch, length);
            out.push(Decision::Deliver(delivered));
        }
        None
    }
}

/// The end of an extent. Extents with an invalid end were left out before.
fn end(known: &Known) -> u64 {
    known.extent.end().unwrap_or(known.extent.start)
}

/// The number of the first `within` bytes of `data` that are whole lines. A line that lacks only its line end is whole:
/// it was the last line of its content at that time, and its line end was written later.
fn whole_lines(line_end: LineEnd, data: &[u8], within: usize) -> usize {
    let Some(behind) = data.get(within..).filter(|behind| !behind.is_empty()) else { return data.len() };
    let (newline, carriage_return) = (line_end.newline(), line_end.carriage_return());
    match behind.strip_prefix(carriage_return).unwrap_or(behind) {
        _ if line_end.ends(&data[..within]) => within,
        rest if rest.starts_with(newline) => data.len() - rest.len() + newline.len(),
        _ => line_end.last(&data[..within]),
    }
}

/// Returns where the first line begins that begins at byte `at` of `data` or after it; `None` if there is none.
fn next_line(line_end: LineEnd, data: &[u8], at: usize) -> Option<usize> {
    let from = at.saturating_sub(line_end.width()) / line_end.width() * line_end.width();
    line_end.find(&data[from..]).map(|length| from + length)
}

/// The number of the first `within` bytes of a batch that are whole records.
fn whole_records(batch: &Batch, within: usize) -> usize {
    let ends = batch.records().skip(1).map(|record| record.start);
    ends.take_while(|&end| end <= within).last().unwrap_or(0)
}

/// Removes the first `length` bytes from `batch` and returns them as a batch. They are whole lines, or whole lines and the
/// first part of a line. If the place is within a record, both batches have a part of the record.
fn cut(batch: &mut Batch, length: usize) -> Batch {
    let mut first = batch.clone();
    first.data = batch.data.split_to(length);
    batch.offset += length as u64;
    batch.line = batch.line.map(|line| line + first.line_end().count(&first.data));
    if batch.data.is_empty() {
        batch.records = 0;
        return first;
    }
    (first.partial, first.continues) = (false, false);
    match &first.framing {
        Framing::Lines => {
            let is_within_line = !first.data.ends_with(b"\n");
            first.records = lines::count(&first.data) as u32;
            batch.records = batch.records + u32::from(is_within_line) - first.records;
        }
        Framing::Lengths(table) => {
            let (before, after) = split_lengths(table, length);
            (first.records, batch.records) = ((before.len() / 4) as u32, (after.len() / 4) as u32);
            (first.framing, batch.framing) = (Framing::Lengths(before), Framing::Lengths(after));
        }
    }
    first
}

/// Splits a table of lengths at `length` bytes of its records. If the place is within a record, each table has a part of it.
fn split_lengths(table: &Bytes, length: usize) -> (Bytes, Bytes) {
    let mut before = 0;
    for (index, entry) in table.as_chunks::<4>().0.iter().enumerate() {
        let bytes = (u32::from_be_bytes(*entry) & LENGTH) as usize;
        match (before + bytes).cmp(&length) {
            Ordering::Less => before += bytes,
            Ordering::Equal => return (table.slice(..4 * (index + 1)), table.slice(4 * (index + 1)..)),
            Ordering::Greater => {
                let bits = u32::from_be_bytes(*entry) & (CLOSED | CONTINUES | HEADER);
                // The first part is a record that lines follow which continue it.
                let first = ((length - before) as u32 | bits | CLOSED).to_be_bytes();
                let rest = ((before + bytes - length) as u32 | bits).to_be_bytes();
                let first = [&table[..4 * index], &first].concat();
                let rest = [&rest, &table[4 * (index + 1)..]].concat();
                return (first.into(), rest.into());
            }
        }
    }
    (table.clone(), Bytes::new())
}

#[cfg(test)]
mod tests;
