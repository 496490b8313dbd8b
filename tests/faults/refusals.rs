//! Lines that a store refuses for good: each is a dead letter with the store's words, and its neighbours are stored.

use crate::kit::logs::access;
use crate::kit::workspace::{Workspace, account};

/// Makes a database whose table refuses some lines.
fn database(place: &Workspace, rule: &str) {
    let sql = format!("CREATE TABLE logs(_id TEXT PRIMARY KEY NOT NULL, doc TEXT NOT NULL) WITHOUT ROWID; {rule}");
    rusqlite::Connection::open(place.path("o.db")).unwrap().execute_batch(&sql).unwrap();
}

fn rows(place: &Workspace) -> u64 {
    let database = rusqlite::Connection::open(place.path("o.db")).unwrap();
    database.query_row("SELECT count(*) FROM logs", [], |row| row.get(0)).unwrap()
}

/// An earlier version counted such lines as duplicates, or with a second sink as stored, although they were in no row
/// and in no letter.
#[test]
fn rows_that_another_index_or_a_trigger_refuses_are_dead_letters_with_one_sink_and_with_two() {
    let trigger = |raise: &str| {
        format!(
            "CREATE TRIGGER t BEFORE INSERT ON logs WHEN NEW.doc->>'request' LIKE '%1'
             BEGIN SELECT RAISE({raise}); END"
        )
    };
    let rules = [
        // The pages have different numbers of digits, so a place fits 3 of 200 lines.
        ("CREATE UNIQUE INDEX u ON logs(length(doc->>'request'))".to_owned(), 3, "UNIQUE constraint failed: index 'u'"),
        (trigger("ABORT, 'no ones'"), 180, "no ones"),
        (trigger("ROLLBACK, 'no ones'"), 180, "no ones"),
        (trigger("IGNORE"), 180, "the table left the row out"),
    ];
    for (rule, taken, words) in rules {
        for other in [None, Some("ndjson:out")] {
            let place = Workspace::new();
            database(&place, &rule);
            let sinks: Vec<&str> = other.into_iter().chain(["sqlite:o.db"]).flat_map(|sink| ["--to", sink]).collect();
            let arguments = [&["-f", "combined", "-j", "1", "--batch-lines", "70"][..], &sinks].concat();
            for again in [false, true] {
                let (ran, receipt) = place.logator(&arguments, &access(0..200));
                let refused = 200 - taken;
                assert_eq!(ran.code, Some(1), "{rule}: {}", ran.stderr);
                let (stored, duplicate) = if again && other.is_none() { (0, taken) } else { (taken, 0) };
                assert_eq!(account(&receipt), [200, stored, duplicate, 0, refused, 0], "{rule} {other:?} {again}");
                assert_eq!(rows(&place), taken, "{rule}");
                let letters = place.objects("dead-letters.ndjson");
                assert_eq!(letters.len() as u64, if again { 2 * refused } else { refused });
                for letter in letters {
                    assert_eq!(letter["reason"], "rejected");
                    let detail = letter["detail"].as_str().unwrap();
                    assert!(detail.starts_with("sqlite:o.db: ") && detail.contains(words), "{detail}");
                }
            }
        }
    }
}
