//! `logator-pull`: receives the lines that other programs push, and prints or stores them.

use std::process::ExitCode;

use logator::app;
use logator::app::pull::Received;
use logator::cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

logator::look_at_streams_before_main!();

fn main() -> ExitCode {
    cli::to_the_end(run)
}

fn run() -> ExitCode {
    let arguments = cli::pull();
    let receipt = arguments.report.receipt.as_deref();
    if let Some(work) = arguments.work_options() {
        let console = arguments.report.begin("logator-pull");
        let result = arguments.files().and_then(|_| arguments.options()).and_then(|options| {
            cli::reload_on_hangup(&console, "pull")?;
            app::pull::store(&options, &work, console.clone())
        });
        return cli::conclude(&console, receipt, result);
    }
    let console = arguments.report.begin_with("logator-pull", receipt, |_| Received::default());
    let result = arguments.files().and_then(|_| arguments.options()).and_then(|options| {
        cli::reload_on_hangup(&console, "pull")?;
        let received = app::pull::print(&options, arguments.wait.sink_deadline, console.clone())?;
        cli::write_json(receipt, &received)
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if !error.is_broken_pipe() {
                console.error(error.to_string());
            }
            ExitCode::from(error.exit_code())
        }
    }
}
