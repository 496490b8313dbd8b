//! The Engine: the requests that it gets, and its answers.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustls::ClientConfig;
use serde::Deserialize;

use super::address::Address;
use super::connection::{Connection, Got};
use super::container::Container;
use super::http::{self, Body, Head};
use super::tls;
use crate::core::error::{Error, Kind, Result};
use crate::core::percent;
use crate::core::printable;
use crate::core::stop::Stop;

/// The longest time until an answer has come that has an end.
const ANSWER: Duration = Duration::from_secs(60);

/// The largest answer that is read whole, in bytes.
const MAX_ANSWER: usize = 64 << 20;

/// The bytes that are read from a connection at once.
const ROOM: usize = 64 << 10;

/// See the [module](self).
pub struct Engine {
    address: Address,
    tls: Option<Arc<ClientConfig>>,
    stop: Stop,
    /// The beginning of all paths: `/v1.44`. It is asked again whenever the connection was lost, because the Engine may have
    /// been updated.
    prefix: Mutex<String>,
}

/// What to read of the log of a container.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogQuery {
    /// Whether to wait for more.
    pub follow: bool,
    /// The time of the first record, in nanoseconds since 1970.
    pub since: Option<u64>,
    /// The time of the last record, in nanoseconds since 1970.
    pub until: Option<u64>,
}

/// An answer that is read as it comes.
pub struct Answer {
    /// Its head.
    pub head: Head,
    connection: Connection,
    /// The bytes that came with the head.
    first: Vec<u8>,
    body: Body,
    room: Vec<u8>,
}

/// How an answer goes on.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// More bytes were appended.
    More,
    /// The answer has ended.
    End,
    /// The connection has ended before the answer.
    Cut,
    /// Nothing came in time.
    Nothing,
    /// The stop was requested.
    Stopped,
}

impl Answer {
    /// Appends the bytes that come next to `output`. Waits for them until `until`; without a time, waits for ever.
    ///
    /// # Errors
    /// The connection fails, or the bytes are malformed.
    pub fn read(&mut self, output: &mut Vec<u8>, until: Option<Instant>) -> io::Result<Next> {
        let malformed = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
        if self.body.is_ended() {
            return Ok(Next::End);
        }
        if !self.first.is_empty() {
            self.body.feed(&std::mem::take(&mut self.first), output).map_err(malformed)?;
            return Ok(Next::More);
        }
        match self.connection.read(&mut self.room, until)? {
            Got::Data(length) => {
                self.body.feed(&self.room[..length], output).map_err(malformed)?;
                Ok(Next::More)
            }
            Got::End if self.body == Body::Close => Ok(Next::End),
            Got::End => Ok(Next::Cut),
            Got::Nothing => Ok(Next::Nothing),
            Got::Stopped => Ok(Next::Stopped),
        }
    }

    /// Reads the whole answer.
    fn whole(mut self) -> io::Result<Vec<u8>> {
        let (mut output, until) = (Vec::new(), Instant::now() + ANSWER);
        loop {
            match self.read(&mut output, Some(until))? {
                Next::More if output.len() > MAX_ANSWER => {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "the answer is too large"));
                }
                Next::More => {}
                Next::End => return Ok(output),
                Next::Cut => return Err(io::ErrorKind::UnexpectedEof.into()),
                Next::Nothing => return Err(io::ErrorKind::TimedOut.into()),
                Next::Stopped => return Err(io::ErrorKind::Interrupted.into()),
            }
        }
    }
}

impl Engine {
    /// Connects to the Engine at `address`, and asks for the version of its API.
    ///
    /// # Errors
    /// A usage error for wrong certificates, an input error if no Engine answers.
    pub fn connect(address: Address, stop: &Stop) -> Result<Engine> {
        let tls = match &address {
            Address::Tcp { certificates: Some(directory), .. } => Some(tls::config(directory)?),
            _ => None,
        };
        let engine = Engine { address, tls, stop: stop.clone(), prefix: Mutex::default() };
        engine.negotiate()?;
        Ok(engine)
    }

