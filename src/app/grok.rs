//! `logator grok`: prints the captures of each line as JSON on standard output, in the order of the lines.

use std::io::Write;
use std::sync::{Arc, Mutex, PoisonError};

use super::account::say_errors;
use super::messages::{say_on, say_what_is_left_out};
use super::options::LibraryOptions;
use super::sources::SOURCES;
use crate::core::batch::Batch;
use crate::core::error::{Error, Result};
use crate::core::lines;
use crate::core::offered::Offered;
use crate::core::records::HEADER;
use crate::dead_letter::Explanation;
use crate::event::CaptureEncoder;
use crate::grok::{Explainer, Matcher, Parts, Span};
use crate::observe::console::Console;
use crate::process::job_files::JobFiles;
use crate::source::api::RunContext;
use crate::source::receiver::{BatchReceiver, BatchSize, LongLine};
use crate::source::record_rules::RecordRules;
use crate::source::{Progress, ReadOptions};
use crate::worker::parser::text::Texts;

/// The output of Logstash for a line that does not match.
const UNMATCHED: &[u8] = b"{\"tags\":[\"_grokparsefailure\"]}\n";

/// The output of Logstash for a line whose match took too long.
const GIVEN_UP: &[u8] = b"{\"tags\":[\"_groktimeout\"]}\n";

/// The longest line, in bytes. It is longer than the default of `run`, because this command writes no dead letters.
const MAX_LINE: usize = 64 << 20;

/// The number of bytes read and written at a time; fewer when the input pauses.
const BLOCK: usize = 64 << 10;

/// Matches every record of the inputs with these `names`, one input after the other. Returns the exit code: 3 if an input could
/// not be read to its end or standard output could not be written, else 0. With `explain`, the output for a line that does not
/// match tells how far the pattern matches. The job's own `files` are never read.
///
/// # Errors
/// The job cannot start: a wrong pattern or a missing input.
pub fn grok(
    pattern: &str,
    names: &[String],
    files: &Arc<JobFiles>,
    library: &LibraryOptions,
    records: RecordRules,
    explain: bool,
    console: &Console,
) -> Result<u8> {
    let library = Arc::new(library.open()?);
    let pattern = library.compile_from("the pattern", pattern)?;
    let explainer = explain.then(|| Explainer::new(Arc::new(Parts::new(library, &pattern))));
    let encoder = CaptureEncoder::new(pattern.fields())?;
    let found = SOURCES.find_whole(names, files)?;
    say_what_is_left_out(&found, console);
    let (sources, mut errors) = found.into_parts();
    let size = BatchSize { max_line: MAX_LINE, bytes: BLOCK, ..BatchSize::default() };
    let options = ReadOptions { size, records, say: say_on(console), ..ReadOptions::default() };
    let printer = Printer {
        text: Texts::new(false),
        matcher: pattern.matcher(),
        spans_lines: pattern.names_newline(),
        explainer,
        encoder,
        slots: pattern.slots(),
        spans: Vec::new(),
        out: Vec::new(),
        line: 0,
        failure: None,
    };
    let receiver = PrintingReceiver { printer: Mutex::new(printer), console };
    let (pool, progress) = (Arc::default(), Progress::default());
    let context = RunContext { options: &options, pool: &pool, receiver: &receiver, progress: &progress };
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

/// Matches lines and gathers their output.
struct Printer {
    text: Texts,
    matcher: Matcher,
    /// Whether the pattern sees the whole of a record of several lines.
    spans_lines: bool,
    /// Tells how far the pattern matches a line; `None` without `--explain`.
    explainer: Option<Explainer>,
    encoder: CaptureEncoder,
    slots: usize,
    spans: Vec<Span>,
    out: Vec<u8>,
    /// The number of lines of this input that were printed.
    line: u64,
    failure: Option<Error>,
}

impl Printer {
    /// Prints the captures of a line. Returns the reason if the match was given up.
    fn print(&mut self, record: &[u8], now_ms: i64) -> Option<String> {
        self.line += 1;
        let line = if self.spans_lines { record } else { lines::first_line(record) };
        match self.matcher.captures(line) {
            Ok(Some(captures)) => {
                self.spans.clear();
                self.spans.extend((0..self.slots).map(|slot| captures.span(slot)));
                self.encoder.encode(line, &self.spans, now_ms, &mut self.out);
                self.out.push(b'\n');
                None
            }
            Ok(None) => {
                match self.explainer.as_mut().and_then(|explainer| explainer.explain(line)) {
                    Some(reached) => {
                        let explain = Explanation::of(&reached);
                        self.out.extend_from_slice(UNMATCHED.trim_ascii_end());
                        self.out.pop();
                        self.out.extend_from_slice(b",\"explain\":");
                        // Three texts and a number are written to memory, which cannot fail.
                        let _ = serde_json::to_writer(&mut self.out, &explain);
                        self.out.extend_from_slice(b"}\n");
                    }
                    None => self.out.extend_from_slice(UNMATCHED),
                }
                None
            }
            Err(stopped) => {
                self.out.extend_from_slice(GIVEN_UP);
                Some(stopped.to_string())
            }
        }
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
        let now_ms = batch.context.time_ms;
        let mut texts = std::mem::take(&mut printer.text);
        texts.begin(&batch);
        for (index, line) in batch.records().enumerate() {
            if batch.framing.has(HEADER, index) {
                continue;
            }
            let place = batch.place(index, line.start);
            let text = texts.of(line.bytes, place.offset, &place.context.origin);
            if let Some(reason) = printer.print(text, now_ms) {
                self.console.error(format!("{}, line {}: {reason}", batch.context.origin.name, printer.line));
            }
            // The output of many long lines must not fill the memory.
            if printer.out.len() >= BLOCK && !printer.flush() {
                return Offered::Stopped;
            }
        }
        printer.text = texts;
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
