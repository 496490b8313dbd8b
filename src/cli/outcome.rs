//! The end of a program: its last messages, its receipt and its exit code.

use std::io::IsTerminal;
use std::path::Path;
use std::process::ExitCode;

use super::receipt_file::write_receipt;
use crate::core::error::{Error, Result};
use crate::core::stderr;
use crate::observe::console::{Console, LogFormat};
use crate::observe::receipt::Receipt;
use crate::process::{memory, signals};

/// Runs a program to its exit code. Before the process ends, the messages are written, as far as they are read.
pub fn to_the_end(program: impl FnOnce() -> ExitCode) -> ExitCode {
    /// Waits for the messages, even if the program panics.
    struct Flush;
    impl Drop for Flush {
        fn drop(&mut self) {
            stderr::flush();
        }
    }
    let _flush = Flush;
    memory::use_small_pages();
    program()
}

/// Returns a console for a command without a receipt. Signals have their default effect.
pub fn plain_console(program: &'static str) -> Console {
    signals::leave_to_the_system().unwrap_or_else(|error| fail(program, &error));
    Console::new(program, LogFormat::Text, false)
}

/// Returns the message for a signal that comes before a job starts.
pub(super) fn nothing_was_read(signal: &str) -> String {
    format!("{signal}: stopped before the work began; nothing was read")
}

/// Prints `error` and ends the process with its exit code.
pub(super) fn fail(program: &'static str, error: &Error) -> ! {
    Console::new(program, LogFormat::Text, false).error(error.to_string());
    stderr::flush();
    std::process::exit(i32::from(error.exit_code()))
}

/// Prints how a job ended, writes its receipt, and returns the exit code.
pub fn conclude(console: &Console, receipt_file: Option<&Path>, result: Result<Receipt>) -> ExitCode {
    let written = result.and_then(|receipt| {
        console.receipt(&receipt);
        write_receipt(receipt_file, &receipt)?;
        Ok(receipt.exit_code())
    });
    written.map_or_else(|error| report(console, &error), ExitCode::from)
}

/// Prints `error` and returns its exit code.
pub fn report(console: &Console, error: &Error) -> ExitCode {
    console.error(error.to_string());
    ExitCode::from(error.exit_code())
}

/// Whether a program would read standard input from a terminal because no input is named. A message then helps the user.
pub fn waits_for_typing(inputs: &[String]) -> bool {
    inputs.is_empty() && std::io::stdin().is_terminal()
}
