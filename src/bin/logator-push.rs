//! `logator-push`: sends the lines of standard input to the programs that pull them.

use std::process::ExitCode;

use logator::app;
use logator::app::push::Sent;
use logator::cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

logator::look_at_streams_before_main!();

fn main() -> ExitCode {
    cli::to_the_end(run)
}

fn run() -> ExitCode {
    let arguments = cli::push();
    let receipt = arguments.report.receipt.as_deref();
    let console = arguments.report.begin_with("logator-push", receipt, |_| Sent::default());
    let result = arguments.files().and_then(|files| arguments.options(files)).and_then(|options| {
        cli::reload_on_hangup(&console, "push")?;
        let sent = app::push::push(&options, console.clone())?;
        cli::write_json(receipt, &sent)?;
        Ok(sent)
    });
    match result {
        Ok(sent) => ExitCode::from(sent.exit_code()),
        Err(error) => cli::report(&console, &error),
    }
}
