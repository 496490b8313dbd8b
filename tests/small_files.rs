//! Files that are read as a whole must be regular files of a limited size. A program reports every other kind of file
//! and ends.

use std::os::unix::fs::PermissionsExt as _;

use nix::sys::signal::Signal;

use crate::kit::process::heeds;
use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, wait_for};

/// Makes things that are not small regular files: a FIFO that nobody writes to, a device without an end, a folder, a
/// large file.
fn strange_files(place: &Workspace) -> [(&'static str, &'static str); 4] {
    nix::unistd::mkfifo(&place.path("fifo"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    let large = std::fs::File::create(place.path("large")).unwrap();
    large.set_len(1 << 30).unwrap();
    large.set_permissions(std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::create_dir(place.path("folder")).unwrap();
    let kind = "it is not a regular file";
    [("fifo", kind), ("/dev/zero", kind), ("folder", kind), ("large", "it is larger than")]
}

#[test]
fn a_fifo_a_device_and_a_large_file_are_refused_wherever_a_small_file_is_read() {
    let place = Workspace::new();
    for (name, words) in strange_files(&place) {
        let secret = format!("mongodb://joe:${{file:{name}}}@127.0.0.1/d.c");
        let tls = format!("syslog+tls://127.0.0.1:{}", crate::kit::free_port());
        for (program, arguments) in [
            ("logator", vec!["run", "--config", name]),
            ("logator-queue", vec!["--config", name]),
            ("logator-worker", vec!["--config", name]),
            ("logator-push", vec!["--config", name]),
            ("logator-pull", vec!["--config", name]),
            #[cfg(feature = "mongodb")]
            ("logator", vec!["run", "--to", &secret]),
            ("logator-queue", vec!["--curve-key", name, "--authorized-keys", "/dev/null"]),
            ("logator-worker", vec!["--curve-key", name, "--queue-key", name]),
            ("logator", vec!["run", &tls, "--tls-cert", name, "--tls-key", name]),
        ] {
            let ran = place.run(program, &arguments, b"");
            assert_eq!(ran.code, Some(2), "{program} {arguments:?}: {}", ran.stderr);
            let refused = ran.stderr.contains(words) || ran.stderr.contains("others can read this secret key");
            assert!(refused, "{program} {arguments:?}: {}", ran.stderr);
        }
        #[cfg(not(feature = "mongodb"))]
        let _ = secret;
    }
}

#[test]
fn a_configuration_that_becomes_a_fifo_does_not_hang_the_next_hangup() {
    let place = Workspace::new();
    place.write("c.toml", "log-level = \"info\"\n");
    let mut run = place.start("logator", &["run", "--config", "c.toml", "-f", "combined"]);
    wait_for("SIGHUP to be caught", PATIENCE, || heeds(run.id(), Signal::SIGHUP).then_some(()));
    // A program that answers has read its configuration.
    run.signal(Signal::SIGHUP);
    run.says("SIGHUP: c.toml is read again");
    std::fs::remove_file(place.path("c.toml")).unwrap();
    nix::unistd::mkfifo(&place.path("c.toml"), nix::sys::stat::Mode::S_IRUSR).unwrap();
    run.signal(Signal::SIGHUP);
    run.says("SIGHUP: the log level stays info: c.toml: the configuration cannot be read: it is not a regular file");
    assert_eq!(run.end().code, Some(0));
}

/// Makes the keys of a queue and a worker, and the list with the worker's key.
fn with_keys() -> Workspace {
    let place = Workspace::new();
    for file in ["queue.key", "worker.key"] {
        assert_eq!(place.run("logator", &["keygen", file], b"").code, Some(0));
    }
    std::fs::create_dir(place.path("keys")).unwrap();
    std::fs::copy(place.path("worker.key.pub"), place.path("keys/authorized")).unwrap();
    place
}

fn set_mode(place: &Workspace, name: &str, mode: u32) {
    std::fs::set_permissions(place.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_list_of_keys_that_others_can_write_is_refused_at_the_start() {
    let place = with_keys();
    let arguments = ["--bind", &place.endpoint(), "--curve-key", "queue.key", "--authorized-keys", "keys/authorized"];
    std::os::unix::fs::symlink("keys/authorized", place.path("link")).unwrap();
    for (file, folder, words) in [
        (0o664, 0o755, "others can write this list of keys (mode 0664)"),
        (0o646, 0o755, "others can write this list of keys (mode 0646)"),
        (0o644, 0o775, "others can write its folder"),
        (0o644, 0o757, "others can write its folder"),
    ] {
        set_mode(&place, "keys/authorized", file);
        set_mode(&place, "keys", folder);
        for list in ["keys/authorized", "link"] {
            let arguments = [&arguments[..5], &[list]].concat();
            let ran = place.run("logator-queue", &arguments, b"");
            assert!(ran.code == Some(2) && ran.stderr.contains(words), "{list}: {}", ran.stderr);
        }
    }
    for (file, folder) in [(0o644, 0o755), (0o600, 0o700), (0o444, 0o1777)] {
        set_mode(&place, "keys/authorized", file);
        set_mode(&place, "keys", folder);
        let mut queue = place.start("logator-queue", &arguments);
        queue.wait_ready();
        queue.kill();
    }
}

#[test]
fn a_list_of_keys_that_others_can_write_later_changes_nothing() {
    let place = with_keys();
    let mut queue: Running = place.queue(&["--curve-key", "queue.key", "--authorized-keys", "keys/authorized"]);
    set_mode(&place, "keys/authorized", 0o666);
    queue.signal(Signal::SIGHUP);
    queue.says("SIGHUP: the keys stay as they were: keys/authorized: others can write this list of keys");
    set_mode(&place, "keys/authorized", 0o644);
    queue.signal(Signal::SIGHUP);
    queue.says("SIGHUP: keys/authorized has 1 keys");
    queue.kill();
}
