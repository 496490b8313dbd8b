//! Parses Logstash's pattern files: one definition per line, `NAME regex`.
//!
//! - The name consists of letters, digits and underscores. Blanks before it are ignored. The regex starts after the
//!   blanks that follow the name, and extends to the end of the line. So a trailing space is part of it.
//! - A line whose first character is `#`, and a blank line, are comments.
//! - A carriage return before the newline is not part of the line.

use std::sync::Arc;

use crate::core::error::{Error, Result};
use crate::core::lines::lines;
use crate::grok::fault::Written;

/// A named pattern, and where it is written.
#[derive(Debug, Clone)]
pub struct Definition {
    pub(crate) name: Arc<str>,
    pub(crate) written: Written,
    pub(crate) file: Arc<str>,
    pub(crate) line: usize,
}

impl Definition {
    /// Returns its name, as in `%{NAME}`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its text, with references not expanded.
    pub fn text(&self) -> &str {
        &self.written.text
    }

    /// Returns the file that contains it. For a built-in definition, it is `built-in` and the file name.
    pub fn file(&self) -> &str {
        &self.file
    }

    /// Returns the line number in that file, counted from 1.
    pub fn line(&self) -> usize {
        self.line
    }
}

/// Parses the definitions in `content`, in their order. `file` is the file's name in errors.
pub(crate) fn parse(file: &str, content: &[u8]) -> Result<Vec<Definition>> {
    let file: Arc<str> = file.into();
    let mut definitions = Vec::new();
    for (index, line) in lines(content).enumerate() {
        let number = index + 1;
        let Ok(text) = std::str::from_utf8(line.bytes) else {
            return Err(Error::usage(format!("{file}, line {number}: the line is not UTF-8 text")));
        };
        let text = text.trim_start_matches([' ', '\t']);
        if text.is_empty() || text.starts_with('#') {
            continue;
        }
        let end = text.find([' ', '\t']).unwrap_or(text.len());
        let (name, regex) = text.split_at(end);
        let place = format!("{file}, line {number}");
        if let Some(at) = name.find(|c: char| !is_name_char(c)) {
            return Err(Written::new(place, text).fault(at, &[], "a name is made of letters, digits and underscores"));
        }
        if regex.is_empty() {
            return Err(Written::new(place, text).fault(end, &[], "a name must be followed by its pattern"));
        }
        definitions.push(Definition {
            name: name.into(),
            written: Written::new(format!("{place} ({name})"), regex.trim_start_matches([' ', '\t'])),
            file: Arc::clone(&file),
            line: number,
        });
    }
    Ok(definitions)
}

/// Parses one definition, `NAME=REGEX`. `place` describes its place in errors. The regex includes all blanks.
pub(crate) fn parse_definition(place: &str, text: &str) -> Result<Definition> {
    let written = Written::new(place, text);
    let end = text.find('=').unwrap_or(text.len());
    let (name, regex) = text.split_at(end);
    if let Some(at) = name.find(|c: char| !is_name_char(c)) {
        return Err(written.fault(at, &[], "a name is made of letters, digits and underscores"));
    }
    if name.is_empty() {
        return Err(written.fault(0, &[], "a definition is written NAME=REGEX"));
    }
    let Some(regex) = regex.strip_prefix('=').filter(|regex| !regex.is_empty()) else {
        return Err(written.fault(text.len(), &[], "a name must be followed by = and its pattern"));
    };
    let written = Written::new(format!("{place} ({name})"), regex);
    Ok(Definition { name: name.into(), written, file: place.into(), line: 1 })
}

/// Returns whether `c` is allowed in the name of a definition.
pub(crate) fn is_name_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}

#[cfg(all(test, not(engines)))]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_lines_are_skipped_and_lines_are_counted_from_one() {
        let found = parse("f", b"# words\n\nA a\n   # indented\n\tB  b c\n").expect("it is well formed");
        let found: Vec<_> = found.iter().map(|d| (d.name(), d.text(), d.file(), d.line())).collect();
        assert_eq!(found, [("A", "a", "f", 3), ("B", "b c", "f", 5)]);
    }

    #[test]
    fn a_trailing_space_counts_and_a_carriage_return_does_not() {
        let found = parse("f", b"A a \r\nB b#c\t").expect("it is well formed");
        assert_eq!(found[0].text(), "a ");
        assert_eq!(found[1].text(), "b#c\t");
    }

    #[test]
    fn a_definition_on_the_command_line_is_a_name_an_equals_sign_and_a_pattern() {
        let found = parse_definition("flag", "A_1= a=b ").expect("it is well formed");
        assert_eq!((found.name(), found.text()), ("A_1", " a=b "));
        for (text, message) in [
            ("A-B=a", "flag: a name is made of letters, digits and underscores\n  A-B=a\n   ^"),
            ("=a", "flag: a definition is written NAME=REGEX\n  =a\n  ^"),
            ("A=", "flag: a name must be followed by = and its pattern\n  A=\n    ^"),
            ("A", "flag: a name must be followed by = and its pattern\n  A\n   ^"),
        ] {
            assert_eq!(parse_definition("flag", text).expect_err("it is wrong").to_string(), message);
        }
    }

    #[test]
    fn faults_name_the_file_and_the_line_and_show_the_place() {
        let cases: [(&[u8], &str); 3] = [
            (b"A a\nB", "f, line 2: a name must be followed by its pattern\n  B\n   ^"),
            (b"A-B a", "f, line 1: a name is made of letters, digits and underscores\n  A-B a\n   ^"),
            (b"A \xff", "f, line 1: the line is not UTF-8 text"),
        ];
        for (content, message) in cases {
            assert_eq!(parse("f", content).expect_err("it is wrong").to_string(), message);
        }
    }
}
