//! [`Plan`]: the records and fields of the schema of documents, and where the values of a document go.

use std::ops::Range;

use super::names::{self, Taken};
use crate::core::error::{Error, Result};
use crate::document::keys::display_path;
use crate::event::TypedFields;
use crate::grok::FieldType;

/// The names of fields that every document may have, as documents have them.
pub(super) const ID: &str = "_id";
const TIMESTAMP: &str = "@timestamp";
const TAGS: &str = "tags";

/// The map with the fields that the schema does not have.
pub(super) const EXTRA: &str = "extra";

/// The name of the records of a pattern that has no name.
const UNNAMED: &str = "pattern";

/// The schema of documents.
#[derive(Debug)]
pub(super) struct Plan {
    /// The first is the document.
    pub records: Vec<Record>,
    /// The number of fields of all records that hold values.
    pub slots: usize,
}

/// A record of the schema: the document, or an object in it.
#[derive(Debug)]
pub(super) struct Record {
    pub avro_name: String,
    /// The name that it has without Avro's rule.
    pub name: String,
    /// The levels of its name, as patterns write them; empty for the document.
    pub path: String,
    pub fields: Vec<Field>,
    /// The slots of all fields in it.
    pub slots: Range<usize>,
}

#[derive(Debug)]
pub(super) struct Field {
    /// The name in documents.
    pub name: String,
    pub avro_name: String,
    pub shape: Shape,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum Shape {
    /// A value.
    Leaf(Leaf),
    /// An object: the index of its record.
    Record(usize),
}

/// A field that holds values. Its type is a union: null, the scalars, and an array of the items.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leaf {
    /// The number of the field among all that hold values.
    pub slot: usize,
    pub scalars: Scalars,
    /// The types of the items, if the field may have several values.
    pub items: Option<Scalars>,
}

/// The type of a single value. The order is that of the branches of a union.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Scalar {
    Long,
    Double,
    Boolean,
    Time,
    Text,
}

impl Scalar {
    pub const ALL: [Scalar; 5] = [Scalar::Long, Scalar::Double, Scalar::Boolean, Scalar::Time, Scalar::Text];

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of types.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Scalars(u8);

impl Scalars {
    fn with(self, scalar: Scalar) -> Scalars {
        Scalars(self.0 | scalar.bit())
    }

    /// Returns the types, of which no two are one type of Avro. A time is a long.
    fn distinct(self) -> Scalars {
        if self.has(Scalar::Long) { Scalars(self.0 & !Scalar::Time.bit()) } else { self }
    }

    pub fn has(self, scalar: Scalar) -> bool {
        self.0 & scalar.bit() != 0
    }

    pub fn len(self) -> usize {
        self.0.count_ones() as usize
    }

    /// Returns the place of a type of the set among its types.
    #[inline]
    pub fn rank(self, scalar: Scalar) -> Option<u8> {
        self.has(scalar).then(|| (self.0 & (scalar.bit() - 1)).count_ones() as u8)
    }

    pub fn iter(self) -> impl Iterator<Item = Scalar> {
        Scalar::ALL.into_iter().filter(move |scalar| self.has(*scalar))
    }
}

impl From<FieldType> for Scalars {
    /// A value that cannot be converted stays a text.
    fn from(kind: FieldType) -> Scalars {
        let text = Scalars::default().with(Scalar::Text);
        match kind {
            FieldType::Text | FieldType::Ip => text,
            FieldType::Int => text.with(Scalar::Long),
            FieldType::Float => text.with(Scalar::Double),
            FieldType::Bool => text.with(Scalar::Boolean),
            FieldType::Date => text.with(Scalar::Time),
        }
    }
}

/// A field under construction.
struct Draft {
    name: String,
    content: Content,
}

enum Content {
    Leaf { scalars: Scalars, repeats: bool },
    Record(Vec<Draft>),
}

impl Plan {
    /// Makes the plan for documents with `fields`.
    ///
    /// # Errors
    /// A usage error when a field needs a name to be a value and another one needs it to be an object.
    pub fn new(fields: &TypedFields) -> Result<Plan> {
        let text = Scalars::from(FieldType::Text);
        let own =
            |name: &str, scalars, repeats| Draft { name: name.to_owned(), content: Content::Leaf { scalars, repeats } };
        let mut drafts = vec![own(ID, text, false), own(TIMESTAMP, Scalars::default().with(Scalar::Time), false)];
        for field in &fields.fields {
            insert(&mut drafts, &field.path, field.kind.into(), field.repeats).ok_or_else(|| excluded(&field.path))?;
        }
        let mut plan = Plan { records: Vec::new(), slots: 0 };
        let mut taken = Taken::default();
        let name = fields.name.as_str();
        let is_name = !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || "-_.".contains(c));
        let avro_name = taken.take(if is_name { names::allowed(name) } else { UNNAMED.to_owned() });
        drafts.push(own(TAGS, text, true));
        plan.add(name.to_owned(), avro_name, String::new(), drafts, &mut taken);
        Ok(plan)
    }

