//! The built-in definitions: logator's own definitions under `patterns/`, and the ECS overlay under `patterns/ecs/`.
//! They are compiled in.
//!
//! The lists are written by hand, so that a person can read them. A test compares them with the directories and fails
//! if a file is missing from a list.

/// Lists each file once, with its content.
macro_rules! files {
    ($directory:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../patterns/", $directory, $name)))),*]
    };
}

/// The plain definitions: name and content of each file.
pub(crate) const PLAIN: &[(&str, &str)] = files! {
    "":
    "aws" "bacula" "base" "bind" "bro" "exim" "firewalls" "haproxy" "httpd" "java" "junos" "maven"
    "mcollective" "mongodb" "nagios" "nginx" "postfix" "postgresql" "rails" "redis" "ruby" "squid" "syslog"
};

/// The ECS definitions. With `--ecs`, they replace plain definitions of the same name, so that fields have the names of
/// the Elastic Common Schema.
pub(crate) const ECS: &[(&str, &str)] = files! {
    "ecs/":
    "aws" "bacula" "base" "bind" "bro" "exim" "firewalls" "haproxy" "httpd" "java" "junos" "mcollective"
    "mongodb" "nagios" "nginx" "postgresql" "rails" "redis" "ruby" "squid" "syslog" "zeek"
};

/// The formats.
pub(crate) const FORMATS: (&str, &str) = ("built-in formats.toml", include_str!("../../patterns/formats.toml"));

#[cfg(all(test, not(engines)))]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_directories_is_in_the_lists() {
        for (directory, list) in [("patterns", PLAIN), ("patterns/ecs", ECS)] {
            let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(directory);
            let entries = std::fs::read_dir(path).into_iter().flatten().map(|entry| entry.expect("it can be listed"));
            let files = entries.filter(|entry| entry.path().is_file());
            let mut files: Vec<String> = files.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
            files.retain(|name| name != "formats.toml");
            files.sort();
            let mut listed: Vec<&str> = list.iter().map(|(name, _)| *name).collect();
            listed.sort_unstable();
            assert_eq!(files, listed, "{directory} and its list in src/grok/builtin.rs");
        }
    }

    /// Returns the names of all definitions, file by file, as `doc/patterns.md` lists them.
    fn listed() -> String {
        let names = |content: &str| -> String {
            let lines = content.lines().filter(|line| line.starts_with(|c: char| c.is_ascii_alphanumeric()));
            lines.filter_map(|line| line.split_whitespace().next()).fold(String::new(), |all, name| all + " " + name)
        };
        let mut text = String::new();
        for (file, content) in PLAIN.iter().chain(ECS.iter().filter(|(name, _)| PLAIN.iter().all(|(n, _)| n != name))) {
            let ecs = ECS.iter().find(|(name, _)| name == file).map(|(_, content)| names(content));
            let is_plain = PLAIN.iter().any(|(name, _)| name == file);
            let mut words = if is_plain { format!("- `{file}`:{}", names(content)) } else { format!("- `{file}`:") };
            if let Some(ecs) = ecs {
                words += &format!("{} **ECS**{ecs}", if is_plain { ";" } else { "" });
            }
            let mut width = 0;
            for word in words.split(' ') {
                if width + 1 + word.len() > 118 {
                    text += "\n ";
                    width = 1;
                }
                text += if text.is_empty() || text.ends_with('\n') { "" } else { " " };
                text += word;
                width += 1 + word.len();
            }
            text += "\n";
        }
        text
    }

    #[test]
    fn the_document_lists_every_definition() {
        let document = include_str!("../../doc/patterns.md");
        let listed = listed();
        assert!(
            document.contains(&listed),
            "the section \"The built-in definitions\" of doc/patterns.md has to be:\n\n{listed}"
        );
    }
}
