//! Standard error, written by a thread of its own.
//!
//! The reader of standard error may be slow, or may not read at all: a terminal that was paused, a pipe that nobody reads.
//! Nobody who has something to say waits for this reader. Texts wait in memory, in their order, up to a limit. A text
//! beyond the limit is lost; it is counted, and the number stands where the lost texts would stand. Texts that are
//! [kept](Keep::Always), such as the receipt, have a limit of their own that a job does not reach.

use std::collections::VecDeque;
use std::io::{ErrorKind, Write};
use std::os::fd::AsFd;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

/// The maximum number of bytes of the texts that wait. A text that does not fit is lost.
const MOST: usize = 512 << 10;

/// The same maximum for texts that are kept.
const MOST_KEPT: usize = 4 << 20;

/// The number of bytes that one call of `write` gets. At its end, a program waits while calls succeed, so a call must be short.
const CHUNK: usize = 4 << 10;

/// How long the end of a program waits for a reader that takes nothing.
const IDLE: Duration = Duration::from_secs(2);

/// How long the end of a program waits for a slow reader.
const SLOW: Duration = Duration::from_secs(20);

/// Returns the sentence on a number of lost texts.
type LossWords = Box<dyn Fn(u64) -> String + Send>;

/// Whether a text may be lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Keep {
    /// The text is lost if too much waits already.
    IfRoom,
    /// The text waits even then.
    Always,
}

enum Entry {
    Text(String),
    /// The number of texts that were lost here.
    Lost(u64),
}

struct State {
    waiting: VecDeque<Entry>,
    /// The bytes of the texts that wait.
    bytes: usize,
    /// Whether a text is being written.
    writing: bool,
    /// The number of calls that wrote something.
    calls: u64,
    /// Whether the thread was started.
    started: bool,
    loss_words: Option<LossWords>,
}

/// The texts that wait, and the thread that writes them.
struct Writer {
    state: Mutex<State>,
    /// Notified when a text is added.
    added: Condvar,
    /// Notified when something was written.
    written: Condvar,
}

static WRITER: Writer = Writer::new();

/// Writes `line` and a line end to standard error, or keeps it until standard error takes it.
pub fn write_line(line: &str, keep: Keep) {
    write(format!("{line}\n"), keep);
}

/// Writes `text` to standard error, or keeps it until standard error takes it.
pub fn write(text: String, keep: Keep) {
    let start =
        || std::thread::Builder::new().name("stderr".into()).spawn(|| WRITER.run(&mut std::io::stderr())).is_ok();
    if let Err(text) = WRITER.add(text, keep, start) {
        // Without the thread, this call has to write.
        let _ = std::io::stderr().write_all(text.as_bytes());
    }
}

/// Sets how a number of lost texts is told.
pub fn tell_losses(words: impl Fn(u64) -> String + Send + 'static) {
    WRITER.state().loss_words = Some(Box::new(words));
}

/// Waits until everything is written. A reader that takes nothing is waited for a short time, a slow one for longer.
pub fn flush() {
    WRITER.flush(IDLE, SLOW);
}

