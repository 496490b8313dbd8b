//! Files that are read once, from their beginning to their end: files, directories with everything below them, globs.
//!
//! `names` interprets the names that the user wrote, and `found` collects the files that they mean. `exclude` holds the names
//! that the user excludes.

mod exclude;
mod found;
mod names;

use std::fs::File;
use std::path::PathBuf;

pub use self::exclude::Exclude;
pub use self::found::Files;
pub use self::names::{find_again, find_so_far};
use super::api::{RunContext, Source};
use super::kind::{Place, SourceKind};
use super::outcome::{self, InputEnd, ReadOutcome};
use super::outlet::Waiting;
use super::reading::read_file;
use crate::core::error::Error;
use crate::observe::receipt::LeftOutFile;

/// See the [module](self). This kind takes every name that no other kind takes.
pub const KIND: SourceKind = SourceKind {
    names: &["files", "directories", "globs"],
    help: "Files with gzip, zstd, bzip2 or xz are decompressed. Binary and hidden files are left out of directories.",
    options: &[exclude::OPTION],
    places: &[Place::Input, Place::Whole, Place::Push],
    elsewhere: "files are read by logator run and logator-queue",
    claims: |_, _| true,
    find: |names, context, found| {
        let mut files = names::find(names, context.own, &Exclude::of(context.values)?)?;
        files.take_messages(found);
        for (index, path) in std::mem::take(&mut files.files) {
            let is_named = files.is_named(&path);
            found.add(index, FileSource { path, is_named });
        }
        Ok(())
    },
    ..SourceKind::NONE
};

/// A file, or another path that is read like a file, such as a named pipe.
#[derive(Debug)]
pub struct FileSource {
    path: PathBuf,
    /// Whether the user named it. A file that was found in a directory is left out if it is binary.
    is_named: bool,
}

impl FileSource {
    /// The file at `path`, which the user named.
    pub fn new(path: impl Into<PathBuf>) -> FileSource {
        FileSource { path: path.into(), is_named: true }
    }
}

impl Source for FileSource {
    fn name(&self) -> String {
        self.path.display().to_string()
    }

    fn is_regular_file(&self) -> bool {
        self.path.is_file()
    }

    fn size(&self) -> Option<u64> {
        self.path.metadata().ok().filter(|data| data.is_file()).map(|data| data.len())
    }

    fn run(&self, context: &RunContext) -> ReadOutcome {
        let name = self.name();
        let opened =
            File::open(&self.path).map_err(|error| Error::input(format!("{name}: cannot be opened")).because(error));
        let end = opened
            .and_then(|file| read_file(&file, Some(&self.path), &name, None, context, &Waiting::new(context.receiver)));
        match end {
            Ok(InputEnd::Binary(why)) if !self.is_named => {
                let left_out = LeftOutFile { name, why };
                context.options.say.say(left_out.sentence());
                ReadOutcome { left_out: vec![left_out], ..ReadOutcome::default() }
            }
            end => outcome::of(&name, end),
        }
    }
}
