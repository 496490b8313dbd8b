//! Tests of the language, the built-in definitions and the formats.

mod agreement;
mod cases;
mod errors;
mod explain;
mod formats;
mod golden;
mod golden_lines;
mod language;
mod limits;

use super::{Field, Library, Pattern};

/// Returns what `pattern` captures from `line`, as `name=text` in the order of the fields. A repeated name gives
/// several entries. Returns `None` if the line does not match.
fn captures(pattern: &Pattern, line: &[u8]) -> Option<Vec<String>> {
    let mut matcher = pattern.matcher();
    let captures = matcher.captures(line).expect("no limit is hit")?;
    let texts = |field: &Field| -> Vec<String> {
        let name = match &field.path[..] {
            [name] => name.clone(),
            levels => format!("[{}]", levels.join("][")),
        };
        let texts = field.slots.iter().filter_map(|slot| captures.span(slot.slot).text(line));
        texts.map(|text| format!("{name}={}", String::from_utf8_lossy(text))).collect()
    };
    Some(pattern.fields().iter().flat_map(texts).collect())
}

/// Compiles `pattern` with the built-in definitions, and returns what it captures from `line`.
fn run(pattern: &str, line: &str) -> Option<Vec<String>> {
    let pattern = Library::builtin().compile(pattern).unwrap_or_else(|error| panic!("{error}"));
    captures(&pattern, line.as_bytes())
}
