//! A kind of source as data: how the user names a source, where the source may stand, and its options. [`Registry::find`]
//! turns the names that a user wrote into sources.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::api::Source;
use crate::core::error::{Error, Result};
use crate::core::option_spec::{OptionSpec, OptionValues};
use crate::core::secrets::masked;
use crate::observe::counters::CounterSpec;
use crate::observe::receipt::LeftOutFile;
use crate::process::job_files::JobFiles;

/// The place at which the user names a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// INPUT of `logator run` and `logator-queue`.
    Input,
    /// INPUT of a command that reads every input to its end, such as `logator grok`.
    Whole,
    /// `--from` of `logator-worker`.
    From,
    /// `--from` of `logator-push`.
    Push,
}

/// A kind of source.
#[derive(Debug, Clone, Copy)]
pub struct SourceKind {
    /// What the first sentence of the help lists, for instance `- for standard input`.
    pub names: &'static [&'static str],
    /// More sentences for the help.
    pub help: &'static str,
    /// The places at which such a source may stand.
    pub places: &'static [Place],
    /// The sentence for a user who names such a source at another place.
    pub elsewhere: &'static str,
    /// The options of the kind.
    pub options: &'static [OptionSpec],
    /// The schemes of its names, if they hold no secret.
    pub schemes: &'static [&'static str],
    /// The counters of a source of this kind.
    pub counters: &'static [CounterSpec],
    /// The file that a name means, if that file holds no records, such as a socket.
    pub file: fn(&str) -> Option<PathBuf>,
    /// Whether a name means a source of this kind. The kinds are asked in the order of their registry.
    pub claims: fn(&str, &OptionValues) -> bool,
    /// Finds the sources that names of this kind mean.
    pub find: fn(&[Name], &FindContext, &mut Found) -> Result<()>,
}

impl SourceKind {
    /// A kind without names, for declarations that set only some fields.
    pub const NONE: SourceKind = SourceKind {
        names: &[],
        help: "",
        places: &[],
        elsewhere: "this version does not read it; files, directories, globs and - (standard input) are read",
        options: &[],
        schemes: &[],
        counters: &[],
        file: |_| None,
        claims: |_, _| false,
        find: |_, _, _| Ok(()),
    };
}

/// A name that the user wrote.
#[derive(Debug, Clone, Copy)]
pub struct Name<'a> {
    /// The text.
    pub text: &'a str,
    /// Its index among all names.
    pub index: usize,
    /// Whether the user wrote it. A list without names means standard input, `-`.
    pub is_given: bool,
}

/// What the search for sources needs.
#[derive(Debug, Clone, Copy)]
pub struct FindContext<'a> {
    /// The values of the options of all kinds.
    pub values: &'a OptionValues,
    /// The job's own files, which are no sources.
    pub own: &'a Arc<JobFiles>,
    /// The place of the names.
    pub place: Place,
}

/// The sources that were found, and the paths that could not be read.
#[derive(Default)]
pub struct Found {
    /// The sources, each with the index of its name.
    sources: Vec<(usize, Box<dyn Source>)>,
    /// The number of contents that are there now.
    pub contents: usize,
    /// Errors of sources that cannot be read. The other sources are read all the same, and the exit code says that the run
    /// is incomplete.
    pub errors: Vec<Error>,
    /// Sentences about paths that were left out although the user may expect them to be read.
    pub notes: Vec<String>,
    /// Sentences about links that another user may have put there.
    pub warnings: Vec<String>,
    /// Files and directories that are left out because of what they are.
    pub left_out: Vec<LeftOutFile>,
    seen: HashSet<String>,
}

impl Found {
    /// Adds the source that the name with this index means.
    pub fn add(&mut self, index: usize, source: impl Source + 'static) {
        self.contents += 1;
        self.sources.push((index, Box::new(source)));
    }

    /// Adds a source with a name of its own. A source that is named twice is read once.
    pub fn add_once(&mut self, index: usize, source: impl Source + 'static) {
        if self.seen.insert(source.name()) {
            self.add(index, source);
        }
    }

    /// Returns the sources in the order of their names, and the errors.
    pub fn into_parts(mut self) -> (Vec<Box<dyn Source>>, Vec<Error>) {
        self.sources.sort_by_key(|(index, _)| *index);
        (self.sources.into_iter().map(|(_, source)| source).collect(), self.errors)
    }
}

