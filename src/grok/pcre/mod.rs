//! PCRE2, with its JIT compiler, as the engine of an expression.
//!
//! # Bytes and characters
//!
//! A line is bytes. A line of ASCII runs on a program that knows only bytes, because that program is faster. A line of
//! valid UTF-8 with characters beyond ASCII runs on a second program, which knows characters. A pattern is refused if
//! one of the two programs does not compile.
//!
//! A line that is not valid UTF-8 runs on the first program, and each byte counts as one character. The exception is a
//! pattern with characters beyond ASCII in a class. It runs on the second program, and no match contains an invalid
//! byte. All spans are in bytes of the line.
//!
//! # Limits
//!
//! A match is given up after [`STEPS`] backtracking steps, or if backtracking needs more than [`STACK`] bytes of
//! memory. That is an outcome of the line, not an error of the program.

mod print;

use pcre2::bytes::{CaptureLocations, Regex, RegexBuilder};

use crate::grok::Span;
use crate::grok::parse::Parsed;
use crate::grok::pcre::print::{Alphabet, print};

/// The most backtracking steps for a line: PCRE2's match limit, which its JIT compiler honours too. A step takes 0.8 to
/// 1.2 ns (measured), so the worst line costs 5 ms. A valid line of 1 MiB may take four steps per byte.
const STEPS: u32 = 4_000_000;

/// The memory for backtracking in the JIT-compiled program, in bytes, for each matcher. It is reserved as address
/// space. It becomes real memory only as far as a line needs it. The built-in definitions never need it; `(?:a|b)*`
/// takes 8 bytes per round.
const STACK: usize = 4 << 20;

/// An expression compiled for PCRE2.
pub(super) struct Program {
    bytes: Regex,
    /// The program for characters.
    text: Regex,
    /// For each capture, the numbers of the PCRE2 groups that hold it. The list is empty if group `n + 1` holds capture
    /// `n`; that is always so without calls.
    groups: Vec<Vec<usize>>,
    beyond_ascii: bool,
}

/// The working memory that one thread needs to run a [`Program`].
pub(super) struct Memory {
    bytes: CaptureLocations,
    text: Option<CaptureLocations>,
}

/// The captures of a match.
pub(super) struct Found<'m> {
    locations: &'m CaptureLocations,
    groups: &'m [Vec<usize>],
}

impl Program {
    /// Compiles `parsed`. An error has PCRE2's message.
    pub(super) fn new(parsed: &Parsed) -> Result<Program, String> {
        let printed = print(&parsed.expression, Alphabet::Bytes);
        let in_order = printed.groups.iter().enumerate().all(|(slot, groups)| groups[..] == [slot + 1]);
        check_version(pcre2::version())?;
        let bytes = build(&printed.text, false).map_err(|error| plain_words(&error))?;
        let characters = |short| build(&print(&parsed.expression, Alphabet::Characters { short }).text, true);
        let text = characters(true).or_else(|_| characters(false));
        let text = text.map_err(|error| format!("{}, in the program for lines beyond ASCII", plain_words(&error)))?;
        Ok(Program {
            bytes,
            text,
            groups: if in_order { Vec::new() } else { printed.groups },
            beyond_ascii: parsed.beyond_ascii,
        })
    }

    pub(super) fn memory(&self) -> Memory {
        Memory { bytes: self.bytes.capture_locations(), text: None }
    }

    /// Searches for the leftmost match. An error says why the line was given up.
    #[inline]
    pub(super) fn captures<'m>(&'m self, memory: &'m mut Memory, line: &[u8]) -> Result<Option<Found<'m>>, String> {
        if !line.is_ascii() {
            return self.captures_text(memory, line);
        }
        self.run(&self.bytes, &mut memory.bytes, line)
    }

    /// Like `captures`, for a line with bytes beyond ASCII.
    #[cold]
    fn captures_text<'m>(&'m self, memory: &'m mut Memory, line: &[u8]) -> Result<Option<Found<'m>>, String> {
        if !self.beyond_ascii && std::str::from_utf8(line).is_err() {
            return self.run(&self.bytes, &mut memory.bytes, line);
        }
        let locations = memory.text.get_or_insert_with(|| self.text.capture_locations());
        self.run(&self.text, locations, line)
    }

    #[inline]
    fn run<'m>(
        &'m self,
        program: &Regex,
        locations: &'m mut CaptureLocations,
        line: &[u8],
    ) -> Result<Option<Found<'m>>, String> {
        match program.captures_read(locations, line) {
            Ok(None) => Ok(None),
            Ok(Some(_)) => Ok(Some(Found { locations, groups: &self.groups })),
            Err(error) => Err(reason(&error)),
        }
    }
}

impl Found<'_> {
    /// Returns the span of capture `slot`. For a called group, it is the span with the greatest start.
    #[inline]
    pub(super) fn span(&self, slot: usize) -> Span {
        let found = match self.groups.is_empty() {
            true => self.locations.get(slot + 1),
            false => self.last_of(slot),
        };
        match found {
            Some((start, end)) if start <= end => Span { start: start as u32, end: end as u32 },
            _ => Span::NONE,
        }
    }

    /// Returns the span of the whole match.
    #[inline]
    pub(super) fn whole(&self) -> Span {
        match self.locations.get(0) {
            Some((start, end)) if start <= end => Span { start: start as u32, end: end as u32 },
            _ => Span::NONE,
        }
    }

    #[cold]
    fn last_of(&self, slot: usize) -> Option<(usize, usize)> {
        self.groups.get(slot)?.iter().filter_map(|&group| self.locations.get(group)).max()
    }
}

