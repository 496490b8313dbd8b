//! Several patterns in order, and only the last one matches: the cost of finding it, and the cost of that pattern
//! alone.

use divan::Bencher;
use logator::grok::{Matcher, Pattern, Selector};

use crate::engines::{counted, ours};
use crate::lines::{LIBRARY, Lines};

/// Returns patterns that differ only in their last word.
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

/// Returns the pattern of a Cisco firewall message, after other built-in patterns.
fn firewalls() -> (Vec<Pattern>, Vec<u8>) {
    let line =
        b"Inbound TCP connection denied from 192.0.2.17/50022 to 198.51.100.3/443 flags SYN  on interface outside";
    let compile = |name: &str| LIBRARY.compile(&format!("%{{{name}}}")).expect("it is built in");
    let messages = |name: &&str| ["CISCOFW", "BACULA_LOG_", "NAGIOS_", "RT_FLOW"].iter().any(|p| name.starts_with(p));
    let others = LIBRARY.names().filter(messages).map(compile);
    let others = others.filter(|pattern| matches!(pattern.matcher().captures(line), Ok(None)));
    (others.take(49).chain([compile("CISCOFW106001")]).collect(), line.to_vec())
}

fn alone(bencher: Bencher<'_, '_>, (patterns, line): (Vec<Pattern>, Vec<u8>)) {
    ours(bencher, patterns.last().expect("there are fifty"), &Lines::new(vec![line; 1000]), 1000);
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
    counted(bencher, &Lines::new(vec![line.clone(); 1000])).bench_local(|| (0..1000).map(|_| run().1).sum::<usize>());
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
