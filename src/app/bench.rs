//! `logator bench`: several runs for each number of workers. Each run is a process.

use std::ffi::OsString;
use std::process::{Command, Stdio};

use crate::core::error::{Error, Result};
use crate::core::numbers::{grouped, human_bytes};
use crate::observe::console::Console;
use crate::observe::receipt::Receipt;
use crate::sink::SinkSpec;

/// The measurement: the arguments of each run, the sinks and the numbers of workers.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// Arguments of `logator run`, without sinks and workers.
    pub arguments: Vec<OsString>,
    /// The sinks.
    pub sinks: Vec<SinkSpec>,
    /// The numbers of workers.
    pub workers: Vec<usize>,
    /// Counted runs for each number of workers.
    pub runs: usize,
}

/// Measures, and prints a table on standard output. For each number of workers, the table has the run with the median of lines
/// per second.
///
/// The documents of different runs have different ids, so that a sink does not see duplicates.
///
/// # Errors
/// A run that fails.
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

/// Runs `logator run` once and returns its receipt.
fn measure(options: &BenchOptions, workers: usize, run: usize) -> Result<Receipt> {
    let program =
        std::env::current_exe().map_err(|error| Error::system("the path of this program is unknown").because(error))?;
    let name = format!("logator-bench-{}-{run}.json", std::process::id());
    let file = std::env::temp_dir().join(name);
    let mut command = Command::new(program);
    command.arg("run").arg("--quiet").arg("--receipt").arg(&file);
    command.arg("--jobs").arg(workers.to_string());
    // --origin NAME takes a single input only. Several inputs keep their own ids, and are stored once.
    if options.sinks.iter().any(|sink| sink.kind().knows_duplicates) {
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
