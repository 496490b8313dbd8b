//! The bytes that a queue counts are the bytes that it keeps in memory. No single batch or line keeps a whole block of
//! the reader in memory.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use proptest::prelude::*;

use super::super::poison::{Backing, TrackedBatch};
use super::*;

/// A reader's block. `alive` counts the blocks that are not freed.
struct Block {
    bytes: Vec<u8>,
    alive: Arc<AtomicUsize>,
}

impl AsRef<[u8]> for Block {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Block {
    fn drop(&mut self) {
        self.alive.fetch_sub(1, Ordering::Relaxed);
    }
}

const LINE: usize = 8;
const LINES: usize = 32;

#[derive(Debug, Clone)]
enum Operation {
    /// A block, cut into this many batches.
    Offer(usize),
    Reserve(PeerId),
    ReserveLine(PeerId),
    Ack(usize),
    Release(usize),
    ReleaseAll(PeerId),
    Advance(u64),
}

fn operation() -> impl Strategy<Value = Operation> {
    use Operation::*;
    prop_oneof![
        3 => (1usize..5).prop_map(Offer),
        3 => (0u64..6).prop_map(Reserve),
        8 => (0u64..6).prop_map(ReserveLine),
        3 => (0usize..40).prop_map(Ack),
        3 => (0usize..40).prop_map(Release),
        1 => (0u64..6).prop_map(ReleaseAll),
        2 => (0u64..40).prop_map(Advance),
    ]
}

struct Holder {
    queue: Queue,
    now: Duration,
    blocks: u64,
    alive: Arc<AtomicUsize>,
    leases: Vec<LeaseId>,
}

impl Holder {
    fn new() -> Holder {
        let limits = Limits { lease: Some(Duration::from_secs(30)), block_bytes: LINE * LINES, ..Limits::default() };
        Holder {
            queue: Queue::new(limits, 1),
            now: Duration::ZERO,
            blocks: 0,
            alive: Arc::default(),
            leases: Vec::new(),
        }
    }

    fn offer(&mut self, batches: usize) {
        let bytes = b"0123456\n".repeat(LINES);
        self.alive.fetch_add(1, Ordering::Relaxed);
        let data = Bytes::from_owner(Block { bytes, alive: Arc::clone(&self.alive) });
        let origin = Arc::new(Origin::new(1, "x"));
        for index in 0..batches {
            let (from, to) = (LINES * index / batches, LINES * (index + 1) / batches);
            let offset = self.blocks * (LINE * LINES) as u64 + (from * LINE) as u64;
            let slice = data.slice(from * LINE..to * LINE);
            self.queue.offer(Batch::new(Arc::clone(&origin), offset, (to - from) as u32, slice));
        }
        self.blocks += 1;
    }

    fn keep(&mut self, reserved: Reserved) {
        if let Reserved::Batch(lease, _) = reserved {
            self.leases.push(lease);
        }
    }

    fn apply(&mut self, operation: &Operation) {
        match operation {
            Operation::Offer(batches) => self.offer(*batches),
            Operation::Reserve(peer) => {
                let reserved = self.queue.reserve(*peer, self.now);
                self.keep(reserved);
            }
            Operation::ReserveLine(peer) => {
                let reserved = self.queue.reserve_line(*peer, self.now, is_not_empty);
                self.keep(reserved);
            }
            Operation::Ack(nth) => {
                if let Some(&lease) = self.leases.get(*nth) {
                    self.queue.ack(&Ack { lease, tally: Tally::default() });
                }
            }
            Operation::Release(nth) => {
                if let Some(&lease) = self.leases.get(*nth) {
                    self.queue.release(lease);
                }
            }
            Operation::ReleaseAll(peer) => drop(self.queue.release_all(*peer)),
            Operation::Advance(seconds) => {
                self.now += Duration::from_secs(*seconds);
                self.queue.expire(self.now);
            }
        }
    }

    fn check(&self) {
        let in_block = |waiting: &&TrackedBatch| waiting.backing == Backing::Block;
        let block_of = |waiting: &TrackedBatch| waiting.batch.offset / (LINE * LINES) as u64;
        let known: BTreeSet<u64> = self.queue.outstanding().filter(in_block).map(block_of).collect();
        assert_eq!(self.alive.load(Ordering::Relaxed), known.len(), "no other block is kept in memory");
        for waiting in self.queue.outstanding() {
            if let Backing::Copy(bytes) = waiting.backing {
                let length = waiting.batch.data.len();
                assert!(length <= bytes && bytes <= 2 * length, "{bytes} bytes are held for {length}");
            }
        }
        for lease in self.queue.leases.values() {
            let lines = &lease.lines;
            let (held, length) = match lines.backing {
                Backing::Block => (LINE * LINES, lines.batch.data.len()),
                Backing::Copy(bytes) => (bytes, lines.batch.data.len()),
            };
            assert!(held <= 2 * length, "{held} bytes are held for {length}");
        }
    }
}

proptest! {
    #![proptest_config(same_cases_each_time(500))]

    #[test]
    fn what_is_counted_is_what_is_held(operations in prop::collection::vec(operation(), 1..120)) {
        let mut holder = Holder::new();
        for operation in &operations {
            holder.apply(operation);
            holder.check();
        }
    }
}

#[test]
fn a_tiny_line_that_is_out_holds_no_block() {
    let mut holder = Holder::new();
    for peer in 0..100 {
        holder.offer(1);
        let line = holder.queue.reserve_line(2 * peer, holder.now, is_not_empty);
        holder.keep(line);
        // Another peer takes the rest and acknowledges it.
        let Reserved::Batch(lease, _) = holder.queue.reserve(2 * peer + 1, holder.now) else { panic!("the rest") };
        assert!(holder.queue.ack(&Ack { lease, tally: Tally::default() }));
    }
    assert_eq!(holder.queue.held_bytes(), (0, 100 * LINE));
    assert_eq!(holder.alive.load(Ordering::Relaxed), 0);
}
