//! The inputs of `logator-push`, and the messages that their lines become.

use super::options::PushOptions;
use crate::app::messages::{say_on, say_what_is_left_out};
use crate::app::sources::SOURCES;
use crate::core::error::Result;
use crate::core::stop::Stop;
use crate::net::push::envelope::Wrapping;
use crate::observe::console::Console;
use crate::source::ReadOptions;
use crate::source::kind::{FindContext, Found, Place};
use crate::source::live::Live;
use crate::source::receiver::BatchSize;

/// The number of bytes of one read.
const READ: usize = 128 << 10;

/// Finds the inputs.
///
/// # Errors
/// An input that does not exist. If standard input is the only input, it must be open.
pub(super) fn find(options: &PushOptions, console: &Console) -> Result<Found> {
    let context = FindContext { values: &options.values, own: &options.files, place: Place::Push };
    let mut found = SOURCES.find(&options.inputs, &context)?;
    say_what_is_left_out(&found, console);
    if options.inputs.is_empty()
        && let Some(error) = found.errors.pop()
    {
        return Err(error);
    }
    Ok(found)
}

/// How the inputs are read until they end or `stop` is requested.
pub(super) fn reading(options: &PushOptions, stop: &Stop, console: &Console) -> ReadOptions {
    let size = BatchSize { lines: usize::MAX, bytes: READ, max_line: options.max_line };
    let (live, say) = (Some(Live::new(stop.clone())), say_on(console));
    ReadOptions { size, live, say, encoding: options.encoding, ..ReadOptions::default() }
}

/// Makes messages from lines, with or without an envelope.
pub(super) struct Encoding(pub(super) Option<Wrapping>);

impl Encoding {
    /// Returns the message for `line`.
    #[inline]
    pub(super) fn message<'a>(&'a mut self, line: &'a [u8]) -> &'a [u8] {
        match &mut self.0 {
            Some(wrapping) => wrapping.wrap(line),
            None => line,
        }
    }
}
