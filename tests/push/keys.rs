//! Push and pull with keys: which peers are let in, and which messages both sides print.

use nix::sys::signal::Signal;

use super::flow::{numbered, pull, stop_after};
use crate::kit::free_port;
use crate::kit::needs::requires_root;
use crate::kit::workspace::Workspace;

/// Makes a folder with two pairs of keys. The list `authorized` has the key of the side that connects.
fn with_keys() -> Workspace {
    let place = Workspace::new();
    for key in ["there.key", "here.key", "stranger.key"] {
        assert_eq!(place.run("logator", &["keygen", key], b"").code, Some(0));
    }
    place.write("authorized", place.text("here.key.pub"));
    place
}

const LISTENS: [&str; 4] = ["--curve-key", "there.key", "--authorized-keys", "authorized"];
const CONNECTS: [&str; 4] = ["--curve-key", "here.key", "--queue-key", "there.key.pub"];

#[test]
fn lines_are_encrypted_and_only_known_peers_come_in_whichever_side_listens() {
    let place = with_keys();
    // For the programs, this address is beyond this machine.
    let port = free_port();
    let (bind, connect) = (format!("tcp://0.0.0.0:{port}"), format!("tcp://127.0.0.1:{port}"));

    let puller = pull(&place, &[&["--bind", &bind][..], &LISTENS].concat());
    let pushed =
        place.run("logator-push", &[&["--raw", "--connect", &connect][..], &CONNECTS].concat(), &numbered(0..1_000));
    assert_eq!(pushed.code, Some(0), "{}", pushed.stderr);
    let pulled = stop_after(puller, 1_000);
    assert!(pulled.stdout.into_bytes() == numbered(0..1_000));

    let mut push = place.start("logator-push", &[&["--raw", "--bind", &bind][..], &LISTENS].concat());
    push.feed(&numbered(0..1_000));
    // A peer without keys, and a peer whose key is not on the list. Each reports this, and gets nothing.
    let mut open = pull(&place, &["--connect", &connect]);
    let stranger = ["--curve-key", "stranger.key", "--queue-key", "there.key.pub"];
    let mut stranger = pull(&place, &[&["--connect", &connect][..], &stranger].concat());
    open.says("requires keys");
    stranger.says("the peer refuses this key");
    push.says("a peer at 127.0.0.1 was refused: its key");
    let puller = pull(&place, &[&["--connect", &connect][..], &CONNECTS].concat());
    let pulled = stop_after(puller, 1_000);
    assert!(pulled.stdout.into_bytes() == numbered(0..1_000));
    assert_eq!((open.stdout(), stranger.stdout()), (String::new(), String::new()));
    assert_eq!(push.end().code, Some(0));
}

#[test]
fn a_peer_that_was_refused_gets_in_when_the_other_side_knows_it() {
    let place = with_keys();
    let port = free_port();
    let (bind, connect) = (format!("tcp://127.0.0.1:{port}"), format!("tcp://127.0.0.1:{port}"));
    place.write("nobody", "");
    let nobody = ["--curve-key", "there.key", "--authorized-keys", "nobody"];
    let mut first = pull(&place, &[&["--bind", &bind][..], &nobody].concat());
    first.wait_ready();
    let mut push = place.start("logator-push", &[&["--raw", "--connect", &connect][..], &CONNECTS].concat());
    push.feed(&numbered(0..100));
    push.says("the peer refuses this key; put ");
    place.write("nobody", place.text("here.key.pub"));
    first.signal(Signal::SIGHUP);
    first.says("nobody has 1 keys, which count from now on");
    assert_eq!(stop_after(first, 100).stdout.into_bytes(), numbered(0..100));
    assert_eq!(push.end().code, Some(0));
}

#[test]
#[ignore = "needs root: run ./test"]
fn a_socket_of_another_user_is_not_trusted() {
    // Only root can be two users.
    requires_root();
    let place = Workspace::new();
    let endpoint = place.endpoint();
    let command = place.command_as_nobody("logator-pull", &["--bind", &endpoint]);
    let mut stranger = crate::kit::workspace::Running::start(command);
    stranger.wait_ready();
    let ran = place.run("logator-push", &["--connect", &endpoint], b"a line\n");
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert!(ran.stderr.contains("sockets of other users are not trusted"), "{}", ran.stderr);
    // A stranger's socket that appears later is noticed when push connects to it.
    let mut push = place.start("logator-push", &["--connect", &place.at("ipc://", "late")]);
    push.feed(b"a line\n");
    let command = place.command_as_nobody("logator-pull", &["--bind", &place.at("ipc://", "late")]);
    let late = crate::kit::workspace::Running::start(command);
    let ran = push.end_with_input_open();
    assert_eq!(ran.code, Some(2), "{}", ran.stderr);
    assert_eq!(late.stdout(), "");
}
