//! What is on its way from a sender to a sink that stands still, and so what a `kill -9` of the puller loses: no more than
//! `doc/push-pull.md` says.

use std::time::Duration;

use logator::link::LinkOptions;
use logator::push::Pusher;
use nix::sys::signal::Signal;
use rusqlite::Connection;

use crate::kit::place::{Place, Running, account};
use crate::kit::{PATIENCE, free_port, wait_for};

/// Messages that each side holds of a connection.
const HWM: usize = 100;

/// How long a sender finds no room until it counts as held up.
const HELD_UP: Duration = Duration::from_millis(1500);

/// The most bytes that the connection holds beside the messages of both high-water marks: 64 KiB in libzmq at each end, and what
/// the kernel holds.
fn connection(endpoint: &str) -> usize {
    (128 << 10) + if endpoint.starts_with("ipc") { 256 << 10 } else { 512 << 10 }
}

/// A message of `length` bytes with a number.
fn message(number: usize, length: usize) -> Vec<u8> {
    format!("192.0.2.1 {number:0>0$}", length - 10).into_bytes()
}

/// `logator-pull` that stores in `logs.db`, has stored the first message, and finds the database locked from then on.
struct Stuck {
    puller: Running,
    pusher: Pusher,
    lock: Connection,
    /// Messages that the pusher has taken.
    sent: usize,
}

fn stored(place: &Place) -> usize {
    let Ok(database) = Connection::open(place.path("logs.db")) else { return 0 };
    database.query_row("SELECT count(*) FROM logs", [], |row| row.get(0)).unwrap_or(0)
}

fn puller(place: &Place, endpoint: &str, more: &[&str]) -> Running {
    let hwm = HWM.to_string();
    let fixed = ["--bind", endpoint, "--hwm", &hwm, "-p", "%{IP:c} %{INT:n}", "--to", "sqlite:logs.db", "-j", "2"];
    let mut puller = place.start("logator-pull", &[&fixed, &["--receipt", "receipt"], more].concat());
    puller.says("lines are pulled at");
    puller
}

impl Stuck {
    fn new(place: &Place, endpoint: &str, length: usize, more: &[&str]) -> Stuck {
        let puller = puller(place, endpoint, more);
        let address = logator::endpoint::Endpoint::parse(endpoint).unwrap();
        let connect = vec![logator::client::Address { endpoint: address, keys: None }];
        let link = LinkOptions { connect, high_water: HWM, ..LinkOptions::default() };
        let mut pusher = Pusher::open(&link, Box::new(drop)).unwrap();
        pusher.push(&message(0, length)).unwrap();
        wait_for("the first line", PATIENCE, || (stored(place) == 1).then_some(()));
        let lock = Connection::open(place.path("logs.db")).unwrap();
        lock.execute_batch("BEGIN IMMEDIATE").unwrap();
        let mut sent = 1;
        while pusher.push_within(&message(sent, length), HELD_UP).unwrap() {
            sent += 1;
            assert!(sent * (length + 1) < 32 << 20, "the sender is never held up");
        }
        Stuck { puller, pusher, lock, sent }
    }
}

#[test]
fn a_sink_that_stands_still_holds_up_the_sender_and_what_is_on_its_way_is_bounded() {
    for (length, memory) in [(17, None), (237, None), (17, Some(64 << 10)), (237, Some(256 << 10))] {
        let place = Place::new();
        for endpoint in [place.endpoint(), format!("tcp://127.0.0.1:{}", free_port())] {
            let given = memory.map(|memory: usize| memory.to_string());
            let more: Vec<&str> = given.iter().flat_map(|memory| ["--max-memory", memory]).collect();
            let mut stuck = Stuck::new(&place, &endpoint, length, &more);
            let on_the_way = stuck.sent - 1;
            let memory = memory.unwrap_or(1 << 20);
            let bound = memory / (length + 1) + connection(&endpoint) / (length + 2) + 2 * HWM;
            assert!(on_the_way <= bound, "{endpoint}, {length}, {memory}: {on_the_way} lines, more than {bound}");
            let most = stuck.puller.most_memory().unwrap();
            assert!(most < 60_000, "{most} kB");

            stuck.puller.kill();
            drop(stuck.lock);
            let before = stored(&place);
            assert!(stuck.sent - before <= bound);
            // What comes later is stored by the next.
            let again = puller(&place, &endpoint, &more);
            stuck.pusher.push(&message(stuck.sent, length)).unwrap();
            wait_for("a later line", PATIENCE, || (stored(&place) > before).then_some(()));
            again.signal(Signal::SIGTERM);
            assert_eq!(again.end_with_input_open().code, Some(0));
            std::fs::remove_file(place.path("logs.db")).unwrap();
        }
    }
}

