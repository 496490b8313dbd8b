//! Cuts a line into its fields. A field may stand in quotes, as in RFC 4180.

/// The reason why a line has no fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Broken {
    /// A quote is not closed on the line.
    Open,
    /// Text follows the closing quote of a field.
    AfterQuote,
}

impl Broken {
    /// Returns the reason as a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Broken::Open => "a quote is not closed on this line",
            Broken::AfterQuote => "a comma or the end of the line must follow a closing quote",
        }
    }
}

/// Returns the next field of `text`, and the text after its comma; `None` if no comma follows. Blanks around a field are not
/// part of it.
pub(super) fn field(text: &str) -> Result<(String, Option<&str>), Broken> {
    let Some(quoted) = text.trim_start().strip_prefix('"') else {
        return Ok(match text.split_once(',') {
            Some((field, rest)) => (field.trim().to_owned(), Some(rest)),
            None => (text.trim().to_owned(), None),
        });
    };
    let mut field = String::new();
    let mut left = quoted;
    loop {
        let (part, after) = left.split_once('"').ok_or(Broken::Open)?;
        field.push_str(part);
        // Two quotes stand for one.
        match after.strip_prefix('"') {
            Some(after) => {
                field.push('"');
                left = after;
            }
            None => {
                let after = after.trim_start();
                return match after.strip_prefix(',') {
                    Some(rest) => Ok((field, Some(rest))),
                    None if after.is_empty() => Ok((field, None)),
                    None => Err(Broken::AfterQuote),
                };
            }
        }
    }
}

/// Returns all fields of `text`.
pub(super) fn fields(text: &str) -> Result<Vec<String>, Broken> {
    let mut fields = Vec::new();
    let mut left = Some(text);
    while let Some(text) = left {
        let (next, rest) = field(text)?;
        fields.push(next);
        left = rest;
    }
    Ok(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_cut_at_commas_outside_of_quotes() {
        for (line, expected) in [
            ("a,b", Ok(vec!["a", "b"])),
            (" a , b ", Ok(vec!["a", "b"])),
            ("a,", Ok(vec!["a", ""])),
            ("", Ok(vec![""])),
            (r#"1,"x,y",z"#, Ok(vec!["1", "x,y", "z"])),
            (r#" "a""b" ,c"#, Ok(vec![r#"a"b"#, "c"])),
            (r#""""#, Ok(vec![""])),
            (r#"" a ""#, Ok(vec![" a "])),
            (r#"a"b,c"#, Ok(vec![r#"a"b"#, "c"])),
            (r#"1,"x"#, Err(Broken::Open)),
            (r#"1,"x"""#, Err(Broken::Open)),
            (r#"1,"x"y"#, Err(Broken::AfterQuote)),
        ] {
            let expected = expected.map(|fields| fields.into_iter().map(str::to_owned).collect::<Vec<_>>());
            assert_eq!(fields(line), expected, "{line}");
        }
    }
}
