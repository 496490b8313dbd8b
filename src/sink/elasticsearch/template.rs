//! The index template of `--es-template`, made from the fields of the formats.
//!
//! Dates are `date` and not `date_nanos`: documents have milliseconds, and `date_nanos` ends in the year 2262 and begins in
//! 1970, so it would refuse what a document may hold.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::index::IndexName;
use super::server::Server;
use crate::document::keys::own_name;
use crate::grok::{FieldType, Format};

/// The beginning of the names that belong to logator.
const OWN: &str = "logator-";

/// The longest text that is indexed as a whole. Longer ones are kept and cannot be searched.
const IGNORE_ABOVE: u32 = 1024;

/// The highest priority. A template of the user with the usual 100 or more wins.
const MOST_PRIORITY: usize = 99;

/// The name of a template, and its content as JSON.
#[derive(Debug, PartialEq)]
pub(super) struct Template {
    pub name: String,
    pub content: Value,
}

/// A field, or an object with fields.
#[derive(Debug, Default)]
struct Node {
    kind: Option<FieldType>,
    fields: BTreeMap<String, Node>,
}

/// Makes the template for the indexes that begin like `index` up to its date.
///
/// # Errors
/// The index is not one of logator's own. The text is the end of a sentence.
pub(super) fn template(
    index: &IndexName,
    formats: &[Format],
    server: Server,
    is_data_stream: bool,
) -> Result<Template, String> {
    let prefix = index.prefix();
    if !prefix.starts_with(OWN) {
        return Err(format!("--es-template makes templates for indexes that begin with {OWN} only"));
    }
    if !server.has_index_templates() {
        return Err(format!("--es-template needs index templates, which {server} does not have"));
    }
    let mut root = Node::default();
    for field in formats.iter().filter_map(Format::pattern).flat_map(|pattern| pattern.fields()) {
        root.add(&field.path, field.kind());
    }
    let text = if server.has_match_only_text() { "match_only_text" } else { "text" };
    let mut properties = root.properties();
    properties.insert("message".to_owned(), json!({ "type": text }));
    properties.insert("@timestamp".to_owned(), json!({ "type": "date" }));
    properties.insert("tags".to_owned(), keyword());
    let name = prefix.trim_end_matches(['-', '.', '_']);
    let mut content = json!({
        "index_patterns": [format!("{prefix}*")],
        // Two patterns of one priority must not overlap; a longer pattern is the more special one.
        "priority": (10 + prefix.len()).min(MOST_PRIORITY),
        "template": {
            "mappings": {
                // A text that looks like a date would fix the type of its field for all later documents.
                "date_detection": false,
                "dynamic_templates": [{ "strings": { "match_mapping_type": "string", "mapping": keyword() } }],
                "properties": properties,
            },
        },
        "_meta": { "made_by": "logator" },
    });
    if is_data_stream {
        content["data_stream"] = json!({});
    }
    Ok(Template { name: name.to_owned(), content })
}

fn keyword() -> Value {
    json!({ "type": "keyword", "ignore_above": IGNORE_ABOVE })
}

/// Returns a type that takes a document whose text could not be converted: the text is kept, and is not indexed.
fn lenient(kind: &str) -> Value {
    json!({ "type": kind, "ignore_malformed": true })
}

impl Node {
    /// Adds the field `path`. The server reads a dot in a name as the beginning of a level. A name that is both a field and
    /// an object, or that has two types, gets no type: the server then takes the first document's.
    fn add(&mut self, path: &[String], kind: FieldType) {
        let first = path.first().map(|first| own_name(first).unwrap_or(first));
        let levels = first.into_iter().chain(path.iter().skip(1).map(String::as_str));
        let levels: Vec<&str> = levels.flat_map(|level| level.split('.')).collect();
        if levels.is_empty() || levels.iter().any(|level| level.trim().is_empty()) {
            return;
        }
        let node = levels.into_iter().fold(self, |node, level| node.fields.entry(level.to_owned()).or_default());
        node.kind = Some(match node.kind {
            Some(known) if known != kind => FieldType::Text,
            _ => kind,
        });
    }

