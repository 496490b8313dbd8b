//! The part of HTTP/1.1 that a client of `_bulk` needs, without mercy for its errors.

use std::io::{self, Read as _, Write as _};
use std::net::{Shutdown, TcpStream};

use serde_json::json;

/// The longest head of a request.
const MAX_HEAD: usize = 64 << 10;

/// The longest body of a request as it is sent.
const MAX_BODY: usize = 256 << 20;

/// A request.
#[derive(Debug, Default)]
pub struct Request {
    pub method: String,
    /// The path as it was sent, without parameters.
    pub path: String,
    pub parameters: Vec<(String, String)>,
    pub content_type: String,
    pub is_gzip: bool,
    pub authorization: Option<String>,
    /// Whether the client closes the connection after the answer.
    pub closes: bool,
    pub body: Vec<u8>,
}

/// An answer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reply {
    pub status: u16,
    /// The header `Content-Type`.
    pub content: String,
    /// More headers, each with its line end.
    pub headers: String,
    pub body: Vec<u8>,
}

impl Reply {
    /// Returns an answer with a JSON body.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Reply { status, content: "application/json".into(), body: body.to_string().into_bytes(), ..Reply::default() }
    }

    /// Returns the answer of both products to a request that fails as a whole.
    pub fn error(status: u16, kind: &str, reason: &str) -> Self {
        let cause = json!({ "type": kind, "reason": reason });
        let error = json!({ "root_cause": [cause], "type": kind, "reason": reason });
        Reply::json(status, &json!({ "error": error, "status": status }))
    }

    /// Returns a page of a proxy.
    pub fn page(status: u16, title: &str) -> Self {
        let body =
            format!("<html>\r\n<head><title>{title}</title></head>\r\n<body><h1>{title}</h1></body>\r\n</html>\r\n");
        Reply { status, content: "text/html".into(), body: body.into_bytes(), ..Reply::default() }
    }
}

/// A connection with its memory.
pub struct Connection {
    stream: TcpStream,
    /// What was read and not used yet, from `start`.
    read: Vec<u8>,
    start: usize,
    written: Vec<u8>,
}

impl Connection {
    pub fn new(stream: TcpStream) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Connection { stream, read: Vec::new(), start: 0, written: Vec::new() })
    }

    /// Reads a request; `None` when the client has closed the connection or it broke.
    ///
    /// # Errors
    /// The request is not as a server wants it.
    pub fn request(&mut self) -> Result<Option<Request>, String> {
        let end = loop {
            if let Some(end) = find(&self.read[self.start..], b"\r\n\r\n") {
                break self.start + end;
            }
            if self.read.len() - self.start > MAX_HEAD {
                return Err("the head of a request has no end".into());
            }
            if !self.more() {
                return Ok(None);
            }
        };
        let head = String::from_utf8(self.read[self.start..end].to_vec()).map_err(|_| "a head is not UTF-8")?;
        self.start = end + 4;
        let (mut request, length) = parse(&head)?;
        let length = length.unwrap_or(0);
        if length > MAX_BODY {
            return Err(format!("a body of {length} bytes"));
        }
        while self.read.len() - self.start < length {
            if !self.more() {
                return Ok(None);
            }
        }
        request.body = self.read[self.start..self.start + length].to_vec();
        self.start += length;
        if self.start == self.read.len() {
            self.read.clear();
            self.start = 0;
        }
        Ok(Some(request))
    }

    /// Reads more; `false` at the end.
    fn more(&mut self) -> bool {
        if self.start > 0 {
            self.read.drain(..self.start);
            self.start = 0;
        }
        let known = self.read.len();
        self.read.resize(known + (256 << 10), 0);
        let read = self.stream.read(&mut self.read[known..]).unwrap_or(0);
        self.read.truncate(known + read);
        read > 0
    }

    fn write(&mut self, reply: &Reply, count: impl Fn(usize) -> usize) -> io::Result<()> {
        self.written.clear();
        let Reply { status, content, headers, body } = reply;
        write!(self.written, "HTTP/1.1 {status} {}\r\n{headers}", reason(*status))?;
        if !content.is_empty() {
            write!(self.written, "content-type: {content}\r\n")?;
        }
        write!(self.written, "content-length: {}\r\n\r\n", body.len())?;
        self.written.extend_from_slice(body);
        self.stream.write_all(&self.written[..count(self.written.len())])
    }

    /// Sends an answer.
    pub fn answer(&mut self, reply: &Reply) -> io::Result<()> {
        self.write(reply, |length| length)
    }

    /// Sends the first half of an answer.
    pub fn answer_half(&mut self, reply: &Reply) -> io::Result<()> {
        self.write(reply, |length| length / 2)
    }

    /// Closes the connection in both directions.
    pub fn close(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }
}

fn find(bytes: &[u8], part: &[u8]) -> Option<usize> {
    bytes.windows(part.len()).position(|window| window == part)
}

/// Reads a head. Returns the length of the body too.
fn parse(head: &str) -> Result<(Request, Option<usize>), String> {
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default();
    let [method, target, "HTTP/1.1"] = first.split(' ').collect::<Vec<_>>()[..] else {
        return Err(format!("a request begins with {first:?}"));
    };
    let (path, query) = target.split_once('?').unwrap_or((target, ""));
    if !path.starts_with('/') {
        return Err(format!("the path {path:?} does not begin with a slash"));
    }
    let parameters = query.split('&').filter(|part| !part.is_empty()).map(|part| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (decoded(name), decoded(value))
    });
    let mut request =
        Request { method: method.into(), path: path.into(), parameters: parameters.collect(), ..Request::default() };
    let (mut length, mut hosts) = (None, 0);
    for line in lines {
        let (name, value) = line.split_once(':').ok_or_else(|| format!("a header without a colon: {line:?}"))?;
        let value = value.trim();
        match name.to_ascii_lowercase().as_str() {
            "host" => hosts += 1,
            "content-length" if length.is_some() => return Err("two headers Content-Length".into()),
            "content-length" => length = Some(value.parse().map_err(|_| format!("Content-Length: {value}"))?),
            "transfer-encoding" => return Err("a body without Content-Length".into()),
            "expect" => return Err(format!("Expect: {value}")),
            "content-type" => request.content_type = value.into(),
            "content-encoding" if value == "gzip" => request.is_gzip = true,
            "content-encoding" => return Err(format!("Content-Encoding: {value}")),
            "authorization" => request.authorization = Some(value.into()),
            "connection" => request.closes = value.eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    if hosts != 1 {
        return Err(format!("{hosts} headers Host"));
    }
    if method != "GET" && method != "HEAD" && length.is_none() {
        return Err(format!("{method} without Content-Length"));
    }
    Ok((request, length))
}

/// Undoes percent encoding.
pub fn decoded(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, after)) = rest.split_first() {
        let digit = |at: usize| after.get(at).and_then(|&byte| (byte as char).to_digit(16));
        match (first, digit(0), digit(1)) {
            (b'%', Some(high), Some(low)) => {
                bytes.push((high * 16 + low) as u8);
                rest = &after[2..];
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        201 => "Created",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        413 => "Request Entity Too Large",
        429 => "Too Many Requests",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        _ => "Other",
    }
}
