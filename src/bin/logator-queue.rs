//! `logator-queue`: reads logs and hands out their lines to workers.

use std::process::ExitCode;

use logator::app;
use logator::cli;

logator::look_at_streams_before_main!();

fn main() -> ExitCode {
    cli::to_the_end(run)
}

fn run() -> ExitCode {
    let arguments = cli::queue();
    let console = arguments.report.begin("logator-queue");
    let file = arguments.report.receipt.as_deref();
    let mut written = Ok(());
    let result = arguments.files().and_then(|files| {
        let (source, options) = (arguments.source.options(files)?, arguments.options()?);
        cli::reload_on_hangup(&console, "queue")?;
        // The receipt is shown when the work is done. The program may still wait for a late worker to learn of the end.
        app::serve::serve(&source, &options, console.clone(), &mut |receipt| {
            console.receipt(receipt);
            written = cli::write_receipt(file, receipt);
        })
    });
    match (result, written) {
        (Ok(receipt), Ok(())) => ExitCode::from(receipt.exit_code()),
        (Err(error), _) | (_, Err(error)) => cli::report(&console, &error),
    }
}
