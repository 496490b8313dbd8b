//! Tests of lines that are JSON objects: their numbers, repeated names, and names that a store refuses. No value may be
//! lost in either encoding.

use super::*;

#[test]
fn a_number_stays_what_it_is_or_is_a_text_and_tagged() {
    for (number, value, tagged) in [
        ("0", json!(0), false),
        ("-0", json!(-0.0), false),
        ("9007199254740993", json!(9_007_199_254_740_993_i64), false),
        ("9223372036854775807", json!(i64::MAX), false),
        ("9223372036854775808", json!("9223372036854775808"), true),
        ("-9223372036854775808", json!(i64::MIN), false),
        ("-9223372036854775809", json!("-9223372036854775809"), true),
        ("18446744073709551615", json!("18446744073709551615"), true),
        ("100000000000000000000000000000", json!("100000000000000000000000000000"), true),
        ("0.1", json!(0.1), false),
        ("1.50", json!(1.5), false),
        ("1.0000000000000000001", json!(1.0), false),
        ("1e20", json!(1e20), false),
        ("1e308", json!(1e308), false),
        ("1e400", json!("1e400"), true),
        ("-1E+400", json!("-1E+400"), true),
        ("1e-400", json!("1e-400"), true),
        ("0e-400", json!(0.0), false),
        ("0.000e400", json!(0.0), false),
    ] {
        let mut expected = json!({"n": value, "in": {"an": [value]}});
        if tagged {
            expected["tags"] = json!(["_typefailure:n", "_typefailure:[in][an]"]);
        }
        let line = format!(r#"{{"n":{number},"in":{{"an":[{number}]}}}}"#);
        assert_eq!(encode_each(None, &line), [expected.clone(), expected], "{number}");
    }
}

#[test]
fn all_values_of_one_name_are_kept_and_the_name_is_a_tag() {
    let tag = |names: &[&str]| names.iter().map(|name| format!("_duplicate_field:{name}")).collect::<Vec<_>>();
    for (line, json, bson) in [
        // Two names that become the same name in BSON documents only.
        (r#"{"a.b":1,"a_b":2}"#, json!({"a.b": 1, "a_b": 2}), json!({"a_b": [1, 2], "tags": tag(&["a_b"])})),
        (r#"{"a_b":2,"a.b":1}"#, json!({"a.b": 1, "a_b": 2}), json!({"a_b": [2, 1], "tags": tag(&["a_b"])})),
        (
            r#"{"$a":1,"_a":{"$x":1,"_x":[2]},"a":{"":0}}"#,
            json!({"$a": 1, "_a": {"$x": 1, "_x": [2]}, "a": {"": 0}}),
            json!({"_a": [1, {"_x": [1, [2]]}], "a": {"": 0}, "tags": tag(&["_a", "_x"])}),
        ),
        (
            r#"{"a\u0000b":1,"a.b":2,"a_b":3}"#,
            json!({"a\0b": 1, "a.b": 2, "a_b": 3}),
            json!({"a_b": [1, 2, 3], "tags": tag(&["a_b"])}),
        ),
        // The same name twice, in both encodings.
        (
            r#"{"a":1,"b":{"x":1,"x":{"x":2}},"a":3,"\u0061":null}"#,
            json!({"a": [1, 3, null], "b": {"x": [1, {"x": 2}]}, "tags": tag(&["a", "x"])}),
            json!({"a": [1, 3, null], "b": {"x": [1, {"x": 2}]}, "tags": tag(&["a", "x"])}),
        ),
        (
            r#"{"a":[{"x":1,"x":2},{"x":1,"x":2}]}"#,
            json!({"a": [{"x": [1, 2]}, {"x": [1, 2]}], "tags": tag(&["x"])}),
            json!({"a": [{"x": [1, 2]}, {"x": [1, 2]}], "tags": tag(&["x"])}),
        ),
        // The names that belong to logator.
        (
            r#"{"_id":1,"_id_":2,"$id":3,"tags":[4],"tags_":5}"#,
            json!({"_id_": [1, 2], "$id": 3, "tags_": [[4], 5], "tags": tag(&["_id_", "tags_"])}),
            json!({"_id_": [1, 2, 3], "tags_": [[4], 5], "tags": tag(&["_id_", "tags_"])}),
        ),
        (
            r#"{"a":18446744073709551615,"a":1}"#,
            json!({"a": ["18446744073709551615", 1], "tags": ["_typefailure:a", "_duplicate_field:a"]}),
            json!({"a": ["18446744073709551615", 1], "tags": ["_typefailure:a", "_duplicate_field:a"]}),
        ),
    ] {
        assert_eq!(encode_each(None, line), [json, bson], "{line}");
    }
}

#[test]
fn the_first_of_two_times_that_can_be_read_counts_and_both_stay() {
    let date = rule("@timestamp", "ISO8601");
    let line = r#"{"@timestamp":"noon","@timestamp":"2015-05-17T10:05:03Z","m":1}"#;
    let expected = json!({"@timestamp": "2015-05-17T10:05:03.000Z", "@timestamp_": ["noon", "2015-05-17T10:05:03Z"],
        "m": 1, "tags": ["_duplicate_field:@timestamp_"]});
    assert_eq!(encode_each(Some(&date), line), [expected.clone(), expected]);
}

#[test]
fn thousands_of_repeated_names_are_joined_in_little_time() {
    let many: String = (0..50_000).map(|n| format!("\"k{}\":{n},", n % 25_000)).collect();
    let [json, bson] = encode_each(None, &format!("{{{}}}", many.trim_end_matches(',')));
    assert_eq!(json, bson);
    assert_eq!(json.as_object().unwrap().len(), 25_001);
    assert_eq!(json["k0"], json!([0, 25_000]));
    assert_eq!(json["tags"].as_array().unwrap().len(), 25_000);
}

/// JSON with members in their order, including repeated names.
#[derive(Debug, Clone)]
enum Tree {
    Leaf(Value),
    Items(Vec<Tree>),
    Members(Vec<(String, Tree)>),
}

fn any_tree() -> BoxedStrategy<Tree> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        "[a-z\u{0}é.$]{0,4}".prop_map(Value::from),
    ];
    leaf.prop_map(Tree::Leaf)
        .prop_recursive(4, 40, 6, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Tree::Items),
                any_members(inner.boxed()).prop_map(Tree::Members),
            ]
        })
        .boxed()
}

