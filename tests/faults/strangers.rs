//! Peers that are not workers, and workers that lie.

use std::io::Write as _;
use std::net::TcpStream;
use std::time::Duration;

use logator::net::wire::{Answer, Ask, ErrorCode, MAGIC, Reply, Request};
use logator::observe::receipt::Tally;
use logator::queue::Ack;

use crate::kit::free_port;
use crate::kit::logs::access;
use crate::kit::peer::Peer;
use crate::kit::workspace::{Workspace, account};

#[test]
fn garbage_does_not_hurt_a_running_job() {
    let place = Workspace::new();
    let port = free_port();
    let tcp = format!("tcp://127.0.0.1:{port}");
    let mut queue = place.queue(&["--bind", &tcp, "--linger", "0"]);
    queue.feed(&access(0..1000));

    // An unknown version, and requests that are malformed.
    let peer = Peer::connect(&tcp);
    let reply = peer.receive_error(&[b"logator1", b"\x01"]);
    let sentence =
        "this queue speaks logator2, and the worker speaks logator1; install the same version on both machines";
    assert_eq!(reply, (ErrorCode::Version, sentence.to_owned()));
    let whole = Request::from(Ask::Reserve { wait: Duration::ZERO, acks: Vec::new() }).encode();
    for body in [&b""[..], b"\xff", &whole[..3], b"\x02\xff\xff\0\0\0\0\0\0\0\0", &[1; 60_000]] {
        assert_eq!(peer.receive_error(&[MAGIC, body]).0, ErrorCode::Malformed, "{body:?}");
    }
    // These are no dialogue at all, so they are dropped without an answer.
    let dealer = Peer::of(zmq::DEALER, &tcp);
    for frames in [&[&b"x"[..]][..], &[b"", b"a", b"b"], &[b"", b"a", b"b", b"c"], &[b"x", b""], &[b"", b"x", b"", b""]]
    {
        dealer.send(frames);
    }
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let frames: Vec<Vec<u8>> =
            (0..random.usize(3..6)).map(|_| (0..random.usize(1..300)).map(|_| random.u8(..)).collect()).collect();
        dealer.send(&frames.iter().map(Vec::as_slice).collect::<Vec<_>>());
    }
    // This is larger than any request, so libzmq closes the connection.
    Peer::of(zmq::DEALER, &tcp).send(&[b"", &vec![0; 100_000]]);
    // This is not even ZeroMQ.
    for bytes in [&b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..], &[0xff; 4096], b"\xff\0\0\0\0\0\0\0\x01\x7f\x03"] {
        let mut stranger = TcpStream::connect(("127.0.0.1", port)).unwrap();
        let _ = stranger.write_all(bytes);
    }

    let worker = place.worker(&["-f", "combined", "--to", "ndjson:out"]);
    let queue = queue.end();
    assert_eq!((queue.code, worker.end().code), (Some(0), Some(0)), "{}", queue.stderr);
    assert_eq!(account(&place.receipt("queue.json")), [1000, 1000, 0, 0, 0, 0]);
    assert_eq!(place.objects("out").len(), 1000);
    assert!(
        queue.stderr.contains("messages of unknown peers were dropped, 6 malformed requests refused"),
        "{}",
        queue.stderr
    );
}

impl Peer {
    /// Sends frames and expects an error.
    fn receive_error(&self, frames: &[&[u8]]) -> (ErrorCode, String) {
        self.send(frames);
        let reply = self.receive();
        match Reply::decode(&reply[1], None).map(|reply| reply.answer) {
            Ok(Answer::Error(code, sentence)) => (code, sentence),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_worker_whose_counts_do_not_add_up_makes_a_receipt_that_disagrees_and_exit_code_3() {
    for lie in [0, 9, 11, u32::MAX] {
        let place = Workspace::new();
        // A last line that waits for lines that continue it would be a batch of its own.
        let mut queue = place.queue(&["--linger", "0", "--multiline", "none"]);
        queue.feed(&access(0..10));
        let peer = Peer::connect(&place.endpoint());
        let Answer::Batch { lease, batch, .. } = peer.reserve() else { panic!("no batch") };
        assert_eq!(batch.records, 10);
        let tally = Tally { stored: u64::from(lie), ..Tally::default() };
        assert_eq!(peer.ask(Ask::Bye(vec![Ack { lease, tally }])), Answer::Ok(1));
        let queue = queue.end();
        assert_eq!(queue.code, Some(3), "{}", queue.stderr);
        let receipt = place.receipt("queue.json");
        assert_eq!(account(&receipt), [10, u64::from(lie), 0, 0, 0, 0]);
        assert!(!receipt.agrees && receipt.finished);
        assert!(queue.stderr.contains("the two sides differ by"), "{}", queue.stderr);
        assert!(queue.stderr.contains("≠ stored"), "{}", queue.stderr);
    }
}

#[test]
fn acks_of_leases_that_never_were_count_for_nothing() {
    let place = Workspace::new();
    let mut queue = place.queue(&["--linger", "0", "--multiline", "none"]);
    queue.feed(&access(0..10));
    let peer = Peer::connect(&place.endpoint());
    let Answer::Batch { lease, .. } = peer.reserve() else { panic!("no batch") };
    let ack = |lease: u64| Ack { lease, tally: Tally { stored: 10, ..Tally::default() } };
    let wrong = vec![ack(lease.wrapping_add(1)), ack(lease.wrapping_sub(1)), ack(0)];
    assert!(matches!(peer.ask(Ask::Reserve { wait: Duration::ZERO, acks: wrong }), Answer::Wait(_)));
    assert_eq!(peer.ask(Ask::Touch(vec![lease, 5])), Answer::Ok(1));
    assert_eq!(peer.ask(Ask::Bye(vec![ack(lease), ack(lease)])), Answer::Ok(1));
    assert_eq!(queue.end().code, Some(0));
    assert_eq!(account(&place.receipt("queue.json")), [10, 10, 0, 0, 0, 0]);
}
