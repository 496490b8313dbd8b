//! Connects: sets the options of the driver, sends the first query to the server, and explains a missing answer.

use std::time::Duration;

use mongodb::bson::{Bson, Document, doc};
use mongodb::error::{Error as DriverError, ErrorKind};
use mongodb::event::EventHandler;
use mongodb::event::sdam::SdamEvent;
use mongodb::options::{Acknowledgment, ClientOptions, WriteConcern};
use mongodb::{Client, Database};

use super::command::Limits;
use super::monitor::MonitorState;
use super::reply;
use super::target::Target;
use crate::core::error::{Error, Result};
use crate::core::wait::{Waits, Words};

/// The time in which a server must be found, at the start and in each later attempt.
const SELECTION: Duration = Duration::from_secs(5);
/// The time between two checks of a monitor. The driver's default is 10 seconds. A writer loses that time after an
/// error that makes the driver doubt a server that has not changed.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// The time between two looks at the state of the monitors during the start.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The maximum number of documents of one command, even if the server allows more. If all are duplicates, the reply has
/// up to 200 bytes for each document; it must stay under 16 MiB and arrive before the deadline.
const MAX_DOCUMENTS: usize = 10_000;

/// The time between two attempts of a start that has no deadline.
const RETRY_INTERVAL: Duration = Duration::from_millis(500);

/// Connects and asks for the limits of the server. Runs inside the runtime in which the monitors of the driver run.
///
/// The start waits for a server as long as the driver selects one (`serverSelectionTimeoutMS`), so that a wrong address
/// is reported soon. If the job waits without a deadline, the start waits until a server answers.
pub(super) async fn connect(
    target: &Target,
    monitor: MonitorState,
    waits: &Waits,
) -> Result<(Database, WriteConcern, Limits)> {
    let no_deadline = waits.has_no_deadline();
    let waiting = waits.patience(&target.hosts, Words::OPENED);
    let mut options = loop {
        match ClientOptions::parse(&target.uri).await {
            Ok(options) => break options,
            Err(error) if no_deadline && matches!(error.kind.as_ref(), ErrorKind::DnsResolve { .. }) => {
                let words = target.mask(&reply::words(&error));
                waiting
                    .begin()
                    .pause_async(&words, RETRY_INTERVAL)
                    .await
                    .map_err(|ended| ended.error(&target.hosts))?;
            }
            Err(error) => return Err(bad_address(target, &error)),
        }
    };
    let write_concern = write_concern(target, options.write_concern.take())?;
    let patience = *options.server_selection_timeout.get_or_insert(SELECTION);
    options.connect_timeout.get_or_insert(patience);
    options.heartbeat_freq.get_or_insert(HEARTBEAT);
    options.app_name.get_or_insert_with(|| "logator".to_owned());
    let watched = monitor.clone();
    options.sdam_event_handler = Some(EventHandler::callback(move |event| watch(&watched, &event)));

    let client = Client::with_options(options).map_err(|error| bad_address(target, &error))?;
    let database = client.database(&target.database);
    let waiting = match no_deadline {
        true => waiting,
        false => waiting.with_deadline(patience, "serverSelectionTimeoutMS"),
    };
    let wait = waiting.begin();
    let mut asking = std::pin::pin!(query_server(database.clone(), &target.collection));
    let mut waited = Duration::ZERO;
    let hello = loop {
        match tokio::time::timeout(POLL_INTERVAL, &mut asking).await {
            Ok(Ok(hello)) => break hello,
            Ok(Err(error)) if no_deadline && monitor.fatal_failure().is_none() && may_pass(&error) => {
                let words = target.mask(&monitor.last_failure().unwrap_or_else(|| reply::words(&error)));
                wait.pause_async(&words, RETRY_INTERVAL).await.map_err(|ended| ended.error(&target.hosts))?;
                asking.set(query_server(database.clone(), &target.collection));
            }
            Ok(Err(error)) => return Err(connect_error(target, &monitor, patience, &error)),
            Err(_) => {
                waited += POLL_INTERVAL;
                if let Some(words) = monitor.fatal_failure() {
                    return Err(Error::sink(target.mask(&format!("{}: TLS failed: {words}", target.hosts))));
                }
                // Server selection has its own time limit. This check is for a server that accepts a connection and
                // sends nothing.
                if waited > patience * 2 && !no_deadline {
                    return Err(no_answer(target, patience, "it accepts connections and sends nothing"));
                }
                let words = target.mask(&monitor.last_failure().unwrap_or_else(|| "no answer yet".to_owned()));
                // The driver reports the end of the wait with a better message. Only a stop by a signal is reported
                // here.
                if let Err(ended) = wait.check(&words)
                    && waits.is_stopped()
                {
                    return Err(ended.error(&target.hosts));
                }
            }
        }
    };
    waiting.over();
    let limit = |name, usual| match hello.get(name) {
        Some(Bson::Int32(number)) => usize::try_from(*number).unwrap_or(usual),
        Some(Bson::Int64(number)) => usize::try_from(*number).unwrap_or(usual),
        _ => usual,
    };
    let limits = Limits {
        document: limit("maxBsonObjectSize", 16 * 1024 * 1024),
        documents: limit("maxWriteBatchSize", 100_000).min(MAX_DOCUMENTS),
    };
    Ok((database, write_concern, limits))
}

