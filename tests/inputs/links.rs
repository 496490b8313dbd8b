//! Links in a folder of logs, and files with several names.

use std::fs;
use std::os::unix::fs::{lchown, symlink};
use std::path::Path;

use nix::sys::signal::Signal;

use crate::kit::needs::requires_root;
use crate::kit::workspace::{Workspace, account};
use crate::kit::{PATIENCE, wait_for};

/// Makes `pods` with three logs, and `containers` with links to them and nothing else.
fn containers() -> Workspace {
    let place = Workspace::new();
    fs::create_dir(place.path("containers")).unwrap();
    for (name, content) in [("a", "a1\na2\n"), ("b", "b1\n"), ("c", "c1\n")] {
        place.write(&format!("pods/{name}/0.log"), content);
        symlink(place.path(&format!("pods/{name}/0.log")), place.path(&format!("containers/{name}.log"))).unwrap();
    }
    place
}

fn read(place: &Workspace, inputs: &[&str]) -> (u64, String) {
    let (ran, receipt) = place.logator(&[inputs, &["--to", "null:"]].concat(), b"");
    assert_eq!(ran.code, Some(0), "{ran:?}");
    (account(&receipt)[0], ran.stderr)
}

#[test]
fn files_are_read_over_links_and_each_file_once() {
    let place = containers();
    for (inputs, lines) in [
        (&["containers"][..], 4),
        (&["containers/*.log"], 4),
        (&["containers/a.log"], 2),
        (&["containers", "pods"], 4),
        (&["pods", "containers/*"], 4),
        (&["containers/*", "containers/a.log", "./pods/a/0.log"], 4),
        (&["."], 4),
    ] {
        assert_eq!(read(&place, inputs).0, lines, "{inputs:?}");
    }
    fs::hard_link(place.path("pods/a/0.log"), place.path("containers/hard.log")).unwrap();
    symlink("a.log", place.path("containers/over-another.log")).unwrap();
    assert_eq!(read(&place, &["containers"]).0, 4);
    assert_eq!(read(&place, &["."]).0, 4);
}

#[test]
fn links_that_lead_to_no_file_are_left_out_and_said() {
    let place = containers();
    symlink("nowhere", place.path("containers/dangling.log")).unwrap();
    symlink("circle", place.path("containers/circle.log")).unwrap();
    symlink("../pods", place.path("containers/folder")).unwrap();
    symlink("..", place.path("containers/up")).unwrap();
    let (lines, said) = read(&place, &["containers"]);
    assert_eq!(lines, 4);
    assert!(said.contains("the link leads to nothing (and 1 more such links)"), "{said}");
    assert!(said.contains("containers/folder: left out, links to directories are not entered"), "{said}");
    // A link that is named is followed.
    fs::remove_file(place.path("containers/circle.log")).unwrap();
    assert_eq!(read(&place, &["containers/folder"]).0, 4);
    assert_eq!(read(&place, &["containers/folde*"]).0, 4);
}

/// A user who may write to a folder of logs must not be able to have other users' files read.
#[test]
#[ignore = "needs root: run ./test"]
fn a_link_of_a_stranger_is_left_out_and_named() {
    // Only root can give files away.
    requires_root();
    let (stranger, owner) = (Some(54_321), Some(54_322));
    let place = containers();
    let own = |path: &str, user: Option<u32>| lchown(place.path(path), user, None).unwrap();
    own("pods/b/0.log", owner);
    own("containers/b.log", owner);
    assert_eq!(read(&place, &["containers"]).0, 4, "it is the owner's own");
    own("containers/b.log", stranger);
    for inputs in ["containers", "containers/*"] {
        let (lines, said) = read(&place, &[inputs]);
        assert_eq!(lines, 3, "{inputs}: {said}");
        let words = "containers/b.log: left out, because the link containers/b.log belongs to user 54321";
        assert!(said.contains(words), "{said}");
    }
    assert_eq!(read(&place, &["containers/b.log"]).0, 1, "it is named");
    // Each link on the way counts, also links to folders.
    own("containers/b.log", owner);
    symlink("pods", place.path("way")).unwrap();
    own("way", stranger);
    symlink("../way/c/0.log", place.path("containers/d.log")).unwrap();
    fs::remove_file(place.path("containers/c.log")).unwrap();
    let (lines, said) = read(&place, &["containers"]);
    assert_eq!(lines, 3, "{said}");
    assert!(
        said.contains("containers/d.log: left out, because the link containers/../way belongs to user 54321"),
        "{said}"
    );
}

fn point(place: &Workspace, link: &str, target: &str) {
    symlink(place.path(target), place.path("next")).unwrap();
    fs::rename(place.path("next"), place.path(link)).unwrap();
}

fn append(path: &Path, text: &str) {
    use std::io::Write as _;
    fs::OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(text.as_bytes()).unwrap();
}

/// The kubelet does three things: it changes the target of a link, it renames a target and makes it again, and it makes
/// the missing target of a link.
#[test]
fn links_are_followed_when_they_lead_elsewhere_and_when_files_rotate_under_them() {
    for how in ["--follow", "--follow=poll"] {
        let place = containers();
        symlink(place.path("pods/late/0.log"), place.path("containers/late.log")).unwrap();
        fs::create_dir(place.path("pods/late")).unwrap();
        let to = ["-p", "%{GREEDYDATA:line}", "-j", "1", "--to", "ndjson:out", "--receipt", "receipt"];
        let running = place.start("logator", &[&["run", how, "containers"], &to[..]].concat());
        let mut expected = 4;
        let mut come = |more: usize| {
            expected += more;
            let lines = || fs::read_to_string(place.path("out")).map_or(0, |text| text.lines().count());
            wait_for(&format!("{expected} lines"), PATIENCE, || (lines() >= expected).then_some(()));
        };
        come(0);
        append(&place.path("pods/a/0.log"), "a3\n");
        come(1);
        place.write("pods/a/1.log", "a4\n");
        point(&place, "containers/a.log", "pods/a/1.log");
        come(1);
        // The old file is read on as long as somebody writes to it.
        append(&place.path("pods/a/0.log"), "a5\n");
        append(&place.path("pods/a/1.log"), "a6\n");
        come(2);
        fs::rename(place.path("pods/b/0.log"), place.path("pods/b/0.log.1")).unwrap();
        append(&place.path("pods/b/0.log.1"), "b2\n");
        come(1);
        append(&place.path("pods/b/0.log"), "b3\n");
        come(1);
        append(&place.path("pods/late/0.log"), "late\n");
        come(1);
        running.signal(Signal::SIGTERM);
        let ran = running.end_with_input_open();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let mut lines: Vec<String> =
            place.objects("out").iter().map(|document| document["line"].as_str().unwrap().to_owned()).collect();
        lines.sort();
        assert_eq!(lines.join(" "), "a1 a2 a3 a4 a5 a6 b1 b2 b3 c1 late", "{how}");
    }
}
