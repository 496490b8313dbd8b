//! `logator-probe`: requests URLs on a schedule, and stores how long each phase of each request took.

use std::process::ExitCode;

use logator::app::probe::{Probed, probe};
use logator::cli;
use logator::probe::{report, table};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

logator::look_at_streams_before_main!();

fn main() -> ExitCode {
    cli::to_the_end(run)
}

fn run() -> ExitCode {
    let arguments = cli::probe();
    let receipt = arguments.report.receipt.as_deref();
    let console = arguments.report.begin_with(cli::probe_name(), receipt, Probed::of_nothing);
    let result = arguments.files().and_then(|_| {
        cli::reload_on_hangup(&console, "probe")?;
        let probed = probe(&arguments.options(), &console)?;
        let code = probed.exit_code(arguments.fail);
        console.account(&format!("{}\n{}", table::table(&probed.urls), probed.sentence()), &probed.totals());
        cli::write_account(receipt, &probed, code)?;
        cli::write_page(arguments.page.as_deref(), || report::page(&probed.urls, probed.times.0, probed.times.1))?;
        Ok(code)
    });
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => cli::report(&console, &error),
    }
}
