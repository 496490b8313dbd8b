//! Parsing a line and encoding its document allocate nothing once the buffers are large enough.

use std::sync::Arc;

use bytes::Bytes;
use logator::avro::SinkEncoding;
use logator::core::batch::{Batch, Origin};
use logator::core::error::Result;
use logator::core::lines;
use logator::envelope::Envelope;
use logator::event::stage::{Stage, StageSpec, Verdict};
use logator::event::{Event, FieldPath, Layout, TypedFields, Value};
use logator::grok::{Format, Library};
use logator::observe::counters::MATCHED;
use logator::sink::Encoding;
use logator::worker::parser::{Formats, Unmatched};

const LINES: usize = 2000;

/// Replaces the numbers in `line` with numbers that differ from line to line.
fn batch(line: impl Fn(usize) -> String, envelope: Envelope) -> Batch {
    let content: String = (0..LINES).map(|index| line(index) + "\n").collect();
    let data = Bytes::from(content);
    let origin = Arc::new(Origin::new(1, "x").wrapped(envelope));
    Batch::new(origin, 0, lines::count(&data) as u32, data)
}

/// The most times that a batch is parsed before parsing must need no more allocations, and the number of times in a row
/// without an allocation that prove it. Patterns learn from a few lines at a time, and check now and then whether there
/// is more to learn.
const WARMING: usize = 80;
const STEADY: usize = 6;

/// Returns the number of allocations for parsing `batch` after nothing more can be learned from it, and the number of its
/// lines that matched.
fn allocations(formats: Vec<Format>, library: &Library, unmatched: Unmatched, batch: &Batch) -> (u64, u64) {
    measure(Formats::new(formats, library.clone(), unmatched, |_| ()), batch)
}

fn measure(formats: Formats, batch: &Batch) -> (u64, u64) {
    measure_in(formats, &[Encoding::Json.into(), Encoding::Bson.into()], batch)
}

/// The same for documents of these layouts.
fn measure_in(formats: Formats, layouts: &[Layout], batch: &Batch) -> (u64, u64) {
    let formats = Arc::new(formats);
    let mut parser = formats.parser(layouts.iter().cloned()).expect("a parser");
    let mut parsed = parser.buffer();
    let mut parse =
        || allocation_counter::measure(|| parser.parse(batch, &mut parsed).expect("it is parsed")).count_total;
    let mut steady = 0;
    for _ in 0..WARMING {
        steady = if parse() == 0 { steady + 1 } else { 0 };
        if steady == STEADY {
            break;
        }
    }
    let before: u64 = formats.counts().iter().map(|row| row.get(&MATCHED)).sum();
    let measured = parse();
    let after: u64 = formats.counts().iter().map(|row| row.get(&MATCHED)).sum();
    (measured, after - before)
}

fn access(index: usize) -> String {
    format!(
        "192.0.2.{} - - [10/Oct/2025:13:{:02}:{:02} +0200] \"GET /page/{index} HTTP/1.1\" 200 {} \"-\" \"Mozilla/5.0 (X11)\"",
        index % 250,
        index / 60 % 60,
        index % 60,
        index * 7,
    )
}

#[test]
fn an_allocation_would_be_seen() {
    assert_eq!(allocation_counter::measure(|| drop(Vec::<u8>::with_capacity(1))).count_total, 1);
}

#[test]
fn lines_of_the_built_in_formats_allocate_nothing() {
    for library in [Library::builtin(), Library::builtin_ecs()] {
        let syslog = |index: usize| format!("<30>Feb  3 04:05:{:02} gate sshd[{index}]: opened for ada", index % 60);
        let rfc5424 =
            |index: usize| format!("<165>1 2024-02-03T04:05:06.789Z web1 shop {index} - [a b=\"c\"] accepted");
        let json =
            |index: usize| format!("{{\"time\": 17000{index:05}, \"text\": \"\\u0041\\n\", \"n\": [1, 2.5, null]}}");
        let cases: [(&str, &dyn Fn(usize) -> String); 6] = [
            ("combined", &access),
            ("nginx", &access),
            ("syslog", &syslog),
            ("rfc5424", &rfc5424),
            ("ndjson", &json),
            ("auto", &access),
        ];
        for (name, line) in cases {
            let formats: Vec<Format> = match name {
                "auto" => Vec::new(),
                name => vec![library.format(name).expect("a built-in format")],
            };
            let found = allocations(formats, &library, Unmatched::Keep, &batch(line, Envelope::None));
            assert_eq!(found, (0, LINES as u64), "{name}: allocations, lines that match");
        }
    }
}

#[test]
fn patterns_with_types_repeated_names_and_optional_parts_allocate_nothing() {
    let library = Library::builtin();
    let pattern = "%{WORD:[a][word]}(?: %{INT:n:int})? %{NUMBER:f:float}(?: %{IP:ip:ip})? (?<n>[a-z]+)|(?<rest>é.*)";
    let line = |index: usize| match index % 3 {
        0 => format!("word {index} {index}.5 192.0.2.1 x"),
        1 => format!("word {index}.25 y"),
        _ => format!("é and so on {index}"),
    };
    let formats = vec![library.pattern(pattern).expect("it is well formed")];
    assert_eq!(allocations(formats, &library, Unmatched::Keep, &batch(line, Envelope::None)), (0, LINES as u64));
}

#[test]
fn lines_that_match_nothing_allocate_nothing() {
    let library = Library::builtin();
    let cut = |index| {
        let line = access(index);
        line[..line.len() - 1].to_owned()
    };
    for unmatched in [Unmatched::Keep, Unmatched::Drop] {
        for patterns in [&["%{COMBINEDAPACHELOG}"][..], &["%{INT:n}$", "^%{SYSLOGLINE}$", "zebra %{WORD:w}"]] {
            let formats = patterns.iter().map(|text| library.pattern(text).expect("it is well formed")).collect();
            assert_eq!(allocations(formats, &library, unmatched, &batch(cut, Envelope::None)), (0, 0), "{patterns:?}");
        }
    }
}

