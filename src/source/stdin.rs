//! Standard input, `-`.

use std::fs::File;
use std::io::{self, Read};
use std::os::fd::AsFd;

use super::api::{RunContext, Source};
use super::cutter::Cutter;
use super::encodings::Carrier;
use super::joint::Joint;
use super::kind::{Place, SourceKind};
use super::origin::fingerprint;
use super::outcome::{self, InputEnd, ReadOutcome};
use super::outlet::{Outlet, Waiting, offer_waiting};
use super::reader::{BatchReader, End};
use super::reading::read_file;
use super::receiver::{BatchReceiver, LongLine};
use crate::core::batch::Batch;
use crate::core::calendar::now_ms;
use crate::core::context::Origin;
use crate::core::error::{Error, Result};
use crate::core::stop::Stop;
use crate::process::streams;

/// See the [module](self).
pub const KIND: SourceKind = SourceKind {
    names: &["- for standard input (the default)"],
    places: &[Place::Input, Place::Whole, Place::Push],
    claims: |name, _| name == "-",
    find: |names, context, found| {
        let file = open_stdin().ok();
        if let Some(own) = file.as_ref().and_then(|file| context.own.look().of_open(file)) {
            return Err(own.refusal("- (standard input)"));
        }
        match file.is_none() || streams::stdin_was_closed() {
            true => found.errors.push(Error::input("-: standard input is closed; nothing is read from it")),
            false if context.place == Place::Push => {
                names.iter().for_each(|name| found.add_once(name.index, StdinAsItComes));
            }
            false => names.iter().for_each(|name| found.add_once(name.index, Stdin)),
        }
        Ok(())
    },
    ..SourceKind::NONE
};

/// See the [module](self).
#[derive(Debug)]
pub struct Stdin;

impl Source for Stdin {
    fn name(&self) -> String {
        "-".to_owned()
    }

    fn is_regular_file(&self) -> bool {
        open_stdin().is_ok_and(|file| file.metadata().is_ok_and(|data| data.is_file()))
    }

    fn run(&self, context: &RunContext) -> ReadOutcome {
        outcome::of(
            "-",
            open_stdin().and_then(|file| read_file(&file, None, "-", None, context, &Waiting::new(context.receiver))),
        )
    }
}

/// Standard input for a program that passes single lines on at once: it is not decompressed, a line is handed on when it was
/// read, and a stop is like the end of the input.
#[derive(Debug)]
struct StdinAsItComes;

impl Source for StdinAsItComes {
    fn name(&self) -> String {
        "-".to_owned()
    }

    fn run(&self, context: &RunContext) -> ReadOutcome {
        outcome::of("-", open_stdin().and_then(|file| read_as_it_comes(&file, context)))
    }
}

fn read_as_it_comes(file: &File, context: &RunContext) -> Result<InputEnd> {
    let &RunContext { options, pool, receiver, .. } = context;
    let outlet = AtOnce { receiver };
    let name = |beginning: &[u8]| Origin::new(fingerprint(beginning), "-");
    let (rules, joint) = (&options.records, Joint::default());
    let encoding = options.encoding;
    let cutter = Cutter {
        size: &options.size,
        pool,
        receiver: &outlet,
        name: &name,
        rules,
        joint,
        encoding,
        carrier: Carrier::Stream,
    };
    let mut input = UntilStop { file, receiver, stop: options.live.as_ref().map(|live| &live.stop) };
    match (BatchReader { cutter, idle: &|| true, quiet: &|_| true, time: &now_ms, exact: false }).read(&mut input)? {
        End::Complete | End::Stopped { .. } => Ok(InputEnd::Complete),
        End::Binary(binary) => Ok(InputEnd::Binary(binary.words("-"))),
        End::Damaged { error, .. } => Err(Error::input("-: standard input cannot be read").because(error)),
    }
}

/// An outlet for bytes that nobody can read again: it drops none of them, even if no more are wanted.
struct AtOnce<'a> {
    receiver: &'a dyn BatchReceiver,
}

impl Outlet for AtOnce<'_> {
    fn batch(&self, batch: Batch) -> bool {
        offer_waiting(self.receiver, batch, None)
    }

    fn long_line(&self, line: LongLine) -> Result<()> {
        self.receiver.long_line(line)
    }

    fn leave_out_nuls(&self, bytes: u64) {
        self.receiver.leave_out_nuls(bytes);
    }
}

/// A file that is read while the receiver has room, and that seems to end when a stop is requested.
struct UntilStop<'a> {
    file: &'a File,
    receiver: &'a dyn BatchReceiver,
    stop: Option<&'a Stop>,
}

impl Read for UntilStop<'_> {
    fn read(&mut self, output: &mut [u8]) -> io::Result<usize> {
        // What is read while there is no room would wait here, where nobody counts it.
        self.receiver.wait_for_input(self.file.as_fd(), self.stop)?;
        if self.stop.is_some_and(Stop::is_requested) {
            return Ok(0);
        }
        self.file.read(output)
    }
}

/// Opens standard input without the buffer that the process shares. With that buffer, `poll` could report no data
/// although the buffer holds some.
fn open_stdin() -> Result<File> {
    let descriptor = std::io::stdin().as_fd().try_clone_to_owned();
    descriptor.map(File::from).map_err(|error| Error::input("-: standard input cannot be read").because(error))
}
