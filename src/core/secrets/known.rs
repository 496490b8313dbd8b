//! [`KnownSecrets`]: the known secrets, and how they are hidden in a text.

use std::borrow::Cow;
use std::collections::HashSet;
use std::ops::Range;

use super::address::HIDDEN;
use crate::core::percent;

/// The minimum length of a secret that is hidden inside other words too, in characters.
const MIN_LONG: usize = 8;

/// The minimum length of a secret, or of a part of a secret, that is hidden as a word of its own, in characters.
const MIN_LENGTH: usize = 4;

/// The known secrets, and the words that are known not to be secret. All are in lower case.
#[derive(Default)]
pub(super) struct KnownSecrets {
    /// The secrets, each in all its forms.
    secrets: Vec<String>,
    /// The parts of secrets that are hidden as words of their own.
    parts: Vec<String>,
    /// Words that the user gave in places that are not secret.
    plain: HashSet<String>,
}

impl KnownSecrets {
    /// Adds a secret in all its forms.
    pub fn add(&mut self, secret: &str) {
        let decoded = percent::decode(secret);
        for text in [secret, &decoded] {
            for form in [text.to_owned(), percent::encode(text), format!("{text:?}").trim_matches('"').to_owned()] {
                let form = form.to_ascii_lowercase();
                if form.is_empty() || self.secrets.contains(&form) {
                    continue;
                }
                for part in form.split(|c: char| !c.is_alphanumeric()) {
                    // A secret without separators is its own only part. It is not added a second time.
                    let is_part = part.chars().count() >= MIN_LENGTH && part != form;
                    if is_part && !self.parts.iter().any(|known| known == part) {
                        self.parts.push(part.to_owned());
                    }
                }
                self.secrets.push(form);
            }
        }
    }

    /// Adds the words of `text` as words that are not secret.
    pub fn add_plain(&mut self, text: &str) {
        let text = text.to_ascii_lowercase();
        for joining in ["", "-_", "-_."] {
            let words = text.split(|c: char| !c.is_alphanumeric() && !joining.contains(c));
            self.plain.extend(words.filter(|word| !word.is_empty()).map(str::to_owned));
        }
    }

    /// Returns `text` with every secret replaced by `***`, by the rules of the module [`secrets`](super).
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

    /// Returns whether the text at `place` is a word of its own. A neighbour that is one of `joining` makes it a part
    /// of a longer word, unless a secret has the same joining character there.
    fn stands_alone(&self, text: &str, place: &Range<usize>, joining: &str) -> bool {
        let (before, word, after) = (&text[..place.start], &text[place.clone()], &text[place.end..]);
        let (last, next) = (before.chars().next_back(), after.chars().next());
        let is_inside = last.is_some_and(char::is_alphanumeric) && !ends_with_escape(before);
        if is_inside || next.is_some_and(char::is_alphanumeric) {
            return false;
        }
        // Two slashes precede the first name of an address, and a full stop may end a sentence: neither joins words.
        let last = last.filter(|&c| joining.contains(c) && !before.ends_with("//"));
        let ends = after.strip_prefix('.').is_some_and(|rest| !rest.starts_with(char::is_alphanumeric));
        let next = next.filter(|&c| joining.contains(c) && !ends);
        let is_in_secret = |joined: String| self.secrets.iter().any(|secret| secret.contains(&joined));
        (last.is_none() && next.is_none())
            || last.is_some_and(|c| is_in_secret(format!("{c}{word}")))
            || next.is_some_and(|c| is_in_secret(format!("{word}{c}")))
    }
}

/// Returns whether `text` ends with a percent-encoded character.
fn ends_with_escape(text: &str) -> bool {
    let bytes = text.as_bytes();
    matches!(bytes, [.., b'%', high, low] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit())
}