    fn properties(&self) -> serde_json::Map<String, Value> {
        let one = |(name, node): (&String, &Node)| {
            let content = match (node.fields.is_empty(), node.kind?) {
                (false, _) => return None,
                (true, FieldType::Text) => keyword(),
                (true, FieldType::Int) => lenient("long"),
                (true, FieldType::Float) => lenient("double"),
                (true, FieldType::Bool) => json!({ "type": "boolean" }),
                (true, FieldType::Date) => lenient("date"),
                (true, FieldType::Ip) => lenient("ip"),
            };
            Some((name.clone(), content))
        };
        let fields = self.fields.iter().filter_map(one);
        let objects = self.fields.iter().filter(|(_, node)| node.kind.is_none()).filter_map(|(name, node)| {
            let properties = node.properties();
            (!properties.is_empty()).then(|| (name.clone(), json!({ "properties": properties })))
        });
        fields.chain(objects).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::server::Product;
    use super::*;
    use crate::grok::Library;

    const SERVER: Server = Server { product: Product::Elasticsearch, version: (8, 19) };

    fn made(index: &str, patterns: &[&str]) -> Template {
        let library = Library::builtin();
        let formats: Vec<Format> = patterns.iter().map(|pattern| library.pattern(pattern).unwrap()).collect();
        template(&IndexName::parse(index).unwrap(), &formats, SERVER, false).unwrap()
    }

    #[test]
    fn each_type_of_a_field_has_a_type_of_the_server() {
        let pattern = "%{INT:n:int} %{NUMBER:f:float} %{WORD:b:bool} %{IP:client:ip} %{WORD:text} %{WORD:[a][b]:int} \
                       %{WORD:c.d:int} %{WORD:tags} %{WORD:when:date}";
        let Template { name, content } = made("logator-web-%{+yyyy.MM.dd}", &[pattern]);
        assert_eq!((name.as_str(), &content["index_patterns"]), ("logator-web", &json!(["logator-web-*"])));
        let mut expected = json!({
            "n": lenient("long"), "f": lenient("double"), "b": { "type": "boolean" }, "client": lenient("ip"),
            "text": keyword(), "a": { "properties": { "b": lenient("long") } },
            "c": { "properties": { "d": lenient("long") } }, "tags_": keyword(), "when": lenient("date"),
        });
        expected["message"] = json!({ "type": "match_only_text" });
        expected["@timestamp"] = json!({ "type": "date" });
        expected["tags"] = keyword();
        assert_eq!(content["template"]["mappings"]["properties"], expected);
        assert_eq!(content["template"]["mappings"]["date_detection"], json!(false));
    }

    #[test]
    fn a_name_that_is_a_field_and_an_object_has_no_type_and_two_types_become_a_keyword() {
        let content = made("logator-%{+yyyy}", &["%{WORD:app} %{WORD:app.name} %{INT:n:int}", "%{WORD:n}"]).content;
        let properties = &content["template"]["mappings"]["properties"];
        assert_eq!((properties.get("app"), &properties["n"]), (None, &keyword()));
    }

    #[test]
    fn a_template_has_logators_own_prefix_and_a_priority_below_100_that_grows_with_it() {
        let priority = |index: &str| made(index, &[]).content["priority"].as_u64().unwrap();
        let long = format!("logator-{}-%{{+yyyy}}", "x".repeat(200));
        assert!(priority("logator-%{+yyyy}") < priority("logator-web-%{+yyyy}"));
        assert_eq!(priority(&long), 99);
        for index in ["logs-web-%{+yyyy}", "%{+yyyy}", "logator"] {
            let refused = template(&IndexName::parse(index).unwrap(), &[], SERVER, false);
            assert!(refused.is_err_and(|why| why.contains("logator-")), "{index}");
        }
    }

    #[test]
    fn a_template_fits_its_server_and_its_index() {
        let index = IndexName::parse("logator-x").unwrap();
        let open = |version| Server { product: Product::OpenSearch, version };
        let old = template(&index, &[], open((2, 11)), true).unwrap();
        assert_eq!(old.content["template"]["mappings"]["properties"]["message"], json!({ "type": "text" }));
        assert_eq!(old.content["data_stream"], json!({}));
        let older = Server { product: Product::Elasticsearch, version: (7, 6) };
        assert!(template(&index, &[], older, false).is_err_and(|why| why.contains("7.6")));
    }
}
