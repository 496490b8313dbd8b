//! One request in the air: its start, its end, and what follows on it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use curl::multi::{Easy2Handle, Message, Multi};
use logator_libcurl::easy::{Numbers, Observed, numbers};

use super::handle::{self, Answer, Handle, broken};
use super::options::EngineOptions;
use crate::core::error::Result;
use crate::probe::failure::{self, Failure};
use crate::probe::outcome::{Finished, Hop, Tls};
use crate::probe::phases::{Course, Cumulative, split};
use crate::probe::redirect::{Next, Trail};
use crate::probe::request::{Method, Request, Target};

/// What the connections that are kept were made with, by their numbers.
pub(super) type Connections = HashMap<u64, Tls>;

/// The way of a request from its start to its end, over all hops.
pub(super) struct Journey {
    request: Arc<Request>,
    tag: u64,
    deadline: Instant,
    trail: Trail,
    hops: Vec<Hop>,
}

impl Journey {
    /// Creates the way of a request, and returns its first target.
    pub(super) fn new(request: Arc<Request>, tag: u64, options: &EngineOptions) -> (Self, (Method, Target)) {
        let first = (request.method.clone(), request.target.clone());
        let deadline = Instant::now() + options.timeout;
        (Journey { request, tag, deadline, trail: Trail::new(options.redirects), hops: Vec::with_capacity(1) }, first)
    }
}

/// One hop in the air.
pub(super) struct Flight {
    handle: Easy2Handle<Observed<Answer>>,
    journey: Journey,
    method: Method,
    target: Target,
    started_at: i64,
    launched: Instant,
}

/// What follows on a hop that has ended.
pub(super) enum Landed {
    /// The request has ended.
    Finished(Finished),
    /// The request goes on with another hop.
    Redirected(Journey, (Method, Target)),
}

impl Flight {
    /// Starts a hop. The slot comes back in libcurl's message about its end.
    pub(super) fn start(
        multi: &Multi,
        mut handle: Handle,
        slot: usize,
        journey: Journey,
        (method, target): (Method, Target),
    ) -> Result<Self> {
        let time = journey.deadline.saturating_duration_since(Instant::now());
        handle::prepare(&mut handle, &method, &target, time).map_err(broken)?;
        let (started_at, launched) = (nanoseconds_since_1970(), Instant::now());
        let mut handle = multi.add2(handle).map_err(broken)?;
        handle.set_token(slot).map_err(broken)?;
        Ok(Flight { handle, journey, method, target, started_at, launched })
    }

    /// Returns how this hop has ended, if the message says so.
    pub(super) fn result(&self, message: &Message<'_>) -> Option<Result<(), curl::Error>> {
        message.result_for2(&self.handle)
    }