    /// Adds a record with all records within it, and returns its index.
    fn add(&mut self, name: String, avro_name: String, path: String, drafts: Vec<Draft>, taken: &mut Taken) -> usize {
        let (index, first) = (self.records.len(), self.slots);
        let reserved: &[&str] = if index == 0 { &[EXTRA] } else { &[] };
        let plain: Vec<&str> = drafts.iter().map(|draft| draft.name.as_str()).collect();
        let avro_names = names::of_fields(&plain, reserved);
        self.records.push(Record {
            avro_name: avro_name.clone(),
            name,
            path: path.clone(),
            fields: vec![],
            slots: 0..0,
        });
        let mut fields = Vec::new();
        for (draft, field_name) in drafts.into_iter().zip(avro_names) {
            let shape = match draft.content {
                Content::Leaf { scalars, repeats } => {
                    let scalars = scalars.distinct();
                    // Tags are always an array.
                    let is_list = index == 0 && draft.name == TAGS;
                    let leaf = Leaf {
                        slot: self.slots,
                        scalars: if is_list { Scalars::default() } else { scalars },
                        items: repeats.then_some(scalars),
                    };
                    self.slots += 1;
                    Shape::Leaf(leaf)
                }
                Content::Record(inner) => {
                    let record_name = taken.take(format!("{avro_name}_{field_name}"));
                    let inner_path = format!("{path}[{}]", draft.name);
                    Shape::Record(self.add(draft.name.clone(), record_name, inner_path, inner, taken))
                }
            };
            fields.push(Field { name: draft.name, avro_name: field_name, shape });
        }
        let slots = first..self.slots;
        if let Some(record) = self.records.get_mut(index) {
            (record.fields, record.slots) = (fields, slots);
        }
        index
    }
}

/// Adds the field at `path`; `None` if its name is a value and an object.
fn insert(level: &mut Vec<Draft>, path: &[String], kinds: Scalars, repeats: bool) -> Option<()> {
    let (name, rest) = path.split_first()?;
    let index = level.iter().position(|draft| draft.name == *name).unwrap_or_else(|| {
        let content = match rest {
            [] => Content::Leaf { scalars: kinds, repeats },
            _ => Content::Record(Vec::new()),
        };
        level.push(Draft { name: name.clone(), content });
        level.len() - 1
    });
    match (&mut level.get_mut(index)?.content, rest) {
        (Content::Leaf { scalars, repeats: known }, []) => {
            (*scalars, *known) = (Scalars(scalars.0 | kinds.0), *known || repeats);
            Some(())
        }
        (Content::Record(inner), [_, ..]) => insert(inner, rest, kinds, repeats),
        _ => None,
    }
}

fn excluded(path: &[String]) -> Error {
    Error::usage(format!(
        "the field {} has no place in an Avro schema: a part of its name is a value in another field, or it has no name",
        display_path(path)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::TypedField;

    fn field(name: &str, kind: FieldType) -> TypedField {
        TypedField::new(name, kind).unwrap()
    }

    #[test]
    fn a_set_of_types_knows_the_place_of_each() {
        let both = Scalars::from(FieldType::Int).with(Scalar::Double);
        let ranks = |set: Scalars| Scalar::ALL.map(|scalar| set.rank(scalar));
        assert_eq!(ranks(both), [Some(0), Some(1), None, None, Some(2)]);
        assert_eq!((both.len(), ranks(Scalars::default())), (3, [None; 5]));
        let dates = Scalars::from(FieldType::Date);
        assert!(dates.distinct().has(Scalar::Time) && !dates.with(Scalar::Long).distinct().has(Scalar::Time));
    }

    #[test]
    fn a_name_is_a_value_or_an_object() {
        let plan = |fields: Vec<TypedField>| Plan::new(&TypedFields { name: "x".into(), fields });
        for (one, other) in [("a", "[a][b]"), ("[a][b]", "a"), ("[a][b]", "[a][b][c]")] {
            let error = plan(vec![field(one, FieldType::Int), field(other, FieldType::Text)]).unwrap_err();
            assert!(error.to_string().contains("no place in an Avro schema") && error.exit_code() == 2, "{error}");
        }
        let plan =
            plan(vec![field("[a][b]", FieldType::Int), field("c", FieldType::Int), field("[a][d]", FieldType::Ip)]);
        let plan = plan.unwrap();
        assert_eq!((plan.records.len(), plan.slots), (2, 6));
        assert_eq!((plan.records[1].path.as_str(), plan.records[1].slots.clone()), ("[a]", 2..4));
    }

    #[test]
    fn records_have_different_names() {
        let names = ["[a][b_c][x]", "[a_b][c][x]", "[a.b][c][x]"].map(|name| field(name, FieldType::Int));
        let plan = Plan::new(&TypedFields { name: "my-format".into(), fields: names.to_vec() }).unwrap();
        let names: Vec<&str> = plan.records.iter().map(|record| record.avro_name.as_str()).collect();
        assert_eq!(
            names,
            [
                "my_format",
                "my_format_a",
                "my_format_a_b_c",
                "my_format_a_b",
                "my_format_a_b_c_",
                "my_format_a_b_",
                "my_format_a_b__c"
            ]
        );
        let unnamed = Plan::new(&TypedFields { name: "%{WORD:a} %{INT:b}".into(), fields: vec![] }).unwrap();
        assert_eq!(unnamed.records[0].avro_name, "pattern");
    }
}
