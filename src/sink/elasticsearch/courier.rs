//! [`Couriers`]: threads that carry requests, while the thread that stores watches the deadline.
//!
//! A request blocks its thread until the server answers or a time-out of the connection passes. The thread that stores must
//! end sooner, at the deadline of the sink or after a signal. It then leaves the request to its courier.

use std::collections::VecDeque;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::core::error::{Error, Result};
use crate::core::wait::{Ended, Wait};

/// The time between two looks at the deadline.
const CHECK_INTERVAL: Duration = Duration::from_millis(50);

type Job = Box<dyn FnOnce() + Send>;

/// The threads. There are as many as requests were under way at a time; they end when this is dropped.
pub(super) struct Couriers(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    jobs: VecDeque<Job>,
    /// The number of threads that wait for a job.
    idle: usize,
    is_closed: bool,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does jobs until there will be none.
    fn work(&self) {
        let mut state = self.state();
        while !state.is_closed {
            match state.jobs.pop_front() {
                Some(job) => {
                    drop(state);
                    job();
                    state = self.state();
                }
                None => {
                    state.idle += 1;
                    state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
                    state.idle -= 1;
                }
            }
        }
    }
}

impl Couriers {
    pub fn new() -> Couriers {
        Couriers(Arc::default())
    }

    /// Lets a thread do `work`, and returns its result. `reason` is said if it takes long.
    ///
    /// # Errors
    /// The outer error: no thread can be started, or the thread broke down. The inner one: the time was over first.
    pub fn carry<T: Send + 'static>(
        &self,
        wait: &Wait<'_>,
        reason: impl Fn() -> String,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<Result<T, Ended>> {
        let (done, result) = mpsc::sync_channel(1);
        // Nobody takes the result after the time was over.
        self.give(Box::new(move || drop(done.send(work()))))?;
        loop {
            match result.recv_timeout(CHECK_INTERVAL) {
                Ok(result) => return Ok(Ok(result)),
                Err(RecvTimeoutError::Timeout) => match wait.check(&reason()) {
                    Ok(()) => {}
                    Err(ended) => return Ok(Err(ended)),
                },
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(Error::internal("a thread that carries requests broke down"));
                }
            }
        }
    }

    fn give(&self, job: Job) -> Result<()> {
        let mut state = self.0.state();
        state.jobs.push_back(job);
        if state.idle >= state.jobs.len() {
            self.0.changed.notify_one();
            return Ok(());
        }
        drop(state);
        let shared = Arc::clone(&self.0);
        let thread = std::thread::Builder::new().name("elasticsearch".to_owned());
        let started = thread.spawn(move || shared.work());
        started.map(drop).map_err(|error| Error::system("cannot start a thread that carries requests").because(error))
    }
}

impl Drop for Couriers {
    fn drop(&mut self) {
        self.0.state().is_closed = true;
        self.0.changed.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::wait::{Deadline, Waits, Words};

    #[test]
    fn work_is_done_by_threads_that_are_used_again() {
        let waits = Waits::quiet(Deadline::NONE);
        let patience = waits.patience("x", Words::STORED);
        let couriers = Couriers::new();
        let me = std::thread::current().id();
        for number in 0..100 {
            let carried = couriers.carry(&patience.begin(), String::new, move || (number, std::thread::current().id()));
            let (result, thread) = carried.unwrap().unwrap();
            assert!(result == number && thread != me);
        }
        // All at once: each has a thread of its own, and none waits for another.
        let all_here = Arc::new(std::sync::Barrier::new(8));
        std::thread::scope(|scope| {
            for _ in 0..8 {
                let all_here = Arc::clone(&all_here);
                let work = move || all_here.wait().is_leader();
                scope.spawn(|| couriers.carry(&patience.begin(), String::new, work).unwrap().unwrap());
            }
        });
    }

    #[test]
    fn at_the_deadline_the_work_is_left_alone_and_a_thread_that_breaks_down_is_an_error() {
        let waits = Waits::quiet(Deadline::of(Duration::from_millis(100)));
        let patience = waits.patience("x", Words::STORED);
        let couriers = Couriers::new();
        let (release, held) = mpsc::channel::<()>();
        let ended = couriers
            .carry(
                &patience.begin(),
                || "no answer".to_owned(),
                move || {
                    let _ = held.recv();
                },
            )
            .unwrap();
        assert!(ended.unwrap_err().0.contains("not stored within 0.1 s: no answer"));
        drop(release);
        let waits = Waits::quiet(Deadline::NONE);
        let patience = waits.patience("x", Words::STORED);
        let broken = couriers.carry(&patience.begin(), String::new, || assert!(std::hint::black_box(false)));
        assert!(broken.is_err());
    }
}
