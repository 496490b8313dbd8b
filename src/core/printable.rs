//! Text from outside (file names, replies of servers, lines of logs), made safe for people to read.
//!
//! A control character in such text could move the cursor, change colours, hide text, or begin a line that looks like
//! one of logator's own. Characters that change the direction of writing are dangerous too. All of them are shown as
//! escapes: `\n`, `\x1b`, `\u{202e}`. Standard output is data, and is not changed.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Returns whether `c` may have another effect on a terminal than to be shown.
fn acts(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// Returns `text` on one line, with an escape for each dangerous character.
pub fn line(text: &str) -> Cow<'_, str> {
    if !text.chars().any(acts) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match c {
            '\n' => shown.push_str("\\n"),
            '\r' => shown.push_str("\\r"),
            '\t' => shown.push_str("\\t"),
            c if !acts(c) => shown.push(c),
            c if u32::from(c) < 0x80 => {
                let _ = write!(shown, "\\x{:02x}", u32::from(c));
            }
            c => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
        }
    }
    Cow::Owned(shown)
}

/// Returns `text` with an escape for each dangerous character except newlines. It is for text whose line breaks are our
/// own.
pub fn block(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|c| acts(c) && c != '\n') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.split('\n').map(line).collect::<Vec<_>>().join("\n"))
}

/// Returns a sentence on one line. An error about a pattern ends with two more lines: the pattern, and a caret below
/// the fault. These two lines stay.
pub fn sentence(text: &str) -> Cow<'_, str> {
    let Some((before, caret)) = text.rsplit_once('\n') else { return line(text) };
    let Some((words, pattern)) = before.rsplit_once('\n') else { return line(text) };
    let is_caret = caret.starts_with("  ") && caret.trim_start_matches(' ') == "^";
    if !is_caret || !pattern.starts_with("  ") {
        return line(text);
    }
    Cow::Owned(format!("{}\n{}\n{caret}", line(words), line(pattern)))
}

/// Returns JSON text with an escape for each dangerous character. JSON itself allows some of these characters.
pub fn json(text: String) -> String {
    if !text.chars().any(acts) {
        return text;
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        match acts(c) {
            // No dangerous character has more than four hexadecimal digits.
            true => {
                let _ = write!(shown, "\\u{:04x}", u32::from(c));
            }
            false => shown.push(c),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_acts_on_a_terminal_is_escaped_and_nothing_else() {
        for (text, shown) in [
            ("plain é 日 \"x\" \\n", "plain é 日 \"x\" \\n"),
            ("a\x1b[2Jb", "a\\x1b[2Jb"),
            ("a\nlogator: b\r\t", "a\\nlogator: b\\r\\t"),
            ("\0\x07\x7f", "\\x00\\x07\\x7f"),
            ("\u{9b}31m", "\\u{9b}31m"),
            ("gpj\u{202e}.exe\u{2066}\u{2028}", "gpj\\u{202e}.exe\\u{2066}\\u{2028}"),
        ] {
            assert_eq!(line(text), shown);
        }
        assert_eq!(block("a\n\x1bb\n"), "a\n\\x1bb\n");
    }

    #[test]
    fn of_a_sentence_only_the_caret_and_its_line_are_lines_of_their_own() {
        assert_eq!(sentence("x: wrong\n  %{X\x1b\n     ^"), "x: wrong\n  %{X\\x1b\n     ^");
        assert_eq!(sentence("a\nb: wrong\n  %{X\n     ^"), "a\\nb: wrong\n  %{X\n     ^");
        for text in ["a\nlogator: b", "a\n  b\n  c", "a\nb\n  ^", "a\n  b\n^", "\n  ^"] {
            assert!(!sentence(text).contains('\n'), "{text:?}");
        }
    }

    #[test]
    fn json_stays_json_and_means_the_same() {
        for text in ["a\x7f\u{9b}\u{202e}é\u{2028}\n", "plain"] {
            let shown = json(serde_json::json!({"m": text}).to_string());
            assert!(!shown.chars().any(acts), "{shown}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&shown).unwrap()["m"], text);
        }
    }
}
