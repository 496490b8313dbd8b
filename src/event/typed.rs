//! [`TypedFields`]: the fields of documents with the types of their values, for an encoding that must know them before the
//! first document.

use crate::core::error::{Error, Result};
use crate::document::Encoding;
use crate::document::keys::stored_name;
use crate::grok::{FieldType, Format, parse_path};

use super::plan::METADATA;
use super::source_fields::{SPARE_NAMES, source_names};

/// A field of documents, and the type of its values. A field whose values have several types stands in a list once for each
/// type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedField {
    /// The levels of its name, as a JSON document has them.
    pub path: Vec<String>,
    /// The type of its values. A value that cannot be converted stays a text.
    pub kind: FieldType,
    /// Whether a document may have several values in it.
    pub repeats: bool,
}

/// The fields of the documents of a job, in their order, and the types of their values. `_id`, `@timestamp` and `tags` are not
/// listed: every document may have them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypedFields {
    /// The name of the kind of documents: that of the format, or that of the program that makes them.
    pub name: String,
    /// The fields.
    pub fields: Vec<TypedField>,
}

impl TypedField {
    /// Returns the field `name`, written as in patterns: `status`, or `[tls][version]`.
    ///
    /// # Errors
    /// A usage error when the name is empty or its brackets do not match.
    pub fn new(name: &str, kind: FieldType) -> Result<TypedField> {
        let fault = |(_, words)| Error::usage(format!("{name:?} is not the name of a field: {words}"));
        let parts = parse_path(name).map_err(fault)?;
        Ok(TypedField { path: stored(&parts), kind, repeats: false })
    }

    /// Lets the field have several values.
    pub fn repeating(self) -> TypedField {
        TypedField { repeats: true, ..self }
    }
}

/// Returns the levels of a name as a JSON document has them.
fn stored(parts: &[String]) -> Vec<String> {
    let name = |(depth, part): (usize, &String)| stored_name(Encoding::Json, part, depth == 0).into_owned();
    parts.iter().enumerate().map(name).collect()
}

impl TypedFields {
    /// Returns the same fields with those that the source of a record may add. With `ecs`, these have the names of the Elastic
    /// Common Schema. A field of the record with the same name counts instead.
    pub fn with_source(mut self, ecs: bool) -> TypedFields {
        let text = |path: Vec<String>| TypedField { path, kind: FieldType::Text, repeats: false };
        for (names, spare) in source_names(ecs).into_iter().zip(SPARE_NAMES) {
            let is_same = |field: &TypedField| field.path.iter().zip(names).all(|(a, b)| a == b);
            let name = if self.fields.iter().any(is_same) { &[spare][..] } else { names };
            self.fields.push(text(name.iter().map(ToString::to_string).collect()));
        }
        self
    }

    /// Returns the fields of the documents of `format`. A line that does not match has `message`, so this field is always
    /// there. Of a format for JSON objects, no other field is known.
    pub fn of(format: &Format) -> TypedFields {
        let mut fields = Vec::new();
        for field in format.pattern().map_or(&[][..], |pattern| pattern.fields()) {
            if field.path.first().is_none_or(|name| name == METADATA) {
                continue;
            }
            let (path, repeats) = (stored(&field.path), field.slots.len() > 1);
            let mut kinds: Vec<FieldType> = Vec::new();
            for kind in field.slots.iter().map(|slot| slot.kind) {
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            fields.extend(kinds.into_iter().map(|kind| TypedField { path: path.clone(), kind, repeats }));
        }
        if fields.iter().all(|field| field.path.first().is_none_or(|name| name != "message")) {
            fields.push(TypedField { path: vec!["message".to_owned()], kind: FieldType::Text, repeats: false });
        }
        TypedFields { name: format.name.clone(), fields }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::grok::Library;

    fn shown(pattern: &str) -> String {
        let typed = TypedFields::of(&Library::builtin().pattern(pattern).unwrap());
        let field = |field: &TypedField| {
            format!("{}:{:?}{}", field.path.join("/"), field.kind, if field.repeats { "*" } else { "" })
        };
        typed.fields.iter().map(field).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn the_fields_are_those_of_the_documents_in_their_order() {
        for (pattern, fields) in [
            ("%{WORD:verb} %{INT:[http][status]:int}", "verb:Text http/status:Int message:Text"),
            ("%{INT:n:int} %{NUMBER:n:float}", "n:Int* n:Float* message:Text"),
            ("%{INT:tags:int} %{WORD:[a][tags]} %{WORD:[@metadata][x]}", "tags_:Int a/tags:Text message:Text"),
            ("%{WORD:[message][id]}", "message/id:Text"),
            ("%{GREEDYDATA:message}", "message:Text"),
        ] {
            assert_eq!(shown(pattern), fields, "{pattern}");
        }
        let json = TypedFields::of(&Library::builtin().format("ndjson").unwrap());
        assert_eq!((json.name.as_str(), json.fields.len()), ("ndjson", 1));
    }

    #[test]
    fn a_name_is_written_as_in_patterns() {
        assert_eq!(TypedField::new("[tls][version]", FieldType::Text).unwrap().path, ["tls", "version"]);
        assert!(TypedField::new("tags", FieldType::Int).unwrap().repeating().repeats);
        assert!(TypedField::new("[a", FieldType::Int).unwrap_err().to_string().contains("name of a field"));
    }
}