    /// Asks for the version of the API. Every Engine understands its own version; older ones may be refused.
    ///
    /// # Errors
    /// No Engine answers.
    pub fn negotiate(&self) -> Result<()> {
        let answer = self.get("/_ping", false)?;
        let (status, version) = (answer.head.status, answer.head.api_version.clone());
        let body = answer.whole().map_err(|error| self.failed(error))?;
        if status != 200 {
            return Err(self.refused(status, &body));
        }
        let version = match version {
            Some(version) => Some(version),
            None => self.version()?,
        };
        let is_version = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
        let prefix = version.filter(|text| !text.is_empty() && text.len() < 16 && is_version(text));
        log::debug!("{}: the version of the API is {prefix:?}", self.address);
        let prefix = prefix.map(|version| format!("/v{version}")).unwrap_or_default();
        *self.prefix.lock().unwrap_or_else(PoisonError::into_inner) = prefix;
        Ok(())
    }

    fn version(&self) -> Result<Option<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Version {
            api_version: Option<String>,
        }
        let answer = self.get("/version", false)?;
        let body = answer.whole().map_err(|error| self.failed(error))?;
        Ok(serde_json::from_slice::<Version>(&body).ok().and_then(|version| version.api_version))
    }

    /// Whether the API says in `Content-Type` whether a log has frames.
    pub fn tells_form(&self) -> bool {
        let prefix = self.prefix.lock().unwrap_or_else(PoisonError::into_inner);
        let mut numbers =
            prefix.trim_start_matches("/v").split('.').map(|number| number.parse::<u32>().unwrap_or_default());
        (numbers.next(), numbers.next()) >= (Some(1), Some(42))
    }

    /// Returns the directory of the Engine's data; `None` if it does not say.
    pub fn root(&self) -> Option<std::path::PathBuf> {
        #[derive(Deserialize)]
        struct Info {
            #[serde(rename = "DockerRootDir")]
            root: Option<std::path::PathBuf>,
        }
        let body = self.ask("/info").ok().flatten()?;
        serde_json::from_slice::<Info>(&body).ok()?.root.filter(|root| root.is_absolute())
    }

    /// Returns the IDs of all containers, also of those that do not run.
    ///
    /// # Errors
    /// The Engine does not answer, or answers something else.
    pub fn list(&self) -> Result<Vec<String>> {
        #[derive(Deserialize)]
        struct Listed {
            #[serde(rename = "Id")]
            id: String,
        }
        let body = self.ask("/containers/json?all=1")?.ok_or_else(|| self.wrong("there is no list of containers"))?;
        let all: Vec<Listed> = serde_json::from_slice(&body).map_err(|error| self.wrong(&error.to_string()))?;
        Ok(all.into_iter().map(|listed| listed.id).collect())
    }

    /// Returns what the Engine says about a container; `None` if there is no such container.
    ///
    /// # Errors
    /// The Engine does not answer, or answers something else.
    pub fn inspect(&self, id: &str) -> Result<Option<Container>> {
        let Some(body) = self.ask(&format!("/containers/{}/json", escaped(id)))? else { return Ok(None) };
        Container::parse(&body).map(Some).map_err(|what| self.wrong(&what))
    }

    /// Opens the stream of events about containers.
    ///
    /// # Errors
    /// The Engine does not answer, or refuses the request.
    pub fn events(&self) -> Result<Answer> {
        let filters = escaped(r#"{"type":["container"]}"#);
        self.stream(&format!("/events?filters={filters}"), true)?.ok_or_else(|| self.wrong("it has no events"))
    }

    /// Opens the log of a container; `None` if there is no such container.
    ///
    /// # Errors
    /// The Engine does not answer, or refuses the request.
    pub fn logs(&self, id: &str, query: LogQuery) -> Result<Option<Answer>> {
        let time = |name: &str, ns: Option<u64>| {
            let time = ns.map(|ns| format!("&{name}={}.{:09}", ns / 1_000_000_000, ns % 1_000_000_000));
            time.unwrap_or_default()
        };
        let (since, until) = (time("since", query.since), time("until", query.until));
        let follow = u8::from(query.follow);
        let id = escaped(id);
        let path = format!("/containers/{id}/logs?stdout=1&stderr=1&timestamps=1&follow={follow}{since}{until}");
        self.stream(&path, query.follow)
    }

    /// Sends a request whose answer is read as it comes; `None` if what it asks for does not exist. If the answer `is_endless`, an
    /// Engine may send its head together with the first bytes, which may come after hours.
    fn stream(&self, path: &str, is_endless: bool) -> Result<Option<Answer>> {
        let answer = self.get(&self.versioned(path), is_endless)?;
        match answer.head.status {
            200 => Ok(Some(answer)),
            // A container that is being removed gives 409.
            404 | 409 => Ok(None),
            status => {
                let body = answer.whole().map_err(|error| self.failed(error))?;
                Err(self.refused(status, &body))
            }
        }
    }

    fn ask(&self, path: &str) -> Result<Option<Vec<u8>>> {
        let answer = self.stream(path, false)?;
        answer.map(|answer| answer.whole().map_err(|error| self.failed(error))).transpose()
    }

    fn versioned(&self, path: &str) -> String {
        format!("{}{path}", self.prefix.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Sends a request, and reads the head of its answer.
    fn get(&self, path: &str, is_endless: bool) -> Result<Answer> {
        let failed = |error| self.failed(error);
        let until = Instant::now() + ANSWER;
        let mut connection = Connection::open(&self.address, self.tls.as_ref(), &self.stop).map_err(failed)?;
        let host = self.address.host();
        let agent = concat!("logator/", env!("CARGO_PKG_VERSION"));
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {agent}\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        );
        connection.write(request.as_bytes(), until).map_err(failed)?;
        let (mut first, mut room) = (Vec::new(), vec![0; ROOM]);
        loop {
            match connection.read(&mut room, (!is_endless).then_some(until)).map_err(failed)? {
                Got::Data(length) => first.extend_from_slice(&room[..length]),
                Got::End if first.is_empty() => return Err(failed(io::ErrorKind::ConnectionReset.into())),
                Got::End => return Err(failed(io::ErrorKind::UnexpectedEof.into())),
                Got::Nothing => return Err(failed(io::ErrorKind::TimedOut.into())),
                Got::Stopped => return Err(failed(io::ErrorKind::Interrupted.into())),
            }
            match http::head(&first).map_err(|what| self.wrong(&what))? {
                Some((head, length)) if head.status >= 200 => {
                    first.drain(..length);
                    return Ok(Answer { body: head.body, head, connection, first, room });
                }
                Some((_, length)) => drop(first.drain(..length)),
                None => {}
            }
        }
    }

    /// The error for a connection that fails.
    fn failed(&self, error: io::Error) -> Error {
        let address = &self.address;
        let sentence = match error.kind() {
            io::ErrorKind::NotFound if matches!(address, Address::Unix(_)) => {
                "there is no such socket; start the Docker Engine, or set DOCKER_HOST to its address"
            }
            io::ErrorKind::PermissionDenied => {
                "no permission to use the socket; run logator as root, or in the group that owns the socket (docker), which has \
                 the rights of root"
            }
            io::ErrorKind::ConnectionRefused => {
                "no Docker Engine listens there; start it, or set DOCKER_HOST to its address"
            }
            io::ErrorKind::TimedOut => "the Docker Engine does not answer",
            io::ErrorKind::InvalidData => {
                "the connection to the Docker Engine fails; it may speak TLS, or need another CA"
            }
            io::ErrorKind::ConnectionReset | io::ErrorKind::UnexpectedEof => {
                "the Docker Engine has closed the connection"
            }
            _ => "the connection to the Docker Engine fails",
        };
        Error::new(Kind::Input, format!("{address}: {sentence}")).because(error)
    }

    /// The error for an answer that is not understood.
    pub fn wrong(&self, what: &str) -> Error {
        Error::input(format!("{}: the answer is not that of a Docker Engine: {}", self.address, printable::line(what)))
    }

    /// The error for a request that the Engine refuses.
    fn refused(&self, status: u16, body: &[u8]) -> Error {
        #[derive(Deserialize)]
        struct Refusal {
            message: String,
        }
        let words = match serde_json::from_slice::<Refusal>(body) {
            Ok(refusal) => refusal.message,
            Err(_) => String::from_utf8_lossy(&body[..body.len().min(200)]).trim().to_owned(),
        };
        Error::input(format!(
            "{}: the Docker Engine refuses the request ({status}): {}",
            self.address,
            printable::line(&words)
        ))
    }

    /// The request to stop.
    pub fn stop(&self) -> &Stop {
        &self.stop
    }

    /// The address.
    pub fn address(&self) -> &Address {
        &self.address
    }
}

fn escaped(text: &str) -> String {
    percent::encode(text)
}
