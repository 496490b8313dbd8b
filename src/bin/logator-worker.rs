//! `logator-worker`: asks queues for lines, parses them and stores the documents.

use std::process::ExitCode;

use logator::app::{self, spawned::QueueWatch};
use logator::cli::{self, WorkerJob};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

logator::look_at_streams_before_main!();

fn main() -> ExitCode {
    cli::to_the_end(run)
}

fn run() -> ExitCode {
    let arguments = cli::worker();
    let console = arguments.begin();
    // The watch starts first, because the queue that started this worker may have ended already.
    let watch = match arguments.spawned_by.as_deref().map(|folder| QueueWatch::start(folder, &console)).transpose() {
        Ok(watch) => watch,
        Err(error) => return cli::conclude(&console, None, Err(error)),
    };
    let result = arguments.files().and_then(|files| arguments.options(files)).and_then(|(job, options)| {
        cli::reload_on_hangup(&console, "worker")?;
        match job {
            WorkerJob::Ask(addresses) => app::work::work(&addresses, &options, watch.as_ref(), console.clone()),
            WorkerJob::Receive(from, most) => app::pull::receive(&from, most, &options, console.clone()),
        }
    });
    if let Some(watch) = &watch {
        watch.leave_note(&result);
    }
    cli::conclude(&console, arguments.receipt(), result)
}
