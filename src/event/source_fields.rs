//! [`SourceFields`]: the fields that all documents of a source have, such as `path` and `host`. They are encoded once.

use serde_json::{Map, Value as JsonValue};

use super::additions::{Added, Addition, write_all};
use super::members::ObjectView;
use super::value::{FieldPath, Holds, Value};
use crate::core::context::Origin;
use crate::document::keys::Key;
use crate::document::{Bson, DocumentWriter, EncodedMembers, Encoding, Json, Tags};

/// The names of `path` and `host` if the record has fields of these names.
pub const SPARE_NAMES: [&str; 2] = ["@source_path", "@source_host"];

/// The most fields at the top level that are appended without a look at each name of the record.
const MOST_TOPS: usize = 64;

/// Returns the names of the path and of the host, each as the levels of its name.
pub fn source_names(ecs: bool) -> [&'static [&'static str]; 2] {
    if ecs { [&["log", "file", "path"], &["host", "name"]] } else { [&["path"], &["host"]] }
}

/// The fields that all documents of a source have. A field of the record with the same name counts instead.
#[derive(Debug)]
pub struct SourceFields {
    /// A number that no other fields of the same parser have.
    pub(super) serial: u64,
    /// The fields. Those with a common level follow each other.
    leaves: Vec<Leaf>,
    tops: Vec<Top>,
    /// All fields under their first names.
    all: EncodedMembers,
    /// The lengths of the names at the top level, one bit for each.
    lengths: u64,
    /// Whether a name is one that the whole text of a record may have.
    is_special: bool,
}

#[derive(Debug)]
struct Leaf {
    keys: Vec<Key>,
    value: JsonValue,
    spare: Option<Key>,
}

/// A name at the top level.
#[derive(Debug)]
struct Top {
    key: Key,
    is_object: bool,
    members: EncodedMembers,
    /// The fields that have another name if the record has this one.
    spare: Option<EncodedMembers>,
}

/// How the fields go together with those of a record.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Meeting {
    /// The names at the top level that the record has, one bit for each.
    pub taken: u64,
    /// Whether fields must be written into objects of the record.
    pub merges: bool,
}

impl Leaf {
    fn addition(&self) -> Addition<'_> {
        Addition {
            keys: &self.keys,
            value: Added::Json(&self.value),
            spare: self.spare.as_ref().map(std::slice::from_ref),
        }
    }
}

impl SourceFields {
    /// Returns the fields that documents of `origin` have; `None` if there are none. With `ecs`, they have the names of the
    /// Elastic Common Schema. The caller gives each its own `serial`.
    pub fn of(origin: &Origin, ecs: bool, serial: u64) -> Option<SourceFields> {
        let given = origin.fields.as_deref().and_then(|text| serde_json::from_str::<Map<String, JsonValue>>(text).ok());
        let mut leaves = Vec::new();
        flatten(given.unwrap_or_default(), &mut Vec::new(), &mut leaves);
        let own = [&origin.path, &origin.host].into_iter().zip(source_names(ecs)).zip(SPARE_NAMES);
        for ((text, names), spare) in own {
            if let Some(text) = text {
                add_own(&mut leaves, names, text, spare);
            }
        }
        (!leaves.is_empty()).then(|| SourceFields::encoded(leaves, serial))
    }

    fn encoded(leaves: Vec<Leaf>, serial: u64) -> SourceFields {
        let mut fields = SourceFields {
            serial,
            leaves: Vec::new(),
            tops: Vec::new(),
            all: EncodedMembers::default(),
            lengths: 0,
            is_special: false,
        };
        let first = |leaf: &Leaf| leaf.keys.first().map(|key| key.name.clone());
        for run in leaves.chunk_by(|one, other| first(one) == first(other)) {
            let Some(key) = run.first().and_then(|leaf| leaf.keys.first()) else { continue };
            let additions: Vec<Addition<'_>> = run.iter().map(Leaf::addition).collect();
            let members = encode(&additions);
            fields.all.json.extend_from_slice(&members.json);
            fields.all.bson.extend_from_slice(&members.bson);
            let spares: Vec<Addition<'_>> = additions.iter().filter_map(|addition| addition.under_spare()).collect();
            for name in std::iter::once(key).chain(spares.iter().flat_map(|spare| spare.keys)) {
                fields.lengths |= length_bit(&name.name) | length_bit(&name.bson_name);
            }
            fields.is_special |= matches!(key.name.as_str(), "message" | "event" | "@original");
            fields.tops.push(Top {
                key: key.clone(),
                is_object: additions.iter().all(|addition| addition.keys.len() > 1),
                members,
                spare: (!spares.is_empty()).then(|| encode(&spares)),
            });
        }
        fields.leaves = leaves;
        fields
    }

    /// Whether the text of a record may need a name of these fields.
    pub(super) fn is_special(&self) -> bool {
        self.is_special
    }

