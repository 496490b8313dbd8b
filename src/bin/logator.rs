//! `logator`: reads, parses and stores in one process; also tries patterns, replays dead letters, makes keys, measures.

use std::process::ExitCode;

use logator::app;
use logator::cli::{self, Commands};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

logator::look_at_streams_before_main!();

fn main() -> ExitCode {
    cli::to_the_end(run)
}

fn run() -> ExitCode {
    match cli::logator().command {
        Commands::Run(arguments) => {
            let console = arguments.report.begin("logator");
            if cli::waits_for_typing(&arguments.source.inputs) {
                console.say("reading standard input; end it with Ctrl-D (see logator run --help for files)");
            }
            let result = arguments.files().and_then(|files| {
                cli::reload_on_hangup(&console, "run")?;
                app::run::run(&arguments.source.options(files)?, &arguments.work_options(), console.clone())
            });
            cli::conclude(&console, arguments.report.receipt.as_deref(), result)
        }
        Commands::Replay(arguments) => {
            let console = arguments.report.begin("logator");
            let result = arguments.files().and_then(|files| {
                cli::reload_on_hangup(&console, "replay")?;
                app::replay::replay(&arguments.replay_options(files), &arguments.work_options(), console.clone())
            });
            cli::conclude(&console, arguments.report.receipt.as_deref(), result)
        }
        Commands::Grok(arguments) => {
            let console = cli::plain_console("logator");
            if cli::waits_for_typing(&arguments.inputs) {
                console.say("reading standard input; end it with Ctrl-D");
            }
            let result = arguments
                .files()
                .and_then(|files| app::grok::grok(&arguments.options()?, &arguments.inputs, &files, &console));
            match result {
                Ok(code) => ExitCode::from(code),
                Err(error) => cli::report(&console, &error),
            }
        }
        Commands::Keygen(arguments) => {
            let console = cli::plain_console("logator");
            match app::keygen::keygen(&arguments.file, &console) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => cli::report(&console, &error),
            }
        }
        Commands::Bench(arguments) => {
            let console = cli::plain_console("logator");
            match arguments.files().and_then(|_| app::bench::bench(&arguments.options(), &console)) {
                Ok(()) => ExitCode::SUCCESS,
                Err(error) => cli::report(&console, &error),
            }
        }
    }
}
