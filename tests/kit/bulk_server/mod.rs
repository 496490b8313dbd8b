//! A strict server of `_bulk` requests: it answers as Elasticsearch 7, 8, 9 and OpenSearch do, checks every request, and keeps
//! the documents. What goes wrong is told to it as data ([`Rule`]).
//!
//! It uses no other part of the kit, so that a program that measures can use it too. With [`Keep::Counts`], it checks the lines
//! of a body and does not look into the documents.

// Each program that uses this module uses a part of it.
#![allow(dead_code, unused_imports)]

mod body;
mod bulk;
mod http;
mod product;
mod rules;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

pub use self::http::Reply;
use self::http::Request;
pub use self::product::Product;
pub use self::rules::{Fault, ItemFault, Rule, When};

/// What the server keeps of the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keep {
    /// The documents themselves, by index and id. Each document is parsed.
    #[default]
    Documents,
    /// The number of documents. Every document counts as new.
    Counts,
    /// The requests as they were sent, and the number of documents.
    Requests,
}

/// The server's settings.
#[derive(Debug, Clone, Default)]
pub struct Setup {
    pub product: Product,
    pub keep: Keep,
    /// The time between a request and its answer.
    pub delay: Duration,
    /// The value of the header `Authorization` that every request must have.
    pub authorization: Option<String>,
    /// The value of `http.max_content_length` in bytes, which holds for bodies before compression. The default is 100 MiB.
    pub max_content_length: Option<usize>,
    /// The names that are data streams.
    pub data_streams: Vec<String>,
    /// The faults from the start.
    pub rules: Vec<Rule>,
}

/// The documents of an index, by their ids.
pub type Documents = BTreeMap<String, serde_json::Map<String, serde_json::Value>>;

/// A request as the server has seen it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub method: String,
    /// The path without parameters.
    pub path: String,
    /// The number of documents; 0 for anything but `_bulk`.
    pub documents: usize,
    /// The bytes of the body before compression.
    pub body: usize,
    /// The bytes of the body as it was sent.
    pub sent: usize,
    /// The status of the answer; 0 if none was sent.
    pub status: u16,
}

/// A `_bulk` request as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// The path without parameters.
    pub path: String,
    pub is_gzip: bool,
    pub body: Vec<u8>,
    /// The number of documents.
    pub documents: usize,
}

/// The numbers of a server so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Numbers {
    /// `_bulk` requests that were answered with items.
    pub requests: u64,
    /// Documents that were created.
    pub created: u64,
    /// Documents that were there before.
    pub existing: u64,
    /// Documents that were refused, as the rules say.
    pub refused: u64,
    /// Bytes of `_bulk` bodies before compression.
    pub body: u64,
    /// Bytes of `_bulk` bodies as they were sent.
    pub sent: u64,
    /// The most requests that were under way at a time.
    pub most_at_once: usize,
}

/// The server. It ends with the test, which fails if a request was not as strict servers want it.
pub struct BulkServer {
    shared: Arc<Shared>,
    address: SocketAddr,
    thread: Option<JoinHandle<()>>,
}

/// Everything that the threads of the server share.
struct Shared {
    setup: Setup,
    authorization: Mutex<Option<String>>,
    state: Mutex<State>,
    changed: Condvar,
    created: AtomicU64,
    existing: AtomicU64,
    refused: AtomicU64,
    requests: AtomicU64,
    body: AtomicU64,
    sent: AtomicU64,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

#[derive(Default)]
struct State {
    indexes: BTreeMap<String, Documents>,
    templates: BTreeMap<String, serde_json::Value>,
    rules: Vec<Rule>,
    /// The requests, with [`Keep::Documents`].
    seen: Vec<Seen>,
    /// The `_bulk` requests, with [`Keep::Requests`].
    sent: Vec<Sent>,
    violations: Vec<String>,
    open: Vec<TcpStream>,
    is_closed: bool,
    delay: Duration,
}

impl BulkServer {
    /// Starts a server that keeps the documents and answers as the newest Elasticsearch.
    pub fn new() -> Self {
        BulkServer::start(Setup::default())
    }

