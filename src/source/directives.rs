//! [`Directives`]: the header rule of logs that describe their columns themselves: W3C extended logs (IIS, CloudFront,
//! Exchange) and logs of Zeek.
//!
//! A header is a run of lines that begin with `#`, and its first line is a directive. A comment with `#` is no header by itself.

use super::heading::{HeaderLine, HeaderRule};

/// The names of directives that may begin a header, without `#`. A colon, a blank, a tab or the end of the line follows.
const NAMES: [&str; 18] = [
    "Fields",
    "Date",
    "Version",
    "Software",
    "Start-Date",
    "End-Date",
    "Remark",
    "GMT-Offset",
    "Log-type",
    "fields",
    "types",
    "separator",
    "set_separator",
    "empty_field",
    "unset_field",
    "path",
    "open",
    "close",
];

/// Names that belong to W3C extended logs are followed by a colon; those of Zeek are not.
const WITH_COLON: usize = 9;

/// See the [module](self).
#[derive(Debug, Clone, Copy, Default)]
pub struct Directives;

impl HeaderRule for Directives {
    fn is_header(&self, line: &HeaderLine<'_>) -> bool {
        line.beginning.first() == Some(&b'#') && (line.after_header || is_directive(&line.beginning[1..]))
    }

    /// A directive replaces the earlier one of the same name. The others stay in force: a `#Date:` in mid-file does not change
    /// the columns.
    fn join(&self, before: Option<&[u8]>, run: Vec<u8>) -> Vec<u8> {
        let Some(before) = before else { return run };
        let names: Vec<&[u8]> = lines(&run).map(name).collect();
        let mut header: Vec<u8> = Vec::with_capacity(before.len() + run.len());
        lines(before).filter(|line| !names.contains(&name(line))).for_each(|line| header.extend_from_slice(line));
        header.extend_from_slice(&run);
        header
    }
}

fn is_directive(text: &[u8]) -> bool {
    NAMES.iter().enumerate().any(|(index, name)| {
        let rest = text.strip_prefix(name.as_bytes());
        match index < WITH_COLON {
            true => rest.is_some_and(|rest| rest.first() == Some(&b':')),
            false => rest.is_some_and(|rest| matches!(rest.first(), Some(b' ' | b'\t'))),
        }
    })
}

fn lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n')
}

/// The name of the directive in a line.
fn name(line: &[u8]) -> &[u8] {
    let end = line.iter().position(|byte| matches!(byte, b':' | b' ' | b'\t' | b'\r' | b'\n'));
    &line[..end.unwrap_or(line.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_comments_is_a_header_if_it_begins_with_a_directive() {
        for (text, after_header, expected) in [
            ("#Fields: date time", false, true),
            ("#Date: 2024-02-03 04:05:06", false, true),
            ("#Software: Microsoft Internet Information Services 10.0", false, true),
            ("#fields\tts\tuid", false, true),
            ("#separator \\x09", false, true),
            ("#close\t2024-02-03-04-05-06", false, true),
            ("# a comment", false, false),
            ("# a comment", true, true),
            ("#Fields", false, false),
            ("#fields: a", false, false),
            ("#0 /srv/a.php(3): f()", false, false),
            ("Fields: a", true, false),
            ("", true, false),
            ("#", true, true),
        ] {
            let line = HeaderLine { beginning: text.as_bytes(), is_first: false, after_header };
            assert_eq!(Directives.is_header(&line), expected, "{text}");
        }
    }

    #[test]
    fn a_directive_replaces_the_earlier_one_of_its_name() {
        let join = |before: Option<&str>, run: &str| {
            String::from_utf8(Directives.join(before.map(str::as_bytes), run.into())).unwrap()
        };
        assert_eq!(join(None, "#Fields: a\n"), "#Fields: a\n");
        assert_eq!(join(Some("#Fields: a\n#Date: 1\n"), "#Date: 2\n"), "#Fields: a\n#Date: 2\n");
        assert_eq!(join(Some("#Fields: a\r\n"), "#Date: 2\r\n#Fields: b\r\n"), "#Date: 2\r\n#Fields: b\r\n");
    }
}
