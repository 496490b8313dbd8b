//! Opens a sink: the client, and the topic, which must exist.

use std::sync::Arc;

use super::counters::COUNTERS;
use super::delivery::Delivery;
use super::documents::KafkaSink;
use super::encoding;
use super::producing;
use super::session::Sessions;
use super::target::Target;
use crate::core::error::{Error, Result};
use crate::core::wait::Words;
use crate::event::Wanted;
use crate::kafka::notices::Notices;
use crate::kafka::settings::settings;
use crate::kafka::{Role, topic};
use crate::observe::counters::Counters;
use crate::observe::details::Seldom;
use crate::sink::api::AnySink;
use crate::sink::kind::Opening;

static STARTED: Seldom = Seldom::new();

/// Opens the sink of documents at `target`.
///
/// # Errors
/// A usage error when the address or the schema is wrong. An error of the kind [`sink`](crate::core::error::Kind::Sink) when the
/// topic does not exist, the login is refused, TLS fails, or no broker answers within 5 seconds (`serverSelectionTimeoutMS` in the
/// address sets another time). No message shows a secret.
pub(super) fn open(target: &Target, with: &Opening<'_>) -> Result<AnySink> {
    let prepared = encoding::prepare(target, with)?;
    let delivery = connect(target, with)?;
    let fields = target.key.iter().cloned().collect();
    let layout = prepared.layout(target, with)?.with_beside(Wanted { time: false, context: true, fields });
    Ok(KafkaSink::new(delivery, layout).into())
}

/// Connects to the brokers, and finds the topic.
///
/// # Errors
/// Those of [`open`].
pub(super) fn connect(target: &Target, with: &Opening<'_>) -> Result<Delivery> {
    let address = &target.address;
    let usage = |why: String| Error::usage(format!("{address}: {why}"));
    let of_address = settings(address, Role::Producer).map_err(usage)?;
    let settings = [producing::settings(with.memory), of_address].concat();
    let waits = with.waits.clone();
    let notices = Arc::new(Notices::new(address, move |sentence| waits.say(sentence)));
    let counters = Arc::new(Counters::new(COUNTERS));
    let sessions = Sessions::begin(address, settings, Arc::clone(&notices), Arc::clone(&counters))?;

    let opening = with.waits.patience(address.brokers_name(), Words::OPENED);
    let opening = match with.waits.has_no_deadline() {
        true => opening,
        false => opening.with_deadline(target.selection_timeout, "serverSelectionTimeoutMS"),
    };
    let topic = topic::find(sessions.current().client(), address, &notices, &opening, || ()).map_err(Error::sink)?;
    STARTED.tell(1, |_, _| format!("{address}: the topic has {} partitions", topic.partitions.len()));

    let patience = with.waits.patience(address.to_string(), Words::STORED);
    let patience = match target.deadline {
        Some(deadline) => patience.with_deadline(deadline, "sinkDeadlineMS"),
        None => patience,
    };
    Ok(Delivery { name: address.to_string(), target: target.clone(), sessions, patience, notices, counters })
}