fn any_members(value: BoxedStrategy<Tree>) -> impl Strategy<Value = Vec<(String, Tree)>> {
    let name = prop_oneof!["[$._\u{0}a]{0,3}", "_id|[$]id|_id_|tags|[$.]tags|tags_|@timestamp|@timestamp_"];
    proptest::collection::vec((name, value), 0..7)
}

impl Tree {
    fn write(&self, out: &mut String) {
        match self {
            Tree::Leaf(value) => *out += &value.to_string(),
            Tree::Items(items) => {
                let items = items.iter().map(Tree::text);
                *out += &format!("[{}]", items.collect::<Vec<_>>().join(","));
            }
            Tree::Members(members) => {
                let members =
                    members.iter().map(|(name, value)| format!("{}:{}", Value::from(name.as_str()), value.text()));
                *out += &format!("{{{}}}", members.collect::<Vec<_>>().join(","));
            }
        }
    }

    fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    /// Returns the expected content of a document of the encoding, computed as the documentation says. `repeated`
    /// collects the repeated names, and a number that is too large sets `huge`.
    fn model(&self, bson: bool, top: bool, repeated: &mut Vec<String>, huge: &mut bool) -> Value {
        let members = match self {
            Tree::Leaf(Value::Number(number)) if number.as_i64().is_none() => {
                *huge = true;
                return number.to_string().into();
            }
            Tree::Leaf(value) => return value.clone(),
            Tree::Items(items) => {
                return items.iter().map(|item| item.model(bson, false, repeated, huge)).collect();
            }
            Tree::Members(members) => members,
        };
        let mut joined: Vec<(String, Vec<Value>)> = Vec::new();
        for (name, value) in members {
            let mut name = name.clone();
            if bson {
                let signs = name.chars().take_while(|c| *c == '$').count();
                name = "_".repeat(signs) + &name[signs..].replace(['.', '\0'], "_");
            }
            if top && ["_id", "tags", "@timestamp"].contains(&name.as_str()) {
                name += "_";
            }
            let value = value.model(bson, false, repeated, huge);
            match joined.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => joined.push((name, vec![value])),
            }
        }
        let one = |(name, mut values): (String, Vec<Value>)| {
            let value = match values.len() {
                1 => values.remove(0),
                _ => {
                    repeated.push(name.clone());
                    Value::Array(values)
                }
            };
            (name, value)
        };
        Value::Object(joined.into_iter().map(one).collect())
    }
}

