//! `logator grok`: prints the document of each line as JSON on standard output, in the order of the lines.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;

use super::account::say_errors;
use super::messages::{say_on, say_what_is_left_out};
use super::options::LibraryOptions;
use super::sources::SOURCES;
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::core::lines;
use crate::core::offered::Offered;
use crate::dead_letter::Explanation;
use crate::document::Encoding;
use crate::document::date::DateOptions;
use crate::event::{Layout, MessageRule};
use crate::grok::{Explainer, Parts};
use crate::observe::console::Console;
use crate::process::job_files::JobFiles;
use crate::source::api::RunContext;
use crate::source::receiver::{BatchReceiver, BatchSize, LongLine};
use crate::source::{Progress, ReadOptions};
use crate::worker::parser::{Fate, Formats, Parsed, Parser, Unmatched};

/// The output of Logstash for a line whose match took too long.
const GIVEN_UP: &[u8] = b"{\"tags\":[\"_groktimeout\"]}\n";

/// The longest line, in bytes. It is longer than the default of `run`, because this command writes no dead letters.
const MAX_LINE: usize = 64 << 20;

/// The number of bytes read and written at a time; fewer when the input pauses.
const BLOCK: usize = 64 << 10;

/// How lines are read and shown.
#[derive(Debug, Clone)]
pub struct GrokOptions {
    /// The pattern.
    pub pattern: String,
    /// The definitions that it may use.
    pub library: LibraryOptions,
    /// What the user says about dates.
    pub dates: DateOptions,
    /// How the inputs are read. The limits of lines are those of this command.
    pub read: ReadOptions,
    /// When documents have the text of their records.
    pub message: MessageRule,
    /// Whether sequences that control a terminal, such as colours, stay.
    pub keep_ansi: bool,
    /// Whether the output for a line that does not match tells how far the pattern matches.
    pub explain: bool,
}

/// Shows the document that `logator run` would store for each line of the inputs with these `names`, one input after the other.
/// Returns the exit code: 3 if an input could not be read to its end or standard output could not be written, else 0. The job's
/// own `files` are never read.
///
/// # Errors
/// The job cannot start: a wrong pattern or a missing input.
pub fn grok(options: &GrokOptions, names: &[String], files: &Arc<JobFiles>, console: &Console) -> Result<u8> {
    let library = options.library.open()?;
    let format = library.pattern_from("the pattern", &options.pattern)?;
    let explainer = format.pattern().filter(|_| options.explain).map(|pattern| {
        let library = Arc::new(library.clone());
        Explainer::new(Arc::new(Parts::new(library, pattern)))
    });
    let formats = Formats::new(vec![format], library, Unmatched::Keep, drop).with_message(options.message);
    let formats = formats.with_dates(options.dates.clone()).keeping_ansi(options.keep_ansi);
    let layout = Layout::from(Encoding::Json);
    let parser = Arc::new(formats).parser([layout.clone()])?;
    let found = SOURCES.find_whole(names, files)?;
    say_what_is_left_out(&found, console);
    let (sources, mut errors) = found.into_parts();
    let size = BatchSize { max_line: MAX_LINE, bytes: BLOCK, ..BatchSize::default() };
    let read = ReadOptions { size, say: say_on(console), ..options.read.clone() };
    let parsed = parser.buffer();
    let printer = Printer { parser, parsed, layout, explainer, out: Vec::new(), line: 0, failure: None };
    let receiver = PrintingReceiver { printer: Mutex::new(printer), console };
    let (pool, progress) = (Arc::default(), Progress::default());
    let context = RunContext { options: &read, pool: &pool, receiver: &receiver, progress: &progress };
    for source in sources {
        receiver.lock().line = 0;
        errors.extend(source.run(&context).errors);
        if let Some(failure) = receiver.lock().failure.take() {
            errors.push(failure);
            break;
        }
    }
    say_errors(&errors, console);
    Ok(if errors.is_empty() { 0 } else { 3 })
}

