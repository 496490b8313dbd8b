//! Sinks that want other documents than most: `_id` outside, values beside the body, an encoder of their own.

use super::*;
use crate::document::{Refusal, TimeSource, Value};
use crate::event::{Body, DocumentEncoder, DocumentEncoderSpec, Event, FieldPath, IdPlace, Wanted};

/// Makes encoders that write the field `number` and a semicolon, and refuse some numbers.
#[derive(Debug)]
struct Numbers;

struct NumberEncoder(FieldPath);

impl DocumentEncoderSpec for Numbers {
    fn encoder(&self) -> Result<Box<dyn DocumentEncoder>> {
        Ok(Box::new(NumberEncoder(FieldPath::new("number")?)))
    }
}

impl DocumentEncoder for NumberEncoder {
    fn encode(&mut self, event: &mut Event<'_>, _id: &RecordId, out: &mut Vec<u8>) -> Result<(), Refusal> {
        out.extend_from_slice(b"partly ");
        match event.get(&self.0) {
            Some(Value::Int(number @ 0..100)) => out.extend_from_slice(format!("{number};").as_bytes()),
            Some(_) => return Err(Refusal { too_large: true, words: "100 or more".into() }),
            None => return Err(Refusal { too_large: false, words: "no number".into() }),
        }
        Ok(())
    }
}

/// Returns the layout with all values beside the body.
fn with_all_beside(layout: Layout) -> Layout {
    let fields = ["word", "[no][such]", "number", "@timestamp"].map(|name| FieldPath::new(name).unwrap());
    layout.with_beside(Wanted { time: true, context: true, fields: fields.into() })
}

#[test]
fn what_an_encoder_refuses_is_a_dead_letter_and_the_sink_gets_the_rest() {
    let sink = Arc::new(MemorySink::new(Layout::own(Arc::new(Numbers))));
    let other = Arc::new(MemorySink::new(Encoding::Json));
    let letters = LetterFolder::new();
    let storer = letters.storer(vec![sink.clone().into(), other.clone().into()]);
    let mut parser = parser(Unmatched::Keep, &storer.layouts());
    let batch = batch(0, "one 1\ntwo 200\nnothing\nfour 4\n");
    let id = ids(&batch);
    let mut parsed = parser.buffer();
    parser.parse(&batch, &mut parsed).unwrap();
    let tally = storer.store(&batch, &parsed, &mut Vec::new()).unwrap().tally;
    assert_eq!(tally, Tally { stored: 2, dead_lettered: 2, ..Tally::default() });
    assert_eq!(sink.all(), [(id[0], b"partly 1;".to_vec()), (id[3], b"partly 4;".to_vec())]);
    assert_eq!(other.len(), 4, "another sink has its own encoder");
    let found: Vec<_> = letters.read().iter().map(|letter| (letter.reason, letter.detail.clone())).collect();
    let expected = [(Reason::Oversize, "memory:: 100 or more"), (Reason::Rejected, "memory:: no number")];
    assert_eq!(found, expected.map(|(reason, words)| (reason, words.to_owned())));
    let counts: Vec<u64> = crate::worker::SINK.iter().map(|spec| storer.accounts()[0].get(spec)).collect();
    assert_eq!(counts, [2, 0, 2, 0]);
}

#[test]
fn a_body_without_an_id_holds_everything_else() {
    for encoding in [Encoding::Json, Encoding::Bson] {
        let layouts = [Layout::from(encoding), Layout::from(encoding).with_id(IdPlace::Outside)];
        let mut parser = parser(Unmatched::Keep, &layouts);
        let batch = batch(0, LINES);
        let mut parsed = parser.buffer();
        parser.parse(&batch, &mut parsed).unwrap();
        let [inside, outside] = layouts.each_ref().map(|layout| parsed.encoded(layout));
        for (with, without) in inside.iter().zip(outside.iter()) {
            assert_eq!(with.id, without.id);
            let id = with.id.to_string();
            assert!(memchr::memmem::find(without.bytes, id.as_bytes()).is_none());
            match encoding {
                Encoding::Json => {
                    let parse = |bytes| serde_json::from_slice::<serde_json::Map<_, _>>(bytes).unwrap();
                    let mut with = parse(with.bytes);
                    assert_eq!(with.remove("_id"), Some(id.into()));
                    assert_eq!(with, parse(without.bytes));
                }
                Encoding::Bson => {
                    // A BSON document begins with its length, and ends with a NUL.
                    let length = u32::from_le_bytes(*without.bytes.first_chunk().unwrap()) as usize;
                    assert_eq!(length, without.bytes.len());
                    let fields = with.bytes.len() - (without.bytes.len() - 4);
                    assert_eq!(&with.bytes[fields..], &without.bytes[4..]);
                }
            }
        }
    }
}

#[test]
fn values_beside_the_body_are_those_of_the_event_and_cost_nothing_unasked() {
    let layouts = [with_all_beside(Encoding::Json.into()), with_all_beside(Layout::own(Arc::new(Numbers)))];
    let plain = Layout::from(Encoding::Json);
    let library = Library::builtin();
    let text = "^%{WORD:word} %{INT:number:int}(?: %{TIMESTAMP_ISO8601:time})?$";
    let mut format = library.pattern(text).unwrap();
    format.date = Some(crate::grok::DateRule { paths: vec![vec!["time".into()]], formats: vec!["ISO8601".into()] });
    let formats = Arc::new(Formats::new(vec![format], library, Unmatched::Keep, |_| ()));
    let mut parser = formats.parser(layouts.iter().chain([&plain]).cloned()).unwrap();
    let batch = batch(0, "one 1 2015-05-17T10:05:03.000Z\ntwo 2\nno number\n");
    let mut parsed = parser.buffer();
    for _ in 0..2 {
        parser.parse(&batch, &mut parsed).unwrap();
        for layout in &layouts {
            let documents = parsed.encoded(layout);
            let beside = documents.beside();
            let time = Some((1_431_857_103_000, TimeSource::Record));
            assert_eq!([0, 1, 2].map(|index| beside.time(index)), [time, None, None], "{:?}", layout.body);
            assert!((0..3).all(|index| beside.context(index) == Some(&batch.context)));
            let fields = |index| [0, 1, 2, 3].map(|field| beside.field(index, field));
            let date = time.map(|(ms, _)| Value::Date(ms.into()));
            assert_eq!(fields(0), [Some(Value::Text(b"one")), None, Some(Value::Int(1)), date]);
            assert_eq!(fields(1), [Some(Value::Text(b"two")), None, Some(Value::Int(2)), None]);
            assert_eq!(fields(2), [None; 4]);
            let some = documents.only(&[1]);
            assert_eq!(some.beside().field(0, 0), Some(Value::Text(b"two")));
            assert_eq!((some.beside().time(0), some.beside().context(0)), (None, Some(&batch.context)));
        }
        let nothing = parsed.encoded(&plain).beside();
        assert_eq!((nothing.time(0), nothing.context(0), nothing.field(0, 0)), (None, None, None));
    }
    assert!(matches!(layouts[1].body, Body::Own(_)) && layouts[1] == layouts[1].clone() && layouts[0] != plain);
}
