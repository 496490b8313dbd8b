//! The results of breaking things: one row for each fault.

use std::io::Write as _;
use std::time::Duration;

/// Returns how often something is broken: `LOGATOR_CRASHES`, or `usual`.
pub fn times(usual: usize) -> usize {
    number("LOGATOR_CRASHES").unwrap_or(usual as u64) as usize
}

/// Returns a number from the environment.
pub fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name}={text} is no number")))
}

/// Returns the random numbers of a test. Their seed is printed on standard error, also when the test passes.
pub fn seed(test: &str) -> fastrand::Rng {
    let seed = number("LOGATOR_TEST_SEED").unwrap_or_else(|| fastrand::u64(..1 << 32));
    tell(&format!("{test}: LOGATOR_TEST_SEED={seed}"));
    fastrand::Rng::with_seed(seed)
}

/// Writes to standard error directly, because cargo does not show the output of a test that passes.
pub fn tell(line: &str) {
    let _ = std::io::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// The results of one fault.
#[derive(Debug, Clone)]
pub struct Row {
    /// The name of the fault.
    pub fault: &'static str,
    /// How often the fault happened.
    pub times: usize,
    /// The number of input lines in all rounds.
    pub lines: usize,
    /// The number of documents of the undisturbed run that were missing or had another content.
    pub lost: usize,
    /// The number of documents beyond those of the undisturbed run.
    pub doubled: usize,
    /// The longest time from a fault until documents arrived again.
    pub recovery: Option<Duration>,
}

impl Row {
    /// Returns an empty row.
    pub fn new(fault: &'static str) -> Self {
        Row { fault, times: 0, lines: 0, lost: 0, doubled: 0, recovery: None }
    }

    /// Adds one fault, and the time until documents arrived again.
    pub fn recovered(&mut self, after: Duration) {
        self.recovery = Some(self.recovery.map_or(after, |longest| longest.max(after)));
    }

    /// Prints the row, appends it to the file `LOGATOR_CRASH_TABLE`, and judges it.
    pub fn close(self) {
        let Row { fault, times, lines, lost, doubled, recovery } = &self;
        let recovery = recovery.map_or("–".to_owned(), |longest| format!("{:.2} s", longest.as_secs_f64()));
        let row = format!("| {fault} | {times} | {lines} | {lost} | {doubled} | {recovery} |");
        tell(&format!("| fault | times | lines | lost | doubled | longest recovery |\n{row}"));
        if let Some(file) = std::env::var_os("LOGATOR_CRASH_TABLE") {
            let mut file = std::fs::File::options().create(true).append(true).open(file).expect("LOGATOR_CRASH_TABLE");
            file.write_all(format!("{row}\n").as_bytes()).expect("the row is written");
        }
        assert_eq!((self.lost, self.doubled), (0, 0), "{self:?}");
    }
}
