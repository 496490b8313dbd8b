use std::os::unix::fs::symlink;

use super::*;
use crate::core::error::Kind;

/// A folder with the file `log`, and names that lead to `log` and to `new`, which does not exist.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Folder {
        let folder = Folder(tempfile::tempdir().unwrap());
        std::fs::create_dir(folder.at("sub")).unwrap();
        for name in ["log", "other"] {
            std::fs::write(folder.at(name), "1\n").unwrap();
            std::fs::hard_link(folder.at(name), folder.at(&format!("{name}.hard"))).unwrap();
        }
        for name in ["log", "new"] {
            symlink(name, folder.at(&format!("{name}.link"))).unwrap();
            symlink(folder.at(&format!("{name}.link")), folder.at(&format!("{name}.chain"))).unwrap();
        }
        symlink(".", folder.at("here")).unwrap();
        folder
    }

    fn at(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

/// Names of one file, and names of the file that does not exist yet.
const LOG: [&str; 7] = ["log", "log.hard", "log.link", "log.chain", "./log", "sub/../log", "here/here/log"];
const NEW: [&str; 6] = ["new", "new.link", "new.chain", "./new", "sub/../new", "here/here/new"];

#[test]
fn two_names_of_one_file_are_refused_and_two_files_are_not() {
    let folder = Folder::new();
    let checked = |one: &str, another: &str| {
        let mut files = JobFiles::default();
        files.writes("sink", format!("--to ndjson:{one}"), &folder.at(one));
        files.writes("receipt", format!("--receipt {another}"), &folder.at(another));
        files.check()
    };
    for names in [&LOG[..], &NEW[..]] {
        for one in names {
            for another in names {
                let error = checked(one, another).expect_err(&format!("{one} and {another} are one file"));
                assert_eq!(error.kind(), Kind::Usage);
                let words = [format!("--to ndjson:{one} (sink)"), format!("--receipt {another} (receipt)")];
                assert!(words.iter().all(|word| error.to_string().contains(word)), "{error}");
            }
            for another in ["other", "other.hard", "sub/new", "newer", "sub/log"] {
                checked(one, another).unwrap();
            }
        }
    }
    for one in LOG {
        NEW.iter().for_each(|new| checked(one, new).unwrap());
    }
    for devices in [["/dev/null", "/dev/null"], ["/dev/null", "/dev/zero"]] {
        let mut files = JobFiles::default();
        devices.iter().for_each(|device| files.writes("sink", *device, Path::new(device)));
        files.check().unwrap();
    }
    assert!(!folder.at("new").exists(), "nothing is made");
}

#[test]
fn what_may_be_shared_is_shared() {
    let folder = Folder::new();
    let mut files = JobFiles::default();
    for name in ["new", "./new"] {
        files.appends("dead-letters file", name, &folder.at(name));
        files.reads("key file", "log", &folder.at("log"));
    }
    files.check().unwrap();
    files.writes("receipt", "--receipt here/new", &folder.at("here/new"));
    assert!(files.check().unwrap_err().to_string().contains("dead-letters file"));

    for (first, second, fault) in [
        (("a.db", "logs"), ("a.db", "other"), ""),
        (("a.db", "logs"), ("./a.db", "LOGS"), "the same table"),
        (("a.db", "logs"), ("b.db", "logs"), ""),
        (("a.db", "logs"), ("a.db-wal", "logs"), "are the same file"),
    ] {
        let mut files = JobFiles::default();
        for (name, table) in [first, second] {
            files.database("sink", format!("--to sqlite:{name}"), &folder.at(name), table);
        }
        match files.check() {
            Ok(()) => assert_eq!(fault, ""),
            Err(error) => assert!(!fault.is_empty() && error.to_string().contains(fault), "{error}"),
        }
    }
    for beside in ["x.db", "x.db-wal", "x.db-shm", "here/x.db-journal"] {
        let mut files = JobFiles::default();
        files.database("sink", "--to sqlite:x.db", &folder.at("x.db"), "logs");
        files.writes("sink", beside, &folder.at(beside));
        assert!(files.check().is_err(), "{beside}");
    }
}

#[test]
fn a_state_directory_may_hold_other_files_but_its_own_are_not_written_by_others() {
    let folder = Folder::new();
    for (name, fits) in [("st/r", true), ("st/journal", false), ("here/st/lock", false), ("st/journal.new", false)] {
        let mut files = JobFiles::default();
        files.directory("state directory", "--state st", &folder.at("st"));
        files.writes("receipt", name, &folder.at(name));
        assert_eq!(files.check().is_ok(), fits, "{name}");
    }
}

#[test]
fn a_file_is_told_by_whatever_leads_to_it_now_or_later() {
    let folder = Folder::new();
    let mut files = JobFiles::default();
    files.writes("sink", "--to ndjson:new", &folder.at("new"));
    files.appends("dead-letters file", "--dead-letters log", &folder.at("log"));
    files.directory("state directory", "--state st", &folder.at("st"));
    let role = |name: &str| files.look().of_path(&folder.at(name)).map(|own| own.role);
    for round in 0..2 {
        LOG.iter().for_each(|name| assert_eq!(role(name), Some("dead-letters file"), "{name}"));
        NEW.iter().for_each(|name| assert_eq!(role(name), Some("sink"), "{name}"));
        for name in ["st", "st/journal", "here/st/deep/er"] {
            assert_eq!(role(name), Some("state directory"), "{name}");
        }
        for name in ["other", "sub", "sub/log", "nowhere/log", "st2"] {
            assert_eq!(role(name), None, "{name}");
        }
        if round == 0 {
            std::fs::write(folder.at("new"), "").unwrap();
            std::fs::create_dir(folder.at("st")).unwrap();
            std::fs::write(folder.at("st/journal"), "").unwrap();
        }
    }
    std::fs::hard_link(folder.at("st/journal"), folder.at("elsewhere")).unwrap();
    assert_eq!(role("elsewhere"), Some("state directory"));
}

#[test]
fn a_file_that_was_rotated_away_stays_the_jobs_until_it_is_gone() {
    let folder = Folder::new();
    let mut files = JobFiles::default();
    files.writes("sink", "--to ndjson:out", &folder.at("out"));
    let is_own = |name: &str| files.look_again().of_path(&folder.at(name)).is_some();
    std::fs::write(folder.at("out"), "1").unwrap();
    assert!(is_own("out"));
    std::fs::rename(folder.at("out"), folder.at("out.1")).unwrap();
    assert!(is_own("out.1") && is_own("out"));
    std::fs::write(folder.at("out"), "2").unwrap();
    assert!(is_own("out.1") && is_own("out"));
    std::fs::rename(folder.at("out"), folder.at("out.2")).unwrap();
    assert!(is_own("out.1") && is_own("out.2"));
    // While the file is held, no other file can have its inode. It is closed when it has no name any more.
    std::fs::remove_file(folder.at("out.1")).unwrap();
    std::fs::write(folder.at("a.log"), "a log").unwrap();
    assert!(!is_own("a.log"));
    assert_eq!(files.held.lock().unwrap().len(), 1);
}

#[test]
fn a_file_whose_folder_is_missing_is_refused() {
    let folder = Folder::new();
    for (name, fault) in [
        ("new", ""),
        ("log", ""),
        ("new.chain", ""),
        ("/dev/null", ""),
        ("nodir/new", "cannot be used"),
        ("log/new", "is not a directory"),
        ("sub", "it is a directory"),
    ] {
        let mut files = JobFiles::default();
        files.writes("receipt", format!("--receipt {name}"), &folder.at(name));
        match files.check_folder("receipt") {
            Ok(()) => assert_eq!(fault, "", "{name}"),
            Err(error) => {
                assert!(!fault.is_empty() && error.to_string().contains(fault), "{name}: {error}");
                assert_eq!(error.kind(), Kind::Usage);
            }
        }
        files.check_folder("sink").unwrap();
    }
}
