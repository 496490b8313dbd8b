//! Dead letters are sent through again under the same ids, once, and none of them is lost.

#[cfg(feature = "mongodb")]
mod mongodb;

use std::collections::BTreeMap;

use crate::kit::logs::{access, gzip};
use crate::kit::workspace::{Workspace, account};

/// Replays with a receipt, and returns the results.
fn replay(place: &Workspace, arguments: &[&str]) -> (crate::kit::Ran, Option<logator::observe::receipt::Receipt>) {
    let _ = std::fs::remove_file(place.path("receipt"));
    let ran = place.run("logator", &[&["replay", "--receipt", "receipt"], arguments].concat(), b"");
    let receipt = place.path("receipt").exists().then(|| place.receipt("receipt"));
    (ran, receipt)
}

/// Returns the counts of a replay that must have come to its end with `code`.
fn replayed(place: &Workspace, code: i32, arguments: &[&str]) -> [u64; 6] {
    let (ran, receipt) = replay(place, arguments);
    let receipt = receipt.unwrap_or_else(|| panic!("no receipt: {ran:?}"));
    assert_eq!((ran.code, receipt.agrees), (Some(code), true), "{}", ran.stderr);
    account(&receipt)
}

/// Returns the documents of an NDJSON file by their ids.
fn documents(place: &Workspace, name: &str) -> BTreeMap<String, serde_json::Value> {
    let objects = place.objects(name);
    let count = objects.len();
    let all: BTreeMap<_, _> =
        objects.into_iter().map(|object| (object["_id"].as_str().unwrap().to_owned(), object)).collect();
    assert_eq!(all.len(), count, "an id is there twice");
    all
}

#[cfg(feature = "sqlite")]
fn rows(place: &Workspace, name: &str) -> BTreeMap<String, serde_json::Value> {
    let database = rusqlite::Connection::open(place.path(name)).unwrap();
    let mut rows = database.prepare("SELECT _id, doc FROM logs").unwrap();
    let rows = rows.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?))).unwrap();
    rows.map(Result::unwrap).map(|(id, doc)| (id, serde_json::from_str(&doc).unwrap())).collect()
}

/// Writes several logs, each with its own first line.
#[cfg(feature = "sqlite")]
fn write_logs(place: &Workspace) -> Vec<String> {
    let names = [("logs/a.log", 0..1500), ("logs/b.log", 1500..1510), ("logs/c.log", 1510..3000)];
    names.map(|(name, range)| place.write(name, access(range)).display().to_string()).to_vec()
}

#[test]
#[cfg(feature = "sqlite")]
fn what_a_wrong_pattern_set_aside_is_stored_as_a_right_run_would_have_and_once() {
    let place = Workspace::new();
    write_logs(&place);
    let wrong = ["logs", "-p", "^%{IP:client} was here$", "--unmatched", "dead-letter", "--to", "sqlite:logs.db"];
    // The batches are small and there are two workers, so the letters of the three sources are mixed.
    let (ran, receipt) = place.logator(&[&wrong[..], &["--batch-lines", "50", "-j2"]].concat(), b"");
    assert_eq!((ran.code, account(&receipt)), (Some(1), [3000, 0, 0, 0, 3000, 0]), "{}", ran.stderr);
    let (ran, _) = place.logator(&["logs", "-f", "combined", "--to", "ndjson:right"], b"");
    assert_eq!(ran.code, Some(0), "{}", ran.stderr);

    let right = ["dead-letters.ndjson", "-f", "combined", "--to", "sqlite:logs.db"];
    assert_eq!(replayed(&place, 0, &right), [3000, 3000, 0, 0, 0, 0]);
    assert_eq!(rows(&place, "logs.db"), documents(&place, "right"));
    assert_eq!(replayed(&place, 0, &right), [3000, 0, 3000, 0, 0, 0]);
    assert!(!place.path("dead-letters-again.ndjson").exists());
    // Without `-f`, the format of each source is detected, although the lines are mixed. A new run over the logs counts
    // the replayed documents as duplicates.
    assert_eq!(
        replayed(&place, 0, &["dead-letters.ndjson", "--to", "sqlite:logs.db", "--to", "ndjson:told"]),
        [3000, 3000, 0, 0, 0, 0]
    );
    assert_eq!(documents(&place, "told"), documents(&place, "right"));
    let (_, receipt) = place.logator(&["logs", "-f", "combined", "--to", "sqlite:logs.db"], b"");
    assert_eq!(account(&receipt), [3000, 0, 3000, 0, 0, 0]);
}

