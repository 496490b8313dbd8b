//! Interpolation of secrets: `${NAME}` stands for an environment variable, `${file:PATH}` for the content of a file.
//!
//! In a URI the value is percent-encoded, so that a password may hold any character. A text that is one reference and
//! nothing else is replaced by the value as it is: the whole address may be the secret.
//!
//! The file must be a [small regular file](small_file): `${file:/dev/fd/3}` and the like are refused.

use std::path::{Path, PathBuf};

use super::address::masked;
use super::learning::learn_secret;
use crate::core::error::{Error, Result};
use crate::core::{percent, small_file};

/// Returns `text` with its references replaced; `None` when it has none. `what` says in messages what the text names, and
/// `follow` returns the value for the text between the braces.
///
/// # Errors
/// A usage error when a reference is not closed, or when `follow` finds no value.
pub(crate) fn expand(what: &str, text: &str, follow: &dyn Fn(&str) -> Result<String>) -> Result<Option<String>> {
    if let Some(name) = whole(text) {
        return follow(name).map(Some);
    }
    // Outside of URIs a file name may contain `${`.
    if !text.contains("${") || !text.contains("://") {
        return Ok(None);
    }
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| Error::usage(format!("{what} {}: a ${{ is not closed by a }}", masked(text))))?;
        expanded.push_str(before);
        expanded.push_str(&percent::encode(&follow(name)?));
        rest = after;
    }
    expanded.push_str(rest);
    Ok(Some(expanded))
}

/// Returns the files that the references in `text` name.
pub(crate) fn files(text: &str) -> impl Iterator<Item = PathBuf> + '_ {
    text.split("${file:").skip(1).filter_map(|rest| Some(rest.split_once('}')?.0.into()))
}

/// Returns the name in `text`, if `text` is one reference and nothing else.
pub(crate) fn whole(text: &str) -> Option<&str> {
    text.strip_prefix("${")?.strip_suffix('}').filter(|name| !name.contains(['{', '}']))
}

/// Returns the value of an environment variable, or of a file without the newline at its end. `what` says in messages what
/// the reference stands in.
///
/// # Errors
/// A usage error that names the reference and shows no value.
pub(crate) fn follow(what: &str, name: &str) -> Result<String> {
    let wrong = |why: &str| Error::usage(format!("${{{name}}} in a {what}: {why}"));
    let value = match name.strip_prefix("file:") {
        Some(path) => small_file::text(Path::new(path), small_file::SECRET)
            .map_err(|error| wrong("the file cannot be read").because(error))?
            .trim_end_matches(['\r', '\n'])
            .to_owned(),
        None => std::env::var(name).map_err(|error| match error {
            std::env::VarError::NotPresent => {
                wrong("there is no such variable in the environment; a file is written ${file:PATH}")
            }
            std::env::VarError::NotUnicode(_) => wrong("the variable is not UTF-8"),
        })?,
    };
    if value.is_empty() {
        return Err(wrong("it is empty"));
    }
    learn_secret(&value);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(name: &str) -> Result<String> {
        match name {
            "PASSWORD" => Ok("p@ss/w:rd ä".into()),
            "file:/uri" => Ok("mongodb://joe:hush@h/d.c".into()),
            _ => Err(Error::usage(format!("{name} is not known"))),
        }
    }

    #[test]
    fn references_are_followed_in_addresses_and_nowhere_else() {
        for (text, expanded) in [
            ("mongodb://joe:${PASSWORD}@h/d.c", Some("mongodb://joe:p%40ss%2Fw%3Ard%20%C3%A4@h/d.c")),
            (
                "mongodb://${PASSWORD}:${PASSWORD}@h",
                Some("mongodb://p%40ss%2Fw%3Ard%20%C3%A4:p%40ss%2Fw%3Ard%20%C3%A4@h"),
            ),
            ("${file:/uri}", Some("mongodb://joe:hush@h/d.c")),
            ("mongodb://h/d.c", None),
            ("ndjson:${PASSWORD}", None),
            ("mongodb://joe:$ecret}@h", None),
        ] {
            assert_eq!(expand("sink", text, &known).unwrap().as_deref(), expanded, "{text}");
        }
        for wrong in ["mongodb://joe:${PASSWORD@h", "mongodb://joe:${NOTHING}@h", "${NOTHING}", "${}"] {
            assert!(expand("sink", wrong, &known).is_err(), "{wrong}");
        }
    }
}
