//! `--connect kafka://…`: the records of the inputs become messages of a topic.
//!
//! The work is that of `logator run`: a reader, a queue, a worker and a storing thread, with state, dead letters and a receipt. The
//! sink takes records, so nothing is parsed. There is one worker and one storing thread: the messages of an origin then reach
//! the topic in the order of its records.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::answering::{Answering, Answers};
use super::options::Confirm;
use crate::app::account::queue_with;
use crate::app::local::{limits, work_through};
use crate::app::messages::{say_on, say_what_is_left_out};
use crate::app::options::{SourceOptions, WorkOptions, Workers};
use crate::app::reading::{OpenSources, Reading};
use crate::app::sources::SOURCES;
use crate::core::batch::Batch;
use crate::core::error::Result;
use crate::core::stop::Stop;
use crate::core::wait::Deadline;
use crate::observe::console::Console;
use crate::observe::receipt::Receipt;
use crate::queue::shared::SharedQueue;
use crate::sink::SinkSpec;
use crate::source::ReadOptions;
use crate::source::kind::{FindContext, Found, Place};
use crate::source::live::Live;
use crate::worker::Requests;
use crate::worker::parser::Formats;

/// How lines are pushed to a topic.
#[derive(Debug, Clone)]
pub struct TopicOptions {
    /// The inputs, and how they are read.
    pub source: SourceOptions,
    /// The topic. Its sink takes records.
    pub topic: SinkSpec,
    /// When a line is answered on standard output.
    pub confirm: Confirm,
    /// The file of the lines that the topic does not take.
    pub dead_letters: PathBuf,
    /// The longest wait for Kafka.
    pub deadline: Deadline,
}

/// Pushes the records of the inputs until they end or a signal comes. Errors during the work are part of the receipt.
///
/// # Errors
/// The job cannot start: a missing input, or a topic that is not there.
pub fn push_to_topic(options: &TopicOptions, console: Console) -> Result<Receipt> {
    let TopicOptions { source, topic, confirm, dead_letters, deadline } = options;
    let work = WorkOptions {
        sinks: vec![topic.clone()],
        as_read: true,
        dead_letters: dead_letters.clone(),
        workers: Workers::fixed(1),
        in_flight: Some(Requests::Fixed(1)),
        max_memory: source.max_memory,
        deadline: *deadline,
        ..WorkOptions::default()
    };
    let found = find(source, &console)?;
    let state = source.open_state(&console)?;
    let answers = Arc::new(Mutex::new(Answers::new(*confirm)));
    let queue = SharedQueue::new(source.limits(limits()), None)?;
    let (queue, settlement) = match confirm {
        Confirm::Delivered => {
            let answers = Arc::clone(&answers);
            // A state would want to know the settled batches as well, but the lines of a program that waits have none.
            let settle = move |batches: &[Batch]| {
                let records = batches.iter().map(|batch| batch.records as usize).sum();
                answers.lock().unwrap_or_else(PoisonError::into_inner).delivered(records);
            };
            (Arc::new(queue.settling(true, Box::new(settle))), Arc::default())
        }
        Confirm::No | Confirm::Queued => queue_with(state.as_ref(), queue),
    };
    let live = Live::new(Stop::new()?);
    let read = ReadOptions { settlement, live: Some(live.clone()), say: say_on(&console), ..source.read.clone() };
    let formats = Arc::new(Formats::of_records());
    let (reader_state, reader_answers) = (state.clone(), Arc::clone(&answers));
    let receipt = work_through(&work, formats, console, queue, state.as_deref(), &live, |queue, letters, _| {
        let sources = OpenSources::open(found, &read)?;
        reader_answers.lock().unwrap_or_else(PoisonError::into_inner).ready();
        Reading::through(sources, read, queue, letters, reader_state, |inner| Answering {
            inner,
            answers: reader_answers,
        })
    })?;
    answers.lock().unwrap_or_else(PoisonError::into_inner).refuse_rest();
    Ok(receipt)
}

/// Finds the inputs. Standard input alone is read line by line as it comes, unless its settled lines are to be left out.
fn find(source: &SourceOptions, console: &Console) -> Result<Found> {
    if !source.inputs.is_empty() || source.state.is_some() {
        return source.find(console);
    }
    let context = FindContext { values: &source.values, own: &source.files, place: Place::Push };
    let mut found = SOURCES.find(&source.inputs, &context)?;
    say_what_is_left_out(&found, console);
    match found.errors.pop() {
        Some(error) => Err(error),
        None => Ok(found),
    }
}