#[test]
fn lines_of_every_kind_keep_their_ids() {
    let place = Workspace::new();
    let content =
        b"plain\nwindows\r\n\ntwo returns\r\r\nnot \xff UTF-8\n \"quoted\\\" \x00\x1b\t\ncaf\xc3\xa9\nwithout an end";
    place.write("in", content);
    let (_, receipt) = place.logator(&["in", "-p", "^no$", "--unmatched", "dead-letter", "--to", "null:"], b"");
    assert_eq!(account(&receipt), [8, 0, 0, 0, 8, 0]);
    place.logator(&["in", "-p", "^(?<line>.*)$", "--to", "ndjson:right"], b"");
    let to = ["dead-letters.ndjson", "-p", "^(?<line>.*)$", "--to", "ndjson:again"];
    assert_eq!(replayed(&place, 0, &to), [8, 8, 0, 0, 0, 0]);
    assert_eq!(documents(&place, "again"), documents(&place, "right"));
    assert_eq!(place.text("again").lines().count(), 8);
}

#[test]
fn what_fails_again_goes_to_another_file_so_that_the_old_one_can_be_deleted() {
    let place = Workspace::new();
    place.write("in", "a 1\nb 2\nc 3\na 4\n");
    place.logator(&["in", "-p", "^no$", "--unmatched", "dead-letter", "--to", "null:"], b"");
    let letters = place.path("dead-letters.ndjson");
    let (old, new) = ("dead-letters.ndjson", "dead-letters-again.ndjson");
    assert_eq!(replayed(&place, 1, &[old, "-p", "^a %{INT:n:int}", "--to", "ndjson:out"]), [4, 2, 0, 0, 2, 0]);
    std::fs::remove_file(&letters).unwrap();
    std::fs::rename(place.path(new), &letters).unwrap();
    assert_eq!(replayed(&place, 1, &[old, "-p", "^b %{INT:n:int}", "--to", "ndjson:out"]), [2, 1, 0, 0, 1, 0]);
    let keep = [new, "-p", "^no$", "--unmatched", "keep", "--to", "ndjson:out", "--dead-letters", "third"];
    assert_eq!(replayed(&place, 0, &keep), [1, 0, 0, 1, 0, 0]);
    place.logator(&["in", "-p", "^[ab] %{INT:n:int}", "--to", "ndjson:right"], b"");
    assert_eq!(documents(&place, "out"), documents(&place, "right"));
}

