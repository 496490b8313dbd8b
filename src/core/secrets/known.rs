//! The secrets that are known, and hiding them in a text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::address::HIDDEN;
use crate::core::percent;

/// The fewest characters of a secret that is looked for in all words, and not only as a word of its own.
const MIN_LONG: usize = 8;

/// The fewest characters of a short secret, or of a part of one, that is looked for.
const MIN_LENGTH: usize = 4;

/// Secrets and what is none, all in small letters.
#[derive(Default)]
pub(super) struct KnownSecrets {
    /// The secrets, in every form.
    secrets: Vec<String>,
    /// The parts of them that are looked for.
    parts: Vec<String>,
    /// Words that stand in places that are no secret.
    plain: HashSet<String>,
}

impl KnownSecrets {
    pub fn add(&mut self, secret: &str) {
        let decoded = percent::decode(secret);
        for text in [secret, &decoded] {
            for form in [text.to_owned(), percent::encode(text), format!("{text:?}").trim_matches('"').to_owned()] {
                let form = form.to_ascii_lowercase();
                if form.is_empty() || self.secrets.contains(&form) {
                    continue;
                }
                for part in form.split(|c: char| !c.is_alphanumeric()) {
                    // What is a whole secret is no part of itself.
                    let is_part = part.chars().count() >= MIN_LENGTH && part != form;
                    if is_part && !self.parts.iter().any(|known| known == part) {
                        self.parts.push(part.to_owned());
                    }
                }
                self.secrets.push(form);
            }
        }
    }

    pub fn add_plain(&mut self, text: &str) {
        let text = text.to_ascii_lowercase();
        for joining in ["", "-_", "-_."] {
            let words = text.split(|c: char| !c.is_alphanumeric() && !joining.contains(c));
            self.plain.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }

    pub fn hide<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.secrets.is_empty() {
            return Cow::Borrowed(text);
        }
        let lower = text.to_ascii_lowercase();
        let places =
            |words: &str| lower.match_indices(words).map(|(at, found)| at..at + found.len()).collect::<Vec<_>>();
        let mut hidden = Vec::new();
        for secret in &self.secrets {
            hidden.extend(places(&format!(":{secret}@")).into_iter().map(|place| place.start + 1..place.end - 1));
            let length = secret.chars().count();
            if length >= MIN_LENGTH && !self.plain.contains(secret) {
                hidden.extend(
                    places(secret).into_iter().filter(|at| length >= MIN_LONG || self.stands_alone(&lower, at, "/-_.")),
                );
            }
        }
        for part in self.parts.iter().filter(|part| !self.plain.contains(*part)) {
            hidden.extend(places(part).into_iter().filter(|at| self.stands_alone(&lower, at, "/-_")));
        }
        if hidden.is_empty() {
            return Cow::Borrowed(text);
        }
        hidden.sort_by_key(|place| place.start);
        let (mut shown, mut end) = (String::new(), 0);
        for place in hidden {
            if place.start >= end {
                shown.push_str(&text[end..place.start]);
                shown.push_str(HIDDEN);
            }
            end = end.max(place.end);
        }
        shown.push_str(&text[end..]);
        Cow::Owned(shown)
    }

    /// Whether what is at `place` of `text` is a word of its own, or joined to a neighbour by one of `joining` as in a
    /// secret.
    fn stands_alone(&self, text: &str, place: &Range<usize>, joining: &str) -> bool {
        let (before, word, after) = (&text[..place.start], &text[place.clone()], &text[place.end..]);
        let (last, next) = (before.chars().next_back(), after.chars().next());
        let is_inside = last.is_some_and(char::is_alphanumeric) && !ends_with_escape(before);
        if is_inside || next.is_some_and(char::is_alphanumeric) {
            return false;
        }
        // Two slashes go before the first name of an address, and a full stop ends a sentence.
        let last = last.filter(|&c| joining.contains(c) && !before.ends_with("//"));
        let ends = after.strip_prefix('.').is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
        let next = next.filter(|&c| joining.contains(c) && !ends);
        let is_in_secret = |joined: String| self.secrets.iter().any(|secret| secret.contains(&joined));
        (last.is_none() && next.is_none())
            || last.is_some_and(|c| is_in_secret(format!("{c}{word}")))
            || next.is_some_and(|c| is_in_secret(format!("{word}{c}")))
    }
}

/// Whether `text` ends with a character in percent encoding.
fn ends_with_escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes, [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}
