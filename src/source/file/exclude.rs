//! The files that the user excludes (`--exclude`), and hidden files.

use std::path::Path;

use glob::{MatchOptions, Pattern};

use crate::core::error::Result;
use crate::core::option_spec::{Group, OptionSpec, OptionValues};

/// The option of files, also of those that are followed.
pub(super) const OPTION: OptionSpec = OptionSpec::text(
    "exclude",
    "GLOB",
    Group::Input,
    "Files and directories that are not read, such as '*.gz' (repeatable)",
)
.repeatable()
.check(|text| pattern(text).map(drop))
.more(
    "A pattern that begins with / is for whole paths. Any other pattern is for the last parts of a path: for the name \
             alone if it has no /.",
);

/// A `*` stands for a part of one name. `**` stands for any number of directories.
const MATCHING: MatchOptions =
    MatchOptions { case_sensitive: true, require_literal_separator: true, require_literal_leading_dot: false };

/// The patterns of files and directories that are not read.
#[derive(Debug, Clone, Default)]
pub struct Exclude(Vec<Pattern>);

impl Exclude {
    /// Returns the patterns that the user gave.
    ///
    /// # Errors
    /// A usage error for a wrong pattern.
    pub fn of(values: &OptionValues) -> Result<Exclude> {
        let wrong = |why: String| crate::core::error::Error::usage(format!("--exclude {why}"));
        let patterns = values.texts("exclude").map(|text| pattern(text).map_err(wrong));
        patterns.collect::<Result<_>>().map(Exclude)
    }

    /// Whether the file or directory at `path` is excluded.
    pub fn has(&self, path: &Path) -> bool {
        if self.0.is_empty() {
            return false;
        }
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        self.0.iter().any(|pattern| {
            // A directory that is named as a whole is excluded with everything below it, also with what the user names there.
            let is_whole = !pattern.as_str().starts_with("/**/");
            let mut places = path.ancestors().take(if is_whole { usize::MAX } else { 1 });
            places.any(|place| pattern.matches_path_with(place, MATCHING))
        })
    }
}

fn pattern(text: &str) -> std::result::Result<Pattern, String> {
    let bare = text.trim_end_matches('/');
    let whole = if bare.starts_with('/') { bare.to_owned() } else { format!("/**/{}", bare.trim_start_matches("./")) };
    match bare {
        "" => Err(format!("{text:?}: the pattern is empty")),
        _ => Pattern::new(&whole).map_err(|error| format!("{text}: not a glob: {}", error.msg)),
    }
}

/// Whether a file or directory is hidden: its name begins with a dot.
pub(super) fn is_hidden(path: &Path) -> bool {
    use std::os::unix::ffi::OsStrExt;
    path.file_name().is_some_and(|name| name.as_bytes().starts_with(b"."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_is_for_the_name_or_for_the_last_parts_or_for_the_whole_path() {
        for (text, excluded, kept) in [
            ("*.gz", &["/var/log/a.gz", "a.gz", "./x/b.gz"][..], &["/var/log/a.gz.log", "/x.gz/a.log"][..]),
            ("wtmp", &["/var/log/wtmp"], &["/var/log/wtmp.1"]),
            ("old/", &["/var/log/old"], &["/var/log/older"]),
            ("old/*.log", &["/var/log/old/a.log"], &["/var/log/a.log", "/var/old/x/a.log", "/var/xold/a.log"]),
            ("/var/log/*.log", &["/var/log/a.log"], &["/var/log/b/a.log", "/x/var/log/a.log"]),
            ("/var/log", &["/var/log", "/var/log/a.log", "/var/log/b/a.log"], &["/var/log.1", "/x/var/log/a.log"]),
            ("/var/**/*.log", &["/var/log/b/a.log", "/var/a.log"], &["/a.log"]),
            ("app-[0-9].log", &["/l/app-1.log"], &["/l/app-x.log"]),
        ] {
            let exclude = Exclude(vec![pattern(text).unwrap()]);
            excluded.iter().for_each(|path| assert!(exclude.has(Path::new(path)), "{text} {path}"));
            kept.iter().for_each(|path| assert!(!exclude.has(Path::new(path)), "{text} {path}"));
        }
        for wrong in ["", "/", "a***b", "["] {
            assert!(pattern(wrong).is_err(), "{wrong}");
        }
    }
}
