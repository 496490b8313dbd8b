//! The lines and the patterns of the benchmarks.

use std::path::Path;
use std::sync::LazyLock;

use logator::grok::{Library, Pattern, Rule};

pub static LIBRARY: LazyLock<Library> = LazyLock::new(Library::builtin);

/// The built-in definitions, with those of `LOGATOR_BENCH_PATTERNS` added in place of definitions of the same name.
pub static DIRECTORY: LazyLock<Option<Library>> = LazyLock::new(|| {
    let directory = std::env::var_os("LOGATOR_BENCH_PATTERNS")?;
    let mut library = Library::builtin();
    library.add_dir(Path::new(&directory)).expect("LOGATOR_BENCH_PATTERNS can be read");
    Some(library)
});

/// Lines in one buffer, one after the other, like the lines of a batch.
pub struct Lines {
    buffer: Vec<u8>,
    /// Start and end of each line.
    places: Vec<(usize, usize)>,
}

impl Lines {
    pub fn new<L: AsRef<[u8]>>(lines: impl IntoIterator<Item = L>) -> Lines {
        let (mut buffer, mut places) = (Vec::new(), Vec::new());
        for line in lines {
            let start = buffer.len();
            buffer.extend_from_slice(line.as_ref());
            places.push((start, buffer.len()));
            buffer.push(b'\n');
        }
        Lines { buffer, places }
    }

    pub fn iter(&self) -> impl Iterator<Item = &[u8]> {
        self.places.iter().map(|&(start, end)| &self.buffer[start..end])
    }

    pub fn count(&self) -> usize {
        self.places.len()
    }

    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }
}

/// Lines in the combined format that match.
pub static MATCHING: LazyLock<Lines> =
    LazyLock::new(|| match std::env::var_os("LOGATOR_BENCH_LOG") {
        Some(path) => {
            let data = std::fs::read(path).expect("LOGATOR_BENCH_LOG can be read");
            let (mut one, mut other) = (combined().matcher(), builtin().matcher());
            let lines = logator::core::lines::lines(&data).map(|line| line.bytes);
            Lines::new(lines.filter(|line| {
                matches!(one.captures(line), Ok(Some(_))) && matches!(other.captures(line), Ok(Some(_)))
            }))
        }
        None => Lines::new((0..10_000).map(made_up)),
    });

/// The same lines, each truncated in its last field, so that they fail as late as possible.
pub static FAILING: LazyLock<Lines> = LazyLock::new(|| one_in(1));

/// The same lines; every second one is truncated, or every tenth.
pub static HALF: LazyLock<Lines> = LazyLock::new(|| one_in(2));
pub static TENTH: LazyLock<Lines> = LazyLock::new(|| one_in(10));

/// Returns the matching lines; one line in `count` is truncated.
fn one_in(count: usize) -> Lines {
    let cut = |(index, line): (usize, &'static [u8])| match line {
        [short @ .., _] if index % count == 0 => short,
        line => line,
    };
    Lines::new(MATCHING.iter().enumerate().map(cut))
}

fn made_up(index: u32) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(u64::from(index));
    let mut pick = |choices: &[&'static str]| choices[random.usize(..choices.len())];
    let request = pick(&[
        "/",
        "/favicon.ico",
        "/images/2024/summer/header-background.png",
        "/articles/how-to-count-lines?page=3&sort=newest",
        "/style/main.css",
    ]);
    let referrer = pick(&["-", "https://www.example.com/", "https://search.example.net/find?q=lines+per+second&hl=en"]);
    let agent = pick(&[
        "Mozilla/5.0 (X11; Linux x86_64; rv:115.0) Gecko/20100101 Firefox/115.0",
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 Safari/537.36",
        "ExampleBot/2.1 (+https://bot.example.org/about)",
    ]);
    let (method, status) = (pick(&["GET", "GET", "GET", "POST"]), pick(&["200", "200", "304", "404"]));
    let line = format!(
        "203.0.113.{} - - [{:02}/Feb/2024:{:02}:{:02}:{:02} +0000] \"{method} {request} HTTP/1.1\" {status} {} \"{referrer}\" \"{agent}\"",
        index % 256,
        1 + index % 28,
        index % 24,
        index % 60,
        (index / 60) % 60,
        random.u32(0..500_000),
    );
    line.into_bytes()
}

/// The format `combined`.
pub fn combined() -> Pattern {
    match LIBRARY.format("combined").expect("combined is a built-in format").rule {
        Rule::Pattern(pattern) => pattern,
        Rule::JsonObject => unreachable!("combined is a pattern"),
    }
}

/// The built-in `%{COMBINEDAPACHELOG}`.
pub fn builtin() -> Pattern {
    LIBRARY.compile("%{COMBINEDAPACHELOG}").expect("COMBINEDAPACHELOG is built in")
}

/// The built-in ECS `%{COMBINEDAPACHELOG}`.
pub fn builtin_ecs() -> Pattern {
    Library::builtin_ecs().compile("%{COMBINEDAPACHELOG}").expect("COMBINEDAPACHELOG is a built-in ECS definition")
}

/// `%{COMBINEDAPACHELOG}` with the definitions of the directory.
pub fn directory() -> Option<Pattern> {
    let library = DIRECTORY.as_ref()?;
    Some(library.compile("%{COMBINEDAPACHELOG}").expect("COMBINEDAPACHELOG is in LOGATOR_BENCH_PATTERNS"))
}

/// Returns `text` with each reference expanded, in Oniguruma's syntax.
pub fn expanded(library: &Library, text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("%{") {
        let (before, reference) = rest.split_at(at);
        let end = reference.find('}').expect("a reference ends");
        let mut parts = reference[2..end].splitn(3, ':');
        let name = parts.next().unwrap_or_default();
        let definition = library.definition(name).unwrap_or_else(|| panic!("there is a definition of {name}"));
        let inner = expanded(library, definition.text());
        out.push_str(before);
        match parts.next() {
            Some(field) => {
                let field: String = field.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
                out.push_str(&format!("(?<f{field}>{inner})"));
            }
            None => out.push_str(&format!("(?:{inner})")),
        }
        rest = &reference[end + 1..];
    }
    out.push_str(rest);
    out
}
