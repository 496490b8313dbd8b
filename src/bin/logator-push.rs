//! `logator-push`: sends lines to the programs that pull them, or to a topic of Kafka.

use std::process::ExitCode;

use logator::app;
use logator::app::push::Sent;
use logator::cli::{self, PushArgs};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

logator::look_at_streams_before_main!();

fn main() -> ExitCode {
    cli::to_the_end(run)
}

fn run() -> ExitCode {
    let arguments = cli::push();
    if arguments.is_for_topic() {
        return to_topic(&arguments);
    }
    let receipt = arguments.report.receipt.as_deref();
    let console = arguments.report.begin_with("logator-push", receipt, |_| Sent::default());
    let result = arguments.files().and_then(|files| arguments.socket_options(files)).and_then(|options| {
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

/// Sends records to a topic of Kafka.
fn to_topic(arguments: &PushArgs) -> ExitCode {
    let console = arguments.report.begin("logator-push");
    let result = arguments.files().and_then(|files| arguments.topic_options(files)).and_then(|options| {
        cli::reload_on_hangup(&console, "push")?;
        app::push::push_to_topic(&options, console.clone())
    });
    cli::conclude(&console, arguments.report.receipt.as_deref(), result)
}
