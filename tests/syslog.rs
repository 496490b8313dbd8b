//! Syslog from the network: messages of real senders and of hostile ones. Nothing that arrived is lost.

mod datagrams;
mod encrypted;
mod files;
mod forwarders;
mod senders;
mod streams;

use std::io::Write as _;
use std::net::TcpStream;

use logator::observe::receipt::Receipt;
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::kit::workspace::{Running, Workspace};
use crate::kit::{PATIENCE, Ran, wait_for};

/// A program that receives.
struct Receiver {
    running: Running,
    /// The ports of its sources, in order.
    ports: Vec<u16>,
}

/// Starts `logator run` at `addresses`. Its documents go to `out`.
fn receive(place: &Workspace, addresses: &[&str], more: &[&str]) -> Receiver {
    let arguments = [&["run", "--to", "ndjson:out", "--receipt", "receipt"], addresses, more].concat();
    Receiver::of(place.start("logator", &arguments), addresses.len())
}

impl Receiver {
    /// Waits until `running` listens at `count` addresses.
    fn of(mut running: Running, count: usize) -> Receiver {
        let addresses = running.addresses();
        let listening = addresses.iter().filter(|address| address.starts_with("syslog+"));
        let ports: Vec<u16> = listening.map(|address| address.rsplit_once(':').unwrap().1.parse().unwrap()).collect();
        assert_eq!(ports.len(), count, "{addresses:?}");
        Receiver { running, ports }
    }

    fn connect(&self) -> TcpStream {
        TcpStream::connect(("127.0.0.1", self.ports[0])).unwrap()
    }

    /// Sends `bytes` over a new connection, and closes it for writing.
    fn send(&self, bytes: &[u8]) -> TcpStream {
        let mut stream = self.connect();
        stream.write_all(bytes).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        stream
    }

    /// Sends SIGTERM, and returns the results.
    fn stop(self, place: &Workspace) -> (Ran, Receipt) {
        self.running.signal(Signal::SIGTERM);
        let ran = self.running.end_with_input_open();
        (ran, place.receipt("receipt"))
    }
}

/// Returns the documents in `out` as soon as there are `count`.
fn documents(place: &Workspace, count: usize) -> Vec<Value> {
    wait_for("the documents", PATIENCE, || {
        let text = std::fs::read_to_string(place.path("out")).unwrap_or_default();
        assert!(text.lines().count() <= count, "more than {count} documents:\n{text}");
        (text.ends_with('\n') && text.lines().count() == count).then_some(())
    });
    place.objects("out")
}

/// Returns the messages of documents, sorted.
fn messages(documents: &[Value]) -> Vec<String> {
    let mut messages: Vec<String> =
        documents.iter().map(|document| document["message"].as_str().expect("a message").to_owned()).collect();
    messages.sort();
    messages
}