    /// Starts a server on a free port of 127.0.0.1.
    pub fn start(setup: Setup) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let state = State { rules: setup.rules.clone(), delay: setup.delay, ..State::default() };
        let shared = Arc::new(Shared {
            authorization: Mutex::new(setup.authorization.clone()),
            setup,
            state: Mutex::new(state),
            changed: Condvar::new(),
            created: AtomicU64::new(0),
            existing: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            requests: AtomicU64::new(0),
            body: AtomicU64::new(0),
            sent: AtomicU64::new(0),
            at_once: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        });
        let thread = Some(listen(listener, &shared));
        BulkServer { shared, address, thread }
    }

    /// Returns `127.0.0.1:PORT`.
    pub fn host(&self) -> String {
        self.address.to_string()
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Returns the address of a sink. `rest` is INDEX, with options if needed.
    pub fn sink(&self, rest: &str) -> String {
        format!("elasticsearch+http://{}/{rest}", self.host())
    }

    /// Replaces the faults.
    pub fn set_rules(&self, rules: Vec<Rule>) {
        self.shared.state().rules = rules;
    }

    /// Sets the time between a request and its answer.
    pub fn set_delay(&self, delay: Duration) {
        self.shared.state().delay = delay;
    }

    /// Sets the value of the header `Authorization` that later requests must have.
    pub fn set_authorization(&self, value: Option<&str>) {
        *self.shared.authorization.lock().unwrap_or_else(PoisonError::into_inner) = value.map(str::to_owned);
    }

    /// Returns how often a fault has yet to happen, for each rule.
    pub fn times_left(&self) -> Vec<usize> {
        self.shared.state().rules.iter().map(|rule| rule.times).collect()
    }

    /// Stops listening and breaks all connections, as a killed server does.
    pub fn close(&mut self) {
        self.shared.state().is_closed = true;
        // The thread that listens looks at the mark when somebody connects.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it does not panic");
        }
        for stream in self.shared.state().open.drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
    }

    /// Listens again after [`BulkServer::close`], at the same port.
    pub fn reopen(&mut self) {
        assert!(self.thread.is_none(), "the server is open");
        self.shared.state().is_closed = false;
        let listener = TcpListener::bind(self.address).expect("the port is free");
        self.thread = Some(listen(listener, &self.shared));
    }

    /// Returns the documents by index and id.
    pub fn indexes(&self) -> BTreeMap<String, Documents> {
        assert_eq!(self.shared.setup.keep, Keep::Documents, "this server keeps no documents");
        self.shared.state().indexes.clone()
    }

    /// Returns the documents of an index; none if it is not there.
    pub fn documents(&self, index: &str) -> Documents {
        self.indexes().remove(index).unwrap_or_default()
    }

    /// Returns the index templates that were installed, by name.
    pub fn templates(&self) -> BTreeMap<String, serde_json::Value> {
        self.shared.state().templates.clone()
    }

    /// Adds an index template, as a person would.
    pub fn add_template(&self, name: &str, content: serde_json::Value) {
        self.shared.state().templates.insert(name.to_owned(), content);
    }

    /// Returns all requests in their order.
    pub fn seen(&self) -> Vec<Seen> {
        self.shared.state().seen.clone()
    }

    /// Returns the `_bulk` requests as they were sent, and forgets them.
    pub fn take_sent(&self) -> Vec<Sent> {
        std::mem::take(&mut self.shared.state().sent)
    }

    /// Returns the numbers so far.
    pub fn numbers(&self) -> Numbers {
        let of = |number: &AtomicU64| number.load(Ordering::Relaxed);
        Numbers {
            requests: of(&self.shared.requests),
            created: of(&self.shared.created),
            existing: of(&self.shared.existing),
            refused: of(&self.shared.refused),
            body: of(&self.shared.body),
            sent: of(&self.shared.sent),
            most_at_once: self.shared.most_at_once.load(Ordering::Relaxed),
        }
    }

