//! Two jobs store the same log at once.

use super::{DATABASE, Trial};
use crate::kit::table::times;

#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn two_runs_of_one_file_at_once_store_every_line_once() {
    let mut trial = Trial::new("two runs of one file at once", 6000);
    for _ in 0..times(3) {
        trial.round += 1;
        trial.row.times += 1;
        let to = trial.server.uri(&format!("{DATABASE}.{}", trial.collection()));
        let start = |receipt: &str| {
            let arguments = ["run", "access.log", "-f", "combined", "--to", &to, "--batch-lines", "100"];
            trial.place.start("logator", &[&arguments[..], &["-j", "2", "--receipt", receipt]].concat())
        };
        let both = [start("first"), start("second")];
        for run in both {
            let ran = run.end();
            assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        }
        let receipts = ["first", "second"].map(|name| trial.place.receipt(name));
        let mut stored = 0;
        for receipt in &receipts {
            assert!(receipt.agrees && receipt.read as usize == trial.lines, "{receipt:?}");
            stored += receipt.tally.stored + receipt.tally.unmatched;
        }
        // Each line was new to one of the two jobs.
        assert_eq!(stored as usize, trial.lines, "{receipts:?}");
        trial.compare();
    }
    trial.close();
}
