//! Scaling against simulated loads: time is a number, and nothing waits.

use super::*;

/// Bytes of a line.
const LINE: f64 = 200.0;

/// A queue with its workers.
struct Simulation {
    scaler: Scaler,
    sample: Sample,
    backlog: f64,
    lines: f64,
    /// The bytes that the queue holds at most.
    room: f64,
    /// The lines that one worker does in a second.
    speed: f64,
    /// How many workers can work at the same time: processors, or what the sink allows.
    useful: f64,
    changes: Vec<(f64, usize, String)>,
}

impl Simulation {
    fn new(least: usize, most: usize, speed: f64, useful: f64) -> Simulation {
        let sample = Sample { at: Duration::ZERO, backlog: 0, lines: 0, waiting: 0.0, workers: least };
        let scaler = Scaler::new(Bounds { least, most }, Settings::default());
        let (backlog, lines, room) = (0.0, 0.0, 8e6);
        Simulation { scaler, sample, backlog, lines, room, speed, useful, changes: Vec::new() }
    }

    /// Goes on for `seconds`, in which so many lines arrive in each. `noise` is added to the measures.
    fn run(&mut self, seconds: f64, load: impl Fn(f64) -> f64) {
        let rounds = (seconds / INTERVAL.as_secs_f64()) as usize;
        for _ in 0..rounds {
            let dt = INTERVAL.as_secs_f64();
            self.sample.at += INTERVAL;
            let at = self.sample.at.as_secs_f64();
            let wanted = self.backlog / LINE + load(at) * dt;
            let workers = self.sample.workers as f64;
            let done = (workers.min(self.useful) * self.speed * dt).min(wanted);
            self.backlog = ((wanted - done) * LINE).min(self.room);
            self.lines += done;
            // A full queue is refilled in parts.
            let shown =
                if self.backlog >= self.room { self.room * (0.75 + 0.25 * fastrand::f64()) } else { self.backlog };
            let working = done / (self.speed * dt);
            self.sample = Sample {
                backlog: shown as u64,
                lines: self.lines as u64,
                waiting: (workers - working).max(0.0),
                ..self.sample
            };
            if let Some(change) = self.scaler.decide(&self.sample) {
                self.sample.workers = change.workers;
                self.changes.push((at, change.workers, change.reason));
            }
        }
    }

    fn trace(&self) -> String {
        self.changes.iter().map(|(at, workers, why)| format!("{at:.2} s: {workers}, {why}\n")).collect()
    }
}

#[test]
fn a_step_of_the_load_is_met_in_two_seconds_and_the_smallest_number_is_back_in_ten() {
    for most in 2..=4 {
        let mut simulation = Simulation::new(1, most, 15_000.0, 64.0);
        simulation.run(20.0, |_| 5_000.0);
        assert!(simulation.changes.is_empty(), "{}", simulation.trace());
        simulation.run(2.0, |_| 80_000.0);
        assert_eq!(simulation.sample.workers, most, "{}", simulation.trace());
        simulation.run(3.0, |_| 80_000.0);
        let mut empty_at = None;
        while simulation.sample.workers > 1 {
            simulation.run(0.25, |_| 5_000.0);
            let now = simulation.sample.at.as_secs_f64();
            if simulation.backlog <= LINE {
                empty_at.get_or_insert(now);
            }
            assert!(empty_at.is_none_or(|empty| now - empty < 10.0), "{}", simulation.trace());
        }
        assert_eq!(simulation.changes.len(), 2 * (most - 1), "{}", simulation.trace());
    }
}

#[test]
fn a_steady_load_changes_the_number_a_few_times_only() {
    for load in [3_000.0, 9_000.0, 11_000.0, 19_500.0, 25_000.0, 35_000.0] {
        let mut simulation = Simulation::new(1, 8, 10_000.0, 64.0);
        simulation.run(600.0, |_| load * (0.9 + 0.2 * fastrand::f64()));
        let needed = (load / 10_000.0f64).ceil() as usize;
        let workers = simulation.sample.workers;
        assert!((needed..=needed + 1).contains(&workers), "{load}: {workers}\n{}", simulation.trace());
        assert!(simulation.changes.len() <= 12, "{load}:\n{}", simulation.trace());
    }
}

/// A burst every few seconds must not start and end workers each time.
#[test]
fn bursts_do_not_make_the_number_flap() {
    let mut simulation = Simulation::new(1, 4, 10_000.0, 64.0);
    simulation.run(600.0, |at| if at % 6.0 < 1.0 { 38_000.0 } else { 4_000.0 });
    assert!(simulation.changes.len() <= 60, "{} changes:\n{}", simulation.changes.len(), simulation.trace());
    simulation.changes.clear();
    simulation.run(120.0, |at| if at % 6.0 < 1.0 { 38_000.0 } else { 4_000.0 });
    assert!(simulation.changes.len() <= 10, "{} changes:\n{}", simulation.changes.len(), simulation.trace());
}

