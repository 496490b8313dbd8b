//! Reads several inputs at the same time.

use std::fs::File;
use std::sync::{Arc, Mutex, PoisonError};

use super::block_pool::BlockPool;
use super::follow;
use super::inputs::{self, Input};
use super::live::Live;
use super::options::ReadOptions;
use super::outcome::{InputEnd, ReadOutcome};
use super::outlet::Waiting;
use super::progress::Progress;
use super::reading::read_file;
use super::receiver::BatchReceiver;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::observe::receipt::StoppedInput;

/// Reads `inputs` into `receiver`. Inputs with an end are read by as many threads as there are processors, each input
/// in its own order. Each input without an end has a thread of its own.
///
/// If an input cannot be read, the result holds an error. The other inputs are read all the same.
pub fn read_all(
    inputs: &[Input],
    options: &ReadOptions,
    receiver: &dyn BatchReceiver,
    progress: &Progress,
) -> ReadOutcome {
    let pool = Arc::new(BlockPool::default());
    let read = |input: &Input| match input {
        Input::Followed(followed) => {
            let outcome = follow::follow(followed, options, &pool, receiver, progress);
            // If the follower failed before it watched the files, the job must not wait for the watch any longer.
            options.follow.iter().for_each(follow::FollowOptions::tell_that_it_watches);
            outcome
        }
        input => match read_input(input, options, &pool, receiver, progress) {
            Ok(InputEnd::Stopped(offset)) if input.has_end() => {
                let stopped = vec![StoppedInput { name: input.name(), offset: Some(offset) }];
                ReadOutcome { stopped, ..ReadOutcome::default() }
            }
            Ok(_) => ReadOutcome::default(),
            Err(error) => error.into(),
        },
    };
    if let [input] = inputs {
        return read(input);
    }
    let outcome = Mutex::new(ReadOutcome::default());
    let note = |other: ReadOutcome| outcome.lock().unwrap_or_else(PoisonError::into_inner).add(other);
    let read = |input: &Input| note(read(input));
    let (live, finite): (Vec<&Input>, Vec<&Input>) = inputs.iter().partition(|input| !input.has_end());
    std::thread::scope(|scope| {
        // A live input needs its own thread, because it would block a thread of the pool for ever.
        for input in live {
            let builder = std::thread::Builder::new().name("reader".into());
            if let Err(error) = builder.spawn_scoped(scope, || read(input)) {
                note(
                    Error::system(format!("{}: the reading thread cannot be started", input.name()))
                        .because(error)
                        .into(),
                );
                if let Input::Syslog(address) = input {
                    options.listening.leave(address);
                }
            }
        }
        if !finite.is_empty() {
            let threads = std::thread::available_parallelism().map_or(1, usize::from).min(finite.len());
            match rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .thread_name(|index| format!("reader {index}"))
                .build()
            {
                Ok(workers) => workers.scope_fifo(|scope| {
                    for input in finite {
                        let read = &read;
                        scope.spawn_fifo(move |_| read(input));
                    }
                }),
                Err(error) => note(Error::system("the reading threads cannot be started").because(error).into()),
            }
        }
    });
    outcome.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn read_input(
    input: &Input,
    options: &ReadOptions,
    pool: &Arc<BlockPool>,
    receiver: &dyn BatchReceiver,
    progress: &Progress,
) -> Result<InputEnd> {
    let name = input.name();
    match input {
        Input::Stdin => {
            // The file has no buffer, so that `idle` can ask the file descriptor whether data is there.
            let file = inputs::open_stdin()?;
            read_file(&file, input, &name, options, pool, &Waiting::new(receiver), progress)
        }
        Input::File(path) => {
            let file =
                File::open(path).map_err(|error| Error::input(format!("{name}: cannot be opened")).because(error))?;
            read_file(&file, input, &name, options, pool, &Waiting::new(receiver), progress)
        }
        Input::Followed(_) => Err(Error::internal(format!("{name}: this input has no end"))),
        Input::Syslog(address) => {
            let live = match &options.live {
                Some(live) => live.clone(),
                None => Live::new(Stop::new()?),
            };
            options.listening.read(address, &live, &options.size, receiver).map(|()| InputEnd::Complete)
        }
    }
}
