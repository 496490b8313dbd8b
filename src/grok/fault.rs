//! Faults in a pattern: the pattern's text, and an error with a caret under the wrong character.

use std::sync::Arc;

use crate::core::error::Error;

/// The longest pattern text in an error, in characters. A longer text is cut to a window around the fault. Otherwise a
/// terminal would wrap the text, and the caret would be in the wrong place.
const WINDOW: usize = 100;

/// A pattern text, and where it is written.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    /// The place, such as `pattern given with -p` or `my/patterns, line 12 (REQUEST)`.
    pub(crate) place: Arc<str>,
    /// The text, one line.
    pub(crate) text: Arc<str>,
}

impl Written {
    pub(crate) fn new(place: impl Into<Arc<str>>, text: impl Into<Arc<str>>) -> Self {
        Written { place: place.into(), text: text.into() }
    }

    /// Returns the usage error for a fault at byte `offset` of the text. `via` names the definitions that use this
    /// text, outermost first. It is empty if the user gave the text directly.
    pub(crate) fn fault(&self, offset: usize, via: &[&str], message: &str) -> Error {
        let mut sentence = format!("{}: {message}", self.place);
        if !via.is_empty() {
            sentence.push_str(&format!(" (used through {})", via.join(" > ")));
        }
        let (line, caret) = window(&self.text, offset);
        sentence.push_str(&format!("\n  {line}\n  {:>width$}", '^', width = caret + 1));
        Error::usage(sentence)
    }
}

/// Returns the part of `text` to show, and the number of characters before the fault in it.
fn window(text: &str, offset: usize) -> (String, usize) {
    // A control character would move the caret or affect the terminal.
    let shown: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let fault = text.char_indices().take_while(|(at, c)| at + c.len_utf8() <= offset).count();
    if shown.len() <= WINDOW {
        return (shown.into_iter().collect(), fault);
    }
    let start = fault.saturating_sub(WINDOW / 2).min(shown.len() - WINDOW);
    let end = start + WINDOW;
    let before = if start > 0 { "…" } else { "" };
    let after = if end < shown.len() { "…" } else { "" };
    let part: String = shown[start..end].iter().collect();
    (format!("{before}{part}{after}"), fault - start + before.chars().count())
}

/// Returns the name in `known` that is most similar to `name`, if any is similar enough.
pub(crate) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let upper = name.to_uppercase();
    known
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&upper, &candidate.to_uppercase()), candidate))
        .filter(|(likeness, _)| *likeness > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0).then_with(|| b.1.cmp(a.1)))
        .map(|(_, candidate)| candidate)
}

/// Returns `; did you mean X?`, or an empty text.
pub(crate) fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    match nearest(name, known) {
        Some(candidate) => format!("; did you mean {candidate}?"),
        None => String::new(),
    }
}

#[cfg(all(test, not(engines)))]
mod tests {
    use super::*;

    fn shown(text: &str, offset: usize) -> (String, String) {
        let error = Written::new("here", text).fault(offset, &[], "wrong").to_string();
        let mut lines = error.lines().map(str::to_owned);
        assert_eq!(lines.next().as_deref(), Some("here: wrong"));
        (lines.next().unwrap_or_default(), lines.next().unwrap_or_default())
    }

    #[test]
    fn the_caret_stands_under_the_fault_counted_in_characters() {
        assert_eq!(shown("abc", 0), ("  abc".into(), "  ^".into()));
        assert_eq!(shown("abc", 3), ("  abc".into(), "     ^".into()));
        assert_eq!(shown("äöc", 4), ("  äöc".into(), "    ^".into()));
        assert_eq!(shown("", 0), ("  ".into(), "  ^".into()));
        assert_eq!(shown("a\tb", 2), ("  a b".into(), "    ^".into()));
    }

    #[test]
    fn a_long_text_is_cut_around_its_fault() {
        let text = format!("{}!{}", "a".repeat(500), "b".repeat(500));
        let (line, caret) = shown(&text, 500);
        assert!(line.chars().count() <= WINDOW + 4, "{line}");
        let under: Vec<char> = line.chars().collect();
        assert_eq!(under[caret.chars().count() - 1], '!');
    }

    #[test]
    fn an_unknown_name_finds_its_nearest_in_any_case() {
        assert_eq!(nearest("WROD", ["WORD", "NUMBER"]), Some("WORD"));
        assert_eq!(nearest("word", ["WORD", "NUMBER"]), Some("WORD"));
        assert_eq!(nearest("ZZZ", ["WORD", "NUMBER"]), None);
    }
}