/// A file is read faster than it is parsed, so its queue is always full.
#[test]
fn a_full_queue_gets_as_many_workers_as_raise_the_throughput() {
    for useful in [1, 2, 5, 16] {
        let mut simulation = Simulation::new(1, 16, 10_000.0, f64::from(useful));
        simulation.run(120.0, |_| 1e6);
        let most = simulation.changes.iter().map(|(_, workers, _)| *workers).max().unwrap_or(1);
        let useful = useful as usize;
        assert!((useful..=useful + 2).contains(&most), "{useful}:\n{}", simulation.trace());
        let growths = simulation.changes.len();
        assert!(growths <= useful + 12, "{useful}:\n{}", simulation.trace());
    }
}

/// Each sample: backlog, lines, waiting workers, workers; and the number that it leads to.
type Row = (u64, u64, f64, usize, Option<usize>);

#[test]
fn samples_lead_to_these_decisions() {
    const MIB: u64 = 1 << 20;
    let replays: &[(&str, Bounds, usize, &[Row])] = &[
        (
            "a backlog that rises above the threshold",
            Bounds { least: 1, most: 3 },
            1,
            &[
                (0, 0, 0.2, 1, None),
                (MIB / 2, 2_500, 0.0, 1, None),
                (2 * MIB, 5_000, 0.0, 1, Some(2)),
                (3 * MIB, 9_000, 0.0, 2, None),
                (4 * MIB, 14_000, 0.0, 2, Some(3)),
                (5 * MIB, 21_000, 0.0, 3, None),
                (6 * MIB, 28_000, 0.0, 3, None),
            ],
        ),
        (
            "a backlog that falls",
            Bounds { least: 1, most: 3 },
            1,
            &[(6 * MIB, 0, 0.0, 1, None), (5 * MIB, 2_500, 0.0, 1, None), (4 * MIB, 5_000, 0.0, 1, None)],
        ),
        (
            "workers that wait for a sink",
            Bounds { least: 1, most: 3 },
            1,
            &[(0, 0, 0.9, 1, None), (2 * MIB, 2_500, 0.9, 1, None), (3 * MIB, 5_000, 0.8, 1, None)],
        ),
        (
            "a growth without more throughput is the last one for a while",
            Bounds { least: 1, most: 8 },
            1,
            &[
                (4 * MIB, 0, 0.0, 1, None),
                (5 * MIB, 2_500, 0.0, 1, Some(2)),
                (6 * MIB, 3_000, 0.0, 2, None),
                (6 * MIB, 3_500, 0.0, 2, None),
                (6 * MIB, 4_000, 0.0, 2, None),
                (7 * MIB, 4_500, 0.0, 2, None),
            ],
        ),
        (
            "steps of four, within the bounds",
            Bounds { least: 1, most: 6 },
            4,
            &[
                (0, 0, 0.0, 1, None),
                (2 * MIB, 2_500, 0.0, 1, Some(5)),
                (3 * MIB, 15_000, 0.0, 5, None),
                (4 * MIB, 30_000, 0.0, 5, Some(6)),
            ],
        ),
        (
            "one number only",
            Bounds::fixed(2),
            1,
            &[(0, 0, 0.0, 2, None), (9 * MIB, 1, 0.0, 2, None), (0, 1, 2.0, 2, None), (0, 1, 2.0, 2, None)],
        ),
    ];
    for (name, bounds, step, rows) in replays {
        let mut scaler = Scaler::new(*bounds, Settings { step: *step, ..Settings::default() });
        for (index, &(backlog, lines, waiting, workers, expected)) in rows.iter().enumerate() {
            let sample = Sample { at: INTERVAL * index as u32, backlog, lines, waiting, workers };
            let decided = scaler.decide(&sample).map(|change| change.workers);
            assert_eq!(decided, expected, "{name}: sample {index}");
        }
    }
}

#[test]
fn workers_that_wait_are_ended_by_halves_down_to_the_smallest_number() {
    let mut scaler = Scaler::new(Bounds { least: 2, most: 64 }, Settings::default());
    let (mut workers, mut at, mut numbers) = (64, Duration::ZERO, Vec::new());
    while at < Duration::from_secs(30) {
        let sample = Sample { at, backlog: 0, lines: 0, waiting: workers as f64, workers };
        if let Some(change) = scaler.decide(&sample) {
            workers = change.workers;
            numbers.push(workers);
        }
        at += INTERVAL;
    }
    assert_eq!(numbers, [33, 17, 9, 5, 3, 2]);
}