proptest! {
    #[test]
    fn both_encodings_hold_every_value_as_the_model_has_it(members in any_members(any_tree())) {
        let tree = Tree::Members(members);
        let encoded = encode_each(None, &tree.text());
        for (bson, mut encoded) in [false, true].into_iter().zip(encoded) {
            // The model does not know where a number stands.
            if let Some(Value::Array(tags)) = encoded.get_mut("tags") {
                let is_type = |tag: &Value| tag.as_str().is_some_and(|tag| tag.starts_with("_typefailure:"));
                tags.iter_mut().filter(|tag| is_type(tag)).for_each(|tag| *tag = json!("_typefailure"));
                tags.dedup();
            }
            let (mut repeated, mut huge) = (Vec::new(), false);
            let mut model = tree.model(bson, true, &mut repeated, &mut huge);
            repeated.sort();
            repeated.dedup();
            let tags = huge.then(|| "_typefailure".to_owned()).into_iter();
            let tags: Vec<String> = tags.chain(repeated.iter().map(|name| format!("_duplicate_field:{name}"))).collect();
            if !tags.is_empty() {
                model["tags"] = json!(tags);
            }
            prop_assert_eq!(encoded, model, "BSON: {}", bson);
        }
    }
}

/// Values as a line has them; those from [`ODD`] on are not valid, or are written in another way than they are read.
const VALUES: [&str; 26] = [
    "0",
    "-1",
    "12345678",
    "0.5",
    "-0.5",
    "true",
    "false",
    "null",
    r#""""#,
    r#""a b""#,
    r#""é""#,
    "1.50",
    "2.0",
    "-0",
    "01",
    "1234567890123456789",
    "99999999999999999999",
    "1.",
    "1e3",
    "1e400",
    "tru",
    r#""\n""#,
    r#""\ud800""#,
    "\"\u{1}\"",
    "[]",
    "\"",
];
const ODD: usize = 13;

/// Returns values of which at most one is odd.
fn any_values() -> impl Strategy<Value = Vec<&'static str>> {
    let common = proptest::collection::vec(proptest::sample::select(&VALUES[..ODD]), 6);
    (common, proptest::sample::select(&VALUES[..]), 0..12_usize).prop_map(|(mut values, any, at)| {
        if let Some(value) = values.get_mut(at) {
            *value = any;
        }
        values
    })
}

proptest! {
    #[test]
    fn a_line_reads_the_same_whichever_lines_were_read_before_it(
        lines in proptest::collection::vec((0..6_usize, any_values()), 1..30),
        blank in proptest::sample::select(&["", " "][..]),
    ) {
        let mut used = JsonDecoder::new(Some(&rule("t", "%s"))).unwrap();
        for (kind, v) in lines {
            let line = match kind {
                0 | 1 => format!(r#"{{"t":{},"a":{}{blank},"o":{{"x":{},"y":[{},{}]}},"z":{}}}"#, v[0], v[1], v[2], v[3], v[4], v[5]),
                2 => format!(r#"{{"_id":{},{blank}"$a":{},"a":{},"a":[[{}]],"_a":{{"":{}}},"t":{}}}{blank}"#, v[0], v[1], v[2], v[3], v[4], v[5]),
                _ => format!(r#"{{"t":{},"k{kind}":{}}}"#, v[0], v[1]),
            };
            let mut new = JsonDecoder::new(Some(&rule("t", "%s"))).unwrap();
            let written = [&mut used, &mut new].map(|decoder| {
                let mut changes = Changes::default();
                let mut write = object_writer(decoder, line.as_bytes(), &mut changes);
                [Encoding::Json, Encoding::Bson].map(|encoding| {
                    let mut out = Vec::new();
                    write(encoding, &mut out).then_some(out)
                })
            });
            prop_assert_eq!(&written[0], &written[1], "{}", line);
        }
    }
}