#[test]
fn a_signal_to_a_puller_whose_sink_stands_still_loses_nothing_of_what_was_on_its_way() {
    let place = Place::new();
    for endpoint in [place.endpoint(), format!("tcp://127.0.0.1:{}", free_port())] {
        let Stuck { mut puller, pusher, lock, sent } = Stuck::new(&place, &endpoint, 50, &["--max-memory", "64KiB"]);
        puller.signal(Signal::SIGTERM);
        puller.says("SIGTERM: reading stops");
        drop(lock);
        let ran = puller.end_with_input_open();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let [read, stored_now, ..] = account(&place.receipt("receipt"));
        assert_eq!((read, stored_now, stored(&place)), (sent as u64, sent as u64, sent), "{endpoint}");
        drop(pusher);
        std::fs::remove_file(place.path("logs.db")).unwrap();
    }
}

#[test]
fn a_signal_ends_a_puller_though_a_sender_goes_on_and_what_it_counts_is_what_it_stored() {
    let place = Place::new();
    let endpoint = place.endpoint();
    let puller = puller(&place, &endpoint, &[]);
    let mut pusher = Pusher::connect([&endpoint]).unwrap();
    std::thread::scope(|scope| {
        let going_on = scope.spawn(move || {
            let mut sent = 0;
            // Until nobody has been there for a while.
            while pusher.push_within(&message(sent, 50), HELD_UP).unwrap() {
                sent += 1;
            }
            sent
        });
        wait_for("the first lines", PATIENCE, || (stored(&place) > 1000).then_some(()));
        puller.signal(Signal::SIGTERM);
        let ran = puller.end_with_input_open();
        assert_eq!(ran.code, Some(0), "{}", ran.stderr);
        let sent = going_on.join().unwrap();
        let receipt = place.receipt("receipt");
        let [read, stored_now, ..] = account(&receipt);
        assert_eq!((read, stored_now as usize), (stored_now, stored(&place)));
        assert!(receipt.agrees && receipt.finished && receipt.left == 0, "{receipt:?}");
        // All that arrived, in order and without a gap: what is missing is the end.
        assert!(stored_now as usize <= sent);
        let database = Connection::open(place.path("logs.db")).unwrap();
        let last: i64 = database
            .query_row("SELECT max(CAST(json_extract(doc, '$.n') AS INTEGER)) FROM logs", [], |row| row.get(0))
            .unwrap();
        assert_eq!(last + 1, stored_now as i64);
    });
}

#[test]
fn a_reader_of_standard_output_that_stands_still_holds_up_the_sender() {
    let place = Place::new();
    for endpoint in [place.endpoint(), format!("tcp://127.0.0.1:{}", free_port())] {
        let mut command = place.command("logator-pull", &["--bind", &endpoint, "--hwm", &HWM.to_string()]);
        let (reader, writer) = nix::unistd::pipe().unwrap();
        command.stdout(writer).stderr(std::process::Stdio::piped()).stdin(std::process::Stdio::null());
        let mut child = command.spawn().unwrap();
        drop(command);
        let address = logator::endpoint::Endpoint::parse(&endpoint).unwrap();
        let connect = vec![logator::client::Address { endpoint: address, keys: None }];
        let link = LinkOptions { connect, high_water: HWM, ..LinkOptions::default() };
        let mut pusher = Pusher::open(&link, Box::new(drop)).unwrap();
        pusher.push(&message(0, 17)).unwrap();
        let mut sent = 1;
        while pusher.push_within(&message(sent, 17), HELD_UP).unwrap() {
            sent += 1;
            assert!(sent < 1_000_000, "the sender is never held up");
        }
        // 64 KiB that wait to be written, and as many in the pipe.
        let bound = (128 << 10) / 18 + connection(&endpoint) / 19 + 2 * HWM;
        assert!(sent <= bound, "{endpoint}: {sent} lines, more than {bound}");
        // All of it is read on after a signal.
        let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(child.id() as i32), Signal::SIGTERM);
        let mut text = String::new();
        std::io::Read::read_to_string(&mut std::fs::File::from(reader), &mut text).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0));
        assert_eq!(text.lines().count(), sent, "{endpoint}");
    }
}
