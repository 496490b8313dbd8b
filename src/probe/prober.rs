//! [`Prober`]: requests what is due, in the thread that owns it, and keeps the account of each URL.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::clock::{Clock, nanos};
use super::engine::{Engine, EngineOptions, Waker};
use super::list::{Entry, List};
use super::outcome::{ErrorClass, Finished, Hop};
use super::plan::{Changed, First, Plan};
use super::schedule::Nanos;
use super::summary::{Summary, UrlSummary};
use super::tally::{End, Tally};
use super::waiting::{Occurrence, Waiting};
use crate::core::error::Result;

/// How often each URL is requested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// Once.
    Once,
    /// Until [`Prober::stop`] is called. The first request of each URL comes at a random time within its interval.
    Always,
}

/// Requests what is due.
///
/// ```
/// use logator::probe::engine::EngineOptions;
/// use logator::probe::list::List;
/// use logator::probe::prober::{Prober, Repeat};
///
/// let list = List::parse(b"60,http://127.0.0.1:1/\n").unwrap();
/// let mut prober = Prober::new(list, &EngineOptions::default(), 100, Repeat::Once)?;
/// let mut done = Vec::new();
/// while prober.turn(&mut done)? {}
/// assert_eq!(done[0].entry.request.target.to_string(), "http://127.0.0.1:1/");
/// assert_eq!(done[0].hops[0].error.as_ref().map(|fault| fault.class.keyword()), Some("refused"));
/// assert_eq!(prober.summary().0[0].errors, 1);
/// # Ok::<(), logator::core::error::Error>(())
/// ```
pub struct Prober {
    plan: Plan,
    first: First,
    waiting: Waiting,
    engine: Engine,
    clock: Clock,
    /// By target.
    tallies: Vec<Tally>,
    in_flight: HashMap<u64, Started>,
    next_tag: u64,
    /// The targets that still wait for their only request; `None` if all are requested again and again.
    once: Option<VecDeque<u32>>,
    stopping: bool,
    ended: Vec<Finished>,
}

/// An occurrence that is in the air.
struct Started {
    occurrence: Occurrence,
    entry: Arc<Entry>,
    at: Nanos,
}

/// A request that has ended.
#[derive(Debug, Clone)]
pub struct Done {
    /// The number of its target.
    pub target: u32,
    /// The line that asks for it.
    pub entry: Arc<Entry>,
    /// When it was due, in nanoseconds since 1970.
    pub scheduled_at: u64,
    /// The microseconds from then to its start.
    pub lateness: u64,
    /// How many occurrences of the target were missed beside it.
    pub missed: u64,
    /// The requests that were sent: one, and one more for each redirect. Their times belong to the same clock as
    /// `scheduled_at`.
    pub hops: Vec<Hop>,
}

impl Prober {
    /// Creates a prober of the URLs in `list`. At most `room` occurrences wait for their turn.
    ///
    /// # Errors
    /// The engine cannot be made.
    pub fn new(list: List, options: &EngineOptions, room: usize, repeat: Repeat) -> Result<Prober> {
        let first = match repeat {
            Repeat::Once => First::AtOnce,
            Repeat::Always => First::Jittered(fastrand::Rng::new()),
        };
        let mut prober = Prober {
            plan: Plan::default(),
            first,
            waiting: Waiting::new(room),
            engine: Engine::new(options)?,
            clock: Clock::start(),
            tallies: Vec::new(),
            in_flight: HashMap::new(),
            next_tag: 0,
            once: None,
            stopping: false,
            ended: Vec::new(),
        };
        prober.follow(list);
        if repeat == Repeat::Once {
            prober.once = Some(prober.plan.active().collect());
        }
        Ok(prober)
    }

    /// Returns a handle with which another thread ends the wait of [`turn`](Prober::turn).
    pub fn waker(&self) -> Waker {
        self.engine.waker()
    }

    /// Requests the URLs of `list` from now on, and no others. URLs that stay keep the time of their next request.
    pub fn follow(&mut self, list: List) -> Changed {
        let now = self.clock.now();
        let changed = self.plan.follow(list, now, &mut self.first);
        self.tallies.resize_with(self.plan.entries().len(), Tally::default);
        for target in &changed.removed {
            if self.waiting.withdraw(*target) {
                self.tallies[*target as usize].miss(1);
            }
        }
        changed
    }

    /// Starts no further request. Those in the air go on to their end. Occurrences that wait are missed. Returns how many URLs
    /// still waited for their only request.
    pub fn stop(&mut self) -> usize {
        self.stopping = true;
        let waiting = self.waiting.clear();
        let left = self.once.take().unwrap_or_default();
        let count = left.len();
        waiting.into_iter().chain(left).for_each(|target| self.tallies[target as usize].miss(1));
        count
    }

