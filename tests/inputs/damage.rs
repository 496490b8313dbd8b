//! Inputs that are missing, may not be read, or are damaged.

use std::os::unix::fs::PermissionsExt as _;

use crate::kit::logs::{access, bzip2, gzip, xz, zstd};
use crate::kit::workspace::{Running, Workspace, account, objects};

#[test]
fn what_stands_before_damage_is_delivered_and_the_rest_reported_with_file_and_byte() {
    let content = access(0..2000);
    let whole = gzip(&content);
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 0xff;
    let mut wrong_sum = whole.clone();
    let at = whole.len() - 6;
    wrong_sum[at] ^= 1;
    let cut = whole.len() * 3 / 4;
    for (name, bytes, why) in [
        ("cut.gz", &whole[..cut], "the gzip data ends in the middle of a member"),
        ("flipped.gz", &flipped[..], "corrupt gzip data"),
        ("sum.gz", &wrong_sum[..], "corrupt gzip data"),
        ("garbage.gz", &[&whole[..], b"garbage"].concat(), "something that is not gzip follows the last member"),
    ] {
        let place = Workspace::new();
        place.write(name, bytes);
        let (ran, receipt) = place.logator(&[name, "-f", "combined", "-j", "1"], b"");
        assert_eq!(ran.code, Some(3), "{name}: {}", ran.stderr);
        assert!(receipt.agrees && !receipt.finished && receipt.errors.len() == 1, "{receipt:?}");
        let lines = receipt.read;
        if name == "flipped.gz" {
            // A wrong byte inflates to unknown bytes; the checksum tells that it is wrong.
            assert!(lines > 0 && lines <= 2001, "{lines} lines");
        } else {
            let documents = objects(&ran.stdout);
            assert_eq!(account(&receipt), [lines, lines, 0, 0, 0, 0], "{name}");
            assert_eq!(documents.len() as u64, lines);
            let in_order =
                documents.iter().enumerate().all(|(index, document)| document["request"] == format!("/page/{index}"));
            assert!(in_order, "{name}");
        }
        match name {
            "cut.gz" => assert!(lines > 1000 && lines < 2000, "{lines} lines"),
            "sum.gz" | "garbage.gz" => assert_eq!(lines, 2000),
            _ => {}
        }
        let error = &receipt.errors[0];
        let offset = receipt.bytes;
        assert!(error.starts_with(&format!("{name}: damaged gzip data at byte ")), "{error}");
        assert!(error.contains(&format!("; the {lines} lines before it (content bytes 0 to {offset})")), "{error}");
        assert!(error.contains(why), "{error}");
        assert!(ran.stderr.contains(error.as_str()), "{}", ran.stderr);
        if name == "cut.gz" {
            assert!(error.contains(&format!("at byte {cut};")), "{error}");
        }
    }
}

#[test]
fn every_compression_says_that_it_is_cut_short() {
    let content = access(0..20_000);
    for (name, bytes) in [("zstd", zstd(&content)), ("bzip2", bzip2(&content)), ("xz", xz(&content))] {
        let place = Workspace::new();
        place.write("cut", &bytes[..bytes.len() - bytes.len() / 10]);
        let (ran, receipt) = place.logator(&["cut", "-f", "combined", "--to", "null:"], b"");
        assert_eq!(ran.code, Some(3), "{name}: {}", ran.stderr);
        assert!(receipt.agrees && receipt.read < 20_000, "{name}: {receipt:?}");
        assert!(receipt.errors[0].starts_with(&format!("cut: damaged {name} data at byte ")), "{:?}", receipt.errors);
    }
}

#[test]
fn one_damaged_file_does_not_hold_up_the_others() {
    let place = Workspace::new();
    let damaged = gzip(&access(5000..7000));
    place.write("a.gz", &damaged[..damaged.len() / 2]);
    place.write("b.gz", gzip(&access(0..2000)));
    let (ran, receipt) = place.logator(&["a.gz", "b.gz", "-f", "combined"], b"");
    assert_eq!(ran.code, Some(3));
    let whole =
        objects(&ran.stdout).iter().filter(|o| o["request"].as_str().unwrap().len() < "/page/5000".len()).count();
    let thousands =
        objects(&ran.stdout).iter().filter(|o| o["request"].as_str().unwrap().starts_with("/page/1")).count();
    assert!(whole == 1000 && thousands >= 1000, "{whole} {thousands}");
    assert!(receipt.read > 2000 && receipt.errors.len() == 1, "{receipt:?}");
}

#[test]
fn a_missing_input_is_a_usage_error_and_nothing_is_read() {
    let place = Workspace::new();
    place.write("there.log", access(0..5));
    for (missing, words) in [
        ("missing.log", "missing.log: no such file or directory"),
        ("*.gz", "*.gz: no file matches"),
        ("docker:", "docker:: "),
    ] {
        for (program, first) in [("logator", &["run"][..]), ("logator-queue", &[][..])] {
            let ran = place.run(program, &[first, &["there.log", missing]].concat(), b"");
            assert_eq!((ran.code, ran.stdout.as_str()), (Some(2), ""), "{}", ran.stderr);
            assert!(ran.stderr.starts_with(&format!("{program}: {words}")), "{}", ran.stderr);
        }
    }
}

fn as_nobody(place: &Workspace, arguments: &[&str]) -> crate::kit::Ran {
    Running::start(place.command_as_nobody("logator", arguments)).end()
}

#[test]
fn a_directory_and_a_file_that_may_not_be_read_are_reported_and_the_rest_is_read() {
    let place = Workspace::new();
    place.write("logs/closed/a.log", access(0..5));
    place.write("logs/open.log", access(5..10));
    place.write("logs/secret.log", access(10..15));
    let mode = |name: &str, mode| std::fs::set_permissions(place.path(name), std::fs::Permissions::from_mode(mode));
    mode("logs/closed", 0o000).unwrap();
    mode("logs/secret.log", 0o000).unwrap();
    let ran = as_nobody(&place, &["run", "logs", "-f", "combined", "--receipt", "receipt"]);
    mode("logs/closed", 0o755).unwrap();
    assert_eq!(ran.code, Some(3), "{}", ran.stderr);
    assert_eq!(objects(&ran.stdout).len(), 5);
    let receipt = place.receipt("receipt");
    assert_eq!(account(&receipt), [5, 5, 0, 0, 0, 0]);
    let expected = [
        "logs/closed: the directory cannot be read: Permission denied (os error 13)",
        "logs/secret.log: cannot be opened: Permission denied (os error 13)",
    ];
    assert_eq!(receipt.errors, expected);
    assert!(expected.iter().all(|error| ran.stderr.contains(error)), "{}", ran.stderr);
}
