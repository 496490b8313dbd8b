//! Inputs from connections: pushed lines, and syslog.

use std::io::Write as _;
use std::net::TcpStream;

use nix::sys::signal::Signal;

use super::job::{BOUND, Disturbance, Going, Job, ends, has_begun, pass};
use super::oracle::{Account, Dues, Fate, add};
use super::plan::{Kill, Manner, Mode};
use super::world::{World, text_key};
use crate::kit::workspace::Running;

/// The senders.
enum Senders {
    Pushers(Vec<Running>),
    Connections(Vec<std::thread::JoinHandle<bool>>),
}

pub fn play(world: &World) -> (Account, Vec<String>) {
    let plan = &world.plan;
    let mut job = Job::new(world);
    let mut going = start(&mut job);
    let mut dues = Dues::new();
    let mut due = 0;
    let refused = plan.refuses() && plan.database() == Some(0);
    for line in
        plan.files.iter().flat_map(|file| file.bytes.split(|byte| *byte == b'\n')).filter(|line| !line.is_empty())
    {
        let fate = plan.fate(line);
        due += u64::from(fate == Fate::Stored || (fate == Fate::Refused && !refused));
        add(&mut dues, text_key(&String::from_utf8_lossy(line)), fate, 1);
    }
    let senders = send(world, &mut going);
    let kill = plan.signal.unwrap_or(Kill {
        signal: Signal::SIGTERM,
        manner: Manner::Once,
        after: u64::MAX,
        in_trouble: false,
    });
    let partly = kill.after != u64::MAX;
    let how = Disturbance { trouble: plan.trouble.is_some(), signal: None, harmless: plan.harmless };
    job.disturb(&mut going, how, &[]);
    if partly {
        job.until(&mut going, kill.after, BOUND);
    } else {
        if !job.until_there_are(&mut going, due, BOUND) && !going.main.has_ended() {
            job.faults.push(format!("{} documents have come of {due} that were sent", world.documents()));
        }
        // Filtered lines and dead letters are not documents. They have all been sent when their sender is done.
        let sent = senders.end();
        if !sent && !going.attempt.failing {
            job.faults.push("a sender failed".to_owned());
        }
    }
    pass(BOUND, || has_begun(going.main.id()) || going.main.has_ended());
    job.signal(&mut going, kill);
    going.attempt.failing |= job.may_fail();
    job.finish(going);
    account(job, dues, partly)
}

fn start(job: &mut Job) -> Going {
    let world = job.world;
    let work = world.work_arguments();
    match world.plan.mode {
        Mode::Pull => {
            let own = ["--bind", &world.place.endpoint(), "--max-line", &world.plan.max_line.to_string()];
            let own = own.map(String::from).to_vec();
            job.start("logator-pull", &[own, work].concat(), None, &[])
        }
        _ => {
            let own = ["run", "syslog+tcp://127.0.0.1:0"].map(String::from).to_vec();
            job.start("logator", &[own, world.source_arguments(), work].concat(), None, &[])
        }
    }
}

fn send(world: &World, going: &mut Going) -> Senders {
    let plan = &world.plan;
    if plan.mode == Mode::Pull {
        let endpoint = world.place.endpoint();
        let arguments = ["--raw", "--connect", &endpoint].map(String::from);
        let start = |file: &super::plan::File| {
            Running::start(world.command("logator-push", &arguments, Some(&format!("in/{}", file.name))))
        };
        return Senders::Pushers(plan.files.iter().map(start).collect());
    }
    let address = going.main.addresses().swap_remove(0);
    let port = address.rsplit_once(':').expect("an address with a port").1.parse::<u16>().expect("a port");
    let start = |file: &super::plan::File| {
        let lines = file.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        let messages: Vec<u8> =
            lines.flat_map(|line| [&b"<13>Feb  3 04:05:06 h app[1]: "[..], line, b"\n"].concat()).collect();
        std::thread::spawn(move || {
            let stream = TcpStream::connect(("127.0.0.1", port));
            stream.and_then(|mut stream| stream.write_all(&messages)).is_ok()
        })
    };
    Senders::Connections(plan.files.iter().map(start).collect())
}

impl Senders {
    /// Waits until all messages are sent. Returns whether that succeeded.
    fn end(self) -> bool {
        match self {
            Senders::Pushers(pushers) => {
                pushers.into_iter().all(|mut pusher| ends(&mut pusher, BOUND) && pusher.end().code == Some(0))
            }
            Senders::Connections(connections) => {
                connections.into_iter().all(|connection| connection.join().is_ok_and(|sent| sent))
            }
        }
    }
}

fn account(mut job: Job, dues: Dues, partly: bool) -> (Account, Vec<String>) {
    let world = job.world;
    for attempt in &job.attempts {
        let Some(receipt) = &attempt.receipt else { continue };
        let received: u64 = receipt.sources.iter().map(|source| source.get("received")).sum();
        if world.plan.mode == Mode::Syslog && matches!(attempt.code, Some(0 | 1)) && received != receipt.read {
            job.faults.push(format!("{received} messages were received, and {} read", receipt.read));
        }
    }
    let account = Account {
        dues,
        beside: Vec::new(),
        stores: world.stores(),
        letters: world.letters(),
        again: false,
        may_double: job.may_double,
        attempts: job.attempts,
        partly,
        dropped_in_parts: 0,
    };
    (account, job.faults)
}
