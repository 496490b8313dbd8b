//! Secrets by name: `${NAME}` stands for a variable of the environment, `${file:PATH}` for what is in a file.
//!
//! In a URI a value is percent-encoded as it is put in, so that a password stands there as it was given, whatever is in
//! it. A text that is nothing but a reference is replaced as it is: the whole address may be the secret.
//!
//! A file is a [small regular one](small_file): `${file:/dev/fd/3}` and the like are refused.

use std::path::Path;

use super::address::masked;
use super::learning::learn_secret;
use crate::core::error::{Error, Result};
use crate::core::{percent, small_file};

/// What `text` says with its references followed; `None` when it has none. `follow` gives the value of what stands
/// between the braces.
///
/// # Errors
/// A usage error for a reference that is not closed, or does not lead anywhere.
pub(crate) fn expand(text: &str, follow: &dyn Fn(&str) -> Result<String>) -> Result<Option<String>> {
    if let Some(name) = whole(text) {
        return follow(name).map(Some);
    }
    // Elsewhere, a file may well be called like that.
    if !text.contains("${") || !text.contains("://") {
        return Ok(None);
    }
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, after) = after
            .split_once('}')
            .ok_or_else(|| Error::usage(format!("sink {}: a ${{ is not closed by a }}", masked(text))))?;
        expanded.push_str(before);
        expanded.push_str(&percent::encode(&follow(name)?));
        rest = after;
    }
    expanded.push_str(rest);
    Ok(Some(expanded))
}

/// The name in `text`, if that is one reference and nothing else.
pub(crate) fn whole(text: &str) -> Option<&str> {
    text.strip_prefix("${")?.strip_suffix('}').filter(|name| !name.contains(['{', '}']))
}

/// Looks in the environment, or in a file, of which the newline at the end does not count.
///
/// # Errors
/// A usage error that names the reference and shows no value.
pub(crate) fn follow(name: &str) -> Result<String> {
    let wrong = |why: &str| Error::usage(format!("${{{name}}} in a sink: {why}"));
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
            assert_eq!(expand(text, &known).unwrap().as_deref(), expanded, "{text}");
        }
        for wrong in ["mongodb://joe:${PASSWORD@h", "mongodb://joe:${NOTHING}@h", "${NOTHING}", "${}"] {
            assert!(expand(wrong, &known).is_err(), "{wrong}");
        }
    }
}
