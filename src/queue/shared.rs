//! The queue behind a lock. Readers put batches in. While the queue is full, they can wait with a descriptor. Workers or
//! the server take batches out.

use std::os::fd::BorrowedFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::poison::TrackedBatch;
use super::{AcceptsLine, Ack, LeaseId, Limits, PeerId, Queue, Reserved};
use crate::core::batch::Batch;
use crate::core::error::Result;
use crate::core::offered::Offered;
use crate::core::stop::Waker;
use crate::observe::counters::{BYTES, LINES, NULS, READ, Snapshot, Tally};
use crate::observe::details::Seldom;

static HANDED_OUT: Seldom = Seldom::new();
static LATE: Seldom = Seldom::new();
static RAN_OUT: Seldom = Seldom::new();

/// A function to call when there may be something new to hand out.
pub type Notify = Box<dyn Fn() + Send + Sync>;

/// A function to call with the batches that were settled.
pub type Settle = Box<dyn Fn(&[Batch]) + Send + Sync>;

/// A [`Queue`] that the threads of one process share. It has the methods of the queue, and fills in the time.
pub struct SharedQueue {
    queue: Mutex<State>,
    /// Readable while there is room, and after the stop. It changes under the lock, together with `State::has_room`.
    room: Waker,
    /// Workers of the same process wait here until there is work.
    work: Condvar,
    started: Instant,
    /// The number of the first lease.
    first_lease: LeaseId,
    /// Wakes a server that waits on sockets.
    notify: Option<Notify>,
    /// Gets the batches that were settled.
    settle: Option<Settle>,
}

struct State {
    queue: Queue,
    /// Whether the input was stopped although its readers may have more.
    stopped: bool,
    /// Whether `room` is readable.
    has_room: bool,
    /// When the latest ack came, counted from the queue's start.
    last_ack: Duration,
}

impl SharedQueue {
    /// Creates a queue. `notify` is called, outside the lock, when a batch was put in or the input ended.
    ///
    /// # Errors
    /// The system gives no pipe.
    pub fn new(limits: Limits, notify: Option<Notify>) -> Result<Self> {
        let room = Waker::new()?;
        room.wake();
        let first_lease = fastrand::u64(..);
        Ok(SharedQueue {
            queue: Mutex::new(State {
                queue: Queue::new(limits, first_lease),
                stopped: false,
                has_room: true,
                last_ack: Duration::ZERO,
            }),
            room,
            work: Condvar::new(),
            started: Instant::now(),
            first_lease,
            notify,
            settle: None,
        })
    }

    /// Sets `settle`, which is called outside the lock with the batches that were settled. Batches without a ticket are
    /// among them only if `all` is set.
    pub fn settling(mut self, all: bool, settle: Settle) -> Self {
        if all {
            self.queue.get_mut().unwrap_or_else(PoisonError::into_inner).queue.keep_settled();
        }
        self.settle = Some(settle);
        self
    }

    /// Returns how many batches were handed out before the one with this lease.
    pub fn handed_out_before(&self, lease: LeaseId) -> u64 {
        lease.wrapping_sub(self.first_lease)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A thread that panicked with the lock held may leave wrong counts. The receipt compares the counts, so it is
        // safe to go on.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Duration {
        self.started.elapsed()
    }

