//! The answers of `--confirm`.

use std::io::Write;

/// Answers on standard output, for a program that writes lines to standard input and waits for the answers.
pub(super) struct Replies {
    out: Option<Vec<u8>>,
}

impl Replies {
    /// Starts with an `OK`, which means that lines may come. Without `wanted` there are no answers.
    pub(super) fn new(wanted: bool) -> Replies {
        Replies { out: wanted.then(|| b"OK\n".to_vec()) }
    }

    /// Answers `count` lines with `OK`.
    pub(super) fn ok(&mut self, count: usize) {
        if let Some(out) = &mut self.out {
            (0..count).for_each(|_| out.extend_from_slice(b"OK\n"));
        }
    }

    /// Answers `count` lines with the reason why they were not taken.
    pub(super) fn refuse(&mut self, count: usize, why: &str) {
        if let Some(out) = &mut self.out {
            (0..count).for_each(|_| out.extend_from_slice(format!("{why}\n").as_bytes()));
        }
    }

    /// Writes the answers. Errors are ignored: if the other program has ended, the end of input says so as well.
    pub(super) fn flush(&mut self) {
        if let Some(out) = self.out.as_mut().filter(|out| !out.is_empty()) {
            let mut stdout = std::io::stdout().lock();
            let _ = stdout.write_all(out).and_then(|()| stdout.flush());
            out.clear();
        }
    }
}