    /// Waits until the numbers fulfil `condition`.
    ///
    /// # Panics
    /// When they do not within a minute.
    pub fn wait_until(&self, what: &str, condition: impl Fn(&Numbers) -> bool) -> Numbers {
        let start = Instant::now();
        let mut state = self.shared.state();
        loop {
            let numbers = self.numbers();
            if condition(&numbers) {
                return numbers;
            }
            assert!(start.elapsed() < Duration::from_secs(60), "waited a minute for {what}: {numbers:?}");
            let waited = self.shared.changed.wait_timeout(state, Duration::from_millis(100));
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Returns what was wrong with the requests, and forgets it.
    pub fn take_violations(&self) -> Vec<String> {
        std::mem::take(&mut self.shared.state().violations)
    }
}

impl Drop for BulkServer {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.close();
        }
        let violations = self.take_violations();
        if !thread::panicking() {
            assert!(violations.is_empty(), "a strict server would refuse:\n{}", violations.join("\n"));
        }
    }
}

fn listen(listener: TcpListener, shared: &Arc<Shared>) -> JoinHandle<()> {
    let shared = Arc::clone(shared);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut state = shared.state();
            if state.is_closed {
                return;
            }
            let Ok(stream) = stream else { continue };
            let Ok(second) = stream.try_clone() else { continue };
            state.open.push(second);
            drop(state);
            let shared = Arc::clone(&shared);
            thread::spawn(move || serve(stream, &shared));
        }
    })
}

/// Answers the requests of one connection.
fn serve(stream: TcpStream, shared: &Shared) {
    let peer = stream.peer_addr().ok();
    let Ok(mut connection) = http::Connection::new(stream) else { return };
    let mut memory = bulk::Memory::default();
    loop {
        let request = match connection.request() {
            Ok(Some(request)) => request,
            Ok(None) => break,
            Err(why) => {
                shared.violation(why.clone());
                let _ = connection.answer(&Reply::error(400, "illegal_argument_exception", &why));
                break;
            }
        };
        let at_once = shared.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        shared.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        let delay = shared.state().delay;
        if !delay.is_zero() {
            thread::sleep(delay);
        }
        let reply = shared.reply(&request, at_once, &mut memory);
        shared.at_once.fetch_sub(1, Ordering::SeqCst);
        let is_open = match reply {
            Answer::Whole(reply) => connection.answer(reply.as_ref()).is_ok(),
            Answer::Half(reply) => {
                let _ = connection.answer_half(reply.as_ref());
                false
            }
            Answer::None => false,
        };
        shared.changed.notify_all();
        if !is_open || request.closes {
            break;
        }
    }
    connection.close();
    // A long run has many connections, and the list is for those that are open.
    shared.state().open.retain(|open| open.peer_addr().ok() != peer);
}

/// What becomes of an answer.
enum Answer<'a> {
    Whole(std::borrow::Cow<'a, Reply>),
    /// Half of it is sent, then the connection is closed.
    Half(std::borrow::Cow<'a, Reply>),
    /// The connection is closed.
    None,
}

impl Shared {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn violation(&self, why: String) {
        self.state().violations.push(why);
    }

    fn reply<'a>(&self, request: &Request, at_once: usize, memory: &'a mut bulk::Memory) -> Answer<'a> {
        use std::borrow::Cow;
        let expected = self.authorization.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if expected.is_some() && request.authorization != expected {
            let reply = product::refused_login();
            self.see(request, 0, 0, reply.status);
            return Answer::Whole(Cow::Owned(reply));
        }
        if request.path.ends_with("/_bulk") || request.path == "/_bulk" {
            return self.bulk(request, at_once, memory);
        }
        let fault = self.state().take_fault(&request.path, 0, request.body.len(), at_once, false);
        let reply = match fault {
            Some(Fault::Answer(reply)) => reply,
            Some(Fault::CutBefore | Fault::CutAfter) => {
                self.see(request, 0, 0, 0);
                return Answer::None;
            }
            _ => self.other(request),
        };
        self.see(request, 0, 0, reply.status);
        Answer::Whole(Cow::Owned(reply))
    }

    /// Notes a request.
    fn see(&self, request: &Request, documents: usize, body: usize, status: u16) {
        if self.setup.keep == Keep::Documents {
            let (method, path) = (request.method.clone(), request.path.clone());
            let seen = Seen { method, path, documents, body, sent: request.body.len(), status };
            self.state().seen.push(seen);
        }
    }
}
