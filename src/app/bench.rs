//! `logator bench`: whole runs, each in a process of its own, for each number of workers.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::core::error::{Error, Result};
use crate::core::numbers::{grouped, human_bytes};
use crate::observe::console::Console;
use crate::observe::receipt::Receipt;
use crate::sink::spec::SinkSpec;

/// What to measure.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// Arguments of `logator run` besides sinks and workers.
    pub arguments: Vec<OsString>,
    /// Where to store.
    pub sinks: Vec<SinkSpec>,
    /// Numbers of workers.
    pub workers: Vec<usize>,
    /// Counted runs for each.
    pub runs: usize,
}

/// Measures, and prints a table on standard output: for each number of workers the median run by lines a second.
///
/// Each run stores under ids of its own, so that a sink that keeps documents does not see duplicates.
///
/// # Errors
/// When a run fails.
pub fn bench(options: &BenchOptions, console: &Console) -> Result<()> {
    let total = options.workers.len() * (options.runs + 1);
    let mut table =
        vec![["workers", "lines/s", "per worker", "of 1st", "min", "max", "cpu s", "memory"].map(str::to_owned)];
    let mut first = None;
    let mut done = 0;
    for &workers in &options.workers {
        let mut receipts = Vec::new();
        for run in 0..=options.runs {
            let receipt = measure(options, workers, done)?;
            done += 1;
            console.say(format!(
                "run {done} of {total}: {workers} workers, {} lines/s{}",
                grouped(receipt.lines_per_second as u64),
                if run == 0 { " (warm-up, not counted)" } else { "" }
            ));
            if run > 0 {
                receipts.push(receipt);
            }
        }
        receipts.sort_by(|a, b| a.lines_per_second.total_cmp(&b.lines_per_second));
        let (Some(slowest), Some(fastest)) = (receipts.first(), receipts.last()) else { continue };
        let median = &receipts[receipts.len() / 2];
        let base = *first.get_or_insert(median.lines_per_second);
        let rate = |rate: f64| grouped(rate.round() as u64);
        table.push([
            workers.to_string(),
            rate(median.lines_per_second),
            rate(median.lines_per_second / workers as f64),
            format!("{:.2}", median.lines_per_second / base),
            rate(slowest.lines_per_second),
            rate(fastest.lines_per_second),
            format!("{:.2}", median.cpu_seconds),
            human_bytes(median.peak_memory_bytes),
        ]);
        if workers == options.workers[0] {
            console.say(format!("{} lines, {}, each run", grouped(median.read), human_bytes(median.bytes)));
        }
    }
    crate::observe::console::print_table(&table)
}

/// One run in a process of its own.
fn measure(options: &BenchOptions, workers: usize, run: usize) -> Result<Receipt> {
    let program = std::env::current_exe().map_err(|error| Error::system("where am I?").because(error))?;
    let name = format!("logator-bench-{}-{run}.json", std::process::id());
    let file = std::env::temp_dir().join(name);
    let mut command = Command::new(program);
    command.arg("run").arg("--quiet").arg("--receipt").arg(&file);
    command.arg("--jobs").arg(workers.to_string());
    // A name is only for one input; several are told apart by their content, and stored once.
    if options.sinks.iter().any(SinkSpec::knows_duplicates) {
        command.arg("--origin").arg(format!("bench-{}-{run}", std::process::id()));
    }
    for sink in &options.sinks {
        command.arg("--to").arg(sink.to_argument());
    }
    command.args(&options.arguments).stdin(Stdio::null()).stdout(Stdio::null());
    let status = command.status().map_err(|error| Error::system("a run cannot be started").because(error))?;
    let receipt = std::fs::read(&file).ok().and_then(|json| serde_json::from_slice::<Receipt>(&json).ok());
    let _ = std::fs::remove_file(&file);
    match (status.code(), receipt) {
        (Some(0 | 1), Some(receipt)) => Ok(receipt),
        (Some(2), _) => Err(Error::usage("the run could not be started; see above")),
        _ => Err(Error::system(format!("a run ended with {status}"))),
    }
}