impl Writer {
    const fn new() -> Writer {
        let state =
            State { waiting: VecDeque::new(), bytes: 0, writing: false, calls: 0, started: false, loss_words: None };
        Writer { state: Mutex::new(state), added: Condvar::new(), written: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a text. The first call starts the thread with `start`. Returns the text if there is no thread.
    fn add(&self, text: String, keep: Keep, start: impl FnOnce() -> bool) -> Result<(), String> {
        let mut state = self.state();
        if !state.started {
            state.started = start();
            if !state.started {
                return Err(text);
            }
        }
        let most = if keep == Keep::Always { MOST_KEPT } else { MOST };
        if state.bytes + text.len() <= most {
            state.bytes += text.len();
            state.waiting.push_back(Entry::Text(text));
        } else if let Some(Entry::Lost(count)) = state.waiting.back_mut() {
            *count += 1;
        } else {
            state.waiting.push_back(Entry::Lost(1));
        }
        drop(state);
        self.added.notify_one();
        Ok(())
    }

    /// Writes the texts as they come, without an end.
    fn run<W: Write + AsFd>(&self, to: &mut W) {
        let mut state = self.state();
        loop {
            let Some(entry) = state.waiting.pop_front() else {
                state = self.added.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let text = match entry {
                Entry::Text(text) => {
                    state.bytes -= text.len();
                    text
                }
                Entry::Lost(count) => match &state.loss_words {
                    Some(words) => format!("{}\n", words(count)),
                    None => format!("{count} messages are lost here\n"),
                },
            };
            state.writing = true;
            drop(state);
            for chunk in text.as_bytes().chunks(CHUNK) {
                // A reader that is gone gets nothing more. There is nobody to tell.
                if write_whole(to, chunk).is_err() {
                    break;
                }
                self.state().calls += 1;
                self.written.notify_all();
            }
            state = self.state();
            state.writing = false;
            self.written.notify_all();
        }
    }

    /// Waits until nothing waits any more: for `idle` while nothing is written, and for `most` in all.
    fn flush(&self, idle: Duration, most: Duration) {
        let start = Instant::now();
        let mut state = self.state();
        let (mut calls, mut since) = (state.calls, start);
        while state.writing || !state.waiting.is_empty() {
            let now = Instant::now();
            if state.calls != calls {
                (calls, since) = (state.calls, now);
            }
            let left = (since + idle).min(start + most).saturating_duration_since(now);
            if left.is_zero() {
                return;
            }
            state = self.written.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// Writes all of `bytes`. Another process that has the same open file may have made it non-blocking.
fn write_whole<W: Write + AsFd>(to: &mut W, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        #[expect(clippy::disallowed_methods, reason = "the loop writes the rest")]
        match to.write(bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let _ = poll(&mut [PollFd::new(to.as_fd(), PollFlags::POLLOUT)], PollTimeout::NONE);
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Arc;

    use super::*;

    /// A writer whose texts go to a pipe. Its thread ends with the test process.
    fn writer() -> (Arc<Writer>, std::io::PipeReader) {
        let (reader, mut pipe) = std::io::pipe().unwrap();
        let writer = Arc::new(Writer::new());
        let run = Arc::clone(&writer);
        std::thread::spawn(move || run.run(&mut pipe));
        (writer, reader)
    }

    fn read_until(reader: &mut std::io::PipeReader, end: &str) -> String {
        let mut text = Vec::new();
        while !text.ends_with(end.as_bytes()) {
            let mut byte = [0];
            reader.read_exact(&mut byte).unwrap();
            text.extend(byte);
        }
        String::from_utf8(text).unwrap()
    }

    #[test]
    fn a_reader_that_reads_nothing_holds_nobody_up_and_learns_later_how_much_it_missed() {
        let (writer, mut reader) = writer();
        let line = |number: usize| format!("{number:0>1023}\n");
        for number in 0..5000 {
            writer.add(line(number), Keep::IfRoom, || true).unwrap();
        }
        writer.add("receipt\n".into(), Keep::Always, || true).unwrap();
        let start = Instant::now();
        writer.flush(Duration::from_millis(50), Duration::from_secs(60));
        assert!(start.elapsed() < Duration::from_secs(30), "the wait for a reader that reads nothing has an end");
        let text = read_until(&mut reader, "receipt\n");
        let mut next = 0;
        // Some texts are lost in the middle as well, if the thread has made room meanwhile.
        for line in text.lines().take_while(|line| *line != "receipt") {
            match line.strip_suffix(" messages are lost here") {
                Some(lost) => next += lost.parse::<usize>().unwrap(),
                None => {
                    assert_eq!(line.parse(), Ok(next), "each text is shown or counted, in order");
                    next += 1;
                }
            }
        }
        assert_eq!(next, 5000);
        assert!(text.contains("are lost here") && text.len() < 700 << 10, "{} bytes", text.len());
        writer.flush(Duration::from_secs(60), Duration::from_secs(60));
        writer.add("again\n".into(), Keep::IfRoom, || true).unwrap();
        assert_eq!(read_until(&mut reader, "\n"), "again\n");
    }

    #[test]
    fn a_slow_reader_gets_everything_before_the_end() {
        let (writer, mut reader) = writer();
        let text = "x".repeat(300 << 10);
        writer.add(format!("{text}\n"), Keep::Always, || true).unwrap();
        let slow = std::thread::spawn(move || read_until(&mut reader, "\n"));
        writer.flush(Duration::from_secs(60), Duration::from_secs(60));
        assert!(!writer.state().writing && writer.state().waiting.is_empty());
        assert_eq!(slow.join().unwrap().len(), text.len() + 1);
    }

    #[test]
    fn a_reader_that_is_gone_is_not_waited_for() {
        let (writer, reader) = writer();
        drop(reader);
        for _ in 0..100 {
            writer.add("nobody\n".into(), Keep::IfRoom, || true).unwrap();
        }
        writer.flush(Duration::from_secs(60), Duration::from_secs(60));
        assert!(writer.state().waiting.is_empty());
    }

    #[test]
    fn without_a_thread_the_caller_has_to_write() {
        assert_eq!(Writer::new().add("x".into(), Keep::IfRoom, || false), Err("x".to_owned()));
    }
}
