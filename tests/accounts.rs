//! Tests that receipts are true, whatever happens. Jobs with random inputs, flags, faults and signals are run, and
//! their exit codes, receipts, sinks and dead letters are checked.
//!
//! Exit code 0 or 1, or a receipt that says *finished*, means that every line of every input is in exactly one place: once in
//! each sink, or once among the dead letters, or dropped because the user asked for that. `plan` and `draw` say what a round
//! does, `world` has its files and the faults of these files, `job` has its processes. `files`, `followed` and `received`
//! play a round, and `oracle` judges it.
//!
//! `LOGATOR_ACCOUNTS` sets the number of rounds; without it, the same few rounds are played each time. `LOGATOR_TEST_SEED` repeats
//! a run, `LOGATOR_ACCOUNTS_SEED` plays the one round of a seed, and `LOGATOR_ACCOUNTS_BIN` names a folder with other programs
//! to try. A seed that failed goes into `FOUND`.

mod draw;
mod files;
mod followed;
mod job;
mod oracle;
mod oracle_tests;
mod pipe;
mod plan;
mod received;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};

use self::plan::{Mode, Plan};
use self::world::World;
use crate::kit::table::{Row, number, seed, tell};

/// Plays the round of a plan. Returns a sentence for each rule that does not hold, and the number of lines of the
/// round.
fn play(world: &World) -> (Vec<String>, usize) {
    let (account, mut faults) = match world.plan.mode {
        Mode::Run | Mode::Input { .. } | Mode::Queue | Mode::Spawn => files::play(world),
        Mode::Follow { .. } => followed::play(world),
        Mode::Pull | Mode::Syslog => received::play(world),
    };
    faults.extend(oracle::judge(&account));
    (faults, account.dues.values().map(|due| due.times as usize).sum())
}

/// Plays a round as [`round`] does, and adds everything that explains a failure. Returns `None` if all holds.
fn round(plan: Plan) -> (Option<String>, usize) {
    let seed = plan.seed;
    let world = World::new(plan);
    let played = catch_unwind(AssertUnwindSafe(|| play(&world)));
    let (faults, lines) = played.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().cloned();
        (vec![words.unwrap_or_else(|| "the round came to no end".to_owned())], 0)
    });
    if faults.is_empty() {
        return (None, lines);
    }
    let plan = &world.plan;
    let shapes: Vec<_> = plan.files.iter().map(|file| (&file.name, file.bytes.len(), shape(&file.shape))).collect();
    let inputs = if shapes.is_empty() { String::new() } else { format!("\n  inputs: {shapes:?}") };
    let done = world.commands.borrow().join("\n  ");
    let (mode, sinks) = (plan.mode, &plan.sinks);
    let told = format!(
        "LOGATOR_ACCOUNTS_SEED={seed}: {mode:?}, {sinks:?}{inputs}\n  {done}\n{}",
        faults.iter().map(|fault| format!("  * {fault}\n")).collect::<String>()
    );
    (Some(told), lines)
}

fn shape(shape: &plan::Shape) -> String {
    match shape {
        plan::Shape::Growing { later } => format!("Growing by {}", later.len()),
        other => format!("{other:?}"),
    }
}

/// The seeds of rounds that failed once, each with the fault of the program at that time. A seed repeats the plan, but
/// not the exact moments.
const FOUND: [(u64, &str); 12] = [
    (234_682_829, "a signal before the first line was a complete run"),
    (452_420_501, "a signal in the middle of a file was a complete run"),
    (1_026_234_851, "a signal without a meaning ended a run"),
    (2_694_615_381, "and a queue"),
    (41_574_781, "what a database refused was counted as a duplicate, and the job's own files were read"),
    (3_996_399_578, "the same, of started workers"),
    (2_964_535_264, "a started worker outlived its queue"),
    (2_475_431_305, "a first line that was cut gave its file another origin"),
    (1_812_293_230, "of a file that was truncated, the rest of a line was its own line"),
    (3_794_883_329, "a part of a line did not say so"),
    (1_504_065_143, "a signal between two lines of the start ended the program without a word"),
    (2_669_817_522, "a second signal contradicted the receipt that was written already"),
];

#[test]
fn rounds_that_failed_once_hold() {
    let failed: Vec<String> = FOUND
        .iter()
        .filter_map(|(seed, why)| Some(format!("once, {why}; now\n{}", round(Plan::draw(*seed)).0?)))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn every_line_is_in_exactly_one_place_whatever_happens() {
    if let Some(seed) = number("LOGATOR_ACCOUNTS_SEED") {
        let (fault, _) = round(Plan::draw(seed));
        assert!(fault.is_none(), "{}", fault.unwrap_or_default());
        return;
    }
    let rounds = number("LOGATOR_ACCOUNTS").unwrap_or(12);
    let name = "accounts at random: inputs, flags, faults, signals";
    let chosen = number("LOGATOR_ACCOUNTS").or(number("LOGATOR_TEST_SEED")).is_some();
    let mut random = if chosen { seed(name) } else { fastrand::Rng::with_seed(13) };
    let mut row = Row::new(name);
    let mut failed = 0;
    for _ in 0..rounds {
        let seed = random.u64(..1 << 32);
        let started = std::time::Instant::now();
        if number("LOGATOR_ACCOUNTS").is_some() {
            tell(&format!("round {seed} begins"));
        }
        let (fault, lines) = round(Plan::draw(seed));
        if number("LOGATOR_ACCOUNTS").is_some() {
            tell(&format!(
                "round {seed}: {:.1} s{}",
                started.elapsed().as_secs_f64(),
                if fault.is_some() { ", FAILED" } else { "" }
            ));
        }
        row.times += 1;
        row.lines += lines;
        if let Some(fault) = fault {
            failed += 1;
            tell(&fault);
        }
    }
    assert_eq!(failed, 0, "of {rounds} rounds; each is told above");
    row.close();
}
