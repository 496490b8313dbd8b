//! The stock, compiled in: logator's own definitions under `patterns/`, and the ECS overlay under `patterns/ecs/`.
//!
//! The lists are written by hand, because a list can be read; a test compares them with the directories, so that a
//! file that nobody named is a failure and not a silence.

/// Names each file once and includes it.
macro_rules! files {
    ($directory:literal: $($name:literal)*) => {
        &[$(($name, include_str!(concat!("../../patterns/", $directory, $name)))),*]
    };
}

/// The plain definitions: file name and content.
pub(crate) const PLAIN: &[(&str, &str)] = files! {
    "":
    "aws" "bacula" "base" "bind" "bro" "exim" "firewalls" "haproxy" "httpd" "java" "junos" "maven"
    "mcollective" "mongodb" "nagios" "nginx" "postfix" "postgresql" "rails" "redis" "ruby" "squid" "syslog"
};

/// Definitions that take the place of plain ones of the same name where fields are to be called as in the Elastic
/// Common Schema.
pub(crate) const ECS: &[(&str, &str)] = files! {
    "ecs/":
    "aws" "bacula" "base" "bind" "bro" "exim" "firewalls" "haproxy" "httpd" "java" "junos" "mcollective"
    "mongodb" "nagios" "nginx" "postgresql" "rails" "redis" "ruby" "squid" "syslog" "zeek"
};

/// The formats.
pub(crate) const FORMATS: (&str, &str) = ("stock formats.toml", include_str!("../../patterns/formats.toml"));

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
            assert_eq!(files, listed, "{directory} and its list in src/grok/stock.rs");
        }
    }

    /// The names of all definitions as `doc/patterns.md` lists them, file by file.
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
        assert!(document.contains(&listed), "the section \"The stock\" of doc/patterns.md has to be:\n\n{listed}");
    }
}