/// Returns the text that PCRE2 compiles for lines of bytes.
pub(super) fn expression(parsed: &Parsed) -> String {
    print(&parsed.expression, Alphabet::Bytes).text
}

/// The oldest PCRE2 that understands the programs for characters. `build.rs` refuses to link an older one, but a shared
/// library can be replaced after the build.
const OLDEST: (u32, u32) = (10, 43);

/// Checks that the linked PCRE2, of this `version`, is new enough.
fn check_version(version: (u32, u32)) -> Result<(), String> {
    if version >= OLDEST {
        return Ok(());
    }
    let ((major, minor), (least_major, least_minor)) = (version, OLDEST);
    Err(format!(
        "the pattern is not regular, and needs PCRE2 {least_major}.{least_minor} or later; this program runs with PCRE2 \
         {major}.{minor}. Build it with PCRE2_SYS_STATIC=1, which brings its own"
    ))
}

/// Returns the text before the expression: it sets the newline for `^` and `$`, and the match limit.
fn start_verbs() -> String {
    format!("(*NO_START_OPT)(*LF)(*LIMIT_MATCH={STEPS})")
}

/// Compiles `expression`. `.` matches a newline, and `^` and `$` are line anchors, as in Logstash.
fn build(expression: &str, text: bool) -> Result<Regex, pcre2::Error> {
    RegexBuilder::new()
        .dotall(true)
        .multi_line(true)
        .utf(text)
        .ucp(text)
        .jit_if_available(true)
        .max_jit_stack_size(Some(STACK))
        .build(&format!("{}{expression}", start_verbs()))
}

#[cold]
fn reason(error: &pcre2::Error) -> String {
    // PCRE2_ERROR_MATCHLIMIT, PCRE2_ERROR_JIT_STACKLIMIT
    match error.code() {
        -47 => format!("matching took more than {STEPS} steps"),
        -46 => format!("matching needed more than {} MiB of memory for backtracking", STACK >> 20),
        _ => plain_words(error),
    }
}

/// Returns PCRE2's message without its prefix.
fn plain_words(error: &pcre2::Error) -> String {
    let words = error.to_string();
    words.rsplit_once(": ").map_or(words.clone(), |(_, last)| last.to_owned())
}

#[cfg(all(test, not(engines)))]
mod tests {
    use super::*;
    use crate::grok::Library;
    use crate::grok::fault::Written;
    use crate::grok::parse::parse;

    #[test]
    fn an_engine_that_is_too_old_is_refused_and_the_one_that_is_linked_is_not() {
        let error = check_version((10, 42)).unwrap_err();
        assert!(error.contains("10.43 or later") && error.contains("PCRE2 10.42"), "{error}");
        assert!(check_version((9, 99)).is_err());
        assert_eq!(check_version((10, 43)), Ok(()));
        assert_eq!(check_version(pcre2::version()), Ok(()));
    }

    #[test]
    fn the_tree_is_written_for_bytes_and_for_characters() {
        let cases = [
            (r"(?:a|bc)*d", r"(?:a|bc)*d", r"(?:a|bc)*d"),
            (r"(?<x>a{2}+\.)", r"((?:a{2})+\.)", r"((?:a{2})+\.)"),
            (r"é+", r"(?:é)+", r"é+"),
            (r"(?i)aé", r"[Aa](?:É|é)", r"[Aa][\x{c9}\x{e9}]"),
            (r"[^a]\d\w", r"[^a]\d\w", r"[^a]\d[0-9A-Z\x{5f}a-z]"),
            (r"[^é]\W", r".\W", r"[^\x{e9}][^0-9A-Z\x{5f}a-z]"),
            (r"[[:alpha:]\-]", r"[\x{2d}A-Za-z]", r"[\p{Alphabetic}\x{2d}A-Za-z]"),
            (r"(?<x>a)\g<x>\k<x>", r"(a)(a)(?:(?(2)\g{2}|\g{1}))", r"(a)(a)(?:(?(2)\g{2}|\g{1}))"),
            (r"(?<x>a)?(?(<x>)b|c)", r"(a)?(?(1)b|c)", r"(a)?(?(1)b|c)"),
            (r"(?=^)*$+\A{2}", r"(?:(?=^))*(?:$)+(?:\A){2}", r"(?:(?=^))*(?:$)+(?:\A){2}"),
        ];
        for (pattern, bytes, text) in cases {
            let library = Library::builtin();
            let parsed = parse(&Written::new("here", pattern), library.definitions()).expect(pattern);
            assert_eq!(print(&parsed.expression, Alphabet::Bytes).text, bytes);
            let short = print(&parsed.expression, Alphabet::Characters { short: true }).text;
            assert_eq!(short, format!("(?aDaS){text}"));
            for short in [true, false] {
                let printed = print(&parsed.expression, Alphabet::Characters { short });
                build(&printed.text, true).unwrap_or_else(|error| panic!("{error}"));
            }
        }
    }
}
