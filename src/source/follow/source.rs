//! The files that are followed, as a source.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;
use std::sync::{Arc, Mutex};

use super::follow_loop::follow;
use super::followed::Followed;
use crate::core::error::{Error, Result};
use crate::core::option_spec::{Choice, Group, OptionSpec, OptionValues};
use crate::core::quantity;
use crate::source::api::{Opened, RunContext, Source};
use crate::source::decompress::{Compression, MAGIC_BYTES};
use crate::source::file::{Exclude, FileSource, find_so_far};
use crate::source::kind::{FindContext, Found, Name, Place, SourceKind};
use crate::source::options::ReadOptions;
use crate::source::outcome::ReadOutcome;

const HOW: [Choice; 3] = [
    Choice {
        name: "events",
        alias: Some("true"),
        help: "Wait for events of the file system (default); poll where there are no events",
    },
    Choice { name: "poll", alias: None, help: "Look once a second" },
    Choice { name: "off", alias: Some("false"), help: "Do not follow" },
];

/// Files that are followed. With `--follow`, this kind takes the names that would mean files or standard input.
pub const KIND: SourceKind = SourceKind {
    places: &[Place::Input, Place::Push],
    options: &[
        OptionSpec::text(
            "follow",
            "HOW",
            Group::Input,
            "Read files as they grow, and files that appear or are rotated later",
        )
        .choices(&HOW)
        .if_bare("events"),
        OptionSpec::text(
            "follow-timeout",
            "SECONDS",
            Group::Input,
            "Time after which a last line without a newline is read as a whole line",
        )
        .default("30")
        .check(|text| quantity::seconds(text).map(drop))
        .rare(),
    ],
    claims: |_, values| how(values).is_some(),
    find,
    ..SourceKind::NONE
};

/// The value of `--follow`, if files are followed.
fn how(values: &OptionValues) -> Option<&str> {
    values.text("follow").filter(|how| *how != "off")
}

/// Finds the sources for `names`. All files, including those that appear later, are one source. A path that is neither a file
/// nor a directory, such as a pipe, is a source of its own.
fn find(names: &[Name], context: &FindContext, found: &mut Found) -> Result<()> {
    if names.iter().any(|name| !name.is_given) {
        return Err(Error::usage("--follow: name files, directories or globs; standard input is read as it comes"));
    }
    if names.iter().any(|name| name.text == "-") {
        return Err(Error::usage("-: standard input cannot be followed, it is read as it comes; leave --follow out"));
    }
    let texts: Vec<String> = names.iter().map(|name| name.text.to_owned()).collect();
    let exclude = Exclude::of(context.values)?;
    let mut files = find_so_far(&texts, context.own, &exclude)?;
    let is_pipe = |name: &&Name| Path::new(name.text).metadata().is_ok_and(|data| !data.is_file() && !data.is_dir());
    let (pipes, names): (Vec<&Name>, Vec<&Name>) = names.iter().partition(is_pipe);
    let complete = |name: &&Name| Path::new(name.text).is_file() && is_compressed(Path::new(name.text));
    if let Some(name) = names.first().filter(|_| names.iter().all(complete)) {
        let others = if names.len() > 1 { "compressed files are" } else { "a compressed file is" };
        let name = name.text;
        return Err(Error::usage(format!("--follow {name}: {others} complete and read once; leave --follow out")));
    }
    let contents = found.contents + files.files.len();
    // The first scan of the loop finds the errors again.
    files.errors.clear();
    files.take_messages(found);
    if let Some(first) = names.first() {
        let timeout = context.values.get("follow-timeout", quantity::seconds)?;
        let poll = how(context.values) == Some("poll");
        let texts = names.iter().map(|name| name.text.to_owned()).collect();
        found.add(
            first.index,
            Followed {
                names: texts,
                changing: None,
                to_the_end: false,
                own: Arc::clone(context.own),
                exclude,
                poll,
                timeout,
                ready: Mutex::default(),
            },
        );
    }
    pipes.into_iter().for_each(|pipe| found.add_once(pipe.index, FileSource::new(PathBuf::from(pipe.text))));
    found.contents = contents;
    Ok(())
}

/// Whether a file begins like a compressed file.
fn is_compressed(path: &Path) -> bool {
    let mut magic = Vec::new();
    let read = File::open(path).and_then(|file| file.take(MAGIC_BYTES as u64).read_to_end(&mut magic));
    read.is_ok() && Compression::of(&magic) != Compression::None
}

impl Source for Followed {
    fn name(&self) -> String {
        self.names.join(", ")
    }

    fn has_end(&self) -> bool {
        false
    }

    fn open(&mut self, _: &ReadOptions) -> Result<Opened> {
        let (watches, ready) = sync_channel(1);
        self.ready = Mutex::new(Some(watches));
        Ok(Opened { activity: "files are followed", ready: Some(ready), ..Opened::default() })
    }

    fn run(&self, context: &RunContext) -> ReadOutcome {
        follow(self, context)
    }

    fn close(&self) {
        // If the loop failed before it watched the files, the job must not wait for the watch any longer.
        self.set_ready();
    }
}