#[test]
fn a_file_that_is_read_is_never_written_to() {
    let place = Workspace::new();
    place.write("in", "a 1\n");
    place.logator(&["in", "-p", "^no$", "--unmatched", "dead-letter", "--to", "null:"], b"");
    let before = place.text("dead-letters.ndjson");
    std::os::unix::fs::symlink(place.path("dead-letters.ndjson"), place.path("link")).unwrap();
    std::fs::hard_link(place.path("dead-letters.ndjson"), place.path("other")).unwrap();
    for arguments in [
        &["dead-letters.ndjson", "--dead-letters", "dead-letters.ndjson"][..],
        &["link", "--dead-letters", "dead-letters.ndjson"],
        &["dead-letters.ndjson", "--dead-letters", "./link"],
        &["other", "--dead-letters", "dead-letters.ndjson"],
    ] {
        let (ran, receipt) = replay(&place, arguments);
        assert_eq!((ran.code, receipt), (Some(2), None), "{arguments:?}: {}", ran.stderr);
        assert!(ran.stderr.contains("it is also the dead-letters file of this job"), "{}", ran.stderr);
    }
    let (ran, _) = replay(&place, &["dead-letters.ndjson", "--to", "ndjson:other"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.stderr.contains("it is also the sink of this job"), "{}", ran.stderr);
    assert_eq!(place.text("dead-letters.ndjson"), before);
    assert_eq!(replay(&place, &[]).0.code, Some(2), "there is no letter on standard input unless told so");
    assert_eq!(replay(&place, &["none.ndjson"]).0.code, Some(2));
}

#[test]
fn damaged_letters_are_named_and_the_others_go_through() {
    let place = Workspace::new();
    place.write("in", (0..40).map(|index| format!("line {index}\n")).collect::<String>() + "\u{1}");
    // These bytes are no UTF-8, and no byte order mark.
    place.write("bytes", b"\xff\xfd\n");
    place.logator(&["in", "bytes", "-j1", "-p", "^no$", "--unmatched", "dead-letter", "--to", "null:"], b"");
    let text = place.text("dead-letters.ndjson");
    let mut letters: Vec<String> = text.lines().map(str::to_owned).collect();
    assert_eq!(letters.len(), 42);
    let base64 = letters.iter().position(|letter| letter.contains("raw_base64")).unwrap();
    letters.swap(0, base64);
    letters[0] = letters[0].replace("//0=", "//!=");
    let (a, b, c, d) = (3, 7, 20, 30);
    letters[a] = "nonsense".into();
    letters[b] = letters[b].replace("\"offset\":", "\"other\":");
    letters[c] = letters[c].replace("\"raw\":\"line", "\"raw\":\"edited line");
    letters[d] = letters[d].replace("\"raw\":", "\"text\":");
    let last = letters.pop().unwrap();
    let torn = letters.join("\n") + "\n" + &last[..last.len() / 2];
    place.write("letters", &torn);
    let (ran, receipt) = replay(&place, &["letters", "-p", "line %{INT:n:int}", "--to", "ndjson:out"]);
    let receipt = receipt.expect("a receipt");
    assert_eq!((ran.code, receipt.agrees, receipt.finished), (Some(3), true, false), "{}", ran.stderr);
    for (line, words) in [
        (0, "is not a dead letter: raw_base64 is not base64"),
        (a, "is not a dead letter: expected"),
        (b, "is not a dead letter: missing field `offset`"),
        (c, "is damaged: its _id is not that of its line, "),
        (d, "is not a dead letter: it needs exactly one of raw and raw_base64"),
        (41, "is half a letter, as a crash leaves it"),
    ] {
        let expected = format!("logator: letters: line {} {words}", line + 1);
        assert!(ran.stderr.contains(&expected), "{expected}\n{}", ran.stderr);
    }
    assert_eq!(receipt.errors.len(), 6, "{receipt:?}");
    assert_eq!(receipt.read, 36);
    assert!(place.objects("out").len() >= 35);
    // If a file holds no letters at all, only some of its lines are named.
    place.write("text", "no letter\n".repeat(1000));
    let (ran, receipt) = replay(&place, &["text", "--to", "ndjson:out"]);
    assert_eq!((ran.code, receipt.unwrap().errors.len()), (Some(3), 11), "{}", ran.stderr);
    assert!(ran.stderr.contains("text: 990 more lines are no dead letters"), "{}", ran.stderr);
}

#[test]
fn a_line_of_which_only_the_beginning_is_kept_stays_a_letter() {
    let place = Workspace::new();
    place.write("in", format!("short\n{}\n", "x".repeat(500)));
    let run = ["in", "-p", "^no$", "--max-line", "100", "--unmatched", "dead-letter", "--to", "null:"];
    let (_, receipt) = place.logator(&run, b"");
    assert_eq!(account(&receipt), [2, 0, 0, 0, 2, 0]);
    let (ran, receipt) = replay(&place, &["dead-letters.ndjson", "-p", "(?<line>.*)", "--to", "ndjson:out"]);
    assert_eq!((ran.code, account(&receipt.unwrap())), (Some(1), [2, 1, 0, 0, 1, 0]), "{}", ran.stderr);
    assert!(ran.stderr.contains("1 letters hold only the beginning of a line that was too long"), "{}", ran.stderr);
    assert!(ran.stderr.contains("in dead-letters-again.ndjson; read their source again with a greater --max-line"));
    let old = place.text("dead-letters.ndjson");
    let kept = old.lines().find(|letter| letter.contains("too_long")).unwrap();
    assert_eq!(place.text("dead-letters-again.ndjson"), format!("{kept}\n"), "as it was");
}

#[test]
fn poison_is_sent_only_when_asked_for() {
    let place = Workspace::new();
    place.write("in", "a\nb\n");
    place.logator(&["in", "-p", "^no$", "--unmatched", "dead-letter", "--to", "null:"], b"");
    let letters = place.text("dead-letters.ndjson").replacen("unmatched", "poison", 1);
    place.write("letters", &letters);
    let to = ["letters", "-p", "(?<line>.*)", "--to", "ndjson:out"];
    let (ran, receipt) = replay(&place, &to);
    assert_eq!((ran.code, account(&receipt.unwrap())), (Some(1), [2, 1, 0, 0, 1, 0]), "{}", ran.stderr);
    assert!(ran.stderr.contains("workers were lost on their lines; --reason poison sends them"), "{}", ran.stderr);
    assert_eq!(place.objects("dead-letters-again.ndjson")[0]["reason"], "poison");
    std::fs::remove_file(place.path("dead-letters-again.ndjson")).unwrap();
    assert_eq!(replayed(&place, 1, &[&to[..], &["--reason", "poison"]].concat()), [2, 1, 0, 0, 1, 0]);
    assert_eq!(place.objects("dead-letters-again.ndjson")[0]["reason"], "unmatched");
    let both = ["--reason", "poison", "--reason", "unmatched"];
    assert_eq!(replayed(&place, 0, &[&to[..], &both].concat()), [2, 2, 0, 0, 0, 0]);
}

#[test]
fn compressed_letters_directories_and_standard_input_are_read() {
    let place = Workspace::new();
    place.write("in", access(0..200));
    place.logator(&["in", "-p", "^no$", "--unmatched", "dead-letter", "--to", "null:"], b"");
    let letters = place.text("dead-letters.ndjson").into_bytes();
    place.write("old/first.gz", gzip(&letters[..]));
    place.write("old/second", &letters);
    let to = ["-f", "combined", "--to", "ndjson:out"];
    assert_eq!(replayed(&place, 0, &[&["old"], &to[..]].concat()), [400, 400, 0, 0, 0, 0]);
    let piped = place.run("logator", &[&["replay", "-"], &to[..]].concat(), &letters);
    assert_eq!(piped.code, Some(0), "{}", piped.stderr);
    assert_eq!(place.objects("out").len(), 600);
    let cut = &gzip(&letters)[..500];
    place.write("cut.gz", cut);
    let (ran, receipt) = replay(&place, &[&["cut.gz"], &to[..]].concat());
    let receipt = receipt.unwrap();
    assert_eq!((ran.code, receipt.agrees, receipt.finished), (Some(3), true, false));
    assert!(ran.stderr.contains("cut.gz: damaged gzip data"), "{}", ran.stderr);
}

#[test]
fn a_letter_says_how_far_the_pattern_got_that_got_furthest() {
    let place = Workspace::new();
    let mut content = access(0..3);
    content.extend_from_slice(b"192.0.2.1 - - [10/Oct/2025:13:00:00 +0200] \"GET / HTTP/1.1\" soon 12\n");
    content.extend_from_slice(b"  login of 17\n x\n");
    place.write("in", content);
    let patterns = ["-f", "combined", "-p", "^  login of (?<who>[a-z]+)$"];
    let run = ["in", "--multiline", "none", "--unmatched", "dead-letter", "--to", "null:"];
    let (ran, receipt) = place.logator(&[&run[..], &patterns].concat(), b"");
    assert_eq!((ran.code, account(&receipt)), (Some(1), [6, 3, 0, 0, 3, 0]), "{}", ran.stderr);
    let letters = place.objects("dead-letters.ndjson");
    let told = |index: usize| (letters[index]["pattern"].as_str(), letters[index]["explain"].clone());
    let (pattern, explain) = told(0);
    assert_eq!((pattern, explain["offset"].as_u64()), (Some("combined"), Some(60)), "{explain}");
    assert!(explain["matched"].as_str().unwrap().ends_with("\" "), "{explain}");
    assert!(explain["failed"].as_str().unwrap().contains("response"), "{explain}");
    let (pattern, explain) = told(1);
    assert_eq!(pattern, Some("^  login of (?<who>[a-z]+)$"));
    assert_eq!(explain, serde_json::json!({"matched": "^  login of ", "offset": 11, "failed": "(?<who>[a-z]+)"}));
    assert_eq!(told(2).1["offset"], 0);
    // The old letter can be read back, too.
    assert_eq!(replayed(&place, 0, &["dead-letters.ndjson", "-p", "(?<line>.*)", "--to", "null:"])[1], 3);
}

#[test]
fn a_small_file_that_unpacks_to_one_long_line_takes_no_more_memory_than_a_letter_may() {
    let place = Workspace::new();
    let piece = gzip(&vec![b'0'; 16 << 20]);
    let packed = [piece.repeat(24), gzip(b"\n")].concat();
    assert!(packed.len() < 1 << 20, "{} bytes", packed.len());
    place.write("bomb.gz", packed);
    let mut replay =
        place.start("logator", &["replay", "bomb.gz", "-p", "%{WORD:w}", "-j", "1", "--receipt", "receipt"]);
    replay.close_input();
    let mut most = 0;
    crate::kit::wait_for("the end of the replay", 2 * crate::kit::PATIENCE, || {
        most = most.max(replay.most_memory().unwrap_or(0));
        place.path("receipt").exists().then_some(())
    });
    let ran = replay.end();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert!(
        ran.stderr.contains("bomb.gz: line 1 has 402,653,184 bytes") || ran.stderr.contains("402653184"),
        "{}",
        ran.stderr
    );
    assert!(most < 80 << 10, "{most} kB");
}

#[test]
fn a_letter_of_a_line_longer_than_usual_is_sent_when_that_is_allowed() {
    let place = Workspace::new();
    // Every byte takes six bytes in the letter.
    place.write("a.log", [vec![1; 3 << 20], b"\n".to_vec()].concat());
    let (ran, _) = place
        .logator(&["a.log", "-p", "^x$", "--unmatched", "dead-letter", "--max-line", "4MiB", "--to", "null:"], b"");
    assert_eq!(ran.code, Some(1), "{}", ran.stderr);
    assert!(place.path("dead-letters.ndjson").metadata().unwrap().len() > 18 << 20);
    let arguments = ["dead-letters.ndjson", "-p", "%{GREEDYDATA:m}", "--to", "ndjson:out"];
    let (ran, _) = replay(&place, &arguments);
    assert_eq!(ran.code, Some(3));
    assert!(ran.stderr.contains("give replay the --max-line"), "{}", ran.stderr);
    let counts = replayed(&place, 0, &[&arguments[..], &["--max-line", "4MiB"]].concat());
    assert_eq!(counts[..2], [1, 1]);
}
