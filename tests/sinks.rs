//! The contract of sinks: what every kind of sink of the registry promises, whatever it stores in. A kind without an entry
//! in [`HARNESSES`] fails a test.

mod places;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, mpsc};
use std::thread;
use std::time::Duration;

use logator::core::context::{Context, Origin};
use logator::core::record::RecordId;
use logator::core::wait::{Deadline, Waits};
use logator::document::Documents;
use logator::event::{Changes, Event, Layout, LayoutWriter};
use logator::observe::counters::CounterSpec;
use logator::sink::memory::MemorySink;
use logator::sink::registry::KINDS;
use logator::sink::{AnySink, Encoding, Opening, Outcome, Sink, SinkFile, SinkSpec};

use self::places::{HARNESSES, Place};

/// Returns the id of document number `number`.
fn id(number: u64) -> RecordId {
    RecordId::at(1, number * 100, format!("line {number}").as_bytes())
}

/// Returns a batch of the documents with these numbers.
fn batch(layout: Layout, numbers: impl IntoIterator<Item = u64>) -> Documents {
    let mut changes = Changes::default();
    let mut documents = Documents::new(layout.encoding());
    let mut writer = LayoutWriter::new(layout).unwrap();
    let context = Context::new(Arc::new(Origin::new(1, "a.log"))).at(1_431_857_103_000);
    for (line, number) in numbers.into_iter().enumerate() {
        let text = format!("line {number} \0 é \"quoted\"");
        let mut event = Event::undecoded(text.as_bytes(), true, None, &mut changes);
        writer.push(&mut event, line as u32, id(number), &context, &mut documents);
    }
    documents
}

fn opened(spec: &SinkSpec, waits: &Waits) -> Arc<dyn Sink> {
    match spec.open(&Opening::new(waits)) {
        Ok(AnySink::Documents(sink)) => sink,
        Ok(AnySink::Records(_)) => panic!("{spec} takes records"),
        Err(error) => panic!("{spec}: {error}"),
    }
}

fn store(sink: &dyn Sink, numbers: impl IntoIterator<Item = u64>) -> Vec<Outcome> {
    let documents = batch(sink.layout(), numbers);
    let mut outcomes = vec![Outcome::Duplicate; 3];
    sink.store(&documents, &mut outcomes).unwrap();
    assert_eq!(outcomes.len(), documents.len(), "one outcome for each document");
    outcomes
}

/// Calls `check` with each place of the harnesses, those that need a server or the others. At least one place must be
/// checked.
fn at_each_place(with_server: bool, check: impl Fn(&SinkSpec, &dyn Place)) {
    let mut checked = 0;
    for harness in HARNESSES.iter().filter(|harness| harness.needs_server == with_server) {
        for place in harness.places {
            let place = place();
            let spec = SinkSpec::parse(&place.address()).unwrap();
            assert_eq!(spec.kind().name, harness.kind);
            check(&spec, &*place);
            checked += 1;
        }
    }
    assert!(checked > 0);
}

/// Delivers documents to sinks that the function opens, and returns the answers.
type Scenario<'a> = &'a dyn Fn(&dyn Fn() -> Arc<dyn Sink>) -> Vec<Outcome>;

/// Runs `scenario` at a place and with the sink in memory. Outcomes and content must be the same. The exception is a kind
/// that does not know duplicates: it reports a duplicate as stored and holds it twice.
fn same_as_in_memory(spec: &SinkSpec, place: &dyn Place, scenario: Scenario<'_>) {
    let oracle = Arc::new(MemorySink::new(Encoding::Json));
    let expected = scenario(&|| oracle.clone());
    let answers = scenario(&|| {
        let sink = opened(spec, &Waits::default());
        assert_eq!(sink.name(), place.shown().unwrap_or_else(|| spec.to_string()));
        sink
    });
    match spec.kind().knows_duplicates {
        true => assert_eq!(answers, expected, "{spec}"),
        false => assert_eq!(answers, vec![Outcome::Stored; expected.len()], "{spec}"),
    }
    let Some(mut stored) = place.stored() else { return };
    stored.sort();
    if !spec.kind().knows_duplicates {
        stored.dedup();
    }
    let message = |bytes: &[u8]| serde_json::from_slice::<serde_json::Value>(bytes).unwrap()["message"].clone();
    let documents: Vec<(String, String)> = oracle
        .all()
        .into_iter()
        .map(|(id, bytes)| (id.to_string(), message(&bytes).as_str().unwrap().to_owned()))
        .collect();
    assert_eq!(stored, documents, "{spec}");
}