#[test]
fn opening_envelopes_allocates_nothing() {
    let bsd = |index: usize| format!("<30>Feb  3 04:05:{:02} gate sshd[{index}]: opened for ada", index % 60);
    let new = |index: usize| {
        format!("<165>1 2024-02-03T04:05:06.789Z web1 shop {index} - [a b.c=\"\\\"\" d=\"1\" d=\"2\"] opened for ada")
    };
    let json = |index: usize| format!("{{\"message\":\"opened \\u0066or ada\",\"type\":\"x\",\"@pid\":{index}}}");
    let within = |index: usize| format!("<30>Feb  3 04:05:06 gate x: {{\"priority\":{index},\"o\":{{\"a\":[1]}}}}");
    let cases: [(Envelope, &dyn Fn(usize) -> String); 4] =
        [(Envelope::Syslog, &bsd), (Envelope::Syslog, &new), (Envelope::Json, &json), (Envelope::Syslog, &within)];
    for library in [Library::builtin(), Library::builtin_ecs()] {
        for (index, (envelope, line)) in cases.iter().enumerate() {
            let lines = batch(line, *envelope);
            let matching = if index < 3 { "for %{WORD:user}" } else { "ndjson" };
            for pattern in [None, Some(matching), Some("nothing of the kind")] {
                let format =
                    |text: &str| library.format(text).or_else(|_| library.pattern(text)).expect("it is well formed");
                let found = allocations(pattern.map(format).into_iter().collect(), &library, Unmatched::Keep, &lines);
                let matched = if pattern == Some(matching) { LINES as u64 } else { 0 };
                assert_eq!(found, (0, matched), "{envelope:?} {index} {pattern:?}");
            }
        }
    }
}

#[test]
fn documents_as_avro_allocate_nothing() {
    let library = Library::builtin();
    let wrapped = |index: usize| format!("<30>Feb  3 04:05:06 gate x: {}", access(index));
    let json = |index: usize| format!("{{\"text\":\"a\",\"n\":[{index},null],\"o\":{{\"a\":1.5}}}}");
    let cases: [(&str, Envelope, Line<'_>); 3] = [
        ("combined", Envelope::None, &access),
        ("combined", Envelope::Syslog, &wrapped),
        ("ndjson", Envelope::None, &json),
    ];
    for (name, envelope, line) in cases {
        let format = library.format(name).expect("a built-in format");
        let encoding = SinkEncoding::new(&TypedFields::of(&format)).expect("a schema");
        let layout = Layout::own(encoding.framed(encoding.single_object()));
        let formats = Formats::new(vec![format], library.clone(), Unmatched::Keep, |_| ());
        assert_eq!(measure_in(formats, &[layout], &batch(line, envelope)), (0, LINES as u64), "{name} {envelope:?}");
    }
}

#[test]
fn choosing_among_many_patterns_allocates_nothing() {
    let library = Library::builtin();
    let text = |index| format!("^%{{IP:ip}} %{{WORD:verb}} %{{INT:n:int}} kind{index:03}$");
    let formats = (0..100).map(|index| library.pattern(&text(index)).expect("it is well formed")).collect();
    let line = |index: usize| format!("192.0.2.{} GET {index} kind{:03}", index % 250, index % 110);
    let matching = (0..LINES).filter(|index| index % 110 < 100).count() as u64;
    assert_eq!(allocations(formats, &library, Unmatched::Drop, &batch(line, Envelope::None)), (0, matching));
}

/// A stage that sets a field, or none.
struct Set(Option<FieldPath>);

impl StageSpec for Set {
    fn name(&self) -> &'static str {
        "set"
    }

    fn stage(&self) -> Result<Box<dyn Stage>> {
        Ok(Box::new(Set(self.0.clone())))
    }
}

impl Stage for Set {
    fn apply(&mut self, event: &mut Event<'_>) -> Verdict {
        if let Some(path) = &self.0 {
            event.set(path, Value::Text(b"a text that is set"));
        }
        Verdict::Keep
    }
}

/// Makes the line with this number.
type Line<'a> = &'a dyn Fn(usize) -> String;

#[test]
fn stages_allocate_nothing_that_they_do_not_ask_for() {
    let path = |name: &str| FieldPath::new(name).expect("a name");
    let no_op = || -> Vec<Arc<dyn StageSpec>> { vec![Arc::new(Set(None))] };
    let set = || -> Vec<Arc<dyn StageSpec>> { vec![Arc::new(Set(Some(path("[a][new]"))))] };
    let json = |index: usize| format!("{{\"time\":17000{index:05},\"a\":{{\"b\":1}},\"a.b\":2}}");
    let wrapped = |index: usize| format!("<30>Feb  3 04:05:06 gate x: {{\"priority\":{index}}}");
    let cases: [(&str, Envelope, Line<'_>); 3] = [
        ("combined", Envelope::None, &access),
        ("ndjson", Envelope::None, &json),
        ("ndjson", Envelope::Syslog, &wrapped),
    ];
    let library = Library::builtin();
    for (name, envelope, line) in cases {
        let lines = batch(line, envelope);
        for stages in [no_op(), set()] {
            let given = vec![library.format(name).expect("a built-in format")];
            let formats = Formats::new(given, library.clone(), Unmatched::Keep, |_| ()).with_stages(stages);
            assert_eq!(measure(formats, &lines), (0, LINES as u64), "{name} {envelope:?}");
        }
    }
}