    /// Changes the queue with `change`, and [publishes](Self::publish) the change.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        self.publish(state);
        result
    }

    /// Tells others about a change of the queue: readers learn whether there is room, and `settle` learns which batches are settled.
    fn publish(&self, mut state: MutexGuard<'_, State>) {
        let room = match state.has_room {
            true => state.queue.wants_input(),
            false => state.queue.has_ample_room(),
        };
        let room = room || state.stopped;
        if room != std::mem::replace(&mut state.has_room, room) {
            if room { self.room.wake() } else { self.room.clear() }
        }
        let settled = state.queue.take_settled();
        drop(state);
        if let Some(settle) = self.settle.as_ref().filter(|_| !settled.is_empty()) {
            settle(&settled);
        }
    }

    fn wake_all(&self) {
        self.work.notify_all();
        if let Some(notify) = &self.notify {
            notify();
        }
    }

    /// Puts a batch in, unless the queue is full or was [stopped](Self::stop).
    pub fn offer(&self, batch: Batch) -> Offered {
        let mut state = self.lock();
        if state.stopped {
            return Offered::Stopped;
        }
        if !state.queue.wants_input() {
            return Offered::Full(batch);
        }
        state.queue.offer(batch);
        self.publish(state);
        self.work.notify_one();
        if let Some(notify) = &self.notify {
            notify();
        }
        Offered::Taken
    }

    /// Returns a descriptor for `poll`. It is readable while there is room, and after the [stop](Self::stop). After the
    /// queue was full, it becomes readable when a quarter of the room is free.
    pub fn room(&self) -> BorrowedFd<'_> {
        self.room.as_fd()
    }

    /// Returns whether readers may [put in](Self::offer) batches: the queue was not stopped.
    pub fn is_open(&self) -> bool {
        !self.lock().stopped
    }

    /// See [`Queue::recall`].
    pub fn recall(&self, source: u16, stream: u32) -> Vec<Batch> {
        let recalled = self.change(|state| state.queue.recall(source, stream));
        self.wake_all();
        recalled
    }

    /// Counts a line that the reader wrote to the dead letters itself.
    pub fn count_dead_letter(&self, bytes: u64) {
        self.lock().queue.count_dead_letter(bytes);
    }

    /// Counts a record that the reader left out itself. `bytes` is its length with its line end.
    pub fn count_filtered(&self, bytes: u64) {
        let counts = &mut self.lock().queue.counts;
        counts.add(&READ, 1);
        counts.add(&LINES, 1);
        counts.add(&BYTES, bytes);
        counts.add_tally(Tally { filtered: 1, ..Tally::default() });
    }

    /// Counts NULs that the reader left out between records.
    pub fn count_nuls(&self, bytes: u64) {
        self.lock().queue.counts.add(&NULS, bytes);
    }

    /// Ends the input: no `offer` follows.
    pub fn end_input(&self) {
        self.lock().queue.end_input();
        self.wake_all();
    }

    /// Stops the input. The batches in the queue are still handed out.
    pub fn stop(&self) {
        self.change(|state| {
            state.stopped = true;
            state.queue.end_input();
        });
        self.wake_all();
    }

    /// See [`Queue::reserve`].
    pub fn reserve(&self, peer: PeerId) -> Reserved {
        let now = self.now();
        let (reserved, leased) = self.change(|state| (state.queue.reserve(peer, now), state.queue.leased()));
        if let Reserved::Batch(_, batch) = &reserved {
            HANDED_OUT.tell(u64::from(batch.records), |batches, lines| {
                format!("{batches} batches with {lines} lines were handed out; there are {leased} leases now")
            });
        }
        reserved
    }

    /// See [`Queue::reserve_line`].
    pub fn reserve_line(&self, peer: PeerId, accepts: AcceptsLine) -> Reserved {
        let now = self.now();
        self.change(|state| state.queue.reserve_line(peer, now, accepts))
    }

    /// Does the same as [`reserve`](Self::reserve), but waits until there is work, the queue has ended, or `give_up`
    /// returns true. `give_up` is called again after each [`stop`](Self::stop) and [`wake_workers`](Self::wake_workers).
    pub fn reserve_waiting(&self, peer: PeerId, give_up: impl Fn() -> bool) -> Reserved {
        let mut state = self.lock();
        loop {
            let now = self.now();
            match state.queue.reserve(peer, now) {
                Reserved::Wait if !give_up() => {
                    state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
                }
                reserved => {
                    self.publish(state);
                    return reserved;
                }
            }
        }
    }

    /// Lets the workers that wait in [`reserve_waiting`](Self::reserve_waiting) ask again whether they are to give up.
    pub fn wake_workers(&self) {
        // A worker that has asked with the lock held waits by now, or asks again.
        drop(self.lock());
        self.work.notify_all();
    }

    /// See [`Queue::ack`].
    pub fn ack(&self, acks: &[Ack]) -> usize {
        if acks.is_empty() {
            return 0;
        }
        let now = self.now();
        let accepted = self.change(|state| {
            state.last_ack = now;
            acks.iter().filter(|ack| state.queue.ack(ack)).count()
        });
        if accepted < acks.len() {
            let late = acks.len() - accepted;
            LATE.tell(late as u64, |_, late| format!("{late} acks came too late: their leases had expired"));
        }
        self.work.notify_all();
        accepted
    }

    /// See [`Queue::touch`].
    pub fn touch(&self, leases: &[LeaseId]) -> usize {
        let now = self.now();
        let mut state = self.lock();
        leases.iter().filter(|&&lease| state.queue.touch(lease, now)).count()
    }

    /// See [`Queue::release`].
    pub fn release(&self, leases: &[LeaseId]) -> usize {
        let released = self.change(|state| leases.iter().rev().filter(|&&lease| state.queue.release(lease)).count());
        self.wake_all();
        released
    }

    /// See [`Queue::release_all`].
    pub fn release_all(&self, peer: PeerId) -> usize {
        let released = self.change(|state| state.queue.release_all(peer));
        if released > 0 {
            log::debug!("worker {peer} gave back {released} leases, and their lines are handed out again");
        }
        self.wake_all();
        released
    }

    /// See [`Queue::expire`].
    pub fn expire(&self) -> usize {
        let now = self.now();
        let expired = self.change(|state| state.queue.expire(now));
        if expired > 0 {
            RAN_OUT.tell(expired as u64, |_, leases| {
                format!("{leases} leases expired, and their lines are handed out again")
            });
            self.wake_all();
        }
        expired
    }

    /// Returns whether there is a poison line to bury.
    pub fn has_poison(&self) -> bool {
        self.lock().queue.poison().is_some()
    }

    /// See [`Queue::begin_burial`].
    pub fn begin_burial(&self) -> Option<TrackedBatch> {
        self.lock().queue.begin_burial()
    }

    /// See [`Queue::cancel_burial`].
    pub fn cancel_burial(&self) {
        self.lock().queue.cancel_burial();
    }

    /// See [`Queue::bury`].
    pub fn bury(&self) -> Option<Batch> {
        let now = self.now();
        let buried = self.change(|state| {
            let buried = state.queue.bury()?;
            state.last_ack = now;
            Some(buried)
        })?;
        self.wake_all();
        Some(buried)
    }

    /// See [`Queue::only_poison`].
    pub fn only_poison(&self) -> bool {
        self.lock().queue.only_poison()
    }

    /// Returns how long it is until the next lease expires; `None` if no lease can.
    pub fn until_next_deadline(&self) -> Option<Duration> {
        let now = self.now();
        self.lock().queue.next_deadline().map(|deadline| deadline.saturating_sub(now))
    }

    /// See [`Queue::held_bytes`].
    pub fn held_bytes(&self) -> (usize, usize) {
        self.lock().queue.held_bytes()
    }

    /// Returns the number of leases.
    pub fn leased(&self) -> usize {
        self.lock().queue.leased()
    }

    /// Returns whether a batch waits to be handed out.
    pub fn has_ready(&self) -> bool {
        self.lock().queue.held_bytes().0 > 0
    }

    /// See [`Queue::is_finished`].
    pub fn is_finished(&self) -> bool {
        self.lock().queue.is_finished()
    }

    /// Returns the counts so far.
    pub fn counts(&self) -> Snapshot {
        self.lock().queue.counts().clone()
    }

    /// See [`Queue::outstanding_lines`].
    pub fn outstanding_lines(&self) -> u64 {
        self.lock().queue.outstanding_lines()
    }

    /// See [`Queue::outstanding_text_lines`].
    pub fn outstanding_text_lines(&self) -> u64 {
        self.lock().queue.outstanding_text_lines()
    }

    /// See [`Queue::allow`].
    pub fn allow(&self, peer: PeerId, leases: usize) {
        self.lock().queue.allow(peer, leases);
    }

    /// Returns what a reply says about the queue: the bytes that wait, and the number of leases that `peer` may hold.
    pub fn backlog(&self, peer: Option<PeerId>) -> (usize, usize) {
        let state = self.lock();
        let leases = peer.map_or(0, |peer| state.queue.allowed(peer));
        (state.queue.held_bytes().0, leases)
    }

    /// Returns the time to run of a new lease; `None` if leases do not expire.
    pub fn lease_time(&self) -> Option<Duration> {
        self.lock().queue.lease_time()
    }

    /// Returns the time from the start to the last ack, or to now if there was no ack.
    pub fn working_time(&self) -> Duration {
        match self.lock().last_ack {
            Duration::ZERO => self.now(),
            last => last,
        }
    }
}
