//! The account of `logator-probe`.

use serde::Serialize;

use crate::core::numbers::grouped;
use crate::observe::counters::counter_struct;
use crate::observe::receipt::Counted;
use crate::probe::summary::Summary;

counter_struct! {
    /// What became of requests and documents: the receipt of `logator-probe`.
    #[derive(Debug, Clone, Default, PartialEq, Serialize)]
    pub struct Probed;
    /// The counters of `logator-probe`.
    PROBE of Probe;
    requests = 224, "requests", Always, "Requests that came to their end, with or without an answer. A request and its redirects count once.";
    failed = 225, "requests", Always, "Requests without an answer, or with a status that was not expected. They are among `requests`.";
    missed = 226, "requests", Always, "Requests that were due and were not made: an earlier one of the same URL still waited, the queue was full, or the program ended.";
    documents = 227, "documents", Always, "Documents that were made, one for each request and each redirect.";
    dropped = 228, "documents", Always, "Documents that were dropped because `--max-memory` was full. A document counts once for each sink.";
    unstored = 229, "documents", Always, "Documents that were not stored when the program ended. A document counts once for each sink.";
    dead_lettered = 230, "documents", Always, "Documents that a sink refused and that were written to the dead letters.";
    wrong_lines = 231, "lines", Always, "Lines of the file of URLs that cannot be read.";
    + /// Whether no document was dropped or lost, and there was no error.
    pub finished: bool;
    + /// The time from the start to the end.
    pub milliseconds: u64;
    + /// Processor seconds of this process, user and system.
    pub cpu_seconds: f64;
    + /// The peak resident memory of this process, in bytes.
    pub peak_memory_bytes: u64;
    + /// What became of each URL.
    pub urls: Summary;
    + /// The counts of each sink.
    pub sinks: Vec<Counted>;
    + /// The errors, one sentence each.
    pub errors: Vec<String>;
    + /// When the program began and ended, in milliseconds since 1970.
    #[serde(skip)]
    pub times: (i64, i64);
}

impl Probed {
    /// Returns the account of a program that did not start. `sentence` is the reason.
    pub fn of_nothing(sentence: String) -> Probed {
        Probed { errors: vec![sentence], ..Probed::default() }
    }

    /// Returns the account without that of each URL.
    pub fn totals(&self) -> Probed {
        Probed { urls: Summary::default(), ..self.clone() }
    }

    /// Returns the sums as a sentence.
    pub fn sentence(&self) -> String {
        let Probed { requests, failed, missed, documents, dropped, unstored, dead_lettered, .. } = self;
        let seconds = self.milliseconds as f64 / 1000.0;
        let mut text = format!(
            "{} requests in {seconds:.1} s, {} failed, {} missed; {} documents",
            grouped(*requests),
            grouped(*failed),
            grouped(*missed),
            grouped(*documents)
        );
        for (count, words) in [(dropped, "dropped"), (unstored, "not stored"), (dead_lettered, "dead letters")] {
            if *count > 0 {
                text += &format!(", {} {words}", grouped(*count));
            }
        }
        text
    }

    /// Returns the exit code: 3 if documents are lost or the program could not go on, 1 if documents are dead letters, or if
    /// `fails` and a request failed, and 0 otherwise.
    pub fn exit_code(&self, fails: bool) -> u8 {
        match self {
            Probed { finished: false, .. } => 3,
            Probed { dead_lettered: 1.., .. } => 1,
            Probed { failed: 1.., .. } if fails => 1,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_exit_code_tells_what_is_lost_before_what_failed() {
        let good = Probed { finished: true, ..Probed::default() };
        for (probed, fails, code) in [
            (good.clone(), true, 0),
            (Probed { failed: 1, ..good.clone() }, false, 0),
            (Probed { failed: 1, ..good.clone() }, true, 1),
            (Probed { dead_lettered: 1, ..good.clone() }, false, 1),
            (Probed { failed: 1, finished: false, ..good }, true, 3),
        ] {
            assert_eq!(probed.exit_code(fails), code, "{probed:?}");
        }
    }
}
