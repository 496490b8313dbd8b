//! [`Hosts`]: decides which host of the address gets the next request.
//!
//! The first host of the address is preferred. A host that fails is left out for a while, and one request then tries it
//! again. There is no sniffing: no host is used that the address does not name.

use std::time::{Duration, Instant};

/// How long a host is left out after its first failure. The time doubles with each further failure.
const FIRST: Duration = Duration::from_secs(1);

/// The longest time.
const MOST: Duration = Duration::from_secs(60);

/// The state of all hosts, by their place in the address.
#[derive(Debug)]
pub(super) struct Hosts {
    hosts: Vec<Host>,
    /// The host of the last request.
    current: usize,
}

#[derive(Debug, Clone, Copy, Default)]
struct Host {
    /// The number of failures since the last answer.
    failures: u32,
    /// When the host may be tried again, after a failure.
    until: Option<Instant>,
}

impl Host {
    fn delay(&self) -> Duration {
        FIRST.saturating_mul(1 << self.failures.saturating_sub(1).min(16)).min(MOST)
    }
}

impl Hosts {
    /// Returns the state of `count` hosts that nobody has asked yet.
    pub fn new(count: usize) -> Hosts {
        Hosts { hosts: vec![Host::default(); count.max(1)], current: 0 }
    }

    /// Returns the host of the next request, and whether it is another one than that of the request before.
    pub fn choose(&mut self, now: Instant) -> (usize, bool) {
        let ready = self.hosts.iter().position(|host| host.until.is_none_or(|until| until <= now));
        let chosen = match ready {
            Some(host) => {
                // One request tries a host that has failed; the others pass it by until that one is answered.
                let delay = self.hosts[host].delay();
                if let Some(until) = &mut self.hosts[host].until {
                    *until = now + delay;
                }
                host
            }
            None => (0..self.hosts.len()).min_by_key(|&host| self.hosts[host].until).unwrap_or_default(),
        };
        let changed = chosen != self.current;
        self.current = chosen;
        (chosen, changed)
    }

    /// Notes that the host gave no answer, or said that it cannot work.
    pub fn failed(&mut self, host: usize, now: Instant) {
        let state = &mut self.hosts[host];
        state.failures = state.failures.saturating_add(1);
        state.until = Some(now + state.delay());
    }

    /// Notes that the host has answered.
    pub fn answered(&mut self, host: usize) {
        self.hosts[host] = Host::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_host_is_used_while_it_answers_and_again_when_it_answers_again() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut hosts = Hosts::new(3);
        assert_eq!(hosts.choose(at(0)), (0, false));
        hosts.answered(0);
        hosts.failed(0, at(0));
        assert_eq!(hosts.choose(at(1)), (1, true));
        hosts.failed(1, at(1));
        assert_eq!(hosts.choose(at(2)), (2, true));
        hosts.answered(2);
        assert_eq!(hosts.choose(at(900)), (2, false));
        // After a second, one request tries the first host, and no other does.
        assert_eq!(hosts.choose(at(1000)), (0, true));
        assert_eq!(hosts.choose(at(1000)), (2, true));
        hosts.failed(0, at(1000));
        assert_eq!(hosts.choose(at(1001)), (1, true), "the second is tried as well");
        hosts.answered(1);
        assert_eq!(hosts.choose(at(2999)), (1, false), "the first is left out for two seconds now");
        assert_eq!(hosts.choose(at(3000)), (0, true));
        hosts.answered(0);
        assert_eq!(hosts.choose(at(3000)), (0, false));
    }

    #[test]
    fn if_all_hosts_fail_each_is_tried_again_and_the_time_is_limited() {
        let start = Instant::now();
        let mut hosts = Hosts::new(2);
        let mut tried = [0; 2];
        let mut now = start;
        for _ in 0..200 {
            let (host, _) = hosts.choose(now);
            tried[host] += 1;
            hosts.failed(host, now);
            now += Duration::from_millis(10);
        }
        assert!(tried.iter().all(|times| *times > 50), "{tried:?}");
        assert!(hosts.hosts.iter().all(|host| host.until.unwrap() <= now + MOST));
        let (one, changed) = Hosts::new(1).choose(start);
        assert_eq!((one, changed), (0, false));
    }
}
