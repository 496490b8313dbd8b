//! References to secrets by name: `${NAME}` and `${file:PATH}`.

/// Returns the parts of `text` outside of its references, and the names in the references.
pub(super) fn without_references(text: &str) -> (Vec<&str>, Vec<&str>) {
    let (mut others, mut names, mut rest) = (Vec::new(), Vec::new(), text);
    while let Some((before, after)) = rest.split_once("${")
        && let Some((name, after)) = after.split_once('}')
        && is_reference_name(name)
    {
        others.push(before);
        names.push(name);
        rest = after;
    }
    others.push(rest);
    (others, names)
}

/// Returns whether `text` is one reference, `${NAME}` or `${file:PATH}`, and nothing else.
pub(super) fn is_reference(text: &str) -> bool {
    text.strip_prefix("${").and_then(|text| text.strip_suffix('}')).is_some_and(is_reference_name)
}

pub(super) fn is_reference_name(name: &str) -> bool {
    !name.contains(['{', '}', '$'])
}
