//! The table of the kinds of sources. It stands here because a kind may use the sockets of `net`.

use super::pull::source as pull;
use crate::source::kind::{Place, Registry, SourceKind};
use crate::source::{docker, file, follow, kafka, stdin, syslog, wrapping};

/// All kinds of sources. A name belongs to the first kind that claims it.
pub const SOURCES: Registry = Registry(&[
    &syslog::KIND,
    &pull::KIND,
    &docker::KIND,
    &kafka::KIND,
    #[cfg(feature = "contract-tests")]
    &crate::source::contract::KIND,
    &follow::KIND,
    &stdin::KIND,
    &file::KIND,
    &WRAPPED,
]);

/// The option of all inputs whose lines a container runtime may have wrapped. No name is of this kind.
const WRAPPED: SourceKind = SourceKind { places: &[Place::Input], options: &[wrapping::OPTION], ..SourceKind::NONE };

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::sync::Arc;

    use super::*;
    use crate::core::option_spec::{OptionSpec, OptionValues};
    use crate::process::job_files::JobFiles;
    use crate::source::OPTIONS;
    use crate::source::kind::FindContext;

    fn find(names: &[&str], place: Place) -> Result<Vec<String>, String> {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let specs: Vec<OptionSpec> = SOURCES.options(place);
        let (values, own) = (OptionValues::defaults(&specs), Arc::new(JobFiles::default()));
        let found = SOURCES.find(&names, &FindContext { values: &values, own: &own, place });
        let sources = found.map_err(|error| error.to_string())?.into_parts().0;
        Ok(sources.iter().map(|source| source.name()).collect())
    }

    #[test]
    fn each_option_is_declared_once_and_its_default_passes_its_check() {
        let mut names = HashSet::new();
        let all: Vec<&OptionSpec> = SOURCES.0.iter().flat_map(|kind| kind.options).chain(&OPTIONS).collect();
        for spec in &all {
            let name = spec.name;
            assert!(names.insert(name), "{name}");
            for value in spec.default.iter().chain(&spec.if_bare) {
                assert_eq!((spec.check)(value), Ok(()), "{name}");
                let is_choice = spec.choices.iter().any(|choice| choice.name == *value);
                assert!(spec.choices.is_empty() || is_choice, "{name}");
            }
            assert!(spec.requires.iter().all(|other| all.iter().any(|spec| spec.name == *other)), "{name}");
        }
    }

    #[test]
    fn sources_come_in_the_order_of_their_names_and_each_once() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let (a, b, syslog) = (path("a.log"), path("b.log"), "syslog+udp://127.0.0.1:5514".to_owned());
        [&a, &b].into_iter().for_each(|path| std::fs::write(path, "").unwrap());
        let names = [&b, &syslog, &a, &syslog, &b].map(String::as_str);
        assert_eq!(find(&names, Place::Input), Ok(vec![b, syslog, a]));
    }

    #[test]
    fn a_kind_is_refused_where_it_may_not_stand_and_says_why() {
        for (name, place, words) in [
            ("syslog+udp://127.0.0.1:5514", Place::Whole, "this command needs inputs that have an end"),
            ("kafka://b/t?group=g", Place::Whole, "topics of Kafka are read by logator run"),
            ("kafka://b/t?group=g", Place::Push, "topics of Kafka are read by logator run"),
            ("kafka://joe:secret@b/t", Place::Input, "kafka://joe:***@b/t: a topic is read as a member of a group"),
            ("docker:web", Place::Whole, "docker:web: logs of containers are read by logator run"),
            ("pull+ipc:///tmp/x", Place::Input, "logator-worker --from and logator-pull"),
            ("pull+ipc:///tmp/x", Place::Push, "logator-worker --from and logator-pull"),
            ("missing.log", Place::From, "missing.log: files are read by logator run and logator-queue"),
            ("mongodb://joe:secret@host/d.c", Place::Input, "mongodb://joe:***@host/d.c: no such file"),
        ] {
            let error = find(&[name], place).expect_err(name);
            assert!(error.contains(words), "{error}");
        }
        assert_eq!(find(&["pull+ipc:///tmp/x"], Place::From), Ok(vec!["pull".to_owned()]));
    }
}