/// Prints the batches of the reader, in the thread of the reader.
struct PrintingReceiver<'a> {
    printer: Mutex<Printer>,
    console: &'a Console,
}

/// Makes documents and gathers their output.
struct Printer {
    parser: Parser,
    parsed: Parsed,
    layout: Layout,
    /// Tells how far the pattern matches a line; `None` without `--explain`.
    explainer: Option<Explainer>,
    out: Vec<u8>,
    /// The number of records of this input that were printed.
    line: u64,
    failure: Option<Error>,
}

/// How far the pattern matches a line.
#[derive(Serialize)]
struct Explained {
    /// The number of the line, if it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(flatten)]
    explanation: Explanation,
}

impl Printer {
    /// Prints the documents of a batch. Calls `give_up` with the number of each record whose match was given up, and the
    /// reason.
    fn print(&mut self, batch: &Batch, mut give_up: impl FnMut(u64, &str)) -> Result<()> {
        let Printer { parser, parsed, layout, explainer, out, line: number, .. } = self;
        parser.parse(batch, parsed)?;
        let documents = parsed.encoded(layout);
        let mut made = documents.iter();
        for ((index, line), fate) in batch.records().enumerate().zip(parsed.fates()) {
            match fate {
                Fate::Joined | Fate::Filtered => continue,
                Fate::DeadLettered => {
                    out.extend_from_slice(GIVEN_UP);
                    let letter = parsed.letters.iter().find(|letter| letter.line as usize == index);
                    give_up(*number + 1, letter.map_or("", |letter| &letter.detail));
                }
                Fate::Matched | Fate::Unmatched => {
                    out.extend_from_slice(made.next().map_or(b"{}", |document| document.bytes));
                    let explainer = explainer.as_mut().filter(|_| *fate == Fate::Unmatched);
                    let place = batch.place(index, line.start);
                    let text = lines::without_mark(line.bytes, place.offset);
                    if let Some(reached) = explainer.and_then(|explainer| explainer.explain(text)) {
                        let explanation = Explanation::of(&reached);
                        let explained = Explained { line: batch.line_of(index, place.offset), explanation };
                        out.pop();
                        out.extend_from_slice(b",\"explain\":");
                        // Texts and numbers are written to memory, which cannot fail.
                        let _ = serde_json::to_writer(&mut *out, &explained);
                        out.push(b'}');
                    }
                    out.push(b'\n');
                }
            }
            *number += 1;
        }
        Ok(())
    }

    /// Writes the gathered output. Returns `false` if it cannot be written.
    fn flush(&mut self) -> bool {
        let mut stdout = std::io::stdout();
        let written = stdout.write_all(&self.out).and_then(|()| stdout.flush());
        self.out.clear();
        match written {
            Ok(()) => true,
            Err(error) => {
                self.failure = Some(Error::system("standard output cannot be written").because(error));
                false
            }
        }
    }
}

impl PrintingReceiver<'_> {
    fn lock(&self) -> std::sync::MutexGuard<'_, Printer> {
        self.printer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl BatchReceiver for PrintingReceiver<'_> {
    fn offer(&self, batch: Batch) -> Offered {
        let mut printer = self.lock();
        let name = &batch.context.origin.name;
        let give_up = |number: u64, reason: &str| self.console.error(format!("{name}, line {number}: {reason}"));
        if let Err(error) = printer.print(&batch, give_up) {
            printer.failure = Some(error);
            return Offered::Stopped;
        }
        if printer.flush() { Offered::Taken } else { Offered::Stopped }
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        let mut printer = self.lock();
        printer.line += 1;
        printer.out.extend_from_slice(GIVEN_UP);
        let (name, length) = (&line.context.origin.name, line.length);
        self.console
            .error(format!("{name}, line {}: the line has {length} bytes, and the limit is {MAX_LINE}", printer.line));
        Ok(())
    }
}
