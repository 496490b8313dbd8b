//! A server that answers requests as an Engine was seen to answer, for Engines that cannot be had here, and for hostile ones.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;

/// Returns the answer to a path: the bytes, and whether the connection stays open after them.
pub type Answer = Arc<dyn Fn(&str) -> (Vec<u8>, bool) + Send + Sync>;

/// A server that ends with its test.
pub struct Server {
    port: u16,
    listener: TcpListener,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    /// Starts a server. `tls` is its configuration, if it speaks TLS.
    pub fn start(tls: Option<Arc<rustls::ServerConfig>>, answer: Answer) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let accepting = listener.try_clone().expect("a descriptor");
        let thread = std::thread::spawn(move || {
            for stream in accepting.incoming() {
                let Ok(mut stream) = stream else { return };
                let (answer, tls) = (Arc::clone(&answer), tls.clone());
                std::thread::spawn(move || match tls {
                    None => serve(&mut stream, &answer),
                    Some(config) => {
                        let connection = rustls::ServerConnection::new(config).expect("a configuration");
                        serve(&mut rustls::StreamOwned::new(connection, stream), &answer);
                    }
                });
            }
        });
        Server { port, listener, thread: Some(thread) }
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns the address, as `DOCKER_HOST` has it.
    pub fn host(&self) -> String {
        format!("tcp://127.0.0.1:{}", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        use std::os::fd::AsRawFd;
        // A listener that is shut down accepts no more.
        let _ = nix::sys::socket::shutdown(self.listener.as_raw_fd(), nix::sys::socket::Shutdown::Both);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn serve(stream: &mut (impl Read + Write), answer: &Answer) {
    let (mut request, mut block) = (Vec::new(), [0; 4096]);
    while !request.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
        match stream.read(&mut block) {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&block[..length]),
        }
    }
    let text = String::from_utf8_lossy(&request).into_owned();
    let path = text.split(' ').nth(1).unwrap_or("").to_owned();
    let (bytes, stays) = answer(&path);
    let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
    if stays {
        // Until the client closes.
        let _ = stream.read(&mut block);
    }
}

/// Returns an answer with a body of known length.
pub fn ok(content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// Returns an answer in chunks, with its end if `ends` is set.
pub fn chunked(version: &str, content_type: &str, parts: &[&[u8]], ends: bool) -> Vec<u8> {
    let head = format!(
        "HTTP/1.1 200 OK\r\nApi-Version: {version}\r\nContent-Type: {content_type}\r\nTransfer-Encoding: chunked\r\n\r\n"
    );
    let mut answer = head.into_bytes();
    for part in parts {
        answer.extend_from_slice(format!("{:x}\r\n", part.len()).as_bytes());
        answer.extend_from_slice(part);
        answer.extend_from_slice(b"\r\n");
    }
    if ends {
        answer.extend_from_slice(b"0\r\n\r\n");
    }
    answer
}

/// Returns a frame of a log.
pub fn frame(stream: u8, text: &str) -> Vec<u8> {
    [&[stream, 0, 0, 0][..], &(text.len() as u32).to_be_bytes(), text.as_bytes()].concat()
}
