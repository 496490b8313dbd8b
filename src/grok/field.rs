//! Field names and types, as they are written in patterns and in `formats.toml`.

use crate::grok::FieldType;

/// All type names and their types.
const TYPES: [(&str, FieldType); 8] = [
    ("int", FieldType::Int),
    ("long", FieldType::Int),
    ("float", FieldType::Float),
    ("double", FieldType::Float),
    ("bool", FieldType::Bool),
    ("boolean", FieldType::Bool),
    ("date", FieldType::Date),
    ("ip", FieldType::Ip),
];

/// Returns the type `name`. An error is a message for the user.
pub(crate) fn parse_type(name: &str) -> Result<FieldType, String> {
    if let Some((_, kind)) = TYPES.iter().find(|(known, _)| *known == name) {
        return Ok(*kind);
    }
    let known: Vec<&str> = TYPES.iter().map(|(known, _)| *known).collect();
    Err(format!("unknown type \"{name}\"; known are {}", known.join(", ")))
}

/// Parses the levels of a field name: `clientip` is one level, `[http][request]` two. An error has the position in
/// `name`, in bytes, and a message.
pub(crate) fn parse_path(name: &str) -> Result<Vec<String>, (usize, String)> {
    let fault = |at: usize, message: &str| Err((at, message.to_owned()));
    if name.is_empty() {
        return fault(0, "a field name is missing");
    }
    if !name.contains(['[', ']']) {
        return Ok(vec![name.to_owned()]);
    }
    let mut path = Vec::new();
    let mut at = 0;
    while at < name.len() {
        let rest = &name[at..];
        let Some(inner) = rest.strip_prefix('[') else {
            return fault(at, "a nested field name is written [outer][inner]");
        };
        let Some(end) = inner.find(['[', ']']).filter(|&end| inner[end..].starts_with(']')) else {
            return fault(at, "this [ of a field name is not closed");
        };
        if end == 0 {
            return fault(at + 1, "a field name is missing between [ and ]");
        }
        path.push(inner[..end].to_owned());
        at += end + 2;
    }
    Ok(path)
}

#[cfg(all(test, not(engines)))]
mod tests {
    use super::*;

    #[test]
    fn names_are_split_into_their_levels() {
        assert_eq!(parse_path("clientip"), Ok(vec!["clientip".to_owned()]));
        assert_eq!(parse_path("a.b-c"), Ok(vec!["a.b-c".to_owned()]));
        assert_eq!(parse_path("[a]"), Ok(vec!["a".to_owned()]));
        assert_eq!(parse_path("[a][b c]"), Ok(vec!["a".to_owned(), "b c".to_owned()]));
    }

    #[test]
    fn a_malformed_name_says_where() {
        let at = |name| parse_path(name).expect_err("it is malformed").0;
        assert_eq!([at(""), at("[a"), at("[a]b"), at("a[b]"), at("[a][]"), at("[[a]]")], [0, 0, 3, 0, 4, 0]);
    }

    #[test]
    fn an_unknown_type_names_the_known_ones() {
        assert_eq!(parse_type("long"), Ok(FieldType::Int));
        assert_eq!(
            parse_type("string"),
            Err("unknown type \"string\"; known are int, long, float, double, bool, boolean, date, ip".to_owned())
        );
    }
}