    /// Takes a hop that has ended from libcurl.
    pub(super) fn land(
        self,
        multi: &Multi,
        result: Result<(), curl::Error>,
        options: &EngineOptions,
        connections: &mut Connections,
    ) -> Result<(Handle, Landed)> {
        let Flight { handle, mut journey, method, target, started_at, launched } = self;
        let mut handle = multi.remove2(handle).map_err(broken)?;
        let numbers = numbers(&handle);
        let times = times(&handle, &numbers, launched);
        let bytes_sent = handle.request_size().unwrap_or_default() + whole(handle.upload_size());
        let body_bytes = whole(handle.download_size());
        let bytes_received = handle.header_size().unwrap_or_default() + body_bytes;
        // A request that did not get so far made no connection either, but there was none to use.
        let reused = bytes_sent > 0 && handle.num_connects().is_ok_and(|count| count == 0);
        let course = Course {
            named: target.is_named(),
            tls: target.is_tls(),
            reused,
            sent: bytes_sent > 0,
            answered: bytes_received > 0,
            finished: result.is_ok(),
        };
        let (phases, stage) = split(&times, course);
        let status = handle.response_code().ok().and_then(|code| u16::try_from(code).ok()).filter(|code| *code > 0);
        let mut hop = Hop {
            started_at,
            method: method.to_string(),
            url: target.to_string(),
            phases,
            reused,
            status,
            bytes_received,
            body_bytes,
            bytes_sent,
            remote: remote(&handle),
            http_version: http_version(numbers.http_version),
            tls: tls(&handle, &numbers, options.reuse.then_some(connections)),
            error: None,
        };
        let location = handle.get_mut().inner_mut().location.take();
        let next = match &result {
            Ok(()) => journey.trail.next(&method, &target, status.unwrap_or_default(), location.as_deref()),
            Err(_) => Next::End,
        };
        hop.error = match (&next, result) {
            (_, Err(why)) => {
                let errno = match handle.get_ref().socket_error() {
                    0 => handle.os_errno().unwrap_or_default(),
                    errno => errno,
                };
                let text = why.extra_description().unwrap_or(why.description());
                Some(failure::fault(&Failure { code: why.code(), errno, text, stage }, target.password()))
            }
            (Next::Refused(fault), _) => Some(fault.clone()),
            (Next::Follow(..), _) => None,
            (Next::End, _) => status.and_then(|status| failure::unexpected(status, journey.request.expected_status)),
        };
        journey.hops.push(hop);
        let landed = match next {
            Next::Follow(method, target) => Landed::Redirected(journey, (method, target)),
            Next::End | Next::Refused(_) => Landed::Finished(Finished { tag: journey.tag, hops: journey.hops }),
        };
        Ok((handle, landed))
    }
}

pub(super) fn nanoseconds_since_1970() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_nanos()).unwrap_or(i64::MAX)
}

fn times(handle: &Handle, numbers: &Numbers, launched: Instant) -> Cumulative {
    // libcurl has whole microseconds; the curl crate makes a fraction of a second of them, and cuts it.
    let micros = |time: Result<Duration, curl::Error>| {
        let nanos = time.unwrap_or_default().as_nanos();
        u64::try_from((nanos + 500) / 1_000).unwrap_or(u64::MAX)
    };
    let connect = match micros(handle.connect_time()) {
        // libcurl does not tell when the connection was there if the time is over during the TLS handshake.
        0 => handle.get_ref().tls_begun().map_or(0, |begun| micros(Ok(begun.saturating_duration_since(launched)))),
        connect => connect,
    };
    Cumulative {
        name_lookup: micros(handle.namelookup_time()),
        connect,
        tls: micros(handle.appconnect_time()),
        ready: micros(handle.pretransfer_time()),
        sent: numbers.sent,
        first_byte: micros(handle.starttransfer_time()),
        total: micros(handle.total_time()),
    }
}

fn whole(size: Result<f64, curl::Error>) -> u64 {
    // A number of bytes below 2^53.
    size.unwrap_or_default() as u64
}

fn remote(handle: &Handle) -> Option<(String, u16)> {
    let ip = handle.primary_ip().ok().flatten().filter(|ip| !ip.is_empty())?;
    Some((ip.to_owned(), handle.primary_port().unwrap_or_default()))
}

/// Returns the version of HTTP that libcurl has a number for.
fn http_version(number: u32) -> Option<&'static str> {
    match number {
        1 => Some("1.0"),
        2 => Some("1.1"),
        3 => Some("2"),
        30 => Some("3"),
        _ => None,
    }
}

/// Returns what the TLS connection was made with. With `kept` connections, those of an earlier request are remembered.
fn tls(handle: &Handle, numbers: &Numbers, kept: Option<&mut Connections>) -> Option<Tls> {
    let seen = handle.get_ref().tls().map(|facts| Tls {
        version: facts.version,
        cipher: facts.cipher,
        alpn: facts.protocol,
        certificate_expiry: facts.certificate_expiry,
    });
    let (Some(kept), Some(connection)) = (kept, numbers.connection) else { return seen };
    match seen {
        Some(seen) => {
            kept.insert(connection, seen.clone());
            Some(seen)
        }
        None => kept.get(&connection).cloned(),
    }
}
