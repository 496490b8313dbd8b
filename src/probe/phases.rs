//! The phases of a request: from libcurl's cumulative times to differences that add up to the total.
//!
//! libcurl measures everything from the start of a request. A time that was not reached is 0, and so are those of a
//! connection that was made for an earlier request. When a request fails, libcurl also sets times that were not reached,
//! to the end. Some times are noted a few microseconds out of order. The function [`split`] puts them in order, so that
//! no phase is negative and no time is counted twice or lost.

/// The times of libcurl, in microseconds since the start of a request; 0 where a point was not reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Cumulative {
    /// The name was looked up.
    pub name_lookup: u64,
    /// The TCP connection was there.
    pub connect: u64,
    /// The TLS connection was there.
    pub tls: u64,
    /// The request could be sent.
    pub ready: u64,
    /// The request was sent.
    pub sent: u64,
    /// The first byte of the answer was there.
    pub first_byte: u64,
    /// The request ended.
    pub total: u64,
}

/// What decides which phases a request has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Course {
    /// The address has a name that must be looked up, and not numbers.
    pub named: bool,
    /// The address begins with `https:`.
    pub tls: bool,
    /// The connection was made for an earlier request.
    pub reused: bool,
    /// A byte of the request was sent.
    pub sent: bool,
    /// A byte of the answer arrived.
    pub answered: bool,
    /// The whole answer arrived.
    pub finished: bool,
}

/// The phases of a request, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// The name is looked up.
    NameLookup,
    /// The TCP connection is made.
    Connect,
    /// The TLS connection is made.
    Tls,
    /// The request is sent.
    Send,
    /// The server works.
    Wait,
    /// The answer arrives.
    Transfer,
}

/// The time that each phase took, in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Phases {
    /// From the start until the name was looked up.
    pub name_lookup: u64,
    /// From then until the TCP connection was there.
    pub connect: u64,
    /// From then until the TLS connection was there; 0 without TLS.
    pub tls: u64,
    /// From then until the request was sent.
    pub send: u64,
    /// From then until the first byte of the answer arrived.
    pub wait: u64,
    /// From then until the last byte arrived.
    pub transfer: u64,
}

impl Phases {
    /// Returns the time of the whole request.
    pub fn total(&self) -> u64 {
        let Phases { name_lookup, connect, tls, send, wait, transfer } = *self;
        name_lookup + connect + tls + send + wait + transfer
    }
}

/// Divides the total time of a request among its phases, and returns the phase in which the request ended.
///
/// The time after the last point that was reached belongs to the phase that was to follow. So the phase in which a
/// request fails is the one that took the time.
///
/// ```
/// use logator::probe::phases::{Course, Cumulative, Stage, split};
///
/// let times = Cumulative { name_lookup: 800, connect: 2_000, total: 1_000_000, ..Cumulative::default() };
/// let course = Course { named: true, tls: true, reused: false, sent: false, answered: false, finished: false };
/// let (phases, stage) = split(&times, course);
/// assert_eq!((phases.name_lookup, phases.connect, phases.tls), (800, 1_200, 998_000));
/// assert_eq!(stage, Stage::Tls);
/// ```
pub fn split(times: &Cumulative, course: Course) -> (Phases, Stage) {
    let (is_sent, is_answered) = (course.finished || course.sent, course.finished || course.answered);
    let first_byte = if is_answered { times.first_byte } else { 0 };
    let sent = match (is_sent, first_byte) {
        (false, _) => 0,
        (true, 0) => times.sent,
        // A server that answers early does so before libcurl notes that the request is sent.
        (true, first_byte) => times.sent.max(times.ready).min(first_byte),
    };
    let points = if course.reused {
        [0, 0, 0, sent, first_byte]
    } else {
        [times.name_lookup, times.connect, if course.tls { times.tls } else { 0 }, sent, first_byte]
    };
    let reached = reached(&points, course);
    let mut ends = [times.total; 6];
    let mut before = 0;
    for (end, point) in ends.iter_mut().zip(points).take(reached) {
        before = point.clamp(before, times.total);
        *end = before;
    }
    let [name_lookup, connect, tls, send, wait, transfer] = [0, 1, 2, 3, 4, 5].map(|i| match i {
        0 => ends[0],
        i => ends[i] - ends[i - 1],
    });
    (Phases { name_lookup, connect, tls, send, wait, transfer }, STAGES[reached])
}

const STAGES: [Stage; 6] = [Stage::NameLookup, Stage::Connect, Stage::Tls, Stage::Send, Stage::Wait, Stage::Transfer];

