//! `logator-worker`: asks queues for lines, parses them and stores the documents.

use std::process::ExitCode;

use logator::cli::{self, WorkerJob};
use logator::jobs;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::worker();
    let console = arguments.report.begin("logator-worker");
    let result = arguments.files().and_then(|_| arguments.options()).and_then(|(job, options)| {
        cli::reload_on_hangup(&console, "worker")?;
        match job {
            WorkerJob::Ask(addresses) => jobs::work::work(&addresses, &options, console.clone()),
            WorkerJob::Pull(pull) => jobs::pull::store(&pull, &options, console.clone()),
        }
    });
    cli::conclude(&console, arguments.report.receipt.as_deref(), result)
}
