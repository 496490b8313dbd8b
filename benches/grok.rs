//! Grok, one core: what a line costs, matching and failing, by engine.
//!
//! The lines are made up here. `LOGATOR_BENCH_LOG=FILE` takes the lines of an access log instead, of which those count
//! that match `combined`. Figures are per pass over all lines; divan's `item/s` is lines a second.

use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};
use logator::grok::{Library, Pattern, Rule};
use pcre2::bytes::RegexBuilder;

fn main() {
    divan::main();
}

static LIBRARY: LazyLock<Library> = LazyLock::new(Library::stock);

/// Lines in the combined format.
static LINES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| match std::env::var_os("LOGATOR_BENCH_LOG") {
    Some(path) => {
        let data = std::fs::read(path).expect("LOGATOR_BENCH_LOG can be read");
        let mut matcher = combined().matcher();
        let lines = logator::lines::lines(&data).map(|line| line.bytes.to_vec());
        lines.filter(|line| matches!(matcher.captures(line), Ok(Some(_)))).collect()
    }
    None => (0..10_000).map(made_up).collect(),
});

/// The same lines, each cut short in its last field, so that they fail as late as can be.
static FAILING: LazyLock<Vec<Vec<u8>>> =
    LazyLock::new(|| LINES.iter().map(|line| line[..line.len() - 1].to_vec()).collect());

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

fn combined() -> Pattern {
    match LIBRARY.format("combined").expect("combined is a stock format").rule {
        Rule::Pattern(pattern) => pattern,
        Rule::JsonObject => unreachable!("combined is a pattern"),
    }
}

fn logstash() -> Pattern {
    LIBRARY.compile("%{COMBINEDAPACHELOG}").expect("COMBINEDAPACHELOG is in the stock")
}

fn counted<'a, 'b>(bencher: Bencher<'a, 'b>, lines: &[Vec<u8>]) -> Bencher<'a, 'b> {
    let bytes: usize = lines.iter().map(|line| line.len() + 1).sum();
    bencher.counter(ItemsCount::new(lines.len())).counter(BytesCount::new(bytes))
}

/// Matches every line and looks at every span, as a document does.
fn ours(bencher: Bencher<'_, '_>, pattern: &Pattern, lines: &[Vec<u8>], matching: bool) {
    let mut matcher = pattern.matcher();
    let matched = lines.iter().filter(|line| matches!(matcher.captures(line), Ok(Some(_)))).count();
    assert_eq!(matched, if matching { lines.len() } else { 0 }, "the lines do what the bench says");
    counted(bencher, lines).bench_local(|| {
        let mut length = 0;
        for line in lines {
            if let Ok(Some(captures)) = matcher.captures(line) {
                for slot in 0..pattern.slots() {
                    length += captures.span(slot).text(line).map_or(0, <[u8]>::len);
                }
            }
        }
        length
    });
}

mod pcre2_jit {
    use super::*;

    #[divan::bench]
    fn combined_matching(bencher: Bencher<'_, '_>) {
        ours(bencher, &combined(), &LINES, true);
    }

    #[divan::bench]
    fn combined_failing_at_the_end(bencher: Bencher<'_, '_>) {
        ours(bencher, &combined(), &FAILING, false);
    }

    #[divan::bench]
    fn combinedapachelog_matching(bencher: Bencher<'_, '_>) {
        ours(bencher, &logstash(), &LINES, true);
    }

    #[divan::bench(sample_count = 10)]
    fn combinedapachelog_failing_at_the_end(bencher: Bencher<'_, '_>) {
        ours(bencher, &logstash(), &FAILING, false);
    }
}

mod pcre2_interpreted {
    use super::*;

    fn run(bencher: Bencher<'_, '_>, lines: &[Vec<u8>]) {
        let pattern = combined();
        let regex = RegexBuilder::new().dotall(true).multi_line(true).build(&pattern.expression()).expect("it compiles");
        let mut locations = regex.capture_locations();
        counted(bencher, lines).bench_local(|| {
            lines.iter().filter(|line| matches!(regex.captures_read(&mut locations, line), Ok(Some(_)))).count()
        });
    }

    #[divan::bench(sample_count = 20)]
    fn combined_matching(bencher: Bencher<'_, '_>) {
        run(bencher, &LINES);
    }

    #[divan::bench(sample_count = 20)]
    fn combined_failing_at_the_end(bencher: Bencher<'_, '_>) {
        run(bencher, &FAILING);
    }
}

mod regex_with_captures {
    use super::*;

    /// `combined` in the words that `regex` has: the same fields, no look-around and nothing atomic.
    const COMBINED: &str = concat!(
        r#"^([!-~]+) ([^ ]+) ([^ ]+) \[([0-9]{2}/[A-Za-z]{3}/[0-9]{4}:[0-9]{2}:[0-9]{2}:[0-9]{2} [+-][0-9]{4})\] "#,
        r#""(?:([A-Za-z_-]+) ([^ "\\]*(?:\\.[^ "\\]*)*)(?: HTTP/([0-9.]+))?|([^"\\]*(?:\\.[^"\\]*)*))" "#,
        r#"(?:-|([0-9]{3})) (?:-|([0-9]+)) "([^"\\]*(?:\\.[^"\\]*)*)" "([^"\\]*(?:\\.[^"\\]*)*)"$"#,
    );

    fn run(bencher: Bencher<'_, '_>, lines: &[Vec<u8>]) {
        let regex = regex::bytes::RegexBuilder::new(COMBINED).unicode(false).build().expect("it is well formed");
        let mut locations = regex.capture_locations();
        counted(bencher, lines)
            .bench_local(|| lines.iter().filter(|line| regex.captures_read(&mut locations, line).is_some()).count());
    }

    #[divan::bench(sample_count = 20)]
    fn combined_matching(bencher: Bencher<'_, '_>) {
        run(bencher, &LINES);
    }

    #[divan::bench(sample_count = 20)]
    fn combined_failing_at_the_end(bencher: Bencher<'_, '_>) {
        run(bencher, &FAILING);
    }
}