    /// Starts what is due, as far as there is room, waits until something happens, and appends the requests that have ended.
    /// Returns `false` when nothing is left to do.
    ///
    /// # Errors
    /// The engine cannot go on.
    pub fn turn(&mut self, done: &mut Vec<Done>) -> Result<bool> {
        let next = if self.stopping { None } else { self.feed()? };
        let is_over = self.stopping || self.once.as_ref().is_some_and(VecDeque::is_empty);
        if is_over && self.in_flight.is_empty() {
            return Ok(false);
        }
        let deadline = next.map(|next| self.clock.instant(next));
        let mut ended = std::mem::take(&mut self.ended);
        self.engine.wait(deadline, &mut ended)?;
        self.clock.look();
        for finished in ended.drain(..) {
            done.extend(self.land(finished));
        }
        self.ended = ended;
        Ok(true)
    }

    /// Starts what is due, as far as there is room. Returns when something is due next.
    fn feed(&mut self) -> Result<Option<Nanos>> {
        if let Some(mut left) = self.once.take() {
            // A URL is due when there is room for it, so that none is late and none is missed.
            while self.engine.room() > 0
                && let Some(target) = left.pop_front()
            {
                let at = self.clock.now();
                self.start(Occurrence { target, at, missed_before: 0, missed_after: 0 })?;
            }
            self.once = Some(left);
            return Ok(None);
        }
        loop {
            let now = self.clock.now();
            while let Some(due) = self.plan.due(now) {
                let missed = self.waiting.offer(due);
                self.tallies[due.target as usize].miss(missed);
                // What finds room is no burden for those that come after it.
                if self.engine.room() > 0
                    && let Some(occurrence) = self.waiting.take()
                {
                    self.start(occurrence)?;
                }
            }
            while self.engine.room() > 0
                && let Some(occurrence) = self.waiting.take()
            {
                self.start(occurrence)?;
            }
            let next = self.plan.next_start();
            if next.is_none_or(|next| next > self.clock.now()) {
                return Ok(next);
            }
            // Something came due meanwhile. If there is no room, it waits for the end of a request anyway.
            if self.engine.room() == 0 {
                return Ok(next);
            }
        }
    }

    fn start(&mut self, occurrence: Occurrence) -> Result<()> {
        let entry = Arc::clone(self.plan.entry(occurrence.target));
        let tag = self.next_tag;
        self.next_tag += 1;
        let at = self.clock.now();
        self.engine.start(Arc::clone(&entry.request), tag)?;
        self.in_flight.insert(tag, Started { occurrence, entry, at });
        Ok(())
    }

    /// Takes a request that has ended into the account.
    fn land(&mut self, finished: Finished) -> Option<Done> {
        let Started { occurrence, entry, at } = self.in_flight.remove(&finished.tag)?;
        let mut hops = finished.hops;
        let Occurrence { target, at: due, missed_before, missed_after } = occurrence;
        let lateness = at.saturating_sub(due) / 1000;
        let (scheduled_at, started_at) = (self.clock.wall(due), self.clock.wall(at));
        // The engine reads the time of day itself, which may have been set anew since.
        let shift = i64::try_from(started_at).unwrap_or(i64::MAX) - hops.first().map_or(0, |hop| hop.started_at);
        hops.iter_mut().for_each(|hop| hop.started_at = hop.started_at.saturating_add(shift));
        let class = hops.last().and_then(|hop| hop.error.as_ref()).map(|fault| fault.class);
        let total: u64 = hops.iter().map(|hop| hop.phases.total()).sum();
        let end = End {
            took: has_latency(class).then_some(total),
            lateness,
            error: class.map(ErrorClass::keyword),
            missed_before,
            missed_after,
        };
        self.tallies[target as usize].finish(&end, nanos(entry.interval));
        Some(Done { target, entry, scheduled_at, lateness, missed: missed_before + missed_after, hops })
    }

    /// Returns what became of each URL, in the order of the file.
    pub fn summary(&self) -> Summary {
        let entries = self.plan.entries().zip(&self.tallies);
        // Of a URL that is gone, only what happened is worth a row.
        let mut rows: Vec<_> = entries.filter(|((_, active), tally)| *active || !tally.is_empty()).collect();
        rows.sort_by_key(|((entry, active), _)| (!active, entry.line));
        Summary(rows.into_iter().map(|((entry, active), tally)| UrlSummary::new(entry, active, tally)).collect())
    }

    /// Returns how many URLs are requested.
    pub fn urls(&self) -> usize {
        self.plan.active().count()
    }

    /// Returns how many requests are in the air.
    pub fn in_flight(&self) -> usize {
        self.in_flight.len()
    }
}

/// Returns whether the time of a request is a latency: a server has answered, or was waited for until the time was over.
fn has_latency(class: Option<ErrorClass>) -> bool {
    match class {
        None => true,
        Some(
            ErrorClass::Http
            | ErrorClass::Redirect
            | ErrorClass::TimeoutDns
            | ErrorClass::TimeoutConnect
            | ErrorClass::TimeoutTls
            | ErrorClass::TimeoutFirstByte
            | ErrorClass::TimeoutTransfer,
        ) => true,
        Some(_) => false,
    }
}
