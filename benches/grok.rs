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
        let regex =
            RegexBuilder::new().dotall(true).multi_line(true).build(&pattern.expression()).expect("it compiles");
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

/// Several patterns in order, the last one matching: what it costs to find it, and what it would cost to know it.
mod one_of_fifty {
    use super::*;
    use logator::grok::{Matcher, Selector};

    /// Alike to their last word.
    fn variants() -> (Vec<Pattern>, Vec<u8>) {
        let text = |index| {
            format!(
                "%{{SYSLOGTIMESTAMP:timestamp}} %{{IPORHOST:host}} %{{WORD:program}}\\[%{{POSINT:pid:int}}\\]: request \
                 %{{INT:request:int}} from %{{IP:client}} was finished as kind{index:02}"
            )
        };
        let compile = |index| LIBRARY.compile(&text(index)).expect("it is well formed");
        let line = b"Feb  3 04:05:06 web1.example.com shop[4711]: request 1234 from 192.0.2.17 was finished as kind49";
        ((0..50).map(compile).collect(), line.to_vec())
    }

    /// What Cisco's firewalls write, beside other messages of the stock.
    fn firewalls() -> (Vec<Pattern>, Vec<u8>) {
        let line =
            b"Inbound TCP connection denied from 192.0.2.17/50022 to 198.51.100.3/443 flags SYN  on interface outside";
        let compile = |name: &str| LIBRARY.compile(&format!("%{{{name}}}")).expect("it is in the stock");
        let messages =
            |name: &&str| ["CISCOFW", "BACULA_LOG_", "NAGIOS_", "RT_FLOW"].iter().any(|p| name.starts_with(p));
        let others = LIBRARY.names().filter(messages).map(compile);
        let others = others.filter(|pattern| matches!(pattern.matcher().captures(line), Ok(None)));
        (others.take(49).chain([compile("CISCOFW106001")]).collect(), line.to_vec())
    }

    fn alone(bencher: Bencher<'_, '_>, (patterns, line): (Vec<Pattern>, Vec<u8>)) {
        ours(bencher, patterns.last().expect("there are fifty"), &vec![line; 1000], true);
    }

    fn last(bencher: Bencher<'_, '_>, (patterns, line): (Vec<Pattern>, Vec<u8>), all: bool) {
        assert_eq!(patterns.len(), 50);
        let mut matchers: Vec<(usize, Matcher)> =
            patterns.iter().map(|pattern| (pattern.slots(), pattern.matcher())).collect();
        let mut selector = Selector::new(patterns.iter().map(|pattern| (!all).then_some(pattern)));
        let mut run = || {
            selector.look(&line);
            let mut next = selector.next(0);
            while let Some(index) = next {
                let (slots, matcher) = &mut matchers[index];
                if let Ok(Some(captures)) = matcher.captures(&line) {
                    let lengths = (0..*slots).map(|slot| captures.span(slot).text(&line).map_or(0, <[u8]>::len));
                    return (index, lengths.sum::<usize>());
                }
                next = selector.next(index + 1);
            }
            (usize::MAX, 0)
        };
        assert_eq!(run().0, 49, "the last one matches, and no other");
        counted(bencher, &vec![line.clone(); 1000]).bench_local(|| (0..1000).map(|_| run().1).sum::<usize>());
    }

    #[divan::bench]
    fn variants_alone(bencher: Bencher<'_, '_>) {
        alone(bencher, variants());
    }

    #[divan::bench]
    fn variants_last_of_fifty(bencher: Bencher<'_, '_>) {
        last(bencher, variants(), false);
    }

    #[divan::bench(sample_count = 20)]
    fn variants_last_of_fifty_all_tried(bencher: Bencher<'_, '_>) {
        last(bencher, variants(), true);
    }

    #[divan::bench]
    fn firewalls_alone(bencher: Bencher<'_, '_>) {
        alone(bencher, firewalls());
    }

    #[divan::bench]
    fn firewalls_last_of_fifty(bencher: Bencher<'_, '_>) {
        last(bencher, firewalls(), false);
    }

    #[divan::bench(sample_count = 20)]
    fn firewalls_last_of_fifty_all_tried(bencher: Bencher<'_, '_>) {
        last(bencher, firewalls(), true);
    }
}
