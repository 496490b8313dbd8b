//! The sets of named character classes, and case folding.
//!
//! The tables are those of `regex-syntax`. POSIX classes have the meaning that Oniguruma gives them for UTF-8, which
//! differs from POSIX: `[[:alpha:]]` is the property Alphabetic, and `[[:digit:]]` is every decimal digit.

use std::sync::OnceLock;

use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, HirKind};

use crate::grok::set::Set;

/// The names that `[:name:]` and `\p{Name}` accept, and each class in the syntax of `regex-syntax`.
const POSIX: [(&str, &str); 14] = [
    ("alnum", r"[\p{Alphabetic}\p{Nd}]"),
    ("alpha", r"\p{Alphabetic}"),
    ("ascii", r"[\x00-\x7f]"),
    ("blank", r"[\p{Zs}\t]"),
    ("cntrl", r"\p{Cc}"),
    ("digit", r"\p{Nd}"),
    ("graph", r"[^\p{White_Space}\p{Cc}\p{Cn}]"),
    ("lower", r"\p{Lowercase}"),
    ("print", r"[[^\p{White_Space}\p{Cc}\p{Cn}]\p{Zs}]"),
    ("punct", r"[\p{P}$+<=>^`|~]"),
    ("space", r"\p{White_Space}"),
    ("upper", r"\p{Uppercase}"),
    ("word", r"[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}]"),
    ("xdigit", r"[0-9A-Fa-f]"),
];

/// Returns the POSIX class `name`, in its Unicode meaning.
pub(crate) fn posix(name: &str) -> Option<&'static Set> {
    static SETS: [OnceLock<Set>; POSIX.len()] = [const { OnceLock::new() }; POSIX.len()];
    let index = POSIX.iter().position(|(known, _)| *known == name)?;
    Some(SETS[index].get_or_init(|| class(POSIX[index].1).unwrap_or_default()))
}

/// Returns the property `name`, in any spelling: a POSIX class, a general category, a script or a binary property.
pub(crate) fn property(name: &str) -> Option<Set> {
    let plain: String = name.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).collect();
    if plain.is_empty() || !plain.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return None;
    }
    match posix(&plain.to_ascii_lowercase()) {
        Some(set) => Some(set.clone()),
        None => class(&format!(r"\p{{{plain}}}")),
    }
}

/// Parses a class in the syntax of `regex-syntax`.
fn class(text: &str) -> Option<Set> {
    let hir = regex_syntax::parse(text).ok()?;
    match hir.kind() {
        HirKind::Class(Class::Unicode(class)) => Some(of(class)),
        HirKind::Class(Class::Bytes(class)) => {
            Some(Set::ranges(class.iter().map(|range| (range.start().into(), range.end().into()))))
        }
        _ => None,
    }
}

fn of(class: &ClassUnicode) -> Set {
    Set::ranges(class.iter().map(|range| (range.start().into(), range.end().into())))
}

/// Adds every character that differs from a character of the set only in case, by simple folding (one character for
/// one).
pub(crate) fn fold(set: &Set) -> Set {
    let ranges = scalars(set.as_ranges()).map(|(low, high)| ClassUnicodeRange::new(low, high));
    let mut class = ClassUnicode::new(ranges);
    // This fails only without the case-folding table of `regex-syntax`; Cargo.toml enables it.
    let _ = class.try_case_fold_simple();
    of(&class).union(set)
}

/// Returns the ranges without surrogates, which are no characters.
pub(crate) fn scalars(ranges: &[(u32, u32)]) -> impl Iterator<Item = (char, char)> {
    ranges.iter().filter_map(|&(low, high)| {
        let low = char::from_u32(low).unwrap_or('\u{e000}');
        let high = char::from_u32(high).unwrap_or('\u{d7ff}');
        (low <= high).then_some((low, high))
    })
}

#[cfg(all(test, not(engines)))]
mod tests {
    use super::*;

    #[test]
    fn every_posix_class_has_its_set() {
        for (name, _) in POSIX {
            let set = posix(name).expect("it is known");
            assert!(!set.is_empty() && !set.contains_raw(), "{name}");
        }
        let has = |name, c: char| posix(name).is_some_and(|set| set.contains(c.into()));
        assert!(has("alpha", 'é') && !has("alpha", '1') && has("digit", '٣') && has("punct", '$') && has("punct", '„'));
        assert!(has("graph", 'é') && !has("graph", ' ') && has("print", ' ') && !has("print", '\n'));
        assert!(has("word", '_') && has("space", '\u{a0}') && has("blank", '\t') && !has("xdigit", 'g'));
        assert_eq!(posix("nix"), None);
    }

    #[test]
    fn properties_are_known_by_every_spelling() {
        for name in ["Lu", "uppercase_letter", "Uppercase Letter", "UPPERCASELETTER"] {
            let set = property(name).expect(name);
            assert!(set.contains('Ä'.into()) && !set.contains('ä'.into()), "{name}");
        }
        assert!(property("Greek").is_some_and(|set| set.contains('λ'.into())));
        assert!(property("Nix").is_none() && property("").is_none() && property("sc=Greek").is_none());
    }

    #[test]
    fn folding_adds_what_differs_but_in_case() {
        let letters = |text: &str| Set::ranges(text.chars().map(|c| (c.into(), c.into())));
        assert_eq!(fold(&letters("aÉ")), letters("aAéÉ"));
        assert_eq!(fold(&letters("k")), letters("kK\u{212a}"));
        assert_eq!(fold(&letters("1ß")), letters("1ßẞ"));
        assert_eq!(fold(&Set::any()), Set::any());
    }
}
