//! `logator-worker`: asks queues for lines, parses them and stores the documents.

use std::process::ExitCode;

use logator::cli;
use logator::jobs;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let arguments = cli::worker();
    let console = arguments.report.console("logator-worker");
    let result = arguments.options().and_then(|(addresses, options)| {
        cli::reload_on_hangup(&console, "worker")?;
        jobs::work::work(&addresses, &options, console.clone())
    });
    cli::conclude(&console, arguments.report.receipt.as_deref(), result)
}