/// The kinds of sources that there are. A name belongs to the first kind that claims it.
#[derive(Debug, Clone, Copy)]
pub struct Registry(pub &'static [&'static SourceKind]);

impl Registry {
    fn at(self, place: Place) -> impl Iterator<Item = &'static SourceKind> {
        self.0.iter().copied().filter(move |kind| kind.places.contains(&place))
    }

    /// Whether `name` means a source that may stand at `place`.
    pub fn is_one(self, name: &str, place: Place) -> bool {
        self.at(place).any(|kind| (kind.claims)(name, &OptionValues::default()))
    }

    /// Returns the file that `name` means, if that file holds no records.
    pub fn file(self, name: &str, place: Place) -> Option<PathBuf> {
        self.at(place).find(|kind| (kind.claims)(name, &OptionValues::default())).and_then(|kind| (kind.file)(name))
    }

    /// Returns the options of the kinds that may stand at `place`.
    pub fn options(self, place: Place) -> Vec<OptionSpec> {
        self.at(place).flat_map(|kind| kind.options).copied().collect()
    }

    /// Returns the sentence that lists what may stand at `place`, and the sentences on it.
    pub fn help(self, place: Place) -> (String, String) {
        // The kind that claims the most comes last in the registry and first in the help.
        let mut kinds: Vec<&SourceKind> = self.at(place).collect();
        kinds.reverse();
        let names: Vec<&str> = kinds.iter().flat_map(|kind| kind.names).copied().collect();
        let (last, others) = names.split_last().unwrap_or((&"", &[]));
        let mut list = if others.is_empty() { (*last).to_owned() } else { format!("{}, or {last}", others.join(", ")) };
        if let Some(first) = list.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        let sentences: Vec<&str> = kinds.iter().map(|kind| kind.help).filter(|help| !help.is_empty()).collect();
        (list, sentences.join(" "))
    }

    /// Finds the sources that `names` mean. A list without names means standard input. The job's own files are left out.
    ///
    /// # Errors
    /// [`Kind::Usage`](crate::core::error::Kind::Usage) for a name that means nothing, that no kind takes at this place, or
    /// that is one of the job's own files. Nothing is read if the command line has a mistake.
    pub fn find(self, names: &[String], context: &FindContext) -> Result<Found> {
        let mut found = Found::default();
        let given = names.iter().enumerate().map(|(index, text)| Name { text, index, is_given: true });
        let none = names.is_empty().then_some(Name { text: "-", index: 0, is_given: false });
        let mut claimed: Vec<(&SourceKind, Vec<Name>)> =
            self.at(context.place).map(|kind| (kind, Vec::new())).collect();
        for name in given.chain(none) {
            self.refuse_elsewhere(name.text, context)?;
            let kind = claimed.iter_mut().find(|(kind, _)| (kind.claims)(name.text, context.values));
            kind.ok_or_else(|| Error::usage(format!("{}: no source has such a name", shown(name.text))))?.1.push(name);
        }
        let claimed = claimed.iter().filter(|(_, names)| !names.is_empty());
        claimed.into_iter().try_for_each(|(kind, names)| (kind.find)(names, context, &mut found))?;
        Ok(found)
    }

    /// Finds the sources for a command that reads each of them to its end.
    ///
    /// # Errors
    /// The errors of [`find`](Registry::find).
    pub fn find_whole(self, names: &[String], own: &Arc<JobFiles>) -> Result<Found> {
        self.find(names, &FindContext { values: &OptionValues::default(), own, place: Place::Whole })
    }

    /// Refuses a name of a kind that may not stand at this place, unless there is a file with this name.
    fn refuse_elsewhere(self, name: &str, context: &FindContext) -> Result<()> {
        let first = self.0.iter().find(|kind| (kind.claims)(name, context.values));
        match first.filter(|kind| !kind.places.contains(&context.place)) {
            Some(kind) if Path::new(name).symlink_metadata().is_err() => {
                Err(Error::usage(format!("{}: {}", shown(name), kind.elsewhere)))
            }
            _ => Ok(()),
        }
    }
}

/// Returns `name` for a message. It may be the address of a sink without its `--to`, and may hold a password.
pub(super) fn shown(name: &str) -> String {
    if name.contains("://") { masked(name) } else { name.to_owned() }
}
