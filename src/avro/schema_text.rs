//! The text of the schema of documents. The same fields give the same bytes.

use super::plan::{EXTRA, Plan, Record, Scalar, Scalars, Shape};
use crate::document::escape::escape;

/// The namespace of all records.
const NAMESPACE: &str = "logator";

/// Returns the schema, one field on a line, with a newline at its end.
pub(super) fn text(plan: &Plan) -> String {
    let mut text = String::new();
    if let Some(root) = plan.records.first() {
        write_record(plan, root, 0, &mut text);
        text.push('\n');
    }
    text
}

fn write_record(plan: &Plan, record: &Record, depth: usize, text: &mut String) {
    let indent = "  ".repeat(depth);
    text.push_str(&format!("{{\"type\": \"record\", \"name\": \"{}\"", record.avro_name));
    if depth == 0 {
        text.push_str(&format!(", \"namespace\": \"{NAMESPACE}\""));
        write_doc(&record.name, &record.avro_name, text);
    }
    text.push_str(", \"fields\": [");
    let mut is_first = true;
    for field in &record.fields {
        text.push_str(if std::mem::take(&mut is_first) { "\n" } else { ",\n" });
        text.push_str(&format!("{indent}  {{\"name\": \"{}\"", field.avro_name));
        write_doc(&field.name, &field.avro_name, text);
        text.push_str(", \"type\": [\"null\"");
        match field.shape {
            Shape::Leaf(leaf) => {
                for scalar in leaf.scalars.iter() {
                    text.push_str(&format!(", {}", name(scalar)));
                }
                if let Some(items) = leaf.items {
                    text.push_str(&format!(", {{\"type\": \"array\", \"items\": {}}}", items_text(items)));
                }
            }
            Shape::Record(index) => {
                text.push_str(", ");
                if let Some(inner) = plan.records.get(index) {
                    write_record(plan, inner, depth + 1, text);
                }
            }
        }
        text.push_str("], \"default\": null}");
    }
    if depth == 0 {
        text.push_str(&format!(
            ",\n{indent}  {{\"name\": \"{EXTRA}\", \"type\": [\"null\", {{\"type\": \"map\", \"values\": \"string\"}}], \
             \"default\": null}}"
        ));
    }
    text.push_str(&format!("\n{indent}]}}"));
}

/// Writes the name that Avro does not allow.
fn write_doc(name: &str, avro_name: &str, text: &mut String) {
    if name != avro_name {
        let mut escaped = Vec::new();
        escape(name.as_bytes(), &mut escaped);
        text.push_str(&format!(", \"doc\": \"{}\"", String::from_utf8_lossy(&escaped)));
    }
}

fn items_text(items: Scalars) -> String {
    let names: Vec<&str> = items.iter().map(name).collect();
    match names[..] {
        [only] => only.to_owned(),
        _ => format!("[{}]", names.join(", ")),
    }
}

fn name(scalar: Scalar) -> &'static str {
    match scalar {
        Scalar::Long => "\"long\"",
        Scalar::Double => "\"double\"",
        Scalar::Boolean => "\"boolean\"",
        Scalar::Time => "{\"type\": \"long\", \"logicalType\": \"timestamp-millis\"}",
        Scalar::Text => "\"string\"",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{TypedField, TypedFields};
    use crate::grok::FieldType;

    #[test]
    fn the_text_of_a_schema_never_changes() {
        let field = |name, kind| TypedField::new(name, kind).unwrap();
        let fields = vec![
            field("clientip", FieldType::Ip),
            field("[http][status.code]", FieldType::Int),
            field("[http][ok]", FieldType::Bool),
            field("port", FieldType::Int).repeating(),
            field("port", FieldType::Float),
            field("when", FieldType::Date),
            field("user-\"agent\"", FieldType::Text).repeating(),
            field("extra", FieldType::Text),
        ];
        let plan = Plan::new(&TypedFields { name: "web-log".into(), fields }).unwrap();
        let expected = r#"{"type": "record", "name": "web_log", "namespace": "logator", "doc": "web-log", "fields": [
  {"name": "_id", "type": ["null", "string"], "default": null},
  {"name": "_timestamp", "doc": "@timestamp", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}], "default": null},
  {"name": "clientip", "type": ["null", "string"], "default": null},
  {"name": "http", "type": ["null", {"type": "record", "name": "web_log_http", "fields": [
    {"name": "status_code", "doc": "status.code", "type": ["null", "long", "string"], "default": null},
    {"name": "ok", "type": ["null", "boolean", "string"], "default": null}
  ]}], "default": null},
  {"name": "port", "type": ["null", "long", "double", "string", {"type": "array", "items": ["long", "double", "string"]}], "default": null},
  {"name": "when", "type": ["null", {"type": "long", "logicalType": "timestamp-millis"}, "string"], "default": null},
  {"name": "user__agent_", "doc": "user-\"agent\"", "type": ["null", "string", {"type": "array", "items": "string"}], "default": null},
  {"name": "extra_", "doc": "extra", "type": ["null", "string"], "default": null},
  {"name": "tags", "type": ["null", {"type": "array", "items": "string"}], "default": null},
  {"name": "extra", "type": ["null", {"type": "map", "values": "string"}], "default": null}
]}
"#;
        assert_eq!(text(&plan), expected);
    }
}