/// Asks for the limits of the server. Then sends a query that a server with authentication answers only after a login.
async fn query_server(database: Database, collection: &str) -> mongodb::error::Result<Document> {
    let hello = database.run_command(doc! { "hello": 1 }).await?;
    database
        .run_command(doc! {
            "listCollections": 1,
            "nameOnly": true,
            "authorizedCollections": true,
            "filter": { "name": collection },
        })
        .await?;
    Ok(hello)
}

fn write_concern(target: &Target, asked: Option<WriteConcern>) -> Result<WriteConcern> {
    let mut concern = asked.unwrap_or_default();
    match concern.w.get_or_insert(Acknowledgment::Majority) {
        Acknowledgment::Nodes(0) => {
            return Err(Error::usage(format!(
                "{}: w=0 asks for no answer, so nothing could be called stored; leave it out for w=majority",
                target.name
            )));
        }
        // The server decides by writeConcernMajorityJournalDefault; its default is the journal.
        Acknowledgment::Majority => {}
        _ => {
            concern.journal.get_or_insert(true);
        }
    }
    Ok(concern)
}

/// Returns whether another attempt may succeed.
fn may_pass(error: &DriverError) -> bool {
    matches!(reply::judge(error), reply::Failure::Transient { .. })
}

/// Records the events of the monitors.
fn watch(monitor: &MonitorState, event: &SdamEvent) {
    match event {
        SdamEvent::ServerHeartbeatFailed(failed) => {
            monitor.record_failure(
                format!("{}: {}", failed.server_address, reply::words(&failed.failure)),
                is_tls(&failed.failure),
            );
        }
        SdamEvent::ServerHeartbeatSucceeded(_) => monitor.clear(),
        _ => {}
    }
}

/// Returns whether TLS failed. rustls reports every failed handshake and every invalid certificate as invalid data,
/// which the network itself never does. A server without TLS closes the connection during the handshake.
fn is_tls(error: &DriverError) -> bool {
    match error.kind.as_ref() {
        ErrorKind::Io(io) => io.kind() == std::io::ErrorKind::InvalidData || reply::is_end_of_handshake(io),
        ErrorKind::InvalidTlsConfig { .. } => true,
        _ => false,
    }
}

fn bad_address(target: &Target, error: &DriverError) -> Error {
    let message = target.mask(&format!("{}: {}", target.name, reply::words(error)));
    match error.kind.as_ref() {
        ErrorKind::DnsResolve { .. } => Error::sink(message),
        _ => Error::usage(message),
    }
}

fn connect_error(target: &Target, monitor: &MonitorState, patience: Duration, error: &DriverError) -> Error {
    let words = reply::words(error);
    if reply::is_refused_login(error) {
        let hint = match &target.implied_auth_source {
            Some(database) if database != "admin" => {
                format!(" (looked up in database {database}; add authSource=admin if it is defined there)")
            }
            _ => String::new(),
        };
        return Error::sink(target.mask(&format!("{}: the login is refused: {words}{hint}", target.name)));
    }
    if let Some(words) = monitor.fatal_failure() {
        return Error::sink(target.mask(&format!("{}: TLS failed: {words}", target.hosts)));
    }
    match error.kind.as_ref() {
        ErrorKind::Command(_) => Error::sink(target.mask(&format!("{}: {words}", target.name))),
        _ => no_answer(target, patience, &monitor.last_failure().unwrap_or(words)),
    }
}

fn no_answer(target: &Target, patience: Duration, words: &str) -> Error {
    let seconds = patience.as_secs_f64();
    Error::sink(target.mask(&format!("{}: nobody answers within {seconds} s ({words})", target.hosts)))
}
