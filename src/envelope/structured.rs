//! The STRUCTURED-DATA of RFC 5424: `[order@32473 id="77" note="a \"b\" \] c"][trace@32473]`.

use crate::event::OuterFields;

/// The maximum number of parameters and elements. Data with more counts as part of the message, because the search for
/// repeated names takes quadratic time.
const MAX_PARAMETERS: usize = 128;

/// A parameter: the name of its element, its own name, and its value as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Parameter<'a> {
    element: &'a [u8],
    name: &'a [u8],
    value: &'a [u8],
}

/// Returns the length of the data at the beginning of `text`; `None` when it is not well formed or has too many
/// parameters.
pub(super) fn length(text: &[u8]) -> Option<usize> {
    let mut count = 0;
    let rest = walk(text, |_| {
        count += 1;
        count <= MAX_PARAMETERS
    })?;
    let length = text.len() - rest.len();
    (length > 0 && matches!(rest.first(), None | Some(b' '))).then_some(length)
}

/// Calls `found` for each element at the beginning of `text`, with an empty parameter name, and then for each of its
/// parameters. Returns the text after the elements.
fn walk<'a>(text: &'a [u8], mut found: impl FnMut(Parameter<'a>) -> bool) -> Option<&'a [u8]> {
    let mut rest = text;
    while let [b'[', inside @ ..] = rest {
        let (element, mut after) = name(inside)?;
        if !found(Parameter { element, name: &[], value: &[] }) {
            return None;
        }
        while let [b' ', parameter @ ..] = after {
            let (name, parameter) = name(parameter)?;
            let quoted = parameter.strip_prefix(b"=\"")?;
            let length = value_length(quoted)?;
            if !found(Parameter { element, name, value: &quoted[..length] }) {
                return None;
            }
            after = &quoted[length + 1..];
        }
        rest = after.strip_prefix(b"]")?;
    }
    Some(rest)
}

/// Reads an SD-NAME at the beginning of `text`, of any length. Returns the name and the text after it.
fn name(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let in_name = |byte: &&u8| byte.is_ascii_graphic() && !matches!(byte, b'=' | b']' | b'"');
    let length = text.iter().take_while(in_name).count();
    (length > 0).then(|| text.split_at(length))
}

/// Returns the length of the value up to its closing quote.
fn value_length(text: &[u8]) -> Option<usize> {
    let mut at = 0;
    loop {
        at += memchr::memchr2(b'"', b'\\', &text[at..])?;
        if text[at] == b'"' {
            return Some(at);
        }
        at += if matches!(text.get(at + 1), Some(b'"' | b'\\' | b']')) { 2 } else { 1 };
    }
}

/// Adds the elements of `data` to the object that is open in `outer`: one object per element, with its parameters as
/// texts. A repeated parameter becomes an array; elements of the same name are merged.
pub(super) fn put(data: &[u8], outer: &mut OuterFields) {
    let empty: &[u8] = &[];
    let mut all = [Parameter { element: empty, name: empty, value: empty }; MAX_PARAMETERS];
    let mut count = 0;
    walk(data, |parameter| {
        if let Some(place) = all.get_mut(count) {
            *place = parameter;
            count += 1;
        }
        true
    });
    let all = &all[..count];
    for (index, head) in all.iter().enumerate().filter(|(_, parameter)| parameter.name.is_empty()) {
        let same_element = |other: &&Parameter<'_>| other.element == head.element;
        if all[..index].iter().any(|other| same_element(&other)) {
            continue;
        }
        outer.any_name(head.element);
        let element = outer.open();
        let own = || all.iter().filter(|other| same_element(other) && !other.name.is_empty());
        for (index, parameter) in own().enumerate() {
            let same = |other: &&Parameter<'_>| other.name == parameter.name;
            if own().take(index).any(|other| same(&other)) {
                continue;
            }
            outer.any_name(parameter.name);
            if own().skip(index + 1).any(|other| same(&other)) {
                let array = outer.open_array();
                own().filter(same).for_each(|parameter| outer.text_of(unescaped(parameter.value)));
                outer.close(array);
            } else {
                outer.text_of(unescaped(parameter.value));
            }
        }
        outer.close(element);
    }
}

/// Iterates over the parts of a value, without the backslashes of its escapes.
fn unescaped(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = value;
    // The number of bytes at the beginning of `rest` that are literal: the character after an escape.
    let mut literal = 0;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut at = literal;
        while let Some(found) = memchr::memchr(b'\\', &rest[at..]) {
            at += found;
            if matches!(rest.get(at + 1), Some(b'"' | b'\\' | b']')) {
                let part = &rest[..at];
                rest = &rest[at + 1..];
                literal = 1;
                return Some(part);
            }
            at += 1;
        }
        Some(std::mem::take(&mut rest))
    })
}
