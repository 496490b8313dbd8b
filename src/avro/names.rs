//! The rule for names: Avro allows letters of ASCII, digits and `_`, and no digit at the beginning.
//!
//! 1. A name that Avro allows is kept.
//! 2. In another name, each character that is not allowed becomes `_`, and a digit at the beginning gets a `_` before it.
//! 3. If a record has such a name already, `_` is appended until it has none. Names that are kept come first, then the others in
//!    their order.
//!
//! So no two fields of a record get one name, and the names depend on nothing but the fields.

use std::collections::HashSet;

/// Returns whether Avro allows `name`.
pub(super) fn is_allowed(name: &str) -> bool {
    let mut bytes = name.bytes();
    bytes.next().is_some_and(|first| first.is_ascii_alphabetic() || first == b'_')
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Returns the name for `name`, before it is known which names are taken.
pub(super) fn allowed(name: &str) -> String {
    let mut allowed: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if allowed.is_empty() || allowed.starts_with(|c: char| c.is_ascii_digit()) {
        allowed.insert(0, '_');
    }
    allowed
}

/// The names that are taken.
#[derive(Debug, Default)]
pub(super) struct Taken(HashSet<String>);

impl Taken {
    /// Returns `name`, with as many `_` at its end as make it new.
    pub fn take(&mut self, mut name: String) -> String {
        while !self.0.insert(name.clone()) {
            name.push('_');
        }
        name
    }
}

/// Returns the names for the fields of a record that are called `names`. The names in `reserved` are taken already.
pub(super) fn of_fields(names: &[&str], reserved: &[&str]) -> Vec<String> {
    let mut taken = Taken::default();
    for name in reserved {
        taken.take((*name).to_owned());
    }
    let is_kept = |name: &str| is_allowed(name) && !reserved.contains(&name);
    // The fields of a record have different names, so each of these is new.
    for name in names.iter().filter(|name| is_kept(name)) {
        taken.take((*name).to_owned());
    }
    let name = |name: &&str| if is_kept(name) { (*name).to_owned() } else { taken.take(allowed(name)) };
    names.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn allowed_names_are_kept_and_the_others_are_new() {
        for (names, expected) in [
            (&["verb", "_id", "A9"][..], &["verb", "_id", "A9"][..]),
            (
                &["user-agent", "http.version", "9lives", "", "über"],
                &["user_agent", "http_version", "_9lives", "_", "_ber"],
            ),
            (&["a.b", "a_b", "a-b", "a_b_"], &["a_b__", "a_b", "a_b___", "a_b_"]),
            (&["extra"], &["extra_"]),
            (&["extra_", "extra"], &["extra_", "extra__"]),
        ] {
            assert_eq!(of_fields(names, &["extra"]), expected);
        }
    }

    proptest! {
        #[test]
        fn any_names_become_different_allowed_names(names in proptest::collection::hash_set("[a_.9é]{0,3}", 0..12)) {
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let found = of_fields(&names, &["a"]);
            prop_assert!(found.iter().all(|name| is_allowed(name) && name != "a"));
            prop_assert_eq!(found.iter().collect::<HashSet<_>>().len(), names.len());
            for (name, found) in names.iter().zip(&found) {
                prop_assert!(name == found || !is_allowed(name) || *name == "a");
            }
        }
    }
}