/// A document is stored once, however often and by however many threads it is delivered.
fn delivery_is_idempotent(with_server: bool) {
    let fresh = |open: &dyn Fn() -> Arc<dyn Sink>| store(&*open(), 0..300);
    let empty = |open: &dyn Fn() -> Arc<dyn Sink>| {
        let sink = open();
        let outcomes = store(&*sink, []);
        sink.close().unwrap();
        outcomes
    };
    let again = |open: &dyn Fn() -> Arc<dyn Sink>| {
        let sink = open();
        [store(&*sink, [1, 2]), store(&*sink, [2, 3, 1]), store(&*sink, [3]), store(&*sink, [5, 6, 5, 5])].concat()
    };
    let reopened = |open: &dyn Fn() -> Arc<dyn Sink>| {
        let sink = open();
        let first = store(&*sink, 0..10);
        sink.close().unwrap();
        drop(sink);
        let second = store(&*open(), 5..15);
        [first, second, store(&*open(), 0..15)].concat()
    };
    let threads = |open: &dyn Fn() -> Arc<dyn Sink>| {
        let sink = open();
        let mut outcomes: Vec<Outcome> = thread::scope(|scope| {
            let store_some = |thread: u64| {
                let sink = &sink;
                move || {
                    (0..6)
                        .flat_map(|n| store(&**sink, (0..20).map(|i| thread / 2 * 1000 + n * 20 + i)))
                        .collect::<Vec<_>>()
                }
            };
            let threads: Vec<_> = (0..8).map(|thread| scope.spawn(store_some(thread))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        // Of two threads with the same documents, either may be first.
        outcomes.sort_by_key(|outcome| *outcome == Outcome::Duplicate);
        outcomes
    };
    let scenarios: [Scenario<'_>; 5] = [&fresh, &empty, &again, &reopened, &threads];
    for scenario in scenarios {
        at_each_place(with_server, |spec, place| same_as_in_memory(spec, place, scenario));
    }
}

/// A document that the store refuses is rejected with the reason, and its neighbours are stored.
fn single_documents_are_refused(with_server: bool) {
    at_each_place(with_server, |spec, place| {
        let sink = opened(spec, &Waits::default());
        if !place.refuse(id(2)) {
            return;
        }
        let outcomes = store(&*sink, 0..5);
        for (number, outcome) in outcomes.iter().enumerate() {
            match (number, outcome) {
                (2, Outcome::Rejected(words)) => assert!(!words.is_empty(), "{spec}"),
                (_, outcome) => assert!(number != 2 && *outcome == Outcome::Stored, "{spec}: {outcomes:?}"),
            }
        }
        assert_eq!(place.stored().unwrap().len(), 4, "{spec}");
    });
}

/// A store that is away fails a batch at the deadline, and stores it when it is back in time.
fn trouble_is_waited_for(with_server: bool) {
    at_each_place(with_server, |spec, place| {
        let counted = |sink: &dyn Sink| sink.counters().map(|own| own.row("").counts).unwrap_or_default();
        let waits = Waits::quiet(Deadline::of(Duration::from_millis(300)));
        let sink = opened(spec, &waits);
        let Some(held) = place.hold() else { return };
        let outcomes = store(&*sink, 0..3);
        drop(held);
        for outcome in &outcomes {
            let Outcome::Failed(words) = outcome else { panic!("{spec}: {outcomes:?}") };
            assert!(words.contains("not stored within 0.3 s") && words.contains("--sink-deadline"), "{spec}: {words}");
        }
        let (heard, said) = mpsc::channel();
        let heard = Mutex::new(heard);
        let say = Box::new(move |sentence: &str| drop(heard.lock().unwrap().send(sentence.to_owned())));
        let sink = opened(spec, &Waits::new(Deadline::of(Duration::from_secs(60)), None, say));
        let held = place.hold().unwrap();
        let outcomes = thread::scope(|scope| {
            let storing = scope.spawn(|| store(&*sink, 0..3));
            // Before this sentence, the client of a server may say why it has no connection.
            let mut sentences = Vec::new();
            while !sentences.iter().any(|sentence: &String| sentence.contains("trying again")) {
                let next = said.recv_timeout(Duration::from_secs(60));
                sentences.push(next.unwrap_or_else(|_| panic!("{spec}: {sentences:?}")));
            }
            drop(held);
            storing.join().unwrap()
        });
        // The first attempt may have reached the store at the end.
        let known = |outcome: &Outcome| matches!(outcome, Outcome::Stored | Outcome::Duplicate);
        assert!(outcomes.iter().all(known), "{spec}: {outcomes:?}");
        assert_eq!(place.stored().unwrap().len(), 3, "{spec}");
        let attempts: u64 = counted(&*sink).iter().filter_map(|(_, value)| *value).sum();
        assert!(attempts > 0, "{spec}: the account tells of the trouble");
    });
}

/// A sink writes no file that it has not declared, and counts with the counters that its kind declares.
fn files_and_counters_are_declared(with_server: bool) {
    at_each_place(with_server, |spec, place| {
        let sink = opened(spec, &Waits::default());
        store(&*sink, 0..3);
        let numbers = |list: &[CounterSpec]| list.iter().map(|spec| spec.number).collect::<BTreeSet<u16>>();
        let own = sink.counters().map(|own| own.row("").counts).unwrap_or_default();
        let own: Vec<CounterSpec> = own.into_iter().map(|(spec, _)| *spec).collect();
        assert_eq!(numbers(&own), numbers(spec.kind().counters), "{spec}");
        let mut undeclared: BTreeSet<String> = place.files().into_iter().collect();
        for file in spec.files() {
            match file {
                SinkFile::Written(path) => drop(undeclared.remove(path.to_str().unwrap())),
                SinkFile::Table { database, .. } => {
                    let database = database.to_str().unwrap().to_owned();
                    undeclared.retain(|file| !file.starts_with(&database));
                }
                SinkFile::StandardOutput | SinkFile::Read(_) => {}
            }
        }
        assert!(undeclared.is_empty(), "{spec} writes {undeclared:?}");
    });
}

#[test]
fn every_kind_of_the_registry_has_a_harness_here() {
    let kinds: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
    let harnesses: Vec<&str> = HARNESSES.iter().map(|harness| harness.kind).collect();
    assert_eq!(kinds, harnesses);
    let schemes: Vec<&str> = KINDS.iter().flat_map(|kind| kind.schemes).copied().collect();
    assert_eq!(schemes.iter().collect::<BTreeSet<_>>().len(), schemes.len(), "a scheme belongs to two kinds");
    for kind in KINDS {
        assert!(!kind.syntax.is_empty() && !kind.help.is_empty(), "{}", kind.name);
    }
}

#[test]
fn no_address_shows_a_secret_and_each_is_read_again_as_it_was_written() {
    for (harness, kind) in HARNESSES.iter().zip(KINDS) {
        assert!(!harness.addresses.is_empty());
        for address in harness.addresses {
            let spec = SinkSpec::parse(address).unwrap();
            assert_eq!(spec.to_argument(), *address);
            assert_eq!(SinkSpec::parse(spec.to_argument().to_str().unwrap()).unwrap(), spec);
            let shown = format!("{spec} {spec:?}");
            assert!(!shown.contains("hush"), "{shown}");
        }
        let has_secret = harness.addresses.iter().any(|address| address.contains("hush"));
        assert_eq!(has_secret, kind.has_login, "{}: an address with a password, if there can be one", kind.name);
    }
}

#[test]
fn sinks_without_a_server_keep_the_contract() {
    delivery_is_idempotent(false);
    single_documents_are_refused(false);
    trouble_is_waited_for(false);
    files_and_counters_are_declared(false);
}

#[cfg(feature = "mongodb")]
#[test]
#[ignore = "needs a mongod of its own: run ./test"]
fn sinks_with_a_server_keep_the_contract() {
    delivery_is_idempotent(true);
    single_documents_are_refused(true);
    trouble_is_waited_for(true);
    files_and_counters_are_declared(true);
}
