//! Compiles any text as a pattern and matches any bytes: the result is an error or captures within the line, never a
//! panic.
#![no_main]

use std::sync::OnceLock;

use libfuzzer_sys::fuzz_target;
use logator::grok::Library;

fuzz_target!(|input: (&str, &[u8])| {
    static LIBRARY: OnceLock<Library> = OnceLock::new();
    let (text, line) = input;
    let Ok(pattern) = LIBRARY.get_or_init(Library::builtin).compile(text) else { return };
    let mut matcher = pattern.matcher();
    let Ok(Some(captures)) = matcher.captures(line) else { return };
    for slot in 0..pattern.slots() {
        let span = captures.span(slot);
        assert!(span.start > span.end || span.start == u32::MAX || span.end as usize <= line.len());
    }
});
