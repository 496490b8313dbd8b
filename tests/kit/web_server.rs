//! A small HTTP server in the process of the test, whose answers the test decides.
//!
//! | path | answer |
//! |---|---|
//! | `/status/NUMBER…` | this status |
//! | `/redirect/NUMBER` | 302 to the same path with a number that is one less; 0 is answered with 200 |
//! | `/held…` | 200, when the test calls [`WebServer::release`] |
//! | `/reset` | none: the connection is closed |
//! | any other | 200 and the body `ok` |

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};

use super::{PATIENCE, wait_for};

/// A running server. Its threads end with the process.
pub struct WebServer {
    address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    /// The heads of all requests so far.
    heads: Mutex<Vec<String>>,
    /// Whether held requests are answered.
    released: Mutex<bool>,
    changed: Condvar,
}

impl WebServer {
    /// Starts a server on a free port of 127.0.0.1.
    pub fn start() -> WebServer {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let address = listener.local_addr().expect("its address");
        let shared = Arc::new(Shared::default());
        let serving = Arc::clone(&shared);
        std::thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let shared = Arc::clone(&serving);
                std::thread::spawn(move || drop(serve(connection, &shared)));
            }
        });
        WebServer { address, shared }
    }

    /// Returns the URL of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Returns the heads of the requests to paths that begin with `path`.
    pub fn heads(&self, path: &str) -> Vec<String> {
        let heads = self.shared.heads.lock().unwrap();
        let is_to = |head: &&String| head.split(' ').nth(1).is_some_and(|target| target.starts_with(path));
        heads.iter().filter(is_to).cloned().collect()
    }

    /// Waits until `count` requests to paths that begin with `path` have come.
    pub fn wait_for(&self, path: &str, count: usize) {
        wait_for(&format!("{count} requests to {path}"), PATIENCE, || (self.heads(path).len() >= count).then_some(()));
    }

    /// Answers the requests that are held, and all later ones.
    pub fn release(&self) {
        *self.shared.released.lock().unwrap() = true;
        self.shared.changed.notify_all();
    }
}

/// Answers the requests of a connection.
fn serve(mut connection: TcpStream, shared: &Shared) -> std::io::Result<()> {
    let mut lines = BufReader::new(connection.try_clone()?);
    loop {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            if lines.read_line(&mut head)? == 0 {
                return Ok(());
            }
        }
        let target = head.split(' ').nth(1).unwrap_or_default().to_owned();
        let is_head = head.starts_with("HEAD ");
        shared.heads.lock().unwrap().push(head);
        let number = |prefix: &str| {
            let rest = target.strip_prefix(prefix)?;
            rest.split(|c: char| !c.is_ascii_digit()).next()?.parse::<u32>().ok()
        };
        let answer = |status: u32, more: &str| {
            let body = if is_head { "" } else { "ok" };
            format!("HTTP/1.1 {status} x\r\nContent-Length: 2\r\n{more}\r\n{body}")
        };
        let text = if target == "/reset" {
            return Ok(());
        } else if target.starts_with("/held") {
            let released = shared.released.lock().unwrap();
            drop(shared.changed.wait_while(released, |released| !*released).unwrap());
            answer(200, "")
        } else if let Some(status) = number("/status/") {
            answer(status, "")
        } else if let Some(left @ 1..) = number("/redirect/") {
            answer(302, &format!("Location: /redirect/{}\r\n", left - 1))
        } else {
            answer(200, "")
        };
        connection.write_all(text.as_bytes())?;
    }
}