/// Returns how many of the points were reached. A point without a time counts as reached if a later one has a time, or
/// if the request does not have it at all.
fn reached(points: &[u64; 5], course: Course) -> usize {
    if course.finished {
        return points.len();
    }
    let mut reached = points.iter().rposition(|point| *point > 0).map_or(0, |last| last + 1);
    while let Some(stage) = STAGES.get(reached) {
        let absent = match stage {
            Stage::NameLookup => !course.named || course.reused,
            Stage::Connect => course.reused,
            Stage::Tls => !course.tls || course.reused,
            Stage::Send | Stage::Wait | Stage::Transfer => false,
        };
        if !absent {
            break;
        }
        reached += 1;
    }
    reached
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const FRESH: Course = Course { named: true, tls: true, reused: false, sent: true, answered: true, finished: true };

    fn times(times: [u64; 7]) -> Cumulative {
        let [name_lookup, connect, tls, ready, sent, first_byte, total] = times;
        Cumulative { name_lookup, connect, tls, ready, sent, first_byte, total }
    }

    fn phases(phases: [u64; 6]) -> Phases {
        let [name_lookup, connect, tls, send, wait, transfer] = phases;
        Phases { name_lookup, connect, tls, send, wait, transfer }
    }

    #[test]
    fn cumulative_times_become_differences() {
        let plain = Course { tls: false, ..FRESH };
        let reused = Course { reused: true, ..FRESH };
        for (what, course, given, expected) in [
            ("with TLS", FRESH, [10, 30, 80, 81, 85, 200, 210], [10, 20, 50, 5, 115, 10]),
            ("without TLS", plain, [10, 30, 0, 31, 35, 200, 210], [10, 20, 0, 5, 165, 10]),
            ("on a connection that is there", reused, [3, 3, 0, 4, 6, 100, 101], [0, 0, 0, 6, 94, 1]),
            ("an answer before the request is sent", FRESH, [10, 30, 80, 81, 150, 90, 210], [10, 20, 50, 10, 0, 120]),
            ("without the time at which it was sent", FRESH, [10, 30, 80, 81, 0, 200, 210], [10, 20, 50, 1, 119, 10]),
            ("a total that is noted too early", FRESH, [10, 30, 80, 81, 85, 200, 190], [10, 20, 50, 5, 105, 0]),
        ] {
            assert_eq!(split(&times(given), course), (phases(expected), Stage::Transfer), "{what}");
        }
    }

    #[test]
    fn the_phase_in_which_a_request_fails_takes_the_rest_of_its_time() {
        let failed = Course { finished: false, ..FRESH };
        let plain = Course { tls: false, ..failed };
        let numbers = Course { named: false, ..failed };
        let reused = Course { reused: true, ..failed };
        let nothing = Course { sent: false, answered: false, ..failed };
        for (course, given, expected, stage) in [
            (failed, [0, 0, 0, 0, 0, 0, 90], [90, 0, 0, 0, 0, 0], Stage::NameLookup),
            (numbers, [0, 0, 0, 0, 0, 0, 90], [0, 90, 0, 0, 0, 0], Stage::Connect),
            (failed, [10, 0, 0, 0, 0, 0, 90], [10, 80, 0, 0, 0, 0], Stage::Connect),
            (failed, [10, 30, 0, 0, 0, 0, 90], [10, 20, 60, 0, 0, 0], Stage::Tls),
            (plain, [10, 30, 0, 0, 0, 0, 90], [10, 20, 0, 60, 0, 0], Stage::Send),
            (failed, [10, 30, 50, 51, 0, 0, 90], [10, 20, 20, 40, 0, 0], Stage::Send),
            (failed, [10, 30, 50, 51, 52, 0, 90], [10, 20, 20, 2, 38, 0], Stage::Wait),
            (failed, [10, 30, 50, 51, 52, 70, 90], [10, 20, 20, 2, 18, 20], Stage::Transfer),
            (Course { answered: false, ..failed }, [10, 30, 50, 51, 52, 90, 90], [10, 20, 20, 2, 38, 0], Stage::Wait),
            (nothing, [10, 30, 0, 90, 90, 90, 90], [10, 20, 60, 0, 0, 0], Stage::Tls),
            (nothing, [10, 0, 0, 90, 90, 90, 90], [10, 80, 0, 0, 0, 0], Stage::Connect),
            (reused, [0, 0, 0, 0, 0, 0, 90], [0, 0, 0, 90, 0, 0], Stage::Send),
            (reused, [0, 0, 0, 2, 3, 0, 90], [0, 0, 0, 3, 87, 0], Stage::Wait),
        ] {
            assert_eq!(split(&times(given), course), (phases(expected), stage), "{given:?} {course:?}");
        }
    }

    proptest! {
        #[test]
        fn phases_add_up_to_the_total(
            given in proptest::array::uniform7(prop_oneof![Just(0u64), 0..50u64, any::<u32>().prop_map(u64::from)]),
            flags in any::<[bool; 6]>(),
        ) {
            let [named, tls, reused, sent, answered, finished] = flags;
            let course = Course { named, tls, reused, sent, answered, finished };
            let given = times(given);
            let (phases, stage) = split(&given, course);
            prop_assert_eq!(phases.total(), given.total);
            prop_assert!(tls && !reused || phases.tls == 0);
            prop_assert!(!reused || phases.name_lookup + phases.connect == 0);
            prop_assert!(!finished || stage == Stage::Transfer);
        }

        #[test]
        fn no_phase_after_the_failing_one_takes_time(
            given in proptest::array::uniform7(prop_oneof![Just(0u64), 0..50u64]),
            flags in any::<[bool; 5]>(),
        ) {
            let [named, tls, reused, sent, answered] = flags;
            let course = Course { named, tls, reused, sent, answered, finished: false };
            let (phases, stage) = split(&times(given), course);
            let Phases { name_lookup, connect, tls, send, wait, transfer } = phases;
            for (later, time) in STAGES.into_iter().zip([name_lookup, connect, tls, send, wait, transfer]) {
                prop_assert!(later <= stage || time == 0, "{:?} in {:?}", phases, stage);
            }
        }
    }
}