    /// Returns the fields one by one.
    pub(super) fn additions(&self) -> impl Iterator<Item = Addition<'_>> {
        self.leaves.iter().map(Leaf::addition)
    }

    /// Returns how the fields meet a record whose names `holds` looks up.
    pub(super) fn meet(&self, encoding: Encoding, holds: impl Fn(&str) -> Option<Holds>) -> Meeting {
        let mut meeting = Meeting { taken: 0, merges: self.tops.len() > MOST_TOPS };
        for (index, top) in self.tops.iter().enumerate().take(MOST_TOPS) {
            match holds(top.key.name(encoding)) {
                Some(Holds::Object) if top.is_object => meeting.merges = true,
                Some(_) => meeting.taken |= 1 << index,
                None => {}
            }
        }
        meeting.merges |= SPARE_NAMES.into_iter().any(|name| holds(name).is_some());
        meeting
    }

    /// Returns how the fields meet the members of `record`.
    #[inline]
    pub(super) fn meet_object(&self, encoding: Encoding, record: ObjectView<'_>, except: Option<usize>) -> Meeting {
        let mut meeting = Meeting { taken: 0, merges: self.tops.len() > MOST_TOPS };
        for member in record.members() {
            if self.lengths & length_bit(member.name) == 0 || Some(member.at) == except {
                continue;
            }
            let is_same = |top: &Top| top.key.name(encoding) == member.name;
            match self.tops.iter().take(MOST_TOPS).position(is_same) {
                Some(index) if self.tops[index].is_object && member.object().is_some() => meeting.merges = true,
                Some(index) => meeting.taken |= 1 << index,
                None => meeting.merges |= SPARE_NAMES.contains(&member.name),
            }
        }
        meeting
    }

    /// Appends the fields to a document whose record has the names in `taken`, and no objects that fields lead into.
    #[inline]
    pub(super) fn append<W: DocumentWriter>(&self, taken: u64, writer: &mut W) {
        if taken != 0 || !writer.append(&self.all) {
            self.append_each(taken, writer);
        }
    }

    #[cold]
    fn append_each<W: DocumentWriter>(&self, taken: u64, writer: &mut W) {
        for (index, top) in self.tops.iter().enumerate() {
            let is_taken = taken & (1 << index) != 0;
            let members = if is_taken { top.spare.as_ref() } else { Some(&top.members) };
            let Some(members) = members else { continue };
            if writer.append(members) {
                continue;
            }
            let of_top = |leaf: &&Leaf| leaf.keys.first().is_some_and(|key| key.name == top.key.name);
            let additions = self.leaves.iter().filter(of_top).map(Leaf::addition);
            let due: Vec<Addition<'_>> = match is_taken {
                true => additions.filter_map(Addition::under_spare).collect(),
                false => additions.collect(),
            };
            write_all(&due, 0, writer, &mut Tags::default());
        }
    }

    /// Returns the value of the field `path`, if it is no array.
    pub(super) fn get(&self, path: &FieldPath) -> Option<Value<'_>> {
        let same = |leaf: &&Leaf| {
            leaf.keys.len() == path.keys().len() && leaf.keys.iter().zip(path.keys()).all(|(a, b)| a.name == b.name)
        };
        self.leaves.iter().find(same).and_then(Leaf::value)
    }

    /// Returns the value of the field whose other name is `path`, with its first name.
    pub(super) fn get_spare(&self, path: &FieldPath) -> Option<(&[Key], Value<'_>)> {
        let [key] = path.keys() else { return None };
        let leaf = self.leaves.iter().find(|leaf| leaf.spare.as_ref().is_some_and(|spare| spare.name == key.name))?;
        Some((&leaf.keys, leaf.value()?))
    }
}

impl Leaf {
    fn value(&self) -> Option<Value<'_>> {
        Some(match &self.value {
            JsonValue::Null => Value::Null,
            JsonValue::Bool(value) => Value::Bool(*value),
            JsonValue::Number(number) => match number.as_i64() {
                Some(value) => Value::Int(value),
                None => Value::Float(number.as_f64()?),
            },
            JsonValue::String(text) => Value::Text(text.as_bytes()),
            JsonValue::Array(_) | JsonValue::Object(_) => return None,
        })
    }
}

#[inline]
fn length_bit(name: &str) -> u64 {
    1 << name.len().min(63)
}

/// Takes the values that are no objects out of `object`.
fn flatten(object: Map<String, JsonValue>, path: &mut Vec<Key>, leaves: &mut Vec<Leaf>) {
    for (name, value) in object {
        path.push(Key::stored(&name, path.is_empty()));
        match value {
            JsonValue::Object(inner) => flatten(inner, path, leaves),
            value => {
                let same = |leaf: &Leaf| leaf.keys.iter().zip(&*path).all(|(a, b)| a.bson_name == b.bson_name);
                if !leaves.iter().any(same) {
                    leaves.push(Leaf { keys: path.clone(), value, spare: None });
                }
            }
        }
        path.pop();
    }
}

/// Adds the path or the host. A field that the user added under the same name counts instead.
fn add_own(leaves: &mut Vec<Leaf>, names: &[&str], text: &str, spare: &str) {
    let keys: Vec<Key> = names.iter().enumerate().map(|(depth, name)| Key::stored(name, depth == 0)).collect();
    let value = JsonValue::String(text.to_owned());
    let meets = |leaf: &Leaf| leaf.keys.iter().zip(&keys).all(|(a, b)| a.name == b.name);
    match leaves.iter().find(|leaf| meets(leaf)) {
        Some(leaf) if leaf.keys.len() == keys.len() => {}
        Some(_) => leaves.push(Leaf { keys: vec![Key::new(spare)], value, spare: None }),
        None => {
            let first = |leaf: &Leaf| leaf.keys.first().map(|key| key.name.clone());
            let own = keys.first().map(|key| key.name.clone());
            let after = leaves.iter().rposition(|leaf| first(leaf) == own).map_or(leaves.len(), |at| at + 1);
            leaves.insert(after, Leaf { keys, value, spare: Some(Key::new(spare)) });
        }
    }
}

fn encode(additions: &[Addition<'_>]) -> EncodedMembers {
    let mut members = EncodedMembers::default();
    let tags = &mut Tags::default();
    write_all(additions, 0, &mut Json::values(&mut members.json), tags);
    write_all(additions, 0, &mut Bson::elements(&mut members.bson), tags);
    members
}
