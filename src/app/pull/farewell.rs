//! The end of receiving after a signal.

use std::time::{Duration, Instant};

use crate::core::error::Result;
use crate::net::pull::Puller;

/// The time for which messages are received after a signal, while more messages come. The time in which a slow sink or reader
/// delays them does not count, up to [`ON_THE_WAY`] bytes.
const FAREWELL: Duration = Duration::from_secs(1);

/// The number of bytes that are received after a signal for each connection, however slow the sink or reader is. About
/// this many bytes can be in transit.
const ON_THE_WAY: usize = 1 << 20;

/// After a signal, the receiving ends when no message has come for this time. The thread of libzmq may need a moment to
/// read more.
const QUIET: Duration = Duration::from_millis(250);

/// Decides when to stop receiving after a signal. Messages in transit at that time could not be sent again.
#[derive(Debug, Default)]
pub(super) struct Farewell {
    /// The time of the signal.
    began: Option<Instant>,
    /// The time since which no message has come.
    quiet: Option<Instant>,
    /// Bytes received since the signal.
    bytes: usize,
    /// The time spent since the signal on waiting for messages.
    waited: Duration,
}

impl Farewell {
    /// Waits for more messages after a round that received `bytes`. Returns `false` if it is time to end.
    pub(super) fn go_on(&mut self, bytes: usize, puller: &mut Puller) -> Result<bool> {
        let now = Instant::now();
        let Some(left) = self.left(bytes, puller.peers(), now) else { return Ok(false) };
        puller.wait_for_more(left)?;
        self.waited += now.elapsed();
        Ok(true)
    }

    /// Returns how long to wait for more messages; `None` if it is time to end.
    fn left(&mut self, bytes: usize, peers: usize, now: Instant) -> Option<Duration> {
        let began = *self.began.get_or_insert(now);
        self.bytes += bytes;
        if bytes > 0 {
            self.quiet = None;
        }
        let late = now.saturating_duration_since(began) >= FAREWELL;
        if self.waited >= FAREWELL || (late && self.bytes > ON_THE_WAY * peers.max(1)) {
            return None;
        }
        let quiet = *self.quiet.get_or_insert(now);
        let left = QUIET.saturating_sub(now.saturating_duration_since(quiet));
        (!left.is_zero()).then_some(left)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn after_a_signal_messages_are_taken_until_none_comes_or_for_a_second() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut farewell = Farewell::default();
        assert_eq!(farewell.left(10, 1, at(0)), Some(QUIET));
        assert_eq!(farewell.left(0, 1, at(50)), Some(QUIET - Duration::from_millis(50)));
        assert_eq!(farewell.left(10, 1, at(60)), Some(QUIET));
        assert_eq!(farewell.left(0, 1, at(70)), Some(QUIET - Duration::from_millis(10)));
        assert_eq!(farewell.left(0, 1, at(310)), None);

        // A few messages in each round, again and again.
        let mut farewell = Farewell::default();
        for ms in (0..1000).step_by(100) {
            assert_eq!(farewell.left(10, 1, at(ms)), Some(QUIET));
            farewell.waited += Duration::from_millis(100);
        }
        assert_eq!(farewell.left(10, 1, at(1000)), None);

        // A slow sink: more time has passed, but fewer bytes were received than can be in transit.
        let mut farewell = Farewell::default();
        assert_eq!(farewell.left(ON_THE_WAY, 2, at(0)), Some(QUIET));
        assert_eq!(farewell.left(10, 2, at(5000)), Some(QUIET));
        assert_eq!(farewell.left(ON_THE_WAY, 2, at(5001)), None);
    }
}
